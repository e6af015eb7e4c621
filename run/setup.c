/* Opening a run: the folder, the machine, the model, all memory of a step,
 * and the weights to start from.
 * Refuses to touch a run that is already in the folder unless it is to be
 * resumed or replaced, and removes nothing before all else has been opened. */
#include "run/trainer.h"

#include "run/checksum.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

double bg_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* --- the folder ------------------------------------------------------------------ */

static bg_status check_folder(const bg_trainer *r, bg_error *err)
{
    const bg_train *t = r->t;
    int has = 0;
    if (!t->out || !*t->out)
        return bg_fail(err, BG_ERR_ARGUMENT, "there is no run folder to write to");
    BG_TRY(bg_folder_has_run(&has, r->sys, t->out, err));
    if (has && !t->resume && !t->overwrite)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s holds a run already; resume it, replace it, or choose another folder", t->out);
    return BG_OK;
}

/* A model that lies in the folder would be removed with the run it belongs to. */
static bg_status check_init(const bg_trainer *r, bg_error *err)
{
    const char *init = r->t->init;
    int inside;
    if (!init || r->t->resume)
        return BG_OK;
    BG_TRY(bg_folder_is_parent(&inside, r->sys, r->t->out, init, err));
    if (!inside)
        BG_TRY(bg_folder_holds(&inside, r->sys, r->t->out, init, err)); /* through a link */
    if (inside)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s lies in the run folder that is to be written; start from a copy of it elsewhere", init);
    return BG_OK;
}

/* From here on the folder is the new run's.  Its settings stand beside the old
 * ones first: should we be killed before all that is old is gone, a resume finds them and finishes the work. */
static bg_status take_folder(bg_trainer *r, bg_error *err)
{
    BG_TRY(bg_folder_write(r->sys, r->t->out, BG_FOLDER_TAKING, r->recipe_text, err));
    return bg_folder_take(r->sys, r->t->out, r->recipe_text, err);
}

/* --- machine and memory --------------------------------------------------------------- */

/* What only the open machine knows goes into a new recipe, and is compared with an old one. */
static bg_status settle_recipe(bg_trainer *r, bg_error *err)
{
    const char *isa = bg_isa_name(r->machine.be->isa), *precision = r->machine.be->precision;
    bg_recipe *p = &r->recipe;
    if (r->recipe_text) {
        if (strcmp(isa, p->isa) != 0 || strcmp(precision, p->precision) != 0)
            bg_notify(r->t->notice, r->t->ctx, "the run was started with %s and %s, and goes on with %s and %s: its last digits will differ", p->isa,
                      p->precision, isa, precision);
        return BG_OK;
    }
    snprintf(p->isa, sizeof p->isa, "%s", isa);
    snprintf(p->precision, sizeof p->precision, "%s", precision);
    bg_text t;
    bg_text_open(&t, r->sys);
    bg_status s = bg_recipe_write(p, &t, err);
    if (s == BG_OK && !(r->recipe_text = bg_strdup(r->sys, t.data)))
        s = bg_fail_memory(err, "the text of config.json", t.size);
    bg_text_close(&t);
    return s;
}

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

static bg_status reserve(bg_trainer *r, bg_error *err)
{
    const bg_settings *s = &r->recipe.settings;
    const uint32_t longest = bg_dataset_longest(&r->data), val = r->has_validation ? bg_dataset_longest(&r->validation) : 0;
    if ((uint64_t)s->batch * larger(longest, val) > UINT32_MAX / BG_MAX_PATCH)
        return bg_fail(err, BG_ERR_ARGUMENT, "a batch of %u files of %u patches is too large", s->batch, larger(longest, val));
    BG_TRY(bg_model_reserve(r->model, s->batch * larger(longest, val), s->batch, 0, err));
    r->batches = bg_alloc_zero(r->sys, s->accumulate, sizeof *r->batches);
    r->nats = bg_alloc_zero(r->sys, s->batch, sizeof *r->nats);
    r->logits = s->classify ? bg_alloc_zero(r->sys, (size_t)s->batch * s->config.classes, sizeof *r->logits) : NULL;
    if (!r->batches || !r->nats || (s->classify && !r->logits))
        return bg_fail_memory(err, "the tables of a step", s->accumulate * sizeof *r->batches);
    for (; r->batches_open < s->accumulate; r->batches_open++)
        BG_TRY(bg_batch_open(&r->batches[r->batches_open], r->sys, s->config.patch_size, s->batch, s->batch * longest, err));
    return r->has_validation ? bg_evaluator_open(&r->evaluator, r->model, &r->validation, s->batch, err) : BG_OK;
}

