/* Lines of music; see abc.h. */
#include "prepare/abc.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 10000 };

void abc_end_line(abc_writer *w)
{
    if (!w->empty)
        prepare_add(&w->t->text, "\n", 1);
    w->empty = 1;
    w->space = w->newline = w->after_bar = w->bars = 0;
}

void abc_emit(abc_writer *w, const char *text, size_t n)
{
    if (w->newline)
        abc_end_line(w);
    if (w->space && !w->empty && !w->after_bar)
        prepare_add(&w->t->text, " ", 1);
    prepare_add(&w->t->text, text, n);
    w->space = w->empty = w->after_bar = w->after_tuplet = w->lone_mark = 0;
}

static bg_status unexpected(const abc_writer *w, const char *p, bg_error *err)
{
    if (*p > ' ' && *p < 127)
        return bg_fail(err, BG_ERR_FORMAT, "line %zu: '%c' is not expected there", w->line, *p);
    return bg_fail(err, BG_ERR_FORMAT, "line %zu: a character that is no music (code %u)", w->line, (unsigned)(unsigned char)*p);
}

static bg_status unfinished(const abc_writer *w, char open, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "line %zu: what begins with '%c' does not end on its line", w->line, open);
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }
static int is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static int is_note(char c) { return (c >= 'A' && c <= 'G') || (c >= 'a' && c <= 'g'); }

/* --- notes ----------------------------------------------------------------------------------- */

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        const uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static unsigned read_number(const char **p, const char *end, unsigned otherwise)
{
    unsigned n = 0;
    if (*p >= end || !is_digit(**p))
        return otherwise;
    for (; *p < end && is_digit(**p); ++*p)
        n = n < 100000 ? n * 10 + (unsigned)(**p - '0') : n;
    return n;
}

/* "3/2", "/", "//", "/4", nothing: in the result's unit if scaled, in lowest terms. */
static bg_status read_length(const abc_writer *w, int scaled, const char **p, const char *end, unsigned *n, unsigned *d, bg_error *err)
{
    const unsigned by_n = scaled ? w->length_n : 1, by_d = scaled ? w->length_d : 1;
    *n = read_number(p, end, 1);
    *d = 1;
    while (*p < end && **p == '/') {
        ++*p;
        const unsigned by = read_number(p, end, 2);
        *d = *d < 10000 && by < 10000 ? *d * by : 0;
    }
    const int known = *n > 0 && *n <= LONGEST && *d > 0 && *d <= LONGEST;
    const uint64_t top = (uint64_t)*n * by_n, bottom = (uint64_t)*d * by_d, common = common_divisor(top, bottom);
    if (!known || top / common > LONGEST || bottom / common > LONGEST)
        return bg_fail(err, BG_ERR_FORMAT, "line %zu: a length that is none", w->line);
    *n = (unsigned)(top / common);
    *d = (unsigned)(bottom / common);
    return BG_OK;
}

static size_t print_length(char *to, size_t room, unsigned n, unsigned d)
{
    char top[16] = "";
    if (n != 1)
        snprintf(top, sizeof top, "%u", n);
    const int length = d == 1 ? snprintf(to, room, "%s", top) : d == 2 ? snprintf(to, room, "%s/", top) : snprintf(to, room, "%s/%u", top, d);
    return (size_t)length;
}

static bg_status add_note(abc_writer *w, int step, unsigned n, unsigned d, bg_error *err)
{
    abc_tune *t = w->t;
    void *notes = t->notes;
    const bg_status s = bg_grow(t->text.sys, &notes, &t->note_capacity, t->note_count + 1, sizeof *t->notes, err);
    t->notes = notes;
    if (s == BG_OK)
        t->notes[t->note_count++] = (abc_note){ (int16_t)step, (uint16_t)n, (uint16_t)d };
    return s;
}

