/* Saving and loading the checkpoints of a run.
 * Refuses to remove an older checkpoint before the newer one has been read
 * back, to go on from one that is not exactly what was saved, and to mix two
 * runs.  That the weights are finite is for the training loop to see to. */
#include "run/checkpoint.h"

#include "run/checksum.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- checksums ---------------------------------------------------------------- */

enum { PIECE = 16384 }; /* floats read from the back end at a time */

static void sum_tensor(bg_sum *sum, bg_backend *be, const float *flat, const bg_tensor *t, float *host)
{
    for (size_t at = 0; at < t->count; at += PIECE) {
        size_t n = t->count - at < PIECE ? t->count - at : PIECE;
        be->ops->read(be, host, flat + t->offset + at, n * sizeof *host);
        bg_sum_add(sum, host, n * sizeof *host);
    }
}

/* Of weights and moments, as they stand in memory. */
static bg_status values_sum(char out[BG_SUM_TEXT], const bg_optimizer *o, bg_error *err)
{
    bg_backend *be = bg_model_backend(o->model);
    const bg_params *p = bg_model_params(o->model);
    const float *flats[3] = { bg_model_weights(o->model), o->m, o->v };
    float *host = bg_alloc(be->sys, PIECE, sizeof *host);
    if (!host)
        return bg_fail_memory(err, "a read buffer", PIECE * sizeof *host);
    bg_sum sum;
    bg_sum_open(&sum);
    for (size_t f = 0; f < 3; f++)
        for (uint32_t i = 0; i < p->count; i++)
            sum_tensor(&sum, be, flats[f], &p->tensors[i], host);
    bg_sum_text(&sum, out);
    bg_free(be->sys, host);
    return BG_OK;
}

/* The metadata that the state is made of, but for the sum of this itself. */
static const char *const state_keys[] = { "run.step", "run.log_bytes", "run.bytes", "run.seconds",   "run.best",   "run.pending",
                                          "run.loss", "run.lr",        "run.norm",  "run.halvings",  "run.stale",  "run.recipe", "run.values_sum",
                                          "run.best_accuracy" };

static void state_sum(char out[BG_SUM_TEXT], const bg_meta *m)
{
    bg_sum sum;
    bg_sum_open(&sum);
    for (size_t i = 0; i < sizeof state_keys / sizeof state_keys[0]; i++) {
        const char *value = bg_meta_get(m, state_keys[i]);
        if (value)
            bg_sum_add(&sum, value, strlen(value) + 1);
    }
    bg_sum_text(&sum, out);
}

/* --- saving -------------------------------------------------------------------- */

static bg_status set_u64(bg_meta *m, const char *key, uint64_t x, bg_error *err)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)x);
    return bg_meta_set(m, key, text, err);
}

static bg_status set_double(bg_meta *m, const char *key, double x, bg_error *err)
{
    bg_text t;
    bg_text_open(&t, m->sys);
    bg_text_double(&t, x);
    bg_status s = t.failed ? bg_fail_memory(err, "the state of the run", sizeof x) : bg_meta_set(m, key, t.data, err);
    bg_text_close(&t);
    return s;
}

static bg_status describe(bg_meta *m, const bg_optimizer *o, const bg_state *st, const bg_meta *model_meta, const char *recipe, bg_error *err)
{
    char sum[BG_SUM_TEXT];
    BG_TRY(bg_meta_copy(m, model_meta, err));
    BG_TRY(set_u64(m, "run.step", st->step, err));
    BG_TRY(set_u64(m, "run.log_bytes", st->log_bytes, err));
    BG_TRY(set_double(m, "run.bytes", st->bytes, err));
    BG_TRY(set_double(m, "run.seconds", st->seconds, err));
    BG_TRY(set_double(m, "run.best", st->best, err));
    BG_TRY(set_u64(m, "run.pending", st->pending, err));
    BG_TRY(set_double(m, "run.loss", st->loss, err));
    BG_TRY(set_double(m, "run.lr", st->lr, err));
    BG_TRY(set_double(m, "run.norm", st->grad_norm, err));
    BG_TRY(set_u64(m, "run.halvings", st->halvings, err));
    BG_TRY(set_u64(m, "run.stale", st->stale, err));
    BG_TRY(set_double(m, "run.best_accuracy", st->best_accuracy, err));
    BG_TRY(bg_meta_set(m, "run.recipe", recipe, err));
    BG_TRY(values_sum(sum, o, err));
    BG_TRY(bg_meta_set(m, "run.values_sum", sum, err));
    state_sum(sum, m);
    return bg_meta_set(m, "run.state_sum", sum, err);
}

static void moments_of(bg_extra extra[2], bg_optimizer *o)
{
    extra[0] = (bg_extra){ "optimizer.m.", o->m };
    extra[1] = (bg_extra){ "optimizer.v.", o->v };
}

/* Older checkpoints that are no longer wanted.  One that cannot be removed
 * stays: it costs room and nothing else. */
