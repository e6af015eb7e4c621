/* Generation: both decoders with key/value caches, several sequences side by
 * side.  A patch step (one row a sequence) every P symbols, a byte step every
 * symbol.  The ops promise that cached rows have the bits of whole passes. */
#include "model/internal.h"
#include "model/rows.h"

#include <assert.h>
#include <string.h>

/* Patches of a prompt that go through the patch decoder at once. */
enum { PREFILL_ROWS = 256 };

struct bg_decoder {
    bg_model *m;
    uint32_t slots;
    size_t rows;             /* largest step: max(slots, PREFILL_ROWS) */
    uint32_t *length, *at;   /* (slots) on the host: patches held, byte position */
    uint32_t *host_slot, *host_pos; /* (rows) on the host: tables being made */
    void *memory;            /* one back-end allocation behind the rest */
    void **patch_cache, **byte_cache; /* (layers) */
    void **rings;            /* (BG_CONVS*layers) of the patch decoder's convolutions; NULL without */
    uint32_t *slot, *pos;    /* (rows) */
    uint32_t before;         /* positions of byte_cache that the patch before takes: P, or 0 */
    uint32_t *host_place, *place; /* (slots) of a byte step: positions in byte_cache */
    void *prefix;            /* act (slots*P,2Hb): keys and values of the patch before, of a layer, from tables; NULL without */
    bg_stack front;          /* m->front on slots*P rows; layers 0 without */
    bg_acts *front_acts;     /* (byte_layers) of it */
    uint16_t *tokens;        /* (rows,P) patches; (rows) symbols in byte steps */
    uint16_t *host_above, *above; /* of a byte step: the symbol above, in each slot's last patch (slots); above also the rows of tables, (BG_INPUT_TABLES,n) of n slots */
    bg_recent recent;        /* the symbols that choose both */
    uint16_t *host_gram_rows, *gram_rows; /* (BG_GRAM_TABLES,n,P) of n patches being appended; NULL without n-grams of patches */
    float *x;                /* (rows, max width) */
    void *qkv;               /* act (rows, 3 max width) */
    bg_temps patch_temps, byte_temps;
    void *row_features;      /* act (rows,H) of the patches just appended */
    void *features;          /* act (slots,H) of each slot's last patch */
    void *inputs;            /* act (slots,Hb): features, projected where Hb differs */
    void *hidden;            /* act (rows,Hb) */
    float *logits;           /* (slots,257) */
};

static size_t widest(const bg_config *c)
{
    return c->hidden > c->byte_hidden ? c->hidden : c->byte_hidden;
}

/* Of each sequence: what a step adds at most, and what its first row reaches back to. */
static size_t ring_rows(const bg_decoder *d)
{
    const bg_config *c = &d->m->config;
    return (c->patches < PREFILL_ROWS ? c->patches : PREFILL_ROWS) + c->conv;
}

static void place_decoder(bg_placer *p, bg_decoder *d)
{
    bg_backend *be = d->m->be;
    const bg_config *c = &d->m->config;
    for (uint32_t i = 0; i < c->patch_layers; i++)
        d->patch_cache[i] = bg_place_bytes(p, be->ops->cache_bytes(be, d->slots, c->patches, c->hidden));
    for (uint32_t i = 0; d->rings && i < BG_CONVS * c->patch_layers; i++)
        d->rings[i] = bg_place_act(p, be, d->slots * ring_rows(d), c->hidden);
    for (uint32_t i = 0; i < c->byte_layers; i++)
        d->byte_cache[i] = bg_place_bytes(p, be->ops->cache_bytes(be, d->slots, d->before + c->patch_size, c->byte_hidden));
    d->place = bg_place_bytes(p, d->slots * sizeof *d->place);
    d->prefix = d->m->keys ? bg_place_act(p, be, (size_t)d->slots * c->patch_size, 2 * c->byte_hidden) : NULL;
    d->slot = bg_place_bytes(p, d->rows * sizeof *d->slot);
    d->pos = bg_place_bytes(p, d->rows * sizeof *d->pos);
    d->tokens = bg_place_bytes(p, d->rows * c->patch_size * sizeof *d->tokens);
    d->above = bg_place_bytes(p, BG_INPUT_TABLES * d->slots * sizeof *d->above);
    d->gram_rows = c->patch_grams ? bg_place_bytes(p, BG_GRAM_TABLES * d->rows * c->patch_size * sizeof *d->gram_rows) : NULL;
    d->x = bg_place_float(p, d->rows, widest(c));
    d->qkv = bg_place_act(p, be, d->rows, 3 * widest(c));
    bg_place_temps(p, be, &d->patch_temps, d->rows, c->hidden, 0);
    d->patch_temps.conv = c->conv ? bg_place_act(p, be, d->rows, c->hidden) : NULL;
    bg_place_temps(p, be, &d->byte_temps, d->slots, c->byte_hidden, 0);
    d->row_features = bg_place_act(p, be, d->rows, c->hidden);
    d->features = bg_place_act(p, be, d->slots, c->hidden);
    d->inputs = d->m->feature.w ? bg_place_act(p, be, d->slots, c->byte_hidden) : d->features;
    d->hidden = bg_place_act(p, be, d->slots, c->byte_hidden);
    if (d->front.layers) {
        bg_place_front(p, &d->front, d->front_acts, (size_t)d->slots * c->patch_size, 0);
        bg_place_temps(p, be, &d->front.t, (size_t)d->slots * c->patch_size, c->byte_hidden, 0);
    }
    d->logits = bg_place_float(p, d->slots, BG_VOCAB);
}

