/* What each instruction does, and the run from a start to HLT.  Refuses
 * instructions that the machine does not know before they can do anything. */
#include "simcpu/machine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { HLT, CLR, INC, DEC, SHL, SHR, ROL, ROR, NOT, PUSH, POP, LOADI, SWAP, ADD, SUB, MUL, DIV, AND, OR, XOR, MOV };

_Static_assert((int)HLT == BG_SIM_HLT && (int)LOADI == BG_SIM_LOADI && (int)MOV == BG_SIM_MOV && (int)MOV + 1 == BG_SIM_OPS,
               "opcodes as in the header");

const bg_sim_op bg_sim_ops[BG_SIM_OPS] = {
    { "HLT", 0, 0 }, { "CLR", 0, 1 }, { "INC", 0, 1 }, { "DEC", 0, 1 }, { "SHL", 0, 1 },   { "SHR", 0, 1 },  { "ROL", 0, 1 },
    { "ROR", 0, 1 }, { "NOT", 0, 1 }, { "PUSH", 1, 1 }, { "POP", 1, 1 }, { "LOADI", 1, 1 }, { "SWAP", 1, 2 }, { "ADD", 1, 3 },
    { "SUB", 1, 3 }, { "MUL", 1, 3 }, { "DIV", 1, 3 }, { "AND", 1, 3 }, { "OR", 1, 3 },    { "XOR", 1, 3 },  { "MOV", 2, 2 },
};

const char *const bg_sim_fields[BG_SIM_STATE] = {
    "PC", "ACC", "IR0", "IR1", "IR2", "IR3", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J",
};

/* --- what is legal ---------------------------------------------------------- */

static int operands_legal(const uint8_t code[BG_SIM_CODE], char why[BG_SIM_WHY])
{
    const bg_sim_op *op = &bg_sim_ops[code[0]];
    int count = 3;
    while (count > 0 && code[count] == 0)
        count--;
    if (code[0] == LOADI && count == 0)
        count = 1; /* its operand is a number, which may be 0 */
    for (int i = 1; i <= count; i++) {
        int number = code[0] == LOADI && i == 1;
        if (!number && (code[i] == 0 || code[i] > BG_SIM_REGISTERS)) {
            snprintf(why, BG_SIM_WHY, "operand %d of %s is %u, registers are 1 to %d", i, op->name, code[i], BG_SIM_REGISTERS);
            return 0;
        }
    }
    if (count >= op->least && count <= op->most)
        return 1;
    if (op->least == op->most)
        snprintf(why, BG_SIM_WHY, "%s takes %u operand%s, not %d", op->name, op->most, op->most == 1 ? "" : "s", count);
    else
        snprintf(why, BG_SIM_WHY, "%s takes %u to %u operands, not %d", op->name, op->least, op->most, count);
    return 0;
}

int bg_sim_legal(const uint8_t code[BG_SIM_CODE], char why[BG_SIM_WHY])
{
    char unused[BG_SIM_WHY];
    if (code[0] < BG_SIM_OPS)
        return operands_legal(code, why ? why : unused);
    if (why)
        snprintf(why, BG_SIM_WHY, "opcode %u is unknown (0 to %d are known)", code[0], BG_SIM_OPS - 1);
    return 0;
}

/* --- what an instruction does ------------------------------------------------ */

static uint8_t one_operand(int op, unsigned x)
{
    switch (op) {
    case CLR: return 0;
    case INC: return (uint8_t)(x < 255 ? x + 1 : 255);
    case DEC: return (uint8_t)(x > 0 ? x - 1 : 0);
    case SHL: return (uint8_t)(x << 1);
    case SHR: return (uint8_t)(x >> 1);
    case ROL: return (uint8_t)(x << 1 | x >> 7);
    case ROR: return (uint8_t)(x >> 1 | x << 7);
    default: return (uint8_t)~x;
    }
}

