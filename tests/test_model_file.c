/* Models in files: saving and loading, checkpoints, weights taken from another
 * model, and what happens when the file or the system fails. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/file.h"
#include "tests/support_check.h"
#include "tests/support_every.h"
#include "tests/support_folder.h"
#include "tests/support_machine.h"

#define PATCH "patch_level_decoder."

static const bg_config plain = { 64, 1, 1, 64, 5, 2, 0, 0, 0, 0, 0, 0, 0 };
static const bg_config wide_bytes = { 64, 1, 2, 128, 5, 3, 0, BG_PREVIOUS_COLUMN, 9, 1, 6, 1, 0 };
static const bg_config classifier = { 64, 2, 0, 64, 5, 2, 7, 0, 0, 0, 0, 0, 0 };

/* All tensors of two models, bit by bit (the gaps between them mean nothing). */
static void check_same(bg_model *a, bg_model *b)
{
    const bg_params *p = bg_model_params(a);
    for (uint32_t i = 0; i < p->count; i++) {
        const bg_tensor *t = &p->tensors[i];
        const float *x = bg_model_weights(a) + t->offset, *y = bg_model_weights(b) + t->offset;
        for (size_t k = 0; k < t->count; k++)
            if (memcmp(x + k, y + k, sizeof *x) != 0)
                fail_msg("%s value %zu: %.9g and %.9g", t->name, k, x[k], y[k]);
    }
}

/* --- saving and loading -------------------------------------------------------------- */

static void round_trip(const bg_config *c)
{
    const char *path = fs_path(folder, "round.safetensors");
    machine a, b;
    bg_meta meta, back;
    bg_error err;
    open_machine(&a, c, 1);
    open_backend(&b, c);
    bg_meta_open(&meta, bg_sys_default());
    bg_meta_open(&back, bg_sys_default());
    CHECK_OK(bg_meta_set(&meta, "format", "pt", &err), err);
    CHECK_OK(bg_meta_set(&meta, "label", "not UTF-8: \xff", &err), err);
    CHECK_OK(bg_model_save(a.model, path, 1, &meta, NULL, 0, &err), err);
    CHECK_OK(bg_model_load(&b.model, path, b.be, 0, &back, &err), err);
    assert_memory_equal(bg_model_config(b.model), bg_model_config(a.model), sizeof(bg_config));
    check_same(a.model, b.model);
    assert_string_equal(bg_meta_get(&back, "format"), "pt");
    assert_string_equal(bg_meta_get(&back, "label"), "not UTF-8: \xef\xbf\xbd");
    bg_meta_close(&meta);
    bg_meta_close(&back);
    close_machine(&a);
    close_machine(&b);
}

static void round_trips(void **state)
{
    round_trip(&plain);
    round_trip(&wide_bytes);
    round_trip(&classifier);
}

/* The file holds (H, P*257), memory (P*257, H): the reference's order on disk. */
static void transposed_on_disk(void **state)
{
    const char *path = fs_path(folder, "transposed.safetensors");
    machine a;
    bg_st_file f;
    bg_error err;
    static float rows[64 * 2 * 257];
    open_machine(&a, &plain, 2);
    CHECK_OK(bg_model_save(a.model, path, 1, NULL, NULL, 0, &err), err);
    CHECK_OK(bg_st_open(&f, bg_sys_default(), path, &err), err);
    const bg_tensor *t = bg_params_find(bg_model_params(a.model), PATCH "patch_embedding.weight");
    CHECK_OK(bg_st_read(&f, bg_st_find(&f, t->name), 0, rows, t->count, &err), err);
    const float *flat = bg_model_weights(a.model) + t->offset;
    for (size_t h = 0; h < 64; h++)
        for (size_t k = 0; k < 2 * 257; k++)
            assert_true(rows[h * 2 * 257 + k] == flat[k * 64 + h]);
    bg_st_close(&f);
    close_machine(&a);
}

