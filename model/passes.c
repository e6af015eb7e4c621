/* The wiring of a byte model: patches -> features -> bytes -> loss, and back.
 *
 * The byte decoder works chunk by chunk of target patches, forward, loss and
 * backward at once: a patch's 16 positions depend on its feature alone, so
 * memory does not grow with the length or the number of files. */
#include "model/internal.h"
#include "model/rows.h"

#include <assert.h>

/* Dropout sites of the two stacks do not overlap. */
enum { SITE_PATCH = 0, SITE_BYTE = 0x10000, SITE_FRONT = 0x20000 };

/* Put a batch's tables where the back end sees them. */
static void upload(bg_model *m, const bg_batch *b)
{
    const bg_ops *op = m->be->ops;
    assert(b->rows <= m->max_rows && b->files <= m->max_files && b->P == m->config.patch_size);
    for (uint32_t i = 0; i <= b->files; i++)
        m->host_loss_start[i] = b->target_start[i] * b->P;
    op->write(m->be, m->tokens, b->tokens, (size_t)b->rows * b->P * sizeof *b->tokens);
    op->write(m->be, m->position, b->position, b->rows * sizeof *b->position);
    op->write(m->be, m->target, b->target, b->targets * sizeof *b->target);
    op->write(m->be, m->source, b->source, b->targets * sizeof *b->source);
    op->write(m->be, m->row_start, b->row_start, (b->files + 1) * sizeof *b->row_start);
    op->write(m->be, m->loss_start, m->host_loss_start, (b->files + 1) * sizeof *m->loss_start);
    bg_upload_rows(m, b);
    op->write(m->be, m->label, b->label, b->files * sizeof *b->label);
}

static bg_pass new_pass(const bg_noise *noise, uint32_t site0)
{
    bg_pass p = { .site0 = site0 };
    if (noise) {
        p.dropout = noise->p;
        p.seed = noise->seed;
        p.step = noise->step;
    }
    return p;
}

static bg_pass patch_pass(const bg_model *m, const bg_batch *b, const bg_noise *noise)
{
    bg_pass p = new_pass(noise, SITE_PATCH);
    uint32_t longest = 0;
    for (uint32_t i = 0; i < b->files; i++)
        if (b->row_start[i + 1] - b->row_start[i] > longest)
            longest = b->row_start[i + 1] - b->row_start[i];
    p.R = b->rows;
    p.position = m->position;
    p.segments = (bg_segments){ .S = b->files, .longest = longest, .start = m->row_start };
    return p;
}

static bg_pass byte_pass(const bg_model *m, size_t first, size_t patches, const bg_noise *noise)
{
    const uint32_t P = m->config.patch_size;
    bg_pass p = new_pass(noise, SITE_BYTE);
    p.R = patches * P;
    p.row0 = first * P;
    p.segments = (bg_segments){ .S = (uint32_t)patches, .length = P, .longest = P };
    p.before = m->prefix;
    return p;
}

/* The rows in front of those of a byte_pass. */
static bg_pass front_pass(const bg_model *m, const bg_pass *bytes)
{
    bg_pass p = *bytes;
    p.site0 = SITE_FRONT;
    p.before = NULL;
    p.behind = m->prefix;
    return p;
}

/* Patches -> m->features. */
static void patch_forward(bg_model *m, const bg_pass *p)
{
    const bg_config *c = &m->config;
    m->be->ops->patch_embed(m->be, m->patch.acts[0].x_in, m->tokens, m->embed_w, m->embed_b, m->patch_wpe, m->position, p->R,
                            c->patch_size, BG_VOCAB, c->hidden);
    for (int k = 0; c->patch_grams && k < BG_GRAM_TABLES; k++)
        m->be->ops->sum_rows(m->be, m->patch.acts[0].x_in, m->patch_grams_w[k], m->patch_rows[k], p->R, c->patch_size, c->hidden);
    bg_stack_forward(&m->patch, m->features, p);
}