static bg_status reserve_decoder(bg_decoder *d, bg_error *err)
{
    const bg_config *c = &d->m->config;
    const bg_sys *sys = d->m->be->sys;
    d->length = bg_alloc_zero(sys, d->slots, sizeof *d->length);
    d->at = bg_alloc_zero(sys, d->slots, sizeof *d->at);
    d->host_slot = bg_alloc_zero(sys, d->rows, sizeof *d->host_slot);
    d->host_pos = bg_alloc_zero(sys, d->rows, sizeof *d->host_pos);
    d->patch_cache = bg_alloc_zero(sys, c->patch_layers, sizeof *d->patch_cache);
    d->byte_cache = bg_alloc_zero(sys, c->byte_layers, sizeof *d->byte_cache);
    d->host_above = bg_alloc_zero(sys, d->slots, sizeof *d->host_above);
    d->host_place = bg_alloc_zero(sys, d->slots, sizeof *d->host_place);
    d->front_acts = bg_alloc_zero(sys, c->byte_layers, sizeof *d->front_acts);
    if (!d->front_acts || !d->host_place || !d->host_above || !d->length || !d->at || !d->host_slot || !d->host_pos || !d->patch_cache || !d->byte_cache)
        return bg_fail_memory(err, "the tables of a decoder", d->rows * sizeof *d->host_slot);
    if (c->patch_grams && !(d->host_gram_rows = bg_alloc_zero(sys, BG_GRAM_TABLES * d->rows * c->patch_size, sizeof *d->host_gram_rows)))
        return bg_fail_memory(err, "the rows of n-grams", BG_GRAM_TABLES * d->rows * c->patch_size * sizeof *d->host_gram_rows);
    if (c->conv && !(d->rings = bg_alloc_zero(sys, BG_CONVS * c->patch_layers, sizeof *d->rings)))
        return bg_fail_memory(err, "the tables of a decoder", BG_CONVS * c->patch_layers * sizeof *d->rings);
    BG_TRY(bg_recent_open(&d->recent, d->m, d->slots, err));
    bg_placer p = { 0 };
    place_decoder(&p, d);
    d->memory = d->m->be->ops->alloc(d->m->be, p.used);
    if (!d->memory)
        return bg_fail_memory(err, "the key/value caches", p.used);
    p = (bg_placer){ .base = d->memory };
    place_decoder(&p, d);
    return BG_OK;
}

bg_status bg_decoder_open(bg_decoder **out, bg_model *m, uint32_t slots, bg_error *err)
{
    *out = NULL;
    assert(slots > 0 && m->config.byte_layers);
    bg_decoder *d = bg_alloc_zero(m->be->sys, 1, sizeof *d);
    if (!d)
        return bg_fail_memory(err, "a decoder", sizeof *d);
    d->m = m;
    d->slots = slots;
    d->front = m->front;
    d->before = m->prefix ? m->config.patch_size : 0;
    d->rows = slots > PREFILL_ROWS ? slots : PREFILL_ROWS;
    bg_status s = reserve_decoder(d, err);
    if (s != BG_OK) {
        bg_decoder_close(d);
        return s;
    }
    *out = d;
    return BG_OK;
}

void bg_decoder_close(bg_decoder *d)
{
    if (!d)
        return;
    const bg_sys *sys = d->m->be->sys;
    d->m->be->ops->free(d->m->be, d->memory);
    bg_recent_close(&d->recent);
    bg_free(sys, d->host_gram_rows);
    bg_free(sys, d->host_above);
    bg_free(sys, d->host_place);
    bg_free(sys, d->length);
    bg_free(sys, d->at);
    bg_free(sys, d->host_slot);
    bg_free(sys, d->host_pos);
    bg_free(sys, d->patch_cache);
    bg_free(sys, d->byte_cache);
    bg_free(sys, d->rings);
    bg_free(sys, d->front_acts);
    bg_free(sys, d);
}

