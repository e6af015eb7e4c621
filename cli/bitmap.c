/* Pictures that are in memory whole. */
#include "cli/bitmap.h"
#include "prepare/bmp.h"
#include <stdlib.h>

const char *bitmap_read(bitmap *b, const uint8_t *file, size_t size)
{
    bmp header;
    *b = (bitmap){ 0 };
    const char *why = bmp_read(&header, file, size, size, BITMAP_SIDE);
    if (why != NULL)
        return why;
    b->rgb = malloc(3 * (size_t)header.width * header.height);
    if (b->rgb == NULL)
        return "there is no memory for it";
    b->width = header.width;
    b->height = header.height;
    for (unsigned y = 0; y < b->height; y++)
        bmp_row(&header, file + bmp_row_at(&header, y), b->rgb + 3 * (size_t)y * b->width);
    return NULL;
}
