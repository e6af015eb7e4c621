/* A BMP file in memory to points: the reader is that of bgpt prepare image. */
#include "cli/bitmap.h"
#include "prepare/bmp.h"
#include <stdlib.h>

const char *bitmap_read(bitmap *b, const uint8_t *file, size_t size)
{
    bmp_layout l;
    *b = (bitmap){ 0 };
    const char *why = bmp_layout_read(&l, file, size, size, BITMAP_SIDE);
    if (why != NULL)
        return why;
    b->rgb = malloc(3 * (size_t)l.width * l.height);
    if (b->rgb == NULL)
        return "there is no memory for it";
    b->width = l.width;
    b->height = l.height;
    for (uint32_t y = 0; y < l.height; y++)
        bmp_row(&l, b->rgb + 3 * (size_t)y * l.width, file + bmp_row_at(&l, y), 0);
    return NULL;
}