/* --- weights ------------------------------------------------------------------------------ */

static int same_labels(const bg_trainer *r, const bg_st_file *f)
{
    const char *theirs = bg_meta_get(&f->meta, "labels"), *ours = bg_meta_get(&r->model_meta, "labels");
    return theirs && ours && strcmp(theirs, ours) == 0;
}

/* Put the fresh values of the classifier's own tensors back: those of a model with other labels mean other things. */
static void renew_classifier(bg_trainer *r, const float *fresh)
{
    static const char *const names[] = { "classifier.weight", "classifier.bias" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const bg_tensor *t = bg_params_find(bg_model_params(r->model), names[i]);
        if (t)
            r->machine.be->ops->write(r->machine.be, bg_model_weights(r->model) + t->offset, fresh + t->offset, t->count * sizeof *fresh);
    }
}

/* Layers that a model to start from lacks begin by adding nothing, so that the deeper model does as that one did. */
static void silence(bg_trainer *r, uint32_t blocks, uint32_t from, uint32_t to)
{
    const bg_tensor *t = bg_model_params(r->model)->tensors + blocks;
    for (uint32_t i = from * BG_BLOCK_FIELDS; i < to * BG_BLOCK_FIELDS; i++)
        if (t[i].init == BG_INIT_RESIDUAL)
            r->machine.be->ops->zero(r->machine.be, bg_model_weights(r->model) + t[i].offset, t[i].count * sizeof(float));
}

static bg_status load_init(bg_trainer *r, const float *fresh, bg_error *err)
{
    const char *path = r->recipe.init;
    const bg_params *p = bg_model_params(r->model);
    const bg_config *ours = &r->recipe.settings.config;
    bg_config theirs;
    bg_st_file f = { 0 };
    uint32_t loaded = 0;
    char sum[BG_SUM_TEXT];
    BG_TRY(bg_file_sum(sum, r->sys, path, err));
    if (strcmp(sum, r->recipe.init_sum) != 0)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: is not the model that the run in %s was started from", path, r->t->out);
    BG_TRY(bg_st_open(&f, r->sys, path, err));
    bg_status s = bg_file_load_matching(r->model, &f, &loaded, err);
    if (s == BG_OK && loaded == 0)
        s = bg_fail(err, BG_ERR_FORMAT, "%s: has no tensor that the new model could start from", path);
    if (s == BG_OK && !same_labels(r, &f))
        renew_classifier(r, fresh);
    if (s == BG_OK)
        s = bg_file_config(&theirs, &f, err);
    bg_st_close(&f);
    if (s != BG_OK)
        return s;
    silence(r, p->patch_blocks, theirs.patch_layers, ours->patch_layers);
    if (theirs.byte_layers) /* without any a whole decoder is new */
        silence(r, p->byte_blocks, theirs.byte_layers, ours->byte_layers);
    return BG_OK;
}

static bg_status first_weights(bg_trainer *r, bg_error *err)
{
    const bg_params *p = bg_model_params(r->model);
    bg_backend *be = r->machine.be;
    float *fresh = bg_alloc_zero(r->sys, p->floats, sizeof *fresh);
    if (!fresh)
        return bg_fail_memory(err, "the first weights", (uint64_t)p->floats * sizeof *fresh);
    bg_params_init(p, fresh, r->recipe.settings.seed, (bg_embedding_init)r->recipe.settings.embedding_init);
    be->ops->write(be, bg_model_weights(r->model), fresh, p->floats * sizeof *fresh);
    be->ops->zero(be, r->optimizer.m, p->floats * sizeof *fresh); /* a damaged checkpoint may have been half loaded */
    be->ops->zero(be, r->optimizer.v, p->floats * sizeof *fresh);
    bg_status s = r->recipe.init ? load_init(r, fresh, err) : BG_OK;
    bg_model_changed(r->model);
    bg_free(r->sys, fresh);
    return s;
}

/* --- all of it -------------------------------------------------------------------------------- */

