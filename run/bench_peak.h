/* What the machine could do at most: the rate of its multiply-adds and the
 * bandwidths of its memories, measured with all threads at once. */
#ifndef BG_RUN_BENCH_PEAK_H
#define BG_RUN_BENCH_PEAK_H

#include "ops/ops.h"

typedef struct bg_memory_peak {
    uint64_t capacity;       /* bytes that all threads together can keep there; DRAM: 0, not asked for */
    double bytes_per_second; /* read by all threads together; NaN: this level could not be told apart */
} bg_memory_peak;

typedef enum bg_memory { BG_MEMORY_L2, BG_MEMORY_L3, BG_MEMORY_DRAM, BG_MEMORIES } bg_memory;

typedef struct bg_peaks {
    double fp32_flops;    /* FLOP/s of fp32 multiply-adds (2 each) with the vectors of the level */
    double product_flops; /* the same in the arithmetic of the level's products: be->precision */
    bg_memory_peak memory[BG_MEMORIES];
} bg_peaks;

/* "L2", "L3", "DRAM" */
const char *bg_memory_name(bg_memory m);

/* seconds: for each of the peaks, of which there are at most five.  stop may be NULL; not 0: BG_ERR_INTERRUPTED. */
bg_status bg_peaks_measure(bg_peaks *p, bg_backend *be, double seconds, int (*stop)(void *ctx), void *ctx, bg_error *err);

#endif
