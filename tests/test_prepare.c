/* Preparing tunes: the one form, doubles and look-alikes; and the frame of every preparation: parts, the journal, going on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/sys.h"
#include "prepare/abc.h"
#include "prepare/excerpt.h"
#include "prepare/melody.h"
#include "prepare/prepare.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

/* --- the one form ---------------------------------------------------------- */

typedef struct form_case {
    const char *in, *out; /* out: or a part of the sentence that refuses it */
    int good;
    unsigned unit;
} form_case;

#define LONG "AABBCCDDAABBCCDDAABBCCDDAABBCCDDAABBCCDDAABBCCDDAABBCCDD"

static const form_case forms[] = {
    /* words go, order is set, blanks at bars go */
    { "X:12\nT:Title\nC:who\nM:4/4\nL:1/8\nR:reel\nK: G  major\n\"^slow\"GABc  d2 \"Am7\"e2 | f4 g4 |% end\nw:la la\n", "X:1\nL:1/8\nM:4/4\nK:G major\nGABc d2 \"Am7\"e2|f4 g4|\n", 1, 8 },
    /* lengths in another unit: sixteenths to eighths, quarters, fractions */
    { "X:1\nL:1/16\nK:C\nA2 B c/ d3 [CE]4 z8 {ga}b2|\n", "X:1\nL:1/8\nK:C\nA B/ c/4 d3/ [C2E2] z4 {ga}b|\n", 1, 8 },
    { "X:1\nL:1/4\nK:C\nA B/ c2|\n", "X:1\nL:1/8\nK:C\nA2 B c4|\n", 1, 8 },
    { "X:1\nL:1/4\nK:C\nA B/ c2|\n", "X:1\nL:1/4\nK:C\nA B/ c2|\n", 1, 0 },
    /* without L: a sixteenth below 3/4; a change of L: in the middle is worked in */
    { "X:1\nM:2/4\nK:C\nA4 B4|\nL:1/8\nA B|[L:1/4]c|\n", "X:1\nL:1/8\nM:2/4\nK:C\nA2 B2|A B|c2|\n", 1, 8 },
    { "X:1\nM:C|\nK:C\nA|\n", "X:1\nL:1/8\nM:C|\nK:C\nA|\n", 1, 8 },
    /* tempo: words go; a plain number counts units of the source */
    { "X:1\nL:1/4\nQ:\"Allegro\" 1/4=120\nK:C\nA|\n", "X:1\nL:1/8\nQ:1/4=120\nK:C\nA2|\n", 1, 8 },
    { "X:1\nL:1/4\nQ:120\nK:C\nA|\n", "X:1\nL:1/8\nQ:1/4=120\nK:C\nA2|\n", 1, 8 },
    { "X:1\nL:1/8\nQ:\"Allegro\"\nK:C\nA|\n", "X:1\nL:1/8\nK:C\nA|\n", 1, 8 },
    /* four bars a line, repeats with their numbers, line ends of the source do not stay */
    { "X:1\nL:1/8\nK:C\n|:A|B|\nC|D|E :|1 F:|2 G||\n[1 A:|[2 B|]\n", "X:1\nL:1/8\nK:C\n|:A|B|C|\nD|E:|1F:|2G||[1A:|[2B|]\n", 1, 8 },
    /* bar lines one behind another are one; a number without a bracket stands behind "|" and ":|" only */
    { "X:1\nL:1/8\nK:C\nA| |:B||\n|1 C|\n: D:|\n|:E|]\n", "X:1\nL:1/8\nK:C\nA|:B||[1C|:D:||:\nE|]\n", 1, 8 },
    { "X:1\nL:1/8\nK:C\nA|]\nK:G\n: B:|\n", "X:1\nL:1/8\nK:C\nA|]\nK:G\n|:B:|\n", 1, 8 },
    /* voices start lines; names of voices are words */
    { "X:1\nL:1/8\nV:1 name=\"Tenor\" clef=bass\nV:2\nK:C\nV:1\nA|B|\nV:2\nc|d|\n[V:1] e|\n", "X:1\nL:1/8\nV:1 clef=bass\nV:2\nK:C\nV:1\nA|B|\nV:2\nc|d|\n[V:1] e|\n", 1, 8 },
    /* decorations, tuplets, slurs, ties, broken rhythm, grace notes, accidentals, octaves */
    { "X:1\nL:1/8\nK:C\n+trill+A ~B!fermata!c (3abc (3::2de(f-f) A>B {/g}^f _B,, =c'' .d Tu|\n",
      "X:1\nL:1/8\nK:C\n!trill!A ~B!fermata!c (3abc (3::2de(f-f) A>B {/g}^f _B,, =c'' .d Tu|\n", 1, 8 },
    /* typeset text between, a bar line at the begin of a line that looks like a field, rests of bars, room on paper */
    { "X:1\nL:1/8\nK:G\n%%begintext\nK:lost words\n%%endtext\n%%MIDI program 3\nG:|y4 Z4 |x2 A\\\nB|\n", "X:1\nL:1/8\nK:G\nG:|Z4|x2 AB|\n", 1, 8 },
    /* a chord's length goes to its notes, also of those that have one */
    { "X:1\nL:1/4\nK:C\n[CEG]2 [C2E]3/2 [CE]|\n", "X:1\nL:1/8\nK:C\n[C4E4G4] [C6E3] [C2E2]|\n", 1, 8 },
    { "X:1\nL:1/4\nK:C\n{[CE]2}A|\n", "X:1\nL:1/8\nK:C\n{[CE]2}A2|\n", 1, 8 },
    /* tempi that count lengths of L; metres that are sums */
    { "X:1\nL:1/16\nQ:C=240\nK:C\nA2|\nQ:C3=80\nB2|\nQ:120\n[Q:C=60]c2|\n", "X:1\nL:1/8\nQ:1/16=240\nK:C\nA|\nQ:3/16=80\nB|\nQ:1/16=120\n[Q:1/16=60]c|\n", 1, 8 },
    { "X:1\nM:2+3/8\nK:C\nA2|\n", "X:1\nL:1/8\nM:2+3/8\nK:C\nA|\n", 1, 8 },
    { "X:1\nM:(2+3+2)/8\nK:C\nA2|\n", "X:1\nL:1/8\nM:(2+3+2)/8\nK:C\nA2|\n", 1, 8 },
    /* lyrics and symbols that begin with a bar line are no music */
    { "X:1\nL:1/8\nK:C\nAB|\nw:|a b|\ns:|a b\nW:|c d\nT:|e\nG:|\n", "X:1\nL:1/8\nK:C\nAB|G:|\n", 1, 8 },
    /* a stroke and the end of a repeat */
    { "X:1\nL:1/8\nK:C\n|:AB|cd| :|\nAB|\n:|\n", "X:1\nL:1/8\nK:C\n|:AB|cd:|AB:|\n", 1, 8 },
    /* another L: in one voice */
    { "X:1\nL:1/8\nK:C\nV:1\n[L:1/16]AB|\nV:1\nAB|\n", "X:1\nL:1/8\nK:C\nV:1\nA/B/|\nV:1\nA/B/|\n", 1, 8 },
    /* what is broken */
    { "X:1\nL:1/8\nK:C\nV:1\n[L:1/16]AB|\nV:2\nAB|\n", "line 6: L: changes in a tune of several voices", 0, 8 },
    { "X:1\nL:1/8\nK:C\nV:1\nAB|\nV:2\nL:1/4\nAB|\n", "line 7: L: changes in a tune of several voices", 0, 8 },
    { "X:1\nQ:99999999999\nK:C\nA\n", "Q:99999999999 is no tempo", 0, 8 },
    { "X:1\nP:" LONG LONG LONG LONG "\nK:C\nA\n", "the field P: is longer than 199 characters", 0, 8 },
    { "X:1\nK:C\nP:" LONG LONG LONG LONG "\nA\n", "the field P: is longer than 199 characters", 0, 8 },
    { "X:1\nT:nothing\n", "no K: field", 0, 8 },
    { "X:1\nK:C\nAB\n\"Am AB\n", "line 4: what begins with '\"' does not end", 0, 8 },
    { "X:1\nK:C\n[ACE\n", "what begins with '['", 0, 8 },
    { "X:1\nK:C\n[]\n", "what begins with '['", 0, 8 },
    { "X:1\nK:C\nA{gab\n", "what begins with '{'", 0, 8 },
    { "X:1\nK:C\nA ? B\n", "'?' is not expected", 0, 8 },
    { "X:1\nK:C\nA \xc3\xa9\n", "no music (code 195)", 0, 8 },
    { "X:1\nK:C\nA0 B\n", "a length that is none", 0, 8 },
    { "X:1\nL:1/0\nK:C\nA\n", "L:1/0 is no length", 0, 8 },
    { "X:1\nm:~n=n/o/n\nK:C\nA\n", "a macro", 0, 8 },
    { "X:1\nK:C\xc3\xa9\nA\n", "not ASCII", 0, 8 },
    { "X:1\nK:C\n T:|A|\n", "':' is not expected", 0, 8 },
    { "X:1\nK:C\nAB:C\n", "':' is not expected", 0, 8 },
    { "X:1\nK:C\n(3|ABC\n", "'|' is not expected", 0, 8 },
    { "X:1\nK: |:A\n", "K: holds music", 0, 8 },
    { "X:1\nK:C\n^|\n", "is not expected", 0, 8 },
};

