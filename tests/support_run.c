/* See support_run.h.  Refuses to be part of the library. */
#define _GNU_SOURCE
#include "tests/support_run.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

/* --- data ----------------------------------------------------------------------- */

static void write_text(const char *folder, const char *name, const char *word, int times)
{
    char text[4096] = "";
    for (int i = 0; i < times; i++)
        strcat(text, word);
    fs_write_text(fs_path(folder, name), text);
}

void run_write_data(const char *folder)
{
    static const char *const words[] = { "ab", "do re mi ", "X:1\nK:C\n", "0123456", "to be or not ", "zz", "CDEF|" };
    char name[64];
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "data/file%d.txt", i);
        write_text(folder, name, words[i], 2 + 3 * i % 7);
    }
    write_text(folder, "data/empty.txt", "", 0);
    write_text(folder, "data/long.abc", "|:GABc dedB:|", 40); /* 520 bytes: the context holds 112 */
    write_text(folder, "validation/one.txt", "do re mi fa ", 5);
    write_text(folder, "validation/two.abc", "|:GABc dedB:|", 20);
    write_text(folder, "pairs/t.aa", "ab", 8);
    write_text(folder, "pairs/t.bb", "ba", 8);
    write_text(folder, "pairs/u.aa", "abc", 5);
    write_text(folder, "pairs/u.bb", "cba", 5);
    write_text(folder, "classes/low_1.txt", "ab", 20);
    write_text(folder, "classes/low_2.txt", "ab", 25);
    write_text(folder, "classes/high_1.txt", "yz", 20);
    write_text(folder, "classes/high_2.txt", "yz", 25);
}

/* --- training --------------------------------------------------------------------- */

static void notice(void *ctx, const char *sentence)
{
    run_setup *r = ctx;
    size_t n = strlen(r->notices);
    snprintf(r->notices + n, sizeof r->notices - n, "%s\n", sentence);
}

static int progress(void *ctx, const bgpt_progress *p)
{
    run_setup *r = ctx;
    r->steps_seen++;
    r->last_loss = p->loss;
    r->last_bytes = p->bytes;
    if (p->evaluated)
        r->last_val = p->val_loss;
    if (p->best) {
        r->best_val = p->val_loss;
        r->best_step = p->step;
    }
    if (r->count) {
        const uint64_t now = r->count->calls[FAULT_ALLOC];
        if (r->count_from_here && !p->evaluated && !p->saved) {
            r->counted += now - r->calls_before;
            r->steps_counted++;
        }
        r->count_from_here = 1;
        r->calls_before = now;
    }
    if (r->remove && p->step == 3)
        unlink(r->remove);
    return r->stop_at && p->step >= r->stop_at;
}

static int stop(void *ctx)
{
    run_setup *r = ctx;
    return ++r->polls == r->stop_at_poll;
}

static int no_fsync(void *ctx, int fd) { return 0; }

void run_prepare(run_setup *r, const char *folder, const char *out)
{
    memset(r, 0, sizeof *r);
    snprintf(r->paths[0], sizeof r->paths[0], "%s/data", folder);
    snprintf(r->paths[1], sizeof r->paths[1], "%s/validation", folder);
    snprintf(r->paths[2], sizeof r->paths[2], "%s/%s", folder, out);
    r->data[0] = r->paths[0];
    r->validation[0] = r->paths[1];
    r->hooks = bgpt_default_hooks();
    r->hooks.fsync = no_fsync;
    r->options = (bgpt_options){ .threads = 1, .precision = BGPT_FP32, .hooks = &r->hooks };
    r->train = (bgpt_train){
        .data = { .paths = r->data, .count = 1 }, .out = r->paths[2],
        .config = { .hidden = 64, .patch_layers = 1, .byte_layers = 1, .patches = 16, .patch_size = 8 },
        .steps = 6, .batch = 2, .lr = 1e-3, .save_every = -1, .seed = 7,
        .progress = progress, .stop = stop, .notice = notice, .ctx = r,
    };
}

void run_prepare_long(run_setup *r, const char *folder, const char *out)
{
    run_prepare(r, folder, out);
    r->train.validation = (bgpt_data){ .paths = r->validation, .count = 1 };
    r->train.steps = 12;
    r->train.dropout = 0.1;
    r->train.accumulate = 2;
    r->train.patch_sampling = 9;
    r->train.eval_every = 3;
}

int run_train(run_setup *r, bgpt_status wanted, bgpt_error *err)
{
    bgpt_error own;
    bgpt_error *e = err ? err : &own;
    e->text[0] = 0;
    r->notices[0] = 0;
    r->steps_seen = r->polls = 0;
    r->train.ctx = r;
    bgpt_status s = bgpt_train_run(&r->train, &r->options, e);
    if (s != wanted || (s != BGPT_OK && (!e->text[0] || e->code != s))) {
        printf("training gave %d (%s), wanted %d\n", (int)s, e->text, (int)wanted);
        return 0;
    }
    return 1;
}

/* --- the folder of a group ----------------------------------------------------------- */

char *run_folder;

int run_set_up(void **state)
{
    run_folder = fs_make_folder();
    run_write_data(run_folder);
    return 0;
}

int run_tear_down(void **state)
{
    fs_remove_folder(run_folder);
    return 0;
}

const char *run_in(const char *name) { return fs_path(run_folder, name); }

void run_whole(void)
{
    run_setup r;
    if (access(run_in("whole/model.safetensors"), R_OK) == 0)
        return;
    run_prepare_long(&r, run_folder, "whole");
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_equal(r.steps_seen, 12);
}

