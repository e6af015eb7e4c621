/* What a model gets right of the simulated processor, taken apart: by field of
 * a state, by instruction, by length of program. */
#ifndef BGPT_CLI_SIMCPU_FIGURES_H
#define BGPT_CLI_SIMCPU_FIGURES_H

#include "cli/command.h"
#include <jansson.h>

/* trivial: what the rule "next PC, the instruction there, nothing else changed" gets right from each true state. */
typedef struct share_of { uint64_t right, trivial, all; } share_of;

enum { FIELD_PC, FIELD_ACC_CHANGED, FIELD_ACC_KEPT, FIELD_IR, FIELD_CHANGED, FIELD_KEPT, FIELDS };
enum { FIGURE_OPCODES = 21, FIGURE_LENGTHS = 5, FIGURE_PROGRAM = 257 };
extern const char *const figure_fields[FIELDS];

typedef struct cpu_figures {
    share_of field[FIELDS];            /* bytes; changed and kept (registers A to J): by the machine, since the state before */
    share_of opcode[FIGURE_OPCODES];   /* states whole, by the instruction whose effect they show */
    char name[FIGURE_OPCODES][BGPT_CPU_TEXT]; /* "" until met */
    share_of length[FIGURE_LENGTHS];   /* bytes, by the program's instructions, in groups ... */
    share_of program[FIGURE_PROGRAM];  /* ... and one by one */
} cpu_figures;

/* Add a file: the machine's states and those found behind the same start; what is missing is wrong. */
void figures_add(cpu_figures *f, const uint8_t *truth, size_t truth_size, const uint8_t *found, size_t found_size);

void figures_print(const cpu_figures *f);
/* {"fields": {...}, "opcodes": {...}, "lengths": {...}, "trivial": {the same}} of shares; null where there was nothing to get right. */
json_t *figures_json(const cpu_figures *f);

#endif