static void one_form(void **state)
{
    const bg_sys *sys = bg_sys_default();
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const form_case *c = &forms[i];
        abc_tune t, again;
        bg_error err = { 0 };
        const bg_status s = abc_normalize(c->in, strlen(c->in), c->unit, &t, sys, &err);
        if (c->good) {
            assert_string_equal(s == BG_OK ? t.text.text : err.text, c->out);
            /* the one form of the one form is itself, and sounds the same */
            CHECK_OK(abc_normalize(t.text.text, t.text.length, c->unit, &again, sys, &err), err);
            assert_string_equal(again.text.text, t.text.text);
            assert_int_equal(again.note_count, t.note_count);
            assert_memory_equal(again.notes, t.notes, t.note_count * sizeof *t.notes);
            abc_tune_free(&again);
        } else {
            if (s != BG_ERR_FORMAT)
                fail_msg("case %zu became %s", i, t.text.text);
            if (!strstr(err.text, c->out))
                fail_msg("case %zu: '%s' does not hold '%s'", i, err.text, c->out);
        }
        abc_tune_free(&t);
    }
}

static void tunes_of_a_book(void **state)
{
    const char book[] = "%abc-2.1\nfile header\n\nX:1\nK:C\nA\n\nfree text\nX:2\nK:C\nB\nX:3\nK:C\nC", *at = book, *begin, *stop;
    const char *const expected[] = { "X:1\nK:C\nA\n", "X:2\nK:C\nB\n", "X:3\nK:C\nC" };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(abc_next(&at, book + sizeof book - 1, &begin, &stop));
        assert_int_equal(stop - begin, strlen(expected[i]));
        assert_memory_equal(begin, expected[i], strlen(expected[i]));
    }
    assert_false(abc_next(&at, book + sizeof book - 1, &begin, &stop));
}

