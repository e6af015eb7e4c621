/* AdamW over a model's flat buffers, or Muon for the blocks' matrices and AdamW for the rest. */
#ifndef BG_RUN_OPTIMIZER_H
#define BG_RUN_OPTIMIZER_H

#include "model/model.h"
#include "run/muon.h"
#include "run/settings.h"

typedef struct bg_optimizer {
    bg_model *model; /* borrowed */
    float *m, *v;    /* moments, back end memory, laid out as the weights; Muon's momentum is in m */
    bg_muon_plan muon; /* closed: AdamW for all */
} bg_optimizer;

/* Zero moments for a model opened for training. */
bg_status bg_optimizer_open(bg_optimizer *o, bg_model *model, const bg_settings *s, bg_error *err);
void bg_optimizer_close(bg_optimizer *o); /* safe on a zeroed struct */

/* Euclidean norm of the whole gradient; what lies in memory is loss_scale times it. */
double bg_optimizer_norm(const bg_optimizer *o, double loss_scale);
/* One update; `update` is 1 for the first.  norm is that of the gradient, for clipping. */
void bg_optimizer_update(bg_optimizer *o, const bg_settings *s, double lr, double norm, double loss_scale, uint64_t update);
/* Are all weights and moments finite? */
int bg_optimizer_finite(const bg_optimizer *o);

#endif
