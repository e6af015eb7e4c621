/* The safetensors reader and writer by themselves: files there and back, cut at
 * every length or with a header of wrong length, number formats, and every
 * allocation and file call failing.  test_safetensors_header.c tests what
 * stands in a header. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/safetensors.h"
#include "tests/support_check.h"
#include "tests/support_every.h"
#include "tests/support_folder.h"
#include "tests/support_fs.h"

/* --- files --------------------------------------------------------------------- */

/* A file of three tensors, written by the writer. */
static const uint64_t shape_a[2] = { 3, 5 }, shape_b[1] = { 4 }, shape_c[2] = { 0, 7 };

static float value(size_t i) { return (float)i * 0.25f - 2.0f; }

static bg_status write_sample(const bg_sys *sys, const char *path, int replace, const bg_meta *meta, bg_error *err)
{
    bg_st_writer w;
    float x[19];
    for (size_t i = 0; i < 19; i++)
        x[i] = value(i);
    bg_status s = bg_st_create(&w, sys, path, replace, meta, err);
    if (s == BG_OK)
        s = bg_st_declare(&w, "a", 2, shape_a, err);
    if (s == BG_OK)
        s = bg_st_declare(&w, "\xc3\xa4 \"quoted\"", 1, shape_b, err);
    if (s == BG_OK)
        s = bg_st_declare(&w, "c", 2, shape_c, err);
    if (s == BG_OK)
        s = bg_st_begin_data(&w, err);
    if (s == BG_OK)
        s = bg_st_data(&w, x, 7, err);
    if (s == BG_OK)
        s = bg_st_data(&w, x + 7, 12, err);
    if (s == BG_OK)
        s = bg_st_commit(&w, err);
    if (s != BG_OK)
        bg_st_abandon(&w);
    return s;
}

static bg_status read_sample(const bg_sys *sys, const char *path, bg_error *err)
{
    bg_st_file f;
    float x[15];
    BG_TRY(bg_st_open(&f, sys, path, err));
    bg_status s = f.count ? bg_st_read(&f, &f.tensors[0], 0, x, f.tensors[0].count, err) : BG_OK;
    bg_st_close(&f);
    return s;
}

static void round_trip(void **state)
{
    const char *path = fs_path(folder, "round.safetensors");
    bg_st_file f;
    bg_meta meta;
    bg_error err;
    float x[15];
    uint64_t header;
    size_t size;
    bg_meta_open(&meta, bg_sys_default());
    CHECK_OK(bg_meta_set(&meta, "format", "pt", &err), err);
    CHECK_OK(bg_meta_set(&meta, "labels", "[\"a\\\"b\", \"\xc3\xa4\"]", &err), err);
    CHECK_OK(bg_meta_set(&meta, "format", "ours", &err), err); /* replaces */
    CHECK_OK(write_sample(bg_sys_default(), path, 0, &meta, &err), err);
    unsigned char *bytes = fs_read(path, &size);
    memcpy(&header, bytes, 8);
    assert_int_equal(header % 8, 0);
    assert_int_equal(size, 8 + header + 19 * 4);
    free(bytes);
    CHECK_OK(bg_st_open(&f, bg_sys_default(), path, &err), err);
    assert_int_equal(f.count, 3);
    assert_int_equal(f.meta.count, 2);
    assert_string_equal(bg_meta_get(&f.meta, "format"), "ours");
    assert_string_equal(bg_meta_get(&f.meta, "labels"), "[\"a\\\"b\", \"\xc3\xa4\"]");
    CHECK_OK(bg_st_read(&f, bg_st_find(&f, "a"), 0, x, 15, &err), err);
    for (size_t i = 0; i < 15; i++)
        assert_true(x[i] == value(i));
    CHECK_OK(bg_st_read(&f, bg_st_find(&f, "\xc3\xa4 \"quoted\""), 1, x, 3, &err), err);
    for (size_t i = 0; i < 3; i++)
        assert_true(x[i] == value(16 + i));
    bg_st_close(&f);
    CHECK_FAILS(write_sample(bg_sys_default(), path, 0, &meta, &err), BG_ERR_FAILED, "exists already", err);
    CHECK_OK(write_sample(bg_sys_default(), path, 1, NULL, &err), err);
    CHECK_OK(read_sample(bg_sys_default(), path, &err), err);
    bg_meta_close(&meta);
}