static void checkpoint(void **state)
{
    const char *path = fs_path(folder, "checkpoint.safetensors");
    machine a, b;
    bg_st_file f;
    bg_error err;
    open_machine(&a, &plain, 3);
    open_machine(&b, &plain, 4);
    const size_t n = bg_model_params(a.model)->floats;
    float *m = bg_alloc(bg_sys_default(), n, 4 * sizeof *m), *v = m + n, *m2 = v + n, *v2 = m2 + n;
    for (size_t i = 0; i < n; i++) {
        m[i] = (float)i;
        v[i] = -(float)i;
        m2[i] = v2[i] = 0;
    }
    const bg_extra extra[2] = { { "optimizer.m.", m }, { "optimizer.v.", v } };
    const bg_extra back[3] = { { "optimizer.m.", m2 }, { "optimizer.v.", v2 }, { "optimizer.x.", v2 } };
    CHECK_OK(bg_model_save(a.model, path, 1, NULL, extra, 2, &err), err);
    CHECK_OK(bg_st_open(&f, bg_sys_default(), path, &err), err);
    CHECK_OK(bg_file_load_weights(b.model, &f, &err), err);
    CHECK_OK(bg_file_load_extra(b.model, &f, &back[0], &err), err);
    CHECK_OK(bg_file_load_extra(b.model, &f, &back[1], &err), err);
    CHECK_FAILS(bg_file_load_extra(b.model, &f, &back[2], &err), BG_ERR_FORMAT, "optimizer.x.", err);
    check_same(a.model, b.model);
    const bg_params *p = bg_model_params(a.model);
    for (uint32_t i = 0; i < p->count; i++)
        for (size_t k = p->tensors[i].offset; k < p->tensors[i].offset + p->tensors[i].count; k++)
            assert_true(m2[k] == m[k] && v2[k] == v[k]);
    bg_st_close(&f);
    bg_free(bg_sys_default(), m);
    close_machine(&a);
    close_machine(&b);
}

/* A classifier from a generative model: what both have, and nothing else. */
static void matching(void **state)
{
    const bg_config other = { 64, 2, 0, 64, 5, 2, 7, 0, 0, 0, 0, 0, 0 };
    const char *path = fs_path(folder, "generative.safetensors");
    machine a, b, c;
    bg_st_file f;
    bg_error err;
    uint32_t loaded = 0;
    open_machine(&a, &plain, 5);
    open_machine(&b, &other, 6);
    open_machine(&c, &other, 6);
    CHECK_OK(bg_model_save(a.model, path, 1, NULL, NULL, 0, &err), err);
    CHECK_OK(bg_st_open(&f, bg_sys_default(), path, &err), err);
    CHECK_OK(bg_file_load_matching(b.model, &f, &loaded, &err), err);
    assert_int_equal(loaded, 6 + 12); /* the patch decoder with its one block */
    const bg_params *p = bg_model_params(b.model);
    for (uint32_t i = 0; i < p->count; i++) {
        const bg_tensor *t = &p->tensors[i], *u = bg_params_find(bg_model_params(a.model), t->name);
        const float *want = u ? bg_model_weights(a.model) + u->offset : bg_model_weights(c.model) + t->offset;
        assert_memory_equal(bg_model_weights(b.model) + t->offset, want, t->count * sizeof *want);
    }
    bg_st_close(&f);
    close_machine(&a);
    close_machine(&b);
    close_machine(&c);
}

/* A longer or shorter context takes over the positions that both have. */
static void other_context(void **state)
{
    const uint32_t lengths[] = { plain.patches + 3, plain.patches - 2 };
    const char *path = fs_path(folder, "context.safetensors");
    machine a, b, fresh;
    bg_st_file f;
    bg_error err;
    uint32_t loaded;
    open_machine(&a, &plain, 5);
    CHECK_OK(bg_model_save(a.model, path, 1, NULL, NULL, 0, &err), err);
    CHECK_OK(bg_st_open(&f, bg_sys_default(), path, &err), err);
    for (int i = 0; i < 2; i++) {
        bg_config other = plain;
        other.patches = lengths[i];
        open_machine(&b, &other, 6);
        open_machine(&fresh, &other, 6);
        CHECK_OK(bg_file_load_matching(b.model, &f, &loaded, &err), err);
        assert_int_equal(loaded, bg_model_params(b.model)->count);
        const bg_tensor *t = bg_params_find(bg_model_params(b.model), BG_NAMED_POSITIONS), *u = bg_params_find(bg_model_params(a.model), BG_NAMED_POSITIONS);
        const size_t both = (size_t)(t->count < u->count ? t->count : u->count);
        const float *x = bg_model_weights(b.model) + t->offset;
        assert_memory_equal(x, bg_model_weights(a.model) + u->offset, both * sizeof *x);
        assert_memory_equal(x + both, bg_model_weights(fresh.model) + t->offset + both, ((size_t)t->count - both) * sizeof *x);
        close_machine(&b);
        close_machine(&fresh);
    }
    bg_st_close(&f);
    close_machine(&a);
}

