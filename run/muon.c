/* Which matrices Muon moves, and its products: five steps of Newton and Schulz's iteration towards the
 * nearest matrix with orthonormal rows, with the paper's coefficients, which bring singular values
 * between 0.7 and 1.2 instead of to 1, but quickly.
 *
 * In exact terms one step is  A = X X^T,  X <- a X + (b A + c A A) X.  Here X is kept as a number s times x, which
 * takes the factor a: so both sums are products with a residual, as a back end has them.
 * Refuses nothing. */
#include "run/muon.h"

#include <math.h>
#include <string.h>

enum { STEPS = 5 };
static const double A = 3.4445, B = -4.7750, C = 2.0315;

/* --- what there is ---------------------------------------------------------------------- */

static uint32_t find_shape(bg_muon_plan *p, size_t n, size_t N)
{
    uint32_t i = 0;
    while (i < p->shape_count && (p->shapes[i].n != n || p->shapes[i].N != N))
        i++;
    if (i == p->shape_count) {
        p->shapes[i].n = n;
        p->shapes[i].N = N;
        p->shape_count++;
    }
    return i;
}

/* Columns [first, first + columns) of a tensor. */
static bg_muon_matrix *add_matrix(bg_muon_plan *p, const bg_tensor *t, size_t first, size_t columns)
{
    const size_t R = (size_t)t->shape[0];
    bg_muon_matrix *m = &p->matrices[p->count++];
    *m = (bg_muon_matrix){
        .offset = t->offset + first, .R = R, .C = columns, .row = (size_t)t->shape[1], .tensor_end = t->offset + t->count,
        .shape = find_shape(p, R < columns ? R : columns, R < columns ? columns : R),
    };
    return m;
}

static void add_blocks(bg_muon_plan *p, const bg_params *params, uint32_t first, uint32_t layers, size_t width)
{
    for (uint32_t layer = 0; layer < layers; layer++) {
        const bg_tensor *t = params->tensors + first + layer * BG_BLOCK_FIELDS;
        for (size_t i = 0; i < 3; i++)
            add_matrix(p, &t[BG_QKV_W], i * width, width)->looks = i < 2;
        add_matrix(p, &t[BG_PROJ_W], 0, width);
        add_matrix(p, &t[BG_FC_W], 0, 4 * width);
        add_matrix(p, &t[BG_OUT_W], 0, width);
    }
}

/* --- memory -------------------------------------------------------------------------------- */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static size_t act_bytes(const bg_backend *be, size_t R, size_t columns) { return R * bg_stride(be->act_size, columns) * be->act_size; }
static size_t float_bytes(size_t R, size_t columns) { return R * bg_stride(sizeof(float), columns) * sizeof(float); }

static bg_status reserve(bg_muon_plan *p, bg_error *err)
{
    const bg_ops *op = p->be->ops;
    size_t x = 0, a = 0, narrow_x = 0, narrow_a = 0;
    for (uint32_t i = 0; i < p->shape_count; i++) {
        const bg_muon_shape *s = &p->shapes[i];
        x = larger(x, float_bytes(s->n, s->N));
        a = larger(a, float_bytes(s->n, s->n));
        narrow_x = larger(narrow_x, act_bytes(p->be, s->n, s->N));
        narrow_a = larger(narrow_a, act_bytes(p->be, s->n, s->n));
    }
    p->x = op->alloc(p->be, x);
    p->a = op->alloc(p->be, a);
    p->narrow_x = op->alloc(p->be, narrow_x);
    p->narrow_a = op->alloc(p->be, narrow_a);
    return p->x && p->a && p->narrow_x && p->narrow_a ? BG_OK : bg_fail_memory(err, "Muon's matrices", x + a + narrow_x + narrow_a);
}

static bg_status bind_shape(bg_muon_plan *p, bg_muon_shape *s, bg_error *err)
{
    bg_weight *list[] = { &s->turned, &s->square, &s->whole };
    const size_t x_row = bg_stride(sizeof(float), s->N), a_row = bg_stride(sizeof(float), s->n);
    const uint32_t n = (uint32_t)s->n, N = (uint32_t)s->N;
    s->turned = (bg_weight){ .w = p->x, .K = N, .N = n, .transposed = 1, .row = x_row };
    s->square = (bg_weight){ .w = p->a, .K = n, .N = n, .row = a_row };
    s->whole = (bg_weight){ .w = p->x, .K = n, .N = N, .row = x_row };
    return p->be->ops->weights_bind(p->be, list, 3, BG_WEIGHTS_RUN, err);
}

