/* Status sentences, allocation helpers, random numbers, instruction-set levels. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/isa.h"
#include "base/rng.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

/* --- status ---------------------------------------------------------------- */

static void status_formats(void **state)
{
    bg_error err;
    assert_int_equal(bg_fail(&err, BG_ERR_FORMAT, "%s: %d", "file", 7), BG_ERR_FORMAT);
    assert_int_equal(err.code, BG_ERR_FORMAT);
    assert_string_equal(err.text, "file: 7");
    bg_fail(&err, BG_ERR_FORMAT, "outer: %s", err.text); /* its own text as an argument */
    assert_string_equal(err.text, "outer: file: 7");
    assert_int_equal(bg_fail(NULL, BG_ERR_IO, "%d", 1), BG_ERR_IO);
}

/* A cut sentence is full, zero-terminated, and ends with a whole character. */
static void status_cuts(void **state)
{
    bg_error err;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    bg_fail(&err, BG_ERR_FAILED, "%s", text);
    assert_int_equal(strlen(err.text), BG_ERROR_TEXT - 1);
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4); /* the euro sign */
        bg_fail(&err, BG_ERR_FAILED, "%s", text);
        size_t n = strlen(err.text);
        assert_true(n > BG_ERROR_TEXT - 4 && n < BG_ERROR_TEXT);
        assert_int_equal((n - shift) % 3, 0);
    }
}

static void status_disarms(void **state)
{
    bg_error err;
    bg_fail(&err, BG_ERR_FORMAT, "tensor %s", "a\x1b[31m\nb\x7f");
    assert_string_equal(err.text, "tensor a?[31m?b?");
}

static void status_errno(void **state)
{
    static const struct { int error, reading; bg_status status; } rows[] = {
        { ENOENT, 1, BG_ERR_NOT_FOUND }, { EACCES, 1, BG_ERR_NOT_FOUND }, { ENOTDIR, 1, BG_ERR_NOT_FOUND },
        { EISDIR, 1, BG_ERR_NOT_FOUND }, { ENOENT, 0, BG_ERR_IO }, { EIO, 1, BG_ERR_IO },
        { ENOMEM, 1, BG_ERR_MEMORY }, { ENOMEM, 0, BG_ERR_MEMORY }, { ENOSPC, 0, BG_ERR_IO },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bg_error err;
        errno = rows[i].error;
        assert_int_equal(bg_fail_errno(&err, rows[i].reading, "cannot read %s", "x"), rows[i].status);
        assert_int_equal(strncmp(err.text, "cannot read x: ", 15), 0);
        assert_true(strlen(err.text) > 15);
    }
}

/* --- memory ---------------------------------------------------------------- */

static void memory_is_aligned(void **state)
{
    fault_sys f;
    fault_open(&f);
    void *p[40];
    for (size_t i = 0; i < 40; i++) {
        p[i] = bg_alloc(&f.sys, i * 7, 3);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 64, 0);
        memset(p[i], 1, i * 21);
    }
    unsigned char *z = bg_alloc_zero(&f.sys, 1000, 4);
    for (size_t i = 0; i < 4000; i++)
        assert_int_equal(z[i], 0);
    bg_free(&f.sys, z);
    bg_free(&f.sys, NULL);
    for (size_t i = 0; i < 40; i++)
        bg_free(&f.sys, p[i]);
    assert_int_equal(f.calls[FAULT_ALLOC], 41);
    assert_true(fault_clean(&f));
}

static void memory_refuses(void **state)
{
    fault_sys f;
    fault_open(&f);
    assert_null(bg_alloc(&f.sys, SIZE_MAX / 2, 3));
    assert_null(bg_alloc(&f.sys, SIZE_MAX - 8, 1)); /* the alignment overflows */
    assert_int_equal(f.calls[FAULT_ALLOC], 0);
    fault_fail(&f, FAULT_ALLOC, 0, 1);
    assert_null(bg_alloc(&f.sys, 1, 1));
    assert_null(bg_alloc_zero(&f.sys, 1, 1));
    assert_null(bg_strdup(&f.sys, "x"));
    assert_null(bg_asprintf(&f.sys, "%d", 5));
    assert_true(fault_clean(&f));
}

static void memory_strings(void **state)
{
    const bg_sys *sys = bg_sys_default();
    char *a = bg_strdup(sys, "tune"), *b = bg_asprintf(sys, "%s.%03d", "tune", 7);
    assert_string_equal(a, "tune");
    assert_string_equal(b, "tune.007");
    bg_free(sys, a);
    bg_free(sys, b);
}

static void memory_grows(void **state)
{
    fault_sys f;
    bg_error err;
    void *items = NULL;
    size_t capacity = 0;
    fault_open(&f);
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK_OK(bg_grow(&f.sys, &items, &capacity, i + 1, sizeof i, &err), err);
        ((uint32_t *)items)[i] = i * i;
    }
    assert_true(f.calls[FAULT_ALLOC] < 20); /* by half, not one by one */
    size_t before = capacity;
    fault_fail(&f, FAULT_ALLOC, 0, 0);
    CHECK_FAILS(bg_grow(&f.sys, &items, &capacity, before + 1, 4, &err), BG_ERR_MEMORY, "out of memory", err);
    CHECK_FAILS(bg_grow(&f.sys, &items, &capacity, SIZE_MAX / 2, 4, &err), BG_ERR_MEMORY, "out of memory", err);
    assert_int_equal(capacity, before);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(((uint32_t *)items)[i], i * i);
    bg_free(&f.sys, items);
    assert_true(fault_clean(&f));
}