static bg_status open_machine(bg_trainer *r, const bg_machine_options *machine, bg_error *err)
{
    bg_machine_options o = *machine;
    if (r->recipe_text && strcmp(r->recipe.precision, "fp32") == 0)
        o.fp32 = 1; /* a resumed run keeps its arithmetic, whatever is quickest here */
    BG_TRY(bg_machine_open(&r->machine, &o, &r->recipe.settings.config, err));
    BG_TRY(bg_model_open(&r->model, &r->recipe.settings.config, r->machine.be, BG_WEIGHTS_TRAIN, err));
    BG_TRY(bg_optimizer_open(&r->optimizer, r->model, &r->recipe.settings, err));
    return reserve(r, err);
}

static bg_status lock_folder(bg_trainer *r, bg_error *err)
{
    if (r->lock >= 0)
        return BG_OK;
    BG_TRY(bg_make_folders(r->sys, r->t->out, err));
    return bg_folder_lock(&r->lock, r->sys, r->t->out, err);
}

/* Where an earlier process stopped. */
static bg_status go_on(bg_trainer *r, bg_error *err)
{
    const bg_train *t = r->t;
    int found = 0, missing = 0;
    BG_TRY(bg_folder_tidy(r->sys, t->out, err));
    BG_TRY(bg_checkpoint_resume(&r->state, &found, t->out, &r->optimizer, r->recipe_text, t->notice, t->ctx, err));
    if (!found) {
        r->state = (bg_state){ .best = NAN, .best_accuracy = NAN };
        BG_TRY(first_weights(r, err));
    } else {
        r->saved_step = r->state.step;
    }
    BG_TRY(bg_log_open(&r->log, r->sys, t->out, r->state.log_bytes, &missing, err));
    if (missing)
        bg_notify(t->notice, t->ctx, "%s has lost lines of earlier steps; the run goes on", r->log.path);
    return BG_OK;
}

static bg_status begin(bg_trainer *r, bg_error *err)
{
    BG_TRY(first_weights(r, err));
    BG_TRY(lock_folder(r, err));
    BG_TRY(take_folder(r, err));
    return bg_log_open(&r->log, r->sys, r->t->out, 0, NULL, err);
}

static bg_status open_all(bg_trainer *r, const bg_machine_options *machine, bg_error *err)
{
    BG_TRY(check_folder(r, err));
    if (r->t->resume)
        BG_TRY(lock_folder(r, err)); /* before anything in it is read */
    BG_TRY(bg_trainer_plan(r, err));
    int again = r->recipe_text != NULL;
    if (!again)
        BG_TRY(check_init(r, err));
    BG_TRY(open_machine(r, machine, err));
    BG_TRY(settle_recipe(r, err));
    BG_TRY(bg_trainer_describe(r, err));
    r->total = bg_settings_steps(&r->recipe.settings, r->data.item_count);
    BG_TRY(again ? go_on(r, err) : begin(r, err));
    r->seconds_before = r->state.seconds;
    return r->t->tensorboard ? bg_tensorboard_open(&r->events, r->sys, r->t->tensorboard, err) : BG_OK;
}

bg_status bg_trainer_open(bg_trainer *r, const bg_train *t, const bg_machine_options *machine, bg_error *err)
{
    memset(r, 0, sizeof *r);
    r->t = t;
    r->sys = machine->sys ? machine->sys : bg_sys_default();
    r->started = r->saved_at = bg_clock();
    r->saved_step = UINT64_MAX;
    r->lock = -1;
    r->state.best = r->state.best_accuracy = NAN;
    bg_recipe_open(&r->recipe, r->sys);
    bg_meta_open(&r->model_meta, r->sys);
    bg_status s = open_all(r, machine, err);
    if (s != BG_OK)
        bg_trainer_close(r);
    return s;
}

void bg_trainer_close(bg_trainer *r)
{
    bg_tensorboard_close(&r->events);
    bg_log_close(&r->log);
    if (r->lock >= 0)
        r->sys->close(r->sys->ctx, r->lock);
    bg_evaluator_close(&r->evaluator);
    while (r->batches_open > 0)
        bg_batch_close(&r->batches[--r->batches_open]);
    bg_free(r->sys, r->batches);
    bg_free(r->sys, r->nats);
    bg_free(r->sys, r->logits);
    bg_optimizer_close(&r->optimizer);
    bg_model_close(r->model);
    bg_machine_close(&r->machine);
    bg_dataset_close(&r->validation);
    bg_dataset_close(&r->data);
    bg_meta_close(&r->model_meta);
    bg_free(r->sys, r->recipe_text);
    bg_recipe_close(&r->recipe);
}
