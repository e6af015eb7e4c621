/* See bmp.h.  A cut picture is no picture. */
#include "prepare/bmp.h"

#include "base/little.h"
#include "prepare/rows.h"

#include <string.h>

enum { FILE_HEADER = 14, INFO_HEADER = 40, MASKS_AT = 54, PLAIN = 0, RLE8 = 1, RLE4 = 2, BITFIELDS = 3, ALPHA_BITFIELDS = 6, DOTS_PER_METRE = 3780 };

static const char *read_size(bmp_layout *l, const uint8_t *head, uint32_t most)
{
    const int64_t width = (int32_t)bg_little(head + 18, 4), height = (int32_t)bg_little(head + 22, 4), up = height < 0 ? -height : height;
    if (width <= 0 || height == 0 || width > most || up > most)
        return "its width or height makes no sense";
    l->width = (uint32_t)width;
    l->upside_down = height > 0;
    l->height = (uint32_t)up;
    return NULL;
}

static const char *read_palette(bmp_layout *l, const uint8_t *head, size_t length, uint32_t header)
{
    const uint32_t most = UINT32_C(1) << l->bits;
    l->colours = bg_little(head + 46, 4);
    if (l->colours == 0 || l->colours > most)
        l->colours = most;
    if (length < FILE_HEADER + (size_t)header + 4 * (size_t)l->colours)
        return "it ends inside its palette";
    for (uint32_t i = 0; i < l->colours; i++) {
        const uint8_t *bgr = head + FILE_HEADER + header + 4 * (size_t)i;
        l->palette[i][0] = bgr[2];
        l->palette[i][1] = bgr[1];
        l->palette[i][2] = bgr[0];
    }
    return NULL;
}

/* A mask's bits must lie together. */
static int is_mask(uint32_t mask)
{
    const uint32_t low = mask & (0 - mask);
    return ((mask + low) & mask) == 0;
}

static const char *read_masks(bmp_layout *l, const uint8_t *head, size_t length, uint32_t header, uint32_t packing)
{
    static const uint32_t five[4] = { 0x7c00, 0x3e0, 0x1f, 0 }, eight[4] = { 0xff0000, 0xff00, 0xff, 0 };
    if (packing == PLAIN) {
        memcpy(l->mask, l->bits == 16 ? five : eight, sizeof l->mask);
        return NULL;
    }
    /* the fourth is part of the longer headers */
    const int masks = packing == ALPHA_BITFIELDS || header >= INFO_HEADER + 16 ? 4 : 3;
    if (length < MASKS_AT + 4 * (size_t)masks)
        return "it ends inside its masks";
    for (int i = 0; i < masks; i++) {
        l->mask[i] = bg_little(head + MASKS_AT + 4 * (size_t)i, 4);
        if (!is_mask(l->mask[i]) || (l->bits == 16 && l->mask[i] > 0xffff))
            return "its masks make no sense";
    }
    return NULL;
}

static int is_plain(uint32_t bits, uint32_t packing)
{
    if (packing == BITFIELDS || packing == ALPHA_BITFIELDS)
        return bits == 16 || bits == 32;
    return packing == PLAIN && (bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32);
}

