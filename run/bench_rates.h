/* Private to run/bench_*: the loops whose rate is a peak, one set for each instruction
 * set.  They compute nothing that anybody wants. */
#ifndef BG_RUN_BENCH_RATES_H
#define BG_RUN_BENCH_RATES_H

#include "ops/ops.h"

enum { BG_RATE_FLOATS = 64 }; /* what the loops take from and leave in memory */

/* A fixed number of multiply-adds in registers. */
typedef struct bg_flop_rate {
    void (*run)(float sink[BG_RATE_FLOATS], const float in[BG_RATE_FLOATS]);
    double flop; /* of a run */
} bg_flop_rate;

/* Read all of a buffer, 64-byte aligned, a multiple of 512 bytes long. */
typedef void bg_read_rate(float sink[BG_RATE_FLOATS], const float *from, size_t floats);

typedef struct bg_rates {
    bg_flop_rate fp32, product;
    bg_read_rate *read;
} bg_rates;

/* The loops of a level.  Where the arithmetic of its products is not known here, product is fp32. */
bg_rates bg_rates_of(bg_isa isa, const char *precision);

#endif
