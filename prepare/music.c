/* Tunes: tunebooks cut up and brought to one form (abc.h), doubles found and look-alikes kept together (melody.h), training and
 * validation parted by groups, transposed, and given a MIDI file each.  All tunes are read first, as only then is known
 * which are alike; their texts stay in memory. */
#include "prepare/prepare.h"

#include "base/file.h"
#include "data/dataset.h"
#include "prepare/abc.h"
#include "prepare/melody.h"

#include <stdio.h>
#include <string.h>

#define BOOK_LIMIT ((uint64_t)1 << 30)

typedef struct tune {
    char *text, *why;   /* in the one form; or why there is none */
    size_t length;
    melody melody;      /* empty without a text */
} tune;

typedef struct book {
    tune *tunes;
    size_t count, capacity;
    char *why;          /* it gives no tunes at all */
    bg_status status;   /* a failure that ends the run */
    bg_error error;
} book;

typedef struct music_tool {
    const prepare_music *m;
    const bg_sys *sys;
    const prepare_source *sources;
    book *books;        /* (book_count) */
    size_t book_count;
    size_t *first;      /* (book_count) number of each one's first tune among all */
    size_t *twin;       /* (tunes) */
    uint64_t *group;    /* (tunes) */
} music_tool;

/* --- reading --------------------------------------------------------------------------------- */

static void tune_free(tune *t, const bg_sys *sys)
{
    bg_free(sys, t->text);
    bg_free(sys, t->why);
    melody_free(&t->melody, sys);
}

/* A failure of format becomes the reason; others stay. */
static bg_status keep_reason(char **why, bg_status s, const bg_sys *sys, bg_error *err)
{
    if (s != BG_ERR_FORMAT && s != BG_ERR_NOT_FOUND)
        return s;
    *why = bg_strdup(sys, err->text);
    return *why ? BG_OK : bg_fail_memory(err, "a reason", strlen(err->text));
}

static bg_status check_notes(const music_tool *p, const abc_tune *a, bg_error *err)
{
    if (a->note_count >= p->m->least_notes)
        return BG_OK;
    return bg_fail(err, BG_ERR_FORMAT, "%zu notes are fewer than %zu", a->note_count, p->m->least_notes);
}

static bg_status read_tune(const music_tool *p, tune *t, const char *text, size_t size, bg_error *err)
{
    abc_tune a;
    bg_status s = abc_normalize(text, size, p->m->unit, &a, p->sys, err);
    if (s == BG_OK)
        s = check_notes(p, &a, err);
    if (s == BG_OK)
        s = melody_make(&t->melody, &a, p->sys, err);
    if (s == BG_OK) {
        t->text = a.text.text; /* moves over */
        t->length = a.text.length;
        a.text.text = NULL;
    }
    abc_tune_free(&a);
    return keep_reason(&t->why, s, p->sys, err);
}

static bg_status read_tunes(const music_tool *p, book *b, const char *path, const char *text, size_t size, bg_error *err)
{
    const char *at = text, *begin, *stop;
    while (abc_next(&at, text + size, &begin, &stop)) {
        void *tunes = b->tunes;
        bg_status s = bg_grow(p->sys, &tunes, &b->capacity, b->count + 1, sizeof *b->tunes, err);
        b->tunes = tunes;
        BG_TRY(s);
        tune *t = &b->tunes[b->count++];
        *t = (tune){ 0 };
        BG_TRY(read_tune(p, t, begin, (size_t)(stop - begin), err));
    }
    return b->count ? BG_OK : bg_fail(err, BG_ERR_FORMAT, "%s: holds no tune (no line begins with X:)", path);
}

/* Old Macintosh and DOS line ends become line feeds. */
static size_t plain_lines(uint8_t *data, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        if (data[i] != '\r')
            data[n++] = data[i];
        else if (i + 1 >= size || data[i + 1] != '\n')
            data[n++] = '\n';
    return n;
}

static bg_status read_book(const music_tool *p, book *b, const char *path, bg_error *err)
{
    uint8_t *data = NULL, *made = NULL;
    size_t size, made_size;
    BG_TRY(bg_read_file(p->sys, path, BOOK_LIMIT, &data, &size, err));
    bg_status s = BG_OK;
    if (strcmp(bg_path_extension(path), "abc") != 0) {
        s = p->m->programs.to_abc(p->m->programs.ctx, path, data, size, &made, &made_size, err);
        bg_free(p->sys, data);
        data = made;
        size = made_size;
    }
    if (s == BG_OK) {
        size = plain_lines(data, size);
        s = read_tunes(p, b, path, (const char *)data, size, err);
    }
    bg_free(p->sys, data);
    return keep_reason(&b->why, s, p->sys, err);
}

