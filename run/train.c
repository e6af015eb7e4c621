/* The training loop.
 *
 * A step is a pure function of the weights, the moments and the step's
 * number: which files, which windows, which masks all follow from
 * (seed, counter).  That, and nothing else, makes a resumed run the same as
 * an uninterrupted one.  Nothing allocates within a step.
 * Refuses to apply an update that is not finite. */
#include "run/train.h"

#include "run/schedule.h"
#include "run/trainer.h"

#include <math.h>
#include <string.h>

static const bg_settings *settings(const bg_trainer *r) { return &r->recipe.settings; }

static double elapsed(const bg_trainer *r) { return r->seconds_before + (bg_clock() - r->started); }

/* Share of the time limit that is used; 0 without one. */
static double time_share(const bg_trainer *r)
{
    double limit = settings(r)->seconds;
    return limit > 0 ? fmin(r->state.seconds / limit, 1) : 0;
}

static int out_of_patience(const bg_trainer *r) { return settings(r)->patience && r->state.stale >= settings(r)->patience; }

static int is_over(const bg_trainer *r)
{
    double limit = settings(r)->seconds;
    return out_of_patience(r) || (r->total && r->state.step >= r->total) || (limit > 0 && r->state.seconds >= limit);
}

/* --- one step ------------------------------------------------------------------- */

typedef struct step_facts {
    double units;  /* symbols (or files of a classifier) that the loss is a mean over */
    double bytes, loss, lr, norm;
    double scale;  /* of the loss, while it was differentiated */
} step_facts;

static bg_status assemble_one(bg_trainer *r, uint64_t index, step_facts *f, bg_error *err)
{
    const bg_settings *s = settings(r);
    bg_batch *b = &r->batches[index % s->accumulate];
    bg_batch_clear(b);
    for (uint32_t i = 0; i < s->batch; i++) {
        uint64_t counter = index * s->batch + i, bytes = 0;
        size_t item = bg_dataset_index(&r->data, s->seed, counter);
        BG_TRY(bg_dataset_add(&r->data, b, item, s->seed, counter, &bytes, err));
        f->bytes += (double)bytes;
    }
    if (s->patch_sampling && !s->classify)
        bg_batch_sample(b, s->patch_sampling, s->seed, index);
    f->units += s->classify ? b->files : (double)b->targets * b->P;
    return BG_OK;
}

/* All batches of the step first, because the loss is a mean over all of them. */
static bg_status assemble(bg_trainer *r, step_facts *f, bg_error *err)
{
    const uint32_t n = settings(r)->accumulate;
    bg_dataset_progress(&r->data, r->total ? (double)r->state.step / (double)r->total : time_share(r));
    for (uint32_t j = 0; j < n; j++)
        BG_TRY(assemble_one(r, r->state.step * n + j, f, err));
    return BG_OK;
}

/* A data file that vanished, say, must not cost the steps since the last
 * checkpoint: between two steps all is sound and can be saved. */
static void rescue(bg_trainer *r)
{
    bg_error ignored;
    if (r->state.step > 0 && r->saved_step != r->state.step)
        bg_trainer_save(r, &ignored);
}

/* Where gradients travel as fp16, the loss is multiplied first, so that they keep clear of its
 * smallest numbers.  The gradient of a mean over `units` symbols starts with elements of up
 * to 1/units: the power of two next to `units` brings them to about 1, far from both ends. */
static double loss_scale(const bg_trainer *r, double units)
{
    int exponent;
    if (!r->machine.be->loss_scaling)
        return 1;
    frexp(units, &exponent);
    return ldexp(1, exponent - (int)r->state.halvings);
}

enum { MOST_HALVINGS = 24, DOUBLE_EVERY = 1000 };

/* Forward and backward of all batches; the loss of the step. */
static void differentiate(bg_trainer *r, step_facts *f)
{
    const bg_settings *s = settings(r);
    const float scale = (float)(f->scale / f->units);
    double nats = 0;
    bg_model_zero_grads(r->model);
    for (uint32_t j = 0; j < s->accumulate; j++) {
        const bg_noise noise = { (float)s->dropout, s->seed, r->state.step * s->accumulate + j };
        if (s->classify)
            bg_model_train_classifier(r->model, &r->batches[j], scale, &noise, r->nats, r->logits);
        else
            bg_model_train(r->model, &r->batches[j], scale, &noise, r->nats);
        for (uint32_t i = 0; i < r->batches[j].files; i++)
            nats += r->nats[i];
    }
    f->loss = nats / f->units;
    f->norm = bg_optimizer_norm(&r->optimizer, f->scale);
}

