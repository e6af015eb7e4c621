/* The table of training settings, their defaults and their ranges.
 * Refuses values that no run could mean (a learning rate of 0, a dropout of
 * 1); what is merely unwise is the caller's choice. */
#include "run/settings.h"

#include "data/batch.h"
#include "data/grams.h"
#include "model/params.h"
#include "ops/ops.h"

#include <math.h>
#include <string.h>

static const char *const schedules[] = { "cosine", "constant", "stable" };
static const char *const previous[] = { "none", "column", "keys", "column+keys", "patch" };
static const char *const optimizers[] = { "adamw", "muon" };
static const char *const embeddings[] = { "normal", "bits", "levels" };

#define AT(field) offsetof(bg_settings, field)

/* The defaults of the shape are the size "mini" (run/sizes.c): the largest
 * that a few CPU cores train in an afternoon.  The optimiser's defaults are
 * AdamW's customary ones; the learning rate is three times the paper's 1e-4,
 * which was chosen for a model ten times as wide. */
const bg_row bg_settings_rows[] = {
    { "hidden", BG_ROW_U32, AT(config.hidden), 256, 0, 64, BG_MAX_HIDDEN, NULL },
    { "patch_layers", BG_ROW_U32, AT(config.patch_layers), 6, 0, 1, BG_MAX_LAYERS, NULL },
    { "byte_layers", BG_ROW_U32, AT(config.byte_layers), 2, 0, 0, BG_MAX_LAYERS, NULL },
    { "byte_hidden", BG_ROW_U32, AT(config.byte_hidden), 0, 0, 0, BG_MAX_HIDDEN, NULL },
    { "patches", BG_ROW_U32, AT(config.patches), 512, 0, 3, BG_MAX_PATCHES, NULL },
    { "patch_size", BG_ROW_U32, AT(config.patch_size), 16, 0, 1, BG_MAX_PATCH, NULL },
    { "classes", BG_ROW_U32, AT(config.classes), 0, 0, 0, BG_MAX_CLASSES, NULL },
    { "previous", BG_ROW_U32, AT(config.previous), BG_PREVIOUS_NONE, 0, BG_PREVIOUS_NONE, BG_PREVIOUS_PATCH, previous },
    { "grams", BG_ROW_U32, AT(config.grams), 0, 0, 0, BG_MAX_GRAMS, NULL },
    { "patch_grams", BG_ROW_U32, AT(config.patch_grams), 0, 0, 0, BG_MAX_GRAMS, NULL },
    { "rotary", BG_ROW_U32, AT(config.rotary), 0, 0, 0, 1, NULL },
    { "conv", BG_ROW_U32, AT(config.conv), 0, 0, 0, BG_MAX_TAPS, NULL },
    { "match", BG_ROW_U32, AT(config.match), 0, 0, 0, 1, NULL },
    { "classify", BG_ROW_U32, AT(classify), 0, 0, 0, 1, NULL },
    { "batch", BG_ROW_U32, AT(batch), 8, 0, 1, 65535, NULL },
    { "accumulate", BG_ROW_U32, AT(accumulate), 1, 0, 1, 65535, NULL },
    { "steps", BG_ROW_U64, AT(steps), 0, 0, 0, 1e15, NULL },
    { "epochs", BG_ROW_DOUBLE, AT(epochs), 0, 0, 0, 1e9, NULL },
    { "seconds", BG_ROW_DOUBLE, AT(seconds), 0, 0, 0, 1e10, NULL },
    { "lr", BG_ROW_DOUBLE, AT(lr), 3e-4, 0, 1e-30, 1e30, NULL },
    { "warmup", BG_ROW_DOUBLE, AT(warmup), 0.05, 1, 0, 1e15, NULL },
    { "schedule", BG_ROW_U32, AT(schedule), BG_COSINE, 0, BG_COSINE, BG_STABLE, schedules },
    { "min_lr", BG_ROW_DOUBLE, AT(min_lr), 0, 0, 0, 1, NULL },
    { "clip", BG_ROW_DOUBLE, AT(clip), 1, 1, 0, 1e30, NULL },
    { "weight_decay", BG_ROW_DOUBLE, AT(weight_decay), 0.01, 1, 0, 1e6, NULL },
    { "beta1", BG_ROW_DOUBLE, AT(beta1), 0.9, 0, 0, 0.999999, NULL },
    { "beta2", BG_ROW_DOUBLE, AT(beta2), 0.999, 0, 0, 0.9999999, NULL },
    { "eps", BG_ROW_DOUBLE, AT(eps), 1e-8, 0, 1e-30, 1, NULL },
    { "optimizer", BG_ROW_U32, AT(optimizer), BG_ADAMW, 0, BG_ADAMW, BG_MUON, optimizers },
    { "momentum", BG_ROW_DOUBLE, AT(momentum), 0.95, 1, 0, 0.9999, NULL },
    { "qk_lr", BG_ROW_DOUBLE, AT(qk_lr), 1, 0, 1e-6, 1e6, NULL },
    { "rest_lr", BG_ROW_DOUBLE, AT(rest_lr), 1, 0, 1e-6, 1e6, NULL },
    { "cooldown", BG_ROW_DOUBLE, AT(cooldown), 0.3, 1, 0, 1e15, NULL },
    { "dropout", BG_ROW_DOUBLE, AT(dropout), 0, 0, 0, 0.99, NULL },
    { "patch_sampling", BG_ROW_U32, AT(patch_sampling), 0, 0, 0, UINT32_MAX, NULL },
    { "loss_target", BG_ROW_U32, AT(loss_target), 0, 0, 0, 1, NULL },
    { "embedding_init", BG_ROW_U32, AT(embedding_init), BG_EMBEDDING_NORMAL, 0, BG_EMBEDDING_NORMAL, BG_EMBEDDING_LEVELS, embeddings },
    { "augment", BG_ROW_U32, AT(augment), 0, 0, 0, 1, NULL },
    { "skip_empty", BG_ROW_DOUBLE, AT(skip_empty), 0, 0, 0, 1, NULL },
    { "seed", BG_ROW_U64, AT(seed), 0, 0, 0, 1.8446744073709552e19, NULL },
    { "eval_every", BG_ROW_DOUBLE, AT(eval_every), 0, 0, -1e15, 1e15, NULL },
    { "patience", BG_ROW_U32, AT(patience), 0, 0, 0, UINT32_MAX, NULL },
    { "val_limit", BG_ROW_U32, AT(val_limit), 0, 0, 0, UINT32_MAX, NULL },
};
const size_t bg_settings_row_count = sizeof bg_settings_rows / sizeof bg_settings_rows[0];

