/* Running an op case on a back end; see support_ops.h. */
#include "support_ops.h"

#include "ops/cpu/cpu.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support_check.h"
#include "support_emulate.h"

uint64_t ops_seed(void)
{
    const char *s = getenv("BGPT_TEST_SEED");
    return s && *s ? strtoull(s, NULL, 0) : 20240229;
}

size_t ops_count(const ops_tensor *t) { return t->rows * t->columns; }

void ops_random(float *x, size_t n, double scale, uint64_t seed, uint64_t index)
{
    bg_rng r;
    bg_rng_open(&r, seed, BG_STREAM_USER, index);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(scale * bg_rng_normal(&r));
}

static void *must_alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    assert_non_null(p);
    return p;
}

void ops_tensors(float **t, const ops_tensor *shape, size_t n, uint64_t seed, uint64_t index)
{
    for (size_t i = 0; i < n; i++) {
        t[i] = must_alloc(ops_count(&shape[i]), sizeof(float));
        if (seed)
            ops_random(t[i], ops_count(&shape[i]), shape[i].scale > 0 ? shape[i].scale : 1, seed, index + i);
    }
}

void ops_tensors_free(float **t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(t[i]);
}

/* What a level under test is made of. */
typedef struct level_facts {
    bg_isa isa;                 /* that the machine must have ... */
    int fast;
    const bg_cpu_level *table;  /* not NULL: opened by itself; on any machine with isa PORTABLE ... */
    bg_isa emulated;            /* ... or where instructions can be emulated on top of this level */
} level_facts;

#if defined(__x86_64__)
#define EMULATED(table, on) &table, on
#else
#define EMULATED(table, on) NULL, BG_ISA_PORTABLE
#endif

static level_facts facts_of(int level)
{
    switch (level) {
    case OPS_NARROW_BF16:
        return (level_facts){ .isa = BG_ISA_AVX512BF16, .fast = 1 };
    case OPS_NARROW_FP16:
        return (level_facts){ BG_ISA_AVX512FP16, 1, EMULATED(bg_cpu_avx512fp16, BG_ISA_AVX512) };
    case OPS_NARROW_AMX:
        return (level_facts){ BG_ISA_AMX, 1, EMULATED(bg_cpu_amx, BG_ISA_AVX512BF16) };
    case OPS_PLAIN_BF16:
        return (level_facts){ .fast = 1, .table = &bg_cpu_pairs_bf16 };
    case OPS_PLAIN_FP16:
        return (level_facts){ .fast = 1, .table = &bg_cpu_pairs_fp16 };
    case OPS_PLAIN_AMX:
        return (level_facts){ .fast = 1, .table = &bg_cpu_tiles };
    default:
        return (level_facts){ .isa = (bg_isa)level };
    }
}

/* The machine code of levels whose instructions it lacks runs here too, if slowly: too slowly
 * where sanitizers slow it down again, which see nothing in these instructions anyway. */
static int can_emulate(const level_facts *f)
{
#if defined(__SANITIZE_ADDRESS__)
    return 0;
#else
    return f->emulated != BG_ISA_PORTABLE && bg_isa_present(f->emulated) && emulate_begin();
#endif
}

int ops_level_emulated(int level)
{
    const level_facts f = facts_of(level);
    return !bg_isa_present(f.isa) && can_emulate(&f);
}

const char *ops_level_missing(int level)
{
    const bg_isa isa = facts_of(level).isa;
    return bg_isa_present(isa) || ops_level_emulated(level) ? NULL : bg_isa_name(isa);
}

void ops_engine_open(ops_engine *e, int level, unsigned threads)
{
    const bg_limits limits = { 4096, 1024 };
    const level_facts f = facts_of(level);
    bg_error err;
    CHECK_OK(bg_pool_open(&e->pool, bg_sys_default(), threads, &err), err);
    e->emulated = ops_level_emulated(level);
    if (e->emulated || (f.isa == BG_ISA_PORTABLE && f.table))
        CHECK_OK(bg_cpu_open_level(&e->be, bg_sys_default(), e->pool, f.table, &limits, &err), err);
    else
        CHECK_OK(bg_cpu_open(&e->be, bg_sys_default(), e->pool, f.isa, f.fast, &limits, &err), err);
}

/* bf16 keeps 8 bits: a rounding errs by up to 2^-9.  A product of two rounded
 * operands errs by 2^-8 of its size, a sum of them by less relative to the largest result, and
 * results, kept probabilities and their gradients are rounded again: 2^-6 holds all of it.
 * fp16 keeps 11 bits, but its products are summed in it, 64 at a time: 8 roundings of 2^-12
 * as they add up at random, four times that at the worst of many results: 2^-7.
 * Products with eight-bit weights (which the definition rounds too) take inputs as multiples of
 * a 2^-13th of their row's largest: half of that at most, and less in a sum of many: 2^-12. */
