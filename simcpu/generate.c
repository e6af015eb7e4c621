/* One random instance.  The order of the draws is part of what a seed means:
 * changing it changes every file. */
#include "simcpu/generate.h"

#include "base/rng.h"

#include <assert.h>
#include <string.h>

/* One of those whose bits are set. */
static uint8_t one_of(bg_rng *r, uint32_t ops)
{
    uint64_t skip = bg_rng_below(r, (uint64_t)__builtin_popcount(ops));
    while (skip--)
        ops &= ops - 1;
    return (uint8_t)__builtin_ctz(ops);
}

static void random_instruction(bg_rng *r, uint32_t often, uint8_t code[BG_SIM_CODE])
{
    code[0] = often && bg_rng_below(r, 2) ? one_of(r, often) : (uint8_t)(1 + bg_rng_below(r, BG_SIM_OPS - 1)); /* any but HLT */
    const bg_sim_op *op = &bg_sim_ops[code[0]];
    unsigned count = op->least + (unsigned)bg_rng_below(r, op->most - op->least + 1u);
    for (unsigned i = 1; i <= count; i++)
        code[i] = (uint8_t)(code[0] == BG_SIM_LOADI ? bg_rng_below(r, 256) : 1 + bg_rng_below(r, BG_SIM_REGISTERS));
}

void bg_sim_instance(uint64_t seed, uint64_t index, const bg_sim_draw *draw, uint8_t *file, size_t *size)
{
    uint8_t start[BG_SIM_STATE] = { 0 };
    size_t states;
    bg_rng r;
    assert(draw->least >= 1 && draw->least <= draw->most && draw->most <= BG_SIM_SLOTS && draw->often < 1u << BG_SIM_OPS && !(draw->often & 1));
    bg_rng_open(&r, seed, BG_STREAM_SIMCPU, index);
    start[BG_SIM_ACC] = (uint8_t)bg_rng_below(&r, 256);
    for (int i = 0; i < BG_SIM_REGISTERS; i++)
        start[BG_SIM_A + i] = (uint8_t)bg_rng_below(&r, 256);
    size_t length = draw->least + bg_rng_below(&r, draw->most - draw->least + 1u);
    memset(file, 0, BG_SIM_MEMORY);
    for (size_t i = 0; i + 1 < length; i++)
        random_instruction(&r, draw->often, file + i * BG_SIM_CODE);
    bg_status status = bg_sim_run(file, start, "", file + BG_SIM_MEMORY, &states, NULL);
    assert(status == BG_OK); /* legal instructions, and HLT behind them */
    (void)status;
    *size = BG_SIM_MEMORY + states * BG_SIM_STATE;
}