static void *place(const bg_row *r, bg_settings *s) { return (char *)s + r->offset; }

double bg_row_get(const bg_row *r, const bg_settings *s)
{
    const void *p = (const char *)s + r->offset;
    switch (r->kind) {
    case BG_ROW_U32: return *(const uint32_t *)p;
    case BG_ROW_U64: return (double)*(const uint64_t *)p;
    default: return *(const double *)p;
    }
}

int bg_row_equal(const bg_row *r, const bg_settings *a, const bg_settings *b)
{
    size_t n = r->kind == BG_ROW_U32 ? sizeof(uint32_t) : sizeof(uint64_t);
    return memcmp((const char *)a + r->offset, (const char *)b + r->offset, n) == 0;
}

static void set(const bg_row *r, bg_settings *s, double x)
{
    switch (r->kind) {
    case BG_ROW_U32: *(uint32_t *)place(r, s) = (uint32_t)x; break;
    case BG_ROW_U64: *(uint64_t *)place(r, s) = (uint64_t)x; break;
    default: *(double *)place(r, s) = x; break;
    }
}

void bg_settings_defaults(bg_settings *s)
{
    for (size_t i = 0; i < bg_settings_row_count; i++) {
        const bg_row *r = &bg_settings_rows[i];
        double x = bg_row_get(r, s);
        if (x == 0 && r->standard != 0)
            set(r, s, r->standard);
        else if (x < 0 && r->negative_is_zero)
            set(r, s, 0);
    }
    if (s->config.byte_hidden == 0)
        s->config.byte_hidden = s->config.hidden;
    if (s->steps == 0 && s->epochs == 0 && s->seconds == 0)
        s->epochs = 1;
}

bg_status bg_settings_check(const bg_settings *s, bg_error *err)
{
    for (size_t i = 0; i < bg_settings_row_count; i++) {
        const bg_row *r = &bg_settings_rows[i];
        double x = bg_row_get(r, s);
        if (!(x >= r->min && x <= r->max)) /* NaN fails */
            return bg_fail(err, BG_ERR_ARGUMENT, "%s is %g, but must lie between %g and %g", r->name, x, r->min, r->max);
    }
    return BG_OK;
}

uint64_t bg_settings_steps(const bg_settings *s, uint64_t items)
{
    uint64_t total = s->steps;
    if (s->epochs > 0) {
        double n = ceil(s->epochs * (double)items / ((double)s->batch * s->accumulate));
        uint64_t by_epochs = n < 1 ? 1 : n > 1e15 ? (uint64_t)1e15 : (uint64_t)n;
        if (total == 0 || by_epochs < total)
            total = by_epochs;
    }
    return total;
}
