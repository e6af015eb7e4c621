/* What the table of test_ops.c cannot say as a function of tensors: the
 * key/value cache against plain attention, AdamW over several steps, sums,
 * NaN going through, failing allocations, levels that are not there. */
#include "support_ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/cpu/cpu.h"
#include "ops/dropout.h"
#include "support_check.h"

static void *fresh(bg_backend *be, size_t bytes)
{
    void *p = be->ops->alloc(be, bytes);
    assert_non_null(p);
    return p;
}

/* A float buffer with random values. */
static float *random_floats(bg_backend *be, size_t n, uint64_t index)
{
    float *p = fresh(be, n * sizeof *p), *host = malloc(n * sizeof *host);
    assert_non_null(host);
    ops_random(host, n, 1, ops_seed(), index);
    be->ops->write(be, p, host, n * sizeof *host);
    free(host);
    return p;
}

/* --- sequences that grow ------------------------------------------------------------ */

enum { GROWN_C = 192, GROWN_ROWS = 37, GROWN_SLOTS = 3, GROWN_ALL = GROWN_SLOTS * GROWN_ROWS, CACHE_LENGTH = 70, RING_TAPS = 7, RING_ROWS = GROWN_ROWS + RING_TAPS };

typedef struct grown_test grown_test;

/* An op on whole sequences and the one that goes on from what it keeps. */
typedef struct grown_op {
    const char *name;
    size_t columns; /* of its input */
    size_t (*kept_bytes)(bg_backend *be);
    void (*whole)(grown_test *t, bg_backend *be, const uint32_t *pos);
    void (*step)(grown_test *t, bg_backend *be, const void *in, const uint32_t *slot, const uint32_t *pos, size_t n);
} grown_op;

struct grown_test {
    const grown_op *op;
    void *in, *out, *kept;
    float *w; /* of the convolution */
    float want[GROWN_ALL * GROWN_C];
};

static size_t act_bytes(const bg_backend *be, size_t rows, size_t columns) { return rows * bg_stride(be->act_size, columns) * be->act_size; }

static size_t cache_bytes(bg_backend *be) { return be->ops->cache_bytes(be, GROWN_SLOTS, CACHE_LENGTH, GROWN_C); }

static void attend_whole(grown_test *t, bg_backend *be, const uint32_t *pos)
{
    const bg_segments s = { .S = GROWN_SLOTS, .length = GROWN_ROWS, .longest = GROWN_ROWS };
    be->ops->attention(be, t->out, NULL, t->in, &s, NULL, GROWN_C, NULL);
}

static void attend_step(grown_test *t, bg_backend *be, const void *in, const uint32_t *slot, const uint32_t *pos, size_t n)
{
    be->ops->attention_cached(be, t->out, in, t->kept, GROWN_SLOTS, CACHE_LENGTH, slot, pos, n, GROWN_C);
}

static size_t ring_bytes(bg_backend *be) { return act_bytes(be, GROWN_SLOTS * RING_ROWS, GROWN_C); }

static void convolve_whole(grown_test *t, bg_backend *be, const uint32_t *pos)
{
    be->ops->convolve(be, t->out, t->in, t->w, RING_TAPS, pos, GROWN_ALL, GROWN_C);
}

static void convolve_step(grown_test *t, bg_backend *be, const void *in, const uint32_t *slot, const uint32_t *pos, size_t n)
{
    be->ops->convolve_cached(be, t->out, in, t->kept, RING_ROWS, t->w, RING_TAPS, slot, pos, n, GROWN_C);
}

static const grown_op grown_ops[] = {
    { "attention", 3 * GROWN_C, cache_bytes, attend_whole, attend_step },
    { "convolution", GROWN_C, ring_bytes, convolve_whole, convolve_step },
};

