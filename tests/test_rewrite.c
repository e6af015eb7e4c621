/* Model files made of model files: half the size, and the mean of several. */
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

static const bg_config plain = { 64, 1, 1, 64, 5, 2, 0, 0, 0, 0, 0, 0, 0 };
static const bg_config wider = { 64, 1, 1, 128, 5, 2, 0, 0, 0, 0, 0, 0, 0 };
static const bg_config classifier = { 64, 2, 0, 64, 5, 2, 7, 0, 0, 0, 0, 0, 0 };

/* Half the size, the metadata, weights to eleven bits; a checkpoint gives its weights; faults leave nothing behind. */
static bg_status compact_job(const bg_sys *sys, void *ctx, bg_error *err)
{
    char *const *paths = ctx;
    return bg_model_compact(sys, paths[0], paths[1], 1, err);
}

static bg_status open_made(const bg_sys *sys, void *ctx, bg_error *err)
{
    char *const *paths = ctx;
    bg_st_file f;
    BG_TRY(bg_st_open(&f, sys, paths[1], err));
    bg_st_close(&f);
    return BG_OK;
}

static void compact(void **state)
{
    char *paths[] = { strdup(fs_path(folder, "whole.safetensors")), strdup(fs_path(folder, "compact.safetensors")) };
    machine a, b;
    bg_meta meta;
    bg_error err;
    size_t whole, half;
    open_machine(&a, &plain, 13);
    open_backend(&b, &plain);
    bg_meta_open(&meta, bg_sys_default());
    CHECK_OK(bg_meta_set(&meta, "licence", "MIT", &err), err);
    const bg_extra extra[] = { { "optimizer.m.", bg_model_weights(a.model) } };
    CHECK_OK(bg_model_save(a.model, paths[0], 1, &meta, extra, 1, &err), err);
    CHECK_OK(compact_job(bg_sys_default(), paths, &err), err);
    bg_meta_close(&meta);
    bg_meta_open(&meta, bg_sys_default());
    CHECK_OK(bg_model_load(&b.model, paths[1], b.be, 0, &meta, &err), err);
    assert_string_equal(bg_meta_get(&meta, "licence"), "MIT");
    free(fs_read(paths[0], &whole));
    free(fs_read(paths[1], &half));
    assert_true(half < whole / 3); /* the moments went too */
    const bg_params *p = bg_model_params(a.model);
    for (uint32_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < p->tensors[i].count; k++) {
            const float x = bg_model_weights(a.model)[p->tensors[i].offset + k], y = bg_model_weights(b.model)[p->tensors[i].offset + k];
            assert_true(fabsf(x - y) <= fabsf(x) * 0x1p-11f + 0x1p-25f);
        }
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        every_call_fails(folder, (fault_kind)kind, compact_job, open_made, paths);
    bg_model_weights(a.model)[p->tensors[0].offset] = 1e6f;
    CHECK_OK(bg_model_save(a.model, paths[0], 1, NULL, NULL, 0, &err), err);
    CHECK_FAILS(compact_job(bg_sys_default(), paths, &err), BG_ERR_FAILED, "is 1e+06, beyond what 16 bits hold", err);
    bg_meta_close(&meta);
    close_machine(&a);
    close_machine(&b);
    free(paths[0]);
    free(paths[1]);
}

/* --- the mean -------------------------------------------------------------------- */

/* A model of normal numbers of this seed, in a file. */
static char *save_model(const char *name, const bg_config *c, uint64_t seed, const char *key, const char *value)
{
    char *path = strdup(fs_path(folder, name));
    machine m;
    bg_meta meta;
    bg_error err;
    open_machine(&m, c, seed);
    bg_meta_open(&meta, bg_sys_default());
    CHECK_OK(bg_meta_set(&meta, key, value, &err), err);
    CHECK_OK(bg_model_save(m.model, path, 1, &meta, NULL, 0, &err), err);
    bg_meta_close(&meta);
    close_machine(&m);
    return path;
}

static bg_status average_job(const bg_sys *sys, void *ctx, bg_error *err)
{
    char *const *paths = ctx; /* the result, then three models */
    return bg_model_average(sys, (const char *const *)paths + 2, (const double[]){ 1, 0, 3 }, 3, paths[1], 1, err);
}

/* By its shares, each value to the last bit but one of a float; the metadata of the first; faults leave nothing behind. */
static void average(void **state)
{
    char *paths[] = { NULL, strdup(fs_path(folder, "mean.safetensors")), save_model("a.safetensors", &plain, 1, "licence", "MIT"), save_model("b.safetensors", &plain, 2, "licence", "none"),
                      save_model("c.safetensors", &plain, 3, "licence", "none") };
    machine a, c, mean;
    bg_meta meta;
    bg_error err;
    CHECK_OK(average_job(bg_sys_default(), paths, &err), err);
    open_machine(&a, &plain, 1);
    open_machine(&c, &plain, 3);
    open_backend(&mean, &plain);
    bg_meta_open(&meta, bg_sys_default());
    CHECK_OK(bg_model_load(&mean.model, paths[1], mean.be, 0, &meta, &err), err);
    assert_string_equal(bg_meta_get(&meta, "licence"), "MIT");
    const bg_params *p = bg_model_params(a.model);
    for (uint32_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < p->tensors[i].count; k++) {
            const size_t at = p->tensors[i].offset + k;
            const double want = 0.25 * bg_model_weights(a.model)[at] + 0.75 * bg_model_weights(c.model)[at];
            assert_true(fabs(bg_model_weights(mean.model)[at] - want) <= fabs(want) * 0x1p-23);
        }
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        every_call_fails(folder, (fault_kind)kind, average_job, open_made, paths);
    bg_meta_close(&meta);
    close_machine(&a);
    close_machine(&c);
    close_machine(&mean);
    for (size_t i = 1; i < 5; i++)
        free(paths[i]);
}

