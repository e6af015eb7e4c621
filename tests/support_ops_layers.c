/* Op cases of a layer: linear, dropout, LayerNorm, attention.  For each its
 * tensors, the definition in double precision and the calls.  Written for
 * reading: one plain loop per definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/dropout.h"
#include "support_ops.h"

#define IN(i, ...) (p->in[i] = (ops_tensor){ __VA_ARGS__ })
#define OUT(i, ...) (p->out[i] = (ops_tensor){ __VA_ARGS__ })

static double keep(const ops_problem *p, size_t row, size_t head, size_t column)
{
    return p->drop ? (double)bg_drop_factor(p->drop, row, (uint32_t)head, (uint32_t)column) : 1.0;
}

static double gelu_of(double x) { return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

/* --- linear ------------------------------------------------------------------ */

static bg_epilogue epilogue_of(const ops_problem *p) { return (bg_epilogue)(p->variant & 3); }

static void linear_describe(ops_problem *p)
{
    bg_epilogue e = epilogue_of(p);
    int t = p->variant & OPS_TRANSPOSED;
    p->drop = p->variant & OPS_LINEAR_DROPPED ? &p->dropout : NULL;
    IN(0, "x", OPS_ACT, .rows = p->R, .columns = p->C, .by_row = 1);
    IN(1, "w", OPS_PARAM, .rows = t ? p->N : p->C, .columns = t ? p->C : p->N, .scale = 1 / sqrt((double)p->C));
    IN(2, "b", OPS_PARAM, .rows = 1, .columns = p->N, .no_grad = (p->variant & OPS_NO_BIAS) != 0);
    IN(3, "residual", OPS_FLOAT, .rows = p->R, .columns = p->N, .by_row = 1, .no_grad = 1);
    p->ins = e == BG_EPI_RESIDUAL ? 4 : 3;
    OUT(0, "y", e == BG_EPI_ACT || e == BG_EPI_GELU ? OPS_ACT : OPS_FLOAT, .grad_kind = e == BG_EPI_RESIDUAL ? OPS_FLOAT : OPS_ACT, .rows = p->R, .columns = p->N, .by_row = 1);
    OUT(1, "z", OPS_ACT, .rows = p->R, .columns = p->N, .by_row = 1);
    p->outs = e == BG_EPI_GELU ? 2 : 1;
    p->forward_only = e == BG_EPI_GELU || p->variant & OPS_INT8; /* GELU's backward is AFTER_GELU's */
}

/* Weights as eight-bit integers times a scale for each output. */
static void round_weights(const ops_problem *p, double *w)
{
    const size_t K = p->C, N = p->N, k_step = p->variant & OPS_TRANSPOSED ? 1 : N, n_step = p->variant & OPS_TRANSPOSED ? K : 1;
    for (size_t n = 0; n < N; n++) {
        double largest = 0;
        for (size_t k = 0; k < K; k++)
            largest = fmax(largest, fabs(w[n * n_step + k * k_step]));
        for (size_t k = 0; k < K; k++) {
            double *x = &w[n * n_step + k * k_step];
            *x = (double)rintf((float)*x * (127 / (float)largest)) * largest / 127;
        }
    }
}

static void linear_reference(const ops_problem *p, double *const *in, double *const *out)
{
    if (p->variant & OPS_INT8)
        round_weights(p, in[1]);
    bg_epilogue e = epilogue_of(p);
    size_t K = p->C, N = p->N;
    double *x = malloc(K * sizeof *x);
    for (size_t r = 0; r < p->R; r++) {
        double *y = out[0] + r * N;
        for (size_t k = 0; k < K; k++)
            x[k] = p->variant & OPS_AFTER_GELU ? gelu_of(in[0][r * K + k]) : in[0][r * K + k];
        for (size_t n = 0; n < N; n++)
            y[n] = p->variant & OPS_NO_BIAS ? 0 : in[2][n];
        for (size_t k = 0; k < K && !(p->variant & OPS_TRANSPOSED); k++)
            for (size_t n = 0; n < N; n++)
                y[n] += x[k] * in[1][k * N + n];
        for (size_t n = 0; n < N && p->variant & OPS_TRANSPOSED; n++)
            for (size_t k = 0; k < K; k++)
                y[n] += x[k] * in[1][n * K + k];
        for (size_t n = 0; n < N; n++) {
            if (e == BG_EPI_GELU) {
                out[1][r * N + n] = y[n];
                y[n] = gelu_of(y[n]);
            } else if (e == BG_EPI_RESIDUAL) {
                y[n] = in[3][r * N + n] + keep(p, r, 0, n) * y[n];
            }
        }
    }
    free(x);
}

