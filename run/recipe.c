/* Writing and reading a run's recipe (see recipe.h).
 * Refuses texts with unknown keys, wrong kinds or values out of range; does
 * not look at the files that the recipe names. */
#include "run/recipe.h"

#include "run/checksum.h"

#include <string.h>

void bg_recipe_open(bg_recipe *r, const bg_sys *sys)
{
    memset(r, 0, sizeof *r);
    r->sys = sys;
    bg_meta_open(&r->metadata, sys);
}

static void free_list(const bg_sys *sys, char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bg_free(sys, list[i]);
    bg_free(sys, list);
}

void bg_recipe_close(bg_recipe *r)
{
    if (!r->sys)
        return;
    free_list(r->sys, r->data, r->data_count);
    free_list(r->sys, r->validation, r->validation_count);
    bg_free(r->sys, r->init);
    bg_meta_close(&r->metadata);
    memset(r, 0, sizeof *r);
}

/* Append a copy of s (n bytes) to a list of strings. */
static bg_status push(const bg_sys *sys, char ***list, size_t *count, const char *s, bg_error *err)
{
    char **bigger = bg_alloc(sys, *count + 1, sizeof **list);
    char *copy = bg_strdup(sys, s);
    if (!bigger || !copy) {
        bg_free(sys, bigger);
        bg_free(sys, copy);
        return bg_fail_memory(err, "the list of data paths", (*count + 1) * sizeof **list);
    }
    if (*count)
        memcpy(bigger, *list, *count * sizeof **list);
    bigger[*count] = copy;
    bg_free(sys, *list);
    *list = bigger;
    (*count)++;
    return BG_OK;
}

static bg_status push_all(const bg_sys *sys, char ***list, size_t *count, const char *const *from, size_t n, bg_error *err)
{
    free_list(sys, *list, *count);
    *list = NULL;
    *count = 0;
    for (size_t i = 0; i < n; i++)
        BG_TRY(push(sys, list, count, from[i], err));
    return BG_OK;
}

/* config.json is JSON, and JSON is UTF-8: another name could not be found again on resume. */
static bg_status check_utf8(const char *const *paths, size_t n, bg_error *err)
{
    for (size_t i = 0; i < n; i++)
        for (const char *p = paths[i]; *p;) {
            const size_t length = bg_utf8_length(p, strlen(p));
            if (!length)
                return bg_fail(err, BG_ERR_ARGUMENT, "the name %s is not UTF-8, so the run's settings cannot hold it: rename it, or name a folder above it", paths[i]);
            p += length;
        }
    return BG_OK;
}

static bg_status replace(const bg_sys *sys, char **place, const char *s, bg_error *err)
{
    char *copy = bg_strdup(sys, s);
    if (!copy)
        return bg_fail_memory(err, "a path", strlen(s) + 1);
    bg_free(sys, *place);
    *place = copy;
    return BG_OK;
}

bg_status bg_recipe_paths(bg_recipe *r, const char *const *data, size_t data_count, const char *const *validation, size_t validation_count, const char *init, bg_error *err)
{
    BG_TRY(check_utf8(data, data_count, err));
    BG_TRY(check_utf8(validation, validation_count, err));
    BG_TRY(check_utf8(&init, init ? 1 : 0, err));
    if (data_count)
        BG_TRY(push_all(r->sys, &r->data, &r->data_count, data, data_count, err));
    if (validation_count)
        BG_TRY(push_all(r->sys, &r->validation, &r->validation_count, validation, validation_count, err));
    return init ? replace(r->sys, &r->init, init, err) : BG_OK;
}

/* --- writing ---------------------------------------------------------------- */

static void write_row(bg_text *t, const bg_row *row, const bg_settings *s)
{
    const void *p = (const char *)s + row->offset;
    bg_text_add(t, "  \"%s\": ", row->name);
    if (row->names)
        bg_text_json(t, row->names[*(const uint32_t *)p]);
    else if (row->kind == BG_ROW_DOUBLE)
        bg_text_double(t, *(const double *)p);
    else
        bg_text_add(t, "%llu", row->kind == BG_ROW_U32 ? (unsigned long long)*(const uint32_t *)p : (unsigned long long)*(const uint64_t *)p);
    bg_text_add(t, ",\n");
}

