/* A tune's lines and fields; see abc.h. */
#include "prepare/abc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_FIELD = 200 };

static const char *line_end(const char *p, const char *end)
{
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    return stop ? stop : end;
}

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static int all_blank(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p >= end;
}

int abc_next(const char **at, const char *end, const char **begin, const char **stop)
{
    const char *p = *at;
    while (p < end && !(end - p > 1 && p[0] == 'X' && p[1] == ':'))
        p = line_end(p, end) + 1;
    if (p >= end)
        return 0;
    *begin = p;
    do
        p = line_end(p, end) + 1;
    while (p < end && !all_blank(p, line_end(p, end)) && !(end - p > 1 && p[0] == 'X' && p[1] == ':'));
    *at = *stop = p < end ? p : end;
    return 1;
}

/* --- fields ---------------------------------------------------------------------------------- */

/* Into `to`: blanks made one, words that hold a quotation mark left out with what is quoted.  LONGEST_FIELD: it has no room. */
static size_t tidy(const char *p, size_t n, char to[LONGEST_FIELD])
{
    const char *end = p + n;
    size_t length = 0;
    while (p < end) {
        while (p < end && is_blank(*p))
            p++;
        const char *word = p;
        int quoted = 0, open = 0;
        for (; p < end && (open || !is_blank(*p)); p++)
            if (*p == '"')
                open = !open, quoted = 1;
        const size_t size = (size_t)(p - word);
        if (quoted || size == 0)
            continue;
        if (length + size + 1 >= LONGEST_FIELD) {
            to[0] = 0;
            return LONGEST_FIELD;
        }
        if (length)
            to[length++] = ' ';
        memcpy(to + length, word, size);
        length += size;
    }
    to[length] = 0;
    return length;
}

static int fraction(const char *text, unsigned *n, unsigned *d)
{
    char *stop;
    const unsigned long top = strtoul(text, &stop, 10), bottom = *stop == '/' ? strtoul(stop + 1, &stop, 10) : 1;
    if (strspn(text, "0123456789/") != strlen(text) || *stop || top < 1 || top > 1000 || bottom < 1 || bottom > 1000)
        return 0;
    *n = (unsigned)top;
    *d = (unsigned)bottom;
    return 1;
}

/* L: n/d, of the source: from here on lengths are that many units. */
static void set_unit(abc_writer *w, unsigned n, unsigned d)
{
    w->source_n = n;
    w->source_d = d;
    w->length_n = w->unit ? n * w->unit : 1;
    w->length_d = w->unit ? d : 1;
}

static void put_field(abc_writer *w, char letter, const char *value, size_t n, int in_line)
{
    char text[LONGEST_FIELD + 8];
    const int length = snprintf(text, sizeof text, in_line ? "[%c:%.*s]" : "%c:%.*s", letter, (int)n, value);
    if (letter == 'V' || !in_line)
        abc_end_line(w);
    abc_emit(w, text, (size_t)length);
    if (!in_line)
        abc_end_line(w);
}

static bg_status too_long(const abc_writer *w, char letter, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "line %zu: the field %c: is longer than %d characters", w->line, letter, LONGEST_FIELD - 1);
}

/* "Q:120" and "Q:C2=120" count lengths of L, which may be another now: to "1/4=120".  Others stay.  0: no tempo. */
static int plain_tempo(const abc_writer *w, char text[LONGEST_FIELD])
{
    unsigned n = 1, d = 1, beat;
    const char *figure = text;
    const int units = *text == 'C' && (text[1] == '=' || (text[1] >= '0' && text[1] <= '9'));
    if (units) {
        const size_t length = strcspn(text, "=");
        char factor[LONGEST_FIELD];
        snprintf(factor, sizeof factor, "%.*s", (int)length - 1, text + 1);
        if (text[length] != '=' || (factor[0] && !fraction(factor, &n, &d)))
            return 0;
        figure = text + length + 1;
    }
    const size_t figures = strspn(figure, "0123456789");
    if (figure[figures] != 0 || (figures == 0 && !units))
        return 1;
    if (figures == 0 || figures > 5 || sscanf(figure, "%u", &beat) != 1 || beat == 0)
        return 0;
    snprintf(text, LONGEST_FIELD, "%u/%u=%u", n * w->source_n, d * w->source_d, beat);
    return 1;
}

