/* PNG by libpng, a row at a time; an interlaced one whole. */
#include "prepare/raster.h"

#include "base/file.h"

#include <png.h>
#include <stdio.h>
#include <string.h>

typedef struct png_state {
    int fd;
    uint64_t offset;
    png_structp png;
    png_infop info;
    uint8_t *row;        /* (width, 4), or with interlacing all rows */
    png_bytep *rows;     /* (height); NULL: not interlaced */
    char why[200];
} png_state;

static void png_end(raster *p)
{
    png_state *g = p->state;
    png_destroy_read_struct(&g->png, &g->info, NULL);
    p->sys->close(p->sys->ctx, g->fd);
    bg_free(p->sys, g->rows);
    bg_free(p->sys, g->row);
    bg_free(p->sys, g);
}

/* libpng's failures end here: the sentence is kept, and png_read below comes back. */
static void on_error(png_structp png, png_const_charp message)
{
    png_state *g = ((raster *)png_get_error_ptr(png))->state;
    snprintf(g->why, sizeof g->why, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_read(png_structp png, png_bytep to, png_size_t n)
{
    const raster *p = png_get_io_ptr(png);
    png_state *g = p->state;
    bg_error err;
    size_t got = 0;
    if (bg_pread_full(p->sys, p->path, g->fd, to, n, g->offset, &got, &err) != BG_OK || got < n)
        png_error(png, "the file ends too early");
    g->offset += n;
}

static bg_status refused(const raster *p, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "%s: a PNG file, but %s", p->path, ((const png_state *)p->state)->why);
}

/* Whatever it holds as eight bits of red, green, blue and opacity. */
static void ask_rgba(png_state *g)
{
    png_set_expand(g->png);
    png_set_scale_16(g->png);
    png_set_gray_to_rgb(g->png);
    png_set_add_alpha(g->png, 255, PNG_FILLER_AFTER);
}

static bg_status read_header(raster *p, bg_error *err)
{
    png_state *g = p->state;
    if (setjmp(png_jmpbuf(g->png)))
        return refused(p, err);
    png_set_user_limits(g->png, RASTER_SIDE, RASTER_SIDE);
    png_set_chunk_malloc_max(g->png, 8 << 20);
    png_read_info(g->png, g->info);
    ask_rgba(g);
    p->width = png_get_image_width(g->png, g->info);
    p->height = png_get_image_height(g->png, g->info);
    if (png_set_interlace_handling(g->png) > 1 && !(g->rows = bg_alloc(p->sys, p->height, sizeof *g->rows)))
        return bg_fail_memory(err, p->path, p->height * sizeof *g->rows);
    png_read_update_info(g->png, g->info);
    if (png_get_rowbytes(g->png, g->info) != 4 * (size_t)p->width)
        png_error(g->png, "its rows have an odd length");
    return BG_OK;
}

static bg_status read_whole(raster *p, bg_error *err)
{
    png_state *g = p->state;
    if (setjmp(png_jmpbuf(g->png)))
        return refused(p, err);
    png_read_image(g->png, g->rows);
    return BG_OK;
}

static bg_status png_next(raster *p, uint8_t *rgb, bg_error *err)
{
    png_state *g = p->state;
    const uint8_t *row = g->rows ? g->rows[p->at] : g->row;
    if (!g->rows) {
        if (setjmp(png_jmpbuf(g->png)))
            return refused(p, err);
        png_read_row(g->png, g->row, NULL);
    }
    for (uint32_t x = 0; x < p->width; x++)
        raster_blend(p, row + 4 * (size_t)x, rgb + 3 * (size_t)x);
    return BG_OK;
}

static bg_status reserve(raster *p, bg_error *err)
{
    png_state *g = p->state;
    const uint64_t pixels = (uint64_t)p->width * (g->rows ? p->height : 1);
    if (pixels > RASTER_WHOLE)
        return bg_fail(err, BG_ERR_FORMAT, "%s: an interlaced picture of %u by %u pixels, which would have to be held whole", p->path, (unsigned)p->width, (unsigned)p->height);
    if (!(g->row = bg_alloc(p->sys, (size_t)pixels, 4)))
        return bg_fail_memory(err, p->path, 4 * pixels);
    for (uint32_t y = 0; g->rows && y < p->height; y++)
        g->rows[y] = g->row + 4 * (size_t)p->width * y;
    return g->rows ? read_whole(p, err) : BG_OK;
}

bg_status raster_open_png(raster *p, bg_error *err)
{
    uint64_t size;
    png_state *g = bg_alloc_zero(p->sys, 1, sizeof *g);
    if (!g)
        return bg_fail_memory(err, p->path, sizeof *g);
    bg_status s = bg_open_read(p->sys, p->path, &g->fd, &size, err);
    if (s != BG_OK) {
        bg_free(p->sys, g);
        return s;
    }
    p->state = g;
    p->close = png_end;
    p->row = png_next;
    g->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, p, on_error, on_warning);
    g->info = g->png ? png_create_info_struct(g->png) : NULL;
    if (!g->info)
        return bg_fail_memory(err, p->path, size);
    png_set_read_fn(g->png, p, on_read);
    BG_TRY(read_header(p, err));
    return reserve(p, err);
}