static void write_list(bg_text *t, const char *name, char *const *list, size_t n)
{
    bg_text_add(t, "  \"%s\": [", name);
    for (size_t i = 0; i < n; i++) {
        bg_text_add(t, "%s", i ? ", " : "");
        bg_text_json(t, list[i]);
    }
    bg_text_add(t, "],\n");
}

static void write_word(bg_text *t, const char *name, const char *word)
{
    if (!*word)
        return;
    bg_text_add(t, "  \"%s\": ", name);
    bg_text_json(t, word);
    bg_text_add(t, ",\n");
}

/* The short strings of a recipe, by name. */
static char *word_place(bg_recipe *r, const char *name)
{
    struct { const char *name; char *place; } words[] = {
        { "pairs", r->pairs }, { "isa", r->isa }, { "precision", r->precision },
        { "data_sum", r->data_sum }, { "validation_sum", r->validation_sum }, { "init_sum", r->init_sum },
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(name, words[i].name) == 0)
            return words[i].place;
    return NULL;
}

bg_status bg_recipe_write(const bg_recipe *r, bg_text *t, bg_error *err)
{
    bg_text_add(t, "{\n");
    for (size_t i = 0; i < bg_settings_row_count; i++)
        write_row(t, &bg_settings_rows[i], &r->settings);
    write_word(t, "pairs", r->pairs);
    write_word(t, "isa", r->isa);
    write_word(t, "precision", r->precision);
    write_word(t, "init", r->init ? r->init : "");
    write_word(t, "init_sum", r->init_sum);
    write_list(t, "data", r->data, r->data_count);
    write_word(t, "data_sum", r->data_sum);
    write_list(t, "validation", r->validation, r->validation_count);
    write_word(t, "validation_sum", r->validation_sum);
    bg_text_add(t, "  \"metadata\": {");
    for (size_t i = 0; i < r->metadata.count; i++) {
        bg_text_add(t, "%s", i ? ", " : "");
        bg_text_json(t, r->metadata.keys[i]);
        bg_text_add(t, ": ");
        bg_text_json(t, r->metadata.values[i]);
    }
    bg_text_add(t, "}\n}\n");
    return t->failed ? bg_fail_memory(err, "the text of config.json", t->size) : BG_OK;
}

/* --- reading ---------------------------------------------------------------- */

static int read_name(bg_json *j, const bg_row *row, uint32_t *out)
{
    char word[BG_RECIPE_WORD];
    if (!bg_json_string(j, word, sizeof word))
        return 0;
    for (uint32_t i = 0; i <= (uint32_t)row->max; i++)
        if (strcmp(word, row->names[i]) == 0) {
            *out = i;
            return 1;
        }
    return 0;
}

static int read_row(bg_json *j, const bg_row *row, bg_settings *s)
{
    void *p = (char *)s + row->offset;
    uint64_t n;
    if (row->names)
        return read_name(j, row, p);
    if (row->kind == BG_ROW_DOUBLE)
        return bg_json_double(j, p);
    if (!bg_json_u64(j, &n) || (row->kind == BG_ROW_U32 && n > UINT32_MAX))
        return 0;
    if (row->kind == BG_ROW_U32)
        *(uint32_t *)p = (uint32_t)n;
    else
        *(uint64_t *)p = n;
    return 1;
}

/* A string of any length as a fresh copy; *out stays NULL when there is none. */
static bg_status read_string(const bg_sys *sys, bg_json *j, char **out, bg_error *err)
{
    const char *raw;
    size_t n;
    *out = NULL;
    if (!bg_json_raw_string(j, &raw, &n))
        return BG_OK; /* j->failed says it */
    *out = bg_alloc(sys, n + 1, 1);
    if (!*out)
        return bg_fail_memory(err, "a string of the run's settings", n + 1);
    (*out)[bg_json_unescape(*out, raw, n)] = 0;
    return BG_OK;
}

