/* What a run is going to be: its recipe and its data, from the caller's
 * wishes or from where the run folder says it stands.
 * Refuses to go on with other data than the run was started with. */
#include "run/trainer.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

/* --- a new run --------------------------------------------------------------- */

/* The shape of the model to start from; a classifier has no byte decoder. */
static bg_status shape_of_init(bg_trainer *r, const char *path, bg_error *err)
{
    bg_st_file f = { 0 };
    bg_config c, *ours = &r->recipe.settings.config;
    BG_TRY(bg_st_open(&f, r->sys, path, err));
    bg_status s = bg_file_config(&c, &f, err);
    bg_st_close(&f);
    BG_TRY(s);
    if (c.byte_layers == 0) {
        c.byte_layers = ours->byte_layers;
        c.byte_hidden = c.hidden;
    }
    c.classes = 0; /* the new labels decide */
    *ours = c;
    return BG_OK;
}

static bg_status copy_word(char out[BG_RECIPE_WORD], const char *word, const char *what, bg_error *err)
{
    if (word && strlen(word) >= BG_RECIPE_WORD)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s '%.40s...' is longer than %d characters", what, word, BG_RECIPE_WORD - 1);
    snprintf(out, BG_RECIPE_WORD, "%s", word ? word : "");
    return BG_OK;
}

static bg_status check_paths(const bg_train *t, bg_error *err)
{
    if (t->data_count == 0)
        return bg_fail(err, BG_ERR_ARGUMENT, "there is no data to train on: name files or folders");
    if (t->settings.classify && t->pairs)
        return bg_fail(err, BG_ERR_ARGUMENT, "pairs have no labels: train for conversion or for classification");
    return BG_OK;
}

static bg_status plan_new(bg_trainer *r, const bg_train *t, bg_error *err)
{
    bg_recipe *p = &r->recipe;
    BG_TRY(check_paths(t, err));
    p->settings = t->settings;
    p->settings.config.classes = 0;
    bg_settings_defaults(&p->settings);
    BG_TRY(copy_word(p->pairs, t->pairs, "the pair", err));
    BG_TRY(bg_recipe_paths(p, t->data, t->data_count, t->validation, t->validation_count, t->init, err));
    for (const char *const *m = t->metadata; m && m[0]; m += 2)
        BG_TRY(bg_meta_set(&p->metadata, m[0], m[1], err));
    if (t->version)
        BG_TRY(bg_meta_set(&p->metadata, "bgpt_version", t->version, err));
    BG_TRY(bg_settings_check(&p->settings, err));
    return t->init ? shape_of_init(r, t->init, err) : BG_OK;
}

/* --- a run that goes on ---------------------------------------------------------- */

/* config.json, or when it is lost or damaged the copy in a checkpoint;
 * r->recipe_text stays NULL when there is neither. */
static bg_status find_recipe(bg_trainer *r, const bg_train *t, bg_error *err)
{
    bg_error why = { BG_OK, "" };
    size_t size;
    uint8_t *text = NULL;
    char *path = bg_folder_path(r->sys, t->out, "config.json");
    if (!path)
        return bg_fail_path(err, t->out);
    bg_status s = bg_exists(r->sys, path) ? bg_read_file(r->sys, path, 1u << 26, &text, &size, &why) : BG_OK;
    r->recipe_text = (char *)text;
    if (s == BG_OK && r->recipe_text)
        s = bg_recipe_read(&r->recipe, r->recipe_text, size, path, &why);
    bg_free(r->sys, path);
    if (s != BG_OK && s != BG_ERR_FORMAT)
        return bg_fail(err, s, "%s", why.text);
    if (s == BG_OK && r->recipe_text)
        return BG_OK;

    bg_free(r->sys, r->recipe_text);
    bg_recipe_close(&r->recipe);
    bg_recipe_open(&r->recipe, r->sys);
    BG_TRY(bg_checkpoint_recipe(&r->recipe_text, r->sys, t->out, err));
    if (!r->recipe_text)
        return s == BG_OK ? BG_OK : bg_fail(err, s, "%s", why.text);
    bg_notify(t->notice, t->ctx, "%s/config.json is %s; the settings are taken from a checkpoint", t->out, s == BG_OK ? "missing" : "damaged");
    return bg_recipe_read(&r->recipe, r->recipe_text, strlen(r->recipe_text), t->out, err);
}

