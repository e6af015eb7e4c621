/* Batches and data sets: the patch format, packed rows, windows, order, pairs,
 * labels.  (Lists of files and faults: test_list.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "data/dataset.h"
#include "tests/support_check.h"
#include "tests/support_folder.h"
#include "tests/support_fs.h"

static bg_error err;

/* Byte i of every test file. */
static uint8_t byte_at(size_t i) { return (uint8_t)(i * 31 + i / 256); }

static void write_bytes(const char *name, size_t size)
{
    uint8_t *data = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        data[i] = byte_at(i);
    fs_write(fs_path(folder, name), data, size);
    free(data);
}

static bg_dataset open_set(const char *path, bg_dataset_options o)
{
    bg_dataset d;
    const char *paths[] = { path };
    CHECK_OK(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), err);
    return d;
}

static bg_batch open_batch(uint32_t P, uint32_t files, uint32_t rows)
{
    bg_batch b;
    CHECK_OK(bg_batch_open(&b, bg_sys_default(), P, files, rows, &err), err);
    return b;
}

static uint64_t all_bytes(const bg_dataset *d)
{
    uint64_t n = 0;
    for (size_t i = 0; i < d->item_count; i++)
        n += bg_item_bytes(d, i);
    return n;
}

/* --- patches ----------------------------------------------------------------- */

