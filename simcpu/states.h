/* State files: their size, and how right one is, measured against the machine. */
#ifndef BG_SIMCPU_STATES_H
#define BG_SIMCPU_STATES_H

#include "simcpu/machine.h"

/* Memory and whole states, none at all among them. */
bg_status bg_sim_check_size(size_t size, const char *name, bg_error *err);

typedef enum bg_sim_verdict { BG_SIM_EXACT, BG_SIM_WRONG, BG_SIM_MISSING, BG_SIM_SURPLUS } bg_sim_verdict;

/* Sums over files.  Bytes and states are those the machine makes after the
 * start, which is given; what a file lacks is wrong; states beyond HLT count
 * in `exact` alone.  trivial: bytes that the rule without arithmetic gets from
 * each true state (the next PC, the instruction there, nothing else changed). */
typedef struct bg_sim_score {
    uint64_t files, files_right, states, states_right, bytes, bytes_right, trivial_right;
    /* of the latest file */
    bg_sim_verdict verdict;
    size_t step; /* the first wrong one; the start is step 0 */
    uint8_t expected[BG_SIM_STATE], found[BG_SIM_STATE];
} bg_sim_score;

/* Add one file.  BG_ERR_FORMAT, and nothing added: no state at start, or a
 * program that the machine cannot run. */
bg_status bg_sim_evaluate(bg_sim_score *sum, const uint8_t *data, size_t size, const char *name, bg_error *err);

#endif
