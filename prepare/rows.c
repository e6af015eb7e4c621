/* See rows.h: files, limits, and which reader takes a picture. */
#include "prepare/rows.h"

#include "base/file.h"

#include <pthread.h>
#include <string.h>

enum { BUFFER = 1 << 16 };

/* --- files ----------------------------------------------------------------------------------- */

bg_status rows_file_read(rows_file *f, uint64_t offset, void *to, size_t n, bg_error *err)
{
    size_t got = 0;
    if (offset <= f->size && n <= f->size - offset)
        BG_TRY(bg_pread_full(f->sys, f->path, f->fd, to, n, offset, &got, err));
    return got == n ? BG_OK : bg_fail(err, BG_ERR_FORMAT, "%s: it ends too early", f->path);
}

static bg_status fill(rows_file *f, bg_error *err)
{
    f->begin = f->at;
    f->fill = 0;
    return bg_pread_full(f->sys, f->path, f->fd, f->buffer, BUFFER, f->at, &f->fill, err);
}

bg_status rows_file_next(rows_file *f, void *to, size_t n, bg_error *err)
{
    for (uint8_t *p = to; n > 0;) {
        if (f->at < f->begin || f->at >= f->begin + f->fill)
            BG_TRY(fill(f, err));
        const size_t from = (size_t)(f->at - f->begin), there = f->fill - from, take = n < there ? n : there;
        if (take == 0)
            return bg_fail(err, BG_ERR_FORMAT, "%s: it ends too early", f->path);
        memcpy(p, f->buffer + from, take);
        p += take;
        n -= take;
        f->at += take;
    }
    return BG_OK;
}

bg_status rows_file_byte(rows_file *f, int *byte, bg_error *err)
{
    if (f->at < f->begin || f->at >= f->begin + f->fill)
        BG_TRY(fill(f, err));
    *byte = f->fill ? f->buffer[f->at++ - f->begin] : -1;
    return BG_OK;
}

/* --- what the readers share ------------------------------------------------------------------------ */

/* However many threads read, memory holds one large picture. */
static pthread_mutex_t large = PTHREAD_MUTEX_INITIALIZER;

bg_status rows_size(picture_rows *p, uint64_t width, uint64_t height, int whole, bg_error *err)
{
    const uint64_t most = whole ? ROWS_MOST_WHOLE : ROWS_MOST_POINTS;
    if (width == 0 || height == 0)
        return bg_fail(err, BG_ERR_FORMAT, "%s: a picture of %llu by %llu points", p->file.path, (unsigned long long)width, (unsigned long long)height);
    if (width > ROWS_MOST_SIDE || height > ROWS_MOST_SIDE || height > most / width)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %llu by %llu points are too many: the limit is %llu million%s", p->file.path, (unsigned long long)width,
                       (unsigned long long)height, (unsigned long long)most >> 20, whole ? " of one that cannot be read row by row" : ", and a million in a row or column");
    p->width = (uint32_t)width;
    p->height = (uint32_t)height;
    p->alone = whole && width * height > ROWS_LARGE;
    if (p->alone)
        pthread_mutex_lock(&large);
    return BG_OK;
}

void rows_flatten(uint8_t *rgb, const uint8_t *rgba, size_t n, uint32_t background)
{
    for (; n > 0; n--, rgb += 3, rgba += 4) {
        rgb[0] = rows_over(rgba[0], rgba[3], background >> 16);
        rgb[1] = rows_over(rgba[1], rgba[3], background >> 8);
        rgb[2] = rows_over(rgba[2], rgba[3], background);
    }
}

/* --- opening --------------------------------------------------------------------------------- */

static bg_status open_reader(picture_rows *p, bg_error *err)
{
    rows_file *f = &p->file;
    uint8_t head[8] = { 0 };
    size_t got;
    BG_TRY(bg_pread_full(f->sys, f->path, f->fd, head, sizeof head, 0, &got, err));
    if (got == 0)
        return bg_fail(err, BG_ERR_FORMAT, "%s: holds nothing", f->path);
    if (!(f->buffer = bg_alloc(f->sys, BUFFER, 1)))
        return bg_fail_memory(err, f->path, BUFFER);
    if (memcmp(head, "BM", 2) == 0)
        return rows_bmp_open(p, err);
    if (head[0] == 'P' && head[1] >= '1' && head[1] <= '6')
        return rows_pnm_open(p, err);
    if (memcmp(head, "\x89PNG\r\n\x1a\n", 8) == 0)
        return rows_png_open(p, err);
    return rows_vips_open(p, err);
}

bg_status rows_open(picture_rows *p, const bg_sys *sys, const char *path, uint32_t background, bg_error *err)
{
    *p = (picture_rows){ .file = { .sys = sys, .path = path }, .background = background };
    BG_TRY(bg_open_read(sys, path, &p->file.fd, &p->file.size, err));
    const bg_status s = open_reader(p, err);
    if (s != BG_OK)
        rows_close(p);
    return s;
}

bg_status rows_read(picture_rows *p, uint8_t *rgb, bg_error *err)
{
    BG_TRY(p->read(p, rgb, err));
    p->next++;
    return BG_OK;
}

void rows_close(picture_rows *p)
{
    if (p->close)
        p->close(p);
    if (p->alone)
        pthread_mutex_unlock(&large);
    bg_free(p->file.sys, p->file.buffer);
    p->file.sys->close(p->file.sys->ctx, p->file.fd);
}
