/* Data sets of programs: their names, what a batch gets of them, order and
 * stream, curricula, and that evaluation never meets a training program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "data/dataset.h"
#include "tests/support_check.h"

static bg_error err;

/* --- names ------------------------------------------------------------------------ */

static void names(void **state)
{
    bg_programs p;
    assert_true(bg_programs_named("cpu:0"));
    assert_true(bg_programs_named("cpu:"));
    assert_false(bg_programs_named("./cpu:0"));
    assert_false(bg_programs_named("cpu"));
    CHECK_OK(bg_programs_parse(&p, "cpu:7", &err), err);
    assert_true(p.seed == 7 && p.count == 0 && p.ranges == 1 && p.range[0].least == 1 && p.range[0].most == 255);
    CHECK_OK(bg_programs_parse(&p, "cpu:18446744073709551615:100", &err), err);
    assert_true(p.seed == UINT64_MAX && p.count == 100);
    CHECK_OK(bg_programs_parse(&p, "cpu:0::1-16,1-64,256-256", &err), err);
    assert_true(p.count == 0 && p.ranges == 3 && p.range[1].most == 64 && p.range[2].least == 256 && p.now == 0);
    assert_int_equal(bg_programs_largest(&p), BG_SIM_FILE);
    assert_true(p.range[0].often == 0 && p.range[2].often == 0);
    CHECK_OK(bg_programs_parse(&p, "cpu:0::1-16,1-64:ADD,DIV", &err), err);
    assert_true(p.ranges == 2 && p.range[0].often == (1u << 13 | 1u << 16) && p.range[1].often == p.range[0].often);
}

static void wrong_names(void **state)
{
    static const char *const wrong[] = {
        "cpu:", "cpu:x", "cpu:-1", "cpu: 1", "cpu:18446744073709551616", "cpu:1:0", "cpu:1:x", "cpu:1:4294967295", "cpu:1:5:", "cpu:1::", "cpu:1:5:3",
        "cpu:1:5:3-", "cpu:1:5:0-3", "cpu:1:5:4-3", "cpu:1:5:1-257", "cpu:1:5:1-16,", "cpu:1:5:1-16;1-64", "cpu:1:5:1-16:9", "cpu:1:5:1-16:", "cpu:1:5:1-16:AD", "cpu:1:5:1-16:ADDS", "cpu:1:5:1-16:ADD,", "cpu:1:5:1-16:HLT", "cpu:1:5:1-16:ADD:SUB", "cpu:1:5:ADD", "cpu:1x", "cpu:1:5x",
        "cpu:1::1-2,1-2,1-2,1-2,1-2,1-2,1-2,1-2,1-2,1-2,1-2,1-2,1-2,1-2,1-2,1-2,1-2",
    };
    bg_programs p;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (bg_programs_parse(&p, wrong[i], &err) != BG_ERR_ARGUMENT || strncmp(err.text, wrong[i], strlen(wrong[i])) != 0)
            fail_msg("%s: taken, or refused without its name: %s", wrong[i], err.text);
    }
}

/* --- sets ---------------------------------------------------------------------------- */

static bg_dataset open_set(const char *name, bg_dataset_options o)
{
    bg_dataset d;
    CHECK_OK(bg_dataset_open(&d, bg_sys_default(), &name, 1, &o, &err), err);
    return d;
}

/* Does sequence f of the batch hold this file, as "bin" with start and end patch? */
static int holds(const bg_batch *b, uint32_t f, const uint8_t *file, size_t size)
{
    const uint16_t *s = b->tokens + (size_t)b->row_start[f] * b->P;
    if (b->row_start[f + 1] - b->row_start[f] != bg_file_patches(size, b->P) || s[0] != 'b' || s[2] != 'n' || s[3] != BG_SPECIAL)
        return 0;
    for (size_t i = 0; i < size; i++)
        if (s[b->P + i] != file[i])
            return 0;
    return s[b->P + size] == BG_SPECIAL;
}

