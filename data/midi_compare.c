/* Comparing notes.  Times of both files are brought to one unit, which is exact:
 * ticks of one times the division of the other.  The bars are those of the
 * truth's time signatures; a change of metre begins a bar.  A found file
 * with a fault is compared as far as it can be read. */
#include "data/midi_compare.h"

#include "data/midi.h"

#include <stdlib.h>
#include <string.h>

/* Beyond it the unit would overflow; at 480 ticks a quarter this is 36 years of music. */
#define LAST_TICK (UINT64_C(1) << 40)

enum { CHANNELS = 16, KEYS = 128, FRAMES = 0x8000 };

typedef struct note {
    uint64_t time, length;
    uint8_t channel, key, matched;
} note;

typedef struct meter { uint64_t time; unsigned beats, power; } meter;

typedef struct score {
    const bg_sys *sys;
    note *notes;
    meter *meters;
    size_t count, capacity, meter_count, meter_capacity;
    size_t open[CHANNELS][KEYS]; /* the sounding note's index and 1; 0: silence */
    bg_error error;              /* of the callbacks */
} score;

/* --- reading ------------------------------------------------------------------------------- */

static void close_note(score *s, unsigned channel, unsigned key, uint64_t tick)
{
    size_t *open = &s->open[channel][key];
    if (*open)
        s->notes[*open - 1].length = tick - s->notes[*open - 1].time;
    *open = 0;
}

static int sound(score *s, uint64_t tick)
{
    if (s->error.code == BG_OK && tick > LAST_TICK)
        bg_fail(&s->error, BG_ERR_FORMAT, "it lasts longer than 2^40 ticks");
    return s->error.code == BG_OK;
}

/* A key struck again while it sounds ends there and begins anew. */
static void on_note(void *ctx, uint64_t tick, unsigned channel, unsigned key, unsigned velocity)
{
    score *s = ctx;
    if (!sound(s, tick))
        return;
    close_note(s, channel, key, tick);
    if (velocity == 0 || bg_grow(s->sys, (void **)&s->notes, &s->capacity, s->count + 1, sizeof *s->notes, &s->error) != BG_OK)
        return;
    s->notes[s->count++] = (note){ .time = tick, .channel = (uint8_t)channel, .key = (uint8_t)key };
    s->open[channel][key] = s->count;
}

static void on_meter(void *ctx, uint64_t tick, unsigned beats, unsigned power)
{
    score *s = ctx;
    if (!sound(s, tick) || beats == 0 || power > 6) /* no metre that anybody writes */
        return;
    if (bg_grow(s->sys, (void **)&s->meters, &s->meter_capacity, s->meter_count + 1, sizeof *s->meters, &s->error) == BG_OK)
        s->meters[s->meter_count++] = (meter){ tick, beats, power };
}

static void on_track_end(void *ctx, uint64_t tick)
{
    score *s = ctx;
    for (unsigned channel = 0; channel < CHANNELS; channel++)
        for (unsigned key = 0; key < KEYS; key++)
            close_note(s, channel, key, tick < LAST_TICK ? tick : LAST_TICK);
}

/* All notes and metres; what was read before a fault stays. */
static bg_status read_score(score *s, const bg_sys *sys, const uint8_t *data, size_t size, uint32_t *division, bg_error *err)
{
    const bg_midi_sink sink = { on_note, on_meter, on_track_end, s };
    bg_midi_facts facts = { 0, 0, 0, 0 };
    s->sys = sys;
    bg_status status = bg_midi_read(data, size, &sink, &facts, err);
    *division = facts.division;
    if (s->error.code != BG_OK)
        return bg_fail(err, s->error.code, "%s", s->error.text);
    if (facts.division >= FRAMES) {
        s->count = 0;
        return bg_fail(err, BG_ERR_FORMAT, "its time is in frames, not in notes: it has no bars");
    }
    return status;
}

static void free_score(score *s)
{
    bg_free(s->sys, s->notes);
    bg_free(s->sys, s->meters);
}

/* --- order ----------------------------------------------------------------------------------- */

