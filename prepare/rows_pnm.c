/* PNM files (PBM, PGM, PPM) by rows: P1 to P3 in figures, P4 to P6 in bytes, samples of up to 16 bits.  Of a file with several
 * pictures the first is taken. */
#include "prepare/rows.h"

#include <string.h>

typedef struct pnm_state {
    int kind;          /* 1 to 6 */
    uint32_t most;     /* the sample that is white */
    uint32_t channels;
    size_t row_size;   /* of P4 to P6 */
    uint8_t row[];     /* (row_size) */
} pnm_state;

static bg_status bad(const picture_rows *p, const char *what, bg_error *err) { return bg_fail(err, BG_ERR_FORMAT, "%s: %s", p->file.path, what); }

static int is_blank(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The first byte that is neither blank nor part of a comment ("#" to the end of the line). */
static bg_status skip_blanks(picture_rows *p, int *c, bg_error *err)
{
    int comment = 0;
    do {
        BG_TRY(rows_file_byte(&p->file, c, err));
        comment = *c == '#' || (comment && *c != '\n' && *c != '\r' && *c >= 0);
    } while (comment || is_blank(*c));
    return BG_OK;
}

/* A number of at most `most`, and the one byte behind it. */
static bg_status read_number(picture_rows *p, uint32_t most, uint32_t *number, bg_error *err)
{
    int c, comment = 0;
    BG_TRY(skip_blanks(p, &c, err));
    if (c < 0)
        return bad(p, "it ends too early", err);
    if (c < '0' || c > '9')
        return bad(p, "something else stands where a number should be", err);
    for (*number = 0; c >= '0' && c <= '9';) {
        *number = *number * 10 + (uint32_t)(c - '0');
        if (*number > most)
            return bg_fail(err, BG_ERR_FORMAT, "%s: a number is larger than %u", p->file.path, (unsigned)most);
        BG_TRY(rows_file_byte(&p->file, &c, err));
    }
    if (c >= 0 && !is_blank(c) && c != '#')
        return bad(p, "something else stands where a number should end", err);
    while (c == '#' || (comment && c >= 0 && c != '\n' && c != '\r')) { /* the line's end is the one byte behind the number */
        comment = 1;
        BG_TRY(rows_file_byte(&p->file, &c, err));
    }
    return BG_OK;
}

/* --- rows ------------------------------------------------------------------------------------ */

/* P1's points may stand without blanks between them. */
static bg_status read_bit(picture_rows *p, uint32_t *bit, bg_error *err)
{
    int c;
    BG_TRY(skip_blanks(p, &c, err));
    if (c != '0' && c != '1')
        return bad(p, c < 0 ? "it ends too early" : "a point is neither 0 nor 1", err);
    *bit = c == '0'; /* 1 is black */
    return BG_OK;
}

/* Sample i of a row. */
static bg_status sample(picture_rows *p, size_t i, uint32_t *value, bg_error *err)
{
    const pnm_state *s = p->state;
    if (s->kind == 1)
        return read_bit(p, value, err);
    if (s->kind < 4)
        return read_number(p, s->most, value, err);
    if (s->kind == 4)
        *value = !(s->row[i / 8] >> (7 - i % 8) & 1);
    else
        *value = s->most < 256 ? s->row[i] : (uint32_t)s->row[2 * i] << 8 | s->row[2 * i + 1];
    return *value <= s->most ? BG_OK : bad(p, "a sample is above the maximum", err);
}

static bg_status read_row(picture_rows *p, uint8_t *rgb, bg_error *err)
{
    pnm_state *s = p->state;
    const size_t n = (size_t)p->width * s->channels;
    if (s->row_size)
        BG_TRY(rows_file_next(&p->file, s->row, s->row_size, err));
    for (size_t i = 0; i < n; i++) {
        uint32_t value;
        BG_TRY(sample(p, i, &value, err));
        const uint8_t byte = (uint8_t)((value * 255 + s->most / 2) / s->most);
        if (s->channels == 3)
            rgb[i] = byte;
        else
            memset(rgb + 3 * i, byte, 3);
    }
    return BG_OK;
}

static void close_pnm(picture_rows *p) { bg_free(p->file.sys, p->state); }

bg_status rows_pnm_open(picture_rows *p, bg_error *err)
{
    rows_file *f = &p->file;
    pnm_state s = { .most = 1 };
    uint32_t width, height;
    uint8_t magic[2];
    BG_TRY(rows_file_next(f, magic, sizeof magic, err));
    s.kind = magic[1] - '0';
    s.channels = s.kind % 3 == 0 ? 3 : 1;
    BG_TRY(read_number(p, INT32_MAX / 16, &width, err));
    BG_TRY(read_number(p, INT32_MAX / 16, &height, err));
    if (s.kind % 3 != 1)
        BG_TRY(read_number(p, 65535, &s.most, err));
    if (s.most == 0)
        return bad(p, "its maximum is 0", err);
    BG_TRY(rows_size(p, width, height, 0, err));
    const uint64_t samples = (uint64_t)width * s.channels;
    if (s.kind >= 4)
        s.row_size = s.kind == 4 ? (width + 7) / 8 : (size_t)samples * (s.most < 256 ? 1 : 2);
    /* a sample in figures takes a byte at least */
    if (f->size < f->at || (f->size - f->at) / (s.row_size ? s.row_size : samples) < height)
        return bad(p, "it has fewer points than its header says", err);
    pnm_state *state = bg_alloc(f->sys, 1, sizeof *state + s.row_size);
    if (!state)
        return bg_fail_memory(err, f->path, s.row_size);
    *state = s;
    p->state = state;
    p->read = read_row;
    p->close = close_pnm;
    return BG_OK;
}
