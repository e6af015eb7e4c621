/* What a run is going to be: its recipe and its data, from the caller's
 * wishes or from where the run folder says it stands.
 * Refuses to go on with other data than the run was started with. */
#include "run/trainer.h"

#include "run/checksum.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- a new run --------------------------------------------------------------- */

static bg_status deeper(uint32_t *layers, uint32_t wanted, const char *decoder, const char *init, bg_error *err)
{
    if (wanted && wanted < *layers)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: the %s decoder has %u layers, and cannot begin with %u: layers are added, none is left out", init, decoder, *layers, wanted);
    *layers = wanted ? wanted : *layers;
    return BG_OK;
}

/* The shape of the model to start from, but for what is asked for; a classifier has no byte decoder. */
static bg_status shape_of_init(bg_trainer *r, const bg_train *t, bg_error *err)
{
    bg_st_file f = { 0 };
    bg_config c, *ours = &r->recipe.settings.config;
    BG_TRY(bg_st_open(&f, r->sys, t->init, err));
    bg_status s = bg_file_config(&c, &f, err);
    bg_st_close(&f);
    BG_TRY(s);
    if (c.byte_layers == 0) {
        c.byte_layers = t->init_byte_layers ? t->init_byte_layers : ours->byte_layers;
        c.byte_hidden = c.hidden;
    } else if (!t->settings.classify) { /* which leaves the byte decoder out */
        BG_TRY(deeper(&c.byte_layers, t->init_byte_layers, "byte", t->init, err));
    }
    c.classes = 0; /* the new labels decide */
    BG_TRY(deeper(&c.patch_layers, t->init_patch_layers, "patch", t->init, err));
    if (t->init_patches)
        c.patches = t->init_patches;
    if (t->init_grams)
        c.grams = t->init_grams > 0 ? (uint32_t)t->init_grams : 0;
    if (c.patch_grams == 0)
        c.patch_grams = ours->patch_grams; /* of a recipe */
    if (t->init_patch_grams)
        c.patch_grams = t->init_patch_grams > 0 ? (uint32_t)t->init_patch_grams : 0;
    *ours = c;
    return bg_config_check(&c, t->init, err);
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
    if (t->settings.patience && t->validation_count == 0)
        return bg_fail(err, BG_ERR_ARGUMENT, "patience is about held-out figures: name validation data");
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
    if (!t->init)
        return BG_OK;
    BG_TRY(shape_of_init(r, t, err));
    return bg_file_sum(p->init_sum, r->sys, t->init, err);
}

/* --- a run that goes on ---------------------------------------------------------- */

/* A run that was killed while it took the folder over from an older one: finish that. */
static bg_status finish_taking(const bg_trainer *r, const bg_train *t, bg_error *err)
{
    size_t size;
    uint8_t *text = NULL;
    char *path = bg_folder_path(r->sys, t->out, BG_FOLDER_TAKING);
    if (!path)
        return bg_fail_path(err, t->out);
    bg_status s = BG_OK;
    if (bg_exists(r->sys, path)) {
        s = bg_read_file(r->sys, path, 1u << 26, &text, &size, err);
        if (s == BG_OK)
            s = bg_folder_take(r->sys, t->out, (const char *)text, err);
        if (s == BG_OK)
            bg_notify(t->notice, t->ctx, "the run that was being replaced in %s is removed; the new one starts", t->out);
    }
    bg_free(r->sys, text);
    bg_free(r->sys, path);
    return s;
}

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

/* Length of the folder part of a path; 0: the current folder. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* What is written into must not be read from: none of the files may lie in the run folder itself.
 * Files are sorted, so those of one folder mostly follow each other. */
static bg_status check_outside(const bg_trainer *r, const bg_dataset *d, bg_error *err)
{
    const char *last = NULL;
    for (size_t i = 0; i < d->file_count && !d->made; i++) {
        const char *path = d->files[i].path;
        const size_t n = folder_length(path);
        if (last && folder_length(last) == n && strncmp(last, path, n) == 0)
            continue;
        last = path;
        int inside;
        BG_TRY(bg_folder_is_parent(&inside, r->sys, r->t->out, path, err));
        if (inside)
            return bg_fail(err, BG_ERR_ARGUMENT, "%s lies in the run folder, which is written to; choose another --out", path);
    }
    return BG_OK;
}

