/* A data set that is made instead of read: random programs of the simulated
 * processor with their states, by a name in place of a path,
 *
 *     cpu:SEED[:COUNT[:MIN-MAX[,MIN-MAX...][:OP[,OP...]]]]
 *
 * of COUNT programs (none given: endless) of MIN to MAX instructions.  Several ranges
 * are a curriculum: each holds for an equal part of the run.  Half of the instructions, by chance,
 * are drawn from the operations named (ADD,SUB), the others from all; none named: all are as frequent. */
#ifndef BG_DATA_PROGRAMS_H
#define BG_DATA_PROGRAMS_H

#include "base/sys.h"
#include "simcpu/generate.h"

enum { BG_PROGRAM_RANGES = 16 };

typedef struct bg_programs {
    uint64_t seed;
    uint64_t count;      /* 0: endless */
    uint64_t first;      /* index of the first program of the seed: evaluation takes others than training */
    uint32_t ranges;     /* >= 1 */
    uint32_t now;        /* the range that holds */
    bg_sim_draw range[BG_PROGRAM_RANGES];
} bg_programs;

/* Is it such a name, well-formed or not? */
int bg_programs_named(const char *path);

/* BG_ERR_ARGUMENT with the name and what is wrong with it. */
bg_status bg_programs_parse(bg_programs *p, const char *name, bg_error *err);

/* Program i (below count) of the range that holds: BG_SIM_FILE bytes at most. */
void bg_programs_make(const bg_programs *p, uint64_t i, uint8_t *file, size_t *size);

/* Bytes of the largest file that any range can give. */
uint64_t bg_programs_largest(const bg_programs *p);

#endif