static void grown_open(grown_test *t, const grown_op *op, bg_backend *be)
{
    uint32_t pos[GROWN_ALL];
    const size_t values = GROWN_ALL * op->columns;
    float *host = malloc(values * sizeof *host);
    for (uint32_t r = 0; r < GROWN_ALL; r++)
        pos[r] = r % GROWN_ROWS;
    ops_random(host, values, 1, ops_seed(), 77);
    t->op = op;
    t->in = fresh(be, act_bytes(be, GROWN_ALL, op->columns));
    t->out = fresh(be, act_bytes(be, GROWN_ALL, GROWN_C));
    t->kept = fresh(be, op->kept_bytes(be));
    t->w = random_floats(be, RING_TAPS * GROWN_C, 79);
    be->ops->to_act(be, t->in, host, GROWN_ALL, op->columns);
    op->whole(t, be, pos);
    be->ops->from_act(be, t->want, t->out, GROWN_ALL, GROWN_C);
    free(host);
}

static void grown_close(grown_test *t, bg_backend *be)
{
    be->ops->free(be, t->in);
    be->ops->free(be, t->out);
    be->ops->free(be, t->kept);
    be->ops->free(be, t->w);
}

/* n rows of the input, given by their numbers, beside what is kept; slot and position follow from the number. */
static void grown_step(grown_test *t, bg_backend *be, const uint32_t *row, size_t n)
{
    uint32_t slot[GROWN_ALL], pos[GROWN_ALL];
    float got[GROWN_ALL * GROWN_C];
    void *in = fresh(be, act_bytes(be, n, t->op->columns));
    be->ops->gather_rows(be, in, t->in, row, n, t->op->columns);
    for (size_t i = 0; i < n; i++) {
        slot[i] = row[i] / GROWN_ROWS;
        pos[i] = row[i] % GROWN_ROWS;
    }
    t->op->step(t, be, in, slot, pos, n);
    be->ops->from_act(be, got, t->out, n, GROWN_C);
    for (size_t i = 0; i < n * GROWN_C; i++) {
        const float *want = t->want + row[i / GROWN_C] * GROWN_C + i % GROWN_C;
        if (memcmp(&got[i], want, sizeof *want) != 0)
            fail_msg("%s: %s: row %u column %zu with %zu rows at once is %.9g from what is kept, %.9g without (seed %llu)", bg_isa_name(be->isa), t->op->name,
                     row[i / GROWN_C], i % GROWN_C, n, (double)got[i], (double)*want, (unsigned long long)ops_seed());
    }
    be->ops->free(be, in);
}

static void check_grown(ops_engine *e, const grown_op *op)
{
    bg_backend *be = e->be;
    grown_test *t = malloc(sizeof *t);
    uint32_t row[GROWN_ALL];
    assert_non_null(t);
    grown_open(t, op, be);
    /* one row of one slot after another */
    for (uint32_t r = 0; r < GROWN_ROWS; r++)
        grown_step(t, be, &(uint32_t){ 2 * GROWN_ROWS + r }, 1);
    /* all slots side by side */
    for (uint32_t r = 0; r < GROWN_ROWS; r++) {
        for (uint32_t s = 0; s < GROWN_SLOTS; s++)
            row[s] = s * GROWN_ROWS + r;
        grown_step(t, be, row, GROWN_SLOTS);
    }
    for (uint32_t r = 0; r < GROWN_ALL; r++)
        row[r] = r;
    /* a prompt in three parts, then everything at once, over what the steps left behind */
    grown_step(t, be, row, 5);
    grown_step(t, be, row + 5, 20);
    grown_step(t, be, row + 25, GROWN_ROWS - 25);
    grown_step(t, be, row, GROWN_ALL);
    grown_close(t, be);
    free(t);
}

static void check_cache(ops_engine *e) { check_grown(e, &grown_ops[0]); }
static void check_ring(ops_engine *e) { check_grown(e, &grown_ops[1]); }
static void test_cache(void **state) { ops_at_each_level(check_cache, 2); }
static void test_ring(void **state) { ops_at_each_level(check_ring, 2); }

/* --- AdamW ----------------------------------------------------------------------- */