/* --- melodies -------------------------------------------------------------- */

static melody melody_of(const char *music)
{
    char text[1024];
    abc_tune t;
    bg_error err = { 0 };
    melody m;
    snprintf(text, sizeof text, "X:1\nL:1/8\nK:C\n%s\n", music);
    CHECK_OK(abc_normalize(text, strlen(text), 8, &t, bg_sys_default(), &err), err);
    CHECK_OK(melody_make(&m, &t, bg_sys_default(), &err), err);
    abc_tune_free(&t);
    return m;
}

static void same_and_alike(void **state)
{
    static const char *const music[] = {
        "CDEF GABc dcBA GFED CEGc ecGE DFAd", /* 0 */
        "DEFG ABcd edcB AGFE DFAd fdAF EGBe", /* the same a step higher */
        "CDEF GABc dcBA GFED CEGc ecGE DFAg", /* another last note: alike */
        "CDEF GABc dcBA GFED CEGc ecGE DFA2", /* another length and no last note: alike */
        "c2ec AGEC ccdd eeff gfed cBAG A2AA", /* something else */
        "zz CDEF GABc dcBA GFED CEGc \"Am\"ecGE {g}DFAd", /* 0 with rests, words and grace notes */
    };
    enum { N = sizeof music / sizeof *music };
    melody m[N], turned[N];
    size_t twin[N];
    uint64_t group[N], other[N];
    bg_error err = { 0 };
    (void)state;
    for (size_t i = 0; i < N; i++)
        turned[N - 1 - i] = m[i] = melody_of(music[i]);
    CHECK_OK(melody_groups(m, N, twin, group, bg_sys_default(), &err), err);
    const size_t twins[N] = { 0, 0, 2, 3, 4, 0 };
    assert_memory_equal(twin, twins, sizeof twins);
    for (size_t i = 0; i < N; i++)
        assert_true((group[i] == group[0]) == (i != 4));
    CHECK_OK(melody_groups(turned, N, twin, other, bg_sys_default(), &err), err);
    for (size_t i = 0; i < N; i++)
        assert_true(other[N - 1 - i] == group[i]);
    for (size_t i = 0; i < N; i++)
        melody_free(&m[i], bg_sys_default());
    CHECK_OK(melody_groups(m, 0, twin, group, bg_sys_default(), &err), err);
}

