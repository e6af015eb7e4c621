/* BMP files: any plain one taken apart, and the one that is written, 54 bytes and the rows. */
#ifndef BG_PREPARE_BMP_H
#define BG_PREPARE_BMP_H

#include <stddef.h>
#include <stdint.h>

enum {
    BMP_HEADER = 54,
    BMP_HEAD_MOST = 2048, /* bytes that hold any header and palette that is read here */
};

typedef struct bmp_layout {
    uint32_t width, height, bits;
    int upside_down;       /* the last row comes first, as is usual */
    uint64_t row;          /* bytes of one, padded to 4 */
    uint64_t pixels;       /* offset of the first row in the file */
    uint32_t colours;      /* of the palette; 0: there is none */
    uint32_t mask[4];      /* R, G, B, opacity of points of 16 and 32 bits; no opacity: 0 */
    uint8_t palette[256][3]; /* R, G, B */
} bmp_layout;

/* head: the first `length` bytes of a file of `size`, all of it or BMP_HEAD_MOST.  Every number is checked against the bytes that are there.  Uncompressed
 * pictures of 1, 4, 8, 16, 24 and 32 bits, none of more than `most` points a side.  NULL; or why it cannot be read. */
const char *bmp_layout_read(bmp_layout *l, const uint8_t *head, size_t length, uint64_t size, uint32_t most);

/* Offset of row y from the top. */
uint64_t bmp_row_at(const bmp_layout *l, uint32_t y);

/* A row's bytes to R G B (width*3), over this background. */
void bmp_row(const bmp_layout *l, uint8_t *rgb, const uint8_t *from, uint32_t background);

/* Bytes of a row of the file that is written, padded to 4. */
static inline size_t bmp_stride(uint32_t width) { return (3 * (size_t)width + 3) / 4 * 4; }

void bmp_header(uint8_t to[BMP_HEADER], uint32_t width, uint32_t height);

#endif
