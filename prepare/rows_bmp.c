/* BMP files by rows: each is read where it lies, the usual ones from the end of the file on. */
#include "prepare/bmp.h"
#include "prepare/rows.h"

typedef struct bmp_state {
    bmp_layout layout;
    uint8_t row[]; /* (layout.row) */
} bmp_state;

static bg_status read_row(picture_rows *p, uint8_t *rgb, bg_error *err)
{
    bmp_state *b = p->state;
    BG_TRY(rows_file_read(&p->file, bmp_row_at(&b->layout, p->next), b->row, (size_t)b->layout.row, err));
    bmp_row(&b->layout, rgb, b->row, p->background);
    return BG_OK;
}

static void close_bmp(picture_rows *p) { bg_free(p->file.sys, p->state); }

bg_status rows_bmp_open(picture_rows *p, bg_error *err)
{
    rows_file *f = &p->file;
    const size_t length = f->size < BMP_HEAD_MOST ? (size_t)f->size : BMP_HEAD_MOST;
    bmp_layout layout;
    uint8_t head[BMP_HEAD_MOST];
    BG_TRY(rows_file_read(f, 0, head, length, err));
    const char *why = bmp_layout_read(&layout, head, length, f->size, ROWS_MOST_SIDE);
    if (why)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s", f->path, why);
    BG_TRY(rows_size(p, layout.width, layout.height, 0, err));
    bmp_state *b = bg_alloc(f->sys, 1, sizeof *b + (size_t)layout.row);
    if (!b)
        return bg_fail_memory(err, f->path, layout.row);
    b->layout = layout;
    p->state = b;
    p->read = read_row;
    p->close = close_bmp;
    return BG_OK;
}
