/* Opening a model: parameters bound to the views the passes use. */
#include "model/internal.h"

#include <math.h>
#include <string.h>

bg_limits bg_config_limits(const bg_config *c)
{
    uint32_t width = 4 * (c->hidden > c->byte_hidden ? c->hidden : c->byte_hidden);
    if (width < BG_VOCAB)
        width = BG_VOCAB;
    if (width < c->classes)
        width = c->classes;
    const uint32_t bytes = bg_sees_keys(c) || bg_sees_patch(c) ? 2 * c->patch_size : c->patch_size;
    return (bg_limits){ .max_width = width, .max_segment = c->patches > bytes ? c->patches : bytes };
}

/* A tensor's place in the flat weights or gradients; NULL when either is missing. */
static float *at(const bg_model *m, float *flat, uint32_t tensor)
{
    return flat && tensor != BG_NO_TENSOR ? flat + m->params.tensors[tensor].offset : NULL;
}

static bg_weight weight(const bg_model *m, uint32_t w, uint32_t b, uint32_t K, uint32_t N, int transposed)
{
    return (bg_weight){ .w = at(m, m->weights, w), .dw = at(m, m->grads, w), .b = at(m, m->weights, b),
                        .db = at(m, m->grads, b), .K = K, .N = N, .transposed = transposed };
}

static bg_norm norm(const bg_model *m, uint32_t g, uint32_t b)
{
    return (bg_norm){ .g = at(m, m->weights, g), .b = at(m, m->weights, b), .dg = at(m, m->grads, g),
                      .db = at(m, m->grads, b) };
}

static void bind_block(const bg_model *m, bg_block *b, uint32_t first, uint32_t C)
{
    b->ln1 = norm(m, first + BG_LN1_W, first + BG_LN1_B);
    b->ln2 = norm(m, first + BG_LN2_W, first + BG_LN2_B);
    b->qkv = weight(m, first + BG_QKV_W, first + BG_QKV_B, C, 3 * C, 0);
    b->proj = weight(m, first + BG_PROJ_W, first + BG_PROJ_B, C, C, 0);
    b->fc = weight(m, first + BG_FC_W, first + BG_FC_B, C, 4 * C, 0);
    b->out = weight(m, first + BG_OUT_W, first + BG_OUT_B, 4 * C, C, 0);
}

static bg_conv conv(const bg_model *m, uint32_t tensor) { return (bg_conv){ .w = at(m, m->weights, tensor), .dw = at(m, m->grads, tensor) }; }

static void bind_convs(bg_model *m, uint32_t layers)
{
    m->patch.taps = m->config.conv;
    for (uint32_t layer = 0; layer < layers; layer++) {
        m->patch.blocks[layer].conv1 = conv(m, m->params.convs + BG_CONVS * layer);
        m->patch.blocks[layer].conv2 = conv(m, m->params.convs + BG_CONVS * layer + 1);
    }
}

static void bind_stack(bg_model *m, bg_stack *s, bg_block *blocks, uint32_t first, uint32_t layers, uint32_t C)
{
    s->be = m->be;
    s->C = C;
    s->layers = layers;
    s->blocks = blocks;
    for (uint32_t layer = 0; layer < layers; layer++)
        bind_block(m, &blocks[layer], first + layer * BG_BLOCK_FIELDS, C);
}