static void bind(const ops_problem *p, bg_backend *be, ops_buffers *b, bg_weight *w)
{
    bg_error err;
    int bias = !(p->variant & OPS_NO_BIAS);
    *w = (bg_weight){
        .w = b->in[1], .dw = b->din[1], .b = bias ? b->in[2] : NULL, .db = bias ? b->din[2] : NULL,
        .K = (uint32_t)p->C, .N = (uint32_t)p->N, .transposed = (p->variant & OPS_TRANSPOSED) != 0,
    };
    bg_weight *list = w;
    if (be->ops->weights_bind(be, &list, 1, p->variant & OPS_INT8 ? BG_WEIGHTS_INT8 : BG_WEIGHTS_TRAIN, &err) != BG_OK)
        abort();
    be->ops->weights_changed(be, &list, 1);
}

static void unbind(bg_backend *be, bg_weight *w)
{
    bg_weight *list = w;
    be->ops->weights_unbind(be, &list, 1);
}

/* A matrix of activations through a function of each value, on the host. */
static void map_act(bg_backend *be, void *y, const void *x, size_t R, size_t C, double (*f)(double))
{
    float *host = malloc(R * C * sizeof *host);
    be->ops->from_act(be, host, x, R, C);
    for (size_t i = 0; i < R * C; i++)
        host[i] = (float)f((double)host[i]);
    be->ops->to_act(be, y, host, R, C);
    free(host);
}

static void linear_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    bg_weight w;
    bind(p, be, b, &w);
    const bg_epilogue e = epilogue_of(p);
    const void *x = b->in[0];
    if (p->variant & OPS_AFTER_GELU) { /* the input is z: gelu(z) is what the layer sees */
        map_act(be, b->kept[0], b->in[0], p->R, p->C, gelu_of);
        x = b->kept[0];
    }
    be->ops->linear(be, b->out[0], e == BG_EPI_RESIDUAL ? b->in[3] : b->out[1], x, &w, e, p->R, p->drop);
    unbind(be, &w);
}

/* A float matrix with its dropout applied, as activations. */
static void drop_to_act(const ops_problem *p, bg_backend *be, void *y, const float *x, size_t R, size_t C)
{
    const size_t row = bg_stride(sizeof(float), C);
    float *host = malloc(R * C * sizeof *host);
    for (size_t r = 0; r < R; r++)
        for (size_t c = 0; c < C; c++)
            host[r * C + c] = x[r * row + c] * (p->drop ? bg_drop_factor(p->drop, r, 0, (uint32_t)c) : 1.0f);
    be->ops->to_act(be, y, host, R, C);
    free(host);
}

static void linear_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    bg_weight w;
    bind(p, be, b, &w);
    const int after_gelu = p->variant & OPS_AFTER_GELU;
    const void *dy = b->dout[0];
    if (epilogue_of(p) == BG_EPI_RESIDUAL) {
        drop_to_act(p, be, b->kept[1], b->dout[0], p->R, p->N);
        dy = b->kept[1];
    }
    be->ops->linear_back_input(be, b->din[0], dy, after_gelu ? b->in[0] : NULL, after_gelu ? b->kept[0] : NULL, &w, p->R);
    be->ops->linear_back_weight(be, &w, after_gelu ? b->kept[0] : b->in[0], dy, p->R);
    unbind(be, &w);
}

/* Rows cut from a batch keep their dropout. */
static void dropout_slice(ops_problem *p, size_t first)
{
    p->dropout.row0 += first;
    p->drop = p->drop ? &p->dropout : NULL;
}

const ops_case ops_linear = {
    .name = "linear", .describe = linear_describe, .reference = linear_reference, .forward = linear_forward,
    .backward = linear_backward, .tolerance = 5e-6, .slice = dropout_slice,
};

/* --- dropout alone ------------------------------------------------------------- */

static void dropout_describe(ops_problem *p)
{
    p->drop = &p->dropout;
    IN(0, "x", OPS_FLOAT, .rows = p->R, .columns = p->C, .by_row = 1);
    OUT(0, "x", OPS_FLOAT, .rows = p->R, .columns = p->C, .by_row = 1);
    p->ins = p->outs = 1;
}

