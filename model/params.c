/* The parameter walk: names, shapes, places and initialisation of every tensor. */
#include "model/params.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "data/batch.h"

/* Offsets are multiples of 16 floats, one cache line, so that every tensor starts aligned. */
enum { ALIGN_FLOATS = 16 };

/* GPT-2's initialisation (Radford et al. 2019, as in the reference). */
#define INIT_STD 0.02f

typedef struct field {
    const char *name;
    int dims;
    int rows, columns; /* in widths; columns 0 for a vector */
    bg_init init;
} field;

static const field block_fields[BG_BLOCK_FIELDS] = {
    [BG_LN1_W] = { "ln_1.weight", 1, 1, 0, BG_INIT_ONE },
    [BG_LN1_B] = { "ln_1.bias", 1, 1, 0, BG_INIT_ZERO },
    [BG_QKV_W] = { "attn.c_attn.weight", 2, 1, 3, BG_INIT_NORMAL },
    [BG_QKV_B] = { "attn.c_attn.bias", 1, 3, 0, BG_INIT_ZERO },
    [BG_PROJ_W] = { "attn.c_proj.weight", 2, 1, 1, BG_INIT_RESIDUAL },
    [BG_PROJ_B] = { "attn.c_proj.bias", 1, 1, 0, BG_INIT_ZERO },
    [BG_LN2_W] = { "ln_2.weight", 1, 1, 0, BG_INIT_ONE },
    [BG_LN2_B] = { "ln_2.bias", 1, 1, 0, BG_INIT_ZERO },
    [BG_FC_W] = { "mlp.c_fc.weight", 2, 1, 4, BG_INIT_NORMAL },
    [BG_FC_B] = { "mlp.c_fc.bias", 1, 4, 0, BG_INIT_ZERO },
    [BG_OUT_W] = { "mlp.c_proj.weight", 2, 4, 1, BG_INIT_RESIDUAL },
    [BG_OUT_B] = { "mlp.c_proj.bias", 1, 1, 0, BG_INIT_ZERO },
};

#define PATCH "patch_level_decoder."
#define BYTE "byte_level_decoder."

static uint32_t tensor_count(const bg_config *c)
{
    uint32_t places = 6 + (c->byte_layers ? 4 : 0) + (c->classes ? 2 : 0);
    if (c->byte_layers && c->byte_hidden != c->hidden)
        places += 2;
    places += (uint32_t)bg_sees_column(c) + (uint32_t)bg_sees_patch(c);
    if (c->byte_layers && c->grams)
        places += BG_GRAM_TABLES;
    if (c->byte_layers && c->match)
        places++;
    if (c->patch_grams)
        places += BG_GRAM_TABLES;
    places += c->rotary != 0;
    if (c->conv)
        places += BG_CONVS * c->patch_layers;
    if (bg_sees_keys(c))
        places += 2 * c->byte_layers;
    return places + BG_BLOCK_FIELDS * (c->patch_layers + c->byte_layers);
}

static const bg_numbered byte_values = { BG_VOCAB, 0, 256, 0 };

/* Append a tensor; its place in the buffer is given later. */
static bg_tensor *add(bg_params *p, uint32_t dims, uint64_t rows, uint64_t columns, bg_init init)
{
    bg_tensor *t = &p->tensors[p->count++];
    t->dims = dims;
    t->shape[0] = rows;
    t->shape[1] = dims == 2 ? columns : 1;
    t->count = (size_t)(t->shape[0] * t->shape[1]);
    t->init = init;
    t->init_std = INIT_STD;
    return t;
}

