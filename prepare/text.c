/* Texts: whole files, or one file's parts, an item a file.  What is not valid in its character set is left out and listed:
 * a model would learn the damage. */
#include "prepare/prepare.h"

#include "base/file.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

/* A text is held whole, in up to four times its size while its characters are converted. */
#define TEXT_LIMIT ((uint64_t)1 << 30)

typedef struct piece { const char *p; size_t n; } piece;

typedef struct cutting {
    const prepare_text *t;
    const prepare_source *source;
    prepare_sink *sink;
    char *cell;           /* room for one cell with its quotes taken away */
    size_t column, label; /* from 1; 0: not found yet, or none */
    uint64_t written;
} cutting;

/* --- characters ------------------------------------------------------------------------------ */

/* Length of the valid UTF-8 sequence at p (RFC 3629), 0: none. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    const size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

/* Where the first bad byte is; n: nowhere. */
static size_t first_bad(const char *text, size_t n)
{
    size_t at = 0, length;
    while (at < n && (length = utf8_length((const uint8_t *)text + at, n - at)) > 0)
        at += length;
    return at;
}

static bg_status to_utf8(const prepare_text *t, const char *path, uint8_t **data, size_t *size, bg_error *err)
{
    const bg_sys *sys = bg_sys_default();
    iconv_t c = iconv_open("UTF-8", t->from);
    if (c == (iconv_t)-1)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s is no character set that iconv knows", t->from);
    char *in = (char *)*data, *text = bg_alloc(sys, 4, *size + 1), *out = text;
    size_t left = *size, room = 4 * *size;
    bg_status s = text ? BG_OK : bg_fail_memory(err, path, 4 * *size);
    if (s == BG_OK && iconv(c, &in, &left, &out, &room) == (size_t)-1)
        s = bg_fail(err, BG_ERR_FORMAT, "%s: offset %zu is no %s", path, *size - left, t->from);
    iconv_close(c);
    if (s != BG_OK) {
        bg_free(sys, text);
        return s;
    }
    bg_free(sys, *data);
    *data = (uint8_t *)text;
    *size = (size_t)(out - text);
    return BG_OK;
}

/* --- parts ----------------------------------------------------------------------------------- */

static bg_status put_part(cutting *c, const char *label, const char *p, size_t n, bg_error *err)
{
    if (n == 0)
        return BG_OK;
    c->written++;
    return prepare_put(c->sink, label, p, n, err);
}

/* The line at p, without its end; *next: the one behind it. */
static piece next_line(const char *p, const char *end, const char **next)
{
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    *next = stop ? stop + 1 : end;
    size_t n = (size_t)((stop ? stop : end) - p);
    if (n && p[n - 1] == '\r')
        n--;
    return (piece){ p, n };
}

static bg_status cut_lines(cutting *c, const char *p, const char *end, bg_error *err)
{
    for (const char *next; p < end; p = next) {
        const piece line = next_line(p, end, &next);
        BG_TRY(put_part(c, NULL, line.p, line.n, err));
    }
    return BG_OK;
}

static int is_separator(const prepare_text *t, piece line)
{
    size_t spaces = 0;
    if (t->split == PREPARE_SPLIT_TEXT)
        return line.n == strlen(t->separator) && memcmp(line.p, t->separator, line.n) == 0;
    while (spaces < line.n && (line.p[spaces] == ' ' || line.p[spaces] == '\t'))
        spaces++;
    return spaces == line.n;
}

/* Lines up to one that is the separator (blank: only spaces and tabs). */
static bg_status cut_parts(cutting *c, const char *p, const char *end, bg_error *err)
{
    const char *begin = p;
    for (const char *next; p < end; p = next) {
        if (!is_separator(c->t, next_line(p, end, &next)))
            continue;
        BG_TRY(put_part(c, NULL, begin, (size_t)(p - begin), err));
        begin = next;
    }
    return put_part(c, NULL, begin, (size_t)(end - begin), err);
}

/* --- columns --------------------------------------------------------------------------------- */

/* A cell of a comma-separated line (RFC 4180) or a tabbed one; its text goes to `to` (room for all of it).  Returns its end:
 * the separator, the line's end or `end`. */