/* Say which of the caller's wishes the stored settings overrule. */
static void name_differences(const bg_trainer *r, const bg_train *t)
{
    bg_settings asked = t->settings;
    char names[256];
    size_t n = 0;
    bg_settings_defaults(&asked);
    for (size_t i = 0; i < bg_settings_row_count; i++) {
        const bg_row *row = &bg_settings_rows[i];
        if (bg_row_get(row, &t->settings) == 0 || bg_row_equal(row, &asked, &r->recipe.settings) || n >= sizeof names)
            continue;
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", row->name);
    }
    if (n)
        bg_notify(t->notice, t->ctx, "the run in %s goes on with its own settings; other wishes are not heard (%s)", t->out, names);
}

static bg_status plan_again(bg_trainer *r, const bg_train *t, bg_error *err)
{
    name_differences(r, t);
    /* the same files may go by other paths now, and so may the model to start from */
    return bg_recipe_paths(&r->recipe, t->data, t->data_count, r->recipe.validation_sum[0] ? t->validation : NULL,
                           r->recipe.validation_sum[0] ? t->validation_count : 0, r->recipe.init ? t->init : NULL, err);
}

/* --- data ------------------------------------------------------------------------- */

static bg_status open_data(bg_trainer *r, const bg_train *t, bg_error *err)
{
    const bg_recipe *p = &r->recipe;
    const bg_settings *s = &p->settings;
    bg_dataset_options o = {
        .pairs = p->pairs[0] ? p->pairs : NULL, .P = s->config.patch_size, .N = s->config.patches, .training = 1,
        .labelled = (int)s->classify, .loss_target = (int)s->loss_target, .notice = t->notice, .ctx = t->ctx,
    };
    BG_TRY(bg_dataset_open(&r->data, r->sys, (const char *const *)p->data, p->data_count, &o, err));
    if (s->classify && r->data.labels.count < 2)
        return bg_fail(err, BG_ERR_FORMAT, "all %zu files have the one label %s, so there is nothing to tell apart", r->data.file_count,
                       r->data.labels.count ? r->data.labels.names[0] : "");
    r->has_validation = p->validation_count > 0;
    if (!r->has_validation)
        return BG_OK;
    o.training = 0;
    o.labels = s->classify ? &r->data.labels : NULL;
    o.loss_target = 1; /* a conversion is judged by its target */
    return bg_dataset_open(&r->validation, r->sys, (const char *const *)p->validation, p->validation_count, &o, err);
}

static bg_status check_sum(const bg_trainer *r, const char *what, const char *stored, const char *found, bg_error *err)
{
    if (strcmp(stored, found) == 0)
        return BG_OK;
    return bg_fail(err, BG_ERR_ARGUMENT, "%s: the %s is not that of the run (names, sizes and order give %s, the run has %s), so it cannot go on", r->t->out,
                   what, *found ? found : "nothing", *stored ? stored : "none");
}

static bg_status check_data(bg_trainer *r, int again, bg_error *err)
{
    char data[BG_RECIPE_WORD], validation[BG_RECIPE_WORD] = "";
    bg_listing_sum(data, &r->data);
    if (r->has_validation)
        bg_listing_sum(validation, &r->validation);
    if (again) {
        BG_TRY(check_sum(r, "data", r->recipe.data_sum, data, err));
        return check_sum(r, "validation data", r->recipe.validation_sum, validation, err);
    }
    memcpy(r->recipe.data_sum, data, sizeof data);
    memcpy(r->recipe.validation_sum, validation, sizeof validation);
    bg_config *c = &r->recipe.settings.config;
    if (r->recipe.settings.classify) {
        c->classes = (uint32_t)r->data.labels.count;
        c->byte_layers = 0;
        c->byte_hidden = c->hidden;
    }
    bg_error why;
    return bg_config_check(c, "the model", &why) == BG_OK ? BG_OK : bg_fail(err, BG_ERR_ARGUMENT, "%s", why.text);
}

bg_status bg_trainer_plan(bg_trainer *r, bg_error *err)
{
    const bg_train *t = r->t;
    if (t->resume)
        BG_TRY(find_recipe(r, t, err));
    int again = r->recipe_text != NULL;
    if (t->resume && !again)
        bg_notify(t->notice, t->ctx, "%s holds no run to go on with, so one is started", t->out);
    BG_TRY(again ? plan_again(r, t, err) : plan_new(r, t, err));
    BG_TRY(open_data(r, t, err));
    return check_data(r, again, err);
}
