/* Bars of a tune that is in the one form.  A bar line is any run of "|", with the ":" of repeats and the brackets that belong to
 * it; what stands between two is a bar.  Slurs and ties that lead out of the excerpt are for abc2midi to judge. */
#include "prepare/excerpt.h"

#include <ctype.h>
#include <string.h>

enum { MOST_BARS = 4096 };

typedef struct bar { const char *text; size_t size; } bar;

static int at_line_begin(const char *text, const char *p) { return p == text || p[-1] == '\n'; }

/* A letter and a colon, at the begin of a line or behind a bracket: a field. */
static int is_field(const char *text, const char *p, const char *end)
{
    if (end - p > 2 && *p == '[')
        return isalpha((unsigned char)p[1]) && p[2] == ':';
    return end - p > 1 && at_line_begin(text, p) && isalpha((unsigned char)*p) && p[1] == ':';
}

/* Where the music begins: behind the line of K:. */
static const char *music_of(const char *text, const char *end)
{
    for (const char *p = text; p < end; p++)
        if (at_line_begin(text, p) && end - p > 1 && p[0] == 'K' && p[1] == ':') {
            const char *stop = memchr(p, '\n', (size_t)(end - p));
            return stop ? stop + 1 : end;
        }
    return end;
}

/* Behind the bar line that begins at p, and what an ending is called; p when none begins there. */
static const char *bar_line(const char *p, const char *end)
{
    if (!abc_is_bar(p, end))
        return p;
    for (p++; p < end && (*p == '|' || *p == ':');)
        p++;
    if (p < end && *p == ']')
        p++;
    if (end - p > 1 && *p == '[' && isdigit((unsigned char)p[1]))
        p++; /* an ending */
    return abc_skip_numbers(p, end);
}

/* Behind what is quoted or decorated from p on, in which a bar line is none; p when nothing is. */
static const char *quoted(const char *p, const char *end)
{
    if (*p != '"' && *p != '!')
        return p;
    const char *stop = memchr(p + 1, *p, (size_t)(end - p) - 1);
    return stop ? stop + 1 : p;
}

static int blank(const bar *b)
{
    for (size_t i = 0; i < b->size; i++)
        if (!isspace((unsigned char)b->text[i]))
            return 0;
    return 1;
}

/* The bars from p on; -1: a field stands between them. */
static int find_bars(const char *text, const char *p, const char *end, bar bars[MOST_BARS])
{
    int n = 0;
    while (p < end && n < MOST_BARS) {
        bars[n] = (bar){ p, 0 };
        const char *next = p;
        while (p < end && (next = bar_line(p, end)) == p) {
            if (is_field(text, p, end))
                return -1;
            const char *behind = quoted(p, end);
            p = behind > p ? behind : p + 1;
        }
        bars[n].size = (size_t)(p - bars[n].text);
        n += !blank(&bars[n]);
        p = next > p ? next : p;
    }
    return n;
}

/* --- repeats ---------------------------------------------------------------------- */

/* Bars up to `end`, which may be played twice, and then with two endings: the last bar but one, the last. */
typedef struct section { unsigned end; int repeated, endings; } section;

static section make_section(unsigned first, unsigned end, int repeated, bg_rng *r)
{
    return (section){ end, repeated, repeated && end - first > 2 && bg_rng_below(r, 4) == 0 };
}

/* One or two sections of so many bars.  Nearly every tune has repeats, and to go back in the score is what is hardest to
 * follow: half of the excerpts have them. */
static unsigned make_sections(section s[2], unsigned count, bg_rng *r)
{
    s[0] = s[1] = (section){ .end = count };
    if (count < 2 || bg_rng_below(r, 2) == 0)
        return 1;
    s[0] = make_section(0, 1 + (unsigned)bg_rng_below(r, count), 1, r);
    if (s[0].end == count)
        return 1;
    s[1] = make_section(s[0].end, count, bg_rng_below(r, 4) > 0, r);
    return 2;
}

/* The bar line behind bar i. */
static const char *line_behind(const section s[2], unsigned sections, unsigned i)
{
    const unsigned k = sections == 2 && i >= s[0].end;
    const section *own = &s[k];
    if (own->endings && i + 3 == own->end)
        return "|1";
    if (own->endings && i + 2 == own->end)
        return ":|2";
    if (i + 1 < own->end)
        return "|";
    const int turns = own->repeated && !own->endings;
    if (k + 1 == sections)
        return turns ? ":|" : "|]";
    return turns ? s[1].repeated ? ":||:" : ":|" : s[1].repeated ? "|:" : "||";
}

static void put_bar(prepare_buffer *out, const bar *b, int last)
{
    size_t size = b->size;
    while (last && size && (isspace((unsigned char)b->text[size - 1]) || b->text[size - 1] == '-')) /* nothing follows to be tied to */
        size--;
    for (size_t i = 0; i < size; i++)
        if (b->text[i] != '\n')
            prepare_add(out, b->text + i, 1);
}

bg_status abc_excerpt(const char *text, size_t size, unsigned low, unsigned high, bg_rng *r, prepare_buffer *out, bg_error *err)
{
    bar bars[MOST_BARS];
    const char *end = text + size, *music = music_of(text, end);
    const int n = find_bars(text, music, end, bars);
    if (n < 0)
        return bg_fail(err, BG_ERR_FORMAT, "it has several voices, or fields in its music");
    if ((unsigned)n <= low)
        return bg_fail(err, BG_ERR_FORMAT, "it has no more than %d bars", n);
    const unsigned most = high < (unsigned)n ? high : (unsigned)n - 1, count = low + (unsigned)bg_rng_below(r, most - low + 1);
    const unsigned first = (unsigned)bg_rng_below(r, (unsigned)n - count + 1);
    prepare_add(out, text, (size_t)(music - text));
    section s[2];
    const unsigned sections = make_sections(s, count, r);
    for (unsigned i = 0; i < count; i++) {
        const char *line = line_behind(s, sections, i);
        put_bar(out, &bars[first + i], strcmp(line, "|") != 0);
        prepare_add(out, line, strlen(line));
        if (i + 1 == count || (i + 1) % ABC_BARS_A_LINE == 0)
            prepare_add(out, "\n", 1);
    }
    return BG_OK;
}
