/* Op cases of a model's ends: embeddings, row selection, loss, segment means.
 * See support_ops_layers.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support_ops.h"

#define IN(i, ...) (p->in[i] = (ops_tensor){ __VA_ARGS__ })
#define OUT(i, ...) (p->out[i] = (ops_tensor){ __VA_ARGS__ })

/* --- patch embedding ------------------------------------------------------------ */

static void patch_describe(ops_problem *p)
{
    IN(0, "table", OPS_PARAM, .rows = p->P * p->V, .columns = p->C);
    IN(1, "bias", OPS_PARAM, .rows = 1, .columns = p->C);
    IN(2, "wpe", OPS_PARAM, .rows = 32, .columns = p->C);
    OUT(0, "x", OPS_FLOAT, .rows = p->R, .columns = p->C, .by_row = 1);
    p->ins = 3;
    p->outs = 1;
}

static void patch_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t r = 0; r < p->R; r++)
        for (size_t c = 0; c < p->C; c++) {
            double x = in[1][c] + in[2][p->pos[r] * p->C + c];
            for (size_t i = 0; i < p->P; i++)
                x += in[0][(i * p->V + p->tokens[r * p->P + i]) * p->C + c];
            out[0][r * p->C + c] = x;
        }
}

static void patch_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->patch_embed(be, b->out[0], p->tokens, b->in[0], b->in[1], b->in[2], p->pos, p->R, p->P, p->V, p->C);
}

static void patch_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->patch_embed_back(be, b->din[0], b->din[1], b->din[2], b->dout[0], p->tokens, p->pos, p->R, p->P, p->V, p->C);
}

static void patch_slice(ops_problem *p, size_t first)
{
    p->tokens += first * p->P;
    p->pos += first;
}

const ops_case ops_patch_embed = {
    .name = "patch_embed", .describe = patch_describe, .reference = patch_reference, .forward = patch_forward,
    .backward = patch_backward, .tolerance = 2e-6, .slice = patch_slice,
};

/* --- byte embedding --------------------------------------------------------------- */

/* R sequences of P positions; sequence r takes feature src[r] and token row row[r]. */
static void byte_describe(ops_problem *p)
{
    IN(0, "feature", OPS_ACT, .rows = p->R, .columns = p->C);
    IN(1, "wte", OPS_PARAM, .rows = p->V, .columns = p->C);
    IN(2, "wpe", OPS_PARAM, .rows = p->P + 1, .columns = p->C);
    OUT(0, "x", OPS_FLOAT, .rows = p->R * p->P, .columns = p->C);
    p->ins = 3;
    p->outs = 1;
}

static void byte_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t r = 0; r < p->R; r++)
        for (size_t i = 0; i < p->P; i++)
            for (size_t c = 0; c < p->C; c++) {
                double first = in[0][(p->variant ? r : p->src[r]) * p->C + c];
                double x = i ? in[1][p->tokens[p->row[r] * p->P + i - 1] * p->C + c] : first;
                out[0][(r * p->P + i) * p->C + c] = x + in[2][i * p->C + c];
            }
}

static void byte_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->byte_embed(be, b->out[0], b->in[0], p->variant ? NULL : p->src, p->tokens, p->row, b->in[1], b->in[2], p->R, p->P, p->C);
}

static void byte_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->byte_embed_back(be, b->din[0], b->din[1], b->din[2], b->dout[0], p->variant ? NULL : p->src, p->tokens, p->row, p->R, p->P, p->C);
}

const ops_case ops_byte_embed = {
    .name = "byte_embed", .describe = byte_describe, .reference = byte_reference, .forward = byte_forward,
    .backward = byte_backward, .tolerance = 2e-6,
};

/* One position each: pos, src and the first R tokens are the tables. */
static void step_describe(ops_problem *p)
{
    byte_describe(p);
    p->in[2].rows = 32;
    OUT(0, "x", OPS_FLOAT, .rows = p->R, .columns = p->C, .by_row = 1);
    p->forward_only = 1;
}