/* The same with the loss scale that fits.  A gradient that leaves fp16's range is no lost step: it
 * is computed again, of the same data, with half the scale, and every
 * so many steps twice the scale is tried again. */
static void differentiate_scaled(bg_trainer *r, step_facts *f)
{
    if (r->state.halvings > 0 && r->state.step % DOUBLE_EVERY == 0)
        r->state.halvings--;
    for (;;) {
        f->scale = loss_scale(r, f->units);
        differentiate(r, f);
        if (!r->machine.be->loss_scaling || !isfinite(f->loss) || isfinite(f->norm) || r->state.halvings == MOST_HALVINGS)
            return;
        r->state.halvings++;
    }
}

static bg_status step(bg_trainer *r, step_facts *f, bg_error *err)
{
    *f = (step_facts){ 0 };
    f->lr = bg_schedule_lr(settings(r), r->state.step, r->total, time_share(r));
    bg_status s = assemble(r, f, err);
    if (s != BG_OK) {
        rescue(r);
        return s;
    }
    differentiate_scaled(r, f);
    BG_TRY(r->machine.be->ops->sync(r->machine.be, err));
    if (!isfinite(f->loss) || !isfinite(f->norm))
        return bg_fail(err, BG_ERR_FAILED, "training diverged at step %llu (loss %s, gradient norm %s); a smaller learning rate than %g may help",
                       (unsigned long long)r->state.step + 1, isnan(f->loss) ? "not a number" : isinf(f->loss) ? "infinite" : "finite",
                       isnan(f->norm) ? "not a number" : isinf(f->norm) ? "infinite" : "finite", settings(r)->lr);
    bg_optimizer_update(&r->optimizer, settings(r), f->lr, f->norm, f->scale, r->state.step + 1);
    r->state.step++;
    r->state.bytes += f->bytes;
    r->state.loss = f->loss;
    r->state.lr = f->lr;
    r->state.grad_norm = f->norm;
    return BG_OK;
}

/* --- evaluation ------------------------------------------------------------------- */

/* share: of the time, before this step. */
static int evaluation_due(const bg_trainer *r, double share)
{
    double every = settings(r)->eval_every;
    if (!r->has_validation)
        return 0;
    if (is_over(r))
        return 1;
    if (every < 0)
        return 0;
    if (every == 0 && r->total == 0)
        return floor(10 * time_share(r)) > floor(10 * share);
    uint64_t steps = every == 0 ? (r->total + 9) / 10 : every < 1 ? 1 : (uint64_t)llround(every);
    return r->state.step % steps == 0;
}

/* By loss; a classifier's by accuracy first, which goes on growing when the loss does, because a few sure errors weigh so much.
 * Also when there is none yet. */
static int is_best(const bg_state *st, const bg_progress *p)
{
    if (p->val_accuracy != st->best_accuracy && !isnan(p->val_accuracy))
        return !(p->val_accuracy < st->best_accuracy);
    return !(st->best <= p->val_loss);
}

static bg_status evaluate(bg_trainer *r, bg_progress *p, bg_error *err)
{
    const bg_evaluation how = { .stop = r->t->stop, .ctx = r->t->ctx, .limit = settings(r)->val_limit };
    bg_totals out = { .confusion = NULL };
    bg_error why;
    bg_status s = bg_evaluator_run(&r->evaluator, &how, &out, &why);
    if (s == BG_ERR_FAILED)
        return bg_fail(err, s, "training diverged at step %llu: %s", (unsigned long long)r->state.step, why.text);
    if (s != BG_OK)
        return bg_fail(err, s, "%s", why.text);
    p->evaluated = 1;
    p->val_loss = out.score.nats_per_symbol;
    p->val_bits_per_byte = out.score.bits_per_byte;
    p->val_accuracy = out.accuracy;
    p->best = is_best(&r->state, p);
    r->state.stale = p->best ? 0 : r->state.stale + 1;
    if (!p->best)
        return BG_OK;
    r->state.best = p->val_loss;
    r->state.best_accuracy = p->val_accuracy;
    return bg_trainer_save_model(r, &out, err);
}

/* --- around a step ---------------------------------------------------------------------- */

static void estimate(const bg_trainer *r, bg_progress *p)
{
    const bg_settings *s = settings(r);
    double files = (double)s->batch * s->accumulate, items = (double)r->data.item_count;
    double left = INFINITY, per_step = r->state.bytes / (double)r->state.step;
    p->step = r->state.step;
    p->steps = r->total;
    p->epoch = (double)r->state.step * files / items;
    p->epochs = r->total ? (double)r->total * files / items : 0;
    p->bytes = r->state.bytes;
    p->bytes_per_second = r->rate;
    p->seconds = r->state.seconds;
    if (r->total && r->rate > 0)
        left = (double)(r->total - r->state.step) * per_step / r->rate;
    if (s->seconds > 0)
        left = fmin(left, fmax(s->seconds - r->state.seconds, 0));
    p->seconds_left = left;
}

