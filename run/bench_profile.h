/* Where the time of a pass goes: the ops of an open back end with a clock
 * around each.  The model calls what it always calls, so the shapes are the
 * real ones by themselves; no list of calls can fall behind the model. */
#ifndef BG_RUN_BENCH_PROFILE_H
#define BG_RUN_BENCH_PROFILE_H

#include "ops/ops.h"

enum {
    BG_PROFILE_ROWS = 160, /* three to four times what a step of a model with two widths has */
    BG_PROFILE_SHAPE = 48
};

/* All calls of one op with shapes that differ in the number of rows by less than a factor of two (the
 * last chunk of a batch is a little smaller than the others, and not worth a line of its own). */
typedef struct bg_profile_row {
    const char *op;  /* its name in bg_ops */
    uint64_t R;      /* most rows (or elements) of a call, 0: not told apart */
    uint32_t K, N;   /* a linear: inputs, outputs; attention: width, longest segment; else width, 0 */
    uint64_t calls;
    double seconds;
    double flop;     /* useful ones: products of linears, causal attention; 0 for all else */
} bg_profile_row;

typedef struct bg_profile {
    bg_ops ops;         /* first: the bg_ops of a profiled back end is its bg_profile */
    const bg_ops *real;
    bg_backend *be;     /* borrowed */
    uint32_t count;
    bg_profile_row rows[BG_PROFILE_ROWS];
} bg_profile;

/* Make an empty profile of be, not yet in use. */
void bg_profile_open(bg_profile *p, bg_backend *be);
/* From here on, until off, ops are timed; both may be called again and again, between ops. */
void bg_profile_on(bg_profile *p);
void bg_profile_off(bg_profile *p);
/* "4096x256x768" */
void bg_profile_shape(const bg_profile_row *r, char text[BG_PROFILE_SHAPE]);

#endif