/* Accidentals, a letter, octave marks, a length: to `to`.  heard: it counts as a note of the melody. */
static bg_status read_note(abc_writer *w, const char **p, const char *end, int heard, char *to, size_t room, size_t *length, bg_error *err)
{
    size_t at = 0;
    const char *from = *p;
    while (*p < end && strchr("^_=", **p) && at < 2)
        to[at++] = *(*p)++;
    if (*p >= end || !(is_note(**p) || (at == 0 && (**p == 'z' || **p == 'x'))))
        return unexpected(w, *p < end ? *p : from, err);
    const char letter = *(*p)++;
    const int rest = letter == 'z' || letter == 'x', low = letter & ~32;
    int step = rest ? 0 : (low - 'C' + 7) % 7 + (letter >= 'a' ? 7 : 0);
    to[at++] = letter;
    for (; *p < end && !rest && (**p == ',' || **p == '\'') && at < 8; to[at++] = *(*p)++)
        step += **p == ',' ? -7 : 7;
    unsigned n, d;
    BG_TRY(read_length(w, !w->grace, p, end, &n, &d, err)); /* grace notes take their time from the note behind them */
    *length = at + print_length(to + at, room - at, n, d);
    return heard && !rest && !w->grace ? add_note(w, step, n, d, err) : BG_OK;
}

static bg_status put_note(abc_writer *w, const char **p, const char *end, bg_error *err)
{
    char text[48];
    size_t length;
    BG_TRY(read_note(w, p, end, 1, text, sizeof text, &length, err));
    abc_emit(w, text, length);
    return BG_OK;
}

/* The length behind a chord, from its '[': 1 when there is none; *behind: what follows. */
static bg_status chord_length(const abc_writer *w, const char *p, const char *end, const char **behind, unsigned *n, unsigned *d, bg_error *err)
{
    *behind = memchr(p, ']', (size_t)(end - p));
    if (!*behind)
        return unfinished(w, '[', err);
    ++*behind;
    return read_length(w, 0, behind, end, n, d, err);
}

/* The notes of a chord and its ']', to text; *at moves on. */
static bg_status read_chord(abc_writer *w, const char **p, const char *end, char text[256], size_t *at, bg_error *err)
{
    int first = 1;
    size_t length;
    for (++*p; *p < end && **p != ']'; *at += length) {
        length = 0;
        if (*at + 64 > 256)
            return bg_fail(err, BG_ERR_FORMAT, "line %zu: a chord of very many notes", w->line);
        if (strchr("-() .~", **p)) {
            if (**p != ' ')
                text[*at] = **p, length = 1;
            ++*p;
            continue;
        }
        BG_TRY(read_note(w, p, end, first, text + *at, 256 - *at, &length, err));
        first = 0;
    }
    if (*p >= end || first)
        return unfinished(w, '[', err);
    text[(*at)++] = *(*p)++;
    return BG_OK;
}

/* "[CEG]2" is "[C2E2G2]": abc2midi does not multiply a length behind the bracket with those inside, so it goes in. */
static bg_status put_chord(abc_writer *w, const char **p, const char *end, bg_error *err)
{
    char text[256] = "[";
    size_t at = 1;
    unsigned n, d;
    const unsigned length_n = w->length_n, length_d = w->length_d;
    const char *behind;
    BG_TRY(chord_length(w, *p, end, &behind, &n, &d, err));
    w->length_n *= n; /* both far below 2^16 */
    w->length_d *= d;
    const bg_status s = read_chord(w, p, end, text, &at, err);
    w->length_n = length_n;
    w->length_d = length_d;
    BG_TRY(s);
    *p = behind;
    if (w->grace)
        at += print_length(text + at, sizeof text - at, n, d);
    abc_emit(w, text, at);
    return BG_OK;
}

/* --- everything else ------------------------------------------------------------------------- */

int abc_is_bar(const char *p, const char *end)
{
    const char next = end - p > 1 ? p[1] : 0;
    return *p == '|' || (*p == ':' && (next == '|' || next == ':')) || (*p == '[' && next == '|');
}

const char *abc_skip_numbers(const char *p, const char *end)
{
    if (p < end && is_digit(*p))
        for (p++; p < end && (is_digit(*p) || ((*p == ',' || *p == '-') && is_digit(p[-1]) && end - p > 1 && is_digit(p[1])));)
            p++;
    return p;
}

/* The bar line that the result ends with. */
static size_t bar_length(const abc_tune *t)
{
    size_t n = 0;
    while (n < t->text.length && strchr("|:[]", t->text.text[t->text.length - 1 - n]))
        n++;
    return n;
}