enum { ADAM_N = 40003, ADAM_STEPS = 5 };

/* torch.optim.AdamW's single-tensor form, in double. */
static void adamw_reference(double *w, const float *g, double *m, double *v, const bg_adamw *o)
{
    double b1 = (double)o->beta1, b2 = (double)o->beta2, t = (double)o->step;
    for (size_t i = 0; i < ADAM_N; i++) {
        double x = (double)g[i] * (double)o->grad_scale;
        w[i] *= 1 - (double)o->lr * (double)o->weight_decay;
        m[i] = b1 * m[i] + (1 - b1) * x;
        v[i] = b2 * v[i] + (1 - b2) * x * x;
        w[i] -= (double)o->lr / (1 - pow(b1, t)) * m[i] / (sqrt(v[i]) / sqrt(1 - pow(b2, t)) + (double)o->eps);
    }
}

static void check_adamw(ops_engine *e)
{
    bg_backend *be = e->be;
    bg_adamw o = { .lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.1f, .grad_scale = 0.5f };
    float *w = random_floats(be, ADAM_N, 1), *m = fresh(be, ADAM_N * sizeof *m), *v = fresh(be, ADAM_N * sizeof *v);
    double *rw = calloc(ADAM_N, sizeof *rw), *rm = calloc(ADAM_N, sizeof *rm), *rv = calloc(ADAM_N, sizeof *rv);
    float *host = malloc(ADAM_N * sizeof *host);
    be->ops->read(be, host, w, ADAM_N * sizeof *host);
    for (size_t i = 0; i < ADAM_N; i++)
        rw[i] = (double)host[i];
    for (o.step = 1; o.step <= ADAM_STEPS; o.step++) {
        float *g = random_floats(be, ADAM_N, 10 + o.step);
        be->ops->read(be, host, g, ADAM_N * sizeof *host);
        adamw_reference(rw, host, rm, rv, &o);
        be->ops->adamw(be, w, g, m, v, ADAM_N, &o);
        be->ops->free(be, g);
    }
    be->ops->read(be, host, w, ADAM_N * sizeof *host);
    for (size_t i = 0; i < ADAM_N; i++)
        if (!(fabs((double)host[i] - rw[i]) <= 1e-6 * (1 + fabs(rw[i])))) /* a few roundings of values around 1 */
            fail_msg("%s: weight %zu is %.9g after %d steps, should be %.9g", bg_isa_name(be->isa), i, (double)host[i], ADAM_STEPS, rw[i]);
    free(rw);
    free(rm);
    free(rv);
    free(host);
    be->ops->free(be, w);
    be->ops->free(be, m);
    be->ops->free(be, v);
}

static void test_adamw(void **state) { ops_at_each_level(check_adamw, 3); }

/* --- sums -------------------------------------------------------------------------- */

enum { SUM_N = 4096 * 1024 + 4097 }; /* more than one wave of partial sums, a ragged end */

static void test_sum_squares(void **state)
{
    float *x = malloc(SUM_N * sizeof *x);
    double want = 0, first = 0;
    assert_non_null(x);
    ops_random(x, SUM_N, 1, ops_seed(), 5);
    for (size_t i = 0; i < SUM_N; i++)
        want += (double)x[i] * (double)x[i];
    for (unsigned threads = 1; threads <= 4; threads++) {
        ops_engine e;
        bg_isa best;
        bg_error err;
        CHECK_OK(bg_isa_pick(&best, NULL, &err), err);
        ops_engine_open(&e, best, threads);
        double got = e.be->ops->sum_squares(e.be, x, SUM_N);
        first = threads == 1 ? got : first;
        if (!(fabs(got - want) <= 1e-10 * want) || memcmp(&got, &first, sizeof got) != 0)
            fail_msg("%u threads: sum of squares %.17g, one thread %.17g, plain loop %.17g", threads, got, first, want);
        ops_engine_close(&e);
    }
    free(x);
}