/* --- what goes wrong -------------------------------------------------------------------- */

static void not_finite(void **state)
{
    const char *path = fs_path(folder, "nan.safetensors");
    machine a;
    bg_error err;
    bg_st_file f;
    size_t size;
    open_machine(&a, &plain, 7);
    CHECK_OK(bg_model_save(a.model, path, 1, NULL, NULL, 0, &err), err);
    unsigned char *bytes = fs_read(path, &size);
    const bg_tensor *t = bg_params_find(bg_model_params(a.model), PATCH "base.ln_f.bias");
    bg_model_weights(a.model)[t->offset + 9] = NAN;
    CHECK_FAILS(bg_model_save(a.model, path, 1, NULL, NULL, 0, &err), BG_ERR_FAILED, "base.ln_f.bias: value 9", err);
    assert_true(fs_holds(path, bytes, size)); /* the good file stays */
    CHECK_OK(bg_st_open(&f, bg_sys_default(), path, &err), err);
    const float infinite = INFINITY;
    memcpy(bytes + bg_st_find(&f, t->name)->begin + 4 * 11, &infinite, 4);
    bg_st_close(&f);
    fs_write(path, bytes, size);
    bg_model *m = a.model;
    CHECK_FAILS(bg_model_load(&m, path, a.be, 0, NULL, &err), BG_ERR_FORMAT, "base.ln_f.bias: value 11 is not a finite number", err);
    assert_null(m);
    free(bytes);
    close_machine(&a);
}

static void untied_head(void **state)
{
    const char *path = fs_path(folder, "head.safetensors");
    const uint64_t shape[2] = { BG_VOCAB, 64 };
    machine a;
    bg_error err;
    open_machine(&a, &plain, 8);
    const bg_params *p = bg_model_params(a.model);
    for (int differs = 0; differs < 2; differs++) {
        bg_st_writer w;
        bg_model *m = NULL;
        const bg_tensor *wte = bg_params_find(p, BG_TIED_WTE);
        static float zeros[64 * 2 * 257], head[257 * 64];
        memcpy(head, bg_model_weights(a.model) + wte->offset, sizeof head);
        head[5000] += differs ? 1.0f : 0.0f;
        CHECK_OK(bg_st_create(&w, bg_sys_default(), path, 1, NULL, &err), err);
        CHECK_OK(bg_st_declare(&w, BG_LM_HEAD, 2, shape, &err), err);
        for (uint32_t i = 0; i < p->count; i++)
            CHECK_OK(bg_st_declare(&w, p->tensors[i].name, p->tensors[i].dims, p->tensors[i].shape, &err), err);
        CHECK_OK(bg_st_begin_data(&w, &err), err);
        CHECK_OK(bg_st_data(&w, head, 257 * 64, &err), err);
        for (uint32_t i = 0; i < p->count; i++)
            CHECK_OK(bg_st_data(&w, &p->tensors[i] == wte ? bg_model_weights(a.model) + wte->offset : zeros, p->tensors[i].count, &err), err);
        CHECK_OK(bg_st_commit(&w, &err), err);
        if (differs)
            CHECK_FAILS(bg_model_load(&m, path, a.be, 0, NULL, &err), BG_ERR_FORMAT, "at value 5000, but they must be one matrix", err);
        else
            CHECK_OK(bg_model_load(&m, path, a.be, 0, NULL, &err), err);
        if (m)
            bg_model_close(m);
    }
    close_machine(&a);
}

static void cut_files(void **state)
{
    const char *path = fs_path(folder, "whole.safetensors"), *cut = fs_path(folder, "cut.safetensors");
    machine a;
    bg_error err;
    size_t size;
    open_machine(&a, &plain, 9);
    CHECK_OK(bg_model_save(a.model, path, 1, NULL, NULL, 0, &err), err);
    unsigned char *bytes = fs_read(path, &size);
    /* every length of the header's first part, then steps that share no factor with it */
    for (size_t n = 0; n < size; n += n < 600 ? 1 : 7919) {
        bg_model *m = a.model;
        fs_write(cut, bytes, n);
        CHECK_FAILS(bg_model_load(&m, cut, a.be, 0, NULL, &err), BG_ERR_FORMAT, "cut.safetensors", err);
        assert_null(m);
    }
    free(bytes);
    close_machine(&a);
}

