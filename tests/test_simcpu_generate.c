/* Random programs of the simulated processor: their distributions against the
 * specification by chi-squared, their folders on any number of threads, and
 * every failing call on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>

#include "simcpu/generate.h"
#include "simcpu/md5.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

/* --- chi-squared --------------------------------------------------------------- */

/* Standard normal deviate that goes with the statistic (Wilson and Hilferty:
 * the cube root of chi-squared over its degrees is nearly normal). */
static double deviate(const uint64_t *seen, size_t cells)
{
    double sum = 0, all = 0, k = (double)cells - 1, spread = 2 / (9 * k);
    for (size_t i = 0; i < cells; i++)
        all += (double)seen[i];
    double expected = all / (double)cells;
    for (size_t i = 0; i < cells; i++)
        sum += ((double)seen[i] - expected) * ((double)seen[i] - expected) / expected;
    return (cbrt(sum / k) - (1 - spread)) / sqrt(spread);
}

/* One-sided p = 0.001. */
static const double limit = 3.0902;

static void check_even(const char *what, const uint64_t *seen, size_t cells)
{
    double z = deviate(seen, cells), p = erfc(z / sqrt(2)) / 2;
    print_message("  %-24s %3zu cells, z %+5.2f, p %.3f\n", what, cells, z, p);
    if (!(z < limit))
        fail_msg("%s: not even over %zu cells: %.2f standard deviations", what, cells, z);
}

enum { PROGRAMS = 100000, COUNTS = 4 };

static struct {
    uint64_t length[255], op[BG_SIM_OPS], count[BG_SIM_OPS][COUNTS], number[256];
    uint64_t operand[BG_SIM_OPS][COUNTS][BG_SIM_REGISTERS]; /* by opcode and place */
    uint64_t start[BG_SIM_STATE][256];
} seen;

static void count_instruction(const uint8_t *code)
{
    unsigned count = 0;
    seen.op[code[0]]++;
    if (code[0] == BG_SIM_LOADI) {
        seen.number[code[1]]++;
        return;
    }
    while (count < 3 && code[count + 1])
        count++;
    seen.count[code[0]][count]++;
    for (unsigned i = 1; i <= count; i++)
        seen.operand[code[0]][i][code[i] - 1]++;
}

static void count_program(const uint8_t *file)
{
    size_t n = 0;
    for (; file[n * BG_SIM_CODE] != BG_SIM_HLT; n++) {
        assert_true(bg_sim_legal(file + n * BG_SIM_CODE, NULL));
        count_instruction(file + n * BG_SIM_CODE);
    }
    assert_true(n < 255);
    seen.length[n]++;
    for (size_t i = n * BG_SIM_CODE; i < BG_SIM_MEMORY; i++)
        assert_int_equal(file[i], 0);
    for (int i = 0; i < BG_SIM_STATE; i++)
        seen.start[i][file[BG_SIM_MEMORY + i]]++;
}

static void test_distributions(void **state)
{
    uint8_t file[BG_SIM_FILE];
    char what[64];
    size_t size;
    memset(&seen, 0, sizeof seen);
    for (uint64_t i = 0; i < PROGRAMS; i++) {
        bg_sim_instance(2024, i, &(bg_sim_draw){ 1, 255, 0 }, file, &size);
        count_program(file);
    }
    check_even("length", seen.length, 255);
    check_even("opcode", seen.op + 1, BG_SIM_OPS - 1);
    check_even("LOADI's number", seen.number, 256);
    for (unsigned op = 1; op < BG_SIM_OPS; op++) {
        const bg_sim_op *o = &bg_sim_ops[op];
        snprintf(what, sizeof what, "operands of %s", o->name);
        if (o->most > o->least)
            check_even(what, seen.count[op] + o->least, o->most - o->least + 1u);
        for (unsigned i = 1; op != BG_SIM_LOADI && i <= o->most; i++)
            check_even(what, seen.operand[op][i], BG_SIM_REGISTERS);
    }
    for (int i = 0; i < BG_SIM_STATE; i++) {
        snprintf(what, sizeof what, "%s at start", bg_sim_fields[i]);
        if (i == BG_SIM_ACC || i >= BG_SIM_A)
            check_even(what, seen.start[i], 256);
        else
            assert_int_equal(seen.start[i][0], PROGRAMS);
    }
    /* the yardstick itself: a length that never comes must be seen */
    uint64_t cut[255];
    memcpy(cut, seen.length, sizeof cut);
    cut[254] = 0;
    assert_true(deviate(cut, 255) > limit);
}

