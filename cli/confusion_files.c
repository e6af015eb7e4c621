/* The confusion matrix as files: CSV for programs, PNG for eyes. */
#include "cli/confusion.h"
#include "cli/csv.h"
#include "cli/made_text.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/picture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int confusion_file_check(const char *path, bool force)
{
    const char *extension = path_extension(path);
    if (strcmp(extension, "csv") != 0 && strcmp(extension, "png") != 0)
        return usage_error("--confusion: %s: expected a name that ends in .csv or .png", path);
    return refuse_existing(path, force);
}

/* --- CSV ---------------------------------------------------------------------------------------- */

static void write_csv(FILE *f, const confusion *c)
{
    char number[LABEL_NUMBER];
    csv_field(f, "true \\ predicted");
    for (uint32_t k = 0; k < c->classes; k++) {
        fputc(',', f);
        csv_field(f, label_text(c->model, k, number));
    }
    for (uint32_t i = 0; i < c->classes; i++) {
        fputc('\n', f);
        csv_field(f, label_text(c->model, i, number));
        for (uint32_t k = 0; k < c->classes; k++)
            fprintf(f, ",%llu", (unsigned long long)confusion_cell(c, i, k));
    }
    fputc('\n', f);
}

static int save_csv(const confusion *c, const char *path, bool force, const bgpt_options *o)
{
    made_text table;
    const int code = text_begin(&table);
    if (code != 0)
        return code;
    write_csv(table.f, c);
    return text_save(&table, path, force, o);
}

/* --- PNG ---------------------------------------------------------------------------------------- */

enum { MARGIN = 16, LINE = 24, HEAD = 2 * LINE, LONGEST = 24, NUMBERED = 60 }; /* more classes than NUMBERED: small cells without numbers */

typedef struct drawing {
    picture p;
    unsigned size;       /* of letters */
    int64_t cell;        /* width and height of one */
    int64_t left, top;   /* of the matrix */
    bool numbers;
} drawing;

/* A colour from white to `full` by a share. */
static uint32_t shade(uint32_t full, double share)
{
    uint32_t colour = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        const double to = full >> shift & 0xff;
        colour |= (uint32_t)(255 + share * (to - 255) + 0.5) << shift;
    }
    return colour;
}

static int open_drawing(drawing *d, const confusion *c)
{
    uint64_t largest = 0;
    char text[24];
    size_t longest = 4;
    for (uint32_t i = 0; i < c->classes; i++) {
        const size_t n = strlen(label_text(c->model, i, text));
        longest = n > longest ? n : longest;
        for (uint32_t k = 0; k < c->classes; k++)
            largest = confusion_cell(c, i, k) > largest ? confusion_cell(c, i, k) : largest;
    }
    d->numbers = c->classes <= NUMBERED;
    d->size = d->numbers ? 2 : 1;
    const int64_t letter = PICTURE_LETTER * (int64_t)d->size, digits = snprintf(text, sizeof text, "%llu", (unsigned long long)largest);
    const int64_t label = (int64_t)(longest < LONGEST ? longest : LONGEST) * letter + letter;
    d->cell = !d->numbers ? 9 : (digits + 1) * letter > 28 ? (digits + 1) * letter : 28;
    d->left = MARGIN + label;
    d->top = MARGIN + HEAD + label;
    const int64_t side = (int64_t)c->classes * d->cell, head = 60 * PICTURE_LETTER * 2; /* the lines above */
    return picture_open(&d->p, (uint64_t)(d->left + side > head ? d->left + side : head) + MARGIN, (uint64_t)(d->top + side + MARGIN));
}

static void draw_label(drawing *d, const confusion *c, uint32_t i)
{
    char number[LABEL_NUMBER], text[LONGEST + 1];
    const int64_t letter = PICTURE_LETTER * (int64_t)d->size, middle = (int64_t)i * d->cell + (d->cell - FONT_HEIGHT * (int64_t)d->size) / 2;
    snprintf(text, sizeof text, "%s", label_text(c->model, i, number));
    picture_text(&d->p, d->left - (int64_t)(strlen(text) + 1) * letter, d->top + middle, d->size, PICTURE_BLACK, text);
    picture_text_up(&d->p, d->left + middle, d->top - letter, d->size, PICTURE_BLACK, text);
}

static void draw_cell(drawing *d, const confusion *c, uint32_t i, uint32_t k, uint64_t row)
{
    const uint64_t n = confusion_cell(c, i, k);
    const int64_t x = d->left + (int64_t)k * d->cell, y = d->top + (int64_t)i * d->cell, letter = PICTURE_LETTER * (int64_t)d->size;
    const uint32_t colour = shade(i == k ? 0x1f5fa8 : 0xc62d2d, row > 0 ? (double)n / (double)row : 0);
    char text[24];
    picture_box(&d->p, x, y, d->cell, d->cell, colour);
    picture_frame(&d->p, x, y, d->cell + 1, d->cell + 1, false, 0xd8d8d8);
    if (!d->numbers || n == 0)
        return;
    const int64_t width = snprintf(text, sizeof text, "%llu", (unsigned long long)n) * letter - (int64_t)d->size;
    picture_text(&d->p, x + (d->cell - width) / 2, y + (d->cell - FONT_HEIGHT * (int64_t)d->size) / 2, d->size, picture_ink(colour), text);
}

static int save_png(const confusion *c, const char *path, bool force, const bgpt_options *o)
{
    drawing d;
    char text[128];
    int code = open_drawing(&d, c);
    if (code == 0) {
        snprintf(text, sizeof text, "accuracy %.4f, macro F1 %.4f", c->accuracy, macro_f1(c));
        picture_text(&d.p, MARGIN, MARGIN, 2, PICTURE_BLACK, text);
        picture_text(&d.p, MARGIN, MARGIN + LINE, 2, PICTURE_GREY, "rows: true labels; columns: predicted; shade: share of row");
        for (uint32_t i = 0; i < c->classes; i++) {
            uint64_t row = 0;
            for (uint32_t k = 0; k < c->classes; k++)
                row += confusion_cell(c, i, k);
            draw_label(&d, c, i);
            for (uint32_t k = 0; k < c->classes; k++)
                draw_cell(&d, c, i, k, row);
        }
        code = picture_write(&d.p, path, force, o);
    }
    picture_close(&d.p);
    return code;
}

int confusion_save(const confusion *c, const char *path, bool force, const bgpt_options *o)
{
    return strcmp(path_extension(path), "csv") == 0 ? save_csv(c, path, force, o) : save_png(c, path, force, o);
}
