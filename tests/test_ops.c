/* Every op of every CPU level, from one table of cases:
 *   reference  against plain double-precision loops, at every level present;
 *   gradients  backward calls against finite differences of the double-precision
 *              definition, along a random direction for each input;
 *   threads    the same bits for 1, 2, 3, 4 and 7 threads;
 *   rows       a row computed alone or in another place has the same bits;
 * and single tests for what is no tensor function: AdamW, sums, the cache.
 * A level that this machine lacks is a counted skip. */
#include "support_ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support_check.h"

static const ops_size sizes[] = {
    { &ops_linear, 1, 64, 128, BG_EPI_ACT },
    { &ops_linear, 5, 192, 64, BG_EPI_FLOAT | OPS_NO_BIAS },
    { &ops_linear, 7, 257, 257, BG_EPI_ACT },
    { &ops_linear, 7, 64, 257, BG_EPI_FLOAT | OPS_TRANSPOSED },
    { &ops_linear, 97, 128, 768, BG_EPI_RESIDUAL },
    { &ops_linear, 97, 192, 128, BG_EPI_RESIDUAL | OPS_LINEAR_DROPPED },
    { &ops_linear, 200, 64, 192, BG_EPI_GELU },
    { &ops_linear, 200, 768, 192, BG_EPI_ACT | OPS_AFTER_GELU },
    { &ops_linear, 97, 257, 100, BG_EPI_ACT | OPS_AFTER_GELU | OPS_TRANSPOSED },
    { &ops_linear, 13, 1600, 64, BG_EPI_ACT },       /* several runs of k */
    { &ops_linear, 13, 64, 1600, BG_EPI_RESIDUAL },  /* the same for dX */
    { &ops_linear, 600, 64, 96, BG_EPI_ACT },        /* several chunks of rows for dW */
    { &ops_linear, 600, 128, 70, BG_EPI_ACT | OPS_TRANSPOSED },
    { &ops_linear, 1, 256, 200, BG_EPI_ACT | OPS_INT8 },
    { &ops_linear, 2, 257, 64, BG_EPI_FLOAT | OPS_NO_BIAS | OPS_INT8 },
    { &ops_linear, 97, 192, 128, BG_EPI_RESIDUAL | OPS_LINEAR_DROPPED | OPS_INT8 },
    { &ops_linear, 13, 64, 257, BG_EPI_FLOAT | OPS_TRANSPOSED | OPS_INT8 },
    { &ops_linear, 200, 1600, 70, BG_EPI_GELU | OPS_INT8 },
    { &ops_dropout, 7, 64, 0, 0 },
    { &ops_dropout, 97, 257, 0, 0 },
    { &ops_layernorm, 1, 64, 0, 0 },
    { &ops_layernorm, 7, 257, 0, OPS_WITH_RESIDUAL },
    { &ops_layernorm, 200, 192, 0, OPS_WITH_RESIDUAL },
    { &ops_layernorm, 97, 768, 0, 0 },
    { &ops_layernorm, 4200, 64, 0, OPS_WITH_RESIDUAL | OPS_NORM_DROPPED }, /* more than a wave of blocks */
    { &ops_attention, 5 * 16, 64, 16, OPS_UNIFORM },
    { &ops_attention, 33 * 16, 128, 16, OPS_UNIFORM | OPS_ATTENTION_DROPPED },
    { &ops_attention, 3 * 33, 64, 33, OPS_UNIFORM },
    { &ops_attention, 1, 64, 1, OPS_UNIFORM },
    { &ops_attention, 200, 192, 0, 0 },
    { &ops_attention, 397, 64, 0, 0 },
    { &ops_attention, 97, 128, 0, OPS_ATTENTION_DROPPED },
    { &ops_attention, 9 * 16, 128, 16, OPS_UNIFORM | OPS_BEFORE },
    { &ops_attention, 200, 64, 0, OPS_ATTENTION_DROPPED | OPS_BEFORE },
    { &ops_rotate, 7, 64, 0, 0 },
    { &ops_rotate, 97, 192, 0, 0 },
    { &ops_convolve, 1, 64, 1, 0 },
    { &ops_convolve, 200, 192, 7, 0 },
    { &ops_convolve, 97, 64, BG_MAX_TAPS, 0 },
    { &ops_patch_embed, 7, 64, 0, 0 },
    { &ops_patch_embed, 97, 257, 0, 0 },
    { &ops_byte_embed, 7, 64, 0, 0 },
    { &ops_byte_embed, 97, 257, 0, 1 },
    { &ops_byte_step, 97, 192, 0, 0 },
    { &ops_add_rows, 97, 257, 0, 0 },
    { &ops_add_rows, 7, 64, 0, 1 },
    { &ops_sum_rows, 97, 257, 0, 0 },
    { &ops_sum_rows, 7, 64, 0, 1 },
    { &ops_token_rows, 97, 257, 0, 0 },
    { &ops_token_rows, 7, 64, 0, 1 },
    { &ops_token_rows, 97, 257, 0, 2 },
    { &ops_token_rows, 7, 64, 0, 3 },
    { &ops_add_part, 97, 128, 0, 0 },
    { &ops_gather, 200, 257, 0, 0 },
    { &ops_cross_entropy, 97, 257, 0, 0 },
    { &ops_cross_entropy, 13 * 16, 257, 0, 1 },
    { &ops_cross_entropy, 5, 4, 0, 0 },
    { &ops_segment_mean, 97, 257, 0, 0 },
};