/* m->dfeatures -> gradients of the patch decoder. */
static void patch_backward(bg_model *m, const bg_pass *p)
{
    const bg_config *c = &m->config;
    bg_stack_backward(&m->patch, m->dfeatures, p);
    for (int k = 0; c->patch_grams && k < BG_GRAM_TABLES; k++)
        m->be->ops->sum_rows_back(m->be, m->patch_grams_dw[k], m->patch.t.dx, m->patch_rows[k], p->R, c->patch_size, c->hidden);
    m->be->ops->patch_embed_back(m->be, m->embed_dw, m->embed_db, m->patch_dwpe, m->patch.t.dx, m->tokens, m->position, p->R,
                                 c->patch_size, BG_VOCAB, c->hidden);
}

/* Where the byte decoder of a chunk finds its features: in m->features by
 * index, or gathered and projected to its own width. */
typedef struct chunk_input { const void *feature; const uint32_t *src; } chunk_input;

static chunk_input project_features(bg_model *m, size_t first, size_t n)
{
    const bg_ops *op = m->be->ops;
    if (!m->feature.w)
        return (chunk_input){ m->features, m->source + first };
    op->gather_rows(m->be, m->chunk_feature, m->features, m->source + first, n, m->config.hidden);
    op->linear(m->be, m->chunk_input, NULL, m->chunk_feature, &m->feature, BG_EPI_ACT, n, NULL);
    return (chunk_input){ m->chunk_input, NULL };
}

/* What is added to the byte decoder's inputs of a chunk, or its gradients -> t.  Returns how many. */
static size_t input_tables(const bg_model *m, size_t first, int gradients, bg_row_table t[BG_INPUT_TABLES])
{
    size_t count = 0;
    if (m->previous_w) /* a feature's row is its patch's */
        t[count++] = (bg_row_table){ gradients ? m->previous_dw : m->previous_w, m->tokens, m->source + first };
    for (int k = 0; k < BG_ROW_TABLES; k++)
        if (m->rows_w[k])
            t[count++] = (bg_row_table){ gradients ? m->rows_dw[k] : m->rows_w[k], m->rows[k] + first * m->config.patch_size, NULL };
    return count;
}

/* Features and symbols of target patches [first, first+n) -> m->logits. */
static void byte_forward(bg_model *m, size_t first, size_t n, const bg_pass *p)
{
    const bg_ops *op = m->be->ops;
    const bg_config *c = &m->config;
    const chunk_input in = project_features(m, first, n);
    bg_row_table tables[BG_INPUT_TABLES];
    op->byte_embed(m->be, m->byte.acts[0].x_in, in.feature, in.src, m->tokens, m->target + first, m->byte_wte, m->byte_wpe, n,
                   c->patch_size, c->byte_hidden);
    const size_t count = input_tables(m, first, 0, tables);
    if (count)
        op->add_rows(m->be, m->byte.acts[0].x_in, tables, count, n, c->patch_size, c->byte_hidden);
    for (uint32_t layer = 0; m->keys && layer < c->byte_layers; layer++)
        op->token_rows(m->be, (void *)(uintptr_t)m->prefix[layer].kv, m->keys[layer].symbols, m->keys[layer].places, m->tokens, m->source + first, n,
                       c->patch_size, 2 * c->byte_hidden);
    if (m->front.layers) {
        const bg_pass front = front_pass(m, p);
        op->symbol_embed(m->be, m->front.acts[0].x_in, m->previous_w, m->places_w, m->tokens, m->source + first, n, c->patch_size, c->byte_hidden);
        bg_front_forward(&m->front, &front);
    }
    bg_stack_forward(&m->byte, m->hidden, p);
    op->linear(m->be, m->logits, NULL, m->hidden, &m->head, BG_EPI_FLOAT, p->R, NULL);
}