static void check_segment_sums(ops_engine *e)
{
    bg_backend *be = e->be;
    static const uint32_t start[] = { 0, 3, 3, 10 };
    float *loss = random_floats(be, 10, 6), host[10];
    double got[3], want[3] = { 0 };
    be->ops->read(be, host, loss, sizeof host);
    for (size_t s = 0; s < 3; s++)
        for (uint32_t r = start[s]; r < start[s + 1]; r++)
            want[s] += (double)host[r];
    be->ops->segment_sums(be, got, loss, start, 3);
    assert_memory_equal(got, want, sizeof got);
    be->ops->free(be, loss);
}

static void test_segment_sums(void **state) { ops_at_each_level(check_segment_sums, 1); }

/* --- dropout's share, scatter, moving data ---------------------------------------------- */

static void check_dropout_share(ops_engine *e)
{
    bg_backend *be = e->be;
    enum { ROWS = 400, COLUMNS = 256 };
    size_t row = bg_stride(sizeof(float), COLUMNS), removed = 0;
    float *x = fresh(be, ROWS * row * sizeof *x), *host = malloc(ROWS * row * sizeof *host);
    bg_dropout d = { .p = 0.1f, .seed = ops_seed(), .step = 3, .site = 2 };
    for (size_t i = 0; i < ROWS * row; i++)
        host[i] = 1;
    be->ops->write(be, x, host, ROWS * row * sizeof *host);
    be->ops->dropout(be, x, ROWS, COLUMNS, &d);
    be->ops->read(be, host, x, ROWS * row * sizeof *host);
    for (size_t i = 0; i < ROWS * row; i++) {
        float v = host[i];
        if (i % row >= COLUMNS)
            continue;
        removed += v == 0.0f;
        if (v != 0.0f && v != bg_drop_scale(&d))
            fail_msg("%s: a kept 1 became %.9g", bg_isa_name(be->isa), (double)v);
    }
    /* 102400 draws: a standard deviation is 96 */
    if (removed < 10240 - 500 || removed > 10240 + 500)
        fail_msg("%s: dropout 0.1 removed %zu of 102400 (seed %llu)", bg_isa_name(be->isa), removed, (unsigned long long)ops_seed());
    free(host);
    be->ops->free(be, x);
}

static void test_dropout_share(void **state) { ops_at_each_level(check_dropout_share, 2); }

/* Rows that are not named stay as they are. */
static void check_scatter(ops_engine *e)
{
    bg_backend *be = e->be;
    enum { ROWS = 5, COLUMNS = 70 };
    static const uint32_t index[] = { 4, 1 };
    float host[ROWS * COLUMNS], part[2 * COLUMNS];
    size_t bytes = ROWS * bg_stride(be->act_size, COLUMNS) * be->act_size;
    void *dx = fresh(be, bytes), *dy = fresh(be, bytes);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        host[i] = (float)(i / COLUMNS);
    for (size_t i = 0; i < 2 * COLUMNS; i++)
        part[i] = 100;
    be->ops->to_act(be, dx, host, ROWS, COLUMNS);
    be->ops->to_act(be, dy, part, 2, COLUMNS);
    be->ops->scatter_rows(be, dx, dy, index, 2, COLUMNS);
    be->ops->from_act(be, host, dx, ROWS, COLUMNS);
    for (size_t i = 0; i < ROWS * COLUMNS; i++) {
        size_t r = i / COLUMNS;
        float want = r == 1 || r == 4 ? 100 : (float)r;
        if (!(host[i] == want))
            fail_msg("%s: row %zu column %zu is %g, should be %g", bg_isa_name(be->isa), r, i % COLUMNS, (double)host[i], (double)want);
    }
    be->ops->zero(be, dx, bytes);
    be->ops->from_act(be, host, dx, ROWS, COLUMNS);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        assert_true(host[i] == 0.0f);
    be->ops->free(be, dx);
    be->ops->free(be, dy);
}

static void test_scatter(void **state) { ops_at_each_level(check_scatter, 2); }

/* --- NaN ----------------------------------------------------------------------------------- */