static void read_task(void *arg, size_t task, unsigned thread)
{
    music_tool *p = arg;
    book *b = &p->books[task];
    b->status = read_book(p, b, p->sources[task].path, &b->error);
}

/* --- all tunes together ---------------------------------------------------------------------- */

/* Only tunes with a text are compared: place[k] is the number among all of the k-th that has one. */
static size_t gather(const music_tool *p, melody *melodies, size_t *place)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->book_count; i++)
        for (size_t k = 0; k < p->books[i].count; k++)
            if (p->books[i].tunes[k].text) {
                place[kept] = p->first[i] + k;
                melodies[kept++] = p->books[i].tunes[k].melody;
            }
    return kept;
}

static bg_status compare_all(music_tool *p, size_t count, bg_error *err)
{
    melody *melodies = bg_alloc(p->sys, count + 1, sizeof *melodies);
    size_t *place = bg_alloc(p->sys, count + 1, sizeof *place);
    p->twin = bg_alloc(p->sys, count + 1, sizeof *p->twin);
    p->group = bg_alloc(p->sys, count + 1, sizeof *p->group);
    bg_status s = melodies && place && p->twin && p->group ? BG_OK : bg_fail_memory(err, "all tunes", count * sizeof *melodies);
    const size_t kept = s == BG_OK ? gather(p, melodies, place) : 0;
    if (s == BG_OK)
        s = melody_groups(melodies, kept, p->twin, p->group, p->sys, err);
    for (size_t k = kept; s == BG_OK && k-- > 0;) { /* from the end, as place[k] >= k */
        p->group[place[k]] = p->group[k];
        p->twin[place[k]] = place[p->twin[k]];
    }
    bg_free(p->sys, place);
    bg_free(p->sys, melodies);
    return s;
}

static bg_status survey(const void *settings, const prepare_source *sources, size_t count, bg_pool *pool, bg_error *err)
{
    music_tool *p = (music_tool *)(uintptr_t)settings;
    size_t tunes = 0;
    p->sources = sources;
    p->books = bg_alloc_zero(p->sys, count + 1, sizeof *p->books);
    p->first = bg_alloc_zero(p->sys, count + 1, sizeof *p->first);
    if (!p->books || !p->first)
        return bg_fail_memory(err, "the tunebooks", count * sizeof *p->books);
    p->book_count = count;
    bg_pool_run(pool, read_task, p, count);
    for (size_t i = 0; i < count; i++) {
        if (p->books[i].status != BG_OK)
            return bg_fail(err, p->books[i].status, "%s", p->books[i].error.text);
        p->first[i] = tunes;
        tunes += p->books[i].count;
    }
    return compare_all(p, tunes, err);
}

static uint64_t parts(const void *settings, const prepare_source *s)
{
    const music_tool *p = settings;
    const size_t count = p->books[s->number].count;
    return count ? count : 1;
}

/* --- writing --------------------------------------------------------------------------------- */

/* The same group goes the same way for ever, whatever else is in the set. */
static int for_validation(const music_tool *p, size_t number)
{
    const uint64_t h = (p->group[number] ^ p->m->seed * UINT64_C(0xd1342543de82ef95)) * UINT64_C(0x9e3779b97f4a7c15);
    return (double)(h >> 11) < p->m->validation * 9007199254740992.0; /* 2^53 */
}

static bg_status put_text(const music_tool *p, prepare_sink *sink, prepare_output *o, const char *text, size_t size, bg_error *err)
{
    uint8_t *midi = NULL;
    size_t midi_size = 0;
    if (p->m->midi)
        BG_TRY(p->m->programs.to_midi(p->m->programs.ctx, text, size, &midi, &midi_size, err));
    o->extension = "abc";
    bg_status s = prepare_put_as(sink, o, text, size, err);
    o->extension = "mid";
    if (s == BG_OK && p->m->midi)
        s = prepare_put_as(sink, o, midi, midi_size, err);
    bg_free(p->sys, midi);
    return s;
}

