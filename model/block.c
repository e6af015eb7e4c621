/* The GPT-2 block (Radford et al. 2019): pre-LayerNorm attention and
 * feed-forward, each added to the residual stream.  Straight-line op calls;
 * LayerNorm and GELU outputs are made again in the backward pass, by ops that
 * have their inputs at hand anyway.  Extension of a stack: what LayerNorm gives
 * goes through a causal convolution of a few rows first, before attention and before
 * the feed-forward part (canon layers A and C: Allen-Zhu, "Physics of language models: part 4.1", 2025). */
#include "model/block.h"

enum { SITE_INPUT, SITE_ATTENTION, SITE_PROJ, SITE_OUT, SITES_PER_BLOCK = 3 };

bg_dropout bg_pass_dropout(const bg_pass *p, uint32_t site)
{
    return (bg_dropout){ .p = p->dropout, .seed = p->seed, .step = p->step, .site = p->site0 + site, .row0 = p->row0 };
}

static bg_dropout block_dropout(const bg_pass *p, uint32_t layer, uint32_t site)
{
    return bg_pass_dropout(p, layer * SITES_PER_BLOCK + site);
}

static const bg_prefix *before(const bg_pass *p, uint32_t layer) { return p->before ? &p->before[layer] : NULL; }

static void norm(const bg_stack *s, void *y, float *mean, float *rstd, const float *x, const bg_norm *n, size_t R)
{
    s->be->ops->layernorm(s->be, y, mean, rstd, x, n->g, n->b, R, s->C);
}

/* One of the two inputs of a block: a LayerNorm of the residual stream, and a convolution of it where there is one. */
typedef struct block_input {
    const bg_norm *norm;
    const bg_conv *conv;
    const float *x;
    float *mean, *rstd;
} block_input;

static block_input attention_input(const bg_block *b, const bg_acts *a) { return (block_input){ &b->ln1, &b->conv1, a->x_in, a->mean1, a->rstd1 }; }
static block_input wide_input(const bg_block *b, const bg_acts *a) { return (block_input){ &b->ln2, &b->conv2, a->x_mid, a->mean2, a->rstd2 }; }

static const void *input_forward(const bg_stack *s, const block_input *in, const bg_pass *p)
{
    norm(s, s->t.ln, in->mean, in->rstd, in->x, in->norm, p->R);
    if (!in->conv->w)
        return s->t.ln;
    s->be->ops->convolve(s->be, s->t.conv, s->t.ln, in->conv->w, s->taps, p->position, p->R, s->C);
    return s->t.conv;
}

/* The input of attention. */
static void queries_forward(bg_stack *s, uint32_t layer, const bg_pass *p)
{
    const bg_block *b = &s->blocks[layer];
    const bg_acts *a = &s->acts[layer];
    const block_input in = attention_input(b, a);
    s->be->ops->linear(s->be, a->qkv, NULL, input_forward(s, &in, p), &b->qkv, BG_EPI_ACT, p->R, NULL);
    if (s->turn)
        s->be->ops->rotate(s->be, a->qkv, s->turn, p->position, p->R, s->C, 0);
}

static void block_forward(bg_stack *s, uint32_t layer, const bg_pass *p)
{
    const bg_ops *op = s->be->ops;
    const bg_block *b = &s->blocks[layer];
    const bg_acts *a = &s->acts[layer];
    const bg_dropout drop_attention = block_dropout(p, layer, SITE_ATTENTION);
    const bg_dropout drop_proj = block_dropout(p, layer, SITE_PROJ);
    const bg_dropout drop_out = block_dropout(p, layer, SITE_OUT);

    queries_forward(s, layer, p);
    op->attention(s->be, a->att, a->lse, a->qkv, &p->segments, before(p, layer), s->C, &drop_attention);
    op->linear(s->be, a->x_mid, a->x_in, a->att, &b->proj, BG_EPI_RESIDUAL, p->R, &drop_proj);
    const block_input in = wide_input(b, a);
    op->linear(s->be, s->t.wide, a->z, input_forward(s, &in, p), &b->fc, BG_EPI_GELU, p->R, NULL);
    op->linear(s->be, a->x_out, a->x_mid, s->t.wide, &b->out, BG_EPI_RESIDUAL, p->R, &drop_out);
}

