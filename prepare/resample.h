/* Pictures made smaller or larger while their rows come in. */
#ifndef BG_PREPARE_RESAMPLE_H
#define BG_PREPARE_RESAMPLE_H

#include "base/sys.h"

/* The part of the source that becomes the result, in its pixels. */
typedef struct resample_window { double x, y, width, height; } resample_window;

typedef struct resample {
    const bg_sys *sys;
    resample_window window;
    uint32_t source_width, width, height; /* of a source row; of the result */
    float *sum;                           /* (height, width, 3) */
    float *weight;                        /* (height) of the rows so far */
    float *line;                          /* (width, 3) */
    uint32_t *first, *count;              /* (width) source pixels of each result pixel */
    float *taps;                          /* (all of them) their weights, summing to 1 */
} resample;

/* Triangles as wide as a pixel of the result, or of the source where that is larger (bilinear then). */
bg_status resample_open(resample *r, const resample_window *window, uint32_t source_width, uint32_t width, uint32_t height, const bg_sys *sys, bg_error *err);
void resample_close(resample *r);
/* Source rows that matter are first to last, from the top; of others nothing is wanted. */
void resample_rows(const resample *r, uint32_t source_height, uint32_t *first, uint32_t *last);
/* rgb (source_width, 3): row y of the source. */
void resample_add(resample *r, uint32_t y, const uint8_t *rgb);
/* Row y of the result, (width, 3), after all rows. */
void resample_result(const resample *r, uint32_t y, uint8_t *rgb);

#endif