/* A NaN in the input must reach the output: a diverging run is recognised by
 * it.  One case after another, with one NaN in the first input. */
static void check_nan(ops_engine *e)
{
    bg_backend *be = e->be;
    static const ops_size sizes[] = {
        { &ops_linear, 7, 64, 70, BG_EPI_GELU }, { &ops_linear, 7, 64, 70, OPS_AFTER_GELU }, { &ops_layernorm, 7, 70, 0, 0 },
        { &ops_attention, 32, 64, 16, OPS_UNIFORM }, { &ops_cross_entropy, 7, 257, 0, 0 }, { &ops_segment_mean, 7, 70, 0, 0 },
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t at = 0; at < 64; at += 9) {
            ops_problem p;
            float *in[OPS_TENSORS], *out[OPS_TENSORS];
            size_t found = 0;
            ops_problem_open(&p, &sizes[i], ops_seed());
            ops_tensors(in, p.in, p.ins, ops_seed(), 0);
            ops_tensors(out, p.out, p.outs, 0, 0);
            in[0][at] = NAN;
            ops_run(&p, be, in, out, NULL, NULL);
            for (size_t k = 0; k < ops_count(&p.out[0]); k++)
                found += isnan(out[0][k]) != 0;
            if (!found)
                fail_msg("%s at %s: NaN in column %zu vanished", p.which->name, bg_isa_name(be->isa), at);
            ops_tensors_free(in, p.ins);
            ops_tensors_free(out, p.outs);
            ops_problem_close(&p);
        }
}

static void test_nan(void **state) { ops_at_each_level(check_nan, 1); }

/* --- eight-bit weights ----------------------------------------------------------------------------- */

enum { INT8_R = 5, INT8_K = 257, INT8_N = 70 };

/* y (R,N) float on the host. */
static void int8_product(bg_backend *be, float *y, const float *x, bg_weight *w)
{
    bg_weight *list = w;
    bg_error err;
    const size_t row = bg_stride(sizeof(float), INT8_N);
    void *in = fresh(be, INT8_R * bg_stride(be->act_size, INT8_K) * be->act_size);
    float *out = fresh(be, INT8_R * row * sizeof *out);
    CHECK_OK(be->ops->weights_bind(be, &list, 1, BG_WEIGHTS_INT8, &err), err);
    be->ops->weights_changed(be, &list, 1);
    be->ops->to_act(be, in, x, INT8_R, INT8_K);
    be->ops->linear(be, out, NULL, in, w, BG_EPI_FLOAT, INT8_R, NULL);
    for (size_t r = 0; r < INT8_R; r++)
        be->ops->read(be, y + r * INT8_N, out + r * row, INT8_N * sizeof *y);
    be->ops->weights_unbind(be, &list, 1);
    be->ops->free(be, in);
    be->ops->free(be, out);
}

/* The instruction for dot products of bytes and what stands in for it give the same bits; a
 * row that is not finite spoils itself alone; columns and rows of zeros are zeros. */
static void check_int8(ops_engine *e)
{
    bg_backend *be = e->be;
    static float x[INT8_R * INT8_K], a[INT8_R * INT8_N], b[INT8_R * INT8_N];
    int *dots = &((bg_cpu *)be)->byte_dots;
    const int had = *dots;
    bg_weight w = { .w = random_floats(be, INT8_K * INT8_N, 1), .K = INT8_K, .N = INT8_N };
    ops_random(x, INT8_R * INT8_K, 1, ops_seed(), 2);
    for (size_t k = 0; k < INT8_K; k++)
        w.w[k * INT8_N + 3] = x[INT8_K + k] = 0;
    x[2 * INT8_K + 7] = INFINITY;
    x[3 * INT8_K + 256] = NAN;
    int8_product(be, a, x, &w);
    *dots = 0;
    int8_product(be, b, x, &w);
    *dots = had;
    for (size_t n = 0; n < INT8_N; n++) {
        assert_true(isnan(a[2 * INT8_N + n]) && isnan(a[3 * INT8_N + n]));
        assert_true(a[INT8_N + n] == 0 && fabsf(a[n]) < 100 && (n == 3 ? a[n] == 0 : a[n] != 0));
        for (size_t r = 0; r < INT8_R; r++)
            assert_true(isnan(a[r * INT8_N + n]) || a[r * INT8_N + n] == b[r * INT8_N + n]);
    }
    be->ops->free(be, w.w);
}

