/* What the model is fed: files as packed rows of patches.
 *
 * Differences between the files of a batch (length, which patches carry loss)
 * become row lists here, once; the model and its ops see rows only, and there
 * is no padding between files. */
#ifndef BG_DATA_BATCH_H
#define BG_DATA_BATCH_H

#include "base/sys.h"

enum { BG_SPECIAL = 256, BG_VOCAB = 257, BG_MAX_PATCH = 64 };

typedef struct bg_batch {
    uint32_t P;             /* symbols per patch */
    uint32_t files;         /* B sequences in the batch */
    uint32_t rows;          /* all patches, start patches included */
    uint32_t targets;       /* patches that carry loss */
    uint32_t *row_start;    /* (B+1): sequence b is rows [row_start[b], row_start[b+1]) */
    uint32_t *position;     /* (rows): place of a row in its sequence */
    uint16_t *tokens;       /* (rows,P) symbols 0..256 */
    uint32_t *target;       /* (targets) rows to be predicted, ascending; row-1 is the row that predicts */
    uint32_t *source;       /* (targets) = target - 1 */
    uint32_t *target_start; /* (B+1): targets of sequence b */
    uint16_t *label;        /* (B) class, for a classifier */
    uint32_t max_files, max_rows; /* capacity */
    void *memory;           /* one allocation behind all of it */
    const bg_sys *sys;
} bg_batch;

bg_status bg_batch_open(bg_batch *b, const bg_sys *sys, uint32_t P, uint32_t max_files, uint32_t max_rows, bg_error *err);
void bg_batch_close(bg_batch *b);
void bg_batch_clear(bg_batch *b);

/* Patches of a file of `size` bytes: start + ceil(size/P) + end. */
uint64_t bg_file_patches(uint64_t size, uint32_t P);
/* Write the start patch of an extension (no dot; at most P bytes count). */
void bg_patch_start(uint16_t *patch, const char *extension, uint32_t P);
/* Write n <= P content bytes, rest 256. */
void bg_patch_fill(uint16_t *patch, const uint8_t *bytes, size_t n, uint32_t P);

/* Append a sequence from ready symbols: rows patches; rows >= first_target
 * carry loss (first_target >= 1).  0, or -1 when it does not fit. */
int bg_batch_add(bg_batch *b, const uint16_t *symbols, uint32_t rows, uint32_t first_target, uint16_t label);

/* Take rows [from, from + n) out of the last sequence; from >= 1, and none of them is a target or predicts one.  The positions
 * of those behind them stay what they were. */
void bg_batch_skip(bg_batch *b, uint32_t from, uint32_t n);

#endif
