/* What a run stores: its models, its checkpoints, and what stands in their
 * metadata.  Times are kept out of model.safetensors, so that two equal runs
 * write equal models.
 * Refuses to save weights or moments that are not finite. */
#include "run/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bg_status set_json_list(bg_meta *m, const char *key, const char *const *names, size_t count, bg_error *err)
{
    bg_text t;
    bg_text_open(&t, m->sys);
    bg_text_add(&t, "[");
    for (size_t i = 0; i < count; i++) {
        bg_text_add(&t, "%s", i ? ", " : "");
        bg_text_json(&t, names[i]);
    }
    bg_text_add(&t, "]");
    bg_status s = t.failed ? bg_fail_memory(err, "metadata of the model", t.size) : bg_meta_set(m, key, t.data, err);
    bg_text_close(&t);
    return s;
}

static bg_status set_number(bg_meta *m, const char *key, double x, bg_error *err)
{
    bg_text t;
    bg_text_open(&t, m->sys);
    bg_text_double(&t, x);
    bg_status s = t.failed ? bg_fail_memory(err, "metadata of the model", t.size) : bg_meta_set(m, key, t.data, err);
    bg_text_close(&t);
    return s;
}

/* Formats that the model has seen.  A data set of more kinds than this is a
 * mixture that a list would not describe: it gets none. */
enum { MAX_EXTENSIONS = 64 };

static size_t distinct_extensions(const bg_dataset *d, const char *seen[MAX_EXTENSIONS])
{
    size_t count = 0;
    for (size_t f = 0; f < d->file_count; f++) {
        size_t i = 0;
        while (i < count && strcmp(seen[i], d->files[f].extension) != 0)
            i++;
        if (i == MAX_EXTENSIONS)
            return 0;
        if (i == count)
            seen[count++] = d->files[f].extension;
    }
    return count;
}

bg_status bg_trainer_describe(bg_trainer *r, bg_error *err)
{
    bg_meta *m = &r->model_meta;
    const char *seen[MAX_EXTENSIONS];
    BG_TRY(bg_meta_copy(m, &r->recipe.metadata, err));
    const size_t kinds = distinct_extensions(&r->data, seen);
    if (kinds)
        BG_TRY(set_json_list(m, "extensions", seen, kinds, err));
    if (r->recipe.settings.classify)
        BG_TRY(set_json_list(m, "labels", (const char *const *)r->data.labels.names, r->data.labels.count, err));
    if (r->recipe.pairs[0])
        BG_TRY(bg_meta_set(m, "pairs", r->recipe.pairs, err));
    return set_number(m, "dropout", r->recipe.settings.dropout, err);
}

/* The above, and how far the training is. */
static bg_status describe_now(bg_trainer *r, bg_meta *m, bg_error *err)
{
    BG_TRY(bg_meta_copy(m, &r->model_meta, err));
    BG_TRY(set_number(m, "trained_steps", (double)r->state.step, err));
    return set_number(m, "trained_bytes", r->state.bytes, err);
}

static bg_status describe_validation(bg_trainer *r, bg_meta *m, const bg_totals *v, bg_error *err)
{
    BG_TRY(set_number(m, "val_loss", v->score.nats_per_symbol, err));
    if (r->recipe.settings.classify)
        return set_number(m, "val_accuracy", v->accuracy, err);
    return set_number(m, "val_bits_per_byte", v->score.bits_per_byte, err);
}

bg_status bg_trainer_save_model(bg_trainer *r, const bg_totals *validated, bg_error *err)
{
    char *path = bg_folder_path(r->sys, r->t->out, "model.safetensors");
    if (!path)
        return bg_fail_path(err, r->t->out);
    bg_meta m;
    bg_meta_open(&m, r->sys);
    bg_status s = describe_now(r, &m, err);
    if (s == BG_OK && validated)
        s = describe_validation(r, &m, validated, err);
    if (s == BG_OK)
        s = bg_model_save(r->model, path, 1, &m, NULL, 0, err);
    bg_meta_close(&m);
    bg_free(r->sys, path);
    return s;
}

bg_status bg_trainer_restore_model(bg_trainer *r, bg_error *err)
{
    char *path = bg_folder_path(r->sys, r->t->out, "model.safetensors");
    if (!path)
        return bg_fail_path(err, r->t->out);
    bg_status s = BG_OK;
    if (!bg_exists(r->sys, path)) {
        s = bg_trainer_save_model(r, NULL, err);
        if (s == BG_OK)
            bg_notify(r->t->notice, r->t->ctx, "%s was gone, and is written again from the last checkpoint", path);
    }
    bg_free(r->sys, path);
    return s;
}

static bg_status save_checkpoint(bg_trainer *r, bg_error *err)
{
    /* never one alone: the last may be torn, or hold weights that are about to diverge */
    uint32_t keep = r->t->keep > 2 ? r->t->keep : 2;
    bg_meta m;
    bg_meta_open(&m, r->sys);
    bg_status s = describe_now(r, &m, err);
    if (s == BG_OK)
        s = bg_checkpoint_save(r->t->out, &r->optimizer, &r->state, &m, r->recipe_text, keep, err);
    bg_meta_close(&m);
    return s;
}

bg_status bg_trainer_save(bg_trainer *r, bg_error *err)
{
    if (!bg_optimizer_finite(&r->optimizer))
        return bg_fail(err, BG_ERR_FAILED, "training diverged at step %llu (weights or moments are not finite)", (unsigned long long)r->state.step);
    /* the log first: a checkpoint says how much of it there is; the model
     * second: once the last checkpoint stands, nothing more is done for the run */
    BG_TRY(bg_log_flush(&r->log, err));
    r->state.log_bytes = r->log.size;
    if (!r->has_validation)
        BG_TRY(bg_trainer_save_model(r, NULL, err));
    BG_TRY(save_checkpoint(r, err));
    r->saved_step = r->state.step;
    r->saved_at = bg_clock();
    return BG_OK;
}