enum { SIZES = sizeof sizes / sizeof *sizes };

static void describe(char *text, size_t n, const ops_problem *p, const bg_backend *be)
{
    snprintf(text, n, "%s at %s (%s), R %zu, C %zu, N %zu, variant %d, BGPT_TEST_SEED=%llu", p->which->name, bg_isa_name(be->isa),
             be->precision, p->R, p->C, p->N, p->variant, (unsigned long long)ops_seed());
}

/* How rows and threads are cut does not depend on the instructions, and the same program in plain C is
 * tested at every size; so what is emulated, at a microsecond an instruction, is compared with the definition
 * at every size, and for the rest at small ones. */
static int too_slow(const ops_size *s, int emulated)
{
    return emulated && s->R * s->C * (s->N > 16 ? s->N : 16) > 200000;
}

/* The levels to test: each present one; the others are counted. */
static size_t present_levels(int *list)
{
    size_t n = 0;
    for (int i = 0; i < OPS_LEVELS; i++) {
        const char *missing = ops_level_missing(i);
        if (missing)
            print_message("  SKIP: this machine has no %s\n", missing);
        else
            list[n++] = i;
    }
    return n;
}

static double **doubles(float *const *from, const ops_tensor *shape, size_t n)
{
    double **t = calloc(OPS_TENSORS, sizeof *t);
    for (size_t i = 0; i < n; i++) {
        t[i] = calloc(ops_count(&shape[i]) + 1, sizeof **t);
        for (size_t k = 0; from && k < ops_count(&shape[i]); k++)
            t[i][k] = (double)from[i][k];
    }
    return t;
}

static void free_doubles(double **t)
{
    for (size_t i = 0; i < OPS_TENSORS; i++)
        free(t[i]);
    free(t);
}

/* --- (a) reference ------------------------------------------------------------ */

static void compare(const ops_problem *p, const bg_backend *be, const ops_tensor *t, const float *got, const double *want)
{
    char what[256];
    double most = 0, worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < ops_count(t); i++)
        most = fmax(most, fabs(want[i]));
    for (size_t i = 0; i < ops_count(t); i++) {
        double error = fabs((double)got[i] - want[i]);
        if (!(error <= worst)) { /* NaN too */
            worst = error;
            at = i;
            if (isnan(error))
                break;
        }
    }
    const double tolerance = ops_tolerance(p, be);
    describe(what, sizeof what, p, be);
    if (!(worst <= tolerance * most))
        fail_msg("%s: %s[%zu,%zu] is %.9g, should be %.9g (error %.3g of the largest, %.3g allowed)", what, t->name, at / t->columns,
                 at % t->columns, (double)got[at], want[at], worst / most, tolerance);
}

static void check_reference(const ops_size *size, ops_engine *engines, size_t n)
{
    ops_problem p;
    float *in[OPS_TENSORS], *out[OPS_TENSORS];
    ops_problem_open(&p, size, ops_seed());
    ops_tensors(in, p.in, p.ins, ops_seed(), 0);
    ops_tensors(out, p.out, p.outs, 0, 0);
    double **exact_in = doubles(in, p.in, p.ins), **exact_out = doubles(NULL, p.out, p.outs);
    p.which->reference(&p, exact_in, exact_out);
    for (size_t e = 0; e < n; e++) {
        ops_run(&p, engines[e].be, in, out, NULL, NULL);
        for (size_t i = 0; i < p.outs; i++)
            compare(&p, engines[e].be, &p.out[i], out[i], exact_out[i]);
    }
    free_doubles(exact_in);
    free_doubles(exact_out);
    ops_tensors_free(in, p.ins);
    ops_tensors_free(out, p.outs);
    ops_problem_close(&p);
}

static void for_all_levels(void (*check)(const ops_size *, ops_engine *, size_t), unsigned threads)
{
    int levels[OPS_LEVELS];
    ops_engine engines[OPS_LEVELS];
    size_t n = present_levels(levels);
    for (size_t i = 0; i < n; i++)
        ops_engine_open(&engines[i], levels[i], threads);
    for (size_t i = 0; i < SIZES; i++)
        check(&sizes[i], engines, n);
    for (size_t i = 0; i < n; i++)
        ops_engine_close(&engines[i]);
}

