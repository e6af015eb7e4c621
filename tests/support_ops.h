/* The list of op cases and what is needed to run one on a back end.
 *
 * A case describes an op as tensors in and tensors out, with three functions:
 * a plain double-precision reference, the forward call and (where there is one) the
 * backward call.  test_ops.c runs the one list in several modes. */
#ifndef BG_TESTS_SUPPORT_OPS_H
#define BG_TESTS_SUPPORT_OPS_H

#include "base/rng.h"
#include "ops/ops.h"

enum { OPS_TENSORS = 4, OPS_KEPT = 4 };

typedef enum ops_kind {
    OPS_PARAM, /* float, dense; its gradient is accumulated */
    OPS_DENSE, /* float, dense; overwritten */
    OPS_FLOAT, /* float, strided */
    OPS_ACT    /* activation, strided */
} ops_kind;

typedef struct ops_tensor {
    const char *name;
    ops_kind kind, grad_kind;
    size_t rows, columns;
    int by_row;   /* row r belongs to row r of the problem */
    int no_grad;  /* as an input: no gradient is asked; as an output: nothing flows back */
    double scale; /* of random values; 0 = 1 */
} ops_tensor;

typedef struct ops_problem {
    const struct ops_case *which;
    size_t R, C, N, P, V; /* rows; columns in and out; symbols; vocabulary */
    int variant;
    int forward_only; /* this variant has no backward call */
    bg_segments segments;
    bg_dropout dropout;
    const bg_dropout *drop;
    ops_tensor in[OPS_TENSORS], out[OPS_TENSORS];
    size_t ins, outs;
    /* tables; owned by the problem that ops_problem_open made */
    uint32_t *start, *pos, *src, *row;
    uint16_t *tokens;
} ops_problem;

/* Tensors of a problem on a back end: opaque, as the ops get them. */
typedef struct ops_buffers {
    void *in[OPS_TENSORS], *out[OPS_TENSORS], *din[OPS_TENSORS], *dout[OPS_TENSORS];
    void *kept[OPS_KEPT]; /* float, as many as the largest tensor; what forward leaves for backward */
} ops_buffers;

typedef struct ops_case {
    const char *name;
    void (*describe)(ops_problem *p);
    void (*reference)(const ops_problem *p, double *const *in, double *const *out);
    void (*forward)(const ops_problem *p, bg_backend *be, ops_buffers *b);
    void (*backward)(const ops_problem *p, bg_backend *be, ops_buffers *b); /* NULL: none */
    /* Largest error of an fp32 level, relative to the largest value of the tensor.  2^-24 a rounding;
     * sums of n terms in fp32 err by about sqrt(n) roundings, exponentials by 2e-7. */
    double tolerance;
    void (*slice)(ops_problem *p, size_t first); /* tables of a problem cut to rows from `first` on; NULL: there are none */
    float constant_dout; /* not 0: the only gradient of the output that the op knows */
} ops_case;

extern const ops_case ops_linear, ops_dropout, ops_layernorm, ops_attention, ops_rotate, ops_convolve; /* support_ops_layers.c */
extern const ops_case ops_patch_embed, ops_byte_embed, ops_byte_step, ops_add_rows, ops_sum_rows, ops_token_rows, ops_add_part, ops_gather, ops_cross_entropy, ops_segment_mean; /* support_ops_ends.c */

/* Variants of ops_linear: a bg_epilogue and these. */
enum { OPS_TRANSPOSED = 4, OPS_LINEAR_DROPPED = 8, OPS_AFTER_GELU = 16, OPS_NO_BIAS = 32, OPS_INT8 = 64 };
/* Variants of ops_attention; uniform: segments of N rows; with five keys in front of each segment. */
enum { OPS_UNIFORM = 1, OPS_ATTENTION_DROPPED = 2, OPS_BEFORE = 4, OPS_KEYS_BEFORE = 5 };
/* Variants of ops_layernorm: the residual's gradient is added and what else is made beside it; with dropout. */
enum { OPS_WITH_RESIDUAL = 1, OPS_NORM_DROPPED = 2 };

/* A case at one size. */
typedef struct ops_size {
    const ops_case *which;
    size_t R, C, N;
    int variant;
} ops_size;

uint64_t ops_seed(void); /* BGPT_TEST_SEED, or a fixed one */

void ops_problem_open(ops_problem *p, const ops_size *size, uint64_t seed);
void ops_problem_close(ops_problem *p);
size_t ops_count(const ops_tensor *t);

/* n values: normal, times scale. */
void ops_random(float *x, size_t n, double scale, uint64_t seed, uint64_t index);

/* An open pool and CPU back end, or a failed test. */
typedef struct ops_engine {
    bg_pool *pool;
    bg_backend *be;
    int emulated; /* instructions of its level run in software */
} ops_engine;

/* The CPU levels under test: fp32 at every instruction set that has kernels for it, the narrow products
 * of the machines that have them, and (not where there is no such machine) the programs of these in plain C. */
enum {
    OPS_NARROW_BF16 = BG_ISA_AVX512 + 1, OPS_NARROW_FP16, OPS_NARROW_AMX,
    OPS_PLAIN_BF16, OPS_PLAIN_FP16, OPS_PLAIN_AMX,
#if defined(__x86_64__)
    OPS_LEVELS
#else
    OPS_LEVELS = OPS_PLAIN_BF16
#endif
};
/* NULL, or the name of what this machine lacks. */
const char *ops_level_missing(int level);
int ops_level_emulated(int level); /* what `emulated` will be */
void ops_engine_open(ops_engine *e, int level, unsigned threads);
/* Run a check at every level present, with `threads` threads. */
void ops_at_each_level(void (*check)(ops_engine *e), unsigned threads);
/* Allowed error of a problem on a back end, relative to the largest value of the tensor. */
double ops_tolerance(const ops_problem *p, const bg_backend *be);
void ops_engine_close(ops_engine *e);

/* Run forward, and backward when dout is not NULL, on dense host tensors.
 * Gradients of parameters come back without what they were preset to. */
void ops_run(const ops_problem *p, bg_backend *be, float *const *in, float *const *out, float *const *dout, float *const *din);

/* The problem's host tensors, each of its count, filled with random values or zeros. */
void ops_tensors(float **t, const ops_tensor *shape, size_t n, uint64_t seed, uint64_t index);
void ops_tensors_free(float **t, size_t n);

#endif