/* Half of the instructions are drawn from those named, evenly, and half from all. */
static void test_often(void **state)
{
    uint8_t file[BG_SIM_FILE];
    size_t size;
    uint64_t named[3], all = 0, rest[BG_SIM_OPS - 1 - 3];
    memset(&seen, 0, sizeof seen);
    for (uint64_t i = 0; i < PROGRAMS / 100; i++) {
        bg_sim_instance(2025, i, &(bg_sim_draw){ 1, 255, 1u << 13 | 1u << 14 | 1u << 19 }, file, &size);
        count_program(file);
    }
    for (unsigned op = 1, k = 0, r = 0; op < BG_SIM_OPS; op++) {
        if (op == 13 || op == 14 || op == 19)
            named[k++] = seen.op[op];
        else
            rest[r++] = seen.op[op];
        all += seen.op[op];
    }
    check_even("operations named", named, 3);
    check_even("operations not named", rest, BG_SIM_OPS - 1 - 3);
    const double share = (double)(named[0] + named[1] + named[2]) / (double)all;
    assert_true(fabs(share - (0.5 + 0.5 * 3 / 20)) < 0.005);
}

static void test_instances(void **state)
{
    uint8_t a[BG_SIM_FILE], b[BG_SIM_FILE];
    size_t m, n;
    for (unsigned length = 1; length <= BG_SIM_SLOTS; length += 51) {
        bg_sim_instance(1, 5, &(bg_sim_draw){ length, length, 0 }, a, &m);
        assert_int_equal(m, BG_SIM_MEMORY + (length + 1) * BG_SIM_STATE);
    }
    bg_sim_instance(1, 5, &(bg_sim_draw){ 1, 255, 0 }, a, &m);
    bg_sim_instance(1, 5, &(bg_sim_draw){ 1, 255, 0 }, b, &n);
    assert_int_equal(m, n);
    assert_memory_equal(a, b, m);
    bg_sim_instance(1, 6, &(bg_sim_draw){ 1, 255, 0 }, b, &n);
    assert_memory_not_equal(a, b, BG_SIM_IMAGE);
    bg_sim_instance(2, 5, &(bg_sim_draw){ 1, 255, 0 }, b, &n);
    assert_memory_not_equal(a, b, BG_SIM_IMAGE);
}

/* --- folders ------------------------------------------------------------------------ */

static void test_md5(void **state)
{
    static const struct { const char *text, *hex; } cases[] = { /* of the RFC */
        { "", "d41d8cd98f00b204e9800998ecf8427e" },
        { "abc", "900150983cd24fb0d6963f7d28e17f72" },
        { "abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b" },
        { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f" },
        { "12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a" },
    };
    char hex[BG_MD5_HEX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bg_md5(cases[i].text, strlen(cases[i].text), hex);
        assert_string_equal(hex, cases[i].hex);
    }
}

static bg_status write_with(const bg_sim_folder *f, const bg_sys *sys, unsigned threads, bg_error *err)
{
    bg_pool *pool;
    bg_status s = bg_pool_open(&pool, sys, threads, err);
    if (s != BG_OK)
        return s;
    s = bg_sim_write_folder(f, pool, sys, err);
    bg_pool_close(pool);
    return s;
}

/* Every file of a is in b, with the same bytes, and named by them. */
static void check_same_files(const char *a, const char *b)
{
    DIR *dir = opendir(a);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        char path[1024], hex[BG_MD5_HEX];
        size_t size;
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", a, e->d_name);
        uint8_t *data = fs_read(path, &size);
        bg_md5(data, size, hex);
        assert_memory_equal(hex, e->d_name, 32);
        assert_string_equal(e->d_name + 32, ".bin");
        snprintf(path, sizeof path, "%s/%s", b, e->d_name);
        assert_true(fs_holds(path, data, size));
        free(data);
    }
    closedir(dir);
}

