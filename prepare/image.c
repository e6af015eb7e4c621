/* Pictures: read row by row, resampled, and written as BMP with the plain header of 54 bytes.  Colours are taken for sRGB and
 * averaged as they are stored, as most programs do. */
#include "prepare/prepare.h"

#include "prepare/bmp.h"
#include "prepare/resample.h"
#include "prepare/rows.h"

#include <stdio.h>
#include <string.h>

/* A box of whole points. */
typedef struct box { uint32_t x, y, width, height; } box;

/* a*b/c, rounded, from 1 to `most`. */
static uint32_t scaled(uint64_t a, uint64_t b, uint64_t c, uint32_t most)
{
    const uint64_t q = (a * b + c / 2) / c;
    return q < 1 ? 1 : q > most ? most : (uint32_t)q;
}

/* The largest box of the shape shape_w:shape_h in a picture of width:height, in its middle. */
static box middle(uint32_t width, uint32_t height, uint32_t shape_w, uint32_t shape_h)
{
    box b = { 0, 0, width, height };
    if ((uint64_t)width * shape_h > (uint64_t)height * shape_w)
        b.width = scaled(height, shape_w, shape_h, width);
    else
        b.height = scaled(width, shape_h, shape_w, height);
    b.x = (width - b.width) / 2;
    b.y = (height - b.height) / 2;
    return b;
}

/* The part of the source that is taken, and the part of the picture that it fills. */
static void place(const prepare_image *a, const picture_rows *p, box *from, box *to)
{
    *from = (box){ 0, 0, p->width, p->height };
    *to = (box){ 0, 0, a->width, a->height };
    if (a->shape == PREPARE_SHAPE_CROP)
        *from = middle(p->width, p->height, a->width, a->height);
    if (a->shape == PREPARE_SHAPE_FIT)
        *to = middle(a->width, a->height, p->width, p->height);
}

/* --- writing --------------------------------------------------------------------------------- */

static void fill_row(uint8_t *rgb, uint32_t width, uint32_t colour)
{
    for (uint32_t x = 0; x < width; x++, rgb += 3) {
        rgb[0] = (uint8_t)(colour >> 16);
        rgb[1] = (uint8_t)(colour >> 8);
        rgb[2] = (uint8_t)colour;
    }
}

static void write_bmp(const prepare_image *a, const resampler *r, box to, uint8_t *file)
{
    uint8_t rgb[3 * PREPARE_IMAGE_MOST];
    bmp_header(file, a->width, a->height);
    for (uint32_t y = 0; y < a->height; y++) {
        uint8_t *bgr = file + BMP_HEADER + bmp_stride(a->width) * (a->height - 1 - y);
        fill_row(rgb, a->width, a->background);
        if (y >= to.y && y - to.y < to.height)
            resample_take(r, y - to.y, rgb + 3 * (size_t)to.x);
        for (size_t i = 0; i < 3 * (size_t)a->width; i += 3) {
            bgr[i] = rgb[i + 2];
            bgr[i + 1] = rgb[i + 1];
            bgr[i + 2] = rgb[i];
        }
    }
}

/* --- a file ---------------------------------------------------------------------------------- */

/* Rows that are cut off are read too: a file that ends among them is damaged. */
static bg_status feed(resampler *r, picture_rows *p, box from, bg_error *err)
{
    const bg_sys *sys = p->file.sys;
    uint8_t *rgb = bg_alloc(sys, p->width, 3);
    bg_status s = rgb ? BG_OK : bg_fail_memory(err, p->file.path, 3 * (uint64_t)p->width);
    for (uint32_t y = 0; s == BG_OK && y < p->height; y++) {
        s = rows_read(p, rgb, err);
        if (s == BG_OK && y >= from.y && y - from.y < from.height)
            resample_feed(r, rgb + 3 * (size_t)from.x);
    }
    bg_free(sys, rgb);
    return s;
}

static bg_status convert(const prepare_image *a, picture_rows *p, prepare_sink *sink, bg_error *err)
{
    const bg_sys *sys = p->file.sys;
    const size_t size = BMP_HEADER + bmp_stride(a->width) * a->height;
    resampler r;
    box from, to;
    place(a, p, &from, &to);
    BG_TRY(resample_open(&r, sys, from.width, from.height, to.width, to.height, err));
    uint8_t *file = bg_alloc_zero(sys, size, 1);
    bg_status s = file ? feed(&r, p, from, err) : bg_fail_memory(err, p->file.path, size);
    if (s == BG_OK) {
        write_bmp(a, &r, to, file);
        s = prepare_put(sink, NULL, file, size, err);
    }
    bg_free(sys, file);
    resample_close(&r);
    return s;
}

static bg_status make_image(const void *settings, const prepare_source *s, prepare_sink *sink, bg_error *err)
{
    const prepare_image *a = settings;
    picture_rows p;
    BG_TRY(rows_open(&p, bg_sys_default(), s->path, a->background, err));
    const bg_status status = convert(a, &p, sink, err);
    rows_close(&p);
    return status;
}

prepare_tool prepare_image_tool(const prepare_image *a, const char **why)
{
    *why = rows_vips_start();
    return (prepare_tool){ .extension = "bmp", .make = make_image, .settings = a };
}