static void dropout_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t r = 0; r < p->R; r++)
        for (size_t c = 0; c < p->C; c++)
            out[0][r * p->C + c] = keep(p, r, 0, c) * in[0][r * p->C + c];
}

static void copy_float(const ops_problem *p, bg_backend *be, void *to, const void *from)
{
    size_t bytes = p->R * bg_stride(sizeof(float), p->C) * sizeof(float);
    void *host = malloc(bytes);
    be->ops->read(be, host, from, bytes);
    be->ops->write(be, to, host, bytes);
    free(host);
}

static void dropout_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    copy_float(p, be, b->out[0], b->in[0]);
    be->ops->dropout(be, b->out[0], p->R, p->C, p->drop);
}

static void dropout_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    copy_float(p, be, b->din[0], b->dout[0]);
    be->ops->dropout(be, b->din[0], p->R, p->C, p->drop);
}

const ops_case ops_dropout = {
    .name = "dropout", .describe = dropout_describe, .reference = dropout_reference, .forward = dropout_forward,
    .backward = dropout_backward, .tolerance = 1e-6, .slice = dropout_slice,
};

/* --- layernorm ------------------------------------------------------------------ */

/* The second output is x itself, so that its gradient arrives as `dres`. */
static void layernorm_describe(ops_problem *p)
{
    IN(0, "x", OPS_FLOAT, .rows = p->R, .columns = p->C, .by_row = 1);
    IN(1, "g", OPS_PARAM, .rows = 1, .columns = p->C);
    IN(2, "b", OPS_PARAM, .rows = 1, .columns = p->C);
    OUT(0, "y", OPS_ACT, .rows = p->R, .columns = p->C, .by_row = 1);
    OUT(1, "x", OPS_FLOAT, .rows = p->R, .columns = p->C, .by_row = 1);
    p->drop = p->variant & OPS_NORM_DROPPED ? &p->dropout : NULL;
    p->ins = 3;
    p->outs = p->variant & OPS_WITH_RESIDUAL ? 2 : 1;
}

static void layernorm_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t r = 0; r < p->R; r++) {
        const double *x = in[0] + r * p->C;
        double mean = 0, squares = 0;
        for (size_t c = 0; c < p->C; c++)
            mean += x[c] / (double)p->C;
        for (size_t c = 0; c < p->C; c++)
            squares += (x[c] - mean) * (x[c] - mean) / (double)p->C;
        for (size_t c = 0; c < p->C; c++) {
            out[0][r * p->C + c] = (x[c] - mean) / sqrt(squares + 1e-5) * in[1][c] + in[2][c];
            if (p->outs > 1)
                out[1][r * p->C + c] = x[c];
        }
    }
}

static void layernorm_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->layernorm(be, b->out[0], b->kept[0], b->kept[1], b->in[0], b->in[1], b->in[2], p->R, p->C);
    if (p->outs > 1)
        copy_float(p, be, b->out[1], b->in[0]);
}

/* Two matrices of activations hold the same. */
static void same_acts(bg_backend *be, const void *a, const void *b, size_t R, size_t C, const char *what)
{
    float *x = malloc(2 * R * C * sizeof *x), *y = x + R * C;
    be->ops->from_act(be, x, a, R, C);
    be->ops->from_act(be, y, b, R, C);
    if (memcmp(x, y, R * C * sizeof *x) != 0)
        fail_msg("layernorm_back at %s (%s): %s differs", bg_isa_name(be->isa), be->precision, what);
    free(x);
}

static void layernorm_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    const int residual = p->outs > 1; /* dx may be dres */
    if (residual)
        copy_float(p, be, b->din[0], b->dout[1]);
    const bg_norm_back n = {
        .dx = b->din[0], .dg = b->din[1], .db = b->din[2], .dres = residual ? b->din[0] : NULL, .dy = b->dout[0], .x = b->in[0],
        .mean = b->kept[0], .rstd = b->kept[1], .g = b->in[1], .b = b->in[2], .y = residual ? b->kept[2] : NULL,
        .next = residual ? b->kept[3] : NULL, .drop = p->drop, .R = p->R, .C = p->C,
    };
    const void *next = be->ops->layernorm_back(be, &n);
    if (!residual) {
        if (next)
            fail_msg("layernorm_back gives a gradient that nobody asked for");
        return;
    }
    same_acts(be, b->kept[2], b->out[0], p->R, p->C, "the output made again");
    drop_to_act(p, be, b->kept[2], b->din[0], p->R, p->C);
    same_acts(be, next, b->kept[2], p->R, p->C, "the gradient of the product before");
}