double ops_tolerance(const ops_problem *p, const bg_backend *be)
{
    if (be->act_size == sizeof(float))
        return p->which == &ops_linear && p->variant & OPS_INT8 ? 1.0 / 4096 : p->which->tolerance;
    return strcmp(be->precision, "fp16") == 0 ? 1.0 / 128 : 1.0 / 64;
}

void ops_engine_close(ops_engine *e)
{
    bg_backend_close(e->be);
    bg_pool_close(e->pool);
}

void ops_at_each_level(void (*check)(ops_engine *e), unsigned threads)
{
    for (int i = 0; i < OPS_LEVELS; i++) {
        ops_engine e;
        const char *missing = ops_level_missing(i);
        if (missing) {
            print_message("  SKIP: this machine has no %s\n", missing);
            continue;
        }
        ops_engine_open(&e, i, threads);
        check(&e);
        ops_engine_close(&e);
    }
}

/* --- tensors of a back end ------------------------------------------------- */

static int is_strided(ops_kind k) { return k == OPS_FLOAT || k == OPS_ACT; }

static size_t element_size(const bg_backend *be, ops_kind k) { return k == OPS_ACT ? be->act_size : sizeof(float); }

static size_t row_elements(const bg_backend *be, ops_kind k, size_t columns)
{
    return is_strided(k) ? bg_stride(element_size(be, k), columns) : columns;
}

/* All memory starts as NaN: padding must never be used, and what is to be
 * overwritten must be. */
static void *make(bg_backend *be, ops_kind kind, size_t rows, size_t columns)
{
    size_t bytes = rows * row_elements(be, kind, columns) * element_size(be, kind);
    void *p = be->ops->alloc(be, bytes ? bytes : 1), *nan = must_alloc(bytes, 1);
    assert_non_null(p);
    memset(nan, 0xFF, bytes); /* NaN in fp32, bf16 and fp16 */
    be->ops->write(be, p, nan, bytes);
    free(nan);
    return p;
}

static void upload(bg_backend *be, void *to, ops_kind kind, const float *from, size_t rows, size_t columns)
{
    if (kind == OPS_ACT) {
        be->ops->to_act(be, to, from, rows, columns);
        return;
    }
    size_t row = row_elements(be, kind, columns);
    for (size_t r = 0; r < rows; r++)
        be->ops->write(be, (float *)to + r * row, from + r * columns, columns * sizeof(float));
}

static void download(bg_backend *be, float *to, ops_kind kind, const void *from, size_t rows, size_t columns)
{
    if (kind == OPS_ACT) {
        be->ops->from_act(be, to, from, rows, columns);
        return;
    }
    size_t row = row_elements(be, kind, columns);
    for (size_t r = 0; r < rows; r++)
        be->ops->read(be, to + r * columns, (const float *)from + r * row, columns * sizeof(float));
}

/* What parameter gradients hold before: accumulation must keep it. */
#define PRESET 0.5f

static void preset_gradient(bg_backend *be, const ops_tensor *t, void *din)
{
    if (t->grad_kind != OPS_PARAM)
        return;
    size_t n = ops_count(t);
    float *x = must_alloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = PRESET;
    upload(be, din, OPS_PARAM, x, t->rows, t->columns);
    free(x);
}

static size_t largest_buffer(const ops_problem *p)
{
    size_t most = 1;
    for (size_t i = 0; i < p->ins; i++) {
        size_t n = p->in[i].rows * (bg_stride(sizeof(float), p->in[i].columns) + 16);
        most = n > most ? n : most;
    }
    for (size_t i = 0; i < p->outs; i++) {
        size_t n = p->out[i].rows * (bg_stride(sizeof(float), p->out[i].columns) + 16);
        most = n > most ? n : most;
    }
    return most;
}

static void buffers_open(ops_buffers *b, const ops_problem *p, bg_backend *be, float *const *in, float *const *dout)
{
    memset(b, 0, sizeof *b);
    for (size_t i = 0; i < p->ins; i++) {
        const ops_tensor *t = &p->in[i];
        b->in[i] = make(be, t->kind, t->rows, t->columns);
        upload(be, b->in[i], t->kind, in[i], t->rows, t->columns);
        b->din[i] = make(be, t->grad_kind, t->rows, t->columns);
        preset_gradient(be, t, b->din[i]);
    }
    for (size_t i = 0; i < p->outs; i++) {
        const ops_tensor *t = &p->out[i];
        b->out[i] = make(be, t->kind, t->rows, t->columns);
        b->dout[i] = make(be, t->grad_kind, t->rows, t->columns);
        if (dout)
            upload(be, b->dout[i], t->grad_kind, dout[i], t->rows, t->columns);
    }
    for (size_t i = 0; i < OPS_KEPT; i++)
        b->kept[i] = make(be, OPS_DENSE, largest_buffer(p), 1);
}

