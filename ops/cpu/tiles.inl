/* A bf16 level: products on tiles (tile.h), everything between them with the
 * kernels of the fp32 levels on activations of two bytes.  Included by
 * level_amx.c, where tiles are registers, and by level_tiles.c, where they are
 * arrays: the same program, for testing on any machine. */
#define COARSE_SIGMOID
#include "ops/cpu/cpu.h"
#include "ops/cpu/tile.h"
#include "ops/dropout.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "ops/cpu/vec.inl"
#include "ops/cpu/act_bf16.inl"
#include "ops/cpu/math.inl"
#include "ops/cpu/rows.inl"
#include "ops/cpu/convolve.inl"
#include "ops/cpu/dropout.inl"
#include "ops/cpu/gemm.inl"
#include "ops/cpu/epilogue.inl"
#include "ops/cpu/grid.inl"
#include "ops/cpu/int8.inl"
#include "ops/cpu/tile_weights.inl"
#include "ops/cpu/tile_linear.inl"
#include "ops/cpu/tile_gradient.inl"
#include "ops/cpu/softmax.inl"
#include "ops/cpu/attention.inl"
#include "ops/cpu/attention_back.inl"
#include "ops/cpu/cache.inl"
#include "ops/cpu/norm.inl"
#include "ops/cpu/patch_embed.inl"
#include "ops/cpu/byte_embed.inl"
#include "ops/cpu/output.inl"
#include "ops/cpu/optimizer.inl"
#include "ops/cpu/muon.inl"

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* As in f32.inl: an odd number of cache lines apart. */
static size_t scratch_floats(const bg_limits *limits)
{
    size_t n = larger(product_scratch(limits), norm_scratch(limits));
    n = larger(n, int8_scratch(limits));
    n = larger(n, gradient_scratch());
    n = larger(n, attention_scratch(limits->max_segment));
    n = larger(n, attention_back_scratch(limits->max_segment));
    return (n + 31) / 32 * 32 + 16;
}

static size_t shared_floats(const bg_limits *limits) { return larger(gradient_shared(limits), norm_shared(limits)); }

#define LEVEL_PRECISION "bf16"
#include "ops/cpu/table.inl"