static void test_folder(void **state)
{
    char *folder = fs_make_folder();
    char one[512], other[512], part[2][540];
    bg_error err;
    bg_sim_folder f = { .out = one, .seed = 9, .train = 300, .test = 20, .least = 1, .most = 255 };
    snprintf(one, sizeof one, "%s/1", folder);
    CHECK_OK(write_with(&f, bg_sys_default(), 1, &err), err);
    for (unsigned threads = 2; threads <= 7; threads++) {
        snprintf(other, sizeof other, "%s/%u", folder, threads);
        f.out = other;
        CHECK_OK(write_with(&f, bg_sys_default(), threads, &err), err);
        for (int k = 0; k < 2; k++) {
            snprintf(part[0], sizeof part[0], "%s/%s", one, k ? "test" : "train");
            snprintf(part[1], sizeof part[1], "%s/%s", other, k ? "test" : "train");
            assert_int_equal(fs_count(part[1]), k ? 20 : 300);
            check_same_files(part[0], part[1]);
        }
    }
    CHECK_FAILS(write_with(&f, bg_sys_default(), 2, &err), BG_ERR_ARGUMENT, "is not empty", err);
    f.overwrite = 1;
    f.train = 100; /* the same test files beside fewer training files */
    CHECK_OK(write_with(&f, bg_sys_default(), 2, &err), err);
    assert_int_equal(fs_count(part[1]), 20);
    f.most = 257;
    CHECK_FAILS(write_with(&f, bg_sys_default(), 2, &err), BG_ERR_ARGUMENT, "1 to 256", err);
    fs_remove_folder(folder);
}

static int stop_at_once(void *ctx, uint64_t done) { return done > 0; }

static void test_stop(void **state)
{
    char *folder = fs_make_folder();
    bg_error err;
    bg_sim_folder f = { .out = fs_path(folder, "x"), .train = 5000, .least = 1, .most = 1, .progress = stop_at_once };
    CHECK_FAILS(write_with(&f, bg_sys_default(), 2, &err), BG_ERR_INTERRUPTED, "stopped after 4096 of 5000", err);
    assert_int_equal(fs_count(fs_path(folder, "x/train")), 4096);
    fs_remove_folder(folder);
}

/* Every single call fails once: a sentence, no leak, and no file that is not whole. */
static void test_faults(void **state)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        for (uint64_t n = 0;; n++) {
            fault_sys sys;
            char *folder = fs_make_folder();
            bg_error err = { BG_OK, "" };
            char out[512], part[540];
            snprintf(out, sizeof out, "%s/x", folder);
            snprintf(part, sizeof part, "%s/train", out);
            bg_sim_folder f = { .out = out, .train = 5, .test = 2, .least = 1, .most = 255 };
            bg_pool *pool;
            CHECK_OK(bg_pool_open(&pool, bg_sys_default(), 1, &err), err);
            fault_open(&sys);
            fault_fail(&sys, (fault_kind)kind, n, 0);
            bg_status status = bg_sim_write_folder(&f, pool, &sys.sys, &err);
            assert_true(fault_clean(&sys));
            bg_pool_close(pool);
            if (!sys.failed[kind]) {
                CHECK_OK(status, err);
                fs_remove_folder(folder);
                break;
            }
            if (status == BG_OK && fs_count(part) != 5) /* mkdir may fail where a folder is, and do no harm */
                fail_msg("call %llu (%s) failed unseen", (unsigned long long)n, sys.last);
            if (status != BG_OK && !err.text[0])
                fail_msg("call %llu (%s) failed without a sentence", (unsigned long long)n, sys.last);
            DIR *dir = opendir(part);
            if (dir) {
                closedir(dir);
                if (strcmp(sys.last, "unlink") != 0)
                    check_same_files(part, part);
            }
            fs_remove_folder(folder);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distributions), cmocka_unit_test(test_often), cmocka_unit_test(test_instances), cmocka_unit_test(test_md5),
        cmocka_unit_test(test_folder),        cmocka_unit_test(test_stop),      cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
