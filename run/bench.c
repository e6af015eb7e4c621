/* Training and evaluation, timed.
 *
 * A training step is the one of run/train.c but for the reading of files:
 * forward, loss, backward, norm, AdamW, packing of the weights.  The files are
 * random bytes that fill the context exactly.  Figures of jobs are taken without
 * clocks inside; the ops are timed in passes of their own afterwards. */
#include "run/bench.h"

#include "run/bench_job.h"
#include "run/optimizer.h"
#include "run/trainer.h"

#include <math.h>
#include <string.h>

enum {
    LEAST_REPEATS = 3, /* the least that has a median and a spread */
    PEAK_SECONDS = 1   /* a loop without misses and branches does not get steadier by more */
};

/* --- any job ------------------------------------------------------------------------- */

void bg_bench_stage(const bg_bench_state *b, const char *what)
{
    if (b->what->stage)
        b->what->stage(b->what->ctx, what);
}

bg_status bg_bench_go_on(const bg_bench_state *b, bg_error *err)
{
    if (b->what->stop && b->what->stop(b->what->ctx))
        return bg_fail(err, BG_ERR_INTERRUPTED, "interrupted before everything was measured");
    return BG_OK;
}

/* Few and nearly sorted; qsort may allocate. */
static void sort(double *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && x[k] < x[k - 1]; k--) {
            double t = x[k];
            x[k] = x[k - 1];
            x[k - 1] = t;
        }
}

static bg_status take_times(bg_bench_state *b, const bg_bench_work *w, bg_error *err)
{
    bg_bench_figure *f = &b->out->figures[w->job];
    double sum = 0;
    size_t n = 0;
    for (; n < LEAST_REPEATS || (sum < b->seconds && n < BG_BENCH_REPEATS); n++) {
        BG_TRY(bg_bench_go_on(b, err));
        BG_TRY(w->pass(w->ctx, NULL, &b->times[n], err));
        sum += b->times[n];
    }
    sort(b->times, n);
    f->repeats = (uint32_t)n;
    f->median = w->bytes / (n % 2 ? b->times[n / 2] : (b->times[n / 2 - 1] + b->times[n / 2]) / 2);
    f->min = w->bytes / b->times[n - 1];
    f->max = w->bytes / b->times[0];
    f->flops = f->share = NAN;
    return BG_OK;
}

static void tell_row(const bg_bench_state *b, const bg_bench_work *w, const bg_profile_row *r, double passes, double all)
{
    char shape[BG_PROFILE_SHAPE];
    const double units = passes * w->units;
    bg_profile_shape(r, shape);
    bg_bench_op op = { .job = w->job, .op = r->op, .shape = shape, .calls = (double)r->calls / units, .seconds = r->seconds / units,
                       .share = r->seconds / all, .flops = NAN, .peak_share = NAN };
    if (r->flop > 0) {
        op.flops = r->flop / r->seconds;
        op.peak_share = op.flops / b->out->peaks.product_flops;
    }
    b->what->op(b->what->ctx, &op);
}

/* The rows from the longest time down, and last what lies between the ops: the model's own code, drawing of symbols, the clock. */
static void tell_ops(bg_bench_state *b, const bg_bench_work *w, double passes, double all)
{
    bg_profile *p = b->profile;
    bg_profile_row rest = { .op = "between ops", .seconds = all };
    for (uint32_t i = 0; i < p->count; i++) {
        for (uint32_t k = i + 1; k < p->count; k++)
            if (p->rows[k].seconds > p->rows[i].seconds) {
                bg_profile_row t = p->rows[i];
                p->rows[i] = p->rows[k];
                p->rows[k] = t;
            }
        tell_row(b, w, &p->rows[i], passes, all);
        rest.seconds -= p->rows[i].seconds;
    }
    tell_row(b, w, &rest, passes, all);
}

/* Half the time of a figure: shares need less care than speeds. */
static bg_status take_profile(bg_bench_state *b, const bg_bench_work *w, bg_error *err)
{
    double sum = 0, seconds;
    uint64_t passes = 0;
    bg_profile_open(b->profile, b->machine.be);
    while (passes == 0 || sum < b->seconds / 2) {
        BG_TRY(bg_bench_go_on(b, err));
        BG_TRY(w->pass(w->ctx, b->profile, &seconds, err));
        sum += seconds;
        passes++;
    }
    tell_ops(b, w, (double)passes, sum);
    return BG_OK;
}

bg_status bg_bench_measure(bg_bench_state *b, const bg_bench_work *w, bg_error *err)
{
    BG_TRY(take_times(b, w, err));
    return b->what->op ? take_profile(b, w, err) : BG_OK;
}

/* --- a batch ---------------------------------------------------------------------------- */