static bg_status read_list(bg_recipe *r, bg_json *j, char ***list, size_t *count, bg_error *err)
{
    if (!bg_json_enter(j, '['))
        return BG_OK;
    while (bg_json_item(j)) {
        char *s;
        BG_TRY(read_string(r->sys, j, &s, err));
        if (!s)
            return BG_OK;
        bg_status status = push(r->sys, list, count, s, err);
        bg_free(r->sys, s);
        BG_TRY(status);
    }
    return BG_OK;
}

static bg_status read_metadata(bg_recipe *r, bg_json *j, bg_error *err)
{
    char key[256], *value;
    if (!bg_json_enter(j, '{'))
        return BG_OK;
    while (bg_json_key(j, key, sizeof key)) {
        BG_TRY(read_string(r->sys, j, &value, err));
        if (!value)
            return BG_OK;
        bg_status status = bg_meta_set(&r->metadata, key, value, err);
        bg_free(r->sys, value);
        BG_TRY(status);
    }
    return BG_OK;
}

/* The value of one key; *known is set to 0 when the key or its value is wrong. */
static bg_status read_value(bg_recipe *r, bg_json *j, const char *key, int *known, bg_error *err)
{
    *known = 1;
    for (size_t i = 0; i < bg_settings_row_count; i++)
        if (strcmp(key, bg_settings_rows[i].name) == 0) {
            *known = read_row(j, &bg_settings_rows[i], &r->settings);
            return BG_OK;
        }
    char *word = word_place(r, key);
    if (word) {
        *known = bg_json_string(j, word, BG_RECIPE_WORD);
        return BG_OK;
    }
    if (strcmp(key, "data") == 0)
        return read_list(r, j, &r->data, &r->data_count, err);
    if (strcmp(key, "validation") == 0)
        return read_list(r, j, &r->validation, &r->validation_count, err);
    if (strcmp(key, "metadata") == 0)
        return read_metadata(r, j, err);
    if (strcmp(key, "init") == 0 && !r->init)
        return read_string(r->sys, j, &r->init, err);
    *known = 0;
    return BG_OK;
}

bg_status bg_recipe_read(bg_recipe *r, const char *json, size_t size, const char *where, bg_error *err)
{
    bg_json j;
    char key[128];
    bg_json_open(&j, json, size);
    r->settings.qk_lr = 1; /* of runs that were begun before there was this setting */
    if (!bg_json_enter(&j, '{'))
        return bg_fail(err, BG_ERR_FORMAT, "%s: not the settings of a run", where);
    while (bg_json_key(&j, key, sizeof key)) {
        int known;
        BG_TRY(read_value(r, &j, key, &known, err));
        if (!known)
            return bg_fail(err, BG_ERR_FORMAT, "%s: \"%s\" is unknown or has a wrong value", where, key);
    }
    if (!bg_json_end(&j))
        return bg_fail(err, BG_ERR_FORMAT, "%s: byte %zu: %s", where, j.at, j.why ? j.why : "not the settings of a run");
    bg_error range;
    if (bg_settings_check(&r->settings, &range) != BG_OK)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s", where, range.text);
    return BG_OK;
}

/* --- what the data is --------------------------------------------------------- */

static void add_file(bg_sum *sum, const bg_source *f)
{
    const char *slash = strrchr(f->path, '/');
    const char *name = slash ? slash + 1 : f->path;
    bg_sum_add(sum, name, strlen(name) + 1);
    bg_sum_add(sum, &f->size, sizeof f->size);
}

void bg_listing_sum(char out[BG_RECIPE_WORD], const bg_dataset *d)
{
    bg_sum sum;
    bg_sum_open(&sum);
    if (d->made) /* the name decides all of them */
        bg_sum_add(&sum, d->files[0].path, strlen(d->files[0].path) + 1);
    for (size_t i = 0; i < d->item_count && !d->made; i++) {
        const bg_item *item = &d->items[i];
        add_file(&sum, &d->files[item->a]);
        if (item->b != UINT32_MAX)
            add_file(&sum, &d->files[item->b]);
        bg_sum_add(&sum, &item->label, sizeof item->label);
    }
    bg_sum_text(&sum, out);
}
