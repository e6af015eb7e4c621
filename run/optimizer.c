/* AdamW with decay on every parameter, as the reference has it (PyTorch's
 * default: biases and LayerNorm decay too), and clipping by global norm.  With Muon the matrices that it moves
 * decay, and nothing else does.
 * Refuses nothing; what to do with a gradient that is not finite is the
 * training loop's decision. */
#include "run/optimizer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The moments are laid out as the weights, but only these are trained. */
static size_t trained(const bg_optimizer *o) { return bg_model_params(o->model)->trained; }

bg_status bg_optimizer_open(bg_optimizer *o, bg_model *model, const bg_settings *s, bg_error *err)
{
    memset(o, 0, sizeof *o);
    assert(bg_model_grads(model));
    o->model = model;
    bg_backend *be = bg_model_backend(model);
    size_t bytes = bg_model_params(model)->floats * sizeof(float);
    o->m = be->ops->alloc(be, bytes);
    o->v = be->ops->alloc(be, bytes);
    bg_status status = o->m && o->v ? BG_OK : bg_fail_memory(err, "the optimiser's moments", 2 * (uint64_t)bytes);
    if (status == BG_OK && s->optimizer == BG_MUON)
        status = bg_muon_open(&o->muon, model, err);
    if (status != BG_OK)
        bg_optimizer_close(o);
    return status;
}

void bg_optimizer_close(bg_optimizer *o)
{
    if (!o->model)
        return;
    bg_backend *be = bg_model_backend(o->model);
    bg_muon_close(&o->muon);
    if (o->m)
        be->ops->free(be, o->m);
    if (o->v)
        be->ops->free(be, o->v);
    memset(o, 0, sizeof *o);
}

double bg_optimizer_norm(const bg_optimizer *o, double loss_scale)
{
    bg_backend *be = bg_model_backend(o->model);
    return sqrt(be->ops->sum_squares(be, bg_model_grads(o->model), trained(o))) / loss_scale;
}

/* AdamW on what lies between Muon's matrices. */
static void update_rest(bg_optimizer *o, const bg_adamw *a)
{
    bg_backend *be = bg_model_backend(o->model);
    float *w = bg_model_weights(o->model);
    const float *g = bg_model_grads(o->model);
    const bg_muon_plan *p = &o->muon;
    size_t at = 0;
    for (size_t i = 0; i <= p->count; i++) {
        const size_t end = i < p->count ? p->matrices[i].offset : trained(o);
        if (end > at)
            be->ops->adamw(be, w + at, g + at, o->m + at, o->v + at, end - at, a);
        if (i < p->count)
            at = p->matrices[i].tensor_end;
    }
}

void bg_optimizer_update(bg_optimizer *o, const bg_settings *s, double lr, double norm, double loss_scale, uint64_t update)
{
    /* torch.nn.utils.clip_grad_norm_: the 1e-6 keeps a zero gradient from a division by zero */
    double scale = s->clip > 0 ? s->clip / (norm + 1e-6) : 1;
    bg_adamw a = {
        .lr = (float)lr, .beta1 = (float)s->beta1, .beta2 = (float)s->beta2, .eps = (float)s->eps,
        .weight_decay = (float)s->weight_decay, .grad_scale = (float)(fmin(scale, 1) / loss_scale), .step = update,
    };
    bg_backend *be = bg_model_backend(o->model);
    if (o->muon.be) {
        a.weight_decay = 0;
        a.lr = (float)(lr * s->rest_lr);
        update_rest(o, &a);
        bg_muon_update(&o->muon, s, bg_model_weights(o->model), o->m, bg_model_grads(o->model), lr, a.grad_scale);
    } else {
        be->ops->adamw(be, bg_model_weights(o->model), bg_model_grads(o->model), o->m, o->v, trained(o), &a);
    }
    bg_model_changed(o->model);
}

int bg_optimizer_finite(const bg_optimizer *o)
{
    bg_backend *be = bg_model_backend(o->model);
    double sum = be->ops->sum_squares(be, bg_model_weights(o->model), trained(o));
    sum += be->ops->sum_squares(be, o->m, trained(o));
    sum += be->ops->sum_squares(be, o->v, trained(o));
    return isfinite(sum);
}
