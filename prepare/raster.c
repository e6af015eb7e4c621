/* Which reader; and the two kinds that need no library. */
#include "prepare/raster.h"

#include "base/file.h"
#include "prepare/bmp.h"

#include <stdio.h>
#include <string.h>

bg_status raster_open(raster *p, const char *path, const uint8_t background[3], const bg_sys *sys, bg_error *err)
{
    uint8_t head[8] = { 0 };
    uint64_t size;
    size_t got;
    int fd;
    *p = (raster){ .path = path, .sys = sys };
    memcpy(p->background, background, 3);
    BG_TRY(bg_open_read(sys, path, &fd, &size, err));
    bg_status s = bg_pread_full(sys, path, fd, head, sizeof head, 0, &got, err);
    sys->close(sys->ctx, fd);
    if (s != BG_OK)
        return s;
    if (head[0] == 'B' && head[1] == 'M')
        s = raster_open_bmp(p, err);
    else if (head[0] == 'P' && head[1] >= '1' && head[1] <= '6')
        s = raster_open_pnm(p, err);
    else if (memcmp(head, "\x89PNG\r\n\x1a\n", 8) == 0)
        s = raster_open_png(p, err);
    else
        s = raster_open_other(p, err);
    if (s == BG_OK && (p->width == 0 || p->height == 0 || p->width > RASTER_SIDE || p->height > RASTER_SIDE))
        s = bg_fail(err, BG_ERR_FORMAT, "%s: a picture of %u by %u pixels", path, (unsigned)p->width, (unsigned)p->height);
    if (s != BG_OK)
        raster_close(p);
    return s;
}

bg_status raster_row(raster *p, uint8_t *rgb, bg_error *err)
{
    const bg_status s = p->row(p, rgb, err);
    p->at++;
    return s;
}

void raster_close(raster *p)
{
    if (p->state && p->close)
        p->close(p);
    p->state = NULL;
}

static bg_status cut_short(const raster *p, bg_error *err) { return bg_fail(err, BG_ERR_FORMAT, "%s: it ends in row %u", p->path, (unsigned)p->at + 1); }

/* --- BMP --------------------------------------------------------------------- */

typedef struct bmp_state {
    bmp header;
    int fd;
    uint8_t *row;
} bmp_state;

static void bmp_close(raster *p)
{
    bmp_state *b = p->state;
    p->sys->close(p->sys->ctx, b->fd);
    bg_free(p->sys, b->row);
    bg_free(p->sys, b);
}

static bg_status bmp_next(raster *p, uint8_t *rgb, bg_error *err)
{
    const bmp_state *b = p->state;
    size_t got;
    BG_TRY(bg_pread_full(p->sys, p->path, b->fd, b->row, b->header.row, bmp_row_at(&b->header, p->at), &got, err));
    if (got < b->header.row)
        return cut_short(p, err);
    bmp_row(&b->header, b->row, rgb);
    return BG_OK;
}

bg_status raster_open_bmp(raster *p, bg_error *err)
{
    uint8_t head[BMP_HEAD];
    uint64_t size;
    size_t got;
    bmp_state *b = bg_alloc_zero(p->sys, 1, sizeof *b);
    if (!b)
        return bg_fail_memory(err, p->path, sizeof *b);
    bg_status s = bg_open_read(p->sys, p->path, &b->fd, &size, err);
    if (s != BG_OK) {
        bg_free(p->sys, b);
        return s;
    }
    p->state = b;
    p->close = bmp_close;
    p->row = bmp_next;
    BG_TRY(bg_pread_full(p->sys, p->path, b->fd, head, sizeof head, 0, &got, err));
    const char *why = bmp_read(&b->header, head, got, size, RASTER_SIDE);
    if (why)
        return bg_fail(err, BG_ERR_FORMAT, "%s: a BMP file, but %s", p->path, why);
    p->width = b->header.width;
    p->height = b->header.height;
    b->row = bg_alloc(p->sys, b->header.row, 1);
    return b->row ? BG_OK : bg_fail_memory(err, p->path, b->header.row);
}

/* --- PNM (netpbm.sourceforge.net/doc/pnm.html) ---------------------------------- */

typedef struct pnm_state {
    int fd, kind;           /* 1 to 6 */
    uint32_t most;          /* value of white */
    uint8_t block[65536];
    size_t have, next;      /* of the block */
    uint64_t offset;        /* of what comes behind the block */
} pnm_state;

