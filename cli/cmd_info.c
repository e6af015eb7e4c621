/* bgpt info: what is in a model file.  With --check every value is read, so
 * that a damaged or diverged model is found. */
#include "cli/confusion.h"
#include "cli/models.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "cli/values.h"
#include <stdio.h>
#include <string.h>

typedef struct info_arguments {
    common common;
    bool check, tensors;
} info_arguments;

static const option info_options[] = {
    { "check", 0, OPTION_FLAG, offsetof(info_arguments, check), 0, 0, NULL, NULL,
      "read every value: mean, deviation and range of each tensor; fails when one is not a finite number" },
    { "tensors", 0, OPTION_FLAG, offsetof(info_arguments, tensors), 0, 0, NULL, NULL, "list the tensors (also with -v)" },
};

static const struct config_row {
    const char *key, *meaning;
    size_t offset;
} config_rows[] = {
    { "hidden", "width", offsetof(bgpt_config, hidden) },
    { "patch_layers", "patch layers", offsetof(bgpt_config, patch_layers) },
    { "byte_layers", "byte layers", offsetof(bgpt_config, byte_layers) },
    { "byte_hidden", "byte width", offsetof(bgpt_config, byte_hidden) },
    { "grams", "rows of n-grams", offsetof(bgpt_config, grams) },
    { "patch_grams", "n-grams of patches", offsetof(bgpt_config, patch_grams) },
    { "conv", "patches convolved", offsetof(bgpt_config, conv) },
    { "patches", "context in patches", offsetof(bgpt_config, patches) },
    { "patch_size", "bytes of a patch", offsetof(bgpt_config, patch_size) },
    { "classes", "labels", offsetof(bgpt_config, classes) },
};
enum { CONFIG_ROWS = sizeof config_rows / sizeof config_rows[0], PREVIOUS_WORD = sizeof SHAPE_PREVIOUS };

static uint32_t config_value(const bgpt_config *c, const struct config_row *row)
{
    uint32_t value;
    memcpy(&value, (const char *)c + row->offset, sizeof value);
    return value;
}

/* --- JSON ------------------------------------------------------------------- */

static json_t *config_json(const bgpt_config *c)
{
    json_t *o = json_object();
    for (size_t i = 0; i < CONFIG_ROWS; i++)
        json_object_set_new(o, config_rows[i].key, json_integer(config_value(c, &config_rows[i])));
    char word[PREVIOUS_WORD];
    choice_word(SHAPE_PREVIOUS, (int)c->previous, word, sizeof word);
    json_object_set_new(o, "previous", json_string(word));
    json_object_set_new(o, "match", json_boolean(c->match));
    json_object_set_new(o, "rotary", json_boolean(c->rotary));
    return o;
}

/* Metadata are strings; those that are JSON texts (numbers, lists) are given
 * as what they say. */