static int by_number(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int compare_notes(const note *a, const note *b)
{
    int order = by_number(a->time, b->time);
    if (order == 0)
        order = by_number(a->key, b->key);
    if (order == 0)
        order = by_number(a->channel, b->channel);
    return order ? order : by_number(a->length, b->length);
}

static int by_note(const void *a, const void *b) { return compare_notes(a, b); }

static int by_meter(const void *a, const void *b)
{
    const meter *x = a, *y = b;
    int order = by_number(x->time, y->time);
    if (order == 0)
        order = by_number(x->beats, y->beats);
    return order ? order : by_number(x->power, y->power);
}

static void scale(score *s, uint64_t by)
{
    for (size_t i = 0; i < s->count; i++) {
        s->notes[i].time *= by;
        s->notes[i].length *= by;
    }
    for (size_t i = 0; i < s->meter_count; i++)
        s->meters[i].time *= by;
    if (s->count)
        qsort(s->notes, s->count, sizeof *s->notes, by_note);
    if (s->meter_count)
        qsort(s->meters, s->meter_count, sizeof *s->meters, by_meter);
}

/* --- bars ------------------------------------------------------------------------------------- */

/* Asked for times that never go back. */
typedef struct ruler {
    const score *truth;
    uint64_t quarter;        /* in units */
    size_t next;             /* metre that has not begun */
    uint64_t begin, bar, length; /* of the metre that holds: its time, the number of its first bar, a bar's units */
} ruler;

static void open_ruler(ruler *r, const score *truth, uint64_t quarter)
{
    *r = (ruler){ .truth = truth, .quarter = quarter, .bar = 1, .length = 4 * quarter };
}

static uint64_t bar_at(ruler *r, uint64_t time)
{
    while (r->next < r->truth->meter_count && r->truth->meters[r->next].time <= time) {
        const meter *m = &r->truth->meters[r->next++];
        const uint64_t passed = m->time - r->begin, length = (4 * r->quarter * m->beats) >> m->power;
        r->bar += (passed + r->length - 1) / r->length;
        r->begin = m->time;
        r->length = length ? length : 1;
    }
    return r->bar + (time - r->begin) / r->length;
}

/* --- one bar ------------------------------------------------------------------------------------ */

static void match_equal(note *truth, size_t n, note *found, size_t m, bg_midi_bar *b)
{
    for (size_t i = 0, k = 0; i < n && k < m;) {
        const int order = compare_notes(&truth[i], &found[k]);
        if (order == 0) {
            truth[i].matched = found[k].matched = 1;
            b->right++;
        }
        i += order <= 0;
        k += order >= 0;
    }
}

/* Of those that are left, one of each that begin together. */
static void match_starts(note *truth, size_t n, note *found, size_t m, bg_midi_bar *b)
{
    for (size_t i = 0, k = 0; i < n && k < m;) {
        if (truth[i].matched) {
            i++;
            continue;
        }
        if (found[k].matched) {
            k++;
            continue;
        }
        const int order = by_number(truth[i].time, found[k].time);
        b->wrong += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
}

/* Without a note there is no array to point into. */
static note *notes_at(const score *s, size_t i) { return s->count ? s->notes + i : NULL; }

static bg_midi_bar compare_bar(note *truth, size_t n, note *found, size_t m, uint64_t number)
{
    bg_midi_bar b = { .number = number, .notes = n };
    match_equal(truth, n, found, m, &b);
    match_starts(truth, n, found, m, &b);
    b.missing = n - b.right - b.wrong;
    b.extra = m - b.right - b.wrong;
    return b;
}

static void add(bg_midi_comparison *out, const bg_midi_bar *b)
{
    out->bars++;
    out->bars_equal += b->right == b->notes && b->extra == 0;
    out->sum.notes += b->notes;
    out->sum.right += b->right;
    out->sum.wrong += b->wrong;
    out->sum.missing += b->missing;
    out->sum.extra += b->extra;
}

/* Notes from `at` on that begin in this bar. */
static size_t notes_of(const score *s, size_t at, ruler *r, uint64_t bar)
{
    size_t n = at;
    while (n < s->count && bar_at(r, s->notes[n].time) == bar)
        n++;
    return n - at;
}

static void compare(score *truth, score *found, uint64_t quarter, bg_midi_comparison *out, void (*bar)(void *ctx, const bg_midi_bar *b), void *ctx)
{
    ruler here, there; /* one for each list, as both only go forward */
    open_ruler(&here, truth, quarter);
    open_ruler(&there, truth, quarter);
    for (size_t i = 0, k = 0; i < truth->count || k < found->count;) {
        const uint64_t a = i < truth->count ? bar_at(&here, truth->notes[i].time) : UINT64_MAX;
        const uint64_t b = k < found->count ? bar_at(&there, found->notes[k].time) : UINT64_MAX;
        const uint64_t number = a < b ? a : b;
        const size_t n = notes_of(truth, i, &here, number), m = notes_of(found, k, &there, number);
        const bg_midi_bar one = compare_bar(notes_at(truth, i), n, notes_at(found, k), m, number);
        add(out, &one);
        if (bar && !(one.right == one.notes && one.extra == 0))
            bar(ctx, &one);
        i += n;
        k += m;
    }
}

bg_status bg_midi_compare(const bg_sys *sys, const uint8_t *truth, size_t truth_size, const uint8_t *found, size_t found_size, bg_midi_comparison *out,
                          void (*bar)(void *ctx, const bg_midi_bar *b), void *ctx, bg_error *err)
{
    score *both = bg_alloc_zero(sys, 2, sizeof *both); /* their tables of keys are large for a stack */
    uint32_t division = 0, other = 0;
    *out = (bg_midi_comparison){ .exact = truth_size == found_size && memcmp(truth, found, truth_size) == 0 };
    if (!both)
        return bg_fail_memory(err, "the notes of two files", 2 * sizeof *both);
    bg_status s = read_score(&both[0], sys, truth, truth_size, &division, err);
    const bg_status fault = s == BG_OK ? read_score(&both[1], sys, found, found_size, &other, &out->fault) : BG_OK;
    if (fault == BG_ERR_MEMORY)
        s = bg_fail(err, fault, "%s", out->fault.text);
    if (s == BG_OK) {
        const uint64_t unit = other ? other : 1; /* no header: no notes either */
        scale(&both[0], unit);
        scale(&both[1], division);
        compare(&both[0], &both[1], unit * division, out, bar, ctx);
    }
    free_score(&both[0]);
    if (both[1].sys)
        free_score(&both[1]);
    bg_free(sys, both);
    return s;
}

/* --- transposed ---------------------------------------------------------------------------------- */

/* Keys become notes of the one octave, moved. */
static bg_status read_classes(score *s, const bg_sys *sys, const uint8_t *data, size_t size, int semitones, uint32_t *division, bg_error *err)
{
    BG_TRY(read_score(s, sys, data, size, division, err));
    for (size_t i = 0; i < s->count; i++)
        s->notes[i].key = (uint8_t)(((s->notes[i].key + semitones) % 12 + 12) % 12);
    scale(s, 1);
    return BG_OK;
}

bg_status bg_midi_transposed(const bg_sys *sys, const uint8_t *original, size_t original_size, const uint8_t *moved, size_t moved_size, int semitones, bg_error *err)
{
    score *s = bg_alloc_zero(sys, 2, sizeof *s);
    uint32_t division[2] = { 0, 0 };
    if (!s)
        return bg_fail_memory(err, "two scores", 2 * sizeof *s);
    s[0].sys = s[1].sys = sys;
    bg_status status = read_classes(&s[0], sys, original, original_size, semitones, &division[0], err);
    if (status == BG_OK)
        status = read_classes(&s[1], sys, moved, moved_size, 0, &division[1], err);
    int same = status == BG_OK && s[0].count == s[1].count && division[0] == division[1];
    for (size_t i = 0; same && i < s[0].count; i++)
        same = compare_notes(&s[0].notes[i], &s[1].notes[i]) == 0;
    if (status == BG_OK && !same)
        status = bg_fail(err, BG_ERR_FORMAT, "its notes are not the tune's, %+d semitones away", semitones);
    free_score(&s[0]);
    free_score(&s[1]);
    bg_free(sys, s);
    return status;
}
