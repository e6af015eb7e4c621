/* The simulated processor: the small machine whose states the paper's models
 * learn to predict.  Not to be mistaken for the processor that computes
 * (ops/cpu/).  Everything works on the bytes of a state file:
 *
 *     memory, 256 instructions of 4 bytes; the state at start; then the state
 *     after each fetch, until HLT has been fetched
 *
 * so each state shows the instruction about to run, and its effect is seen in
 * the next one.  Allocates nothing. */
#ifndef BG_SIMCPU_MACHINE_H
#define BG_SIMCPU_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    BG_SIM_SLOTS = 256,                 /* instructions in memory */
    BG_SIM_CODE = 4,                    /* bytes of one: opcode and three operands */
    BG_SIM_MEMORY = BG_SIM_SLOTS * BG_SIM_CODE,
    BG_SIM_REGISTERS = 10,              /* A to J, 1 to 10 in instructions; 0: no operand */
    BG_SIM_STATE = 16,                  /* bytes of a state */
    BG_SIM_STATES = 1 + BG_SIM_SLOTS,   /* there are no jumps: at most one fetch of each slot */
    BG_SIM_IMAGE = BG_SIM_MEMORY + BG_SIM_STATE,
    BG_SIM_FILE = BG_SIM_MEMORY + BG_SIM_STATES * BG_SIM_STATE
};

/* Places in a state's bytes.  Register r (1 to 10) lies at BG_SIM_A - 1 + r. */
enum { BG_SIM_PC = 0, BG_SIM_ACC = 1, BG_SIM_IR = 2, BG_SIM_A = 6 };

/* Names of a state's 16 bytes: PC, ACC, IR0 to IR3, A to J. */
extern const char *const bg_sim_fields[BG_SIM_STATE];

enum { BG_SIM_HLT = 0, BG_SIM_LOADI = 11, BG_SIM_MOV = 20, BG_SIM_OPS = 21 };

typedef struct bg_sim_op {
    const char *name;
    uint8_t least, most; /* operands; of LOADI a number, else registers */
} bg_sim_op;

/* By opcode. */
extern const bg_sim_op bg_sim_ops[BG_SIM_OPS];

/* Is this an instruction the machine knows, with operands it takes?  If not,
 * `why` (may be NULL) gets the cause. */
enum { BG_SIM_WHY = 96 };
int bg_sim_legal(const uint8_t code[BG_SIM_CODE], char why[BG_SIM_WHY]);

/* Carry out the instruction in the state's IR, which must be legal. */
void bg_sim_execute(uint8_t state[BG_SIM_STATE]);

/* IR = the instruction at PC, PC = min(PC + 1, 255). */
void bg_sim_fetch(uint8_t state[BG_SIM_STATE], const uint8_t memory[BG_SIM_MEMORY]);

/* Run from `start` to HLT; its instruction, if any, is not carried out.
 * states gets at most BG_SIM_STATES of them, the start first.  An illegal
 * instruction or a program that never halts is BG_ERR_FORMAT, with `name` and
 * the place. */
bg_status bg_sim_run(const uint8_t memory[BG_SIM_MEMORY], const uint8_t start[BG_SIM_STATE], const char *name,
                     uint8_t *states, size_t *count, bg_error *err);

#endif