static json_t *fact_json(const char *value)
{
    json_t *said = json_loads(value, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    return said != NULL ? said : json_text(value);
}

static json_t *training_json(const bgpt_model *m)
{
    json_t *o = json_object();
    const char *key, *value;
    for (size_t i = 0; bgpt_metadata(m, i, &key, &value); i++) {
        if (strcmp(key, "labels") != 0)
            json_object_set_new(o, key, fact_json(value));
    }
    return o;
}

static json_t *tensor_json(const bgpt_tensor_info *t, bool checked)
{
    json_t *shape = json_array();
    for (uint32_t d = 0; d < t->dims; d++)
        json_array_append_new(shape, json_count(t->shape[d]));
    json_t *o = json_pack("{s:o, s:o}", "name", json_text(t->name), "shape", shape);
    if (checked) {
        json_object_set_new(o, "mean", json_number(t->mean));
        json_object_set_new(o, "std", json_number(t->std));
        json_object_set_new(o, "min", json_number(t->min));
        json_object_set_new(o, "max", json_number(t->max));
    }
    return o;
}

static json_t *info_json(const bgpt_model *m, json_t *tensors)
{
    bgpt_config c = bgpt_get_config(m);
    json_t *o = json_pack("{s:o, s:o, s:o, s:o}", "config", config_json(&c), "parameters", json_count(bgpt_parameters(m)),
                          "labels", labels_json(m, c.classes), "training", training_json(m));
    if (tensors != NULL)
        json_object_set(o, "tensors", tensors);
    return o;
}

/* --- text ---------------------------------------------------------------------- */

static void print_facts(const bgpt_model *m)
{
    bgpt_config c = bgpt_get_config(m);
    const char *key, *value, *label;
    for (size_t i = 0; i < CONFIG_ROWS; i++)
        out("%-20s  %u\n", config_rows[i].meaning, config_value(&c, &config_rows[i]));
    char word[PREVIOUS_WORD];
    choice_word(SHAPE_PREVIOUS, (int)c.previous, word, sizeof word);
    out("%-20s  %s\n", "sees of patch before", word);
    out("%-20s  %s\n", "looks for matches", c.match ? "yes" : "no");
    out("%-20s  %s\n", "rotary positions", c.rotary ? "yes" : "no");
    out("%-20s  %llu\n", "parameters", (unsigned long long)bgpt_parameters(m));
    for (size_t i = 0; bgpt_metadata(m, i, &key, &value); i++) {
        if (strcmp(key, "labels") != 0)
            out("%-20s  %s\n", plain(key), plain(value));
    }
    for (uint32_t i = 0; i < c.classes && (label = bgpt_label(m, i)) != NULL; i++)
        out("%-20s  %s\n", i == 0 ? "labels" : "", plain(label));
}

static void print_tensor(const bgpt_tensor_info *t, bool checked)
{
    char shape[48];
    if (t->dims == 2)
        snprintf(shape, sizeof shape, "%llu x %llu", (unsigned long long)t->shape[0], (unsigned long long)t->shape[1]);
    else
        snprintf(shape, sizeof shape, "%llu", (unsigned long long)t->shape[0]);
    out("%-52s  %14s", t->name, shape);
    if (checked)
        out("  mean %11.4g  std %11.4g  %11.4g to %11.4g", t->mean, t->std, t->min, t->max);
    out("\n");
}

/* --- tensors ---------------------------------------------------------------------- */

/* List (into `list` when not NULL, else as text when `shown`), and read when asked to. */
static int walk_tensors(bgpt_model *m, const info_arguments *a, bool shown, json_t *list)
{
    bgpt_tensor_info t;
    for (size_t i = 0; memset(&t, 0, sizeof t), bgpt_tensor(m, i, &t); i++) {
        bgpt_error error = { 0 };
        if (a->check && bgpt_tensor_check(m, i, &t, &error) != BGPT_OK)
            return fail_with(&error);
        if (list != NULL)
            json_array_append_new(list, tensor_json(&t, a->check));
        else if (shown)
            print_tensor(&t, a->check);
    }
    return 0;
}

static int run_info(void *arguments)
{
    const info_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    bool shown = a->check || a->tensors || a->common.verbose;
    json_t *tensors = a->common.json && shown ? json_array() : NULL;
    bgpt_model *m = NULL;
    int code = model_open(&m, a->common.operands[0], &o);
    if (code == 0 && !a->common.json)
        print_facts(m);
    if (code == 0)
        code = walk_tensors(m, a, shown && !a->common.json, tensors);
    if (code == 0 && a->common.json)
        out_json(info_json(m, tensors));
    else if (code == 0 && a->check)
        out("every value is a finite number\n");
    json_decref(tensors);
    bgpt_close(m);
    return code;
}

const command command_info = {
    .name = "info",
    .summary = "what is in a model: bgpt info MODEL",
    .usage = "MODEL [--check] [options]",
    .details = "Prints the shape, the number of parameters, what the file says about its training, and the labels of a classifier. "
               "--check reads every value and shows the range of each tensor.",
    .examples = "bgpt info run/model.safetensors\nbgpt info --check run/model.safetensors",
    ROWS_OF(info_options),
    .arguments_size = sizeof(info_arguments),
    .min_operands = 1,
    .max_operands = 1,
    .operand_name = "MODEL",
    .run = run_info,
};