static void measure(bg_trainer *r, double bytes, double seconds)
{
    double now = seconds > 0 ? bytes / seconds : 0;
    r->rate = r->rate > 0 ? 0.9 * r->rate + 0.1 * now : now; /* the last ten steps or so */
}

static bg_status write_log(bg_trainer *r, const bg_progress *p, bg_error *err)
{
    const bg_log_line line = {
        .step = p->step, .bytes = p->bytes, .seconds = p->seconds, .loss = p->loss, .lr = p->lr, .grad_norm = p->grad_norm,
        .evaluated = p->evaluated, .val_loss = p->val_loss, .val_bits_per_byte = p->val_bits_per_byte, .val_accuracy = p->val_accuracy,
    };
    BG_TRY(bg_log_add(&r->log, &line, err));
    return r->events.sys ? bg_tensorboard_add(&r->events, &line, err) : BG_OK;
}

static int save_due(const bg_trainer *r)
{
    double every = r->t->save_every == 0 ? 300 : r->t->save_every;
    return is_over(r) || (every > 0 && bg_clock() - r->saved_at >= every);
}

/* One update, and whether it is to be followed by an evaluation. */
static bg_status update(bg_trainer *r, bg_error *err)
{
    step_facts f;
    double before = bg_clock(), share = time_share(r);
    BG_TRY(step(r, &f, err));
    measure(r, f.bytes, bg_clock() - before);
    r->state.seconds = elapsed(r);
    r->state.pending = (uint64_t)evaluation_due(r, share);
    return BG_OK;
}

/* The evaluation of the last step.  Where it is interrupted, it stays
 * pending in the checkpoint that follows, and the resumed run makes it up. */
static bg_status catch_up(bg_trainer *r, bg_progress *p, bg_error *err)
{
    if (!r->state.pending)
        return BG_OK;
    BG_TRY(evaluate(r, p, err));
    r->state.pending = 0;
    r->saved_step = UINT64_MAX; /* a checkpoint of this step, if there is one, stands before the evaluation */
    return BG_OK;
}

/* A step, then its evaluation, its line in the log, its checkpoint, where they are due. */
static bg_status advance(bg_trainer *r, bg_progress *p, bg_error *err)
{
    if (!r->state.pending)
        BG_TRY(update(r, err));
    *p = (bg_progress){ .loss = r->state.loss, .lr = r->state.lr, .grad_norm = r->state.grad_norm, .val_accuracy = NAN };
    BG_TRY(catch_up(r, p, err));
    estimate(r, p);
    BG_TRY(write_log(r, p, err));
    if (save_due(r)) {
        BG_TRY(bg_trainer_save(r, err));
        p->saved = 1;
    }
    return BG_OK;
}

static bg_status stop_early(bg_trainer *r, bg_error *err)
{
    if (r->saved_step != r->state.step)
        BG_TRY(bg_trainer_save(r, err));
    return bg_fail(err, BG_ERR_INTERRUPTED, "stopped after step %llu; all is saved in %s, and the run can be resumed", (unsigned long long)r->state.step,
                   r->t->out);
}

static bg_status loop(bg_trainer *r, bg_error *err)
{
    bg_progress p;
    if (is_over(r) && !r->state.pending)
        bg_notify(r->t->notice, r->t->ctx, "the run in %s is finished (%llu steps), so there is nothing left to train", r->t->out,
                  (unsigned long long)r->state.step);
    if (is_over(r) && !r->state.pending)
        BG_TRY(bg_trainer_restore_model(r, err));
    while (!is_over(r) || r->state.pending) {
        bg_status s = advance(r, &p, err);
        if (s == BG_ERR_INTERRUPTED)
            return stop_early(r, err);
        BG_TRY(s);
        int stop = r->t->progress && r->t->progress(r->t->ctx, &p) != 0;
        if (stop && !is_over(r))
            return stop_early(r, err);
        if (p.evaluated && out_of_patience(r))
            bg_notify(r->t->notice, r->t->ctx, "ended after step %llu: no evaluation has been the best for %llu in a row", (unsigned long long)r->state.step,
                      (unsigned long long)r->state.stale);
    }
    return BG_OK;
}

bg_status bg_train_run(const bg_train *t, const bg_machine_options *machine, bg_error *err)
{
    bg_trainer r;
    BG_TRY(bg_trainer_open(&r, t, machine, err));
    bg_status s = loop(&r, err);
    bg_trainer_close(&r);
    return s;
}