/* Another L: in the middle of a tune is its voice's alone, and the writer knows but one. */
static bg_status note_voice(abc_writer *w, char letter, const char *text, bg_error *err)
{
    char voice[sizeof w->voice];
    snprintf(voice, sizeof voice, "%.*s", (int)strcspn(text, " "), text);
    if (letter == 'V') {
        w->voices |= w->voice[0] && strcmp(voice, w->voice) != 0;
        memcpy(w->voice, voice, sizeof voice);
    }
    w->unit_changes |= letter == 'L';
    if (w->unit && w->voices && w->unit_changes)
        return bg_fail(err, BG_ERR_FORMAT, "line %zu: L: changes in a tune of several voices", w->line);
    return BG_OK;
}

bg_status abc_field(abc_writer *w, char letter, const char *value, size_t n, int in_line, bg_error *err)
{
    char text[LONGEST_FIELD];
    unsigned top, bottom;
    if (letter == 'm')
        return bg_fail(err, BG_ERR_FORMAT, "line %zu: a macro (m:), which is not expanded here", w->line);
    if (!strchr("KLMPQV", letter))
        return BG_OK;
    size_t length = n >= LONGEST_FIELD ? LONGEST_FIELD : tidy(value, n, text);
    if (length >= LONGEST_FIELD)
        return too_long(w, letter, err);
    if (text[0] == '|' || text[0] == ':' || memchr(text, ']', length))
        return bg_fail(err, BG_ERR_FORMAT, "line %zu: the field %c: holds music", w->line, letter);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 127 || text[i] < ' ')
            return bg_fail(err, BG_ERR_FORMAT, "line %zu: the field %c: holds a character that is not ASCII", w->line, letter);
    if (letter == 'Q') {
        if (!plain_tempo(w, text))
            return bg_fail(err, BG_ERR_FORMAT, "line %zu: Q:%s is no tempo", w->line, text);
        length = strlen(text);
    }
    if (letter == 'L' || letter == 'V')
        BG_TRY(note_voice(w, letter, text, err));
    if (letter == 'L') {
        if (!fraction(text, &top, &bottom))
            return bg_fail(err, BG_ERR_FORMAT, "line %zu: L:%s is no length", w->line, text);
        set_unit(w, top, bottom);
        if (w->unit)
            return BG_OK;
    }
    if (length || letter == 'K')
        put_field(w, letter, text, length, in_line);
    return BG_OK;
}

/* --- the header ------------------------------------------------------------------------------ */

typedef struct header {
    char l[LONGEST_FIELD], q[LONGEST_FIELD], m[LONGEST_FIELD], p[LONGEST_FIELD], k[LONGEST_FIELD];
    int has_key;
} header;

/* Tidied; without the comment behind it.  LONGEST_FIELD: it has no room. */
static size_t value_of(const char *p, const char *end, char to[LONGEST_FIELD])
{
    const char *comment = memchr(p, '%', (size_t)(end - p));
    return tidy(p, (size_t)((comment ? comment : end) - p), to);
}

/* "6/8", "2+3/8", "(2+3+2)/8"; "C" and "C|" are none. */
static int meter_value(const char *text, unsigned long *top, unsigned long *bottom)
{
    const int bracket = *text == '(';
    char *at = (char *)(uintptr_t)(text + bracket);
    *top = 0;
    do {
        if (*at < '0' || *at > '9')
            return 0;
        *top += strtoul(at, &at, 10);
    } while (*at++ == '+');
    at--;
    if (bracket && *at++ != ')')
        return 0;
    if (*at++ != '/' || *at < '0' || *at > '9')
        return 0;
    *bottom = strtoul(at, &at, 10);
    return *at == 0 && *top < 10000 && *bottom < 10000;
}

/* Of meters below 3/4 the unit is a sixteenth where L: does not say it. */
static void default_unit(const char *meter, unsigned *n, unsigned *d)
{
    unsigned long top, bottom;
    *n = 1;
    *d = meter_value(meter, &top, &bottom) && 4 * top < 3 * bottom ? 16 : 8;
}

static bg_status put_header(abc_writer *w, const header *h, bg_error *err)
{
    char text[64];
    unsigned n, d;
    default_unit(h->m, &n, &d);
    if (h->l[0] && !fraction(h->l, &n, &d))
        return bg_fail(err, BG_ERR_FORMAT, "line %zu: L:%s is no length", w->line, h->l);
    set_unit(w, n, d);
    snprintf(text, sizeof text, "X:1\nL:%u/%u\n", w->unit ? 1 : n, w->unit ? w->unit : d);
    prepare_add(&w->t->text, text, strlen(text));
    BG_TRY(abc_field(w, 'Q', h->q, strlen(h->q), 0, err));
    BG_TRY(abc_field(w, 'M', h->m, strlen(h->m), 0, err));
    BG_TRY(abc_field(w, 'P', h->p, strlen(h->p), 0, err));
    return BG_OK;
}

