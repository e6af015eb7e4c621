/* Tunes: tunebooks cut up and brought to one form (abc.h), doubles found and look-alikes kept together (melody.h), training and
 * validation parted by groups, transposed, and given a MIDI file each.  All tunes are read first, as only then is known
 * which are alike; their texts stay in memory. */
#include "prepare/music.h"

#include "base/file.h"
#include "data/dataset.h"
#include "prepare/abc.h"

#include <string.h>
#include <strings.h>

#define BOOK_LIMIT ((uint64_t)1 << 30)

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
    size_t size = 0, made_size;
    bg_status s = prepare_read(p->sys, path, BOOK_LIMIT, &data, &size, err);
    if (s == BG_OK && strcasecmp(bg_path_extension(path), "abc") != 0) {
        s = p->m->programs.to_abc(p->m->programs.ctx, path, data, size, &made, &made_size, err);
        bg_free(p->sys, data);
        data = made;
        size = made_size;
    }
    if (s == BG_OK) {
        size = plain_lines(data, size);
        const size_t mark = prepare_mark(data, size);
        s = read_tunes(p, b, path, (const char *)data + mark, size - mark, err);
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
    size_t *place = bg_alloc(p->sys, count + 1, sizeof *place), *latest = bg_alloc_zero(p->sys, count + 1, sizeof *latest);
    p->next = bg_alloc_zero(p->sys, count + 1, sizeof *p->next);
    p->judged = bg_alloc_zero(p->sys, count + 1, sizeof *p->judged);
    p->twin = bg_alloc(p->sys, count + 1, sizeof *p->twin);
    p->group = bg_alloc(p->sys, count + 1, sizeof *p->group);
    bg_status s = melodies && place && latest && p->next && p->judged && p->twin && p->group ? BG_OK : bg_fail_memory(err, "all tunes", count * sizeof *melodies);
    const size_t kept = s == BG_OK ? gather(p, melodies, place) : 0;
    if (s == BG_OK)
        s = melody_groups(melodies, kept, p->twin, p->group, p->sys, err);
    for (size_t k = kept; s == BG_OK && k-- > 0;) { /* from the end, as place[k] >= k */
        const size_t number = place[k], first = place[p->twin[k]];
        p->group[number] = p->group[k];
        p->twin[number] = first;
        p->next[number] = latest[first];
        latest[first] = number;
    }
    bg_free(p->sys, latest);
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

/* --- the tool -------------------------------------------------------------------------------- */

static const char *const folders[] = { "train", "validation", NULL }, *const and_excerpts[] = { "train", "validation", "excerpts", NULL };

bg_status prepare_music_open(prepare_tool *tool, const prepare_music *m, bg_error *err)
{
    const bg_sys *sys = bg_sys_default();
    music_tool *p = bg_alloc_zero(sys, 1, sizeof *p);
    if (!p)
        return bg_fail_memory(err, "tunes", sizeof *p);
    *p = (music_tool){ .m = m, .sys = sys };
    *tool = (prepare_tool){ .extension = "abc", .folders = m->most_bars ? and_excerpts : folders, .survey = survey, .parts = parts, .make = music_make_tune, .settings = p };
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
        bg_free(p->sys, p->next);
        bg_free(p->sys, (void *)p->judged);
        bg_free(p->sys, p->group);
        bg_free(p->sys, p);
    }
    tool->settings = NULL;
}
