/* The parameter walk: the ONE place that knows which tensors a model has,
 * their names (the reference's), shapes, places in the flat buffer,
 * initialisation and storage order.  Measuring, placing, naming,
 * initialising, saving, loading and comparing all go through it. */
#ifndef BG_MODEL_PARAMS_H
#define BG_MODEL_PARAMS_H

#include "model/config.h"
#include "base/sys.h"
#include <stddef.h>

enum { BG_TENSOR_NAME = 96 };

typedef enum bg_init { BG_INIT_ZERO, BG_INIT_ONE, BG_INIT_NORMAL, BG_INIT_RESIDUAL } bg_init;

typedef struct bg_tensor {
    char name[BG_TENSOR_NAME];
    uint32_t dims;          /* 1 or 2 */
    uint64_t shape[2];      /* as in the file: shape[1] = 1 when dims is 1 */
    int transposed;         /* held in memory as (shape[1], shape[0]): patch_embedding.weight only */
    bg_init init;
    float init_std;         /* for BG_INIT_NORMAL and BG_INIT_RESIDUAL */
    size_t offset, count;   /* floats, in the flat buffer; offsets are multiples of 16 */
} bg_tensor;

typedef struct bg_params {
    bg_tensor *tensors;
    uint32_t count;
    size_t floats;          /* length of the flat buffer, alignment gaps included */
    uint64_t parameters;    /* sum of counts */
} bg_params;

/* Build the table for a configuration (already checked). */
bg_status bg_params_build(bg_params *p, const bg_config *c, const bg_sys *sys, bg_error *err);
void bg_params_free(bg_params *p, const bg_sys *sys);
/* NULL when there is none of that name. */
const bg_tensor *bg_params_find(const bg_params *p, const char *name);
/* Fill the flat buffer: same seed, same bits, whatever the threads. */
void bg_params_init(const bg_params *p, float *flat, uint64_t seed);

#endif