static void test_reference(void **state) { for_all_levels(check_reference, 2); }

/* --- (b) gradients -------------------------------------------------------------- */

/* What flows back: random, a constant where the op knows no other, or nothing. */
static void fill_output_gradients(const ops_problem *p, float **dout)
{
    for (size_t i = 0; i < p->outs; i++)
        for (size_t k = 0; k < ops_count(&p->out[i]); k++) {
            if (p->out[i].no_grad)
                dout[i][k] = 0;
            else if (p->which->constant_dout > 0)
                dout[i][k] = p->which->constant_dout;
        }
}

static double weighted(const ops_problem *p, double *const *out, float *const *dout)
{
    double sum = 0;
    for (size_t i = 0; i < p->outs; i++)
        for (size_t k = 0; k < ops_count(&p->out[i]); k++)
            sum += out[i][k] * (double)dout[i][k];
    return sum;
}

/* (F(x + h d) - F(x - h d)) / 2h for input i, in double: with h = 1e-4 the
 * error is about h^2 and 1e-16 / h, both far below fp32's. */
static double slope_along(const ops_problem *p, double **in, double **out, float *const *dout, size_t i, const float *direction)
{
    const double h = 1e-4;
    double f[2];
    size_t n = ops_count(&p->in[i]);
    for (int side = 0; side < 2; side++) {
        double step = side ? h : -h;
        for (size_t k = 0; k < n; k++)
            in[i][k] += step * (double)direction[k];
        p->which->reference(p, in, out);
        f[side] = weighted(p, out, dout);
        for (size_t k = 0; k < n; k++)
            in[i][k] -= step * (double)direction[k];
    }
    return (f[1] - f[0]) / (2 * h);
}

/* A wrong element shifts the slope by about its share of the gradient's norm. */
static void compare_slope(const ops_problem *p, const bg_backend *be, size_t i, const float *din, const float *direction, double want)
{
    char what[256];
    double got = 0, norm = 0;
    for (size_t k = 0; k < ops_count(&p->in[i]); k++) {
        got += (double)din[k] * (double)direction[k];
        norm += (double)din[k] * (double)din[k];
    }
    double allowed = 4 * ops_tolerance(p, be) * sqrt(norm) + 1e-9;
    describe(what, sizeof what, p, be);
    if (!(fabs(got - want) <= allowed))
        fail_msg("%s: the gradient of %s along a direction is %.9g, should be %.9g (norm %.3g, %.3g allowed)", what, p->in[i].name, got, want, sqrt(norm), allowed);
}

static void check_gradients(const ops_size *size, ops_engine *engines, size_t n)
{
    ops_problem p;
    float *in[OPS_TENSORS], *out[OPS_TENSORS], *din[OPS_TENSORS], *dout[OPS_TENSORS], *direction[OPS_TENSORS];
    double slope[OPS_TENSORS] = { 0 };
    ops_problem_open(&p, size, ops_seed());
    if (p.forward_only) {
        ops_problem_close(&p);
        return;
    }
    ops_tensors(in, p.in, p.ins, ops_seed(), 0);
    ops_tensors(direction, p.in, p.ins, ops_seed(), 20);
    ops_tensors(din, p.in, p.ins, 0, 0);
    ops_tensors(out, p.out, p.outs, 0, 0);
    ops_tensors(dout, p.out, p.outs, ops_seed(), 10);
    fill_output_gradients(&p, dout);
    double **exact_in = doubles(in, p.in, p.ins), **exact_out = doubles(NULL, p.out, p.outs);
    for (size_t i = 0; i < p.ins; i++)
        if (!p.in[i].no_grad)
            slope[i] = slope_along(&p, exact_in, exact_out, dout, i, direction[i]);
    for (size_t e = 0; e < n; e++) {
        ops_run(&p, engines[e].be, in, out, dout, din);
        for (size_t i = 0; i < p.ins; i++)
            if (!p.in[i].no_grad)
                compare_slope(&p, engines[e].be, i, din[i], direction[i], slope[i]);
    }
    free_doubles(exact_in);
    free_doubles(exact_out);
    ops_tensors_free(in, p.ins);
    ops_tensors_free(direction, p.ins);
    ops_tensors_free(din, p.ins);
    ops_tensors_free(out, p.outs);
    ops_tensors_free(dout, p.outs);
    ops_problem_close(&p);
}

static void test_gradients(void **state) { for_all_levels(check_gradients, 2); }

/* --- (c) threads -------------------------------------------------------------------- */