void bg_decoder_reset(bg_decoder *d, uint32_t slot, uint32_t limit)
{
    d->length[slot] = 0;
    d->at[slot] = 0;
    bg_recent_reset(&d->recent, slot, limit < d->m->config.patches ? limit : d->m->config.patches);
}

uint32_t bg_decoder_length(const bg_decoder *d, uint32_t slot)
{
    return d->length[slot];
}

/* Write the tables of a step: rows go to d->host_slot at d->host_pos. */
static void upload_step(bg_decoder *d, const uint16_t *tokens, size_t symbols, uint32_t n)
{
    bg_backend *be = d->m->be;
    be->ops->write(be, d->slot, d->host_slot, n * sizeof *d->slot);
    be->ops->write(be, d->pos, d->host_pos, n * sizeof *d->pos);
    be->ops->write(be, d->tokens, tokens, symbols * sizeof *tokens);
}

static void put_keys(bg_decoder *d, uint32_t layer, uint32_t n, const void *kv, uint32_t parts)
{
    bg_backend *be = d->m->be;
    const uint32_t P = d->m->config.patch_size, C = d->m->config.byte_hidden;
    be->ops->cache_put(be, d->byte_cache[layer], d->slots, d->before + P, d->slot, n, kv, bg_stride(be->act_size, parts * (size_t)C), P, C);
}

/* The last patches, rows d->pos of d->tokens, become what stands in front of the bytes of slots d->slot. */
static void keep_keys(bg_decoder *d, uint32_t n)
{
    const bg_model *m = d->m;
    const bg_ops *op = m->be->ops;
    const bg_config *c = &m->config;
    for (uint32_t layer = 0; m->keys && layer < c->byte_layers; layer++) {
        op->token_rows(m->be, d->prefix, m->keys[layer].symbols, m->keys[layer].places, d->tokens, d->pos, n, c->patch_size, 2 * c->byte_hidden);
        put_keys(d, layer, n, d->prefix, 2);
    }
    if (!d->front.layers)
        return;
    const bg_pass p = { .R = (size_t)n * c->patch_size, .segments = { .S = n, .length = c->patch_size, .longest = c->patch_size } };
    op->symbol_embed(m->be, d->front.acts[0].x_in, m->previous_w, m->places_w, d->tokens, d->pos, n, c->patch_size, c->byte_hidden);
    bg_front_forward(&d->front, &p);
    for (uint32_t layer = 0; layer < c->byte_layers; layer++)
        put_keys(d, layer, n, (char *)d->front.acts[layer].qkv + c->byte_hidden * m->be->act_size, 3);
}

/* Keep the feature of each slot's last row among the n just appended. */
static void keep_last(bg_decoder *d, const uint32_t *slot, uint32_t n)
{
    bg_backend *be = d->m->be;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        int last = 1;
        for (uint32_t j = i + 1; j < n && last; j++)
            last = slot[j] != slot[i];
        if (!last)
            continue;
        d->host_pos[kept] = i;
        d->host_slot[kept++] = slot[i];
        d->at[slot[i]] = 0;
    }
    be->ops->write(be, d->pos, d->host_pos, kept * sizeof *d->pos);
    be->ops->write(be, d->slot, d->host_slot, kept * sizeof *d->slot);
    be->ops->gather_rows(be, d->qkv, d->row_features, d->pos, kept, d->m->config.hidden);
    be->ops->scatter_rows(be, d->features, d->qkv, d->slot, kept, d->m->config.hidden);
    keep_keys(d, kept);
}

/* Add to the inputs d->x of n patches what the n-grams in them lead to. */
static void add_patch_grams(bg_decoder *d, uint32_t n)
{
    const bg_model *m = d->m;
    const size_t P = m->config.patch_size, symbols = n * P;
    m->be->ops->write(m->be, d->gram_rows, d->host_gram_rows, BG_GRAM_TABLES * symbols * sizeof *d->gram_rows);
    for (int k = 0; k < BG_GRAM_TABLES; k++)
        m->be->ops->sum_rows(m->be, d->x, m->patch_grams_w[k], d->gram_rows + k * symbols, n, P, m->config.hidden);
}