/* --- excerpts -------------------------------------------------------------- */

/* The lines between bars; of those that begin alike the longer ones first. */
static const char *const lines[] = { ":||:", ":|2", ":|", "|1", "|:", "||", "|]", "|" };
enum { TURN_AND_BEGIN, SECOND_ENDING, TURN, FIRST_ENDING, BEGIN, DOUBLE, END, PLAIN, LINES };

/* Are these bars, each with a line behind it, all that is there?  A tie leads over plain lines only.  Counts the lines. */
static int holds_bars(const char *p, const char *const *bars, unsigned n, unsigned seen[LINES])
{
    memset(seen, 0, LINES * sizeof *seen);
    for (unsigned i = 0; i < n; i++) {
        const size_t size = strlen(bars[i]), tie = bars[i][size - 1] == '-';
        size_t line = 0;
        if (strncmp(p, bars[i], size - tie) != 0)
            return 0;
        p += size - tie;
        const int tied = *p == '-';
        p += tied;
        while (line < LINES && strncmp(p, lines[line], strlen(lines[line])) != 0)
            line++;
        if (line == LINES || tied != (tie && line == PLAIN))
            return 0;
        seen[line]++;
        p += strlen(lines[line]);
        if ((i + 1 == n || i % 4 == 3) && *p++ != '\n')
            return 0;
    }
    return *p == '\0';
}

/* Does an excerpt hold some bars of the music, in their order, and no others?  Adds its lines to all. */
static void check_excerpt(const char *text, unsigned low, unsigned high, uint64_t stream, const char *const *bars, unsigned count, unsigned all[LINES])
{
    prepare_buffer out = { .sys = bg_sys_default() };
    bg_error err = { 0 };
    bg_rng r;
    unsigned found = 0, seen[LINES];
    bg_rng_open(&r, 1, BG_STREAM_EXCERPT, stream);
    CHECK_OK(abc_excerpt(text, strlen(text), low, high, &r, &out, &err), err);
    prepare_add(&out, "", 1);
    assert_memory_equal(out.text, "X:1\nM:4/4\nK:D\n", 14);
    for (unsigned first = 0; first < count; first++)
        for (unsigned n = low; n <= high && first + n <= count; n++)
            if (holds_bars(out.text + 14, bars + first, n, seen)) {
                found++;
                assert_int_equal(seen[FIRST_ENDING], seen[SECOND_ENDING]);
                assert_true(seen[END] + seen[TURN] >= 1); /* it ends, after all */
                for (int k = 0; k < LINES; k++)
                    all[k] += seen[k];
            }
    if (found != 1)
        fail_msg("stream %u gives %s", (unsigned)stream, out.text);
    prepare_buffer_free(&out);
}

