/* What stood before: which rows of the tables of n-grams and of matches belong
 * to the inputs of the byte decoder, for whole batches and symbol by symbol. */
#ifndef BG_MODEL_ROWS_H
#define BG_MODEL_ROWS_H

#include "model/internal.h"

/* The rows of every symbol of a batch's target patches -> m->rows. */
void bg_upload_rows(bg_model *m, const bg_batch *b);

/* What sequences that grow have had so far. */
typedef struct bg_recent {
    uint32_t slots, P, grams, patch_grams; /* grams: rows of each table, or 0 */
    uint16_t *patches;        /* (slots,2,P): of each the last patch and the one being written */
    bg_match *match;          /* (slots) of all symbols, those of the one being written included; or NULL */
    uint16_t *rows;           /* (BG_ROW_TABLES,n) of a byte step of n sequences */
    const bg_sys *sys;
} bg_recent;

bg_status bg_recent_open(bg_recent *r, const bg_model *m, uint32_t slots, bg_error *err);
void bg_recent_close(bg_recent *r);
/* A sequence of at most `limit` patches begins. */
void bg_recent_reset(bg_recent *r, uint32_t slot, uint32_t limit);
/* The rows of a patch (P) that comes next, as patch i of n -> to (BG_GRAM_TABLES,n,P), with patch_grams only. */
void bg_recent_patch_rows(const bg_recent *r, uint32_t slot, const uint16_t *patch, uint16_t *to, uint32_t i, uint32_t n);
/* A whole patch (P).  Where its first symbols were given one by one, they are the same. */
void bg_recent_patch(bg_recent *r, uint32_t slot, const uint16_t *patch);
/* Its last patch (P). */
static inline const uint16_t *bg_recent_last(const bg_recent *r, uint32_t slot) { return r->patches + (size_t)slot * 2 * r->P; }
/* The symbol in front of place `at` of the patch being written (none at place 0) -> rows of place `at`, as sequence i of n. */
void bg_recent_byte(bg_recent *r, uint32_t slot, uint32_t at, uint16_t symbol, uint32_t i, uint32_t n);

#endif