static void append_patches(bg_decoder *d, const uint32_t *slot, const uint16_t *tokens, uint32_t n)
{
    bg_model *m = d->m;
    const bg_config *c = &m->config;
    for (uint32_t i = 0; i < n; i++) {
        assert(slot[i] < d->slots && d->length[slot[i]] < c->patches);
        d->host_slot[i] = slot[i];
        d->host_pos[i] = d->length[slot[i]]++;
        if (c->patch_grams)
            bg_recent_patch_rows(&d->recent, slot[i], tokens + (size_t)i * c->patch_size, d->host_gram_rows, i, n);
        bg_recent_patch(&d->recent, slot[i], tokens + (size_t)i * c->patch_size);
    }
    upload_step(d, tokens, (size_t)n * c->patch_size, n);
    m->be->ops->patch_embed(m->be, d->x, d->tokens, m->embed_w, m->embed_b, m->patch_wpe, d->pos, n, c->patch_size, BG_VOCAB,
                            c->hidden);
    if (c->patch_grams)
        add_patch_grams(d, n);
    const bg_step step = { .R = n, .slots = d->slots, .length = c->patches, .slot = d->slot, .pos = d->pos,
                           .cache = d->patch_cache, .ring = d->rings, .ring_rows = ring_rows(d) };
    bg_stack_step(&m->patch, d->row_features, d->x, &d->patch_temps, d->qkv, &step);
    keep_last(d, slot, n);
}

void bg_decoder_patches(bg_decoder *d, const uint32_t *slot, const uint16_t *tokens, uint32_t n)
{
    bg_model *m = d->m;
    for (uint32_t first = 0; first < n; first += PREFILL_ROWS) {
        const uint32_t rows = n - first < PREFILL_ROWS ? n - first : PREFILL_ROWS;
        append_patches(d, slot + first, tokens + (size_t)first * m->config.patch_size, rows);
    }
    if (m->feature.w)
        m->be->ops->linear(m->be, d->inputs, NULL, d->features, &m->feature, BG_EPI_ACT, d->slots, NULL);
}

/* Add to the inputs d->x of n slots the rows of what stands above and of their last symbols; token[i] as in
 * bg_decoder_bytes, d->host_above and d->host_pos set. */
static void add_rows(bg_decoder *d, const uint32_t *slot, const uint16_t *token, uint32_t n)
{
    const bg_model *m = d->m;
    const bg_ops *op = m->be->ops;
    bg_row_table tables[BG_INPUT_TABLES];
    size_t count = 0;
    if (m->previous_w) {
        op->write(m->be, d->above, d->host_above, n * sizeof *d->above);
        tables[count++] = (bg_row_table){ m->previous_w, d->above, NULL };
    }
    for (uint32_t i = 0; i < n && bg_has_rows(&m->config); i++)
        bg_recent_byte(&d->recent, slot[i], d->host_pos[i], token[i], i, n);
    for (int k = 0; k < BG_ROW_TABLES; k++) {
        uint16_t *rows = d->above + (1 + k) * n;
        if (!m->rows_w[k])
            continue;
        op->write(m->be, rows, d->recent.rows + k * n, n * sizeof *rows);
        tables[count++] = (bg_row_table){ m->rows_w[k], rows, NULL };
    }
    if (count)
        op->add_rows(m->be, d->x, tables, count, n, 1, m->config.byte_hidden);
}

void bg_decoder_bytes(bg_decoder *d, const uint32_t *slot, const uint16_t *token, uint32_t n, float *logits)
{
    bg_model *m = d->m;
    const bg_ops *op = m->be->ops;
    const bg_config *c = &m->config;
    assert(n <= d->slots);
    for (uint32_t i = 0; i < n; i++) {
        assert(d->at[slot[i]] < c->patch_size);
        d->host_above[i] = bg_recent_last(&d->recent, slot[i])[d->at[slot[i]]];
        d->host_slot[i] = slot[i];
        d->host_place[i] = d->before + d->at[slot[i]];
        d->host_pos[i] = d->at[slot[i]]++;
    }
    upload_step(d, token, n, n);
    op->write(m->be, d->place, d->host_place, n * sizeof *d->place);
    op->byte_embed_step(m->be, d->x, d->inputs, d->slot, d->tokens, d->pos, m->byte_wte, m->byte_wpe, n, c->byte_hidden);
    add_rows(d, slot, token, n);
    const bg_step step = { .R = n, .slots = d->slots, .length = d->before + c->patch_size, .slot = d->slot, .pos = d->place,
                           .cache = d->byte_cache };
    bg_stack_step(&m->byte, d->hidden, d->x, &d->byte_temps, d->qkv, &step);
    op->linear(m->be, d->logits, NULL, d->hidden, &m->head, BG_EPI_FLOAT, n, NULL);
    for (uint32_t i = 0; i < n; i++)
        op->read(m->be, logits + (size_t)i * BG_VOCAB, d->logits + i * bg_stride(sizeof(float), BG_VOCAB),
                 BG_VOCAB * sizeof(float));
}
