/* The parameter walk: the ONE place that knows which tensors a model has,
 * their names (the reference's), shapes, places in the flat buffer,
 * initialisation and storage order.  Measuring, placing, naming,
 * initialising, saving, loading and comparing all go through it. */
#ifndef BG_MODEL_PARAMS_H
#define BG_MODEL_PARAMS_H

#include "model/config.h"
#include "base/sys.h"
#include "data/grams.h"
#include "data/match.h"
#include <stddef.h>

enum { BG_TENSOR_NAME = 96 };

typedef enum bg_init { BG_INIT_ZERO, BG_INIT_ONE, BG_INIT_NORMAL, BG_INIT_RESIDUAL, BG_INIT_ROTARY } bg_init;

/* Base of rotary positions (Su et al. 2021): the angles of a head's 32 pairs a patch apart are its powers from 0 down to -31/32.
 * It is about the longest distance told apart.  Files say it (exact in fp16 and bf16, too), so that another would be noticed. */
#define BG_ROTARY_BASE 1024.0f

/* How rows that stand for numbers begin: each by itself (GPT-2), or those of numbers that share bits alike, or of
 * neighbours (byte values only). */
typedef enum bg_embedding_init { BG_EMBEDDING_NORMAL = 0, BG_EMBEDDING_BITS, BG_EMBEDDING_LEVELS } bg_embedding_init;

/* Which rows of a table stand for numbers: in each `period` rows, row first + v for v < numbers; numbers 0: none. */
typedef struct bg_numbered {
    uint32_t period, first, numbers;
    int places; /* they are a patch's place in the file, not what a byte holds */
} bg_numbered;

typedef struct bg_tensor {
    char name[BG_TENSOR_NAME];
    uint32_t dims;          /* 1 or 2 */
    uint64_t shape[2];      /* as in the file: shape[1] = 1 when dims is 1 */
    int transposed;         /* held in memory as (shape[1], shape[0]): patch_embedding.weight only */
    bg_init init;
    float init_std;         /* for BG_INIT_NORMAL and BG_INIT_RESIDUAL */
    bg_numbered numbered;   /* of the rows as they are held in memory */
    size_t offset, count;   /* floats, in the flat buffer; offsets are multiples of 16 */
} bg_tensor;

/* Tensors of a transformer block, in walk order. */
typedef enum bg_block_field {
    BG_LN1_W, BG_LN1_B, BG_QKV_W, BG_QKV_B, BG_PROJ_W, BG_PROJ_B,
    BG_LN2_W, BG_LN2_B, BG_FC_W, BG_FC_B, BG_OUT_W, BG_OUT_B, BG_BLOCK_FIELDS
} bg_block_field;

enum { BG_CONVS = 2 }; /* of a patch layer: before attention, before the feed-forward part */

/* Tensors outside the blocks. */
typedef enum bg_place {
    BG_PATCH_EMBED_W, BG_PATCH_EMBED_B, BG_PATCH_WTE, BG_PATCH_WPE, BG_ROTARY, BG_PATCH_LNF_W, BG_PATCH_LNF_B,
    BG_FEATURE_W, BG_FEATURE_B, BG_BYTE_WTE, BG_BYTE_WPE, BG_BYTE_LNF_W, BG_BYTE_LNF_B,
    BG_PREVIOUS_W, BG_PREVIOUS_PLACES, BG_PATCH_GRAMS_W, BG_GRAMS_W = BG_PATCH_GRAMS_W + BG_GRAM_TABLES, BG_MATCH_W = BG_GRAMS_W + BG_GRAM_TABLES, BG_CLASSIFIER_W, BG_CLASSIFIER_B, BG_PLACES
} bg_place;

/* Tables that lie in a row from BG_GRAMS_W on: one row of each is added to an input of the byte decoder. */
enum { BG_ROW_TABLES = BG_GRAM_TABLES + 1 };
/* With the bytes of the patch before, in the same places: all that is added to one. */
enum { BG_INPUT_TABLES = 1 + BG_ROW_TABLES };

enum { BG_NO_TENSOR = 0xffffffffu };

typedef struct bg_params {
    bg_tensor *tensors;
    uint32_t count;
    uint32_t at[BG_PLACES];            /* index in tensors, BG_NO_TENSOR when the model has none */
    uint32_t patch_blocks, byte_blocks; /* index of the first block's first tensor */
    uint32_t keys;          /* of the first byte layer's table of symbols (257,2Hb), then of places (P,2Hb), and so on by
                               layers; BG_NO_TENSOR without BG_PREVIOUS_KEYS */
    uint32_t convs;         /* of the first patch layer's convolutions before attention and before the feed-forward part, (conv,H) each, and so
                               on by layers; BG_NO_TENSOR without */
    size_t floats;          /* length of the flat buffer, alignment gaps included */
    size_t trained;         /* floats in front that training changes: behind them lie the reference's unused
                               wte (1,H) (PyTorch gives it no gradient, so no decay) and, with rotary positions, their base
                               and the table of places, which stays zero */
    uint64_t parameters;    /* sum of counts */
} bg_params;

/* Build the table for a configuration (already checked). */
bg_status bg_params_build(bg_params *p, const bg_config *c, const bg_sys *sys, bg_error *err);
void bg_params_free(bg_params *p, const bg_sys *sys);
/* NULL when there is none of that name. */
const bg_tensor *bg_params_find(const bg_params *p, const char *name);
/* Fill the flat buffer: same seed, same bits, whatever the threads.  With BG_EMBEDDING_BITS the rows of byte values and of
 * patch positions are three quarters (of the variance) a sum of one random direction a bit, added or taken away, so that
 * what is learnt about a bit holds for all numbers at once; with BG_EMBEDDING_LEVELS those of byte values alone are
 * a sum of random directions times cosines over the values, so that neighbours begin alike and a patch of samples as a filter
 * of them.  Mean and deviation of every weight stay the same. */
void bg_params_init(const bg_params *p, float *flat, uint64_t seed, bg_embedding_init embeddings);

#endif