/* Is the stroke at the begin of a bar line the one that the result ends with?  ":|" and "|:" keep theirs: ":||:". */
static int one_stroke(const abc_tune *t, const char *begin, const char *end)
{
    const size_t n = t->text.failed ? 0 : bar_length(t);
    const char *last = t->text.text + t->text.length - n;
    return n && last[n - 1] == '|' && !(memchr(last, ':', n) && memchr(begin, ':', (size_t)(end - begin)));
}

/* Does the result end with a stroke alone?  Not behind a line's first letter, which would be a field's without it. */
static int lone_stroke(const abc_tune *t)
{
    if (t->text.failed || bar_length(t) != 1 || t->text.text[t->text.length - 1] != '|')
        return 0;
    const char *end = t->text.text + t->text.length;
    return !(t->text.length >= 3 && is_letter(end[-2]) && end[-3] == '\n');
}

/* A bar line with the number of a repeat behind it: ":|2", "|1,3".  One right behind another becomes one with it: "| |:" is "|:",
 * "|| |1" is "||[1", as a number without a bracket stands behind "|" and ":|" only. */
static void put_bar(abc_writer *w, const char **p, const char *end)
{
    const char *begin = *p;
    if (!abc_is_bar(*p, end) && !w->after_bar) { /* a line begins ": A B": its stroke ended the part before */
        abc_emit(w, "|", 1);
        w->after_bar = 1;
        w->bars++;
    }
    const int again = w->after_bar;
    while (*p < end && (abc_is_bar(*p, end) || ((**p == ']' || **p == ':') && (again || *p > begin))))
        ++*p;
    if (again && *begin == '|' && one_stroke(w->t, begin, *p))
        begin++;
    if (again && *p - begin > 1 && begin[0] == ':' && begin[1] == '|' && lone_stroke(w->t))
        w->t->text.length--; /* "| :|" is ":|", and "|:|" would begin a repeat */
    w->bars += !again;
    w->space = w->newline = 0;
    abc_emit(w, begin, (size_t)(*p - begin));
    begin = *p;
    *p = abc_skip_numbers(*p, end);
    w->newline = w->bars >= ABC_BARS_A_LINE && *p == begin; /* a line does not end behind a number */
    if (*p > begin) {
        const size_t n = w->t->text.failed ? 0 : bar_length(w->t);
        const char *bar = n ? w->t->text.text + w->t->text.length - n : "";
        if (!(n == 1 && *bar == '|') && !(n == 2 && memcmp(bar, ":|", 2) == 0))
            abc_emit(w, "[", 1);
        abc_emit(w, begin, (size_t)(*p - begin));
    }
    w->after_bar = 1;
}

/* Chord symbols begin with the letter of a note; all else in quotation marks is words. */
static bg_status put_quoted(abc_writer *w, const char **p, const char *end, bg_error *err)
{
    const char *begin = (*p)++, *stop = memchr(*p, '"', (size_t)(end - *p));
    if (!stop)
        return unfinished(w, '"', err);
    int symbol = **p >= 'A' && **p <= 'G' && stop - *p < 16;
    for (const char *c = *p; c < stop; c++)
        symbol = symbol && *c > ' ' && *c < 127;
    *p = stop + 1;
    if (symbol)
        abc_emit(w, begin, (size_t)(*p - begin));
    return BG_OK;
}

/* "!trill!", "+trill+" of older files; a lone mark, which once ended a line, is nothing. */
static void put_decoration(abc_writer *w, const char **p, const char *end)
{
    char text[32];
    const char mark = *(*p)++, *stop = *p;
    while (stop < end && stop - *p < 24 && (is_letter(*stop) || is_digit(*stop) || strchr("().<>-^", *stop)))
        stop++;
    if (stop >= end || *stop != mark || stop == *p)
        return;
    const int length = snprintf(text, sizeof text, "!%.*s!", (int)(stop - *p), *p);
    abc_emit(w, text, (size_t)length);
    *p = stop + 1;
}