static bg_status put_transposed(const music_tool *p, prepare_sink *sink, prepare_output *o, const tune *t, int semitones, bg_error *err)
{
    uint8_t *made = NULL;
    size_t size;
    abc_tune a = { .text = { .sys = p->sys } };
    BG_TRY(p->m->programs.transpose(p->m->programs.ctx, t->text, t->length, semitones, &made, &size, err));
    const char *at = (const char *)made, *begin = at, *stop = at;
    bg_status s = abc_next(&at, (const char *)made + size, &begin, &stop) ? BG_OK : bg_fail(err, BG_ERR_FORMAT, "transposed, it is no tune any more");
    if (s == BG_OK)
        s = abc_normalize(begin, (size_t)(stop - begin), p->m->unit, &a, p->sys, err);
    if (s == BG_OK)
        s = put_text(p, sink, o, a.text.text, a.text.length, err);
    abc_tune_free(&a);
    bg_free(p->sys, made);
    return s;
}

static bg_status put_keys(const music_tool *p, prepare_sink *sink, prepare_output *o, const tune *t, bg_error *err)
{
    char variant[16];
    bg_status s = put_text(p, sink, o, t->text, t->length, err);
    o->variant = variant;
    for (int k = p->m->lowest; k <= p->m->highest && s == BG_OK && strcmp(o->folder, "train") == 0; k++) {
        snprintf(variant, sizeof variant, "%+d", k);
        if (k != 0)
            s = put_transposed(p, sink, o, t, k, err);
    }
    o->variant = NULL;
    return s;
}

static void leave_out(prepare_sink *sink, size_t number, const char *why)
{
    char text[BG_ERROR_TEXT + 64];
    snprintf(text, sizeof text, "tune %zu: %s", number, why);
    prepare_leave_out(sink, text);
}

/* "the same melody as tune 3 of PATH" */
static void name_twin(const music_tool *p, size_t twin, char *text, size_t room)
{
    size_t b = p->book_count - 1;
    while (p->first[b] > twin || p->books[b].count == 0)
        b--;
    snprintf(text, room, "the same melody as tune %zu of %s", twin - p->first[b] + 1, p->sources[b].path);
}

static bg_status make_tune(const void *settings, const prepare_source *s, prepare_sink *sink, bg_error *err)
{
    const music_tool *p = settings;
    const book *b = &p->books[s->number];
    if (b->why)
        return bg_fail(err, BG_ERR_FORMAT, "%s", b->why);
    const size_t part = (size_t)prepare_part(sink), number = p->first[s->number] + part;
    const tune *t = &b->tunes[part];
    char same[BG_ERROR_TEXT];
    if (t->text && p->twin[number] != number && !p->m->keep_doubles)
        name_twin(p, p->twin[number], same, sizeof same);
    else
        same[0] = 0;
    if (!t->text || same[0]) {
        leave_out(sink, part + 1, t->text ? same : t->why);
        return BG_OK;
    }
    prepare_output o = { .folder = for_validation(p, number) ? "validation" : "train", .number = b->count > 1 ? part + 1 : 0 };
    const bg_status made = put_keys(p, sink, &o, t, err);
    if (made != BG_ERR_FORMAT)
        return made;
    leave_out(sink, part + 1, err->text);
    return BG_OK;
}

/* --- the tool -------------------------------------------------------------------------------- */

static const char *const folders[] = { "train", "validation", NULL };

bg_status prepare_music_open(prepare_tool *tool, const prepare_music *m, bg_error *err)
{
    const bg_sys *sys = bg_sys_default();
    music_tool *p = bg_alloc_zero(sys, 1, sizeof *p);
    if (!p)
        return bg_fail_memory(err, "tunes", sizeof *p);
    *p = (music_tool){ .m = m, .sys = sys };
    *tool = (prepare_tool){ .extension = "abc", .folders = folders, .survey = survey, .parts = parts, .make = make_tune, .settings = p };
    return BG_OK;
}

void prepare_music_close(prepare_tool *tool)
{
    music_tool *p = (music_tool *)(uintptr_t)tool->settings;
    for (size_t i = 0; p && i < p->book_count; i++) {
        for (size_t k = 0; k < p->books[i].count; k++)
            tune_free(&p->books[i].tunes[k], p->sys);
        bg_free(p->sys, p->books[i].tunes);
        bg_free(p->sys, p->books[i].why);
    }
    if (p) {
        bg_free(p->sys, p->books);
        bg_free(p->sys, p->first);
        bg_free(p->sys, p->twin);
        bg_free(p->sys, p->group);
        bg_free(p->sys, p);
    }
    tool->settings = NULL;
}