const ops_case ops_layernorm = {
    .name = "layernorm", .describe = layernorm_describe, .reference = layernorm_reference, .forward = layernorm_forward,
    .backward = layernorm_backward, .tolerance = 5e-6, .slice = dropout_slice,
};

/* --- attention ------------------------------------------------------------------- */

static void attention_describe(ops_problem *p)
{
    if (p->variant & OPS_UNIFORM)
        p->segments = (bg_segments){ .S = (uint32_t)(p->R / p->N), .length = (uint32_t)p->N, .longest = (uint32_t)p->N };
    p->drop = p->variant & OPS_ATTENTION_DROPPED ? &p->dropout : NULL;
    IN(0, "qkv", OPS_ACT, .rows = p->R, .columns = 3 * p->C);
    OUT(0, "out", OPS_ACT, .rows = p->R, .columns = p->C);
    OUT(1, "lse", OPS_DENSE, .rows = p->R, .columns = p->C / 64, .no_grad = 1);
    IN(1, "kv", OPS_ACT, .rows = p->segments.S * OPS_KEYS_BEFORE, .columns = 2 * p->C);
    p->ins = p->variant & OPS_BEFORE ? 2 : 1;
    p->outs = 2;
}

static size_t keys_before(const ops_problem *p) { return p->variant & OPS_BEFORE ? OPS_KEYS_BEFORE : 0; }

/* Key (which = 0) or value (1) number j of a segment, those in front of it counted first. */
static const double *key_of(const ops_problem *p, double *const *in, size_t segment, size_t first, size_t j, int which, size_t head)
{
    const size_t before = keys_before(p);
    if (j < before)
        return in[1] + (segment * before + j) * 2 * p->C + which * p->C + head * 64;
    return in[0] + (first + j - before) * 3 * p->C + (1 + which) * p->C + head * 64;
}

/* Row `row` of a segment that starts at row `first`. */
static void attend_reference(const ops_problem *p, double *const *in, double *const *out, size_t segment, size_t first, size_t row, size_t head)
{
    size_t A = p->C / 64, at = keys_before(p) + row - first;
    const double *q = in[0] + row * 3 * p->C + head * 64;
    double *score = malloc((at + 1) * sizeof *score), *o = out[0] + row * p->C + head * 64, max = -1e300, sum = 0;
    for (size_t j = 0; j <= at; j++) {
        const double *k = key_of(p, in, segment, first, j, 0, head);
        score[j] = 0;
        for (size_t d = 0; d < 64; d++)
            score[j] += q[d] * k[d] / 8;
        max = score[j] > max ? score[j] : max;
    }
    for (size_t j = 0; j <= at; j++)
        sum += exp(score[j] - max);
    out[1][row * A + head] = max + log(sum);
    memset(o, 0, 64 * sizeof *o);
    for (size_t j = 0; j <= at; j++) {
        const double *v = key_of(p, in, segment, first, j, 1, head);
        double share = exp(score[j] - max) / sum * keep(p, row, head, j);
        for (size_t d = 0; d < 64; d++)
            o[d] += share * v[d];
    }
    free(score);
}

static void attention_reference(const ops_problem *p, double *const *in, double *const *out)
{
    const bg_segments *s = &p->segments;
    for (size_t i = 0; i < s->S; i++) {
        size_t first = s->start ? s->start[i] : i * s->length, length = s->start ? s->start[i + 1] - first : s->length;
        for (size_t row = first; row < first + length; row++)
            for (size_t head = 0; head < p->C / 64; head++)
                attend_reference(p, in, out, i, first, row, head);
    }
}

static void attention_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    const bg_prefix before = { .length = OPS_KEYS_BEFORE, .kv = b->in[1], .kv_row = bg_stride(be->act_size, 2 * p->C) };
    be->ops->attention(be, b->out[0], b->out[1], b->in[0], &p->segments, p->variant & OPS_BEFORE ? &before : NULL, p->C, p->drop);
}

static void attention_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    const size_t row = bg_stride(be->act_size, 2 * p->C);
    const bg_prefix before = { .length = OPS_KEYS_BEFORE, .kv = b->in[1], .kv_row = row, .dkv = b->din[1], .dkv_row = row };
    be->ops->attention_back(be, b->din[0], b->dout[0], b->out[0], b->in[0], b->out[1], &p->segments, p->variant & OPS_BEFORE ? &before : NULL, p->C, p->drop);
}