static void pnm_close(raster *p)
{
    pnm_state *n = p->state;
    p->sys->close(p->sys->ctx, n->fd);
    bg_free(p->sys, n);
}

/* -1: the end, or a failure in err. */
static int pnm_byte(raster *p, bg_error *err)
{
    pnm_state *n = p->state;
    if (n->next == n->have) {
        n->next = n->have = 0;
        if (bg_pread_full(p->sys, p->path, n->fd, n->block, sizeof n->block, n->offset, &n->have, err) != BG_OK || n->have == 0)
            return -1;
        n->offset += n->have;
    }
    return n->block[n->next++];
}

static int blank(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* A decimal number behind blanks and comments; one blank behind it is taken too.  single: one digit is a number (P1). */
static bg_status pnm_number(raster *p, uint32_t most, int single, uint32_t *x, bg_error *err)
{
    int c = pnm_byte(p, err);
    for (; blank(c) || c == '#'; c = pnm_byte(p, err))
        while (c == '#' && (c = pnm_byte(p, err)) >= 0 && c != '\n')
            c = '#';
    if (c < '0' || c > '9')
        return err->code != BG_OK ? err->code : bg_fail(err, BG_ERR_FORMAT, "%s: a number is missing", p->path);
    for (*x = 0; c >= '0' && c <= '9'; c = pnm_byte(p, err)) {
        *x = *x * 10 + (uint32_t)(c - '0');
        if (*x > most)
            return bg_fail(err, BG_ERR_FORMAT, "%s: a number above %u", p->path, (unsigned)most);
        if (single)
            return BG_OK;
    }
    return BG_OK;
}

static bg_status pnm_sample(raster *p, uint32_t *x, bg_error *err)
{
    const pnm_state *n = p->state;
    if (n->kind <= 3)
        return pnm_number(p, n->most, n->kind == 1, x, err);
    const int high = n->most > 255 ? pnm_byte(p, err) : 0, low = pnm_byte(p, err);
    if (high < 0 || low < 0)
        return err->code != BG_OK ? err->code : cut_short(p, err);
    *x = (uint32_t)high << 8 | (uint32_t)low;
    return BG_OK;
}

static bg_status pnm_bits(raster *p, uint8_t *rgb, bg_error *err)
{
    int byte = 0;
    for (uint32_t x = 0; x < p->width; x++, rgb += 3) {
        if (x % 8 == 0 && (byte = pnm_byte(p, err)) < 0)
            return err->code != BG_OK ? err->code : cut_short(p, err);
        memset(rgb, byte >> (7 - x % 8) & 1 ? 0 : 255, 3);
    }
    return BG_OK;
}

static bg_status pnm_next(raster *p, uint8_t *rgb, bg_error *err)
{
    const pnm_state *n = p->state;
    const int colours = n->kind == 3 || n->kind == 6 ? 3 : 1;
    uint32_t v = 0;
    err->code = BG_OK;
    if (n->kind == 4)
        return pnm_bits(p, rgb, err);
    for (uint32_t x = 0; x < p->width; x++)
        for (int i = 0; i < 3; i++, rgb++) {
            if (i < colours)
                BG_TRY(pnm_sample(p, &v, err));
            const uint32_t inside = v < n->most ? v : n->most;
            *rgb = (uint8_t)(((n->kind == 1 ? 1 - inside : inside) * 255 + n->most / 2) / n->most);
        }
    return BG_OK;
}

bg_status raster_open_pnm(raster *p, bg_error *err)
{
    uint64_t size;
    pnm_state *n = bg_alloc_zero(p->sys, 1, sizeof *n);
    if (!n)
        return bg_fail_memory(err, p->path, sizeof *n);
    bg_status s = bg_open_read(p->sys, p->path, &n->fd, &size, err);
    if (s != BG_OK) {
        bg_free(p->sys, n);
        return s;
    }
    p->state = n;
    p->close = pnm_close;
    p->row = pnm_next;
    err->code = BG_OK;
    pnm_byte(p, err);
    n->kind = pnm_byte(p, err) - '0';
    n->most = 1;
    BG_TRY(pnm_number(p, RASTER_SIDE, 0, &p->width, err));
    BG_TRY(pnm_number(p, RASTER_SIDE, 0, &p->height, err));
    if (n->kind != 1 && n->kind != 4)
        BG_TRY(pnm_number(p, 65535, 0, &n->most, err));
    return n->most > 0 ? BG_OK : bg_fail(err, BG_ERR_FORMAT, "%s: white is 0", p->path);
}
