/* The inside of bg_model, shared by the files of model/ and nobody else. */
#ifndef BG_MODEL_INTERNAL_H
#define BG_MODEL_INTERNAL_H

#include "model/block.h"
#include "model/model.h"

/* BG_PREVIOUS_KEYS of a byte layer: the key and value of a symbol s at place i of the patch before
 * are symbols[s] + places[i].  (257,2Hb), (P,2Hb) */
typedef struct bg_key_tables { float *symbols, *places, *dsymbols, *dplaces; } bg_key_tables;

/* Has it tables whose rows are added to the byte decoder's inputs? */
static inline int bg_has_rows(const bg_config *c) { return c->byte_layers && (c->grams || c->match); }

struct bg_model {
    bg_config config;
    bg_params params;
    bg_backend *be;
    bg_weight_form form;
    int training; /* form is BG_WEIGHTS_TRAIN */
    float *weights, *grads; /* flat, in the layout of the walk; grads NULL without training */

    /* Tensors outside the stacks, as pointers into the flat buffers. */
    float *embed_w, *embed_b, *patch_wpe, *byte_wte, *byte_wpe, *previous_w, *places_w;
    float *embed_dw, *embed_db, *patch_dwpe, *byte_dwte, *byte_dwpe, *previous_dw, *places_dw; /* previous, places: NULL without the extension */
    float *rows_w[BG_ROW_TABLES], *rows_dw[BG_ROW_TABLES]; /* tables of n-grams (grams,Hb) and of matches (BG_MATCH_ROWS,Hb), or NULL */
    float *patch_grams_w[BG_GRAM_TABLES], *patch_grams_dw[BG_GRAM_TABLES]; /* (patch_grams,H), or NULL */
    bg_key_tables *keys;  /* (byte_layers), or NULL */
    bg_prefix *prefix;    /* (byte_layers), of a chunk: what stands in front of its bytes, from tables of keys or from `front`; or NULL */
    bg_weight head;       /* (Hb,257): wte again, transposed: the embedding is tied */
    bg_weight feature;    /* (H,Hb), only with a byte width of its own */
    bg_weight classifier; /* (H,classes) */
    bg_stack patch, byte;
    bg_stack front;       /* the byte decoder's layers on the symbols of the patches before (BG_PREVIOUS_PATCH); else layers is 0 */
    bg_block *block_memory;
    bg_weight **bound;    /* every bg_weight, for packing */
    size_t bound_count;

    /* Reserved by bg_model_reserve. */
    uint32_t max_rows, max_files, chunk;
    void *memory;         /* one back-end allocation behind all pointers below */
    bg_acts *act_memory;
    void *features;       /* act (rows,H) */
    void *dfeatures;      /* act (rows,H) */
    void *chunk_feature;  /* act (chunk,H) gathered, only with a byte width of its own */
    void *chunk_input;    /* act (chunk,Hb) projected, likewise */
    void *hidden;         /* act (chunk*P,Hb): the byte decoder's output */
    float *logits;        /* (chunk*P,257) */
    void *dlogits;        /* act (chunk*P,257) */
    float *loss;          /* (rows*P) of every predicted symbol */
    void *pooled, *dpooled; /* act (files,H) */
    float *class_logits;  /* (files,classes) */
    void *dclass_logits;  /* act (files,classes) */
    uint16_t *tokens;     /* (rows,P) */
    uint32_t *position, *target, *source, *row_start, *loss_start;
    uint16_t *label;
    uint32_t *host_loss_start; /* (files+1) on the host */
    uint16_t *rows[BG_ROW_TABLES]; /* (rows,P) rows of these tables for each target patch; NULL where there is no table */
    uint16_t *patch_rows[BG_GRAM_TABLES]; /* (rows,P) likewise, of every patch: the n-grams that end in it */
    uint16_t *host_rows;  /* (BG_ROW_TABLES,rows,P) on the host, for the one and the other; NULL without tables */
    bg_match match;       /* on the host */
};

/* The parts of a bg_acts/bg_temps set for R rows of width C are placed by
 * this cursor: with base NULL it only measures. */
typedef struct bg_placer { char *base; size_t used; } bg_placer;
void *bg_place_bytes(bg_placer *p, size_t bytes);
float *bg_place_float(bg_placer *p, size_t R, size_t C);
void *bg_place_act(bg_placer *p, const bg_backend *be, size_t R, size_t C);
/* The activations of a front (block.h) of R rows; acts (layers). */
void bg_place_front(bg_placer *p, bg_stack *s, bg_acts *acts, size_t R, int training);
void bg_place_temps(bg_placer *p, const bg_backend *be, bg_temps *t, size_t R, size_t C, int training);

#endif