/* LayerNorm backward into the stack's dx; y and next as in bg_norm_back. */
static const void *norm_back(const bg_stack *s, const block_input *in, const float *dres, const void *dy, void *y, void *next, const bg_dropout *drop, size_t R)
{
    const bg_norm *n = in->norm;
    const bg_norm_back b = { .dx = s->t.dx, .dg = n->dg, .db = n->db, .dres = dres, .dy = dy, .x = in->x, .mean = in->mean, .rstd = in->rstd,
                             .g = n->g, .b = n->b, .y = y, .next = next, .drop = drop, .R = R, .C = s->C };
    return s->be->ops->layernorm_back(s->be, &b);
}

/* From the gradient dy of the product with w behind an input: that of its weights, and by t.dln that of the
 * residual stream; dres, next and drop as in bg_norm_back.  Returns what that op does. */
static const void *input_backward(const bg_stack *s, const block_input *in, const bg_weight *w, const void *dy, const float *dres, void *next, const bg_dropout *drop, const bg_pass *p)
{
    const bg_ops *op = s->be->ops;
    const bg_temps *t = &s->t;
    op->linear_back_input(s->be, t->dln, dy, NULL, NULL, w, p->R);
    if (!in->conv->w) {
        const void *below = norm_back(s, in, dres, t->dln, t->ln, next, drop, p->R);
        op->linear_back_weight(s->be, w, t->ln, dy, p->R);
        return below;
    }
    op->linear_back_weight(s->be, w, input_forward(s, in, p), dy, p->R);
    op->convolve_back(s->be, t->conv, in->conv->dw, t->dln, t->ln, in->conv->w, s->taps, p->position, p->R, s->C);
    return norm_back(s, in, dres, t->conv, NULL, next, drop, p->R);
}

/* The gradient of a row's keys and values that other rows saw, added to that in t.wide (R,3C). */
static void add_behind(bg_stack *s, uint32_t layer, const bg_pass *p)
{
    const size_t size = s->be->act_size, C = s->C;
    const bg_prefix *b = &p->behind[layer];
    s->be->ops->add_part(s->be, (char *)s->t.wide + C * size, bg_stride(size, 3 * C), b->dkv, b->dkv_row, p->R, 2 * C);
}

/* From d qkv in t.wide to the block's input; dres as in bg_norm_back.  Returns the gradient of the last product of the layer below. */
static const void *queries_backward(bg_stack *s, uint32_t layer, const bg_pass *p, const float *dres)
{
    const bg_block *b = &s->blocks[layer];
    const bg_temps *t = &s->t;
    const bg_dropout drop_below = block_dropout(p, layer ? layer - 1 : 0, SITE_OUT);
    if (s->turn)
        s->be->ops->rotate(s->be, t->wide, s->turn, p->position, p->R, s->C, 1);
    const block_input in = attention_input(b, &s->acts[layer]);
    return input_backward(s, &in, &b->qkv, t->wide, dres, layer ? t->dy : NULL, &drop_below, p);
}

/* dy: the gradient of the block's last product.  Returns that of the layer below. */
static const void *block_backward(bg_stack *s, uint32_t layer, const bg_pass *p, const void *dy)
{
    const bg_ops *op = s->be->ops;
    const bg_block *b = &s->blocks[layer];
    const bg_acts *a = &s->acts[layer];
    const bg_temps *t = &s->t;
    const size_t R = p->R, C = s->C;
    const bg_dropout drop_attention = block_dropout(p, layer, SITE_ATTENTION);
    const bg_dropout drop_proj = block_dropout(p, layer, SITE_PROJ);

    op->linear_back_input(s->be, t->dwide, dy, a->z, t->wide, &b->out, R);
    op->linear_back_weight(s->be, &b->out, t->wide, dy, R);
    const block_input in = wide_input(b, a);
    dy = input_backward(s, &in, &b->fc, t->dwide, t->dx, t->dy, &drop_proj, p);

    op->linear_back_weight(s->be, &b->proj, a->att, dy, R);
    op->linear_back_input(s->be, t->dln, dy, NULL, NULL, &b->proj, R);
    op->attention_back(s->be, t->wide, t->dln, a->att, a->qkv, a->lse, &p->segments, before(p, layer), C, &drop_attention);
    if (p->behind)
        add_behind(s, layer, p);
    return queries_backward(s, layer, p, t->dx);
}

