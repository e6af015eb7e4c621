/* bgpt_bench_run on the smallest models: that the figures agree with each
 * other.  How fast anything is, no test can say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/sys.h"
#include "include/bgpt.h"
#include "tests/support_fs.h"
#include "tests/support_run.h"

static const bgpt_config tiny = { .hidden = 64, .patch_layers = 1, .byte_layers = 1, .patches = 9, .patch_size = 8 };
static const bgpt_options one = { .threads = 1 };

/* What the ops of each job add up to. */
typedef struct sums {
    double seconds[BGPT_BENCH_JOBS], share[BGPT_BENCH_JOBS], flop[BGPT_BENCH_JOBS];
    int rows, polls, stop_at; /* stop_at 0: never */
} sums;

static void add(void *ctx, const bgpt_bench_op *op)
{
    sums *s = ctx;
    s->rows++;
    s->seconds[op->job] += op->seconds;
    s->share[op->job] += op->share;
    if (!isnan(op->flops))
        s->flop[op->job] += op->flops * op->seconds;
    assert_true(op->seconds >= 0 || strcmp(op->op, "between ops") == 0);
}

static int stop(void *ctx)
{
    sums *s = ctx;
    return ++s->polls == s->stop_at;
}

static bgpt_bench bench_of(sums *s, const bgpt_config *c)
{
    return (bgpt_bench){ .config = *c, .batch = 2, .streams = 3, .seconds = 0.002, .seed = 1, .op = add, .stop = stop, .ctx = s };
}

/* The rates of the figures are made from the shape, those of the ops from the calls: both must count the same FLOP. */
static void check_flop(const sums *s, const bgpt_bench_result *r, bgpt_bench_job job, double bytes)
{
    const double by_shape = r->figures[job].flops / r->figures[job].median * bytes;
    if (!(fabs(s->flop[job] - by_shape) <= 1e-6 * by_shape))
        fail_msg("job %d: the ops have %.9g FLOP, the shape %.9g", (int)job, s->flop[job], by_shape);
}

static void check_shape(const bgpt_config *c)
{
    sums s = { .rows = 0 };
    const bgpt_bench b = bench_of(&s, c);
    bgpt_bench_result r;
    bgpt_error err;
    if (bgpt_bench_run(&b, &one, &r, &err) != BGPT_OK)
        fail_msg("%s", err.text);
    assert_int_equal(r.parameters, bgpt_count_parameters(c));
    assert_true(r.threads == 1 && r.batch == 2 && r.streams == 3);
    assert_true(r.fp32_flops > 0 && r.product_flops > 0 && r.l2_bandwidth > 0 && r.dram_bandwidth > 0 && !(r.l3_bandwidth <= 0));
    for (int i = 0; i < BGPT_BENCH_JOBS; i++) {
        const bgpt_bench_figure *f = &r.figures[i];
        assert_true(f->repeats >= 3 && f->min > 0 && f->min <= f->median && f->median <= f->max);
        assert_true(f->share > 0 && f->flops > 0);
        assert_true(fabs(s.share[i] - 1) < 1e-9 && s.seconds[i] > 0);
    }
    const double content = 2 * (c->patches - 2.0) * c->patch_size; /* of a batch */
    check_flop(&s, &r, BGPT_BENCH_TRAIN, content);
    check_flop(&s, &r, BGPT_BENCH_EVAL, content);
    assert_true(s.flop[BGPT_BENCH_GENERATE] > 0 && s.flop[BGPT_BENCH_GENERATE_BATCH] > 2.5 * s.flop[BGPT_BENCH_GENERATE]);
    assert_true(r.weight_bytes > 0 && r.byte_memory && r.patch_memory);
}

static void test_figures_agree(void **state)
{
    bgpt_config own = tiny;
    own.byte_hidden = 128; /* a byte decoder of its own width has one more linear */
    check_shape(&tiny);
    check_shape(&own);
}

/* Each time somewhere else; the last time it is not asked that often any more. */
static void test_stops(void **state)
{
    int stopped = 0;
    for (int at = 1;; at += 5) {
        sums s = { .stop_at = at };
        const bgpt_bench b = bench_of(&s, &tiny);
        bgpt_bench_result r;
        bgpt_error err;
        bgpt_status status = bgpt_bench_run(&b, &one, &r, &err);
        if (status == BGPT_OK || at > 60)
            break;
        assert_int_equal(status, BGPT_ERR_INTERRUPTED);
        assert_non_null(strstr(err.text, "interrupted"));
        stopped++;
    }
    assert_true(stopped > 3);
}

static void refuse(bgpt_bench b, const char *part)
{
    bgpt_bench_result r;
    bgpt_error err;
    assert_int_equal(bgpt_bench_run(&b, &one, &r, &err), BGPT_ERR_ARGUMENT);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void test_refuses(void **state)
{
    bgpt_config wrong = tiny;
    wrong.hidden = 100;
    refuse((bgpt_bench){ .config = wrong }, "width");
    wrong = tiny;
    wrong.classes = 3;
    refuse((bgpt_bench){ .config = wrong }, "classifier");
    refuse((bgpt_bench){ .config = tiny, .streams = 5000 }, "side by side");
    refuse((bgpt_bench){ .config = tiny, .seconds = -1 }, "seconds");
    refuse((bgpt_bench){ .config = tiny, .seconds = NAN }, "seconds");
    wrong = tiny;
    wrong.patches = 65536;
    refuse((bgpt_bench){ .config = wrong, .batch = 65535 }, "too large");
}

/* An allocation that fails is a sentence, and nothing stays behind. */
static void test_memory(void **state)
{
    uint64_t n = 0;
    for (;; n++) {
        fault_sys f;
        bgpt_options o = one;
        sums s = { .rows = 0 };
        const bgpt_bench b = bench_of(&s, &tiny);
        bgpt_bench_result r;
        bgpt_error err = { BGPT_OK, "" };
        fault_open(&f);
        const bgpt_hooks hooks = run_hooks(&f);
        o.hooks = &hooks;
        fault_fail(&f, FAULT_ALLOC, n, 0);
        const bgpt_status status = bgpt_bench_run(&b, &o, &r, &err);
        assert_true(fault_clean(&f));
        if (!f.failed[FAULT_ALLOC])
            break;
        if (status != BGPT_ERR_MEMORY || !err.text[0])
            fail_msg("allocation %d failing: status %d, \"%s\"", (int)n, (int)status, err.text);
    }
    print_message("  %d allocations\n", (int)n);
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_agree),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
