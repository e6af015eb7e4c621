/* bgpt_train_run: the public description of a run as the library's own. */
#include "api/api.h"

#include "run/named_recipes.h"
#include "run/train.h"

/* What the callbacks of a run need. */
typedef struct relay { const bgpt_train *t; } relay;

static int progress(void *ctx, const bg_progress *p)
{
    const bgpt_train *t = ((const relay *)ctx)->t;
    const bgpt_progress out = {
        .step = p->step, .steps = p->steps, .epoch = p->epoch, .epochs = p->epochs, .loss = p->loss, .lr = p->lr, .grad_norm = p->grad_norm,
        .bytes = p->bytes, .bytes_per_second = p->bytes_per_second, .seconds = p->seconds, .seconds_left = p->seconds_left,
        .evaluated = p->evaluated, .val_loss = p->val_loss, .val_bits_per_byte = p->val_bits_per_byte, .val_accuracy = p->val_accuracy,
        .best = p->best, .saved = p->saved,
    };
    return t->progress ? t->progress(t->ctx, &out) : 0;
}

static int stop(void *ctx)
{
    const bgpt_train *t = ((const relay *)ctx)->t;
    return t->stop ? t->stop(t->ctx) : 0;
}

static void notice(void *ctx, const char *sentence)
{
    const bgpt_train *t = ((const relay *)ctx)->t;
    if (t->notice)
        t->notice(t->ctx, sentence);
}

_Static_assert((int)BGPT_COSINE == (int)BG_COSINE && (int)BGPT_CONSTANT == (int)BG_CONSTANT && (int)BGPT_STABLE == (int)BG_STABLE &&
                   (int)BGPT_ADAMW == (int)BG_ADAMW && (int)BGPT_MUON == (int)BG_MUON &&
                   (int)BGPT_EMBEDDING_NORMAL == (int)BG_EMBEDDING_NORMAL && (int)BGPT_EMBEDDING_LEVELS == (int)BG_EMBEDDING_LEVELS,
               "schedules, optimisers and embeddings must have the same values");

static bg_settings settings_of(const bgpt_train *t)
{
    return (bg_settings){
        .config = bg_api_config(&t->config), .classify = t->classify != 0, .batch = t->batch, .accumulate = t->accumulate,
        .schedule = (uint32_t)t->schedule, .patch_sampling = t->patch_sampling, .loss_target = t->loss_target != 0, .augment = t->augment != 0,
        .val_limit = t->val_limit, .steps = t->steps, .seed = t->seed, .epochs = t->epochs, .seconds = t->seconds,
        .lr = t->lr, .min_lr = t->min_lr, .warmup = t->warmup, .clip = t->clip, .weight_decay = t->weight_decay,
        .beta1 = t->beta1, .beta2 = t->beta2, .eps = t->eps, .dropout = t->dropout, .eval_every = t->eval_every,
        .optimizer = (uint32_t)t->optimizer, .momentum = t->momentum, .rest_lr = t->rest_lr, .qk_lr = t->qk_lr, .cooldown = t->cooldown,
        .embedding_init = (uint32_t)t->embedding_init, .skip_empty = t->skip_empty,
        .patience = t->patience,
    };
}

bgpt_status bgpt_recipe(const char *name, bgpt_train *t, bgpt_error *err)
{
    bg_error e;
    const bg_named_recipe *r = bg_named_recipe_find(name, &e);
    if (!r)
        return bg_api_return(err, e.code, &e);
    const bg_settings *s = &r->settings;
    t->config.previous = s->config.previous;
    t->config.grams = s->config.grams;
    t->config.match = s->config.match;
    t->config.patch_grams = s->config.patch_grams;
    t->config.rotary = s->config.rotary;
    t->config.conv = s->config.conv;
    t->batch = s->batch;
    t->lr = s->lr;
    t->min_lr = s->min_lr;
    t->warmup = s->warmup;
    t->schedule = (bgpt_schedule)s->schedule;
    t->cooldown = s->cooldown;
    t->clip = s->clip;
    t->weight_decay = s->weight_decay;
    t->beta1 = s->beta1;
    t->beta2 = s->beta2;
    t->eps = s->eps;
    t->optimizer = (bgpt_optimizer)s->optimizer;
    t->momentum = s->momentum;
    t->rest_lr = s->rest_lr;
    t->qk_lr = s->qk_lr;
    t->embedding_init = (bgpt_embedding_init)s->embedding_init;
    t->dropout = s->dropout;
    return bg_api_return(err, BG_OK, &e);
}

const char *bgpt_recipe_name(size_t i) { return bg_named_recipe_at(i) ? bg_named_recipe_at(i)->name : NULL; }
const char *bgpt_recipe_about(size_t i) { return bg_named_recipe_at(i) ? bg_named_recipe_at(i)->about : NULL; }

bgpt_status bgpt_train_run(const bgpt_train *t, const bgpt_options *opt, bgpt_error *err)
{
    relay ctx = { t };
    bg_api_sys hooks;
    bg_error e;
    const bg_sys *sys = bg_api_sys_open(&hooks, opt);
    const bg_machine_options machine = bg_api_machine(opt, sys);
    const bg_train run = {
        .settings = settings_of(t), .data = t->data.paths, .data_count = t->data.count,
        .validation = t->validation.paths, .validation_count = t->validation.count,
        .pairs = t->data.pairs, .out = t->out, .init = t->init, .init_patches = t->init_patches,
        .init_patch_layers = t->init_patch_layers, .init_byte_layers = t->init_byte_layers, .init_grams = t->init_grams, .init_patch_grams = t->init_patch_grams,
        .resume = t->resume, .overwrite = t->overwrite,
        .tensorboard = t->tensorboard, .save_every = t->save_every, .keep = t->keep, .metadata = t->metadata, .version = bgpt_version(),
        .progress = progress, .stop = stop, .notice = notice, .ctx = &ctx,
    };
    return bg_api_return(err, bg_train_run(&run, &machine, &e), &e);
}
