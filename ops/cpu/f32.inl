/* An fp32 level: all kernels, and the op table made of them.  Included once by
 * each level_NAME.c after it has set VW (floats of a vector), TILE_NV (vectors
 * of a product tile), LEVEL_TABLE and LEVEL_ISA. */
#include "ops/cpu/cpu.h"
#include "ops/dropout.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "ops/cpu/vec.inl"
#include "ops/cpu/act_f32.inl"
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

static size_t shared_floats(const bg_limits *limits) { return 0; }

#define LEVEL_PRECISION "fp32"
#include "ops/cpu/table.inl"
