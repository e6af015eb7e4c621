/* The frame of every preparation: sources in rounds over the threads, outputs written whole, a journal.  Which thread
 * makes a source does not show in its outputs. */
#define _GNU_SOURCE /* syncfs */
#include "prepare/prepare.h"

#include "base/file.h"
#include "prepare/journal.h"
#include "prepare/names.h"

#include <openssl/evp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROUND = 256, HASH_TEXT = 65, MOST_FOLDERS = 3 };

typedef struct work_item { size_t source; uint64_t part, parts; } work_item;

typedef struct run_state {
    const prepare_job *job;
    const prepare_tool *tool;
    const bg_sys *sys;
    prepare_sources sources;
    prepare_journal journal;
    prepare_totals *totals;
    work_item round[ROUND];
    size_t round_count;
    prepare_sink *sinks;              /* (ROUND) */
    atomic_int failed;                /* the one who sets it owns `error` */
    bg_error error;
} run_state;

struct prepare_sink {
    run_state *r;
    const prepare_source *source;
    uint64_t part;
    prepare_buffer lines;
    uint64_t written, bytes, left_out;
    uint8_t *kept;           /* without r: the first output, nothing is written */
    size_t kept_size;
    char why[BG_ERROR_TEXT]; /* it was left out; empty: it was not */
};

static bg_status hash(char text[HASH_TEXT], const void *data, size_t size, bg_error *err)
{
    unsigned char sum[32];
    unsigned length = 0;
    if (!EVP_Digest(data, size, sum, &length, EVP_sha256(), NULL) || length != sizeof sum)
        return bg_fail(err, BG_ERR_FAILED, "SHA-256 cannot be computed");
    for (size_t i = 0; i < sizeof sum; i++)
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
    return BG_OK;
}

/* FOLDER/LABEL_STEM-NNNNNNVARIANT.EXT */
static char *output_name(const prepare_sink *k, const prepare_output *o, const char *label)
{
    char number[24] = "";
    if (o->number)
        snprintf(number, sizeof number, "-%06llu", (unsigned long long)o->number);
    return bg_asprintf(k->r->sys, "%s%s%s%s%s%s%s.%s", o->folder ? o->folder : "", o->folder ? "/" : "", label, *label ? "_" : "", k->source->stem, number,
                       o->variant ? o->variant : "", o->extension ? o->extension : k->r->tool->extension);
}

static void add_line(prepare_sink *k, const char *name, const char *label, size_t size, const char *sum, const char *why)
{
    char bytes[24];
    snprintf(bytes, sizeof bytes, "%zu", size);
    prepare_cell(&k->lines, name, '\t');
    prepare_cell(&k->lines, label, '\t');
    prepare_cell(&k->lines, *name == '-' && !name[1] ? "" : bytes, '\t');
    prepare_cell(&k->lines, sum, '\t');
    prepare_cell(&k->lines, k->source->path, '\t');
    prepare_cell(&k->lines, k->r->job->licence, '\t');
    prepare_cell(&k->lines, why, '\n');
}

/* Under its own name at once: what a killed run left torn belongs to a source that the journal does not name, and is written
 * again, the same.  To disk it goes with its round: one flush a file would take minutes for ten thousand small ones. */