static char *header_place(header *h, char letter)
{
    switch (letter) {
    case 'L': return h->l;
    case 'Q': return h->q;
    case 'M': return h->m;
    case 'P': return h->p;
    case 'K': return h->k;
    default: return NULL;
    }
}

/* A field line: a letter and a colon; a note and a bar line ("G:|") are music. */
static int is_field(const char *p, const char *end)
{
    const int letter = end - p > 1 && p[1] == ':' && ((p[0] >= 'A' && p[0] <= 'Z') || (p[0] >= 'a' && p[0] <= 'z'));
    return letter && !(end - p > 2 && (p[2] == '|' || p[2] == ':') && strchr("ABCDEFGabcdefgzxZX", p[0]));
}

/* Through K:; the V: lines in front of it follow L:, Q:, M: and P:.  Moves *at behind K:'s line. */
static bg_status read_header(abc_writer *w, const char **at, const char *end, bg_error *err)
{
    header h = { .has_key = 0 };
    const char *p = *at, *begin = p;
    for (; p < end && !h.has_key; p = line_end(p, end) + 1, w->line++) {
        const char *stop = line_end(p, end);
        if (!is_field(p, stop))
            continue;
        if (*p == 'm')
            return abc_field(w, 'm', "", 0, 0, err);
        char *place = header_place(&h, *p);
        if (place && value_of(p + 2, stop, place) >= LONGEST_FIELD)
            return too_long(w, *p, err);
        h.has_key = *p == 'K';
    }
    *at = p < end ? p : end;
    if (!h.has_key)
        return bg_fail(err, BG_ERR_FORMAT, "line %zu: there is no K: field", w->line);
    BG_TRY(put_header(w, &h, err));
    for (const char *v = begin; v < *at; v = line_end(v, end) + 1) {
        char text[LONGEST_FIELD];
        if (*v == 'V' && is_field(v, line_end(v, end)))
            BG_TRY(abc_field(w, 'V', text, value_of(v + 2, line_end(v, end), text), 0, err));
    }
    return abc_field(w, 'K', h.k, strlen(h.k), 0, err);
}

/* --- the body -------------------------------------------------------------------------------- */

/* Up to a comment; a '%' inside a quotation is none. */
static const char *without_comment(const char *p, const char *end)
{
    int quoted = 0;
    for (; p < end && (quoted || *p != '%'); p++)
        quoted ^= *p == '"';
    return p;
}

static int starts(const char *p, const char *end, const char *with)
{
    const size_t n = strlen(with);
    return (size_t)(end - p) >= n && memcmp(p, with, n) == 0;
}

static bg_status read_body(abc_writer *w, const char *p, const char *end, bg_error *err)
{
    int prose = 0; /* between %%begintext and %%endtext */
    for (; p < end; p = line_end(p, end) + 1, w->line++) {
        const char *stop = line_end(p, end);
        prose = starts(p, stop, "%%begin") || (prose && !starts(p, stop, "%%end"));
        if (prose || *p == '%')
            continue;
        if (is_field(p, stop)) {
            char text[LONGEST_FIELD];
            BG_TRY(abc_field(w, *p, text, value_of(p + 2, stop, text), 0, err));
        } else if (!starts(p, stop, "+:")) {
            BG_TRY(abc_music_line(w, p, without_comment(p, stop), err));
        }
    }
    abc_end_line(w);
    return BG_OK;
}

bg_status abc_normalize(const char *text, size_t size, unsigned unit, abc_tune *t, const bg_sys *sys, bg_error *err)
{
    abc_writer w = { .t = t, .line = 1, .unit = unit, .empty = 1 };
    const char *p = text, *end = text + size;
    *t = (abc_tune){ .text = { .sys = sys } };
    if (memchr(text, 0, size))
        return bg_fail(err, BG_ERR_FORMAT, "line 1: the tune holds a byte of zero");
    BG_TRY(read_header(&w, &p, end, err));
    BG_TRY(read_body(&w, p, end, err));
    return t->text.failed ? bg_fail_memory(err, "a tune", size) : BG_OK;
}

void abc_tune_free(abc_tune *t)
{
    bg_free(t->text.sys, t->notes);
    prepare_buffer_free(&t->text);
    t->notes = NULL;
    t->note_count = t->note_capacity = 0;
}