static bg_status prune(const bg_sys *sys, const char *folder, uint64_t newest, uint32_t keep, bg_error *err)
{
    uint64_t *steps;
    size_t count, older = 0;
    BG_TRY(bg_folder_checkpoints(&steps, &count, sys, folder, err));
    while (older < count && steps[older] < newest)
        older++;
    bg_status s = BG_OK;
    for (size_t i = 0; s == BG_OK && i + keep <= older; i++) {
        char *path = bg_checkpoint_path(sys, folder, steps[i]);
        if (path)
            sys->unlink(sys->ctx, path);
        else
            s = bg_fail_path(err, folder);
        bg_free(sys, path);
    }
    bg_free(sys, steps);
    return s;
}

bg_status bg_checkpoint_save(const char *folder, bg_optimizer *o, const bg_state *st, const bg_meta *model_meta, const char *recipe, uint32_t keep, bg_error *err)
{
    const bg_sys *sys = bg_model_backend(o->model)->sys;
    char *path = bg_checkpoint_path(sys, folder, st->step);
    if (!path)
        return bg_fail_path(err, folder);
    bg_meta meta;
    bg_extra extra[2];
    bg_meta_open(&meta, sys);
    moments_of(extra, o);
    bg_status s = describe(&meta, o, st, model_meta, recipe, err);
    if (s == BG_OK)
        s = bg_model_save(o->model, path, 1, &meta, extra, 2, err);
    if (s == BG_OK)
        s = prune(sys, folder, st->step, keep, err);
    bg_meta_close(&meta);
    bg_free(sys, path);
    return s;
}

/* --- loading ---------------------------------------------------------------------- */

static int read_u64(const bg_meta *m, const char *key, uint64_t *out)
{
    const char *text = bg_meta_get(m, key);
    bg_json j;
    bg_json_open(&j, text ? text : "", text ? strlen(text) : 0);
    return bg_json_u64(&j, out) && bg_json_end(&j);
}

/* null stands for a number that is not there yet */
static int read_double(const bg_meta *m, const char *key, double *out)
{
    const char *text = bg_meta_get(m, key);
    bg_json j;
    *out = NAN;
    if (text && strcmp(text, "null") == 0)
        return 1;
    bg_json_open(&j, text ? text : "", text ? strlen(text) : 0);
    return bg_json_double(&j, out) && bg_json_end(&j);
}

static bg_status read_state(bg_state *st, const bg_st_file *f, bg_error *err)
{
    const bg_meta *m = &f->meta;
    const char *stored = bg_meta_get(m, "run.state_sum");
    char sum[BG_SUM_TEXT];
    if (!stored || !bg_meta_get(m, "run.recipe") || !bg_meta_get(m, "run.values_sum"))
        return bg_fail(err, BG_ERR_FORMAT, "%s: holds no state of a run", f->path);
    state_sum(sum, m);
    if (strcmp(sum, stored) != 0)
        return bg_fail(err, BG_ERR_FORMAT, "%s: the checksum of the run's state is %s, but %s was stored", f->path, sum, stored);
    if (!read_u64(m, "run.step", &st->step) || !read_u64(m, "run.log_bytes", &st->log_bytes) || !read_double(m, "run.bytes", &st->bytes) ||
        !read_double(m, "run.seconds", &st->seconds) || !read_double(m, "run.best", &st->best) || !read_u64(m, "run.pending", &st->pending) ||
        !read_double(m, "run.loss", &st->loss) || !read_double(m, "run.lr", &st->lr) || !read_double(m, "run.norm", &st->grad_norm))
        return bg_fail(err, BG_ERR_FORMAT, "%s: the state of the run is incomplete", f->path);
    st->halvings = st->stale = 0; /* checkpoints from before there was a loss scale, or patience, lack them */
    if (bg_meta_get(m, "run.halvings") && !read_u64(m, "run.halvings", &st->halvings))
        return bg_fail(err, BG_ERR_FORMAT, "%s: the loss scale of the run is no number", f->path);
    if (bg_meta_get(m, "run.stale") && !read_u64(m, "run.stale", &st->stale))
        return bg_fail(err, BG_ERR_FORMAT, "%s: the number of evaluations since the best is no number", f->path);
    st->best_accuracy = NAN; /* likewise, from before a classifier's best evaluation was the most accurate */
    if (bg_meta_get(m, "run.best_accuracy") && !read_double(m, "run.best_accuracy", &st->best_accuracy))
        return bg_fail(err, BG_ERR_FORMAT, "%s: the accuracy of the best evaluation is no number", f->path);
    return BG_OK;
}

