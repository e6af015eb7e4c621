/* The arithmetic of a model, counted from its shape.  Useful FLOP are those of
 * the linears, of causal attention and of the head; what a layer norm or a
 * GELU adds, and what the backward pass makes again, is not counted. */
#include "run/bench_job.h"

#include "data/batch.h"

/* Weights of a block's four linears: C x 3C, C x C, C x 4C, 4C x C. */
static double block_weights(double C) { return 12 * C * C; }

/* A causal sequence of L rows through one block.  Row i meets i+1 keys and i+1 values. */
static double block_flop(double C, double L) { return 2 * L * block_weights(C) + 2 * C * L * (L + 1); }

static double feature_weights(const bg_config *c)
{
    return c->byte_hidden != c->hidden ? (double)c->hidden * c->byte_hidden : 0;
}

double bg_bench_patch_weights(const bg_config *c) { return c->patch_layers * block_weights(c->hidden) + feature_weights(c); }
double bg_bench_byte_weights(const bg_config *c) { return c->byte_layers * block_weights(c->byte_hidden) + (double)BG_VOCAB * c->byte_hidden; }

/* A file's patches through the patch decoder. */
static double patch_flop(const bg_config *c) { return c->patch_layers * block_flop(c->hidden, c->patches); }

/* The symbols of one patch through the byte decoder. */
static double byte_flop(const bg_config *c)
{
    const double P = c->patch_size;
    return 2 * feature_weights(c) + c->byte_layers * block_flop(c->byte_hidden, P) + 2 * P * BG_VOCAB * c->byte_hidden;
}

double bg_bench_forward_flop(const bg_config *c) { return patch_flop(c) + (c->patches - 1.0) * byte_flop(c); }
double bg_bench_generate_flop(const bg_config *c) { return (patch_flop(c) / c->patches + byte_flop(c)) / c->patch_size; }