static void bars_of_tunes(void **state)
{
    static const char *const bars[] = { "A", "(3Bcd \"a|b\"[CE]2", "!x|!d:e", "f-", "[FA]g", "a4", "b4-", "c'4", "d'4" };
    enum { N = sizeof bars / sizeof *bars };
    const char text[] = "X:1\nM:4/4\nK:D\n|:A|(3Bcd \"a|b\"[CE]2|!x|!d:e|f-:|\n[|[FA]g||a4|1b4-:|[2-4c'4::d'4|]\n";
    const struct { const char *text; unsigned low; } none[] = {
        { "X:1\nK:D\nA|B|]\n", 2 }, { "X:1\nK:D\nA|[K:C]B|c|]\n", 1 }, { "X:1\nK:D\nA|B|\nM:3/4\nc|]\n", 1 },
        { "X:1\nK:D\n[V:1]A|B|c|]\n[V:2]A|B|]\n", 1 }, { "X:1\nK:D\n[V:1]A|B[V:2]|c|]\n", 1 }, { "X:1\nK:D\n[V:1]A|[Q:1/4|B|]\n", 1 }, { "X:1\nK:D\n", 1 }, { "", 1 }, { "A|B|c", 1 },
    };
    (void)state;
    unsigned all[LINES] = { 0 };
    for (uint64_t i = 0; i < 300; i++)
        check_excerpt(text, 1 + i % 3, 1 + i % 3 + i % 5, i, bars, N, all);
    for (int k = 0; k < LINES; k++)
        if (!all[k])
            fail_msg("no excerpt has %s", lines[k]);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        prepare_buffer out = { .sys = bg_sys_default() };
        bg_error err = { 0 };
        bg_rng r;
        bg_rng_open(&r, 1, BG_STREAM_EXCERPT, i);
        if (abc_excerpt(none[i].text, strlen(none[i].text), none[i].low, 3, &r, &out, &err) != BG_ERR_FORMAT)
            fail_msg("an excerpt of %s", none[i].text);
        prepare_buffer_free(&out);
    }
}

/* What the second voice has where the first has a letter; all else is the same in both. */
static void second_voice(char *out, const char *first, size_t size)
{
    static const char letters[] = "ABcdef";
    static const char *const bars[] = { "E", "F", "G", "a", "[Q:1/4=90]b", "C" };
    for (size_t i = 0; i < size; i++) {
        const char *at = memchr(letters, first[i], sizeof letters - 1);
        *out = first[i] == '1' && i == 3 ? '2' : first[i]; /* "[V:1]" */
        const char *bar = at ? bars[at - letters] : NULL;
        if (bar)
            memcpy(out, bar, strlen(bar));
        out += bar ? strlen(bar) : 1;
    }
    *out = '\0';
}

/* The same bars of every voice, a line of each in turn. */
static void bars_of_voices(void **state)
{
    static const char text[] = "X:1\nV:1\nV:2\nK:D\n[V:1]A|B|c|d|\n[V:2]E|F|G|a|\n[V:1]e|f|]\n[V:2][Q:1/4=90]b|C|]\n", head[] = "X:1\nV:1\nV:2\nK:D\n";
    unsigned lines_seen = 0;
    (void)state;
    for (uint64_t stream = 0; stream < 100; stream++) {
        prepare_buffer out = { .sys = bg_sys_default() };
        bg_error err = { 0 };
        bg_rng r;
        bg_rng_open(&r, 1, BG_STREAM_EXCERPT, stream);
        CHECK_OK(abc_excerpt(text, strlen(text), 1, 5, &r, &out, &err), err);
        prepare_add(&out, "", 1);
        assert_memory_equal(out.text, head, sizeof head - 1);
        for (const char *p = out.text + sizeof head - 1, *end; *p; lines_seen++) {
            char want[256];
            end = strchr(p, '\n');
            assert_non_null(end);
            assert_memory_equal(p, "[V:1]", 5);
            second_voice(want, p, (size_t)(end + 1 - p));
            assert_memory_equal(end + 1, want, strlen(want));
            p = end + 1 + strlen(want);
        }
        prepare_buffer_free(&out);
    }
    assert_true(lines_seen > 100); /* some of five bars, which are two lines */
}

/* --- the frame ------------------------------------------------------------- */

typedef struct counted {
    size_t made;       /* only read with one thread */
    uint64_t stop_at;  /* parts after which the run is stopped; 0: never */
} counted;

static uint64_t seven_hundred(const void *settings, const prepare_source *s) { return strstr(s->path, "many") ? 700 : 1; }