bg_status bg_muon_open(bg_muon_plan *p, const bg_model *model, bg_error *err)
{
    const bg_config *c = bg_model_config(model);
    const bg_params *params = bg_model_params(model);
    memset(p, 0, sizeof *p);
    p->be = bg_model_backend(model);
    p->sys = p->be->sys;
    p->matrices = bg_alloc_zero(p->sys, 6 * ((size_t)c->patch_layers + c->byte_layers), sizeof *p->matrices);
    bg_status s = p->matrices ? BG_OK : bg_fail_memory(err, "the table of matrices", c->patch_layers * sizeof *p->matrices);
    if (s == BG_OK) {
        add_blocks(p, params, params->patch_blocks, c->patch_layers, c->hidden);
        if (c->byte_layers)
            add_blocks(p, params, params->byte_blocks, c->byte_layers, c->byte_hidden);
        s = reserve(p, err);
    }
    for (uint32_t i = 0; i < p->shape_count && s == BG_OK; i++)
        s = bind_shape(p, &p->shapes[i], err);
    if (s != BG_OK)
        bg_muon_close(p);
    return s;
}

void bg_muon_close(bg_muon_plan *p)
{
    if (!p->be)
        return;
    const bg_ops *op = p->be->ops;
    for (uint32_t i = 0; i < p->shape_count; i++) {
        bg_weight *list[] = { &p->shapes[i].turned, &p->shapes[i].square, &p->shapes[i].whole };
        if (list[0]->packed)
            op->weights_unbind(p->be, list, 3);
    }
    op->free(p->be, p->x);
    op->free(p->be, p->a);
    op->free(p->be, p->narrow_x);
    op->free(p->be, p->narrow_a);
    bg_free(p->sys, p->matrices);
    memset(p, 0, sizeof *p);
}

/* --- the update ------------------------------------------------------------------------------ */

float bg_muon_orthogonalize(bg_muon_plan *p, uint32_t shape)
{
    const bg_ops *op = p->be->ops;
    bg_muon_shape *f = &p->shapes[shape];
    const size_t n = f->n, N = f->N;
    bg_weight *of_x[] = { &f->turned, &f->whole }, *of_a[] = { &f->square };
    double s = 16 / sqrt((double)n * (double)N); /* x has the root mean square 1/16, and X the norm 1 */
    for (int step = 0; step < STEPS; step++, s *= A) {
        op->weights_changed(p->be, of_x, 2);
        op->narrow(p->be, p->narrow_x, p->x, n, N, 1);
        op->linear(p->be, p->a, NULL, p->narrow_x, &f->turned, BG_EPI_FLOAT, n, NULL);          /* a = x x^T, and A = s^2 a */
        op->weights_changed(p->be, of_a, 1);
        op->narrow(p->be, p->narrow_a, p->a, n, n, (float)(C / B * s * s));
        op->linear(p->be, p->a, p->a, p->narrow_a, &f->square, BG_EPI_RESIDUAL, n, NULL);       /* a + c/b s^2 a a */
        op->narrow(p->be, p->narrow_a, p->a, n, n, (float)(B / A * s * s));
        op->linear(p->be, p->x, p->x, p->narrow_a, &f->whole, BG_EPI_RESIDUAL, n, NULL);        /* x + b/a s^2 (...) x */
    }
    return (float)s;
}

/* Moonlight's scale (Liu and others, "Muon is scalable for LLM training", 2025): a step is about as large as AdamW's, whatever the shape. */
static double step_size(const bg_muon_matrix *m) { return 0.2 * sqrt((double)(m->R > m->C ? m->R : m->C)); }

void bg_muon_update(bg_muon_plan *p, const bg_settings *s, float *w, float *m, const float *g, double lr, float grad_scale)
{
    for (size_t i = 0; i < p->count; i++) {
        const bg_muon_matrix *t = &p->matrices[i];
        bg_muon u = {
            .w = w + t->offset, .m = m + t->offset, .g = g + t->offset, .R = t->R, .C = t->C, .row = t->row,
            .grad_scale = grad_scale, .beta = (float)s->momentum, .decay = (float)(1 - lr * s->weight_decay),
        };
        p->be->ops->muon_begin(p->be, p->x, &u);
        const double scale = (double)bg_muon_orthogonalize(p, t->shape);
        u.rate = (float)(lr * step_size(t) * scale * (t->looks ? s->qk_lr : 1));
        p->be->ops->muon_end(p->be, p->x, &u);
    }
}
