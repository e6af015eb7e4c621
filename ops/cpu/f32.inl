/* An fp32 level: all kernels, and the op table made of them.  Included once by
 * each level_NAME.c after it has set VW (floats of a vector), TILE_NV (vectors
 * of a product tile), LEVEL_TABLE and LEVEL_ISA. */
#include "ops/cpu/cpu.h"
#include "ops/dropout.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef float act; /* an activation in memory */

#include "ops/cpu/vec.inl"
#include "ops/cpu/math.inl"
#include "ops/cpu/rows.inl"
#include "ops/cpu/dropout.inl"
#include "ops/cpu/gemm.inl"
#include "ops/cpu/weights.inl"
#include "ops/cpu/linear.inl"
#include "ops/cpu/gradient.inl"
#include "ops/cpu/softmax.inl"
#include "ops/cpu/attention.inl"
#include "ops/cpu/attention_back.inl"
#include "ops/cpu/cache.inl"
#include "ops/cpu/norm.inl"
#include "ops/cpu/patch_embed.inl"
#include "ops/cpu/byte_embed.inl"
#include "ops/cpu/output.inl"
#include "ops/cpu/optimizer.inl"

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* The parts of the scratch are never in use together.  An odd number of cache
 * lines apart, so that threads' scratch does not fall into the same sets. */
static size_t scratch_floats(const bg_limits *limits)
{
    size_t n = product_scratch();
    n = larger(n, gradient_scratch());
    n = larger(n, attention_scratch(limits->max_segment));
    n = larger(n, attention_back_scratch(limits->max_segment));
    return (n + 31) / 32 * 32 + 16;
}

const bg_cpu_level LEVEL_TABLE = {
    .isa = LEVEL_ISA,
    .precision = "fp32",
    .scratch_floats = scratch_floats,
    .ops = {
        .act_size = sizeof(act),
        .alloc = bg_cpu_alloc,
        .free = bg_cpu_free,
        .zero = bg_cpu_zero,
        .write = bg_cpu_copy,
        .read = bg_cpu_copy,
        .to_act = to_act,
        .from_act = from_act,
        .sync = bg_cpu_sync,
        .weights_bind = weights_bind,
        .weights_unbind = weights_unbind,
        .weights_changed = weights_changed,
        .linear = linear,
        .linear_back_input = linear_back_input,
        .linear_back_weight = linear_back_weight,
        .gelu = gelu,
        .residual_back = residual_back,
        .layernorm = layernorm,
        .layernorm_back = layernorm_back,
        .attention = attention,
        .attention_back = attention_back,
        .cache_bytes = cache_bytes,
        .attention_cached = attention_cached,
        .patch_embed = patch_embed,
        .patch_embed_back = patch_embed_back,
        .byte_embed = byte_embed,
        .byte_embed_back = byte_embed_back,
        .byte_embed_step = byte_embed_step,
        .gather_rows = gather_rows,
        .scatter_rows = scatter_rows,
        .dropout = dropout,
        .cross_entropy = cross_entropy,
        .segment_mean = segment_mean,
        .segment_mean_back = segment_mean_back,
        .segment_sums = bg_cpu_segment_sums,
        .sum_squares = sum_squares,
        .adamw = adamw,
    },
};
