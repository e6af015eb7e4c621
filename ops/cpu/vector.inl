/* What every level of vector instructions shares, fp32 or narrow, once vectors,
 * activations and words are defined: the kernels behind the products, and the table. */
#include "ops/cpu/grid.inl"
#include "ops/cpu/int8.inl"
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
#include "ops/cpu/muon.inl"

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* The parts of the scratch are never in use together.  An odd number of cache
 * lines apart, so that threads' scratch does not fall into the same sets. */
static size_t scratch_floats(const bg_limits *limits)
{
    size_t n = larger(product_scratch(), norm_scratch(limits));
    n = larger(n, int8_scratch(limits));
    n = larger(n, gradient_scratch());
    n = larger(n, attention_scratch(limits->max_segment));
    n = larger(n, attention_back_scratch(limits->max_segment));
    return (n + 31) / 32 * 32 + 16;
}

static size_t shared_floats(const bg_limits *limits) { return norm_shared(limits); }

#include "ops/cpu/table.inl"