static void bind(bg_model *m)
{
    const bg_config *c = &m->config;
    const uint32_t *p = m->params.at;
    m->embed_w = at(m, m->weights, p[BG_PATCH_EMBED_W]);
    m->embed_b = at(m, m->weights, p[BG_PATCH_EMBED_B]);
    m->patch_wpe = at(m, m->weights, p[BG_PATCH_WPE]);
    m->byte_wte = at(m, m->weights, p[BG_BYTE_WTE]);
    m->byte_wpe = at(m, m->weights, p[BG_BYTE_WPE]);
    m->previous_w = at(m, m->weights, p[BG_PREVIOUS_W]);
    m->previous_dw = at(m, m->grads, p[BG_PREVIOUS_W]);
    m->places_w = at(m, m->weights, p[BG_PREVIOUS_PLACES]);
    m->places_dw = at(m, m->grads, p[BG_PREVIOUS_PLACES]);
    for (int k = 0; k < BG_ROW_TABLES; k++) {
        m->rows_w[k] = at(m, m->weights, p[BG_GRAMS_W + k]);
        m->rows_dw[k] = at(m, m->grads, p[BG_GRAMS_W + k]);
    }
    for (int k = 0; k < BG_GRAM_TABLES; k++) {
        m->patch_grams_w[k] = at(m, m->weights, p[BG_PATCH_GRAMS_W + k]);
        m->patch_grams_dw[k] = at(m, m->grads, p[BG_PATCH_GRAMS_W + k]);
    }
    m->embed_dw = at(m, m->grads, p[BG_PATCH_EMBED_W]);
    m->embed_db = at(m, m->grads, p[BG_PATCH_EMBED_B]);
    m->patch_dwpe = at(m, m->grads, p[BG_PATCH_WPE]);
    m->byte_dwte = at(m, m->grads, p[BG_BYTE_WTE]);
    m->byte_dwpe = at(m, m->grads, p[BG_BYTE_WPE]);
    bind_stack(m, &m->patch, m->block_memory, m->params.patch_blocks, c->patch_layers, c->hidden);
    if (c->conv)
        bind_convs(m, c->patch_layers);
    m->patch.lnf = norm(m, p[BG_PATCH_LNF_W], p[BG_PATCH_LNF_B]);
    if (c->byte_layers) {
        bind_stack(m, &m->byte, m->block_memory + c->patch_layers, m->params.byte_blocks, c->byte_layers, c->byte_hidden);
        m->byte.lnf = norm(m, p[BG_BYTE_LNF_W], p[BG_BYTE_LNF_B]);
        if (bg_sees_patch(c))
            m->front = m->byte;
        m->head = weight(m, p[BG_BYTE_WTE], BG_NO_TENSOR, c->byte_hidden, BG_VOCAB, 1);
        m->feature = weight(m, p[BG_FEATURE_W], p[BG_FEATURE_B], c->hidden, c->byte_hidden, 1);
    }
    for (uint32_t layer = 0; m->keys && layer < c->byte_layers; layer++) {
        const uint32_t symbols = m->params.keys + 2 * layer;
        m->keys[layer] = (bg_key_tables){ .symbols = at(m, m->weights, symbols), .places = at(m, m->weights, symbols + 1),
                                          .dsymbols = at(m, m->grads, symbols), .dplaces = at(m, m->grads, symbols + 1) };
    }
    m->classifier = weight(m, p[BG_CLASSIFIER_W], p[BG_CLASSIFIER_B], c->hidden, c->classes, 1);
}

/* Collect every bg_weight that has memory. */
static void list_weights(bg_model *m)
{
    bg_weight **list = m->bound;
    size_t n = 0;
    for (uint32_t i = 0; i < m->config.patch_layers + m->config.byte_layers; i++) {
        bg_block *b = &m->block_memory[i];
        list[n++] = &b->qkv;
        list[n++] = &b->proj;
        list[n++] = &b->fc;
        list[n++] = &b->out;
    }
    bg_weight *others[] = { &m->head, &m->feature, &m->classifier };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i]->w)
            list[n++] = others[i];
    m->bound_count = n;
}

/* Cosines and sines of the angles at every place. */
static bg_status reserve_rotary(bg_model *m, bg_error *err)
{
    enum { PAIRS = BG_HEAD / 2 };
    const size_t places = m->config.patches, bytes = places * BG_HEAD * sizeof(float);
    float *turn = bg_alloc_zero(m->be->sys, places, BG_HEAD * sizeof *turn);
    m->patch.turn = m->be->ops->alloc(m->be, bytes);
    if (!turn || !m->patch.turn) {
        bg_free(m->be->sys, turn);
        return bg_fail_memory(err, "the table of rotary positions", bytes);
    }
    for (size_t place = 0; place < places; place++)
        for (int d = 0; d < PAIRS; d++) {
            const double angle = (double)place * pow(BG_ROTARY_BASE, -d / (double)PAIRS);
            turn[place * BG_HEAD + d] = (float)cos(angle);
            turn[place * BG_HEAD + PAIRS + d] = (float)sin(angle);
        }
    m->be->ops->write(m->be, m->patch.turn, turn, bytes);
    bg_free(m->be->sys, turn);
    return BG_OK;
}

