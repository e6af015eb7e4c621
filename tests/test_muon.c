/* Muon: the ends of an update and the products between against plain double-precision loops, at every level;
 * the same bits for any number of threads; and which parameters it moves. */
#include "run/optimizer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support_check.h"
#include "support_ops.h"

static float *buffer(bg_backend *be, size_t n, uint64_t index)
{
    float *p = be->ops->alloc(be, n * sizeof *p);
    assert_non_null(p);
    if (index)
        ops_random(p, n, 1, ops_seed(), index);
    return p;
}

/* --- the ends ------------------------------------------------------------------------- */

static void close_to(double got, double want, const char *what, size_t r, size_t c)
{
    if (!(fabs(got - want) <= 2e-6 * (1 + fabs(want))))
        fail_msg("%s[%zu,%zu] is %.9g, should be %.9g", what, r, c, got, want);
}

static void check_ends_of(bg_backend *be, size_t R, size_t C, size_t row)
{
    const float beta = 0.9f, scale = 0.5f;
    const int turned = R > C;
    const size_t x_row = bg_stride(sizeof(float), turned ? R : C);
    float *w = buffer(be, R * row, 1), *m = buffer(be, R * row, 2), *g = buffer(be, R * row, 3), *x = buffer(be, (turned ? C : R) * x_row, 0);
    double *momentum = malloc(R * C * sizeof *momentum), *u = malloc(R * C * sizeof *u), *before = malloc(R * C * sizeof *before), squares = 0;
    for (size_t i = 0; i < R * C; i++) {
        const size_t at = i / C * row + i % C;
        momentum[i] = (double)m[at] * (double)beta + (double)(scale * g[at]);
        u[i] = (double)(scale * g[at]) + (double)beta * momentum[i];
        before[i] = w[at];
        squares += u[i] * u[i];
    }
    const float beyond = row > C ? w[C] : 0;
    const bg_muon muon = { .w = w, .m = m, .g = g, .R = R, .C = C, .row = row, .grad_scale = scale, .beta = beta, .decay = 0.75f, .rate = 2 };
    be->ops->muon_begin(be, x, &muon);
    be->ops->muon_end(be, x, &muon);
    for (size_t i = 0; i < R * C; i++) {
        const size_t r = i / C, c = i % C;
        const double want = u[i] / sqrt(squares / (double)(R * C)) / 16;
        close_to(m[r * row + c], momentum[i], "momentum", r, c);
        close_to(turned ? x[c * x_row + r] : x[r * x_row + c], want, "x", r, c);
        close_to(w[r * row + c], before[i] * 0.75 - 2 * want, "w", r, c);
    }
    assert_true(row == C || w[C] == beyond);
    memset(m, 0, R * row * sizeof *m);
    memset(g, 0, R * row * sizeof *g);
    be->ops->muon_begin(be, x, &muon);
    assert_true(x[0] == 0);
    g[row + 1] = NAN;
    be->ops->muon_begin(be, x, &muon);
    assert_true(isnan(x[0]));
    free(momentum);
    free(u);
    free(before);
    be->ops->free(be, w);
    be->ops->free(be, m);
    be->ops->free(be, g);
    be->ops->free(be, x);
}

static void check_ends(ops_engine *e)
{
    check_ends_of(e->be, 64, 64, 192);
    check_ends_of(e->be, 64, 256, 256);
    check_ends_of(e->be, 256, 64, 64);
    check_ends_of(e->be, 5, 7, 9);
    check_ends_of(e->be, 1100, 3, 3);
}

static void test_ends(void **state) { ops_at_each_level(check_ends, 2); }

/* --- orthogonal rows --------------------------------------------------------------------- */

static const bg_config shape = { 64, 2, 1, 128, 12, 8, 0, 0, 0, 0, 0, 0, 0 };