/* m->logits -> m->loss of the chunk; with training also m->dlogits. */
static void byte_loss(bg_model *m, size_t first, size_t R, int backward, float scale)
{
    const uint32_t P = m->config.patch_size;
    m->be->ops->cross_entropy(m->be, m->loss + first * P, backward ? m->dlogits : NULL, m->logits, m->tokens,
                              m->target + first, P, scale, R, BG_VOCAB);
}

/* m->byte.t.dx -> gradients of embeddings and m->dfeatures of the chunk.
 * The chunk's projected input lies in m->chunk_input until here, and its
 * gradient takes the same place. */
static void inputs_backward(bg_model *m, size_t first, size_t n)
{
    const bg_ops *op = m->be->ops;
    const bg_config *c = &m->config;
    const uint32_t *source = m->source + first, *target = m->target + first;
    bg_row_table tables[BG_INPUT_TABLES];
    const size_t count = input_tables(m, first, 1, tables);
    for (uint32_t layer = 0; m->keys && layer < c->byte_layers; layer++)
        op->token_rows_back(m->be, m->keys[layer].dsymbols, m->keys[layer].dplaces, m->prefix[layer].dkv, m->tokens, source, n, c->patch_size,
                            2 * c->byte_hidden);
    if (count)
        op->add_rows_back(m->be, tables, count, m->byte.t.dx, n, c->patch_size, c->byte_hidden);
    if (!m->feature.w) {
        op->byte_embed_back(m->be, m->dfeatures, m->byte_dwte, m->byte_dwpe, m->byte.t.dx, source, m->tokens, target, n,
                            c->patch_size, c->byte_hidden);
        return;
    }
    op->byte_embed_back(m->be, m->chunk_input, m->byte_dwte, m->byte_dwpe, m->byte.t.dx, NULL, m->tokens, target, n,
                        c->patch_size, c->byte_hidden);
    op->linear_back_weight(m->be, &m->feature, m->chunk_feature, m->chunk_input, n);
    op->linear_back_input(m->be, m->chunk_feature, m->chunk_input, NULL, NULL, &m->feature, n);
    op->scatter_rows(m->be, m->dfeatures, m->chunk_feature, source, n, c->hidden);
}

/* m->dlogits -> gradients of the byte decoder and m->dfeatures of the chunk. */
static void byte_backward(bg_model *m, size_t first, size_t n, const bg_pass *p)
{
    const bg_ops *op = m->be->ops;
    op->linear_back_weight(m->be, &m->head, m->hidden, m->dlogits, p->R);
    op->linear_back_input(m->be, m->hidden, m->dlogits, NULL, NULL, &m->head, p->R);
    bg_stack_backward(&m->byte, m->hidden, p);
    inputs_backward(m, first, n);
    if (m->front.layers) {
        const bg_pass front = front_pass(m, p);
        bg_front_backward(&m->front, &front);
        op->symbol_embed_back(m->be, m->previous_dw, m->places_dw, m->front.t.dx, m->tokens, m->source + first, n, m->config.patch_size, m->config.byte_hidden);
    }
}

static size_t chunk_size(const bg_model *m, const bg_batch *b, size_t first)
{
    const size_t left = b->targets - first;
    return left < m->chunk ? left : m->chunk;
}

void bg_model_train(bg_model *m, const bg_batch *b, float scale, const bg_noise *noise, double *nats)
{
    const bg_ops *op = m->be->ops;
    assert(m->training && m->config.byte_layers);
    upload(m, b);
    const bg_pass patches = patch_pass(m, b, noise);
    patch_forward(m, &patches);
    op->zero(m->be, m->dfeatures, b->rows * bg_stride(m->be->act_size, m->config.hidden) * m->be->act_size);
    for (size_t first = 0; first < b->targets; first += m->chunk) {
        const size_t n = chunk_size(m, b, first);
        const bg_pass bytes = byte_pass(m, first, n, noise);
        byte_forward(m, first, n, &bytes);
        byte_loss(m, first, bytes.R, 1, scale);
        byte_backward(m, first, n, &bytes);
    }
    patch_backward(m, &patches);
    op->segment_sums(m->be, nats, m->loss, m->loss_start, b->files);
}