/* A disk that takes everything and keeps one bit wrong: hooks around libc's. */
typedef struct bad_disk {
    bg_sys sys;
    uint64_t written, wrong_at;
} bad_disk;

static ssize_t bad_write(void *ctx, int fd, const void *buf, size_t n)
{
    bad_disk *d = ctx;
    char *copy = malloc(n);
    memcpy(copy, buf, n);
    if (d->wrong_at >= d->written && d->wrong_at < d->written + n)
        copy[d->wrong_at - d->written] = (char)(copy[d->wrong_at - d->written] ^ 1);
    d->written += n;
    const ssize_t r = bg_sys_default()->write(NULL, fd, copy, n);
    free(copy);
    return r;
}

static void bad_bits_are_found(void **state)
{
    const char *path = fs_path(folder, "disk.safetensors");
    machine a;
    bg_error err;
    size_t size;
    open_machine(&a, &plain, 10);
    CHECK_OK(bg_model_save(a.model, path, 1, NULL, NULL, 0, &err), err);
    unsigned char *bytes = fs_read(path, &size);
    for (uint64_t at = 3; at < size; at += at < 100 ? 13 : size / 17) {
        bad_disk d = { *bg_sys_default(), 0, at };
        d.sys.ctx = &d;
        d.sys.write = bad_write;
        a.be->sys = &d.sys;
        CHECK_FAILS(bg_model_save(a.model, path, 1, NULL, NULL, 0, &err), BG_ERR_IO, "could not be read back", err);
        a.be->sys = bg_sys_default();
        assert_true(fs_holds(path, bytes, size));
    }
    free(bytes);
    close_machine(&a);
}

typedef struct job {
    machine *m;
    char *path;
} job;

static bg_status save_job(const bg_sys *sys, void *ctx, bg_error *err)
{
    job *j = ctx;
    const bg_sys *kept = j->m->be->sys;
    bg_meta meta;
    bg_meta_open(&meta, sys);
    bg_status s = bg_meta_set(&meta, "k", "v", err);
    j->m->be->sys = sys;
    if (s == BG_OK)
        s = bg_model_save(j->m->model, j->path, 1, &meta, NULL, 0, err);
    j->m->be->sys = kept;
    bg_meta_close(&meta);
    return s;
}

static bg_status load_job(const bg_sys *sys, void *ctx, bg_error *err)
{
    job *j = ctx;
    const bg_sys *kept = j->m->be->sys;
    bg_meta meta;
    bg_model *m = NULL;
    bg_meta_open(&meta, sys);
    j->m->be->sys = sys;
    const bg_status s = bg_model_load(&m, j->path, j->m->be, 0, &meta, err);
    if (m)
        bg_model_close(m);
    j->m->be->sys = kept;
    bg_meta_close(&meta);
    return s;
}

static void faults(void **state)
{
    machine a;
    bg_error err;
    open_machine(&a, &plain, 11);
    job j = { &a, strdup(fs_path(folder, "fault.safetensors")) }; /* fs_path()'s buffers are used again meanwhile */
    CHECK_OK(save_job(bg_sys_default(), &j, &err), err);
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        every_call_fails(folder, (fault_kind)kind, load_job, NULL, &j);
        every_call_fails(folder, (fault_kind)kind, save_job, load_job, &j);
    }
    free(j.path);
    close_machine(&a);
}

static void full_disk(void **state)
{
    machine a;
    bg_error err;
    open_machine(&a, &plain, 12);
    CHECK_FAILS(bg_model_save(a.model, "/dev/full", 1, NULL, NULL, 0, &err), BG_ERR_IO, "/dev/full", err);
    CHECK_FAILS(bg_model_save(a.model, fs_path(folder, "no/such/folder"), 1, NULL, NULL, 0, &err), BG_ERR_IO, "no/such/folder", err);
    close_machine(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(transposed_on_disk),
        cmocka_unit_test(checkpoint),
        cmocka_unit_test(matching),
        cmocka_unit_test(other_context),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(untied_head),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(bad_bits_are_found),
        cmocka_unit_test(faults),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests_name("model files", tests, make_folder, remove_folder);
}