static void header_claims(void **state)
{
    static const struct { uint64_t claim; size_t size; const char *part; } rows[] = {
        { 0, 0, "only 0 bytes" },
        { 0, 7, "only 7 bytes" },
        { 0, 8, "not a valid safetensors header" },
        { 3, 10, "truncated: a header of 3 bytes is claimed" },
        { 1000000000, 64, "the limit is 100000000" },
        { 99999999, 64, "truncated" },
        { UINT64_MAX, 64, "the limit" },
        { UINT64_MAX - 7, 64, "the limit" },
    };
    const char *path = fs_path(folder, "claim.safetensors");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char bytes[64] = { 0 };
        bg_error err;
        memcpy(bytes, &rows[i].claim, 8);
        fs_write(path, bytes, rows[i].size);
        CHECK_FAILS(read_sample(bg_sys_default(), path, &err), BG_ERR_FORMAT, rows[i].part, err);
        if (!strstr(err.text, path))
            fail_msg("\"%s\" does not name the file", err.text);
    }
}

static void missing_and_folder(void **state)
{
    bg_error err;
    CHECK_FAILS(read_sample(bg_sys_default(), fs_path(folder, "none"), &err), BG_ERR_NOT_FOUND, "none", err);
    CHECK_FAILS(read_sample(bg_sys_default(), folder, &err), BG_ERR_NOT_FOUND, "folder", err);
}

static void cut_at_every_length(void **state)
{
    const char *path = fs_path(folder, "whole.safetensors"), *cut = fs_path(folder, "cut.safetensors");
    bg_error err;
    size_t size;
    CHECK_OK(write_sample(bg_sys_default(), path, 1, NULL, &err), err);
    unsigned char *bytes = fs_read(path, &size);
    for (size_t n = 0; n < size; n++) {
        fault_sys sys;
        fault_open(&sys);
        fs_write(cut, bytes, n);
        CHECK_FAILS(read_sample(&sys.sys, cut, &err), BG_ERR_FORMAT, "cut.safetensors", err);
        assert_true(fault_clean(&sys));
    }
    free(bytes);
}

/* --- numbers ----------------------------------------------------------------------- */

/* A file with one tensor "x" of these raw bytes. */
static const char *raw_file(const char *dtype, size_t count, const void *data, size_t size)
{
    char header[256];
    const char *path = fs_path(folder, "raw.safetensors");
    unsigned char *bytes = malloc(8 + sizeof header + size);
    const int n = snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", dtype, count, size);
    const uint64_t length = (uint64_t)n;
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, (size_t)n);
    memcpy(bytes + 8 + n, data, size);
    fs_write(path, bytes, 8 + (size_t)n + size);
    free(bytes);
    return path;
}

/* All finite halves, by the definition of the format; the others are refused by place. */
static void halves(void **state)
{
    static uint16_t half[65536];
    static float x[65536];
    bg_st_file f;
    bg_error err;
    for (uint32_t i = 0; i < 65536; i++)
        half[i] = (uint16_t)i;
    CHECK_OK(bg_st_open(&f, bg_sys_default(), raw_file("F16", 65536, half, sizeof half), &err), err);
    for (uint32_t sign = 0; sign < 2; sign++) {
        CHECK_OK(bg_st_read(&f, f.tensors, sign * 0x8000, x, 0x7c00, &err), err);
        for (int i = 0; i < 0x7c00; i++) {
            const int e = i >> 10;
            const double want = e ? ldexp(1024 + (i & 1023), e - 25) : ldexp(i & 1023, -24);
            if (x[i] != (sign ? -want : want) || !signbit(x[i]) != !sign)
                fail_msg("half 0x%04x: %.9g, wanted %.9g", i | (int)sign << 15, x[i], want);
        }
    }
    CHECK_FAILS(bg_st_read(&f, f.tensors, 0, x, 65536, &err), BG_ERR_FORMAT, "x: value 31744 is not a finite number", err);
    CHECK_FAILS(bg_st_read(&f, f.tensors, 65000, x, 3, &err), BG_ERR_FORMAT, "x: value 65000 is not a finite number", err);
    bg_st_close(&f);
}

