/* Pictures of one size made another, fed row by row: each point of a smaller picture is the exact mean of the area it covers; a
 * larger one is drawn through the points (Catmull and Rom's cubic).  Integers only: the same bits on every machine. */
#ifndef BG_PREPARE_RESAMPLE_H
#define BG_PREPARE_RESAMPLE_H

#include "base/sys.h"

/* Where the points of one direction come from. */
typedef struct resample_axis {
    uint32_t from, to;   /* points before and after */
    struct resample_taps { uint32_t first, count; size_t at; } *taps; /* (to) a run of old points; at: its first weight */
    int32_t *weights;
    int64_t total;       /* of the weights of each new point */
} resample_axis;

typedef struct resampler {
    const bg_sys *sys;
    resample_axis x, y;
    int64_t *row;   /* (x.to,3) the newest row at its new width */
    int64_t *sums;  /* (y.to,x.to,3) */
    uint32_t next;  /* the old row that comes next */
    uint32_t low;   /* new rows before this one are complete */
} resampler;

/* None larger than ROWS_MOST_SIDE before, RESAMPLE_MOST after. */
enum { RESAMPLE_MOST = 1024 };
bg_status resample_open(resampler *r, const bg_sys *sys, uint32_t width, uint32_t height, uint32_t new_width, uint32_t new_height, bg_error *err);
/* The next row from the top, R G B. */
void resample_feed(resampler *r, const uint8_t *rgb);
/* New row y, R G B; after all rows were fed. */
void resample_take(const resampler *r, uint32_t y, uint8_t *rgb);
void resample_close(resampler *r); /* a zeroed one too */

#endif
