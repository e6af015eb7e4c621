/* The files of a tune: itself and its transpositions, a MIDI file beside each.  A tune that cannot be written is no reason to
 * leave out another of the same melody. */
#include "prepare/music.h"

#include "data/midi_compare.h"
#include "prepare/abc.h"
#include "prepare/excerpt.h"

#include <stdio.h>
#include <string.h>

enum { UNKNOWN, GOOD, BAD }; /* what music_tool.judged says */
enum { KEYS = 64 };           /* of a tune, at most, for the numbers of random streams */

/* The same group goes the same way for ever, whatever else is in the set. */
static int for_validation(const music_tool *p, size_t number)
{
    const uint64_t h = (p->group[number] ^ p->m->seed * UINT64_C(0xd1342543de82ef95)) * UINT64_C(0x9e3779b97f4a7c15);
    return (double)(h >> 11) < p->m->validation * 9007199254740992.0; /* 2^53 */
}

static void leave_out(prepare_sink *sink, const char *which, const char *why)
{
    char text[BG_ERROR_TEXT + 112];
    snprintf(text, sizeof text, "%s: %s", which, why);
    prepare_leave_out(sink, text);
}

typedef struct midi_file { uint8_t *data; size_t size; } midi_file;

/* Nothing where no MIDI is wanted. */
static bg_status make_midi(const music_tool *p, const char *text, size_t size, midi_file *midi, bg_error *err)
{
    *midi = (midi_file){ NULL, 0 };
    return p->m->midi ? p->m->programs.to_midi(p->m->programs.ctx, text, size, &midi->data, &midi->size, err) : BG_OK;
}

static bg_status put_tune(const music_tool *p, prepare_sink *sink, prepare_output *o, const char *text, size_t size, const midi_file *midi, bg_error *err)
{
    o->extension = "abc";
    bg_status s = prepare_put_as(sink, o, text, size, err);
    o->extension = "mid";
    if (s == BG_OK && p->m->midi)
        s = prepare_put_as(sink, o, midi->data, midi->size, err);
    return s;
}

/* Some bars of a tune that has been written.  BG_ERR_FORMAT: there are none, or they cannot be played. */
static bg_status put_excerpt(const music_tool *p, prepare_sink *sink, const prepare_output *o, const char *text, size_t size, uint64_t stream, bg_error *err)
{
    prepare_output excerpt = *o;
    prepare_buffer bars = { .sys = p->sys };
    abc_tune a = { .text = { .sys = p->sys } };
    midi_file midi = { NULL, 0 };
    bg_rng r;
    excerpt.folder = "excerpts";
    bg_rng_open(&r, p->m->seed, BG_STREAM_EXCERPT, stream);
    bg_status s = abc_excerpt(text, size, p->m->fewest_bars, p->m->most_bars, &r, &bars, err);
    if (s == BG_OK && bars.failed)
        s = bg_fail_memory(err, "an excerpt", size);
    if (s == BG_OK)
        s = abc_normalize(bars.text, bars.length, p->m->unit, &a, p->sys, err);
    if (s == BG_OK && a.note_count == 0)
        s = bg_fail(err, BG_ERR_FORMAT, "it has no notes");
    if (s == BG_OK)
        s = make_midi(p, a.text.text, a.text.length, &midi, err);
    if (s == BG_OK)
        s = put_tune(p, sink, &excerpt, a.text.text, a.text.length, &midi, err);
    bg_free(p->sys, midi.data);
    abc_tune_free(&a);
    prepare_buffer_free(&bars);
    return s;
}

/* A tune in one key, and an excerpt of it where some are wanted; without one, the line that says so has the tune's name. */
static bg_status put_key(const music_tool *p, prepare_sink *sink, prepare_output *o, const char *text, size_t size, const midi_file *midi, const char *name, uint64_t stream, bg_error *err)
{
    char which[96];
    BG_TRY(put_tune(p, sink, o, text, size, midi, err));
    if (!p->m->most_bars || strcmp(o->folder, "train") != 0)
        return BG_OK;
    const bg_status s = put_excerpt(p, sink, o, text, size, stream, err);
    if (s != BG_ERR_FORMAT)
        return s;
    snprintf(which, sizeof which, "an excerpt of %s", name);
    leave_out(sink, which, err->text);
    return BG_OK;
}