void bg_model_eval(bg_model *m, const bg_batch *b, double *nats)
{
    assert(m->config.byte_layers);
    upload(m, b);
    const bg_pass patches = patch_pass(m, b, NULL);
    patch_forward(m, &patches);
    for (size_t first = 0; first < b->targets; first += m->chunk) {
        const size_t n = chunk_size(m, b, first);
        const bg_pass bytes = byte_pass(m, first, n, NULL);
        byte_forward(m, first, n, &bytes);
        byte_loss(m, first, bytes.R, 0, 0);
    }
    m->be->ops->segment_sums(m->be, nats, m->loss, m->loss_start, b->files);
}

void bg_model_losses(bg_model *m, const bg_batch *b, float *nats)
{
    m->be->ops->read(m->be, nats, m->loss, (size_t)b->targets * b->P * sizeof *nats);
}

/* Copy a float matrix (R,C) to dense host rows. */
static void read_rows(bg_backend *be, float *host, const float *x, size_t R, size_t C)
{
    for (size_t r = 0; r < R; r++)
        be->ops->read(be, host + r * C, x + r * bg_stride(sizeof(float), C), C * sizeof(float));
}

void bg_model_forward(bg_model *m, const bg_batch *b, float *features, float *logits)
{
    upload(m, b);
    const bg_pass patches = patch_pass(m, b, NULL);
    patch_forward(m, &patches);
    if (features)
        m->be->ops->from_act(m->be, features, m->features, b->rows, m->config.hidden);
    if (!logits)
        return;
    for (size_t first = 0; first < b->targets; first += m->chunk) {
        const size_t n = chunk_size(m, b, first);
        const bg_pass bytes = byte_pass(m, first, n, NULL);
        byte_forward(m, first, n, &bytes);
        read_rows(m->be, logits + first * m->config.patch_size * BG_VOCAB, m->logits, bytes.R, BG_VOCAB);
    }
}

static void classifier_forward(bg_model *m, const bg_pass *p, float *logits)
{
    const bg_ops *op = m->be->ops;
    patch_forward(m, p);
    op->segment_mean(m->be, m->pooled, m->features, &p->segments, m->config.hidden);
    op->linear(m->be, m->class_logits, NULL, m->pooled, &m->classifier, BG_EPI_FLOAT, p->segments.S, NULL);
    if (logits)
        read_rows(m->be, logits, m->class_logits, p->segments.S, m->config.classes);
}

void bg_model_classify(bg_model *m, const bg_batch *b, float *logits)
{
    upload(m, b);
    const bg_pass p = patch_pass(m, b, NULL);
    classifier_forward(m, &p, logits);
}

void bg_model_train_classifier(bg_model *m, const bg_batch *b, float scale, const bg_noise *noise, double *nats, float *logits)
{
    const bg_ops *op = m->be->ops;
    const bg_config *c = &m->config;
    assert(m->training && c->classes);
    upload(m, b);
    const bg_pass p = patch_pass(m, b, noise);
    classifier_forward(m, &p, logits);
    op->cross_entropy(m->be, m->loss, m->dclass_logits, m->class_logits, m->label, NULL, 1, scale, b->files, c->classes);
    for (uint32_t i = 0; i < b->files; i++) {
        float loss;
        op->read(m->be, &loss, m->loss + i, sizeof loss);
        nats[i] = loss;
    }
    op->linear_back_weight(m->be, &m->classifier, m->pooled, m->dclass_logits, b->files);
    op->linear_back_input(m->be, m->dpooled, m->dclass_logits, NULL, NULL, &m->classifier, b->files);
    op->segment_mean_back(m->be, m->dfeatures, m->dpooled, &p.segments, c->hidden);
    patch_backward(m, &p);
}