static bg_status write_output(const run_state *r, const char *path, const void *data, size_t size, bg_error *err)
{
    const bg_sys *sys = r->sys;
    const int first = !r->journal.resumed && !r->job->overwrite; /* nothing can be there that is ours */
    const int fd = sys->open(sys->ctx, path, O_WRONLY | O_CREAT | (first ? O_EXCL : O_TRUNC) | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s is there already and was not made by this preparation; -f writes over it", path);
    if (fd < 0)
        return bg_fail_errno(err, 0, "cannot create %s", path);
    bg_status s = bg_write_full(sys, path, fd, data, size, err);
    if (sys->close(sys->ctx, fd) != 0 && s == BG_OK)
        s = bg_fail_errno(err, 0, "cannot write %s", path);
    return s;
}

static bg_status put_named(prepare_sink *k, const prepare_output *o, const char *label, const void *data, size_t size, bg_error *err)
{
    const bg_sys *sys = k->r->sys;
    char sum[HASH_TEXT], *name = output_name(k, o, label);
    char *path = name ? bg_asprintf(sys, "%s/%s", k->r->job->out, name) : NULL;
    bg_status s = path ? hash(sum, data, size, err) : bg_fail_memory(err, k->source->path, strlen(k->source->path));
    if (s == BG_OK)
        s = write_output(k->r, path, data, size, err);
    if (s == BG_OK) {
        add_line(k, name, label, size, sum, "");
        k->written++;
        k->bytes += size;
    }
    bg_free(sys, path);
    bg_free(sys, name);
    return s;
}

static bg_status keep_first(prepare_sink *k, const void *data, size_t size, bg_error *err)
{
    if (k->written++)
        return BG_OK;
    if (!(k->kept = bg_alloc(bg_sys_default(), size + 1, 1)))
        return bg_fail_memory(err, k->source->path, size);
    memcpy(k->kept, data, size);
    k->kept_size = size;
    return BG_OK;
}

bg_status prepare_first(const prepare_tool *t, const char *path, uint8_t **data, size_t *size, bg_error *err)
{
    const prepare_source source = { .path = path, .label = "", .stem = "" };
    prepare_sink k = { .source = &source };
    bg_status s = t->make(t->settings, &source, &k, err);
    if (s == BG_OK && !k.kept)
        s = bg_fail(err, BG_ERR_FORMAT, "%s: gives nothing", path);
    if (s != BG_OK)
        bg_free(bg_sys_default(), k.kept);
    *data = s == BG_OK ? k.kept : NULL;
    *size = k.kept_size;
    return s;
}

bg_status prepare_put_as(prepare_sink *k, const prepare_output *o, const void *data, size_t size, bg_error *err)
{
    if (!k->r)
        return keep_first(k, data, size, err);
    if (!o->label)
        return put_named(k, o, k->source->label, data, size, err);
    char *plain = prepare_label(k->r->sys, o->label, strlen(o->label));
    if (!plain)
        return bg_fail_memory(err, k->source->path, strlen(o->label));
    const bg_status s = put_named(k, o, plain, data, size, err);
    bg_free(k->r->sys, plain);
    return s;
}

bg_status prepare_put(prepare_sink *k, const char *label, const void *data, size_t size, bg_error *err)
{
    const int many = k->r && k->r->tool->many;
    const prepare_output o = { .label = label, .number = many || k->written ? k->written + (many ? 1 : 0) : 0 };
    return prepare_put_as(k, &o, data, size, err);
}

void prepare_leave_out(prepare_sink *k, const char *why)
{
    add_line(k, "-", k->source->label, 0, "", why);
    k->left_out++;
}

bg_status prepare_read(const bg_sys *sys, const char *path, uint64_t limit, uint8_t **data, size_t *size, bg_error *err)
{
    bg_error why;
    const bg_status s = bg_read_file(sys, path, limit, data, size, &why);
    return s == BG_OK ? s : bg_fail(err, s == BG_ERR_MEMORY ? s : BG_ERR_FORMAT, "%s", why.text);
}

size_t prepare_mark(const uint8_t *data, size_t size) { return size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; }

uint64_t prepare_part(const prepare_sink *k) { return k->part; }

/* --- a round --------------------------------------------------------------------------------- */

/* What the journal calls it: a source's path, with the number behind it where there are several. */
static char *done_name(const run_state *r, const work_item *item)
{
    const char *path = r->sources.items[item->source].path;
    return item->parts == 1 ? bg_asprintf(r->sys, "%s", path) : bg_asprintf(r->sys, "%s\t%llu", path, (unsigned long long)item->part + 1);
}

static void make_one(void *arg, size_t task, unsigned thread)
{
    run_state *r = arg;
    bg_error err = { 0 };
    if (atomic_load(&r->failed))
        return;
    const work_item *item = &r->round[task];
    prepare_sink *k = &r->sinks[task];
    *k = (prepare_sink){ .r = r, .source = &r->sources.items[item->source], .part = item->part, .lines = { .sys = r->sys } };
    char *done = done_name(r, item);
    const bg_status s = k->source->unlabelled ? bg_fail(&err, BG_ERR_FORMAT, "%s: %s has no label for it", k->source->path, r->job->label_file)
                                              : r->tool->make(r->tool->settings, k->source, k, &err);
    if (s == BG_ERR_FORMAT || s == BG_ERR_NOT_FOUND) {
        memcpy(k->why, err.text, sizeof k->why);
        prepare_leave_out(k, err.text);
    } else if (s != BG_OK && !atomic_exchange(&r->failed, 1)) {
        r->error = err;
    }
    prepare_add(&k->lines, "=\t", 2);
    prepare_cell(&k->lines, done ? done : "", '\n');
    k->lines.failed |= !done;
    bg_free(r->sys, done);
}

static void tell(const run_state *r, const prepare_sink *k)
{
    char sentence[BG_ERROR_TEXT + 16];
    if (!r->job->notice)
        return;
    snprintf(sentence, sizeof sentence, "left out: %s", k->why);
    r->job->notice(r->job->ctx, sentence);
}

/* All that was written so far, to disk, before the journal says so. */
static bg_status flush_outputs(const run_state *r, bg_error *err)
{
    if (syncfs(r->journal.fd) == 0 || errno == ENOSYS)
        return BG_OK;
    return bg_fail_errno(err, 0, "cannot write to %s", r->job->out);
}

/* A program that was called may have been what the interruption met. */
static bg_status fail_round(const run_state *r, bg_error *err)
{
    if (r->error.code == BG_ERR_INTERRUPTED)
        return bg_fail(err, BG_ERR_INTERRUPTED, "%s: stopped; the same command goes on", r->job->out);
    return bg_fail(err, r->error.code, "%s", r->error.text);
}

static bg_status end_round(run_state *r, bg_error *err)
{
    bg_status s = atomic_load(&r->failed) ? fail_round(r, err) : flush_outputs(r, err);
    for (size_t i = 0; i < r->round_count; i++) {
        prepare_sink *k = &r->sinks[i];
        if (s == BG_OK)
            s = prepare_journal_put(&r->journal, &k->lines, i + 1 == r->round_count, err);
        if (s == BG_OK) {
            r->totals->written += k->written;
            r->totals->bytes += k->bytes;
            r->totals->left_out += k->left_out;
            if (k->why[0] && k->written == 0)
                tell(r, k);
        }
        prepare_buffer_free(&k->lines);
    }
    return s;
}

/* 0: no memory for its name. */
static int take_item(run_state *r, const work_item *item)
{
    char *name = done_name(r, item);
    if (name && prepare_journal_has(&r->journal, name))
        r->totals->resumed++;
    else
        r->round[r->round_count++] = *item;
    bg_free(r->sys, name);
    return name != NULL;
}

static uint64_t parts_of(const run_state *r, size_t source)
{
    const prepare_tool *t = r->tool;
    return t->parts ? t->parts(t->settings, &r->sources.items[source]) : 1;
}

static bg_status run_rounds(run_state *r, bg_pool *pool, bg_error *err)
{
    uint64_t all = 0, done = 0;
    work_item next = { 0 };
    for (size_t i = 0; i < r->sources.count; i++)
        all += parts_of(r, i);
    while (done < all) {
        r->round_count = 0;
        for (; done < all && r->round_count < ROUND; done++) {
            next.parts = parts_of(r, next.source);
            if (!take_item(r, &next))
                return bg_fail_memory(err, r->sources.items[next.source].path, strlen(r->sources.items[next.source].path));
            if (++next.part == next.parts)
                next = (work_item){ .source = next.source + 1 };
        }
        memset(r->sinks, 0, ROUND * sizeof *r->sinks);
        for (size_t i = 0; i < r->round_count; i++)
            r->sinks[i].lines.sys = r->sys;
        bg_pool_run(pool, make_one, r, r->round_count);
        BG_TRY(end_round(r, err));
        if (r->job->progress && r->job->progress(r->job->ctx, done, all) && done < all)
            return bg_fail(err, BG_ERR_INTERRUPTED, "%s: stopped after %llu of %llu; the same command goes on", r->job->out, (unsigned long long)done, (unsigned long long)all);
    }
    return prepare_journal_finish(&r->journal, r->tool->described, err);
}

static bg_status make_folders(const run_state *r, bg_error *err)
{
    bg_status s = bg_make_folders(r->sys, r->job->out, err);
    for (const char *const *f = r->tool->folders; s == BG_OK && f && *f; f++) {
        char *path = bg_asprintf(r->sys, "%s/%s", r->job->out, *f);
        s = path ? bg_make_folders(r->sys, path, err) : bg_fail_memory(err, *f, strlen(*f));
        bg_free(r->sys, path);
    }
    return s;
}

/* What the parent folder of a path is; 0: nobody knows. */
static int stat_parent(const bg_sys *sys, const char *path, bg_file_stat *st)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? bg_asprintf(sys, "%.*s", (int)(slash - path) + 1, path) : bg_strdup(sys, ".");
    const int known = parent && sys->stat(sys->ctx, parent, st) == 0;
    bg_free(sys, parent);
    return known;
}