static void newton_schulz(double *x, size_t n, size_t N)
{
    double *a = malloc(n * n * sizeof *a), *b = malloc(n * n * sizeof *b), *y = malloc(n * N * sizeof *y), norm = 0;
    for (size_t i = 0; i < n * N; i++)
        norm += x[i] * x[i];
    for (size_t i = 0; i < n * N; i++)
        x[i] /= sqrt(norm);
    for (int step = 0; step < 5; step++) {
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                a[i * n + j] = 0;
                for (size_t k = 0; k < N; k++)
                    a[i * n + j] += x[i * N + k] * x[j * N + k];
            }
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                b[i * n + j] = -4.7750 * a[i * n + j];
                for (size_t k = 0; k < n; k++)
                    b[i * n + j] += 2.0315 * a[i * n + k] * a[k * n + j];
            }
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < N; j++) {
                y[i * N + j] = 3.4445 * x[i * N + j];
                for (size_t k = 0; k < n; k++)
                    y[i * N + j] += b[i * n + k] * x[k * N + j];
            }
        memcpy(x, y, n * N * sizeof *x);
    }
    free(a);
    free(b);
    free(y);
}

/* Roundings of bf16 and fp16 spread over five steps, each of which magnifies small singular values 3.4 times. */
static double tolerance(const bg_backend *be) { return be->act_size == sizeof(float) ? 1e-4 : strcmp(be->precision, "fp16") == 0 ? 0.02 : 0.1; }

/* Of a shape: x as muon_begin leaves it, and what comes of it. */
static void check_shape(bg_muon_plan *p, uint32_t shape_index)
{
    const size_t n = p->shapes[shape_index].n, N = p->shapes[shape_index].N, row = bg_stride(sizeof(float), N);
    double *want = malloc(n * N * sizeof *want), error = 0, size = 0;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        ops_random(p->x + i * row, N, 1, ops_seed(), 10 + i);
        for (size_t k = 0; k < N; k++) { /* columns of unlike size, so that singular values differ */
            p->x[i * row + k] *= (float)(k % 7 + 1);
            squares += (double)p->x[i * row + k] * (double)p->x[i * row + k];
        }
    }
    for (size_t i = 0; i < n * N; i++) {
        float *x = &p->x[i / N * row + i % N];
        want[i] = (double)(*x *= (float)(sqrt((double)(n * N) / squares) / 16));
    }
    newton_schulz(want, n, N);
    const double scale = (double)bg_muon_orthogonalize(p, shape_index);
    for (size_t i = 0; i < n * N; i++) {
        const double got = scale * (double)p->x[i / N * row + i % N];
        error += (got - want[i]) * (got - want[i]);
        size += want[i] * want[i];
    }
    const double relative = sqrt(error / size);
    if (!(relative <= tolerance(p->be)))
        fail_msg("%zu x %zu at %s (%s): off by %.3g of its norm", n, N, bg_isa_name(p->be->isa), p->be->precision, relative);
    if (N > n) /* no singular value is tiny then: all n come between 0.7 and 1.2 */
        assert_in_range((int)(100 * size / (double)n), 49, 144);
    free(want);
}

static void check_products(ops_engine *e)
{
    bg_model *m;
    bg_muon_plan p;
    bg_error err;
    CHECK_OK(bg_model_open(&m, &shape, e->be, BG_WEIGHTS_TRAIN, &err), err);
    CHECK_OK(bg_muon_open(&p, m, &err), err);
    assert_int_equal(p.count, 18);
    assert_int_equal(p.shape_count, 4);
    for (uint32_t i = 0; i < (e->emulated ? 1 : p.shape_count); i++) /* emulated products take long */
        check_shape(&p, i);
    bg_muon_close(&p);
    bg_model_close(m);
}

static void test_products(void **state) { ops_at_each_level(check_products, 2); }

/* --- the whole update ------------------------------------------------------------------------ */

typedef struct bench {
    bg_pool *pool;
    bg_backend *be;
    bg_model *m;
    bg_optimizer o;
} bench;