static void patches(void **state)
{
    uint16_t p[4];
    assert_int_equal(bg_file_patches(0, 16), 2);
    assert_int_equal(bg_file_patches(1, 16), 3);
    assert_int_equal(bg_file_patches(16, 16), 3);
    assert_int_equal(bg_file_patches(17, 16), 4);
    assert_int_equal(bg_file_patches(7, 1), 9);
    bg_patch_start(p, "abc", 4);
    assert_true(p[0] == 'a' && p[1] == 'b' && p[2] == 'c' && p[3] == BG_SPECIAL);
    bg_patch_start(p, "torrent", 4);
    assert_true(p[0] == 't' && p[1] == 'o' && p[2] == 'r' && p[3] == 'r');
    bg_patch_start(p, "\xC3\xA4", 4); /* bytes, not characters, and not signed */
    assert_true(p[0] == 0xC3 && p[1] == 0xA4 && p[2] == BG_SPECIAL);
    bg_patch_fill(p, NULL, 0, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(p[i], BG_SPECIAL);
}

static void extensions(void **state)
{
    static const struct { const char *path, *extension; } cases[] = {
        { "a.abc", "abc" }, { "dir.d/a", "" }, { "dir/a.tar.gz", "gz" }, { ".hidden", "" }, { "d/.hidden.txt", "txt" },
        { "a.", "" }, { "", "" }, { "d.x/", "" }, { "A.MID", "MID" }, { "..a", "a" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(bg_path_extension(cases[i].path), cases[i].extension);
}

/* --- batches ------------------------------------------------------------------- */

static void packed_rows(void **state)
{
    static const uint16_t symbols[10] = { 1, 2, 3, 4, 5, 6, 7, 8, 256, 256 };
    static const uint32_t row_start[] = { 0, 5, 7, 10 }, target_start[] = { 0, 4, 5, 5 };
    static const uint32_t target[] = { 1, 2, 3, 4, 6 }, position[] = { 0, 1, 2, 3, 4, 0, 1, 0, 1, 2 };
    bg_batch b = open_batch(2, 3, 10);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(bg_batch_add(&b, symbols, 5, 1, 7), 0);
        assert_int_equal(bg_batch_add(&b, symbols, 2, 1, 8), 0);
        assert_int_equal(bg_batch_add(&b, symbols, 4, 1, 9), -1); /* one row too many */
        assert_int_equal(bg_batch_add(&b, symbols, 3, 3, 9), 0);  /* no target at all */
        assert_int_equal(bg_batch_add(&b, symbols, 0, 1, 9), -1); /* one file too many */
        assert_int_equal(b.files, 3);
        assert_int_equal(b.rows, 10);
        assert_int_equal(b.targets, 5);
        assert_memory_equal(b.row_start, row_start, sizeof row_start);
        assert_memory_equal(b.target_start, target_start, sizeof target_start);
        assert_memory_equal(b.target, target, sizeof target);
        assert_memory_equal(b.position, position, sizeof position);
        assert_memory_equal(b.tokens, symbols, 20);
        assert_memory_equal(b.tokens + 10, symbols, 8);
        for (uint32_t i = 0; i < b.targets; i++)
            assert_int_equal(b.source[i], b.target[i] - 1);
        assert_true(b.label[0] == 7 && b.label[1] == 8 && b.label[2] == 9);
        bg_batch_clear(&b);
        assert_true(b.files == 0 && b.rows == 0 && b.targets == 0);
    }
    bg_batch_close(&b);
    bg_batch_close(&b);
}

static void batch_memory(void **state)
{
    bg_batch b;
    fault_sys f;
    fault_open(&f);
    fault_fail(&f, FAULT_ALLOC, 0, 1);
    CHECK_FAILS(bg_batch_open(&b, &f.sys, 64, UINT32_MAX, UINT32_MAX, &err), BG_ERR_MEMORY, "a batch", err);
    CHECK_FAILS(bg_batch_open(&b, &f.sys, 16, 4, 64, &err), BG_ERR_MEMORY, "a batch", err);
    bg_batch_close(&b);
    fault_open(&f);
    CHECK_OK(bg_batch_open(&b, &f.sys, 16, 0, 0, &err), err);
    bg_batch_close(&b);
    assert_true(fault_clean(&f));
}

/* Three files with 99, 0 and 49 targets. */
static void fill_for_sampling(bg_batch *b)
{
    static uint16_t symbols[100];
    bg_batch_clear(b);
    bg_batch_add(b, symbols, 100, 1, 0);
    bg_batch_add(b, symbols, 5, 5, 0);
    bg_batch_add(b, symbols, 50, 1, 0);
}

static void sampling(void **state)
{
    static const uint32_t ks[] = { 0, 1, 60, 147, 148, 1000 };
    bg_batch a = open_batch(1, 3, 155), b = open_batch(1, 3, 155);
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        fill_for_sampling(&a);
        fill_for_sampling(&b);
        bg_batch_sample(&a, ks[i], 5, 77);
        bg_batch_sample(&b, ks[i], 5, 77);
        uint32_t want = ks[i] < 148 ? ks[i] : 148;
        assert_int_equal(a.targets, want);
        assert_int_equal(a.target_start[0], 0);
        assert_int_equal(a.target_start[3], want);
        assert_int_equal(a.target_start[1], a.target_start[2]); /* the second has none */
        assert_memory_equal(a.target, b.target, want * sizeof *a.target);
        for (uint32_t t = 0; t < want; t++) {
            uint32_t file = t < a.target_start[1] ? 0 : 2;
            assert_true(a.target[t] > a.row_start[file] && a.target[t] < a.row_start[file + 1]);
            assert_true(t == 0 || a.target[t] > a.target[t - 1]);
            assert_int_equal(a.source[t], a.target[t] - 1);
        }
    }
    fill_for_sampling(&a);
    fill_for_sampling(&b);
    bg_batch_sample(&a, 60, 5, 77);
    bg_batch_sample(&b, 60, 5, 78); /* another step, another choice */
    assert_memory_not_equal(a.target, b.target, 60 * sizeof *a.target);
    bg_batch_close(&a);
    bg_batch_close(&b);
}

/* Each target is kept equally often: 4000 draws at 1/4, five deviations. */
static void sampling_is_fair(void **state)
{
    bg_batch b = open_batch(1, 3, 155);
    int counts[155] = { 0 };
    for (uint64_t step = 0; step < 4000; step++) {
        fill_for_sampling(&b);
        bg_batch_sample(&b, 37, 9, step);
        for (uint32_t t = 0; t < 37; t++)
            counts[b.target[t]]++;
    }
    for (uint32_t row = 0; row < 155; row++) {
        int is_target = (row > 0 && row < 100) || row > 105;
        if (is_target ? abs(counts[row] - 1000) > 140 : counts[row] != 0)
            fail_msg("row %u was kept %d times", row, counts[row]);
    }
    bg_batch_close(&b);
}

/* --- windows --------------------------------------------------------------------- */

/* Symbol s of patch p of a file, as the format says. */
static uint16_t expected(size_t size, const char *extension, uint32_t P, uint64_t p, uint32_t s)
{
    if (p == 0)
        return s < strlen(extension) ? (uint8_t)extension[s] : BG_SPECIAL;
    uint64_t at = (p - 1) * P + s;
    return at < size ? byte_at(at) : BG_SPECIAL;
}

/* Rows of sequence `file` are patches first, first+1, ... */
static void check_rows(const bg_batch *b, uint32_t file, size_t size, uint64_t first)
{
    for (uint32_t r = b->row_start[file]; r < b->row_start[file + 1]; r++)
        for (uint32_t s = 0; s < b->P; s++) {
            uint64_t p = first + r - b->row_start[file];
            uint16_t got = b->tokens[(size_t)r * b->P + s], want = expected(size, "bin", b->P, p, s);
            if (got != want)
                fail_msg("size %zu, patch %llu, symbol %u: %u instead of %u", size, (unsigned long long)p, s, got, want);
        }
}

/* Every patch but the start patch carries loss in exactly one window, and
 * has N/2 - 1 patches or more before it unless the file begins sooner. */
static void evaluation_windows(void **state)
{
    static const struct { size_t size; uint32_t P, N; } cases[] = {
        { 0, 16, 4 }, { 1, 16, 4 }, { 32, 16, 4 }, { 33, 16, 4 }, { 48, 16, 4 }, { 1000, 16, 4 }, { 1000, 4, 8 }, { 999, 4, 7 },
        { 100, 3, 2 }, { 100, 3, 3 }, { 100, 1, 5 }, { 40, 64, 2 }, { 5000, 16, 64 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        uint32_t N = cases[c].N, P = cases[c].P;
        write_bytes("w/file.bin", cases[c].size);
        bg_dataset d = open_set(fs_path(folder, "w"), (bg_dataset_options){ .P = P, .N = N });
        uint64_t T = bg_item_patches(&d, 0);
        assert_int_equal(T, bg_file_patches(cases[c].size, P));
        int *scored = calloc((size_t)T, sizeof *scored);
        bg_batch b = open_batch(P, 1, N);
        for (uint32_t w = 0; w < bg_item_windows(&d, 0); w++) {
            uint64_t first = (uint64_t)w * (N / 2);
            bg_batch_clear(&b);
            CHECK_OK(bg_dataset_add_window(&d, &b, 0, w, &err), err);
            check_rows(&b, 0, cases[c].size, first);
            assert_true(b.targets > 0);
            for (uint32_t t = 0; t < b.targets; t++) {
                scored[first + b.target[t]]++;
                assert_true(w == 0 || b.target[t] + 1 >= N / 2);
            }
        }
        for (uint64_t p = 0; p < T; p++)
            if (scored[p] != (p > 0))
                fail_msg("size %zu, P %u, N %u: patch %llu scored %d times", cases[c].size, P, N, (unsigned long long)p, scored[p]);
        free(scored);
        bg_batch_close(&b);
        bg_dataset_close(&d);
    }
}

static void training_windows(void **state)
{
    enum { P = 4, N = 8, SIZE = 83 }; /* 23 patches */
    int heads = 0, tails = 0, starts[16] = { 0 };
    write_bytes("t/file.bin", SIZE);
    bg_dataset d = open_set(fs_path(folder, "t"), (bg_dataset_options){ .P = P, .N = N, .training = 1 });
    bg_batch b = open_batch(P, 1, N);
    for (uint64_t counter = 0; counter < 3000; counter++) {
        uint64_t bytes, first = 0, with_loss = 0;
        bg_batch_clear(&b);
        CHECK_OK(bg_dataset_add(&d, &b, 0, 1, counter, &bytes, &err), err);
        assert_int_equal(b.rows, N);
        assert_int_equal(b.targets, N - 1);
        if (b.tokens[0] == 'b' && b.tokens[3] == BG_SPECIAL) {
            heads++;
        } else {
            for (first = 1; first < 23 - N && b.tokens[0] != byte_at((first - 1) * P); first++)
                ;
            tails += first == 23 - N;
        }
        check_rows(&b, 0, SIZE, first);
        starts[first]++;
        for (uint32_t i = P; i < N * P; i++)
            with_loss += b.tokens[i] != BG_SPECIAL;
        assert_int_equal(bytes, with_loss);
    }
    printf("head %d, tail %d of 3000\n", heads, tails);
    assert_true(abs(heads - 1000) < 130 && abs(tails - 1000) < 130);
    for (int i = 1; i < 23 - N; i++) /* 14 middles share a third */
        assert_true(abs(starts[i] - 71) < 45);
    bg_batch_close(&b);
    bg_dataset_close(&d);
}

/* One patch too many: only head and tail exist.  Exactly the context: whole. */
static void training_edges(void **state)
{
    bg_batch b = open_batch(4, 2, 16);
    for (size_t size = 20; size <= 28; size++) {
        uint64_t bytes;
        int ends = 0;
        write_bytes("e/file.bin", size);
        bg_dataset d = open_set(fs_path(folder, "e"), (bg_dataset_options){ .P = 4, .N = 8, .training = 1 });
        for (uint64_t counter = 0; counter < 64; counter++) {
            bg_batch_clear(&b);
            CHECK_OK(bg_dataset_add(&d, &b, 0, 1, counter, &bytes, &err), err);
            int tail = b.tokens[0] != 'b' || b.tokens[3] != BG_SPECIAL;
            check_rows(&b, 0, size, size > 24 && tail ? 1 : 0);
            ends += tail;
            if (size <= 24)
                assert_int_equal(bytes, size);
        }
        assert_true(size <= 24 ? ends == 0 : ends > 10 && ends < 54);
        bg_dataset_close(&d);
    }
    bg_batch_close(&b);
}

static void no_room(void **state)
{
    uint64_t bytes;
    write_bytes("r/file.bin", 100);
    bg_dataset d = open_set(fs_path(folder, "r"), (bg_dataset_options){ .P = 4, .N = 8 });
    bg_batch b = open_batch(4, 4, 20);
    CHECK_OK(bg_dataset_add(&d, &b, 0, 1, 0, &bytes, &err), err);
    CHECK_OK(bg_dataset_add(&d, &b, 0, 1, 1, &bytes, &err), err);
    CHECK_FAILS(bg_dataset_add(&d, &b, 0, 1, 2, &bytes, &err), BG_ERR_FAILED, "no room for the 8 patches", err);
    assert_true(b.files == 2 && b.rows == 16);
    bg_batch_close(&b);
    bg_dataset_close(&d);
}

static void changed_files(void **state)
{
    uint64_t bytes;
    write_bytes("c/file.bin", 100);
    bg_dataset d = open_set(fs_path(folder, "c"), (bg_dataset_options){ .P = 4, .N = 64 });
    bg_batch b = open_batch(4, 4, 64);
    write_bytes("c/file.bin", 99);
    CHECK_FAILS(bg_dataset_add(&d, &b, 0, 1, 0, &bytes, &err), BG_ERR_FORMAT, "changed while", err);
    write_bytes("c/file.bin", 101);
    CHECK_FAILS(bg_dataset_add_window(&d, &b, 0, 0, &err), BG_ERR_FORMAT, "file.bin", err);
    unlink(fs_path(folder, "c/file.bin"));
    CHECK_FAILS(bg_dataset_add(&d, &b, 0, 1, 0, &bytes, &err), BG_ERR_NOT_FOUND, "file.bin", err);
    assert_int_equal(b.files, 0);
    bg_batch_close(&b);
    bg_dataset_close(&d);
}

/* --- order ------------------------------------------------------------------------ */

static void every_epoch_is_a_permutation(void **state)
{
    enum { FILES = 50 };
    char name[32];
    size_t first[FILES];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "o/%02d.txt", i);
        write_bytes(name, 3);
    }
    bg_dataset d = open_set(fs_path(folder, "o"), (bg_dataset_options){ .P = 4, .N = 8 });
    bg_dataset fresh = open_set(fs_path(folder, "o"), (bg_dataset_options){ .P = 4, .N = 8 });
    assert_int_equal(d.item_count, FILES);
    assert_int_equal(all_bytes(&d), 3 * FILES);
    int fixed = 0; /* a fair shuffle leaves one in place, on average */
    for (uint64_t epoch = 0; epoch < 20; epoch++) {
        int seen[FILES] = { 0 }, same = 0;
        for (size_t k = 0; k < FILES; k++) {
            size_t i = bg_dataset_index(&d, 42, epoch * FILES + k);
            assert_true(i < FILES);
            assert_int_equal(seen[i]++, 0);
            same += epoch > 0 && first[k] == i;
            fixed += k == i;
            if (epoch == 0)
                first[k] = i;
        }
        assert_true(same < 15); /* another permutation each time */
    }
    assert_true(fixed > 3 && fixed < 50);
    /* the same stream from anywhere, in any order, and another seed differs */
    int other = 0;
    for (uint64_t counter = 20 * FILES; counter-- > 18 * FILES;) {
        assert_int_equal(bg_dataset_index(&fresh, 42, counter), bg_dataset_index(&d, 42, counter));
        other += bg_dataset_index(&fresh, 43, counter) != bg_dataset_index(&d, 42, counter);
    }
    assert_true(other > 50);
    bg_dataset_index(&d, 42, UINT64_MAX);
    bg_dataset_close(&d);
    bg_dataset_close(&fresh);
}

