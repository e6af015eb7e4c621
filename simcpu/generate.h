/* Random programs and their states, as in the paper: as bytes, and as folders
 * of files. */
#ifndef BG_SIMCPU_GENERATE_H
#define BG_SIMCPU_GENERATE_H

#include "base/pool.h"
#include "base/sys.h"
#include "simcpu/machine.h"

/* Test instances are numbered from here on, so that the same seed gives the
 * same test files beside any number of training files, and never one of them. */
#define BG_SIM_TEST (UINT64_C(1) << 63)

/* What programs are drawn from. */
typedef struct bg_sim_draw {
    unsigned least, most; /* instructions, 1 to BG_SIM_SLOTS, HLT counted */
    uint32_t often;       /* a bit 1 << opcode each, not HLT's: half of the instructions, by chance, are drawn from these, the others from all; 0: all are as frequent */
} bg_sim_draw;

/* Instance `index` of a seed: a program, its start and its states, BG_SIM_FILE
 * bytes at most.  Depends on its arguments alone. */
void bg_sim_instance(uint64_t seed, uint64_t index, const bg_sim_draw *draw, uint8_t *file, size_t *size);

typedef struct bg_sim_folder {
    const char *out; /* gets out/train and out/test */
    uint64_t seed, train, test; /* files of each */
    unsigned least, most;
    int overwrite;   /* the folder may hold files already */
    int (*progress)(void *ctx, uint64_t done); /* not 0: stop; may be NULL */
    void *ctx;
} bg_sim_folder;

/* Write the files, each named by the MD5 of its bytes, from the pool's
 * threads.  After a failure or stop the whole files stay, a torn one does not. */
bg_status bg_sim_write_folder(const bg_sim_folder *f, bg_pool *pool, const bg_sys *sys, bg_error *err);

#endif