static const char *take_cell(const cutting *c, const char *p, const char *end, char *to, size_t *n)
{
    const char separator = c->t->csv ? ',' : '\t';
    *n = 0;
    if (c->t->csv && p < end && *p == '"') {
        for (p++; p < end; p++) {
            if (*p == '"' && (p + 1 >= end || p[1] != '"'))
                break;
            p += *p == '"';
            to[(*n)++] = *p;
        }
        while (p < end && *p != separator && *p != '\n')
            p++;
        return p;
    }
    for (; p < end && *p != separator && *p != '\n'; p++)
        to[(*n)++] = *p;
    if (*n && p < end && *p == '\n' && to[*n - 1] == '\r')
        --*n;
    return p;
}

static size_t as_number(const char *text)
{
    char *end;
    const unsigned long n = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end ? (size_t)n : 0;
}

/* One line: its item and its label are found; or, while a column has no number yet, its names. */
static const char *take_line(cutting *c, const char *p, const char *end, piece *item, piece *label, int names)
{
    char *to = c->cell;
    for (size_t column = 1;; column++) {
        size_t n;
        p = take_cell(c, p, end, to, &n);
        if (names && n == strlen(c->t->column) && memcmp(to, c->t->column, n) == 0)
            c->column = column;
        if (names && c->t->label_column && n == strlen(c->t->label_column) && memcmp(to, c->t->label_column, n) == 0)
            c->label = column;
        if (column == c->column)
            *item = (piece){ to, n };
        if (column == c->label)
            *label = (piece){ to, n };
        to += n;
        *to++ = 0;
        if (p >= end || *p == '\n')
            return p < end ? p + 1 : end;
        p++;
    }
}

static bg_status cut_columns(cutting *c, const char *p, const char *end, bg_error *err)
{
    const prepare_text *t = c->t;
    piece item = { NULL, 0 }, label = { NULL, 0 };
    c->column = as_number(t->column);
    c->label = t->label_column ? as_number(t->label_column) : 0;
    if (p < end && (!c->column || (t->label_column && !c->label))) {
        p = take_line(c, p, end, &item, &label, 1);
        if (!c->column || (t->label_column && !c->label))
            return bg_fail(err, BG_ERR_FORMAT, "%s: no column is called %s", c->source->path, c->column ? t->label_column : t->column);
    }
    while (p < end) {
        item = label = (piece){ NULL, 0 };
        p = take_line(c, p, end, &item, &label, 0);
        if (item.p)
            BG_TRY(put_part(c, label.p, item.p, item.n, err));
    }
    return BG_OK;
}

/* --- a file ---------------------------------------------------------------------------------- */

static bg_status cut(cutting *c, const char *text, size_t n, bg_error *err)
{
    const bg_sys *sys = bg_sys_default();
    const size_t bad = first_bad(text, n);
    if (bad < n)
        return bg_fail(err, BG_ERR_FORMAT, "%s: offset %zu is no UTF-8", c->source->path, bad);
    if (c->t->split == PREPARE_SPLIT_NONE)
        BG_TRY(put_part(c, NULL, text, n, err));
    else if (c->t->split == PREPARE_SPLIT_LINE)
        BG_TRY(cut_lines(c, text, text + n, err));
    else if (c->t->split == PREPARE_SPLIT_COLUMN) {
        if (!(c->cell = bg_alloc(sys, 2, n + 2)))
            return bg_fail_memory(err, c->source->path, 2 * n);
        const bg_status s = cut_columns(c, text, text + n, err);
        bg_free(sys, c->cell);
        BG_TRY(s);
    } else
        BG_TRY(cut_parts(c, text, text + n, err));
    return c->written ? BG_OK : bg_fail(err, BG_ERR_FORMAT, "%s: holds no text", c->source->path);
}

static bg_status make_text(const void *settings, const prepare_source *s, prepare_sink *sink, bg_error *err)
{
    cutting c = { .t = settings, .source = s, .sink = sink };
    const bg_sys *sys = bg_sys_default();
    uint8_t *data;
    size_t size;
    BG_TRY(prepare_read(sys, s->path, TEXT_LIMIT, &data, &size, err));
    bg_status status = c.t->from && size ? to_utf8(c.t, s->path, &data, &size, err) : BG_OK;
    const size_t mark = prepare_mark(data, size);
    if (status == BG_OK)
        status = cut(&c, (const char *)data + mark, size - mark, err);
    bg_free(sys, data);
    return status;
}

prepare_tool prepare_text_tool(const prepare_text *t)
{
    return (prepare_tool){ .extension = t->extension, .many = t->split != PREPARE_SPLIT_NONE, .make = make_text, .settings = t };
}