static void step_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t r = 0; r < p->R; r++)
        for (size_t c = 0; c < p->C; c++) {
            double x = p->pos[r] ? in[1][p->tokens[r] * p->C + c] : in[0][p->src[r] * p->C + c];
            out[0][r * p->C + c] = x + in[2][p->pos[r] * p->C + c];
        }
}

static void step_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->byte_embed_step(be, b->out[0], b->in[0], p->src, p->tokens, p->pos, b->in[1], b->in[2], p->R, p->C);
}

static void step_slice(ops_problem *p, size_t first)
{
    p->tokens += first;
    p->pos += first;
    p->src += first;
}

const ops_case ops_byte_step = {
    .name = "byte_embed_step", .describe = step_describe, .reference = step_reference, .forward = step_forward,
    .tolerance = 1e-6, .slice = step_slice,
};

/* --- rows of tables, added -------------------------------------------------------------- */

/* Three tables, of which the last gets the symbols of the rows in their order. */
enum { TABLES = 3 };

static void add_describe(ops_problem *p)
{
    p->P = p->variant ? 1 : 5;
    IN(0, "x", OPS_FLOAT, .rows = p->R * p->P, .columns = p->C, .no_grad = 1);
    IN(1, "first", OPS_PARAM, .rows = p->V, .columns = p->C);
    IN(2, "second", OPS_PARAM, .rows = p->V, .columns = p->C);
    IN(3, "third", OPS_PARAM, .rows = p->V, .columns = p->C);
    OUT(0, "x", OPS_FLOAT, .rows = p->R * p->P, .columns = p->C);
    p->ins = 1 + TABLES;
    p->outs = 1;
}

static const uint32_t *add_token_row(const ops_problem *p, int table) { return p->variant || table == TABLES - 1 ? NULL : p->row; }

static void add_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t i = 0; i < p->R * p->P; i++)
        for (size_t c = 0; c < p->C; c++) {
            double sum = in[0][i * p->C + c];
            for (int k = 0; k < TABLES; k++) {
                const uint32_t *token_row = add_token_row(p, k);
                const size_t row = token_row ? token_row[i / p->P] : i / p->P;
                sum += in[1 + k][p->tokens[row * p->P + i % p->P] * p->C + c];
            }
            out[0][i * p->C + c] = sum;
        }
}

static void add_tables(const ops_problem *p, void *const *rows, bg_row_table t[TABLES])
{
    for (int k = 0; k < TABLES; k++)
        t[k] = (bg_row_table){ rows[1 + k], p->tokens, add_token_row(p, k) };
}

static void add_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    const size_t bytes = p->R * p->P * bg_stride(sizeof(float), p->C) * sizeof(float);
    bg_row_table t[TABLES];
    memcpy(b->out[0], b->in[0], bytes);
    add_tables(p, b->in, t);
    be->ops->add_rows(be, b->out[0], t, TABLES, p->R, p->P, p->C);
}

static void add_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    bg_row_table t[TABLES];
    add_tables(p, b->din, t);
    be->ops->add_rows_back(be, t, TABLES, b->dout[0], p->R, p->P, p->C);
}

const ops_case ops_add_rows = {
    .name = "add_rows", .describe = add_describe, .reference = add_reference, .forward = add_forward, .backward = add_backward, .tolerance = 1e-6,
};

/* --- rows of a table, summed over the places of a row --------------------------------------- */

static void sum_describe(ops_problem *p)
{
    p->P = p->variant ? 1 : 5;
    IN(0, "x", OPS_FLOAT, .rows = p->R, .columns = p->C, .no_grad = 1);
    IN(1, "table", OPS_PARAM, .rows = p->V, .columns = p->C);
    OUT(0, "x", OPS_FLOAT, .rows = p->R, .columns = p->C);
    p->ins = 2;
    p->outs = 1;
}

static void sum_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t r = 0; r < p->R; r++)
        for (size_t c = 0; c < p->C; c++) {
            out[0][r * p->C + c] = in[0][r * p->C + c];
            for (size_t i = 0; i < p->P; i++)
                out[0][r * p->C + c] += in[1][p->tokens[r * p->P + i] * p->C + c];
        }
}