static void whole_programs(void **state)
{
    uint8_t file[BG_SIM_FILE];
    size_t size;
    uint64_t bytes;
    bg_batch b;
    for (int target = 0; target < 2; target++) {
        bg_dataset d = open_set("cpu:3::1-16", (bg_dataset_options){ .P = 16, .N = 96, .training = 1, .loss_target = target });
        CHECK_OK(bg_batch_open(&b, bg_sys_default(), 16, 8, 8 * (uint32_t)bg_dataset_longest_item(&d), &err), err);
        for (uint32_t f = 0; f < 8; f++) {
            const size_t item = bg_dataset_index(&d, 99, 1000000 + f);
            assert_int_equal(item, 1000000 + f);
            CHECK_OK(bg_dataset_add(&d, &b, item, 99, f, &bytes, &err), err);
            bg_sim_instance(3, item, &(bg_sim_draw){ 1, 16, 0 }, file, &size);
            assert_true(holds(&b, f, file, size));
            assert_int_equal(bg_item_patches(&d, item), bg_file_patches(size, 16));
            assert_int_equal(bytes, target ? size - BG_SIM_IMAGE : size);
            assert_int_equal(bg_item_bytes(&d, item), bytes);
            /* start patch, 64 of memory and the first state are given: the second state is patch 66 */
            assert_int_equal(b.target[b.target_start[f]] - b.row_start[f], target ? 66 : 1);
            assert_int_equal(b.target[b.target_start[f + 1] - 1] + 1, b.row_start[f + 1]);
        }
        bg_batch_close(&b);
        bg_dataset_close(&d);
    }
}

/* Sequence f of `short_one` is that of `whole` without the patches [from, from + n), whose bytes are 0; all else is there, at its place. */
static void same_without(const bg_batch *whole, const bg_batch *short_one, uint32_t f, uint32_t from, uint32_t n)
{
    const uint32_t P = whole->P, a = whole->row_start[f], b = short_one->row_start[f];
    const uint32_t rows = whole->row_start[f + 1] - a;
    assert_int_equal(short_one->row_start[f + 1] - b, rows - n);
    for (uint32_t r = 0; r < rows; r++) {
        const uint16_t *symbols = whole->tokens + (size_t)(a + r) * P;
        const uint32_t k = b + (r < from ? r : r - n);
        for (uint32_t i = 0; i < P && r >= from && r < from + n; i++)
            assert_int_equal(symbols[i], 0);
        if (r >= from && r < from + n)
            continue;
        assert_memory_equal(symbols, short_one->tokens + (size_t)k * P, P * sizeof *symbols);
        assert_int_equal(short_one->position[k], r);
    }
    const uint32_t first = whole->target_start[f], other = short_one->target_start[f];
    assert_int_equal(whole->target_start[f + 1] - first, short_one->target_start[f + 1] - other);
    for (uint32_t t = first; t < whole->target_start[f + 1]; t++) {
        const uint32_t k = other + t - first;
        assert_int_equal(short_one->position[short_one->target[k]], whole->position[whole->target[t]]);
        assert_int_equal(short_one->source[k], short_one->target[k] - 1);
    }
}

static void empty_memory_left_out(void **state)
{
    static const uint32_t sizes[] = { 16, 7, 64 };
    enum { FILES = 40 };
    for (size_t i = 0; i < 3; i++) {
        const uint32_t P = sizes[i], N = 600;
        uint32_t skipped = 0;
        uint64_t bytes, same;
        bg_batch whole, some;
        bg_dataset d = open_set("cpu:3::1-40", (bg_dataset_options){ .P = P, .N = N, .training = 1, .loss_target = 1 });
        bg_dataset e = open_set("cpu:3::1-40", (bg_dataset_options){ .P = P, .N = N, .training = 1, .loss_target = 1, .skip_empty = 0.5 });
        CHECK_OK(bg_batch_open(&whole, bg_sys_default(), P, FILES, FILES * N, &err), err);
        CHECK_OK(bg_batch_open(&some, bg_sys_default(), P, FILES, FILES * N, &err), err);
        for (uint32_t f = 0; f < FILES; f++) {
            CHECK_OK(bg_dataset_add(&d, &whole, f, 99, f, &bytes, &err), err);
            CHECK_OK(bg_dataset_add(&e, &some, f, 99, f, &same, &err), err);
            assert_int_equal(bytes, same);
            uint8_t file[BG_SIM_FILE];
            size_t size;
            bg_sim_instance(3, f, &(bg_sim_draw){ 1, 40, 0 }, file, &size);
            const uint32_t fetched = (uint32_t)((size - BG_SIM_IMAGE) / BG_SIM_STATE), used = (4 * fetched + P - 1) / P;
            const uint32_t gone = whole.row_start[f + 1] - whole.row_start[f] - (some.row_start[f + 1] - some.row_start[f]);
            assert_true(gone == 0 || gone == BG_SIM_MEMORY / P - used);
            same_without(&whole, &some, f, 1 + used, gone);
            skipped += gone > 0;
        }
        assert_true(skipped > 8 && skipped < 32); /* of 40, half; beyond 4 standard deviations */
        bg_batch_close(&whole);
        bg_batch_close(&some);
        bg_dataset_close(&d);
        bg_dataset_close(&e);
    }
}

