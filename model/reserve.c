/* Memory of the passes, planned at open: the same walk measures (base NULL)
 * and places.  A step allocates nothing. */
#include "model/internal.h"

#include <string.h>

/* Rows of the byte decoder worked on at once, when the caller does not say:
 * enough for full-speed products, few enough that a layer's activations stay
 * in the last-level cache. */
enum { CHUNK_ROWS = 2048, LINE = 64 };

void *bg_place_bytes(bg_placer *p, size_t bytes)
{
    void *at = p->base ? p->base + p->used : NULL;
    p->used += (bytes + LINE - 1) / LINE * LINE;
    return at;
}

float *bg_place_float(bg_placer *p, size_t R, size_t C)
{
    return bg_place_bytes(p, R * bg_stride(sizeof(float), C) * sizeof(float));
}

void *bg_place_act(bg_placer *p, const bg_backend *be, size_t R, size_t C)
{
    return bg_place_bytes(p, R * bg_stride(be->act_size, C) * be->act_size);
}

void bg_place_temps(bg_placer *p, const bg_backend *be, bg_temps *t, size_t R, size_t C, int training)
{
    t->ln = bg_place_act(p, be, R, C);
    t->wide = bg_place_act(p, be, R, 4 * C);
    t->dln = bg_place_act(p, be, R, C);
    if (!training)
        return;
    t->dwide = bg_place_act(p, be, R, 4 * C);
    t->dy = bg_place_act(p, be, R, C);
    t->dx = bg_place_float(p, R, C);
}

static void place_acts(bg_placer *p, const bg_backend *be, bg_acts *a, float *x_in, size_t R, size_t C, int training)
{
    a->x_in = x_in;
    a->x_mid = training ? bg_place_float(p, R, C) : x_in;
    a->x_out = training ? bg_place_float(p, R, C) : x_in;
    a->qkv = bg_place_act(p, be, R, 3 * C);
    a->att = bg_place_act(p, be, R, C);
    if (!training)
        return;
    a->z = bg_place_act(p, be, R, 4 * C);
    a->lse = bg_place_bytes(p, R * (C / BG_HEAD) * sizeof(float));
    a->mean1 = bg_place_bytes(p, R * sizeof(float));
    a->rstd1 = bg_place_bytes(p, R * sizeof(float));
    a->mean2 = bg_place_bytes(p, R * sizeof(float));
    a->rstd2 = bg_place_bytes(p, R * sizeof(float));
}

/* The layers' activations.  Without training all share those of the first; with own_keys each keeps its qkv. */
static void place_layers(bg_placer *p, bg_stack *s, bg_acts *acts, size_t R, int training, int own_keys)
{
    s->acts = acts;
    float *x = bg_place_float(p, R, s->C);
    for (uint32_t layer = 0; layer < s->layers; layer++) {
        if (training || layer == 0) {
            place_acts(p, s->be, &acts[layer], x, R, s->C, training);
        } else {
            acts[layer] = acts[0];
            if (own_keys)
                acts[layer].qkv = bg_place_act(p, s->be, R, 3 * s->C);
        }
        x = acts[layer].x_out;
    }
}

static void place_stack(bg_placer *p, bg_stack *s, bg_acts *acts, size_t R, int training)
{
    place_layers(p, s, acts, R, training, 0);
    if (training) {
        s->meanf = bg_place_bytes(p, R * sizeof(float));
        s->rstdf = bg_place_bytes(p, R * sizeof(float));
    }
}

/* Every layer's keys and values stay until the bytes behind them have been worked on; of the last layer nothing else is computed. */
void bg_place_front(bg_placer *p, bg_stack *s, bg_acts *acts, size_t R, int training) { place_layers(p, s, acts, R, training, 1); }

/* Where attention finds what stands in front of a chunk's bytes. */
static void place_prefix(bg_placer *p, bg_model *m, size_t R)
{
    const size_t C = m->config.byte_hidden, size = m->be->act_size;
    if (m->front.layers)
        bg_place_front(p, &m->front, m->act_memory + m->config.patch_layers + m->config.byte_layers, R, m->training);
    for (uint32_t layer = 0; layer < m->config.byte_layers; layer++) {
        bg_prefix *before = &m->prefix[layer];
        before->length = m->config.patch_size;
        if (m->keys)
            before->kv = bg_place_act(p, m->be, R, 2 * C);
        else
            before->kv = p->base ? (char *)m->front.acts[layer].qkv + C * size : NULL; /* behind the queries */
        before->kv_row = bg_stride(size, (m->keys ? 2 : 3) * C);
        before->dkv = m->training ? bg_place_act(p, m->be, R, 2 * C) : NULL;
        before->dkv_row = bg_stride(size, 2 * C);
    }
}

static void place_byte_decoder(bg_placer *p, bg_model *m)
{
    const bg_config *c = &m->config;
    const size_t R = (size_t)m->chunk * c->patch_size;
    if (m->feature.w) {
        m->chunk_feature = bg_place_act(p, m->be, m->chunk, c->hidden);
        m->chunk_input = bg_place_act(p, m->be, m->chunk, c->byte_hidden);
    }
    if (m->prefix)
        place_prefix(p, m, R);
    m->hidden = bg_place_act(p, m->be, R, c->byte_hidden);
    m->logits = bg_place_float(p, R, BG_VOCAB);
    if (m->training)
        m->dlogits = bg_place_act(p, m->be, R, BG_VOCAB);
    place_stack(p, &m->byte, m->act_memory + c->patch_layers, R, m->training);
}