static void sum_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    memcpy(b->out[0], b->in[0], p->R * bg_stride(sizeof(float), p->C) * sizeof(float));
    be->ops->sum_rows(be, b->out[0], b->in[1], p->tokens, p->R, p->P, p->C);
}

static void sum_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->sum_rows_back(be, b->din[1], b->dout[0], p->tokens, p->R, p->P, p->C);
}

const ops_case ops_sum_rows = {
    .name = "sum_rows", .describe = sum_describe, .reference = sum_reference, .forward = sum_forward, .backward = sum_backward, .tolerance = 1e-6,
};

/* --- rows of a symbol and its place: activations, or with variant 2 floats --------------- */

static void token_describe(ops_problem *p)
{
    IN(0, "table", OPS_PARAM, .rows = p->V, .columns = p->C);
    IN(1, "place", OPS_PARAM, .rows = p->P, .columns = p->C);
    OUT(0, "y", p->variant & 2 ? OPS_FLOAT : OPS_ACT, .rows = p->R * p->P, .columns = p->C);
    p->ins = 2;
    p->outs = 1;
}

static void token_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t r = 0; r < p->R; r++)
        for (size_t i = 0; i < p->P; i++)
            for (size_t c = 0; c < p->C; c++)
                out[0][(r * p->P + i) * p->C + c] = in[0][p->tokens[(p->variant & 1 ? r : p->row[r]) * p->P + i] * p->C + c] + in[1][i * p->C + c];
}

static void token_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    const uint32_t *row = p->variant & 1 ? NULL : p->row;
    if (p->variant & 2)
        be->ops->symbol_embed(be, b->out[0], b->in[0], b->in[1], p->tokens, row, p->R, p->P, p->C);
    else
        be->ops->token_rows(be, b->out[0], b->in[0], b->in[1], p->tokens, row, p->R, p->P, p->C);
}

static void token_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    const uint32_t *row = p->variant & 1 ? NULL : p->row;
    if (p->variant & 2)
        be->ops->symbol_embed_back(be, b->din[0], b->din[1], b->dout[0], p->tokens, row, p->R, p->P, p->C);
    else
        be->ops->token_rows_back(be, b->din[0], b->din[1], b->dout[0], p->tokens, row, p->R, p->P, p->C);
}

const ops_case ops_token_rows = {
    .name = "token_rows", .describe = token_describe, .reference = token_reference, .forward = token_forward, .backward = token_backward, .tolerance = 1e-6,
};

/* --- sums of activations ------------------------------------------------------------------ */

/* Added twice to nothing: two inputs, whose gradients are the result's. */
static void part_describe(ops_problem *p)
{
    IN(0, "a", OPS_ACT, .rows = p->R, .columns = p->C);
    IN(1, "b", OPS_ACT, .rows = p->R, .columns = p->C);
    OUT(0, "y", OPS_ACT, .rows = p->R, .columns = p->C);
    p->ins = 2;
    p->outs = 1;
}

static void part_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t i = 0; i < p->R * p->C; i++)
        out[0][i] = in[0][i] + in[1][i];
}

static void part_sum(const ops_problem *p, bg_backend *be, void *y, const void *a, const void *b)
{
    const size_t row = bg_stride(be->act_size, p->C);
    be->ops->zero(be, y, p->R * row * be->act_size);
    be->ops->add_part(be, y, row, a, row, p->R, p->C);
    if (b)
        be->ops->add_part(be, y, row, b, row, p->R, p->C);
}

static void part_forward(const ops_problem *p, bg_backend *be, ops_buffers *b) { part_sum(p, be, b->out[0], b->in[0], b->in[1]); }

static void part_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    part_sum(p, be, b->din[0], b->dout[0], NULL);
    part_sum(p, be, b->din[1], b->dout[0], NULL);
}

const ops_case ops_add_part = {
    .name = "add_part", .describe = part_describe, .reference = part_reference, .forward = part_forward, .backward = part_backward, .tolerance = 1e-6,
};

/* --- gather and scatter --------------------------------------------------------------- */

/* With a permutation scatter is gather's backward and leaves no row untouched. */
static void gather_describe(ops_problem *p)
{
    IN(0, "x", OPS_ACT, .rows = p->R, .columns = p->C);
    OUT(0, "y", OPS_ACT, .rows = p->R, .columns = p->C);
    p->ins = p->outs = 1;
}