static void same_bits(const ops_problem *p, const bg_backend *be, const char *why, const ops_tensor *t, size_t first, const float *a, const float *b, size_t n)
{
    char what[256];
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof a[i]) != 0) {
            describe(what, sizeof what, p, be);
            fail_msg("%s: %s: %s[%zu,%zu] is %.9g and %.9g", what, why, t->name, first + i / t->columns, i % t->columns, (double)a[i], (double)b[i]);
        }
}

static void check_threads(const ops_size *size, int level)
{
    static const unsigned threads[] = { 1, 2, 3, 4, 7 };
    ops_problem p;
    float *in[OPS_TENSORS], *dout[OPS_TENSORS], *out[2][OPS_TENSORS], *din[2][OPS_TENSORS];
    ops_problem_open(&p, size, ops_seed());
    ops_tensors(in, p.in, p.ins, ops_seed(), 0);
    ops_tensors(dout, p.out, p.outs, ops_seed(), 10);
    fill_output_gradients(&p, dout);
    for (int k = 0; k < 2; k++) {
        ops_tensors(out[k], p.out, p.outs, 0, 0);
        ops_tensors(din[k], p.in, p.ins, 0, 0);
    }
    for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
        ops_engine e;
        int other = k > 0;
        ops_engine_open(&e, level, threads[k]);
        ops_run(&p, e.be, in, out[other], p.forward_only ? NULL : dout, din[other]);
        for (size_t i = 0; other && i < p.outs; i++)
            same_bits(&p, e.be, "one thread and several", &p.out[i], 0, out[0][i], out[1][i], ops_count(&p.out[i]));
        for (size_t i = 0; other && !p.forward_only && i < p.ins; i++)
            if (!p.in[i].no_grad)
                same_bits(&p, e.be, "gradient, one thread and several", &p.in[i], 0, din[0][i], din[1][i], ops_count(&p.in[i]));
        ops_engine_close(&e);
    }
    for (int k = 0; k < 2; k++) {
        ops_tensors_free(out[k], p.outs);
        ops_tensors_free(din[k], p.ins);
    }
    ops_tensors_free(in, p.ins);
    ops_tensors_free(dout, p.outs);
    ops_problem_close(&p);
}

static void test_threads(void **state)
{
    int levels[OPS_LEVELS];
    size_t n = present_levels(levels);
    for (size_t l = 0; l < n; l++)
        for (size_t i = 0; i < SIZES; i++)
            if (!too_slow(&sizes[i], ops_level_emulated(levels[l])))
                check_threads(&sizes[i], levels[l]);
}

/* --- (d) rows ------------------------------------------------------------------------- */

/* Rows [first, first + n) as a problem of their own. */
static void check_slice(const ops_problem *whole, bg_backend *be, float *const *in, float *const *out, size_t first, size_t n)
{
    ops_problem p = *whole;
    float *part_in[OPS_TENSORS], *part_out[OPS_TENSORS];
    p.R = n;
    if (p.which->slice)
        p.which->slice(&p, first);
    for (size_t i = 0; i < p.ins; i++) {
        p.in[i].rows = p.in[i].by_row ? n : p.in[i].rows;
        part_in[i] = in[i] + (p.in[i].by_row ? first * p.in[i].columns : 0);
    }
    for (size_t i = 0; i < p.outs; i++)
        p.out[i].rows = n;
    ops_tensors(part_out, p.out, p.outs, 0, 0);
    ops_run(&p, be, part_in, part_out, NULL, NULL);
    for (size_t i = 0; i < p.outs; i++)
        same_bits(&p, be, "rows in a batch and alone", &p.out[i], first, out[i] + first * p.out[i].columns, part_out[i], n * p.out[i].columns);
    ops_tensors_free(part_out, p.outs);
}

static void check_rows(const ops_size *size, ops_engine *engines, size_t n)
{
    ops_problem p;
    float *in[OPS_TENSORS], *out[OPS_TENSORS];
    ops_problem_open(&p, size, ops_seed());
    ops_tensors(in, p.in, p.ins, ops_seed(), 0);
    ops_tensors(out, p.out, p.outs, 0, 0);
    for (size_t e = 0; e < n && p.out[0].by_row; e++) {
        if (too_slow(size, engines[e].emulated))
            continue;
        ops_run(&p, engines[e].be, in, out, NULL, NULL);
        check_slice(&p, engines[e].be, in, out, 0, 1);
        check_slice(&p, engines[e].be, in, out, p.R - 1, 1);
        check_slice(&p, engines[e].be, in, out, p.R / 2, (p.R + 3) / 4);
    }
    ops_tensors_free(in, p.ins);
    ops_tensors_free(out, p.outs);
    ops_problem_close(&p);
}

static void test_rows(void **state) { for_all_levels(check_rows, 2); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