static uint8_t saturate(unsigned x) { return (uint8_t)(x < 255 ? x : 255); }

static uint8_t two_operands(int op, unsigned x, unsigned y)
{
    switch (op) {
    case ADD: return saturate(x + y);
    case SUB: return (uint8_t)(x > y ? x - y : 0);
    case MUL: return saturate(x * y);
    case DIV: return (uint8_t)(y ? x / y : 255);
    case AND: return (uint8_t)(x & y);
    case OR: return (uint8_t)(x | y);
    default: return (uint8_t)(x ^ y);
    }
}

static void swap(uint8_t *x, uint8_t *y)
{
    uint8_t kept = *x;
    *x = *y;
    *y = kept;
}

/* One operand: ACC = ACC op r.  Two: r = r op s.  Three: t = r op s. */
static void arithmetic(int op, uint8_t *acc, uint8_t *const r[4])
{
    if (!r[2])
        *acc = two_operands(op, *acc, *r[1]);
    else
        *(r[3] ? r[3] : r[1]) = two_operands(op, *r[1], *r[2]);
}

void bg_sim_execute(uint8_t state[BG_SIM_STATE])
{
    uint8_t code[BG_SIM_CODE], *acc = &state[BG_SIM_ACC], *r[BG_SIM_CODE] = { NULL };
    memcpy(code, &state[BG_SIM_IR], BG_SIM_CODE);
    assert(bg_sim_legal(code, NULL));
    int op = code[0];
    for (int i = 1; i < BG_SIM_CODE; i++)
        r[i] = op != LOADI && code[i] ? &state[BG_SIM_A - 1 + code[i]] : NULL;
    if (op >= CLR && op <= NOT) {
        uint8_t *x = r[1] ? r[1] : acc;
        *x = one_operand(op, *x);
    } else if (op >= ADD && op <= XOR) {
        arithmetic(op, acc, r);
    } else if (op == PUSH) {
        *acc = *r[1];
    } else if (op == POP) {
        *r[1] = *acc;
    } else if (op == LOADI) {
        *acc = code[1];
    } else if (op == SWAP) {
        swap(r[2] ? r[2] : acc, r[1]);
    } else if (op == MOV) {
        *r[1] = *r[2];
    }
}

/* --- the run ------------------------------------------------------------------ */

void bg_sim_fetch(uint8_t state[BG_SIM_STATE], const uint8_t memory[BG_SIM_MEMORY])
{
    unsigned pc = state[BG_SIM_PC];
    memcpy(&state[BG_SIM_IR], &memory[pc * BG_SIM_CODE], BG_SIM_CODE);
    state[BG_SIM_PC] = saturate(pc + 1);
}

bg_status bg_sim_run(const uint8_t memory[BG_SIM_MEMORY], const uint8_t start[BG_SIM_STATE], const char *name,
                     uint8_t *states, size_t *count, bg_error *err)
{
    uint8_t *now = states;
    char why[BG_SIM_WHY];
    memcpy(now, start, BG_SIM_STATE);
    for (*count = 1; *count == 1 || now[BG_SIM_IR] != HLT; ++*count) {
        uint8_t *next = now + BG_SIM_STATE;
        memcpy(next, now, BG_SIM_STATE);
        if (*count > 1)
            bg_sim_execute(next);
        unsigned at = next[BG_SIM_PC];
        bg_sim_fetch(next, memory);
        if (!bg_sim_legal(&next[BG_SIM_IR], why))
            return bg_fail(err, BG_ERR_FORMAT, "%s: instruction %u (byte %u): %s", name, at, at * BG_SIM_CODE, why);
        if (at == BG_SIM_SLOTS - 1 && next[BG_SIM_IR] != HLT)
            return bg_fail(err, BG_ERR_FORMAT, "%s: never halts: no HLT from instruction %u to %u, the last, which would be repeated for ever",
                           name, start[BG_SIM_PC], at);
        now = next;
    }
    return BG_OK;
}