const ops_case ops_attention = {
    .name = "attention", .describe = attention_describe, .reference = attention_reference, .forward = attention_forward,
    .backward = attention_backward, .tolerance = 5e-6,
};

/* --- queries and keys turned --------------------------------------------------------- */

/* Any pair of numbers for cosine and sine: the way back is the transpose. */
static void rotate_describe(ops_problem *p)
{
    IN(0, "qkv", OPS_ACT, .rows = p->R, .columns = 3 * p->C, .by_row = 1);
    IN(1, "turn", OPS_PARAM, .rows = 32, .columns = 64, .no_grad = 1);
    OUT(0, "qkv", OPS_ACT, .rows = p->R, .columns = 3 * p->C, .by_row = 1);
    p->ins = 2;
    p->outs = 1;
}

static void rotate_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t r = 0; r < p->R; r++)
        for (size_t c = 0; c < 3 * p->C; c++) {
            const double *turn = in[1] + p->pos[r] * 64, *x = in[0] + r * 3 * p->C + c;
            const size_t d = c % 64;
            const double value = d < 32 ? x[0] * turn[d] - x[32] * turn[32 + d] : x[0] * turn[d - 32] + x[-32] * turn[d];
            out[0][r * 3 * p->C + c] = c < 2 * p->C ? value : x[0];
        }
}

static void rotate_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    memcpy(b->out[0], b->in[0], p->R * bg_stride(be->act_size, 3 * p->C) * be->act_size);
    be->ops->rotate(be, b->out[0], b->in[1], p->pos, p->R, p->C, 0);
}

static void rotate_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    memcpy(b->din[0], b->dout[0], p->R * bg_stride(be->act_size, 3 * p->C) * be->act_size);
    be->ops->rotate(be, b->din[0], b->in[1], p->pos, p->R, p->C, 1);
}

static void rotate_slice(ops_problem *p, size_t first) { p->pos += first; }

const ops_case ops_rotate = {
    .name = "rotate", .describe = rotate_describe, .reference = rotate_reference, .forward = rotate_forward, .backward = rotate_backward, .tolerance = 1e-6,
    .slice = rotate_slice,
};

/* --- convolution ---------------------------------------------------------------------- */

/* N: how far it reaches.  Places ascend by one or, here and there, by two or three; the second segment begins at 4 as if its first were left out. */
static void convolve_describe(ops_problem *p)
{
    for (size_t r = 0, segment = 0; r < p->R; r++) {
        if (r == p->start[segment]) {
            p->pos[r] = segment++ == 1 && p->pos[p->start[1] - 1] > 4 ? 4 : 0;
            continue;
        }
        p->pos[r] = p->pos[r - 1] + (p->tokens[r] % 5 ? 1 : 2 + p->tokens[r] % 2);
    }
    IN(0, "x", OPS_ACT, .rows = p->R, .columns = p->C);
    IN(1, "w", OPS_PARAM, .rows = p->N, .columns = p->C);
    OUT(0, "y", OPS_ACT, .rows = p->R, .columns = p->C);
    p->ins = 2;
    p->outs = 1;
}

static void convolve_reference(const ops_problem *p, double *const *in, double *const *out)
{
    memcpy(out[0], in[0], p->R * p->C * sizeof(double));
    for (size_t segment = 0; segment < p->segments.S; segment++)
        for (size_t r = p->start[segment]; r < p->start[segment + 1]; r++)
            for (size_t other = p->start[segment]; other < r; other++) {
                const size_t distance = p->pos[r] - p->pos[other];
                for (size_t c = 0; distance <= p->N && c < p->C; c++)
                    out[0][r * p->C + c] += in[1][(distance - 1) * p->C + c] * in[0][other * p->C + c];
            }
}

static void convolve_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->convolve(be, b->out[0], b->in[0], b->in[1], (uint32_t)p->N, p->pos, p->R, p->C);
}

static void convolve_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->convolve_back(be, b->din[0], b->din[1], b->dout[0], b->in[0], b->in[1], (uint32_t)p->N, p->pos, p->R, p->C);
}

const ops_case ops_convolve = {
    .name = "convolve", .describe = convolve_describe, .reference = convolve_reference, .forward = convolve_forward, .backward = convolve_backward, .tolerance = 2e-6,
};