/* Every half comes back; between two of them the nearest is taken, in the middle the even one. */
static void to_half(void **state)
{
    static uint16_t half[0x7c00], back[0x7c00];
    static float x[0x7c00];
    for (uint32_t i = 0; i < 0x7c00; i++)
        half[i] = (uint16_t)i;
    bg_dtype_convert(x, half, BG_F16, 0x7c00);
    bg_to_half(back, x, 0x7c00);
    assert_memory_equal(back, half, sizeof half);
    for (int i = 0; i + 1 < 0x7c00; i++) {
        const float middle = (float)(((double)x[i] + x[i + 1]) / 2);
        const float near[6] = { middle, nextafterf(middle, 0), nextafterf(middle, INFINITY), -middle, -x[i], x[i + 1] };
        const uint16_t want[6] = { (uint16_t)(i + (i & 1)), (uint16_t)i, (uint16_t)(i + 1), (uint16_t)(0x8000 | (i + (i & 1))), (uint16_t)(0x8000 | i), (uint16_t)(i + 1) };
        uint16_t got[6];
        bg_to_half(got, near, 6);
        assert_memory_equal(got, want, sizeof want);
    }
    const float large[] = { 65519.99f, -65519.99f, 65520, -INFINITY, 1e-30f };
    const uint16_t want[] = { 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0 };
    uint16_t got[5];
    bg_to_half(got, large, 5);
    assert_memory_equal(got, want, sizeof want);
    assert_int_equal(bg_first_beyond_half(large, 5), 2);
    assert_int_equal(bg_first_beyond_half(large, 2), 2);
}

static void other_numbers(void **state)
{
    static const uint16_t bf16[] = { 0x0000, 0x8000, 0x3f80, 0xbf80, 0x4049, 0x0001, 0x7f7f };
    static const float bf16_value[] = { 0, -0.0f, 1, -1, 3.140625f, 0x1p-133f, 0x1.fep127f };
    static const double f64[] = { 0, -1.5, 0.1, 1e-300, 3e38 };
    static const double bad[][2] = { { 1, 1e39 }, { 1, -INFINITY }, { 1, NAN } };
    static const int64_t i64[] = { 1, 2 };
    float x[8];
    bg_st_file f;
    bg_error err;
    CHECK_OK(bg_st_open(&f, bg_sys_default(), raw_file("BF16", 7, bf16, sizeof bf16), &err), err);
    CHECK_OK(bg_st_read(&f, f.tensors, 0, x, 7, &err), err);
    assert_memory_equal(x, bf16_value, sizeof bf16_value);
    bg_st_close(&f);
    CHECK_OK(bg_st_open(&f, bg_sys_default(), raw_file("F64", 5, f64, sizeof f64), &err), err);
    CHECK_OK(bg_st_read(&f, f.tensors, 0, x, 5, &err), err);
    for (int i = 0; i < 5; i++)
        assert_true(x[i] == (float)f64[i]);
    bg_st_close(&f);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_OK(bg_st_open(&f, bg_sys_default(), raw_file("F64", 2, bad[i], sizeof bad[i]), &err), err);
        CHECK_FAILS(bg_st_read(&f, f.tensors, 0, x, 2, &err), BG_ERR_FORMAT, "x: value 1 is not", err);
        bg_st_close(&f);
    }
    CHECK_OK(bg_st_open(&f, bg_sys_default(), raw_file("I64", 2, i64, sizeof i64), &err), err);
    CHECK_FAILS(bg_st_read(&f, f.tensors, 0, x, 2, &err), BG_ERR_FORMAT, "type I64 cannot be read as numbers", err);
    bg_st_close(&f);
}

/* --- faults ----------------------------------------------------------------------------- */

static bg_status work_read(const bg_sys *sys, void *ctx, bg_error *err)
{
    return read_sample(sys, fs_path(folder, "fault.safetensors"), err);
}

static bg_status work_write(const bg_sys *sys, void *ctx, bg_error *err)
{
    bg_meta meta;
    bg_meta_open(&meta, sys);
    bg_status s = bg_meta_set(&meta, "k", "v", err);
    if (s == BG_OK)
        s = write_sample(sys, fs_path(folder, "fault.safetensors"), 1, &meta, err);
    bg_meta_close(&meta);
    return s;
}

static void faults(void **state)
{
    bg_error err;
    CHECK_OK(work_write(bg_sys_default(), NULL, &err), err);
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        every_call_fails(folder, (fault_kind)kind, work_read, work_read, NULL);
        every_call_fails(folder, (fault_kind)kind, work_write, work_read, NULL);
    }
}

static void short_transfers(void **state)
{
    fault_sys f;
    bg_error err;
    fault_open(&f);
    f.short_transfer = 3;
    f.interrupt_every = 4;
    CHECK_OK(work_write(&f.sys, NULL, &err), err);
    CHECK_OK(work_read(&f.sys, NULL, &err), err);
    assert_true(fault_clean(&f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(header_claims),
        cmocka_unit_test(missing_and_folder),
        cmocka_unit_test(cut_at_every_length),
        cmocka_unit_test(halves),
        cmocka_unit_test(to_half),
        cmocka_unit_test(other_numbers),
        cmocka_unit_test(faults),
        cmocka_unit_test(short_transfers),
    };
    return cmocka_run_group_tests_name("safetensors", tests, make_folder, remove_folder);
}