static void gather_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t r = 0; r < p->R; r++)
        memcpy(out[0] + r * p->C, in[0] + p->src[r] * p->C, p->C * sizeof(double));
}

static void gather_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->gather_rows(be, b->out[0], b->in[0], p->src, p->R, p->C);
}

static void gather_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->scatter_rows(be, b->din[0], b->dout[0], p->src, p->R, p->C);
}

const ops_case ops_gather = {
    .name = "gather_rows", .describe = gather_describe, .reference = gather_reference, .forward = gather_forward,
    .backward = gather_backward, .tolerance = 1e-7,
};

/* --- cross-entropy ------------------------------------------------------------------------ */

#define LOSS_SCALE 0.25f

/* Variant 0: the target of row r is tokens[r] (P = 1); 1: through the token rows. */
static void loss_describe(ops_problem *p)
{
    IN(0, "logits", OPS_FLOAT, .grad_kind = OPS_ACT, .rows = p->R, .columns = p->C, .by_row = !p->variant, .scale = 3);
    OUT(0, "loss", OPS_DENSE, .rows = p->R, .columns = 1, .by_row = !p->variant);
    p->ins = p->outs = 1;
    for (size_t i = 0; i < p->R * p->P; i++)
        p->tokens[i] = (uint16_t)(p->tokens[i] % p->C);
}

static void loss_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t r = 0; r < p->R; r++) {
        const double *x = in[0] + r * p->C;
        size_t target = p->variant ? p->tokens[p->row[r / p->P] * p->P + r % p->P] : p->tokens[r];
        double sum = 0;
        for (size_t c = 0; c < p->C; c++)
            sum += exp(x[c] - x[target]);
        out[0][r] = log(sum);
    }
}

static void loss_call(const ops_problem *p, bg_backend *be, void *loss, void *dlogits, const void *logits)
{
    be->ops->cross_entropy(be, loss, dlogits, logits, p->tokens, p->variant ? p->row : NULL, p->variant ? p->P : 1, LOSS_SCALE, p->R, p->C);
}

static void loss_forward(const ops_problem *p, bg_backend *be, ops_buffers *b) { loss_call(p, be, b->out[0], NULL, b->in[0]); }

static void loss_backward(const ops_problem *p, bg_backend *be, ops_buffers *b) { loss_call(p, be, b->kept[0], b->din[0], b->in[0]); }

static void loss_slice(ops_problem *p, size_t first) { p->tokens += first; }

const ops_case ops_cross_entropy = {
    .name = "cross_entropy", .describe = loss_describe, .reference = loss_reference, .forward = loss_forward,
    .backward = loss_backward, .tolerance = 2e-6, .slice = loss_slice, .constant_dout = LOSS_SCALE,
};

/* --- segment means ------------------------------------------------------------------------- */

static void mean_describe(ops_problem *p)
{
    IN(0, "x", OPS_ACT, .rows = p->R, .columns = p->C);
    OUT(0, "y", OPS_ACT, .rows = p->segments.S, .columns = p->C);
    p->ins = p->outs = 1;
}

static void mean_reference(const ops_problem *p, double *const *in, double *const *out)
{
    for (size_t s = 0; s < p->segments.S; s++)
        for (size_t c = 0; c < p->C; c++) {
            double sum = 0;
            for (size_t r = p->start[s]; r < p->start[s + 1]; r++)
                sum += in[0][r * p->C + c];
            out[0][s * p->C + c] = sum / (p->start[s + 1] - p->start[s]);
        }
}

static void mean_forward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->segment_mean(be, b->out[0], b->in[0], &p->segments, p->C);
}

static void mean_backward(const ops_problem *p, bg_backend *be, ops_buffers *b)
{
    be->ops->segment_mean_back(be, b->din[0], b->dout[0], &p->segments, p->C);
}

const ops_case ops_segment_mean = {
    .name = "segment_mean", .describe = mean_describe, .reference = mean_reference, .forward = mean_forward,
    .backward = mean_backward, .tolerance = 2e-6,
};
