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

enum { ROUND = 256, HASH_TEXT = 65 };

typedef struct run_state {
    const prepare_job *job;
    const prepare_tool *tool;
    const bg_sys *sys;
    prepare_sources sources;
    prepare_journal journal;
    prepare_totals *totals;
    size_t round[ROUND], round_count; /* sources of this round */
    prepare_sink *sinks;              /* (ROUND) */
    atomic_int failed;                /* the one who sets it owns `error` */
    bg_error error;
} run_state;

struct prepare_sink {
    run_state *r;
    const prepare_source *source;
    prepare_buffer lines;
    uint64_t written, bytes;
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

/* LABEL_STEM-NNNNNN.EXT */
static char *output_name(const prepare_sink *k, const char *label)
{
    const prepare_tool *t = k->r->tool;
    char number[24] = "";
    if (t->many || k->written)
        snprintf(number, sizeof number, "-%06llu", (unsigned long long)k->written + (t->many ? 1 : 0));
    return bg_asprintf(k->r->sys, "%s%s%s%s.%s", label, *label ? "_" : "", k->source->stem, number, t->extension);
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
static bg_status write_output(const bg_sys *sys, const char *path, const void *data, size_t size, bg_error *err)
{
    const int fd = sys->open(sys->ctx, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return bg_fail_errno(err, 0, "cannot create %s", path);
    bg_status s = bg_write_full(sys, path, fd, data, size, err);
    if (sys->close(sys->ctx, fd) != 0 && s == BG_OK)
        s = bg_fail_errno(err, 0, "cannot write %s", path);
    return s;
}

static bg_status put_named(prepare_sink *k, const char *label, const void *data, size_t size, bg_error *err)
{
    const bg_sys *sys = k->r->sys;
    char sum[HASH_TEXT], *name = output_name(k, label);
    char *path = name ? bg_asprintf(sys, "%s/%s", k->r->job->out, name) : NULL;
    bg_status s = path ? hash(sum, data, size, err) : bg_fail_memory(err, k->source->path, strlen(k->source->path));
    if (s == BG_OK)
        s = write_output(sys, path, data, size, err);
    if (s == BG_OK) {
        add_line(k, name, label, size, sum, "");
        k->written++;
        k->bytes += size;
    }
    bg_free(sys, path);
    bg_free(sys, name);
    return s;
}

bg_status prepare_put(prepare_sink *k, const char *label, const void *data, size_t size, bg_error *err)
{
    if (!label)
        return put_named(k, k->source->label, data, size, err);
    char *plain = prepare_label(k->r->sys, label, strlen(label));
    if (!plain)
        return bg_fail_memory(err, k->source->path, strlen(label));
    const bg_status s = put_named(k, plain, data, size, err);
    bg_free(k->r->sys, plain);
    return s;
}

/* --- a round --------------------------------------------------------------------------------- */

static void make_one(void *arg, size_t task, unsigned thread)
{
    run_state *r = arg;
    bg_error err = { 0 };
    if (atomic_load(&r->failed))
        return;
    prepare_sink *k = &r->sinks[task];
    *k = (prepare_sink){ .r = r, .source = &r->sources.items[r->round[task]], .lines = { .sys = r->sys } };
    const bg_status s = r->tool->make(r->tool->settings, k->source, k, &err);
    if (s == BG_ERR_FORMAT || s == BG_ERR_NOT_FOUND) {
        memcpy(k->why, err.text, sizeof k->why);
        add_line(k, "-", k->source->label, 0, "", err.text);
    } else if (s != BG_OK && !atomic_exchange(&r->failed, 1)) {
        r->error = err;
    }
    prepare_add(&k->lines, "=\t", 2);
    prepare_cell(&k->lines, k->source->path, '\n');
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

static bg_status end_round(run_state *r, bg_error *err)
{
    bg_status s = atomic_load(&r->failed) ? bg_fail(err, r->error.code, "%s", r->error.text) : flush_outputs(r, err);
    for (size_t i = 0; i < r->round_count; i++) {
        prepare_sink *k = &r->sinks[i];
        if (s == BG_OK)
            s = prepare_journal_put(&r->journal, &k->lines, i + 1 == r->round_count, err);
        if (s == BG_OK) {
            r->totals->written += k->written;
            r->totals->bytes += k->bytes;
            r->totals->left_out += k->why[0] != 0;
            if (k->why[0] && k->written == 0)
                tell(r, k);
        }
        prepare_buffer_free(&k->lines);
    }
    return s;
}

static bg_status run_rounds(run_state *r, bg_pool *pool, bg_error *err)
{
    for (size_t next = 0; next < r->sources.count;) {
        r->round_count = 0;
        for (; next < r->sources.count && r->round_count < ROUND; next++) {
            if (prepare_journal_has(&r->journal, r->sources.items[next].path))
                r->totals->resumed++;
            else
                r->round[r->round_count++] = next;
        }
        memset(r->sinks, 0, ROUND * sizeof *r->sinks);
        for (size_t i = 0; i < r->round_count; i++)
            r->sinks[i].lines.sys = r->sys;
        bg_pool_run(pool, make_one, r, r->round_count);
        BG_TRY(end_round(r, err));
        if (r->job->progress && r->job->progress(r->job->ctx, next, r->sources.count) && next < r->sources.count)
            return bg_fail(err, BG_ERR_INTERRUPTED, "%s: stopped after %zu of %zu files; the same command goes on", r->job->out, next, r->sources.count);
    }
    return prepare_journal_finish(&r->journal, err);
}

bg_status prepare_run(const prepare_job *j, const prepare_tool *t, unsigned threads, const bg_sys *sys, prepare_totals *totals, bg_error *err)
{
    run_state r = { .job = j, .tool = t, .sys = sys, .totals = totals };
    bg_pool *pool = NULL;
    memset(totals, 0, sizeof *totals);
    BG_TRY(bg_make_folders(sys, j->out, err));
    BG_TRY(prepare_sources_open(&r.sources, j, sys, err));
    totals->sources = r.sources.count;
    bg_status s = prepare_journal_open(&r.journal, j->out, t->described, j->overwrite, sys, err);
    const int opened = s == BG_OK;
    if (s == BG_OK && !(r.sinks = bg_alloc_zero(sys, ROUND, sizeof *r.sinks)))
        s = bg_fail_memory(err, "the outputs of a round", ROUND * sizeof *r.sinks);
    if (s == BG_OK)
        s = bg_pool_open(&pool, sys, threads, err);
    if (s == BG_OK)
        s = run_rounds(&r, pool, err);
    bg_pool_close(pool);
    bg_free(sys, r.sinks);
    if (opened)
        prepare_journal_close(&r.journal);
    prepare_sources_close(&r.sources);
    return s;
}
