/* One random instance.  The order of the draws is part of what a seed means:
 * changing it changes every file. */
#include "simcpu/generate.h"

#include "base/rng.h"

#include <assert.h>
#include <string.h>

static void random_instruction(bg_rng *r, uint8_t code[BG_SIM_CODE])
{
    code[0] = (uint8_t)(1 + bg_rng_below(r, BG_SIM_OPS - 1)); /* any but HLT */
    const bg_sim_op *op = &bg_sim_ops[code[0]];
    unsigned count = op->least + (unsigned)bg_rng_below(r, op->most - op->least + 1u);
    for (unsigned i = 1; i <= count; i++)
        code[i] = (uint8_t)(code[0] == BG_SIM_LOADI ? bg_rng_below(r, 256) : 1 + bg_rng_below(r, BG_SIM_REGISTERS));
}

void bg_sim_instance(uint64_t seed, uint64_t index, unsigned least, unsigned most, uint8_t *file, size_t *size)
{
    uint8_t start[BG_SIM_STATE] = { 0 };
    size_t states;
    bg_rng r;
    assert(least >= 1 && least <= most && most <= BG_SIM_SLOTS);
    bg_rng_open(&r, seed, BG_STREAM_SIMCPU, index);
    start[BG_SIM_ACC] = (uint8_t)bg_rng_below(&r, 256);
    for (int i = 0; i < BG_SIM_REGISTERS; i++)
        start[BG_SIM_A + i] = (uint8_t)bg_rng_below(&r, 256);
    size_t length = least + bg_rng_below(&r, most - least + 1u);
    memset(file, 0, BG_SIM_MEMORY);
    for (size_t i = 0; i + 1 < length; i++)
        random_instruction(&r, file + i * BG_SIM_CODE);
    bg_status status = bg_sim_run(file, start, "", file + BG_SIM_MEMORY, &states, NULL);
    assert(status == BG_OK); /* legal instructions, and HLT behind them */
    (void)status;
    *size = BG_SIM_MEMORY + states * BG_SIM_STATE;
}