/* Held-out figures of files that were trained on say little. */
static void name_overlap(const bg_trainer *r, const bg_train *t)
{
    size_t both = 0;
    if (r->data.made || r->validation.made)
        return; /* programs for evaluation are others */
    for (size_t i = 0, k = 0; i < r->data.file_count && k < r->validation.file_count;) {
        const int order = strcmp(r->data.files[i].path, r->validation.files[k].path);
        both += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
    if (both)
        bg_notify(t->notice, t->ctx, "%zu of the %zu validation files are trained on too, so their scores are not held-out", both, r->validation.file_count);
}

/* Only sounds and pictures change (data/augment.h); by their names, none may be here. */
static void name_unchanged(const bg_trainer *r, const bg_train *t)
{
    size_t changing = 0;
    for (size_t i = 0; i < r->data.file_count; i++)
        changing += strcasecmp(r->data.files[i].extension, "wav") == 0 || strcasecmp(r->data.files[i].extension, "bmp") == 0;
    if (changing == 0)
        bg_notify(t->notice, t->ctx, "no file is called .wav or .bmp, so there may be nothing that changes a little each time");
}

static bg_status open_data(bg_trainer *r, const bg_train *t, bg_error *err)
{
    const bg_recipe *p = &r->recipe;
    const bg_settings *s = &p->settings;
    bg_dataset_options o = {
        .pairs = p->pairs[0] ? p->pairs : NULL, .P = s->config.patch_size, .N = s->config.patches, .training = 1,
        .labelled = (int)s->classify, .loss_target = (int)s->loss_target, .augment = (int)s->augment, .skip_empty = s->skip_empty, .exclude = t->out, .notice = t->notice, .ctx = t->ctx,
    };
    BG_TRY(bg_dataset_open(&r->data, r->sys, (const char *const *)p->data, p->data_count, &o, err));
    BG_TRY(check_outside(r, &r->data, err));
    if (r->data.item_count == SIZE_MAX && s->epochs > 0)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s has no end, so no epochs: limit the run by steps or by time, or the programs by a count", r->data.files[0].path);
    if (s->skip_empty > 0 && !(r->data.made && s->loss_target))
        return bg_fail(err, BG_ERR_ARGUMENT, "empty memory can be left out of programs only, and only with loss on the target: from %s nothing can", r->data.files[0].path);
    if (s->augment)
        name_unchanged(r, t);
    if (s->classify && r->data.labels.count < 2)
        return bg_fail(err, BG_ERR_FORMAT, "all %zu files have the one label %s, so there is nothing to tell apart", r->data.file_count,
                       r->data.labels.count ? r->data.labels.names[0] : "");
    r->has_validation = p->validation_count > 0;
    if (!r->has_validation)
        return BG_OK;
    o.training = o.augment = 0;
    o.labels = s->classify ? &r->data.labels : NULL;
    o.loss_target = 1; /* a conversion is judged by its target */
    BG_TRY(bg_dataset_open(&r->validation, r->sys, (const char *const *)p->validation, p->validation_count, &o, err));
    name_overlap(r, t);
    return check_outside(r, &r->validation, err);
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
        const size_t classes = r->recipe.settings.classify ? r->data.labels.count : 0;
        if (classes != r->recipe.settings.config.classes)
            return bg_fail(err, BG_ERR_FORMAT, "%s/config.json says %u classes, but the data has %zu labels", r->t->out, (unsigned)r->recipe.settings.config.classes, classes);
        return check_sum(r, "validation data", r->recipe.validation_sum, validation, err);
    }
    memcpy(r->recipe.data_sum, data, sizeof data);
    memcpy(r->recipe.validation_sum, validation, sizeof validation);
    bg_config *c = &r->recipe.settings.config;
    if (r->recipe.settings.classify) {
        c->classes = (uint32_t)r->data.labels.count;
        c->byte_layers = 0;
        c->byte_hidden = c->hidden;
        c->previous = BG_PREVIOUS_NONE;
        c->grams = 0;
        c->match = 0;
    }
    bg_error why;
    return bg_config_check(c, "the model", &why) == BG_OK ? BG_OK : bg_fail(err, BG_ERR_ARGUMENT, "%s", why.text);
}

bg_status bg_trainer_plan(bg_trainer *r, bg_error *err)
{
    const bg_train *t = r->t;
    if (t->resume) {
        BG_TRY(finish_taking(r, t, err));
        BG_TRY(find_recipe(r, t, err));
    }
    int again = r->recipe_text != NULL;
    if (t->resume && !again)
        bg_notify(t->notice, t->ctx, "%s holds no run to go on with, so one is started", t->out);
    BG_TRY(again ? plan_again(r, t, err) : plan_new(r, t, err));
    BG_TRY(open_data(r, t, err));
    return check_data(r, again, err);
}
