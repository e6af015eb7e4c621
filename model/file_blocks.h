/* Parameter tensors between a back end's flat buffer and the host, in blocks
 * of whole rows in the order of the file.  Internal to the model files.
 *
 * The one tensor that memory holds transposed is turned here and nowhere
 * else.  A block is bounded, so a model is loaded and saved beside a few MiB. */
#ifndef BG_MODEL_FILE_BLOCKS_H
#define BG_MODEL_FILE_BLOCKS_H

#include "model/params.h"
#include "ops/ops.h"

typedef struct bg_blocks {
    bg_backend *be;
    float *rows; /* the block, in file order */
    float *line; /* one row of a transposed tensor's part, in memory order */
    size_t floats;
} bg_blocks;

/* Room for blocks of any tensor of p. */
bg_status bg_blocks_open(bg_blocks *b, bg_backend *be, const bg_params *p, bg_error *err);
void bg_blocks_close(bg_blocks *b); /* safe on a zeroed struct */

/* How many rows of t one block takes from row `first` on (0: none is left). */
uint64_t bg_blocks_next(const bg_blocks *b, const bg_tensor *t, uint64_t first);
/* flat -> b->rows and back, for rows [first, first+n) of the file's tensor. */
void bg_blocks_get(bg_blocks *b, const float *flat, const bg_tensor *t, uint64_t first, uint64_t n);
void bg_blocks_put(bg_blocks *b, float *flat, const bg_tensor *t, uint64_t first, uint64_t n);

#endif
