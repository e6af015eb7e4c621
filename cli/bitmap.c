/* A BMP reader for the plain kinds.  Every number of the header is checked
 * against the bytes that are there; a cut picture is no picture. */
#include "cli/bitmap.h"
#include "cli/little.h"
#include <stdlib.h>
#include <string.h>

enum { FILE_HEADER = 14, INFO_HEADER = 40, PLAIN = 0 };

typedef struct layout {
    unsigned width, height, bits;
    int upside_down;      /* the last row comes first, as is usual */
    size_t row;           /* bytes of one, padded to 4 */
    const uint8_t *pixels, *palette;
    uint32_t colours;     /* of the palette */
} layout;

static const char *read_size(layout *l, const uint8_t *file)
{
    const int32_t width = (int32_t)little(file + 18, 4), height = (int32_t)little(file + 22, 4);
    if (width <= 0 || height == 0 || width > BITMAP_SIDE || height > BITMAP_SIDE || height < -BITMAP_SIDE)
        return "its width or height makes no sense";
    l->width = (unsigned)width;
    l->upside_down = height > 0;
    l->height = (unsigned)(height > 0 ? height : -height);
    return NULL;
}

static const char *read_palette(layout *l, const uint8_t *file, size_t size, uint32_t header)
{
    l->colours = little(file + 46, 4);
    if (l->colours == 0 || l->colours > 256)
        l->colours = 256;
    if (size < FILE_HEADER + (size_t)header + 4 * (size_t)l->colours)
        return "it ends inside its palette";
    l->palette = file + FILE_HEADER + header;
    return NULL;
}

static const char *read_layout(layout *l, const uint8_t *file, size_t size)
{
    if (size < FILE_HEADER + INFO_HEADER)
        return "it is shorter than a header";
    if (file[0] != 'B' || file[1] != 'M')
        return "it does not begin with BM";
    const uint32_t pixels = little(file + 10, 4), header = little(file + 14, 4), bits = little(file + 28, 2);
    if (header < INFO_HEADER || header > size - FILE_HEADER)
        return "its header has a length that makes no sense";
    const char *why = read_size(l, file);
    if (why != NULL)
        return why;
    if (little(file + 26, 2) != 1 || little(file + 30, 4) != PLAIN || (bits != 8 && bits != 24 && bits != 32))
        return "it is not plain pixels of 8, 24 or 32 bits";
    l->bits = bits;
    l->row = ((size_t)l->width * bits / 8 + 3) / 4 * 4;
    if (bits == 8 && (why = read_palette(l, file, size, header)) != NULL)
        return why;
    if (pixels < FILE_HEADER + INFO_HEADER || pixels > size || size - pixels < l->row * l->height)
        return "it has fewer pixels than its header says";
    l->pixels = file + pixels;
    return NULL;
}

static void copy_row(const layout *l, uint8_t *to, const uint8_t *from)
{
    static const uint8_t black[4];
    for (unsigned x = 0; x < l->width; x++, to += 3) {
        const uint8_t *bgr = from + (size_t)x * (l->bits / 8);
        if (l->bits == 8)
            bgr = *bgr < l->colours ? l->palette + 4 * (size_t)*bgr : black;
        to[0] = bgr[2];
        to[1] = bgr[1];
        to[2] = bgr[0];
    }
}

const char *bitmap_read(bitmap *b, const uint8_t *file, size_t size)
{
    layout l = { 0 };
    *b = (bitmap){ 0 };
    const char *why = read_layout(&l, file, size);
    if (why != NULL)
        return why;
    b->rgb = malloc(3 * (size_t)l.width * l.height);
    if (b->rgb == NULL)
        return "there is no memory for it";
    b->width = l.width;
    b->height = l.height;
    for (unsigned y = 0; y < l.height; y++)
        copy_row(&l, b->rgb + 3 * (size_t)y * l.width, l.pixels + l.row * (l.upside_down ? l.height - 1 - y : y));
    return NULL;
}