/* --- random numbers ---------------------------------------------------------- */

/* Known answers of the Random123 distribution (tests/kat_vectors, philox4x32 10). */
static void rng_known_answers(void **state)
{
    static const struct { uint32_t counter[4], key[2], answer[4]; } rows[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        bg_philox(out, rows[i].key[0] | (uint64_t)rows[i].key[1] << 32, rows[i].counter[1],
                  rows[i].counter[2] | (uint64_t)rows[i].counter[3] << 32, rows[i].counter[0]);
        for (int k = 0; k < 4; k++)
            assert_int_equal(out[k], rows[i].answer[k]);
    }
}

static void rng_cursor(void **state)
{
    bg_rng r;
    uint32_t block[4];
    bg_rng_open(&r, 11, BG_STREAM_USER, 5);
    for (uint32_t b = 0; b < 3; b++) {
        bg_philox(block, 11, BG_STREAM_USER, 5, b);
        for (int k = 0; k < 4; k++)
            assert_int_equal(bg_rng_u32(&r), block[k]);
    }
    bg_philox(block, 11, BG_STREAM_USER, 5, 3);
    assert_true(bg_rng_u64(&r) == (block[0] | (uint64_t)block[1] << 32));
}

/* Means and extremes; the bounds are five standard deviations and more. */
static void rng_distributions(void **state)
{
    enum { DRAWS = 100000 };
    bg_rng r;
    int counts[7] = { 0 };
    double sum = 0, normal = 0, square = 0;
    bg_rng_open(&r, 3, BG_STREAM_USER, 0);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t below = bg_rng_below(&r, 7);
        assert_true(below < 7);
        counts[below]++;
        double u = bg_rng_double(&r), z = bg_rng_normal(&r);
        assert_true(u >= 0 && u < 1);
        assert_true(isfinite(z));
        sum += u;
        normal += z;
        square += z * z;
    }
    for (int i = 0; i < 7; i++)
        assert_true(fabs(counts[i] - DRAWS / 7.0) < 600);
    assert_true(fabs(sum / DRAWS - 0.5) < 0.005);
    assert_true(fabs(normal / DRAWS) < 0.016);
    assert_true(fabs(square / DRAWS - 1) < 0.025);
    for (int i = 0; i < 100; i++)
        assert_true(bg_rng_below(&r, 1) == 0);
    assert_true(bg_rng_below(&r, UINT64_MAX) < UINT64_MAX);
}

/* With three classes of 2^62 values the fourth quarter must be drawn again; a
 * bare remainder would give the first third half of all draws. */
static void rng_below_is_even(void **state)
{
    bg_rng r;
    int low = 0;
    bg_rng_open(&r, 4, BG_STREAM_USER, 0);
    for (int i = 0; i < 30000; i++)
        low += bg_rng_below(&r, (uint64_t)3 << 62) < (uint64_t)1 << 62;
    assert_true(low > 9500 && low < 10500);
}

/* --- levels ------------------------------------------------------------------- */

static void isa_names(void **state)
{
    bg_error err;
    bg_isa isa, best = BG_ISA_PORTABLE;
    assert_true(bg_isa_present(BG_ISA_PORTABLE));
    for (int i = 0; i < BG_ISA_COUNT; i++) {
        const char *name = bg_isa_name((bg_isa)i);
        if (bg_isa_present((bg_isa)i)) {
            CHECK_OK(bg_isa_pick(&isa, name, &err), err);
            assert_int_equal(isa, i);
            best = (bg_isa)i;
            printf("present: %s\n", name);
        } else {
            CHECK_FAILS(bg_isa_pick(&isa, name, &err), BG_ERR_ARGUMENT, name, err);
            assert_non_null(strstr(err.text, "portable"));
        }
    }
    CHECK_OK(bg_isa_pick(&isa, NULL, &err), err);
    assert_int_equal(isa, best);
    CHECK_OK(bg_isa_pick(&isa, "", &err), err);
    assert_int_equal(isa, best);
    CHECK_FAILS(bg_isa_pick(&isa, "mmx", &err), BG_ERR_ARGUMENT, "mmx", err);
    assert_non_null(strstr(err.text, bg_isa_name(best)));
    assert_false(bg_isa_present(BG_ISA_COUNT));
    assert_string_equal(bg_isa_name(BG_ISA_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_formats), cmocka_unit_test(status_cuts), cmocka_unit_test(status_disarms), cmocka_unit_test(status_errno),
        cmocka_unit_test(memory_is_aligned), cmocka_unit_test(memory_refuses),
        cmocka_unit_test(memory_strings), cmocka_unit_test(memory_grows),
        cmocka_unit_test(rng_known_answers), cmocka_unit_test(rng_cursor), cmocka_unit_test(rng_distributions), cmocka_unit_test(rng_below_is_even),
        cmocka_unit_test(isa_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
