/* Opening and closing the CPU back end.  Chooses the level's table once and
 * reserves all scratch; refuses to hold anything else: memory for tensors is
 * asked for op by op (memory.c). */
#include "ops/cpu/cpu.h"

#include <string.h>

/* The level that serves an instruction set; fast: with its narrow products. */
static const bg_cpu_level *find_level(bg_isa isa, int fast)
{
    switch (isa) {
#if defined(__x86_64__)
    case BG_ISA_AVX2:
        return &bg_cpu_avx2;
    case BG_ISA_AVX512:
        return &bg_cpu_avx512;
    case BG_ISA_AVX512BF16:
        return fast ? &bg_cpu_avx512bf16 : &bg_cpu_avx512;
    case BG_ISA_AVX512FP16:
        return fast ? &bg_cpu_avx512fp16 : &bg_cpu_avx512;
    case BG_ISA_AMX:
        return fast ? &bg_cpu_amx : &bg_cpu_avx512;
#else
    case BG_ISA_NEON: /* the same vectors of four, compiled for it */
#endif
    case BG_ISA_PORTABLE:
        return &bg_cpu_portable;
    default:
        return NULL;
    }
}

bg_isa bg_cpu_pick(bg_isa best, int fast)
{
#if defined(__x86_64__)
    if (best == BG_ISA_AVX512BF16 && fast && !bg_cpu_bf16_pays())
        return BG_ISA_AVX512;
#endif
    return best;
}

bg_status bg_cpu_open(bg_backend **out, const bg_sys *sys, bg_pool *pool, bg_isa isa, int fast, const bg_limits *limits, bg_error *err)
{
    *out = NULL;
    const bg_cpu_level *level = find_level(isa, fast);
    if (!level || !bg_isa_present(isa))
        return bg_fail(err, BG_ERR_ARGUMENT, "this machine lacks the instruction-set level '%s'", bg_isa_name(isa));
    BG_TRY(bg_cpu_open_level(out, sys, pool, level, limits, err));
    if (level == &bg_cpu_portable)
        (*out)->isa = isa; /* it serves NEON too */
    return BG_OK;
}

bg_status bg_cpu_open_level(bg_backend **out, const bg_sys *sys, bg_pool *pool, const bg_cpu_level *level, const bg_limits *limits, bg_error *err)
{
    *out = NULL;
    const size_t floats = level->scratch_floats(limits), shared = level->shared_floats(limits);
    size_t all;
    bg_cpu *cpu = bg_alloc_zero(sys, 1, sizeof *cpu);
    if (!cpu)
        return bg_fail_memory(err, "the CPU back end", sizeof *cpu);
    if (bg_mul_size(&all, floats, bg_pool_threads(pool)) == 0)
        cpu->scratch = bg_alloc(sys, all, sizeof(float));
    if (cpu->scratch)
        bg_cpu_huge_pages(cpu->scratch, all * sizeof(float));
    if (shared)
        cpu->shared = bg_alloc(sys, shared, sizeof(float));
    if (cpu->shared)
        bg_cpu_huge_pages(cpu->shared, shared * sizeof(float));
    cpu->sums = bg_alloc(sys, BG_CPU_SUM_SLOTS, sizeof(double));
    cpu->base.ops = &level->ops;
    cpu->base.sys = sys;
    cpu->base.pool = pool;
    cpu->base.isa = level->isa;
    cpu->base.precision = level->precision;
    cpu->base.loss_scaling = level->loss_scaling;
    cpu->base.act_size = level->ops.act_size;
    cpu->limits = *limits;
    cpu->scratch_floats = floats;
    cpu->byte_dots = bg_isa_byte_dots();
    if (!cpu->scratch || !cpu->sums || (shared && !cpu->shared)) {
        bg_backend_close(&cpu->base);
        return bg_fail_memory(err, "scratch of the CPU back end", ((uint64_t)floats * bg_pool_threads(pool) + shared) * sizeof(float));
    }
    *out = &cpu->base;
    return BG_OK;
}

void bg_backend_close(bg_backend *be)
{
    if (!be)
        return;
    bg_cpu *cpu = (bg_cpu *)be;
    bg_free(be->sys, cpu->scratch);
    bg_free(be->sys, cpu->shared);
    bg_free(be->sys, cpu->sums);
    bg_free(be->sys, cpu);
}