/* `original`: of the tune as it was, whose notes must be there, so many semitones away. */
static bg_status put_transposed(const music_tool *p, prepare_sink *sink, prepare_output *o, const tune *t, const midi_file *original, int semitones, const char *name, uint64_t stream, bg_error *err)
{
    uint8_t *made = NULL;
    size_t size;
    midi_file midi = { NULL, 0 };
    abc_tune a = { .text = { .sys = p->sys } };
    BG_TRY(p->m->programs.transpose(p->m->programs.ctx, t->text, t->length, semitones, &made, &size, err));
    const char *at = (const char *)made, *begin = at, *stop = at;
    bg_status s = abc_next(&at, (const char *)made + size, &begin, &stop) ? BG_OK : bg_fail(err, BG_ERR_FORMAT, "it is no tune any more");
    if (s == BG_OK)
        s = abc_normalize(begin, (size_t)(stop - begin), p->m->unit, &a, p->sys, err);
    if (s == BG_OK)
        s = make_midi(p, a.text.text, a.text.length, &midi, err);
    if (s == BG_OK && p->m->midi)
        s = bg_midi_transposed(p->sys, original->data, original->size, midi.data, midi.size, semitones, err);
    if (s == BG_OK)
        s = put_key(p, sink, o, a.text.text, a.text.length, &midi, name, stream, err);
    bg_free(p->sys, midi.data);
    abc_tune_free(&a);
    bg_free(p->sys, made);
    return s;
}

/* A key in which it cannot be written is left out by itself. */
static bg_status put_keys(const music_tool *p, prepare_sink *sink, prepare_output *o, const tune *t, const char *name, uint64_t number, bg_error *err)
{
    char variant[24], which[80];
    midi_file midi;
    bg_status s = make_midi(p, t->text, t->length, &midi, err);
    if (s == BG_OK)
        s = put_key(p, sink, o, t->text, t->length, &midi, name, number * KEYS, err);
    o->variant = variant;
    for (int k = p->m->lowest; k <= p->m->highest && s == BG_OK && strcmp(o->folder, "train") == 0; k++) {
        snprintf(variant, sizeof variant, "%+d", k);
        snprintf(which, sizeof which, "%s, transposed by %s", name, variant);
        if (k != 0)
            s = put_transposed(p, sink, o, t, &midi, k, which, number * KEYS + (uint64_t)(k + KEYS / 2), err);
        if (s == BG_ERR_FORMAT) {
            leave_out(sink, which, err->text);
            s = BG_OK;
        }
    }
    o->variant = NULL;
    bg_free(p->sys, midi.data);
    return s;
}

/* The book of a tune: the last whose first tune does not come behind it. */
static size_t book_of(const music_tool *p, size_t number)
{
    size_t low = 0, high = p->book_count;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (p->first[middle] <= number)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static const tune *tune_at(const music_tool *p, size_t number)
{
    const size_t b = book_of(p, number);
    return &p->books[b].tunes[number - p->first[b]];
}

/* Will it be written?  Two threads may ask of the same, and find the same. */
static bg_status judge(const music_tool *p, size_t number, int *good, bg_error *err)
{
    int known = atomic_load(&p->judged[number]);
    if (known == UNKNOWN) {
        const tune *t = tune_at(p, number);
        midi_file midi;
        const bg_status s = make_midi(p, t->text, t->length, &midi, err);
        bg_free(p->sys, midi.data);
        if (s != BG_OK && s != BG_ERR_FORMAT)
            return s;
        known = s == BG_OK ? GOOD : BAD;
        atomic_store(&p->judged[number], (unsigned char)known);
    }
    *good = known == GOOD;
    return BG_OK;
}

/* The first of the same melody that will be written, if it comes before this one; else *twin is `number`. */
static bg_status earlier_twin(const music_tool *p, size_t number, size_t *twin, bg_error *err)
{
    *twin = p->m->keep_doubles ? number : p->twin[number];
    while (*twin != number) {
        int good;
        BG_TRY(judge(p, *twin, &good, err));
        if (good)
            break;
        *twin = p->next[*twin];
    }
    return BG_OK;
}

/* "the same melody as tune 3 of PATH" */
static void name_twin(const music_tool *p, size_t twin, char *text, size_t room)
{
    const size_t b = book_of(p, twin);
    snprintf(text, room, "the same melody as tune %zu of %s", twin - p->first[b] + 1, p->sources[b].path);
}

bg_status music_make_tune(const void *settings, const prepare_source *s, prepare_sink *sink, bg_error *err)
{
    const music_tool *p = settings;
    const book *b = &p->books[s->number];
    if (b->why)
        return bg_fail(err, BG_ERR_FORMAT, "%s", b->why);
    const size_t part = (size_t)prepare_part(sink), number = p->first[s->number] + part;
    const tune *t = &b->tunes[part];
    char name[32], same[BG_ERROR_TEXT];
    size_t twin = number;
    snprintf(name, sizeof name, "tune %zu", part + 1);
    if (t->text)
        BG_TRY(earlier_twin(p, number, &twin, err));
    if (twin != number)
        name_twin(p, twin, same, sizeof same);
    if (!t->text || twin != number) {
        leave_out(sink, name, t->text ? same : t->why);
        return BG_OK;
    }
    prepare_output o = { .folder = for_validation(p, number) ? "validation" : "train", .number = b->count > 1 ? part + 1 : 0 };
    const bg_status made = put_keys(p, sink, &o, t, name, number, err);
    if (made != BG_ERR_FORMAT)
        return made;
    leave_out(sink, name, err->text);
    return BG_OK;
}
