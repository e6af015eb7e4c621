/* BMP files that a model wrote, read without trust. */
#ifndef BGPT_CLI_BITMAP_H
#define BGPT_CLI_BITMAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct bitmap {
    unsigned width, height;
    uint8_t *rgb; /* (height, width, 3), top row first; to be freed */
} bitmap;

enum { BITMAP_SIDE = 4096 }; /* larger ones are refused */

/* Uncompressed images of 1 to 32 bits.  NULL; or why it cannot be read, and b holds nothing. */
const char *bitmap_read(bitmap *b, const uint8_t *file, size_t size);

#endif