static void test_int8(void **state) { ops_at_each_level(check_int8, 2); }

/* --- opening ----------------------------------------------------------------------------------- */

/* An allocator that fails at one call and counts what is held. */
typedef struct failing {
    const bg_sys *real;
    long left, held;
} failing;

static void *failing_alloc(void *ctx, size_t bytes)
{
    failing *f = ctx;
    if (f->left-- == 0)
        return NULL;
    void *p = f->real->alloc(f->real->ctx, bytes);
    f->held += p != NULL;
    return p;
}

static void failing_free(void *ctx, void *p)
{
    failing *f = ctx;
    f->held -= p != NULL;
    f->real->free(f->real->ctx, p);
}

/* Open, bind two matrices, close, with allocation n failing; 1 when all went well. */
static int open_and_bind(const bg_sys *sys, bg_pool *pool, bg_weight_form form)
{
    bg_error err = { BG_OK, "" };
    bg_backend *be;
    const bg_limits limits = { 256, 64 };
    bg_weight a = { .K = 64, .N = 192 }, b = { .K = 192, .N = 64, .transposed = 1 }, *list[] = { &a, &b };
    bg_status status = bg_cpu_open(&be, sys, pool, BG_ISA_PORTABLE, 0, &limits, &err);
    if (status == BG_OK) {
        status = be->ops->weights_bind(be, list, 2, form, &err);
        if (status == BG_OK)
            be->ops->weights_unbind(be, list, 2);
        assert_null(a.packed);
        assert_null(b.packed);
        bg_backend_close(be);
    } else {
        assert_null(be);
    }
    assert_true(status == BG_OK || (status == BG_ERR_MEMORY && err.code == BG_ERR_MEMORY && err.text[0]));
    return status == BG_OK;
}

static void test_failing_allocations(void **state)
{
    failing f = { .real = bg_sys_default() };
    bg_sys sys = *f.real;
    bg_pool *pool;
    bg_error err;
    long n = 0;
    int done = 0;
    sys.ctx = &f;
    sys.alloc = failing_alloc;
    sys.free = failing_free;
    CHECK_OK(bg_pool_open(&pool, bg_sys_default(), 2, &err), err);
    for (int form = BG_WEIGHTS_RUN; form <= BG_WEIGHTS_INT8; form++) {
        for (n = done = 0; !done; n++) {
            f.left = n;
            done = open_and_bind(&sys, pool, (bg_weight_form)form);
            assert_int_equal(f.held, 0);
        }
        assert_true(n > 4); /* the struct, scratch, sums, two matrices */
    }
    bg_pool_close(pool);
}

static void test_absent_level(void **state)
{
    bg_pool *pool;
    bg_backend *be;
    bg_error err;
    const bg_limits limits = { 64, 64 };
    CHECK_OK(bg_pool_open(&pool, bg_sys_default(), 1, &err), err);
    for (int i = 0; i < BG_ISA_COUNT; i++)
        if (!bg_isa_present((bg_isa)i)) {
            CHECK_FAILS(bg_cpu_open(&be, bg_sys_default(), pool, (bg_isa)i, 0, &limits, &err), BG_ERR_ARGUMENT, bg_isa_name((bg_isa)i), err);
            assert_null(be);
        }
    bg_pool_close(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache), cmocka_unit_test(test_ring),
        cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_sum_squares),
        cmocka_unit_test(test_segment_sums),
        cmocka_unit_test(test_dropout_share),
        cmocka_unit_test(test_scatter),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_absent_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