/* With other patch sizes a patch that begins in what is given carries no loss. */
static void other_patches(void **state)
{
    static const struct { uint32_t P, first; } sizes[] = { { 1, 1041 }, { 7, 1 + 149 }, { 64, 1 + 17 } };
    uint64_t bytes;
    for (size_t i = 0; i < 3; i++) {
        bg_dataset d = open_set("cpu:3::9-9", (bg_dataset_options){ .P = sizes[i].P, .N = 2000, .training = 1, .loss_target = 1 });
        bg_batch b;
        CHECK_OK(bg_batch_open(&b, bg_sys_default(), sizes[i].P, 1, 2000, &err), err);
        CHECK_OK(bg_dataset_add(&d, &b, 0, 0, 0, &bytes, &err), err);
        assert_int_equal(b.target[0], sizes[i].first);
        assert_int_equal(bytes, BG_SIM_IMAGE + 9 * BG_SIM_STATE - (sizes[i].first - 1) * sizes[i].P);
        bg_batch_close(&b);
        bg_dataset_close(&d);
    }
}

/* A program longer than the context: windows as of files, and what is given still carries no loss. */
static void windows(void **state)
{
    bg_dataset d = open_set("cpu:3:5:200-200", (bg_dataset_options){ .P = 16, .N = 32, .loss_target = 1 });
    bg_batch b;
    uint64_t bytes, scored = 0;
    CHECK_OK(bg_batch_open(&b, bg_sys_default(), 16, 1, 32, &err), err);
    for (uint32_t w = 0; w < bg_item_windows(&d, 2); w++) {
        bg_batch_clear(&b);
        CHECK_OK(bg_dataset_add_window(&d, &b, 2, w, &err), err);
        scored += b.targets;
    }
    assert_int_equal(scored, bg_item_patches(&d, 2) - 66);
    bg_dataset_close(&d);
    d = open_set("cpu:3:5:200-200", (bg_dataset_options){ .P = 16, .N = 32, .training = 1, .loss_target = 1 });
    for (uint64_t counter = 0; counter < 20; counter++) {
        bg_batch_clear(&b);
        CHECK_OK(bg_dataset_add(&d, &b, 2, 1, counter, &bytes, &err), err);
        assert_true(b.targets > 0);
        assert_true(bytes / 16 == b.targets || bytes / 16 + 1 == b.targets); /* the end patch has no bytes */
    }
    bg_batch_close(&b);
    bg_dataset_close(&d);
}

/* A counted set is shuffled anew in each epoch, as files are. */
static void epochs(void **state)
{
    bg_dataset d = open_set("cpu:3:50:1-4", (bg_dataset_options){ .P = 16, .N = 96, .training = 1 });
    assert_int_equal(d.item_count, 50);
    size_t moved = 0;
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        int seen[50] = { 0 };
        for (uint64_t k = 0; k < 50; k++) {
            const size_t item = bg_dataset_index(&d, 5, epoch * 50 + k);
            assert_true(item < 50 && !seen[item]);
            seen[item] = 1;
            moved += item != k;
        }
    }
    assert_true(moved > 100);
    bg_dataset_close(&d);
}

static size_t states_of(bg_dataset *d, bg_batch *b, size_t item)
{
    uint64_t bytes;
    bg_batch_clear(b);
    CHECK_OK(bg_dataset_add(d, b, item, 0, 0, &bytes, &err), err);
    return (size_t)(bytes - BG_SIM_IMAGE) / BG_SIM_STATE;
}