/* Files of random bytes, start and end patch around them. */
static bg_status fill_batch(bg_batch *batch, const bg_bench_state *b, bg_error *err)
{
    const bg_config *c = &b->settings.config;
    const size_t symbols = (size_t)c->patches * c->patch_size;
    uint16_t *file = bg_alloc(b->machine.sys, symbols, sizeof *file);
    bg_rng r;
    if (!file)
        return bg_fail_memory(err, "a file to learn from", symbols * sizeof *file);
    for (uint32_t i = 0; i < b->settings.batch; i++) {
        bg_rng_open(&r, b->settings.seed, BG_STREAM_USER, i);
        bg_patch_start(file, "bin", c->patch_size);
        for (size_t k = c->patch_size; k < symbols - c->patch_size; k++)
            file[k] = (uint16_t)bg_rng_below(&r, 256);
        bg_patch_fill(file + symbols - c->patch_size, NULL, 0, c->patch_size);
        bg_batch_add(batch, file, c->patches, 1, 0);
    }
    bg_free(b->machine.sys, file);
    return BG_OK;
}

static bg_status first_weights(const bg_bench_state *b, bg_model *m, bg_error *err)
{
    const bg_params *p = bg_model_params(m);
    bg_backend *be = b->machine.be;
    float *flat = bg_alloc_zero(b->machine.sys, p->floats, sizeof *flat);
    if (!flat)
        return bg_fail_memory(err, "the first weights", (uint64_t)p->floats * sizeof *flat);
    bg_params_init(p, flat, b->settings.seed, BG_EMBEDDING_NORMAL);
    be->ops->write(be, bg_model_weights(m), flat, p->floats * sizeof *flat);
    bg_model_changed(m);
    b->out->parameters = p->parameters;
    bg_free(b->machine.sys, flat);
    return BG_OK;
}

/* --- training and evaluation ---------------------------------------------------------------- */

typedef struct fixture {
    bg_bench_state *b;
    bg_model *model;
    bg_optimizer optimizer; /* training only */
    bg_batch batch;
    double *nats;           /* (batch) */
    uint64_t step;
} fixture;

static void close_fixture(fixture *f)
{
    bg_optimizer_close(&f->optimizer);
    bg_model_close(f->model);
    bg_batch_close(&f->batch);
    bg_free(f->b->machine.sys, f->nats);
}

static bg_status fill_fixture(fixture *f, bg_weight_form form, bg_error *err)
{
    const bg_settings *s = &f->b->settings;
    const uint32_t rows = s->batch * s->config.patches;
    BG_TRY(bg_model_open(&f->model, &s->config, f->b->machine.be, form, err));
    if (form == BG_WEIGHTS_TRAIN)
        BG_TRY(bg_optimizer_open(&f->optimizer, f->model, s, err));
    BG_TRY(bg_model_reserve(f->model, rows, s->batch, 0, err));
    BG_TRY(bg_batch_open(&f->batch, f->b->machine.sys, s->config.patch_size, s->batch, rows, err));
    f->nats = bg_alloc_zero(f->b->machine.sys, s->batch, sizeof *f->nats);
    if (!f->nats)
        return bg_fail_memory(err, "the losses", s->batch * sizeof *f->nats);
    BG_TRY(fill_batch(&f->batch, f->b, err));
    return first_weights(f->b, f->model, err);
}

static bg_status train_step(fixture *f, bg_error *err)
{
    const bg_settings *s = &f->b->settings;
    const bg_noise noise = { (float)s->dropout, s->seed, f->step };
    bg_model_zero_grads(f->model);
    bg_model_train(f->model, &f->batch, (float)(1 / ((double)f->batch.targets * f->batch.P)), &noise, f->nats);
    const double norm = bg_optimizer_norm(&f->optimizer, 1);
    BG_TRY(f->b->machine.be->ops->sync(f->b->machine.be, err));
    if (!isfinite(norm))
        return bg_fail(err, BG_ERR_FAILED, "training diverged at step %llu: the gradient is not finite", (unsigned long long)f->step + 1);
    bg_optimizer_update(&f->optimizer, s, s->lr, norm, 1, ++f->step);
    return BG_OK;
}

static bg_status eval_step(fixture *f, bg_error *err)
{
    bg_model_eval(f->model, &f->batch, f->nats);
    return f->b->machine.be->ops->sync(f->b->machine.be, err);
}

static bg_status batch_pass(void *ctx, bg_profile *profile, double *seconds, bg_error *err)
{
    fixture *f = ctx;
    if (profile)
        bg_profile_on(profile);
    const double begin = bg_clock();
    bg_status s = f->optimizer.model ? train_step(f, err) : eval_step(f, err);
    *seconds = bg_clock() - begin;
    if (profile)
        bg_profile_off(profile);
    return s;
}