static bg_status make_numbers(const void *settings, const prepare_source *s, prepare_sink *sink, bg_error *err)
{
    char text[64];
    const uint64_t part = prepare_part(sink);
    const prepare_output o = { .number = part + 1, .folder = part % 2 ? "odd" : "even", .variant = "+1", .extension = "num" };
    ((counted *)(uintptr_t)settings)->made++;
    if (part % 100 == 99) {
        prepare_leave_out(sink, "every hundredth");
        return BG_OK;
    }
    if (strstr(s->path, "wrong"))
        return bg_fail(err, BG_ERR_FORMAT, "%s: is wrong", s->path);
    snprintf(text, sizeof text, "%s %llu", s->stem, (unsigned long long)part);
    return prepare_put_as(sink, &o, text, strlen(text), err);
}

static int stop_there(void *ctx, uint64_t done, uint64_t all)
{
    const counted *c = ctx;
    return c->stop_at && done >= c->stop_at;
}

static bg_status number_run(const char *in, const char *out, counted *c, unsigned threads, prepare_totals *totals, bg_error *err)
{
    static const char *const folders[] = { "odd", "even", NULL };
    const prepare_tool tool = { .extension = "txt", .folders = folders, .parts = seven_hundred, .make = make_numbers, .settings = c, .described = "numbers" };
    const char *inputs[] = { in };
    const prepare_job job = { .inputs = inputs, .input_count = 1, .out = out, .licence = "CC0", .progress = stop_there, .ctx = c };
    return prepare_run(&job, &tool, threads, bg_sys_default(), totals, err);
}

static void goes_on(void **state)
{
    char *folder = fs_make_folder();
    const char *in = fs_path(folder, "in"), *whole = fs_path(folder, "whole"), *cut = fs_path(folder, "cut");
    counted c = { 0, 0 };
    prepare_totals totals;
    bg_error err = { 0 };
    size_t size, part_size;
    (void)state;
    fs_write_text(fs_path(folder, "in/a.txt"), "a");
    fs_write_text(fs_path(folder, "in/many.txt"), "b");
    fs_write_text(fs_path(folder, "in/wrong.txt"), "c");
    CHECK_OK(number_run(in, whole, &c, 2, &totals, &err), err);
    assert_int_equal(totals.sources, 3);
    assert_int_equal(totals.written, 1 + 693);
    assert_int_equal(totals.left_out, 1 + 7);
    assert_int_equal(fs_count(fs_path(whole, "odd")), 343);
    assert_true(fs_holds(fs_path(whole, "even/many-000003+1.num"), "many 2", 6));
    unsigned char *expected = fs_read(fs_path(whole, "manifest.tsv"), &size);
    assert_non_null(strstr((char *)expected, "every hundredth"));

    /* stopped after its first round, with a torn line and a lost output behind it */
    c = (counted){ 0, 1 };
    assert_int_equal(number_run(in, cut, &c, 1, &totals, &err), BG_ERR_INTERRUPTED);
    assert_int_equal(c.made, 256);
    unsigned char *part = fs_read(fs_path(cut, "manifest.part"), &part_size);
    assert_non_null(part);
    char *torn = malloc(part_size + 20);
    memcpy(torn, part, part_size);
    memcpy(torn + part_size, "even/many-000999+1.nu", 20);
    fs_write(fs_path(cut, "manifest.part"), torn, part_size + 20);
    c = (counted){ 0, 0 };
    CHECK_OK(number_run(in, cut, &c, 1, &totals, &err), err);
    assert_int_equal(totals.resumed, 256);
    assert_int_equal(c.made, 702 - 256);
    assert_true(fs_holds(fs_path(cut, "manifest.tsv"), expected, size));
    assert_int_equal(fs_count(fs_path(cut, "odd")), 343);
    /* a finished one is not written over */
    assert_int_equal(number_run(in, cut, &c, 1, &totals, &err), BG_ERR_ARGUMENT);
    free(torn);
    free(part);
    free(expected);
    fs_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_form),
        cmocka_unit_test(tunes_of_a_book),
        cmocka_unit_test(same_and_alike),
        cmocka_unit_test(bars_of_tunes), cmocka_unit_test(bars_of_voices),
        cmocka_unit_test(goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