static void wrong_options(void **state)
{
    bg_dataset d;
    write_bytes("x/file.bin", 5);
    const char *paths[] = { fs_path(folder, "x") };
    static const struct { bg_dataset_options o; const char *part; } cases[] = {
        { { .P = 0, .N = 8 }, "patch of 0" }, { { .P = 65, .N = 8 }, "patch of 65" }, { { .P = 16, .N = 1 }, "context of 1" },
        { { .P = 16, .N = 8, .pairs = "a:b", .labelled = 1 }, "labels" }, { { .P = 16, .N = 8, .pairs = "abc" }, "'abc'" },
        { { .P = 16, .N = 8, .pairs = ":b" }, "':b'" }, { { .P = 16, .N = 8, .pairs = "a+" }, "'a+'" },
        { { .P = 16, .N = 8, .pairs = "a:b:c" }, "'a:b:c'" }, { { .P = 16, .N = 8, .pairs = "a:a" }, "the same" },
        { { .P = 16, .N = 8, .pairs = ".a:b" }, "'.a:b'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_FAILS(bg_dataset_open(&d, bg_sys_default(), paths, 1, &cases[i].o, &err), BG_ERR_ARGUMENT, cases[i].part, err);
        bg_dataset_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches), cmocka_unit_test(extensions), cmocka_unit_test(packed_rows),
        cmocka_unit_test(batch_memory), cmocka_unit_test(sampling), cmocka_unit_test(sampling_is_fair),
        cmocka_unit_test(evaluation_windows), cmocka_unit_test(training_windows), cmocka_unit_test(training_edges),
        cmocka_unit_test(no_room), cmocka_unit_test(changed_files),
        cmocka_unit_test(every_epoch_is_a_permutation), cmocka_unit_test(wrong_options),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