const char *bmp_layout_read(bmp_layout *l, const uint8_t *head, size_t length, uint64_t size, uint32_t most)
{
    memset(l, 0, sizeof *l);
    if (length < FILE_HEADER + INFO_HEADER)
        return "it is shorter than a header";
    if (head[0] != 'B' || head[1] != 'M')
        return "it does not begin with BM";
    const uint32_t header = bg_little(head + 14, 4), packing = bg_little(head + 30, 4);
    if (header < INFO_HEADER || header > length - FILE_HEADER)
        return "its header has a length that makes no sense";
    const char *why = read_size(l, head, most);
    if (why)
        return why;
    l->bits = bg_little(head + 28, 2);
    l->pixels = bg_little(head + 10, 4);
    l->row = ((uint64_t)l->width * l->bits + 31) / 32 * 4;
    if (packing == RLE8 || packing == RLE4)
        return "it is compressed (RLE), which is not read";
    if (bg_little(head + 26, 2) != 1 || !is_plain(l->bits, packing))
        return "it is not plain pixels of 1, 4, 8, 16, 24 or 32 bits";
    if (l->bits <= 8)
        why = read_palette(l, head, length, header);
    else if (l->bits != 24)
        why = read_masks(l, head, length, header, packing);
    if (why)
        return why;
    if (l->pixels < FILE_HEADER + INFO_HEADER || l->pixels > size || (size - l->pixels) / l->row < l->height)
        return "it has fewer pixels than its header says";
    return NULL;
}

uint64_t bmp_row_at(const bmp_layout *l, uint32_t y)
{
    return l->pixels + l->row * (l->upside_down ? l->height - 1 - y : y);
}

/* --- rows ------------------------------------------------------------------------------------ */

/* What a mask takes of a point, as 0 to 255. */
static uint8_t part(uint32_t point, uint32_t mask)
{
    if (mask == 0)
        return 0;
    const uint64_t low = mask & (0 - mask), most = mask / low;
    return (uint8_t)(((point & mask) / low * 255 + most / 2) / most);
}

static void masked_row(const bmp_layout *l, uint8_t *rgb, const uint8_t *from, uint32_t background)
{
    const int bytes = l->bits == 16 ? 2 : 4;
    for (uint32_t x = 0; x < l->width; x++, rgb += 3, from += bytes) {
        const uint32_t point = bg_little(from, bytes), opacity = l->mask[3] ? part(point, l->mask[3]) : 255;
        for (int i = 0; i < 3; i++)
            rgb[i] = rows_over(part(point, l->mask[i]), opacity, background >> (16 - 8 * i));
    }
}

static void palette_row(const bmp_layout *l, uint8_t *rgb, const uint8_t *from)
{
    const uint32_t each = 8 / l->bits, mask = (UINT32_C(1) << l->bits) - 1;
    for (uint32_t x = 0; x < l->width; x++, rgb += 3) {
        const uint32_t colour = from[x / each] >> (8 - l->bits * (x % each + 1)) & mask;
        memcpy(rgb, l->palette[colour], 3); /* beyond the palette's end: black */
    }
}

void bmp_row(const bmp_layout *l, uint8_t *rgb, const uint8_t *from, uint32_t background)
{
    if (l->bits <= 8) {
        palette_row(l, rgb, from);
    } else if (l->bits == 24) {
        for (uint32_t x = 0; x < l->width; x++, rgb += 3, from += 3) {
            rgb[0] = from[2];
            rgb[1] = from[1];
            rgb[2] = from[0];
        }
    } else {
        masked_row(l, rgb, from, background);
    }
}

/* --- writing --------------------------------------------------------------------------------- */

/* 96 dots an inch, as most programs write: the header is the same in all files, so it costs a model nothing. */
void bmp_header(uint8_t to[BMP_HEADER], uint32_t width, uint32_t height)
{
    const uint32_t size = (uint32_t)(bmp_stride(width) * height);
    memset(to, 0, BMP_HEADER);
    memcpy(to, "BM", 2);
    bg_little_put(to + 2, BMP_HEADER + size, 4);
    bg_little_put(to + 10, BMP_HEADER, 4);
    bg_little_put(to + 14, INFO_HEADER, 4);
    bg_little_put(to + 18, width, 4);
    bg_little_put(to + 22, height, 4);
    bg_little_put(to + 26, 1, 2);
    bg_little_put(to + 28, 24, 2);
    bg_little_put(to + 34, size, 4);
    bg_little_put(to + 38, DOTS_PER_METRE, 4);
    bg_little_put(to + 42, DOTS_PER_METRE, 4);
}