/* An output could fall upon a source that lies where the outputs go: in `out` or in one of the tool's folders there. */
static bg_status keep_apart(const run_state *r, bg_error *err)
{
    bg_file_stat places[1 + MOST_FOLDERS], st;
    size_t count = 0;
    for (const char *const *f = r->tool->folders; count == 0 || (f && f[count - 1]); count++) {
        char *path = count == 0 ? bg_strdup(r->sys, r->job->out) : bg_asprintf(r->sys, "%s/%s", r->job->out, f[count - 1]);
        const int known = path && count <= MOST_FOLDERS && r->sys->stat(r->sys->ctx, path, &places[count]) == 0;
        bg_free(r->sys, path);
        if (!known)
            return bg_fail_errno(err, 0, "cannot look at the folders of %s", r->job->out);
    }
    for (size_t i = 0; i < r->sources.count; i++) {
        const char *path = r->sources.items[i].path;
        const int known = stat_parent(r->sys, path, &st);
        for (size_t k = 0; known && k < count; k++)
            if (st.device == places[k].device && st.inode == places[k].inode)
                return bg_fail(err, BG_ERR_ARGUMENT, "%s lies in the folder that the outputs go to: choose another", path);
    }
    return BG_OK;
}

bg_status prepare_run(const prepare_job *j, const prepare_tool *t, unsigned threads, const bg_sys *sys, prepare_totals *totals, bg_error *err)
{
    run_state r = { .job = j, .tool = t, .sys = sys, .totals = totals };
    bg_pool *pool = NULL;
    memset(totals, 0, sizeof *totals);
    BG_TRY(prepare_sources_open(&r.sources, j, sys, err)); /* first: a name mistyped leaves no folder behind */
    totals->sources = r.sources.count;
    bg_status s = make_folders(&r, err);
    if (s == BG_OK)
        s = keep_apart(&r, err);
    if (s == BG_OK)
        s = prepare_journal_open(&r.journal, j->out, t->described, j->overwrite, sys, err);
    const int opened = s == BG_OK;
    if (s == BG_OK && !(r.sinks = bg_alloc_zero(sys, ROUND, sizeof *r.sinks)))
        s = bg_fail_memory(err, "the outputs of a round", ROUND * sizeof *r.sinks);
    if (s == BG_OK)
        s = bg_pool_open(&pool, sys, threads, err);
    if (s == BG_OK && t->survey)
        s = t->survey(t->settings, r.sources.items, r.sources.count, pool, err);
    if (s == BG_OK)
        s = run_rounds(&r, pool, err);
    bg_pool_close(pool);
    bg_free(sys, r.sinks);
    if (opened)
        prepare_journal_close(&r.journal);
    prepare_sources_close(&r.sources);
    return s;
}