void bg_stack_forward(bg_stack *s, void *y, const bg_pass *p)
{
    const bg_dropout drop = bg_pass_dropout(p, SITE_INPUT);
    if (drop.p > 0)
        s->be->ops->dropout(s->be, s->acts[0].x_in, p->R, s->C, &drop);
    for (uint32_t layer = 0; layer < s->layers; layer++)
        block_forward(s, layer, p);
    norm(s, y, s->meanf, s->rstdf, s->acts[s->layers - 1].x_out, &s->lnf, p->R);
}

void bg_stack_backward(bg_stack *s, const void *dy, const bg_pass *p)
{
    const uint32_t last = s->layers - 1;
    const bg_dropout drop = bg_pass_dropout(p, SITE_INPUT), drop_out = block_dropout(p, last, SITE_OUT);
    const block_input out = { &s->lnf, NULL, s->acts[last].x_out, s->meanf, s->rstdf };
    dy = norm_back(s, &out, NULL, dy, NULL, s->t.dy, &drop_out, p->R);
    for (uint32_t layer = s->layers; layer-- > 0;)
        dy = block_backward(s, layer, p, dy);
    if (drop.p > 0)
        s->be->ops->dropout(s->be, s->t.dx, p->R, s->C, &drop);
}

void bg_front_forward(bg_stack *s, const bg_pass *p)
{
    const uint32_t last = s->layers - 1;
    const bg_dropout drop = bg_pass_dropout(p, SITE_INPUT);
    if (drop.p > 0)
        s->be->ops->dropout(s->be, s->acts[0].x_in, p->R, s->C, &drop);
    for (uint32_t layer = 0; layer < last; layer++)
        block_forward(s, layer, p);
    queries_forward(s, last, p);
}

void bg_front_backward(bg_stack *s, const bg_pass *p)
{
    const size_t size = s->be->act_size;
    const uint32_t last = s->layers - 1;
    const bg_dropout drop = bg_pass_dropout(p, SITE_INPUT);
    s->be->ops->zero(s->be, s->t.wide, p->R * bg_stride(size, 3 * (size_t)s->C) * size); /* nobody asked for the last queries */
    add_behind(s, last, p);
    const void *dy = queries_backward(s, last, p, NULL);
    for (uint32_t layer = last; layer-- > 0;)
        dy = block_backward(s, layer, p, dy);
    if (drop.p > 0)
        s->be->ops->dropout(s->be, s->t.dx, p->R, s->C, &drop);
}

/* A block's input i (0: of attention), of new rows. */
static const void *step_input(const bg_stack *s, const bg_temps *t, const float *x, uint32_t layer, int i, const bg_step *step)
{
    const bg_block *b = &s->blocks[layer];
    const bg_conv *conv = i ? &b->conv2 : &b->conv1;
    norm(s, t->ln, NULL, NULL, x, i ? &b->ln2 : &b->ln1, step->R);
    if (!conv->w)
        return t->ln;
    s->be->ops->convolve_cached(s->be, t->conv, t->ln, step->ring[BG_CONVS * layer + (uint32_t)i], step->ring_rows, conv->w, s->taps, step->slot, step->pos, step->R, s->C);
    return t->conv;
}

void bg_stack_step(bg_stack *s, void *y, float *x, const bg_temps *t, void *qkv, const bg_step *step)
{
    const bg_ops *op = s->be->ops;
    const size_t R = step->R;
    for (uint32_t layer = 0; layer < s->layers; layer++) {
        const bg_block *b = &s->blocks[layer];
        op->linear(s->be, qkv, NULL, step_input(s, t, x, layer, 0, step), &b->qkv, BG_EPI_ACT, R, NULL);
        if (s->turn)
            op->rotate(s->be, qkv, s->turn, step->pos, R, s->C, 0);
        op->attention_cached(s->be, t->dln, qkv, step->cache[layer], step->slots, step->length, step->slot, step->pos, R, s->C);
        op->linear(s->be, x, x, t->dln, &b->proj, BG_EPI_RESIDUAL, R, NULL);
        op->linear(s->be, t->wide, NULL, step_input(s, t, x, layer, 1, step), &b->fc, BG_EPI_GELU, R, NULL);
        op->linear(s->be, x, x, t->wide, &b->out, BG_EPI_RESIDUAL, R, NULL);
    }
    norm(s, y, NULL, NULL, x, &s->lnf, R);
}
