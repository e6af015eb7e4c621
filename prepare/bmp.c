/* See bmp.h.  Every number of a header is checked against the bytes that are there; a cut picture is no picture. */
#include "prepare/bmp.h"

#include "base/little.h"

#include <string.h>

enum { FILE_HEADER = 14, INFO_HEADER = 40, PLAIN = 0, MASKS = 3 };

size_t bmp_row_size(uint32_t width, uint32_t bits) { return ((size_t)width * bits + 31) / 32 * 4; }

static const char *read_size(bmp *b, const uint8_t *head, uint32_t most)
{
    const int32_t width = (int32_t)bg_little(head + 18, 4), height = (int32_t)bg_little(head + 22, 4);
    if (width <= 0 || height == 0 || height == INT32_MIN || (uint32_t)width > most || (uint32_t)(height < 0 ? -height : height) > most)
        return "its width or height makes no sense";
    b->width = (uint32_t)width;
    b->upside_down = height > 0;
    b->height = (uint32_t)(height > 0 ? height : -height);
    return NULL;
}

static const char *read_palette(bmp *b, const uint8_t *head, size_t have, uint32_t header)
{
    const uint32_t most = 1u << b->bits;
    b->colours = bg_little(head + 46, 4);
    if (b->colours == 0 || b->colours > most)
        b->colours = most;
    if (have < FILE_HEADER + (size_t)header + 4 * (size_t)b->colours)
        return "it ends inside its palette";
    memcpy(b->palette, head + FILE_HEADER + header, 4 * (size_t)b->colours);
    return NULL;
}

/* A mask is a run of bits. */
static const char *read_masks(bmp *b, const uint8_t *head, size_t have)
{
    if (have < FILE_HEADER + INFO_HEADER + 12)
        return "it ends inside its masks";
    for (int i = 0; i < 3; i++) {
        const uint32_t m = bg_little(head + FILE_HEADER + INFO_HEADER + 4 * i, 4), low = m & (~m + 1);
        if (m == 0 || ((m + low) & m) != 0 || (b->bits == 16 && m > 0xffff))
            return "its masks make no sense";
        b->masks[i] = m;
    }
    return NULL;
}

static const char *read_kind(bmp *b, const uint8_t *head, size_t have, uint32_t header)
{
    static const uint32_t masks[2][3] = { { 0x7c00, 0x3e0, 0x1f }, { 0xff0000, 0xff00, 0xff } };
    const uint32_t bits = bg_little(head + 28, 2), how = bg_little(head + 30, 4);
    const int few = bits == 1 || bits == 4 || bits == 8, masked = bits == 16 || bits == 32;
    b->bits = bits;
    if (bg_little(head + 26, 2) != 1 || !(few || masked || bits == 24) || !(how == PLAIN || (how == MASKS && masked)))
        return "it is not plain pixels of 1, 4, 8, 16, 24 or 32 bits";
    memcpy(b->masks, masks[bits == 32], sizeof b->masks);
    if (few)
        return read_palette(b, head, have, header);
    return how == MASKS ? read_masks(b, head, have) : NULL;
}

const char *bmp_read(bmp *b, const uint8_t *head, size_t have, uint64_t size, uint32_t most)
{
    if (have < FILE_HEADER + INFO_HEADER)
        return "it is shorter than a header";
    if (head[0] != 'B' || head[1] != 'M')
        return "it does not begin with BM";
    const uint32_t header = bg_little(head + 14, 4);
    b->pixels = bg_little(head + 10, 4);
    if (header < INFO_HEADER || header > have - FILE_HEADER)
        return "its header has a length that makes no sense";
    const char *why = read_size(b, head, most);
    if (!why)
        why = read_kind(b, head, have, header);
    if (why)
        return why;
    b->row = bmp_row_size(b->width, b->bits);
    if (b->pixels < FILE_HEADER + INFO_HEADER || b->pixels > size || (size - b->pixels) / b->row < b->height)
        return "it has fewer pixels than its header says";
    return NULL;
}

uint64_t bmp_row_at(const bmp *b, uint32_t y) { return b->pixels + (uint64_t)b->row * (b->upside_down ? b->height - 1 - y : y); }

static uint8_t masked(uint32_t pixel, uint32_t mask)
{
    const uint32_t low = mask & (~mask + 1), top = mask / low;
    return (uint8_t)(((uint64_t)(pixel & mask) / low * 255 + top / 2) / top);
}

void bmp_row(const bmp *b, const uint8_t *row, uint8_t *rgb)
{
    static const uint8_t black[4];
    for (uint32_t x = 0; x < b->width; x++, rgb += 3) {
        const uint64_t at = (uint64_t)x * b->bits;
        if (b->bits == 16 || b->bits == 32) {
            const uint32_t pixel = bg_little(row + at / 8, (int)b->bits / 8);
            for (int i = 0; i < 3; i++)
                rgb[i] = masked(pixel, b->masks[i]);
            continue;
        }
        const uint8_t *bgr = row + at / 8;
        if (b->bits <= 8) {
            const uint32_t colour = *bgr >> (8 - b->bits - at % 8) & ((1u << b->bits) - 1);
            bgr = colour < b->colours ? b->palette + 4 * (size_t)colour : black;
        }
        rgb[0] = bgr[2];
        rgb[1] = bgr[1];
        rgb[2] = bgr[0];
    }
}

size_t bmp_header(uint8_t to[BMP_HEADER], uint32_t width, uint32_t height)
{
    const size_t pixels = bmp_row_size(width, 24) * height;
    memset(to, 0, BMP_HEADER);
    to[0] = 'B';
    to[1] = 'M';
    bg_little_put(to + 2, (uint32_t)(BMP_HEADER + pixels), 4);
    bg_little_put(to + 10, BMP_HEADER, 4);
    bg_little_put(to + 14, INFO_HEADER, 4);
    bg_little_put(to + 18, width, 4);
    bg_little_put(to + 22, height, 4);
    bg_little_put(to + 26, 1, 2);
    bg_little_put(to + 28, 24, 2);
    bg_little_put(to + 34, (uint32_t)pixels, 4);
    return BMP_HEADER + pixels;
}