/* Of one model: that model, bit by bit. */
static void average_of_one(void **state)
{
    char *a = save_model("a.safetensors", &plain, 1, "licence", "MIT"), *out = strdup(fs_path(folder, "same.safetensors"));
    size_t n;
    bg_error err;
    CHECK_OK(bg_model_average(bg_sys_default(), (const char *const[]){ a }, NULL, 1, out, 0, &err), err);
    uint8_t *bytes = fs_read(a, &n);
    assert_true(fs_holds(out, bytes, n));
    free(bytes);
    free(a);
    free(out);
}

/* The state of a run is left behind, and of a mean what was measured of another model. */
static void what_it_says(void **state)
{
    char *a = strdup(fs_path(folder, "a.safetensors")), *mean = strdup(fs_path(folder, "mean.safetensors")), *half = strdup(fs_path(folder, "half.safetensors"));
    machine m;
    bg_meta meta;
    bg_st_file f;
    bg_error err;
    open_machine(&m, &plain, 1);
    bg_meta_open(&meta, bg_sys_default());
    CHECK_OK(bg_meta_set(&meta, "run.step", "7", &err), err);
    CHECK_OK(bg_meta_set(&meta, "val_loss", "0.5", &err), err);
    CHECK_OK(bg_meta_set(&meta, "licence", "MIT", &err), err);
    CHECK_OK(bg_model_save(m.model, a, 1, &meta, NULL, 0, &err), err);
    bg_meta_close(&meta);
    close_machine(&m);
    CHECK_OK(bg_model_average(bg_sys_default(), (const char *const[]){ a, a }, NULL, 2, mean, 0, &err), err);
    CHECK_OK(bg_model_compact(bg_sys_default(), a, half, 0, &err), err);
    for (int k = 0; k < 2; k++) {
        CHECK_OK(bg_st_open(&f, bg_sys_default(), k ? half : mean, &err), err);
        assert_null(bg_meta_get(&f.meta, "run.step"));
        assert_int_equal(bg_meta_get(&f.meta, "val_loss") != NULL, k);
        assert_string_equal(bg_meta_get(&f.meta, "licence"), "MIT");
        bg_st_close(&f);
    }
    free(a);
    free(mean);
    free(half);
}

static void not_to_be_averaged(void **state)
{
    char *a = save_model("a.safetensors", &plain, 1, "licence", "MIT"), *wide = save_model("wide.safetensors", &wider, 1, "licence", "MIT");
    char *sound = save_model("sound.safetensors", &plain, 1, "prepare", "audio");
    char *one = save_model("one.safetensors", &classifier, 1, "labels", "[\"x\"]"), *two = save_model("two.safetensors", &classifier, 1, "labels", "[\"y\"]");
    char *out = strdup(fs_path(folder, "none.safetensors")), *gone = strdup(fs_path(folder, "gone.safetensors"));
    bg_error err;
    const struct {
        const char *from[2], *says;
        double shares[2];
        bg_status status;
    } cases[] = {
        { { a, wide }, "wide.safetensors is of another shape", { 1, 1 }, BG_ERR_ARGUMENT }, { { one, two }, "two.safetensors has other labels", { 1, 1 }, BG_ERR_ARGUMENT },
        { { a, sound }, "sound.safetensors are prepared in another way", { 1, 1 }, BG_ERR_ARGUMENT }, { { a, a }, "a share of 1e+10", { 1, 1e10 }, BG_ERR_ARGUMENT },
        { { a, gone }, "gone.safetensors", { 1, 1 }, BG_ERR_NOT_FOUND },                  { { a, a }, "a share of -1", { 1, -1 }, BG_ERR_ARGUMENT },
        { { a, a }, "a share of nan", { 1, NAN }, BG_ERR_ARGUMENT },                       { { a, a }, "are 0", { 0, 0 }, BG_ERR_ARGUMENT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_FAILS(bg_model_average(bg_sys_default(), cases[i].from, cases[i].shares, 2, out, 1, &err), cases[i].status, cases[i].says, err);
        assert_false(bg_exists(bg_sys_default(), out));
    }
    CHECK_FAILS(bg_model_average(bg_sys_default(), NULL, NULL, 0, out, 1, &err), BG_ERR_ARGUMENT, "no models", err);
    char *all[] = { a, wide, sound, one, two, out, gone };
    for (size_t i = 0; i < 7; i++)
        free(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(compact, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(average, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(average_of_one, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_it_says, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(not_to_be_averaged, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
