/* PNG files by rows, through libpng.  Interlaced ones are held whole: their first row is complete only at the end. */
#include "prepare/rows.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

typedef struct png_state {
    png_structp png;
    png_infop info;
    uint8_t *row;       /* (width*4) R G B A; of an interlaced picture all rows */
    int whole, decoded; /* decoded: all of it is in row */
    bg_error error;     /* what libpng's jump leaves behind */
} png_state;

static void no_warning(png_structp png, png_const_charp text) { }

static void on_error(png_structp png, png_const_charp text)
{
    picture_rows *p = png_get_error_ptr(png);
    png_state *s = p->state;
    if (s->error.code == BG_OK)
        bg_fail(&s->error, BG_ERR_FORMAT, "%s: libpng: %s", p->file.path, text);
    png_longjmp(png, 1);
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
    picture_rows *p = png_get_io_ptr(png);
    png_state *s = p->state;
    if (rows_file_next(&p->file, to, n, &s->error) != BG_OK)
        png_error(png, "");
}

/* What deflate packs best shrinks to a 1032nd: a file of fewer bytes has not the picture that its header says. */
enum { DEFLATE_MOST = 1032 };

/* 16 bits, palettes, greys and single transparent colours: all become R G B A of 8 bits. */
static void open_png(picture_rows *p, png_state *s)
{
    png_set_user_limits(s->png, ROWS_MOST_SIDE, ROWS_MOST_SIDE);
    png_set_read_fn(s->png, p, on_read);
    png_read_info(s->png, s->info);
    s->whole = png_get_interlace_type(s->png, s->info) != PNG_INTERLACE_NONE;
    if (rows_size(p, png_get_image_width(s->png, s->info), png_get_image_height(s->png, s->info), s->whole, &s->error) != BG_OK)
        png_error(s->png, "");
    if ((uint64_t)png_get_rowbytes(s->png, s->info) * p->height / DEFLATE_MOST > p->file.size)
        png_error(s->png, "it has fewer points than its header says");
    png_set_expand(s->png);
    png_set_scale_16(s->png);
    png_set_gray_to_rgb(s->png);
    png_set_add_alpha(s->png, 255, PNG_FILLER_AFTER);
    if (s->whole)
        png_set_interlace_handling(s->png);
    png_read_update_info(s->png, s->info);
    if (png_get_rowbytes(s->png, s->info) != 4 * (size_t)p->width)
        png_error(s->png, "rows of an unknown form");
    s->row = bg_alloc_zero(p->file.sys, 4 * (size_t)p->width, s->whole ? p->height : 1);
    if (!s->row) {
        bg_fail_memory(&s->error, p->file.path, 4 * (uint64_t)p->width * (s->whole ? p->height : 1));
        png_error(s->png, "");
    }
}

static void decode_whole(picture_rows *p, png_state *s)
{
    enum { PASSES = 7 };
    for (int pass = 0; pass < PASSES; pass++)
        for (uint32_t y = 0; y < p->height; y++)
            png_read_row(s->png, s->row + 4 * (size_t)p->width * y, NULL);
    s->decoded = 1;
}

/* The rest of the file is read too: a picture without its end was cut. */
static void decode_row(picture_rows *p, png_state *s)
{
    if (s->whole && !s->decoded)
        decode_whole(p, s);
    else if (!s->whole)
        png_read_row(s->png, s->row, NULL);
    if (p->next + 1 == p->height)
        png_read_end(s->png, NULL);
}

/* Whatever fails inside libpng jumps here. */
static bg_status guarded(picture_rows *p, void (*work)(picture_rows *p, png_state *s), bg_error *err)
{
    png_state *s = p->state;
    if (setjmp(png_jmpbuf(s->png)))
        return bg_fail(err, s->error.code, "%s", s->error.text);
    work(p, s);
    return BG_OK;
}

static bg_status read_row(picture_rows *p, uint8_t *rgb, bg_error *err)
{
    const png_state *s = p->state;
    BG_TRY(guarded(p, decode_row, err));
    rows_flatten(rgb, s->row + (s->whole ? 4 * (size_t)p->width * p->next : 0), p->width, p->background);
    return BG_OK;
}

static void close_png(picture_rows *p)
{
    png_state *s = p->state;
    png_destroy_read_struct(&s->png, &s->info, NULL);
    bg_free(p->file.sys, s->row);
    bg_free(p->file.sys, s);
}

bg_status rows_png_open(picture_rows *p, bg_error *err)
{
    png_state *s = bg_alloc_zero(p->file.sys, 1, sizeof *s);
    if (!s)
        return bg_fail_memory(err, p->file.path, sizeof *s);
    p->state = s;
    p->read = read_row;
    p->close = close_png;
    s->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, p, on_error, no_warning);
    s->info = s->png ? png_create_info_struct(s->png) : NULL;
    return s->info ? guarded(p, open_png, err) : bg_fail(err, BG_ERR_MEMORY, "%s: no memory for libpng", p->file.path);
}
