/* Pictures: any kind and size -> BMP of one size in 24 bits.  A row at a time: a picture of 20,000 by 20,000 pixels takes no more
 * memory than its longest row. */
#include "prepare/prepare.h"

#include "prepare/bmp.h"
#include "prepare/raster.h"
#include "prepare/resample.h"

#include <math.h>
#include <string.h>

/* Which part of the picture becomes which part of the output. */
typedef struct layout {
    resample_window window;
    uint32_t x, y, width, height; /* in the output; around it is background */
} layout;

static layout lay_out(const prepare_image *m, const raster *p)
{
    layout l = { .window = { 0, 0, p->width, p->height }, .width = m->width, .height = m->height };
    const double across = (double)p->width / m->width, down = (double)p->height / m->height;
    if (m->shape == PREPARE_SHAPE_CROP) {
        const double scale = fmin(across, down);
        l.window.width = scale * m->width;
        l.window.height = scale * m->height;
        l.window.x = (p->width - l.window.width) / 2;
        l.window.y = (p->height - l.window.height) / 2;
    } else if (m->shape == PREPARE_SHAPE_FIT) {
        const double scale = fmax(across, down);
        l.width = (uint32_t)fmax(1, floor(p->width / scale + 0.5));
        l.height = (uint32_t)fmax(1, floor(p->height / scale + 0.5));
        l.x = (m->width - l.width) / 2;
        l.y = (m->height - l.height) / 2;
    }
    return l;
}

static bg_status read_rows(raster *p, resample *r, uint8_t *row, bg_error *err)
{
    uint32_t first, last;
    resample_rows(r, p->height, &first, &last);
    for (uint32_t y = 0; y <= last; y++) { /* rows above the window must be read past */
        BG_TRY(raster_row(p, row, err));
        if (y >= first)
            resample_add(r, y, row);
    }
    return BG_OK;
}

static void fill_file(uint8_t *file, const prepare_image *m, const layout *l, const resample *r, uint8_t *row)
{
    const size_t stride = bmp_row_size(m->width, 24);
    bmp_header(file, m->width, m->height);
    for (uint32_t y = 0; y < m->height; y++) {
        uint8_t *to = file + BMP_HEADER + stride * (m->height - 1 - y);
        const int inside = y >= l->y && y < l->y + l->height;
        if (inside)
            resample_result(r, y - l->y, row);
        for (uint32_t x = 0; x < m->width; x++)
            for (uint32_t c = 0; c < 3; c++)
                to[3 * x + 2 - c] = inside && x >= l->x && x < l->x + l->width ? row[3 * (x - l->x) + c] : m->background[c];
        memset(to + 3 * (size_t)m->width, 0, stride - 3 * (size_t)m->width);
    }
}

static bg_status make_picture(const prepare_image *m, raster *p, prepare_sink *sink, bg_error *err)
{
    const bg_sys *sys = bg_sys_default();
    const layout l = lay_out(m, p);
    const size_t size = BMP_HEADER + bmp_row_size(m->width, 24) * m->height;
    const uint32_t widest = p->width > m->width ? p->width : m->width;
    resample r;
    BG_TRY(resample_open(&r, &l.window, p->width, l.width, l.height, sys, err));
    uint8_t *row = bg_alloc(sys, widest, 3), *file = bg_alloc(sys, size, 1);
    bg_status s = row && file ? read_rows(p, &r, row, err) : bg_fail_memory(err, p->path, size + 3 * (uint64_t)widest);
    if (s == BG_OK) {
        fill_file(file, m, &l, &r, row);
        s = prepare_put(sink, NULL, file, size, err);
    }
    bg_free(sys, file);
    bg_free(sys, row);
    resample_close(&r);
    return s;
}

static bg_status make_image(const void *settings, const prepare_source *s, prepare_sink *sink, bg_error *err)
{
    const prepare_image *m = settings;
    raster p;
    BG_TRY(raster_open(&p, s->path, m->background, bg_sys_default(), err));
    const bg_status status = make_picture(m, &p, sink, err);
    raster_close(&p);
    return status;
}

prepare_tool prepare_image_tool(const prepare_image *m) { return (prepare_tool){ .extension = "bmp", .make = make_image, .settings = m }; }