static bg_status reserve_parameters(bg_model *m, bg_error *err)
{
    const bg_ops *op = m->be->ops;
    const size_t bytes = m->params.floats * sizeof(float);
    const size_t blocks = m->config.patch_layers + m->config.byte_layers;
    m->weights = op->alloc(m->be, bytes);
    if (!m->weights)
        return bg_fail_memory(err, "the parameters", bytes);
    if (m->training && !(m->grads = op->alloc(m->be, bytes)))
        return bg_fail_memory(err, "the gradients", bytes);
    m->block_memory = bg_alloc_zero(m->be->sys, blocks, sizeof *m->block_memory);
    m->bound = bg_alloc_zero(m->be->sys, 4 * blocks + 3, sizeof *m->bound);
    const int keys = bg_sees_keys(&m->config), prefix = keys || bg_sees_patch(&m->config);
    m->keys = keys ? bg_alloc_zero(m->be->sys, m->config.byte_layers, sizeof *m->keys) : NULL;
    m->prefix = prefix ? bg_alloc_zero(m->be->sys, m->config.byte_layers, sizeof *m->prefix) : NULL;
    if (!m->block_memory || !m->bound || (keys && !m->keys) || (prefix && !m->prefix))
        return bg_fail_memory(err, "the table of layers", blocks * sizeof *m->block_memory);
    if (m->config.rotary)
        BG_TRY(reserve_rotary(m, err));
    bind(m);
    list_weights(m);
    return op->weights_bind(m->be, m->bound, m->bound_count, m->form, err);
}

bg_status bg_model_open(bg_model **out, const bg_config *c, bg_backend *be, bg_weight_form form, bg_error *err)
{
    *out = NULL;
    BG_TRY(bg_config_check(c, "model", err));
    bg_model *m = bg_alloc_zero(be->sys, 1, sizeof *m);
    if (!m)
        return bg_fail_memory(err, "a model", sizeof *m);
    m->config = *c;
    m->be = be;
    m->form = form;
    m->training = form == BG_WEIGHTS_TRAIN;
    bg_status s = bg_params_build(&m->params, c, be->sys, err);
    if (s == BG_OK)
        s = reserve_parameters(m, err);
    if (s != BG_OK) {
        bg_model_close(m);
        return s;
    }
    *out = m;
    return BG_OK;
}

void bg_model_close(bg_model *m)
{
    if (!m)
        return;
    const bg_ops *op = m->be->ops;
    const bg_sys *sys = m->be->sys;
    if (m->bound)
        op->weights_unbind(m->be, m->bound, m->bound_count);
    op->free(m->be, m->memory);
    op->free(m->be, m->weights);
    op->free(m->be, m->grads);
    op->free(m->be, m->patch.turn);
    bg_free(sys, m->host_loss_start);
    bg_free(sys, m->host_rows);
    bg_match_close(&m->match);
    bg_free(sys, m->act_memory);
    bg_free(sys, m->block_memory);
    bg_free(sys, m->keys);
    bg_free(sys, m->prefix);
    bg_free(sys, m->bound);
    bg_params_free(&m->params, sys);
    bg_free(sys, m);
}

const bg_config *bg_model_config(const bg_model *m) { return &m->config; }
const bg_params *bg_model_params(const bg_model *m) { return &m->params; }
bg_backend *bg_model_backend(const bg_model *m) { return m->be; }
float *bg_model_weights(bg_model *m) { return m->weights; }
float *bg_model_grads(bg_model *m) { return m->grads; }

void bg_model_changed(bg_model *m)
{
    m->be->ops->weights_changed(m->be, m->bound, m->bound_count);
}

void bg_model_zero_grads(bg_model *m)
{
    m->be->ops->zero(m->be, m->grads, m->params.floats * sizeof(float));
}
