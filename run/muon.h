/* Muon for the matrices of the blocks (K. Jordan and others, "Muon: an optimizer for hidden layers in neural
 * networks", 2024): the step is the momentum with all its singular values brought near 1. */
#ifndef BG_RUN_MUON_H
#define BG_RUN_MUON_H

#include "model/model.h"
#include "run/settings.h"

enum { BG_MUON_SHAPES = 4 }; /* (H,H) and (H,4H) of either decoder */

/* A matrix and where it lies in the flat buffers; queries, keys and values are three. */
typedef struct bg_muon_matrix {
    size_t offset, R, C, row;
    size_t tensor_end;
    int looks; /* makes queries or keys */
    uint32_t shape;
} bg_muon_matrix;

/* Products with matrices of one shape, x (n,N) and a (n,n): their packed copies. */
typedef struct bg_muon_shape {
    size_t n, N;
    bg_weight turned, square, whole; /* x^T, a, x */
} bg_muon_shape;

typedef struct bg_muon_plan {
    bg_backend *be;      /* borrowed; NULL: closed */
    const bg_sys *sys;
    bg_muon_matrix *matrices;
    size_t count;
    bg_muon_shape shapes[BG_MUON_SHAPES];
    uint32_t shape_count;
    float *x, *a;        /* of the largest shape */
    void *narrow_x, *narrow_a;
} bg_muon_plan;

bg_status bg_muon_open(bg_muon_plan *p, const bg_model *model, bg_error *err);
void bg_muon_close(bg_muon_plan *p); /* safe on a zeroed struct */

/* Orthogonalise x (n,N) of this shape, as muon_begin leaves it, in place; the result is x times the number returned. */
float bg_muon_orthogonalize(bg_muon_plan *p, uint32_t shape);

/* All matrices: w, m, g are the model's flat buffers. */
void bg_muon_update(bg_muon_plan *p, const bg_settings *s, float *w, float *m, const float *g, double lr, float grad_scale);

#endif