static bg_status load_values(bg_optimizer *o, bg_st_file *f, bg_error *err)
{
    bg_extra extra[2];
    char sum[BG_SUM_TEXT];
    const char *stored = bg_meta_get(&f->meta, "run.values_sum");
    moments_of(extra, o);
    BG_TRY(bg_file_load_weights(o->model, f, err));
    BG_TRY(bg_file_load_extra(o->model, f, &extra[0], err));
    BG_TRY(bg_file_load_extra(o->model, f, &extra[1], err));
    BG_TRY(values_sum(sum, o, err));
    if (strcmp(sum, stored) != 0)
        return bg_fail(err, BG_ERR_FORMAT, "%s: the checksum of the values is %s, but %s was stored", f->path, sum, stored);
    return BG_OK;
}

/* One candidate.  *other is set when it is sound but of another recipe. */
static bg_status try_one(bg_state *st, bg_optimizer *o, const char *path, const char *recipe, int *other, bg_error *err)
{
    bg_st_file f = { 0 };
    bg_status s = bg_st_open(&f, bg_model_backend(o->model)->sys, path, err);
    if (s != BG_OK)
        return s;
    s = read_state(st, &f, err);
    if (s == BG_OK && strcmp(bg_meta_get(&f.meta, "run.recipe"), recipe) != 0)
        *other = 1;
    else if (s == BG_OK)
        s = load_values(o, &f, err);
    bg_st_close(&f);
    return s;
}

static bg_status set_aside(const bg_sys *sys, const char *path, const char *why, bg_notice *notice, void *ctx, bg_error *err)
{
    char *aside = bg_asprintf(sys, "%s.damaged", path);
    if (!aside)
        return bg_fail_memory(err, "the name of a damaged checkpoint", strlen(path) + 9);
    sys->rename(sys->ctx, path, aside); /* when this fails the next resume says it again */
    bg_notify(notice, ctx, "%s is damaged (%s); the run goes back to what was saved before it", path, why);
    bg_free(sys, aside);
    return BG_OK;
}

static bg_status resume_from(bg_state *st, int *found, const char *path, bg_optimizer *o, const char *recipe, bg_notice *notice, void *ctx, bg_error *err)
{
    int other = 0;
    bg_error why = { BG_OK, "" };
    bg_status s = try_one(st, o, path, recipe, &other, &why);
    if (s == BG_OK && other)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: is not of the run that config.json beside it describes; one of them has to go", path);
    if (s == BG_ERR_FORMAT)
        return set_aside(bg_model_backend(o->model)->sys, path, why.text, notice, ctx, err);
    if (s == BG_ERR_IO)
        bg_notify(notice, ctx, "%s; the run tries the checkpoint before it", why.text);
    *found = s == BG_OK;
    return s == BG_OK ? s : bg_fail(err, s, "%s", why.text);
}

bg_status bg_checkpoint_resume(bg_state *st, int *found, const char *folder, bg_optimizer *o, const char *recipe, bg_notice *notice, void *ctx, bg_error *err)
{
    const bg_sys *sys = bg_model_backend(o->model)->sys;
    uint64_t *steps;
    size_t count;
    *found = 0;
    BG_TRY(bg_folder_checkpoints(&steps, &count, sys, folder, err));
    bg_status s = BG_OK;
    int unread = 0; /* the disk failed, the file may be sound: if no other is found, this is no time to start over */
    while ((s == BG_OK || s == BG_ERR_IO) && !*found && count-- > 0) {
        char *path = bg_checkpoint_path(sys, folder, steps[count]);
        s = path ? resume_from(st, found, path, o, recipe, notice, ctx, err) : bg_fail_path(err, folder);
        unread |= s == BG_ERR_IO;
        bg_free(sys, path);
    }
    bg_free(sys, steps);
    return s == BG_OK && !*found && unread ? BG_ERR_IO : s;
}

static bg_status copy_recipe(char **recipe, const bg_sys *sys, const char *path, bg_error *err)
{
    bg_st_file f = { 0 };
    bg_state st;
    bg_error ignored;
    bg_status s = bg_st_open(&f, sys, path, &ignored);
    if (s == BG_ERR_MEMORY)
        return bg_fail(err, s, "%s", ignored.text);
    if (s != BG_OK)
        return BG_OK;
    if (read_state(&st, &f, &ignored) == BG_OK) {
        *recipe = bg_strdup(sys, bg_meta_get(&f.meta, "run.recipe"));
        s = *recipe ? BG_OK : bg_fail_memory(err, "the settings of the run", 0);
    }
    bg_st_close(&f);
    return s;
}

bg_status bg_checkpoint_recipe(char **recipe, const bg_sys *sys, const char *folder, bg_error *err)
{
    uint64_t *steps;
    size_t count;
    *recipe = NULL;
    BG_TRY(bg_folder_checkpoints(&steps, &count, sys, folder, err));
    bg_status s = BG_OK;
    while (s == BG_OK && !*recipe && count-- > 0) {
        char *path = bg_checkpoint_path(sys, folder, steps[count]);
        s = path ? copy_recipe(recipe, sys, path, err) : bg_fail_path(err, folder);
        bg_free(sys, path);
    }
    bg_free(sys, steps);
    return s;
}