static void place_classifier(bg_placer *p, bg_model *m)
{
    const bg_config *c = &m->config;
    m->pooled = bg_place_act(p, m->be, m->max_files, c->hidden);
    m->class_logits = bg_place_float(p, m->max_files, c->classes);
    if (m->training) {
        m->dpooled = bg_place_act(p, m->be, m->max_files, c->hidden);
        m->dclass_logits = bg_place_act(p, m->be, m->max_files, c->classes);
    }
}

static void place_patch_temps(bg_placer *p, bg_model *m)
{
    const bg_config *c = &m->config;
    bg_place_temps(p, m->be, &m->patch.t, m->max_rows, c->hidden, m->training);
    m->patch.t.conv = c->conv ? bg_place_act(p, m->be, m->max_rows, c->hidden) : NULL;
}

/* Both stacks never work at once, so they share one set of temporaries; it
 * is placed for the larger of the two. */
static void place_shared_temps(bg_placer *p, bg_model *m)
{
    const bg_config *c = &m->config;
    bg_placer patch = { 0 }, byte = { 0 };
    place_patch_temps(&patch, m);
    if (c->byte_layers)
        bg_place_temps(&byte, m->be, &m->byte.t, (size_t)m->chunk * c->patch_size, c->byte_hidden, m->training);
    char *base = bg_place_bytes(p, patch.used > byte.used ? patch.used : byte.used);
    patch = (bg_placer){ .base = base };
    byte = patch;
    place_patch_temps(&patch, m);
    if (c->byte_layers)
        bg_place_temps(&byte, m->be, &m->byte.t, (size_t)m->chunk * c->patch_size, c->byte_hidden, m->training);
    m->front.t = m->byte.t; /* they take turns */
}

static void place_all(bg_placer *p, bg_model *m)
{
    const bg_config *c = &m->config;
    const size_t rows = m->max_rows, files = m->max_files;
    m->tokens = bg_place_bytes(p, rows * c->patch_size * sizeof *m->tokens);
    m->position = bg_place_bytes(p, rows * sizeof *m->position);
    m->target = bg_place_bytes(p, rows * sizeof *m->target);
    m->source = bg_place_bytes(p, rows * sizeof *m->source);
    m->row_start = bg_place_bytes(p, (files + 1) * sizeof *m->row_start);
    m->loss_start = bg_place_bytes(p, (files + 1) * sizeof *m->loss_start);
    for (int k = 0; k < BG_ROW_TABLES; k++)
        m->rows[k] = m->rows_w[k] ? bg_place_bytes(p, rows * c->patch_size * sizeof *m->rows[k]) : NULL;
    for (int k = 0; k < BG_GRAM_TABLES; k++)
        m->patch_rows[k] = c->patch_grams ? bg_place_bytes(p, rows * c->patch_size * sizeof *m->patch_rows[k]) : NULL;
    m->label = bg_place_bytes(p, files * sizeof *m->label);
    m->features = bg_place_act(p, m->be, rows, c->hidden);
    if (m->training)
        m->dfeatures = bg_place_act(p, m->be, rows, c->hidden);
    m->loss = bg_place_bytes(p, (rows * c->patch_size > files ? rows * c->patch_size : files) * sizeof *m->loss);
    place_stack(p, &m->patch, m->act_memory, rows, m->training);
    if (c->byte_layers)
        place_byte_decoder(p, m);
    if (c->classes)
        place_classifier(p, m);
    place_shared_temps(p, m);
}

bg_status bg_model_reserve(bg_model *m, uint32_t max_rows, uint32_t max_files, uint32_t chunk, bg_error *err)
{
    const bg_sys *sys = m->be->sys;
    m->max_rows = max_rows;
    m->max_files = max_files;
    m->chunk = chunk ? chunk : CHUNK_ROWS / m->config.patch_size;
    if (m->chunk > max_rows)
        m->chunk = max_rows;
    m->be->ops->free(m->be, m->memory);
    m->memory = NULL;
    bg_free(sys, m->host_loss_start);
    bg_free(sys, m->host_rows);
    m->host_rows = NULL;
    bg_match_close(&m->match);
    bg_free(sys, m->act_memory);
    const size_t layers = m->config.patch_layers + m->config.byte_layers + m->front.layers;
    m->act_memory = bg_alloc_zero(sys, layers, sizeof *m->act_memory);
    m->host_loss_start = bg_alloc_zero(sys, (size_t)max_files + 1, sizeof *m->host_loss_start);
    if (!m->act_memory || !m->host_loss_start)
        return bg_fail_memory(err, "the table of activations", layers * sizeof *m->act_memory);
    const size_t symbols = (size_t)max_rows * m->config.patch_size;
    if ((bg_has_rows(&m->config) || m->config.patch_grams) && !(m->host_rows = bg_alloc_zero(sys, BG_ROW_TABLES * symbols, sizeof *m->host_rows)))
        return bg_fail_memory(err, "the rows of n-grams", BG_ROW_TABLES * symbols * sizeof *m->host_rows);
    if (m->config.match)
        BG_TRY(bg_match_open(&m->match, sys, (m->config.patches < max_rows ? m->config.patches : max_rows) * m->config.patch_size, err));

    bg_placer p = { 0 };
    place_all(&p, m);
    m->memory = m->be->ops->alloc(m->be, p.used);
    if (!m->memory)
        return bg_fail_memory(err, "the activations", p.used);
    p = (bg_placer){ .base = m->memory };
    place_all(&p, m);
    return BG_OK;
}