static void buffers_close(ops_buffers *b, bg_backend *be)
{
    for (size_t i = 0; i < OPS_TENSORS; i++) {
        be->ops->free(be, b->in[i]);
        be->ops->free(be, b->out[i]);
        be->ops->free(be, b->din[i]);
        be->ops->free(be, b->dout[i]);
    }
    for (size_t i = 0; i < OPS_KEPT; i++)
        be->ops->free(be, b->kept[i]);
}

void ops_run(const ops_problem *p, bg_backend *be, float *const *in, float *const *out, float *const *dout, float *const *din)
{
    ops_buffers b;
    bg_error err;
    buffers_open(&b, p, be, in, dout);
    p->which->forward(p, be, &b);
    if (dout)
        p->which->backward(p, be, &b);
    CHECK_OK(be->ops->sync(be, &err), err);
    for (size_t i = 0; i < p->outs; i++)
        download(be, out[i], p->out[i].kind, b.out[i], p->out[i].rows, p->out[i].columns);
    for (size_t i = 0; dout && i < p->ins; i++) {
        const ops_tensor *t = &p->in[i];
        download(be, din[i], t->grad_kind, b.din[i], t->rows, t->columns);
        for (size_t k = 0; t->grad_kind == OPS_PARAM && k < ops_count(t); k++)
            din[i][k] -= PRESET;
    }
    buffers_close(&b, be);
}

/* --- problems --------------------------------------------------------------- */

/* Ragged sequences: lengths vary around a third of the rows; one may be a single row. */
static void make_segments(ops_problem *p, bg_rng *r)
{
    size_t at = 0, longest = 0, n = 0;
    p->start[0] = 0;
    while (at < p->R) {
        size_t left = p->R - at, length = 1 + bg_rng_below(r, p->R * 2 / 3 + 1);
        length = length < left ? length : left;
        longest = length > longest ? length : longest;
        at += length;
        p->start[++n] = (uint32_t)at;
    }
    p->segments = (bg_segments){ .S = (uint32_t)n, .longest = (uint32_t)longest, .start = p->start };
}

/* pos: anything below 32; src and row: permutations; tokens: any symbol. */
static void make_tables(ops_problem *p, bg_rng *r)
{
    for (size_t i = 0; i < p->R; i++) {
        p->pos[i] = (uint32_t)bg_rng_below(r, 32);
        p->src[i] = (uint32_t)i;
    }
    for (size_t i = p->R; i > 1; i--) {
        size_t k = bg_rng_below(r, i);
        uint32_t t = p->src[i - 1];
        p->src[i - 1] = p->src[k];
        p->src[k] = t;
    }
    for (size_t i = 0; i < p->R; i++)
        p->row[i] = p->src[p->R - 1 - i];
    for (size_t i = 0; i < p->R * p->P; i++)
        p->tokens[i] = (uint16_t)bg_rng_below(r, p->V);
}

void ops_problem_open(ops_problem *p, const ops_size *size, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->which = size->which;
    p->R = size->R;
    p->C = size->C;
    p->N = size->N;
    p->P = 16;
    p->V = 257;
    p->variant = size->variant;
    size_t rows = p->R + 1;
    p->start = must_alloc(rows, sizeof *p->start);
    p->pos = must_alloc(rows, sizeof *p->pos);
    p->src = must_alloc(rows, sizeof *p->src);
    p->row = must_alloc(rows, sizeof *p->row);
    p->tokens = must_alloc(rows * p->P, sizeof *p->tokens);
    bg_rng r;
    bg_rng_open(&r, seed, BG_STREAM_USER, 1000);
    make_segments(p, &r);
    make_tables(p, &r);
    p->dropout = (bg_dropout){ .p = 0.3f, .seed = seed, .step = 7, .site = 5, .row0 = 1000 };
    p->which->describe(p);
    for (size_t i = 0; i < p->ins; i++)
        p->in[i].grad_kind = p->in[i].grad_kind ? p->in[i].grad_kind : p->in[i].kind;
    for (size_t i = 0; i < p->outs; i++)
        p->out[i].grad_kind = p->out[i].grad_kind ? p->out[i].grad_kind : p->out[i].kind;
}

void ops_problem_close(ops_problem *p)
{
    free(p->start);
    free(p->pos);
    free(p->src);
    free(p->row);
    free(p->tokens);
}