/* '[': a field, the number of a repeat, or a chord. */
static bg_status put_bracket(abc_writer *w, const char **p, const char *end, bg_error *err)
{
    const char *c = *p + 1;
    if (w->grace)
        return put_chord(w, p, end, err);
    if (end - c > 1 && is_letter(c[0]) && c[1] == ':') {
        const char *stop = memchr(c, ']', (size_t)(end - c));
        if (!stop)
            return unfinished(w, '[', err);
        *p = stop + 1;
        return abc_field(w, c[0], c + 2, (size_t)(stop - c - 2), 1, err);
    }
    if (c < end && is_digit(*c)) {
        const char *begin = *p;
        *p = abc_skip_numbers(c, end);
        w->space = 0;
        w->newline = w->newline && !w->after_bar;
        abc_emit(w, begin, (size_t)(*p - begin));
        w->after_bar = 1; /* no blank behind it */
        return BG_OK;
    }
    return put_chord(w, p, end, err);
}

/* "(", "(3", "(3:2:4", "(3::2" */
static void put_round(abc_writer *w, const char **p, const char *end)
{
    const char *begin = (*p)++;
    for (int colons = 0; *p < end && (is_digit(**p) || (**p == ':' && *p - begin > 1 && colons < 2)); ++*p)
        colons += **p == ':';
    abc_emit(w, begin, (size_t)(*p - begin));
    w->after_tuplet = *p - begin > 1;
}

static bg_status put_brace(abc_writer *w, const char **p, bg_error *err)
{
    const int open = **p == '{';
    if (open == w->grace)
        return unexpected(w, *p, err);
    w->grace = open;
    abc_emit(w, (*p)++, 1);
    return BG_OK;
}

/* Rests of whole bars, whose number counts bars; a 'y' is room on paper and goes. */
static void put_bars_of_rest(abc_writer *w, const char **p, const char *end)
{
    const char *begin = (*p)++;
    while (*p < end && is_digit(**p))
        ++*p;
    if (*begin != 'y')
        abc_emit(w, begin, (size_t)(*p - begin));
}

static void put_mark(abc_writer *w, const char **p)
{
    const int first = w->empty || w->newline;
    abc_emit(w, (*p)++, 1);
    w->lone_mark = first;
}

static bg_status put_token(abc_writer *w, const char **p, const char *end, bg_error *err)
{
    const char c = **p;
    if (is_note(c) || strchr("^_=zx", c))
        return put_note(w, p, end, err);
    if ((w->grace || w->after_tuplet || (w->lone_mark && c == ':')) && abc_is_bar(*p, end)) /* "T:|" would be a title */
        return unexpected(w, *p, err);
    if (abc_is_bar(*p, end) || (c == ':' && (w->after_bar || w->empty)))
        put_bar(w, p, end);
    else if (c == '[')
        return put_bracket(w, p, end, err);
    else if (c == '"')
        return put_quoted(w, p, end, err);
    else if (c == '!' || c == '+')
        put_decoration(w, p, end);
    else if (c == '(')
        put_round(w, p, end);
    else if (c == '{' || c == '}')
        return put_brace(w, p, err);
    else if (c == 'y' || c == 'Z' || c == 'X')
        put_bars_of_rest(w, p, end);
    else if ((c >= 'h' && c <= 'w') || (c >= 'H' && c <= 'W'))
        put_mark(w, p);
    else if (strchr(")-<>.~&", c) || (c == '/' && w->grace))
        abc_emit(w, (*p)++, 1);
    else
        return unexpected(w, *p, err);
    return BG_OK;
}

bg_status abc_music_line(abc_writer *w, const char *p, const char *end, bg_error *err)
{
    int goes_on = 0; /* a backslash joins the next line without a blank */
    while (p < end) {
        if (*p == ' ' || *p == '\t' || *p == '\r' || strchr("`*;$\\", *p)) {
            goes_on = *p == '\\' || (goes_on && *p <= ' ');
            w->space |= *p <= ' ' && !goes_on;
            p++;
        } else {
            goes_on = 0;
            BG_TRY(put_token(w, &p, end, err));
        }
    }
    if (w->grace)
        return unfinished(w, '{', err);
    w->space |= !goes_on;
    return BG_OK;
}
