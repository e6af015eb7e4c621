/* How fast is a model of some shape on this machine, and how fast could it
 * be?  Peaks of the machine, whole jobs, and every op within them. */
#ifndef BG_RUN_BENCH_H
#define BG_RUN_BENCH_H

#include "run/bench_peak.h"
#include "run/machine.h"

typedef enum bg_bench_job {
    BG_BENCH_TRAIN, BG_BENCH_EVAL, BG_BENCH_GENERATE, BG_BENCH_GENERATE_BATCH, BG_BENCH_JOBS
} bg_bench_job;

/* See include/bgpt.h for the fields of these. */
typedef struct bg_bench_op {
    bg_bench_job job;
    const char *op, *shape;
    double calls, seconds, share, flops, peak_share;
} bg_bench_op;

typedef struct bg_bench_figure {
    double median, min, max; /* bytes of content per second */
    uint32_t repeats;
    double flops, share;
} bg_bench_figure;

typedef struct bg_bench {
    bg_config config;        /* zero is the default of each field */
    uint32_t batch, streams; /* 0: 8, 16 */
    double seconds;          /* of each figure; 0: 2 */
    uint64_t seed;
    bg_weight_form weights;  /* of evaluation and generation */
    int (*stop)(void *ctx);                          /* these may be NULL */
    void (*stage)(void *ctx, const char *what);
    void (*op)(void *ctx, const bg_bench_op *op);
    void *ctx;
} bg_bench;

typedef struct bg_bench_result {
    const char *isa, *precision;
    unsigned threads;
    bg_config config;
    uint64_t parameters;
    uint32_t batch, streams;
    bg_peaks peaks;
    bg_bench_figure figures[BG_BENCH_JOBS];
    double weight_bytes;      /* streamed for a byte of one sequence */
    bg_memory byte_memory, patch_memory; /* where the weights of the two decoders lie */
} bg_bench_result;

/* *what is only read.  On failure *out is not to be looked at. */
bg_status bg_bench_run(const bg_bench *what, const bg_machine_options *machine, bg_bench_result *out, bg_error *err);

#endif