/* Three updates with made-up gradients. */
static void run_with(bench *b, uint32_t optimizer, unsigned threads, double qk_lr)
{
    bg_error err;
    bg_settings s = { .config = shape, .optimizer = optimizer, .lr = 0.01, .weight_decay = optimizer == BG_MUON ? 0.1 : -1, .qk_lr = qk_lr };
    const bg_limits limits = bg_config_limits(&shape);
    bg_settings_defaults(&s);
    CHECK_OK(bg_pool_open(&b->pool, bg_sys_default(), threads, &err), err);
    CHECK_OK(bg_cpu_open(&b->be, bg_sys_default(), b->pool, BG_ISA_PORTABLE, 0, &limits, &err), err);
    CHECK_OK(bg_model_open(&b->m, &shape, b->be, BG_WEIGHTS_TRAIN, &err), err);
    CHECK_OK(bg_optimizer_open(&b->o, b->m, &s, &err), err);
    const bg_params *p = bg_model_params(b->m);
    bg_params_init(p, bg_model_weights(b->m), 3, BG_EMBEDDING_NORMAL);
    for (uint64_t step = 1; step <= 3; step++) {
        ops_random(bg_model_grads(b->m), p->floats, 0.01, ops_seed(), step);
        bg_optimizer_update(&b->o, &s, 0.01, bg_optimizer_norm(&b->o, 1), 1, step);
    }
}

static void run(bench *b, uint32_t optimizer, unsigned threads) { run_with(b, optimizer, threads, 0); }

static void finish(bench *b)
{
    bg_optimizer_close(&b->o);
    bg_model_close(b->m);
    bg_backend_close(b->be);
    bg_pool_close(b->pool);
}

/* Vectors, embeddings and what lies outside the blocks move as under AdamW without decay; the blocks' matrices don't. */
static void test_rest(void **state)
{
    bench muon, adamw;
    run(&muon, BG_MUON, 2);
    run(&adamw, BG_ADAMW, 2);
    const bg_params *p = bg_model_params(muon.m);
    for (uint32_t i = 0; i < p->count; i++) {
        const bg_tensor *t = &p->tensors[i];
        const float *a = bg_model_weights(muon.m) + t->offset, *b = bg_model_weights(adamw.m) + t->offset;
        size_t equal = 0;
        for (size_t k = 0; k < t->count; k++)
            equal += a[k] == b[k];
        const int moved = t->dims == 2 && strstr(t->name, ".h.") != NULL;
        if (moved ? equal > t->count / 10 : equal != t->count)
            fail_msg("%s: %zu of %zu values are AdamW's", t->name, equal, t->count);
    }
    finish(&muon);
    finish(&adamw);
}

/* A rate of their own moves the matrices of queries and keys by so much less, and nothing else. */
static void test_slow_queries(void **state)
{
    bench whole, slow;
    run_with(&whole, BG_MUON, 2, 1);
    run_with(&slow, BG_MUON, 2, 0.25);
    const bg_params *p = bg_model_params(whole.m);
    float *begin = calloc(p->floats, sizeof *begin);
    bg_params_init(p, begin, 3, BG_EMBEDDING_NORMAL);
    for (uint32_t i = 0; i < p->count; i++) {
        const bg_tensor *t = &p->tensors[i];
        const float *a = bg_model_weights(whole.m) + t->offset, *b = bg_model_weights(slow.m) + t->offset, *from = begin + t->offset;
        const size_t columns = strstr(t->name, "c_attn.weight") ? (size_t)t->shape[1] : 0;
        double moved = 0, share = 0;
        for (size_t k = 0; k < t->count; k++) {
            if (columns && k % columns < columns * 2 / 3) {
                moved += fabs((double)(a[k] - from[k]));
                share += fabs((double)(b[k] - from[k]));
            } else if (a[k] != b[k]) {
                fail_msg("%s[%zu] moved otherwise", t->name, k);
            }
        }
        if (columns && !(fabs(share / moved - 0.25) < 0.005)) /* decay is the same for both: 0.003 of weights */
            fail_msg("%s: queries and keys moved by %.4f of what they do", t->name, share / moved);
    }
    free(begin);
    finish(&whole);
    finish(&slow);
}

static void test_threads(void **state)
{
    static const unsigned threads[] = { 2, 3, 7 };
    bench one, other;
    run(&one, BG_MUON, 1);
    const size_t bytes = bg_model_params(one.m)->floats * sizeof(float);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        run(&other, BG_MUON, threads[i]);
        assert_memory_equal(bg_model_weights(one.m), bg_model_weights(other.m), bytes);
        assert_memory_equal(one.o.m, other.o.m, bytes);
        finish(&other);
    }
    finish(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_slow_queries),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