/* --- comparisons --------------------------------------------------------------------- */

static int same_bytes(const char *a, const char *b, int skip_header)
{
    size_t na, nb, i = 0;
    unsigned char *da = fs_read(a, &na), *db = fs_read(b, &nb);
    if (!da || !db) {
        printf("%s is not there\n", da ? b : a);
        free(da);
        free(db);
        return 0;
    }
    size_t sa = 0, sb = 0;
    if (skip_header) {
        uint64_t h[2];
        memcpy(&h[0], da, 8);
        memcpy(&h[1], db, 8);
        sa = 8 + (size_t)h[0];
        sb = 8 + (size_t)h[1];
    }
    while (sa + i < na && sb + i < nb && da[sa + i] == db[sb + i])
        i++;
    int same = sa + i == na && sb + i == nb && i > 0;
    if (!same)
        printf("%s (%zu bytes) and %s (%zu bytes) differ from byte %zu on\n", a, na, b, nb, sa + i);
    free(da);
    free(db);
    return same;
}

int run_same_file(const char *a, const char *b) { return same_bytes(a, b, 0); }
int run_same_tensors(const char *a, const char *b) { return same_bytes(a, b, 1); }

/* Blank out the digits behind every "seconds": */
static void blank_seconds(char *text)
{
    for (char *p = text; (p = strstr(p, "\"seconds\": ")) != NULL;)
        for (p += 11; *p && *p != ','; p++)
            *p = ' ';
}

/* Runs of blanks do not count, for numbers differ in length. */
static int same_text(const char *a, const char *b)
{
    for (;;) {
        a += strspn(a, " ");
        b += strspn(b, " ");
        if (*a != *b)
            return 0;
        if (!*a)
            return 1;
        a++;
        b++;
    }
}

int run_same_log(const char *folder_a, const char *folder_b)
{
    size_t n;
    char *a = (char *)fs_read(fs_path(folder_a, "log.jsonl"), &n);
    char *b = (char *)fs_read(fs_path(folder_b, "log.jsonl"), &n);
    assert_non_null(a);
    assert_non_null(b);
    blank_seconds(a);
    blank_seconds(b);
    int same = *a && same_text(a, b);
    if (!same)
        printf("logs differ:\n%s---\n%s", a, b);
    free(a);
    free(b);
    return same;
}

int run_same_run(const char *folder_a, const char *folder_b, unsigned step)
{
    char name[64];
    snprintf(name, sizeof name, "checkpoint-%u.safetensors", step);
    return run_same_file(fs_path(folder_a, "model.safetensors"), fs_path(folder_b, "model.safetensors")) &
           run_same_tensors(fs_path(folder_a, name), fs_path(folder_b, name)) & run_same_log(folder_a, folder_b);
}

/* --- files ------------------------------------------------------------------------------ */

void run_flip(const char *path, double share)
{
    size_t n;
    unsigned char *data = fs_read(path, &n);
    assert_non_null(data);
    data[(size_t)((double)(n - 1) * share)] ^= 4;
    fs_write(path, data, n);
    free(data);
}

void run_cut(const char *path, double share)
{
    size_t n;
    unsigned char *data = fs_read(path, &n);
    assert_non_null(data);
    fs_write(path, data, (size_t)((double)n * share));
    free(data);
}

void run_copy(const char *from, const char *to)
{
    size_t n;
    unsigned char *data = fs_read(from, &n);
    assert_non_null(data);
    fs_write(to, data, n);
    free(data);
}

void run_remove(const char *folder, const char *sub, const char *part)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, sub);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (e->d_type == DT_REG && strstr(e->d_name, part)) {
            snprintf(path, sizeof path, "%s/%s/%s", folder, sub, e->d_name);
            unlink(path);
        }
    if (d)
        closedir(d);
}

/* --- hooks --------------------------------------------------------------------------------- */

static void give_stat(bgpt_file_stat *out, const bg_file_stat *from)
{
    *out = (bgpt_file_stat){ (int)from->kind, from->size, from->device, from->inode };
}

static int hook_stat(void *ctx, const char *path, bgpt_file_stat *out)
{
    bg_file_stat st = { 0 };
    int r = ((fault_sys *)ctx)->sys.stat(ctx, path, &st);
    give_stat(out, &st);
    return r;
}

static int hook_fstat(void *ctx, int fd, bgpt_file_stat *out)
{
    bg_file_stat st = { 0 };
    int r = ((fault_sys *)ctx)->sys.fstat(ctx, fd, &st);
    give_stat(out, &st);
    return r;
}

/* A file in memory takes the place of the real one. */
static int hook_fsync(void *ctx, int fd)
{
    static int memory = -1;
    if (memory < 0)
        memory = memfd_create("fsync", 0);
    return ((fault_sys *)ctx)->sys.fsync(ctx, memory);
}

bgpt_hooks run_hooks(fault_sys *f)
{
    const bg_sys *s = &f->sys;
    return (bgpt_hooks){
        .ctx = f, .alloc = s->alloc, .free = s->free,
        .open = s->open, .pread = s->pread, .read = s->read, .write = s->write,
        .fsync = hook_fsync, .truncate = s->truncate, .close = s->close,
        .stat = hook_stat, .fstat = hook_fstat,
        .rename = s->rename, .unlink = s->unlink, .mkdir = s->mkdir,
        .opendir = s->opendir, .readdir = s->readdir, .closedir = s->closedir,
    };
}
