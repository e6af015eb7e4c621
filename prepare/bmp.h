/* BMP: the header of a file read without trust, its rows as RGB; and the plain header of 54 bytes. */
#ifndef BG_PREPARE_BMP_H
#define BG_PREPARE_BMP_H

#include <stddef.h>
#include <stdint.h>

enum { BMP_HEADER = 54, BMP_HEAD = 2048 }; /* BMP_HEAD: room for any header with its palette */

typedef struct bmp {
    uint32_t width, height, bits;
    int upside_down;       /* the last row comes first, as is usual */
    size_t row;            /* bytes of one, padded to 4 */
    uint64_t pixels;       /* where they begin in the file */
    uint32_t colours;      /* of the palette */
    uint32_t masks[3];     /* red, green, blue of a pixel of 16 or 32 bits */
    uint8_t palette[1024]; /* blue, green, red, nothing */
} bmp;

/* head: the file's first `have` bytes, all of them or BMP_HEAD; size: of the file; most: longest side.  Uncompressed
 * pixels of 1, 4, 8, 16, 24 and 32 bits.  NULL; or why it cannot be read. */
const char *bmp_read(bmp *b, const uint8_t *head, size_t have, uint64_t size, uint32_t most);
/* Where row y, from the top, begins in the file: b->row bytes. */
uint64_t bmp_row_at(const bmp *b, uint32_t y);
/* rgb (width, 3) */
void bmp_row(const bmp *b, const uint8_t *row, uint8_t *rgb);

/* Of width x height pixels in 24 bits: rows from the bottom up, blue, green, red, each row padded to 4 bytes.  Returns the
 * size of the file. */
size_t bmp_header(uint8_t to[BMP_HEADER], uint32_t width, uint32_t height);
size_t bmp_row_size(uint32_t width, uint32_t bits);

#endif
