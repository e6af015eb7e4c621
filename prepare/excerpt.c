/* Bars of a tune that is in the one form.  A bar line is any run of "|", with the ":" of repeats and the brackets that belong to
 * it; what stands between two is a bar.  Slurs and ties that lead out of the excerpt are for abc2midi to judge. */
#include "prepare/excerpt.h"

#include <ctype.h>
#include <string.h>

enum { MOST_BARS = 4096, MOST_VOICES = 16 };

typedef struct bar { const char *text; size_t size; unsigned voice; } bar;

/* What a tune's music holds: the bars of the first voice, then those of the second ... */
typedef struct score {
    bar bars[MOST_BARS];
    bar voice[MOST_VOICES]; /* the field that begins each of its lines, "[V:1]"; of a tune without voices, nothing */
    unsigned voices, count; /* count: bars of a voice */
} score;

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

/* Behind a field in brackets; p when it is not closed before the bar ends. */
static const char *behind_field(const char *p, const char *end)
{
    const char *stop = p;
    while (stop < end && *stop != ']' && *stop != '|' && *stop != '\n')
        stop++;
    return stop < end && *stop == ']' ? stop + 1 : p;
}

/* The voice that a field names; it may be new.  MOST_VOICES: there are too many. */
static unsigned find_voice(score *s, const char *field, size_t size)
{
    unsigned v = 0;
    while (v < s->voices && (s->voice[v].size != size || memcmp(s->voice[v].text, field, size) != 0))
        v++;
    if (v == s->voices && v < MOST_VOICES)
        s->voice[s->voices++] = (bar){ .text = field, .size = size };
    return v;
}

/* A field at p, in a bar that has begun.  Returns what stands behind it, or p: it changes what notes mean.  Voices are changed
 * between bars, and the tempo anywhere. */
static const char *take_field(score *s, bar *b, const char *p, const char *end)
{
    const char *behind = *p == '[' ? behind_field(p, end) : p;
    const bar before = { b->text, (size_t)(p - b->text), 0 };
    if (behind == p || (p[1] != 'Q' && (p[1] != 'V' || !blank(&before))))
        return p;
    if (p[1] == 'V') {
        b->voice = find_voice(s, p, (size_t)(behind - p));
        b->text = behind;
    }
    return behind;
}

/* The bars from p on, as they stand there.  Returns how many; -1: a field stands between them that forbids to take some. */
static int find_bars(score *s, const char *text, const char *p, const char *end, bar bars[MOST_BARS])
{
    int n = 0;
    unsigned voice = 0;
    while (p < end && n < MOST_BARS) {
        bars[n] = (bar){ p, 0, voice };
        const char *next = p;
        while (p < end && (next = bar_line(p, end)) == p) {
            const int field = is_field(text, p, end);
            const char *behind = field ? take_field(s, &bars[n], p, end) : quoted(p, end);
            if (field && behind == p)
                return -1;
            p = behind > p ? behind : p + 1;
        }
        bars[n].size = (size_t)(p - bars[n].text);
        voice = bars[n].voice;
        n += !blank(&bars[n]);
        p = next > p ? next : p;
    }
    return voice < MOST_VOICES ? n : -1;
}

/* Bars in the order of their voices.  0: the voices have not as many bars each. */
static int sort_bars(score *s, const bar *bars, unsigned n)
{
    unsigned at = 0;
    s->voices += s->voices == 0;
    s->count = n / s->voices;
    for (unsigned v = 0; v < s->voices; v++) {
        for (unsigned i = 0; i < n; i++)
            if (bars[i].voice == v)
                s->bars[at++] = bars[i];
        if (at != (v + 1) * s->count)
            return 0;
    }
    return at == n;
}

static bg_status read_score(score *s, const char *text, const char *music, const char *end, bg_error *err)
{
    bar bars[MOST_BARS];
    s->voices = s->count = 0;
    s->voice[0] = (bar){ .text = "" };
    const int n = find_bars(s, text, music, end, bars);
    if (n < 0)
        return bg_fail(err, BG_ERR_FORMAT, "it has fields in its music");
    if (!sort_bars(s, bars, (unsigned)n))
        return bg_fail(err, BG_ERR_FORMAT, "its voices have not as many bars each");
    return BG_OK;
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

/* Bars [from, to) of an excerpt that begins with bar `first`, as a line of each voice. */
static void put_lines(prepare_buffer *out, const score *s, unsigned first, unsigned from, unsigned to, const section form[2], unsigned sections)
{
    for (unsigned v = 0; v < s->voices; v++) {
        prepare_add(out, s->voice[v].text, s->voice[v].size);
        for (unsigned i = from; i < to; i++) {
            const char *line = line_behind(form, sections, i);
            put_bar(out, &s->bars[v * s->count + first + i], strcmp(line, "|") != 0);
            prepare_add(out, line, strlen(line));
        }
        prepare_add(out, "\n", 1);
    }
}

bg_status abc_excerpt(const char *text, size_t size, unsigned low, unsigned high, bg_rng *r, prepare_buffer *out, bg_error *err)
{
    score s;
    section form[2];
    const char *end = text + size, *music = music_of(text, end);
    BG_TRY(read_score(&s, text, music, end, err));
    if (s.count <= low)
        return bg_fail(err, BG_ERR_FORMAT, "it has no more than %u bars", s.count);
    const unsigned most = high < s.count ? high : s.count - 1, count = low + (unsigned)bg_rng_below(r, most - low + 1);
    const unsigned first = (unsigned)bg_rng_below(r, s.count - count + 1);
    const unsigned sections = make_sections(form, count, r);
    prepare_add(out, text, (size_t)(music - text));
    for (unsigned from = 0; from < count; from += ABC_BARS_A_LINE)
        put_lines(out, &s, first, from, count - from < ABC_BARS_A_LINE ? count : from + ABC_BARS_A_LINE, form, sections);
    return BG_OK;
}