static bg_tensor *add_place(bg_params *p, bg_place place, const char *name, uint32_t dims, uint64_t rows,
                            uint64_t columns, bg_init init)
{
    p->at[place] = p->count;
    bg_tensor *t = add(p, dims, rows, columns, init);
    snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

static void add_blocks(bg_params *p, const char *prefix, uint32_t layers, uint64_t width)
{
    for (uint32_t layer = 0; layer < layers; layer++)
        for (int i = 0; i < BG_BLOCK_FIELDS; i++) {
            const field *f = &block_fields[i];
            bg_tensor *t = add(p, (uint32_t)f->dims, width * (uint64_t)f->rows, width * (uint64_t)f->columns, f->init);
            snprintf(t->name, sizeof t->name, "%sh.%u.%s", prefix, (unsigned)layer, f->name);
            /* Residual outputs are scaled by the number of additions to the stream. */
            if (f->init == BG_INIT_RESIDUAL)
                t->init_std = INIT_STD / sqrtf(2.0f * (float)layers);
        }
}

/* Rows that training never met add nothing. */
static void add_grams(bg_params *p, bg_place first, const char *decoder, int shortest, uint32_t rows, uint32_t width)
{
    for (int k = 0; k < BG_GRAM_TABLES; k++) {
        char name[BG_TENSOR_NAME];
        snprintf(name, sizeof name, "%sgrams.%d.weight", decoder, shortest + k);
        add_place(p, (bg_place)(first + k), name, 2, rows, width, BG_INIT_ZERO);
    }
}

/* They begin with nothing, as if they were not there. */
static void add_convs(bg_params *p, const bg_config *c)
{
    p->convs = p->count;
    for (uint32_t layer = 0; layer < c->patch_layers; layer++)
        for (int i = 0; i < BG_CONVS; i++) {
            bg_tensor *t = add(p, 2, c->conv, c->hidden, BG_INIT_ZERO);
            snprintf(t->name, sizeof t->name, PATCH "conv_%d.%u.weight", i + 1, (unsigned)layer);
        }
}

static void walk_patch_decoder(bg_params *p, const bg_config *c)
{
    const uint64_t H = c->hidden;
    bg_tensor *e = add_place(p, BG_PATCH_EMBED_W, PATCH "patch_embedding.weight", 2, H,
                             (uint64_t)c->patch_size * BG_VOCAB, BG_INIT_NORMAL);
    e->transposed = 1;
    e->numbered = byte_values;
    add_place(p, BG_PATCH_EMBED_B, PATCH "patch_embedding.bias", 1, H, 0, BG_INIT_ZERO);
    if (c->patch_grams)
        add_grams(p, BG_PATCH_GRAMS_W, PATCH, BG_PATCH_GRAM_MIN, c->patch_grams, c->hidden);
    add_place(p, BG_PATCH_WTE, PATCH "base.wte.weight", 2, 1, H, BG_INIT_NORMAL);
    bg_tensor *wpe = add_place(p, BG_PATCH_WPE, PATCH "base.wpe.weight", 2, c->patches, H, c->rotary ? BG_INIT_ZERO : BG_INIT_NORMAL);
    if (c->rotary)
        add_place(p, BG_ROTARY, PATCH "rotary.base", 1, 1, 0, BG_INIT_ROTARY);
    else
        wpe->numbered = (bg_numbered){ c->patches, 1, c->patches - 1, 1 }; /* the file begins at position 1 */
    if (c->conv)
        add_convs(p, c);
    p->patch_blocks = p->count;
    add_blocks(p, PATCH "base.", c->patch_layers, H);
    add_place(p, BG_PATCH_LNF_W, PATCH "base.ln_f.weight", 1, H, 0, BG_INIT_ONE);
    add_place(p, BG_PATCH_LNF_B, PATCH "base.ln_f.bias", 1, H, 0, BG_INIT_ZERO);
}

/* Their sums stand where a layer's product of its LayerNorm's output would, and begin as large. */
static void add_keys(bg_params *p, const bg_config *c)
{
    static const char *const names[] = { "symbols", "places" };
    p->keys = p->count;
    for (uint32_t layer = 0; layer < c->byte_layers; layer++)
        for (int i = 0; i < 2; i++) {
            bg_tensor *t = add(p, 2, i ? c->patch_size : BG_VOCAB, 2 * (uint64_t)c->byte_hidden, BG_INIT_NORMAL);
            snprintf(t->name, sizeof t->name, BYTE "previous_keys.%u.%s", (unsigned)layer, names[i]);
            t->init_std = INIT_STD * sqrtf((float)c->byte_hidden / 2);
            if (i == 0)
                t->numbered = byte_values;
        }
}

static void walk_byte_decoder(bg_params *p, const bg_config *c)
{
    const uint64_t H = c->hidden, Hb = c->byte_hidden;
    if (H != Hb) {
        add_place(p, BG_FEATURE_W, BYTE "feature.weight", 2, Hb, H, BG_INIT_NORMAL);
        add_place(p, BG_FEATURE_B, BYTE "feature.bias", 1, Hb, 0, BG_INIT_ZERO);
    }
    if (bg_sees_keys(c))
        add_keys(p, c);
    if (c->grams)
        add_grams(p, BG_GRAMS_W, BYTE, BG_GRAM_MIN, c->grams, c->byte_hidden);
    if (c->match)
        add_place(p, BG_MATCH_W, BYTE "match.weight", 2, BG_MATCH_ROWS, c->byte_hidden, BG_INIT_ZERO);
    if (bg_sees_column(c))
        add_place(p, BG_PREVIOUS_W, BYTE "previous.weight", 2, BG_VOCAB, Hb, BG_INIT_NORMAL)->numbered = byte_values;
    if (bg_sees_patch(c))
        add_place(p, BG_PREVIOUS_PLACES, BYTE "previous_positions.weight", 2, c->patch_size, Hb, BG_INIT_NORMAL);
    add_place(p, BG_BYTE_WTE, BYTE "base.transformer.wte.weight", 2, BG_VOCAB, Hb, BG_INIT_NORMAL)->numbered = byte_values;
    add_place(p, BG_BYTE_WPE, BYTE "base.transformer.wpe.weight", 2, (uint64_t)c->patch_size + 1, Hb, BG_INIT_NORMAL);
    p->byte_blocks = p->count;
    add_blocks(p, BYTE "base.transformer.", c->byte_layers, Hb);
    add_place(p, BG_BYTE_LNF_W, BYTE "base.transformer.ln_f.weight", 1, Hb, 0, BG_INIT_ONE);
    add_place(p, BG_BYTE_LNF_B, BYTE "base.transformer.ln_f.bias", 1, Hb, 0, BG_INIT_ZERO);
}

/* Does training leave it as it is? */
static int is_fixed(const bg_params *p, uint32_t tensor)
{
    const int rotary = p->at[BG_ROTARY] != BG_NO_TENSOR;
    return tensor == p->at[BG_PATCH_WTE] || tensor == p->at[BG_ROTARY] || (rotary && tensor == p->at[BG_PATCH_WPE]);
}

/* Give every tensor its place; what training leaves as it is comes last. */
static void place(bg_params *p)
{
    size_t at = 0;
    for (int fixed = 0; fixed < 2; fixed++) {
        for (uint32_t i = 0; i < p->count; i++) {
            if (is_fixed(p, i) != fixed)
                continue;
            bg_tensor *t = &p->tensors[i];
            t->offset = at;
            at += (t->count + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
            p->parameters += t->count;
        }
        if (!fixed)
            p->trained = at;
    }
    p->floats = at;
}

bg_status bg_params_build(bg_params *p, const bg_config *c, const bg_sys *sys, bg_error *err)
{
    const uint32_t count = tensor_count(c);
    memset(p, 0, sizeof *p);
    for (int i = 0; i < BG_PLACES; i++)
        p->at[i] = BG_NO_TENSOR;
    p->byte_blocks = p->keys = p->convs = BG_NO_TENSOR;
    p->tensors = bg_alloc_zero(sys, count, sizeof *p->tensors);
    if (!p->tensors)
        return bg_fail_memory(err, "the table of tensors", (uint64_t)count * sizeof *p->tensors);
    walk_patch_decoder(p, c);
    if (c->byte_layers)
        walk_byte_decoder(p, c);
    if (c->classes) {
        add_place(p, BG_CLASSIFIER_W, "classifier.weight", 2, c->classes, c->hidden, BG_INIT_NORMAL);
        add_place(p, BG_CLASSIFIER_B, "classifier.bias", 1, c->classes, 0, BG_INIT_ZERO);
    }
    assert(p->count == count);
    place(p);
    return BG_OK;
}

void bg_params_free(bg_params *p, const bg_sys *sys)
{
    bg_free(sys, p->tensors);
    memset(p, 0, sizeof *p);
}

const bg_tensor *bg_params_find(const bg_params *p, const char *name)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (strcmp(p->tensors[i].name, name) == 0)
            return &p->tensors[i];
    return NULL;
}

/* A number's row is a sum of parts: a direction for each of its bits, forward or back, and noise beside; or for each of some
 * waves over all numbers, by far most the longest, so that a row is nearly a line in the number: what a patch begins as is
 * then a filter of its samples, and noise would drown the quiet ones. */
enum { WAVES = 8 };
#define BITS_SHARE 0.75 /* of a row's variance */

static int number_parts(bg_embedding_init embeddings, size_t numbers)
{
    int bits = 0;
    while ((numbers - 1) >> bits)
        bits++;
    return embeddings == BG_EMBEDDING_BITS ? bits : numbers > WAVES ? WAVES : (int)numbers - 1;
}

static float number_part(bg_embedding_init embeddings, int part, size_t number, size_t numbers)
{
    if (embeddings == BG_EMBEDDING_BITS)
        return number >> part & 1 ? 1.0f : -1.0f;
    return (float)(M_SQRT2 / ((part + 1) * (part + 1)) * cos(M_PI * (part + 1) * ((double)number + 0.5) / (double)numbers));
}

/* The mean over all numbers of the squares of part 0, 1, ..., summed. */
static float parts_variance(bg_embedding_init embeddings, int parts)
{
    float sum = 0;
    for (int part = 0; part < parts; part++)
        sum += embeddings == BG_EMBEDDING_BITS ? 1.0f : powf((float)(part + 1), -4.0f);
    return sum;
}

/* Turn rows of noise into rows of noise and parts, of the same deviation.  The columns of a symbol's patch position have
 * directions of their own. */
static void add_numbers(const bg_tensor *t, float *w, bg_embedding_init embeddings, bg_rng *r)
{
    const bg_numbered *n = &t->numbered;
    const size_t columns = t->transposed ? t->shape[0] : t->shape[1], rows = t->count / columns;
    const int parts = number_parts(embeddings, n->numbers);
    const float of_number = embeddings == BG_EMBEDDING_BITS ? (float)BITS_SHARE : 1, noise = sqrtf(1 - of_number);
    const float share = parts ? t->init_std * sqrtf(of_number / parts_variance(embeddings, parts)) : 0;
    float direction[2 * BG_MAX_HIDDEN];
    assert(columns <= sizeof direction / sizeof *direction);
    for (size_t from = n->first; parts && from + n->numbers <= rows; from += n->period) {
        float *table = w + from * columns;
        for (size_t k = 0; k < n->numbers * columns; k++)
            table[k] *= noise;
        for (int part = 0; part < parts; part++) {
            for (size_t k = 0; k < columns; k++)
                direction[k] = (float)bg_rng_normal(r) * share;
            for (size_t v = 0; v < n->numbers; v++) {
                const float x = number_part(embeddings, part, v, n->numbers);
                for (size_t k = 0; k < columns; k++)
                    table[v * columns + k] += x * direction[k];
            }
        }
    }
}

void bg_params_init(const bg_params *p, float *flat, uint64_t seed, bg_embedding_init embeddings)
{
    memset(flat, 0, p->floats * sizeof *flat);
    for (uint32_t i = 0; i < p->count; i++) {
        const bg_tensor *t = &p->tensors[i];
        float *w = flat + t->offset;
        bg_rng r;
        bg_rng_open(&r, seed, BG_STREAM_INIT, i);
        for (size_t k = 0; k < t->count; k++)
            switch (t->init) {
            case BG_INIT_ZERO: break;
            case BG_INIT_ONE: w[k] = 1.0f; break;
            case BG_INIT_ROTARY: w[k] = BG_ROTARY_BASE; break;
            case BG_INIT_NORMAL:
            case BG_INIT_RESIDUAL: w[k] = (float)bg_rng_normal(&r) * t->init_std; break;
            }
        if (t->numbered.numbers && (embeddings == BG_EMBEDDING_BITS || (embeddings == BG_EMBEDDING_LEVELS && !t->numbered.places)))
            add_numbers(t, w, embeddings, &r);
    }
}