/* A step of training is worth three forward passes: the backward pass has two products for each of theirs. */
static bg_status measure_batches(fixture *f, bg_bench_job job, bg_error *err)
{
    const bg_settings *s = &f->b->settings;
    const double bytes = (s->config.patches - 2.0) * s->config.patch_size;
    const bg_bench_work w = { job, batch_pass, f, s->batch * bytes, 1 };
    double warm_up;
    BG_TRY(batch_pass(f, NULL, &warm_up, err));
    BG_TRY(bg_bench_measure(f->b, &w, err));
    bg_bench_figure *out = &f->b->out->figures[job];
    out->flops = out->median / bytes * (job == BG_BENCH_TRAIN ? 3 : 1) * bg_bench_forward_flop(&s->config);
    out->share = out->flops / f->b->out->peaks.product_flops;
    return BG_OK;
}

static bg_status training(bg_bench_state *b, bg_error *err)
{
    fixture f = { .b = b };
    bg_bench_stage(b, "training");
    bg_status s = fill_fixture(&f, BG_WEIGHTS_TRAIN, err);
    if (s == BG_OK)
        s = measure_batches(&f, BG_BENCH_TRAIN, err);
    close_fixture(&f);
    return s;
}

/* Evaluation and generation share a model that is opened without gradients, as the commands open it. */
static bg_status inference(bg_bench_state *b, bg_error *err)
{
    fixture f = { .b = b };
    bg_bench_stage(b, "evaluation");
    bg_status s = fill_fixture(&f, b->what->weights, err);
    if (s == BG_OK)
        s = measure_batches(&f, BG_BENCH_EVAL, err);
    if (s == BG_OK)
        s = bg_bench_generation(b, f.model, err);
    close_fixture(&f);
    return s;
}

/* --- all of it -------------------------------------------------------------------------------- */

static bg_status check(const bg_bench_state *b, bg_error *err)
{
    const bg_settings *s = &b->settings;
    enum { MOST_STREAMS = 4096 };
    bg_error why;
    BG_TRY(bg_settings_check(s, err));
    if (bg_config_check(&s->config, "the model", &why) != BG_OK) /* a wrong file elsewhere, here what the caller asked for */
        return bg_fail(err, BG_ERR_ARGUMENT, "%s", why.text);
    if (!(b->seconds > 0 && b->seconds <= 3600))
        return bg_fail(err, BG_ERR_ARGUMENT, "%g seconds for each figure make no sense; at most 3600", b->seconds);
    if (b->streams > MOST_STREAMS)
        return bg_fail(err, BG_ERR_ARGUMENT, "%u sequences side by side are too many; at most %d", b->streams, MOST_STREAMS);
    if (s->config.classes)
        return bg_fail(err, BG_ERR_ARGUMENT, "a classifier cannot generate; leave its classes out");
    if ((uint64_t)s->batch * s->config.patches > UINT32_MAX / BG_MAX_PATCH)
        return bg_fail(err, BG_ERR_ARGUMENT, "a batch of %u files of %u patches is too large", s->batch, s->config.patches);
    return BG_OK;
}

static bg_status run_all(bg_bench_state *b, const bg_machine_options *machine, bg_error *err)
{
    bg_bench_result *out = b->out;
    BG_TRY(check(b, err));
    BG_TRY(bg_machine_open(&b->machine, machine, &b->settings.config, err));
    b->profile = bg_alloc(b->machine.sys, 1, sizeof *b->profile);
    b->times = bg_alloc(b->machine.sys, BG_BENCH_REPEATS, sizeof *b->times);
    if (!b->profile || !b->times)
        return bg_fail_memory(err, "the table of times", BG_BENCH_REPEATS * sizeof *b->times + sizeof *b->profile);
    out->isa = bg_isa_name(b->machine.be->isa);
    out->precision = b->machine.be->precision;
    out->threads = bg_pool_threads(b->machine.pool);
    out->config = b->settings.config;
    out->batch = b->settings.batch;
    out->streams = b->streams;
    bg_bench_stage(b, "the machine's peaks");
    BG_TRY(bg_peaks_measure(&out->peaks, b->machine.be, fmin(b->seconds / 4, PEAK_SECONDS), b->what->stop, b->what->ctx, err));
    BG_TRY(training(b, err));
    return inference(b, err);
}

bg_status bg_bench_run(const bg_bench *what, const bg_machine_options *machine, bg_bench_result *out, bg_error *err)
{
    bg_bench_state b = { .what = what, .out = out };
    memset(out, 0, sizeof *out);
    b.settings = (bg_settings){ .config = what->config, .batch = what->batch, .seed = what->seed };
    bg_settings_defaults(&b.settings);
    b.streams = what->streams ? what->streams : 16;
    b.seconds = what->seconds != 0 ? what->seconds : 2;
    bg_status s = run_all(&b, machine, err);
    bg_free(b.machine.sys, b.times);
    bg_free(b.machine.sys, b.profile);
    bg_machine_close(&b.machine);
    return s;
}
