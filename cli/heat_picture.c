/* Heat maps as pictures: a cell a byte, the place before each row and its bits
 * behind.  A few thousand bytes show their values, more are plain cells. */
#include "cli/heat.h"
#include "cli/output.h"
#include "cli/picture.h"
#include <string.h>

enum {
    SIZE = 2,                      /* of letters */
    LETTER = PICTURE_LETTER * SIZE,
    LINE = 24,                     /* from a line of text to the next */
    MARGIN = 16,
    PLACE = 10 * LETTER,           /* eight digits and a gap */
    HEAD = MARGIN + 3 * LINE + LINE / 2, /* title, figures, legend */
    SWATCH = 7 * LETTER            /* of the legend */
};

/* By bytes shown: cells in a row, their size, and letters in them.  A row always covers a round number of bytes, and no picture is
 * more than 20,000 points high. */
static const struct layout { size_t most; unsigned row, width, height; bool letters; } layouts[] = {
    { 4096, 16, 3 * LETTER, 22, true },
    { 16384, 32, 3 * LETTER, 22, true },
    { 65536, 64, 12, 12, false },
    { 524288, 256, 6, 6, false },
    { HEAT_PICTURE_BYTES, 1024, 3, 3, false },
};

static const struct layout *layout_for(size_t bytes)
{
    size_t i = 0;
    while (bytes > layouts[i].most)
        i++;
    return &layouts[i];
}

static void draw_cell(picture *p, const heat *h, size_t i, const struct layout *l, int64_t x, int64_t y)
{
    const uint32_t colour = heat_colour(h->bits[i]);
    char text[4];
    picture_box(p, x, y, l->width, l->height, colour);
    if (!l->letters)
        return;
    snprintf(text, sizeof text, "%02x", h->bytes[i]);
    picture_text(p, x + LETTER / 2, y + (l->height - FONT_HEIGHT * SIZE) / 2, SIZE, picture_ink(colour), text);
}

/* The bytes as characters beside their cells. */
static void draw_characters(picture *p, const heat *h, size_t from, size_t to, const struct layout *l, int64_t x, int64_t y)
{
    for (size_t i = from; i < to; i++, x += LETTER) {
        const uint32_t colour = heat_colour(h->bits[i]);
        const char text[2] = { heat_character(h->bytes[i]), '\0' };
        picture_box(p, x, y, LETTER, l->height, colour);
        picture_text(p, x + SIZE / 2, y + (l->height - FONT_HEIGHT * SIZE) / 2, SIZE, picture_ink(colour), text);
    }
}

static void draw_row(picture *p, const heat *h, size_t from, size_t to, const struct layout *l, int64_t y)
{
    const int64_t behind = MARGIN + PLACE + (int64_t)l->row * l->width + LETTER, middle = y + ((int64_t)l->height - FONT_HEIGHT * SIZE) / 2;
    char text[32];
    for (size_t i = from; i < to; i++)
        draw_cell(p, h, i, l, MARGIN + PLACE + (int64_t)(i - from) * l->width, y);
    if (l->letters)
        draw_characters(p, h, from, to, l, behind, y);
    /* where rows are lower than letters, every so many have a label */
    const unsigned each = l->height >= LINE - 2 ? 1 : LINE / l->height;
    if (from / l->row % each != 0)
        return;
    snprintf(text, sizeof text, "%08zx", from);
    picture_text(p, MARGIN, middle, SIZE, PICTURE_GREY, text);
    if (!l->letters)
        return;
    snprintf(text, sizeof text, "%8.1f", heat_sum(h, from, to));
    picture_text(p, behind + (int64_t)(l->row + 1) * LETTER, middle, SIZE, PICTURE_GREY, text);
}

static void draw_head(picture *p, const heat *h, const char *title, size_t from, size_t to)
{
    char text[160];
    int64_t x = MARGIN + PLACE, y = MARGIN;
    picture_text(p, MARGIN, y, SIZE, PICTURE_BLACK, title);
    snprintf(text, sizeof text, "%zu bytes, %.4f bits a byte; shown: %zu to %zu", h->size,
             h->size ? (heat_sum(h, 0, h->size) + h->end_bits) / (double)h->size : 0.0, from, to > from ? to - 1 : from);
    picture_text(p, MARGIN, y += LINE, SIZE, PICTURE_BLACK, text);
    picture_text(p, MARGIN, y += LINE, SIZE, PICTURE_BLACK, "bits");
    for (int k = 0; k < HEAT_STEPS; k++, x += SWATCH) {
        uint32_t colour;
        heat_legend(k, text, sizeof text, &colour);
        picture_box(p, x, y - 4, SWATCH - LETTER / 2, LINE - 2, colour);
        picture_frame(p, x, y - 4, SWATCH - LETTER / 2, LINE - 2, false, PICTURE_GREY);
        picture_text(p, x + LETTER / 2, y, SIZE, picture_ink(colour), text);
    }
}

int heat_write_picture(const heat *h, const char *title, size_t from, size_t to, const char *path, bool overwrite, const bgpt_options *o)
{
    picture p;
    const struct layout *l = layout_for(to - from);
    const size_t rows = (to - from + l->row - 1) / l->row;
    const uint64_t legend = 2 * MARGIN + PLACE + HEAT_STEPS * SWATCH;
    uint64_t width = 2 * MARGIN + PLACE + (uint64_t)l->row * l->width + (l->letters ? (l->row + 11) * LETTER : 0);
    int code = picture_open(&p, width > legend ? width : legend, HEAD + rows * l->height + MARGIN);
    if (code == 0) {
        draw_head(&p, h, title, from, to);
        for (size_t r = 0; r < rows; r++) {
            const size_t at = from + r * l->row;
            draw_row(&p, h, at, to - at < l->row ? to : at + l->row, l, HEAD + (int64_t)(r * l->height));
        }
        code = picture_write(&p, path, overwrite, o);
    }
    picture_close(&p);
    return code;
}