static void curriculum(void **state)
{
    bg_dataset d = open_set("cpu:3::2-2,20-20,200-200", (bg_dataset_options){ .P = 16, .N = 512, .training = 1 });
    bg_batch b;
    CHECK_OK(bg_batch_open(&b, bg_sys_default(), 16, 1, 512, &err), err);
    static const struct { double share; size_t states; } steps[] = { { 0, 2 }, { 0.333, 2 }, { 0.334, 20 }, { 0.66, 20 }, { 0.67, 200 }, { 1, 200 } };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        bg_dataset_progress(&d, steps[i].share);
        assert_int_equal(states_of(&d, &b, 1), steps[i].states);
    }
    bg_dataset_close(&d);
    d = open_set("cpu:3:4:2-2,20-20", (bg_dataset_options){ .P = 16, .N = 512 }); /* evaluation: what it ends with */
    bg_batch_clear(&b);
    CHECK_OK(bg_dataset_add_window(&d, &b, 1, 0, &err), err);
    assert_int_equal(bg_item_patches(&d, 1), 1 + 64 + 1 + 20 + 1);
    bg_batch_close(&b);
    bg_dataset_close(&d);
}

/* The same numbers of the same seed are other programs in an evaluation. */
static void held_out(void **state)
{
    bg_dataset train = open_set("cpu:3:20:8-8", (bg_dataset_options){ .P = 16, .N = 96, .training = 1 });
    bg_dataset val = open_set("cpu:3:20:8-8", (bg_dataset_options){ .P = 16, .N = 96 });
    bg_batch a, b;
    uint64_t bytes;
    CHECK_OK(bg_batch_open(&a, bg_sys_default(), 16, 20, 20 * 96, &err), err);
    CHECK_OK(bg_batch_open(&b, bg_sys_default(), 16, 20, 20 * 96, &err), err);
    for (size_t i = 0; i < 20; i++) {
        CHECK_OK(bg_dataset_add(&train, &a, i, 0, 0, &bytes, &err), err);
        CHECK_OK(bg_dataset_add_window(&val, &b, i, 0, &err), err);
    }
    for (uint32_t i = 0; i < 20; i++)
        for (uint32_t k = 0; k < 20; k++)
            assert_true(memcmp(a.tokens + a.row_start[i] * 16, b.tokens + b.row_start[k] * 16, 80 * 16 * sizeof *a.tokens) != 0);
    bg_batch_close(&a);
    bg_batch_close(&b);
    bg_dataset_close(&train);
    bg_dataset_close(&val);
}

static void refusals(void **state)
{
    bg_dataset d;
    const char *mixed[] = { "/", "cpu:1" }, *alone[] = { "cpu:1" }, *wrong[] = { "cpu:1:x" };
    const bg_dataset_options train = { .P = 16, .N = 96, .training = 1 }, eval = { .P = 16, .N = 96 };
    const bg_dataset_options pairs = { .P = 16, .N = 96, .training = 1, .pairs = "a:b" }, labels = { .P = 16, .N = 96, .training = 1, .labelled = 1 };
    assert_int_equal(bg_dataset_open(&d, bg_sys_default(), mixed, 2, &train, &err), BG_ERR_ARGUMENT);
    assert_non_null(strstr(err.text, "cpu:1: programs cannot be mixed with /"));
    assert_int_equal(bg_dataset_open(&d, bg_sys_default(), alone, 1, &pairs, &err), BG_ERR_ARGUMENT);
    assert_int_equal(bg_dataset_open(&d, bg_sys_default(), alone, 1, &labels, &err), BG_ERR_ARGUMENT);
    assert_int_equal(bg_dataset_open(&d, bg_sys_default(), alone, 1, &eval, &err), BG_ERR_ARGUMENT);
    assert_non_null(strstr(err.text, "cpu:1:1000"));
    assert_int_equal(bg_dataset_open(&d, bg_sys_default(), wrong, 1, &train, &err), BG_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names), cmocka_unit_test(wrong_names), cmocka_unit_test(whole_programs), cmocka_unit_test(empty_memory_left_out),
        cmocka_unit_test(other_patches),
        cmocka_unit_test(windows), cmocka_unit_test(epochs), cmocka_unit_test(curriculum), cmocka_unit_test(held_out), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
