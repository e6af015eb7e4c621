/* bgpt classify: the label of each file, and how sure the model is. */
#include "cli/confusion.h"
#include "cli/models.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "prepare/prepare.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct classify_arguments {
    common common;
    const char *model;
    uint64_t top;
    bool as_it_is;
    int weights;           /* a bgpt_weights */
} classify_arguments;

static const option classify_options[] = {
    MODEL_ROW(classify_arguments),
    WEIGHTS_ROW(classify_arguments),
    { "top", 0, OPTION_COUNT, offsetof(classify_arguments, top), 1, 65535, "3", "K", "labels shown for a file, the likeliest first" },
    { "as-is", 0, OPTION_FLAG, offsetof(classify_arguments, as_it_is), 0, 0, NULL, NULL, "do not prepare the files as the model's training files were" },
};

/* A file is read whole although only its first patches count; one beyond this
 * size is more likely a mistake than something to label. */
static const uint64_t size_limit = UINT64_C(1) << 30;

typedef struct work {
    const classify_arguments *arguments;
    const bgpt_options *machine;
    bgpt_model *model;
    uint32_t classes;
    const char *prepared; /* how its training files were, in words; NULL: nobody knows, or it does not matter */
    float *logits;    /* (classes) */
    uint32_t *order;  /* (classes) likeliest first */
    json_t *files;    /* array, or NULL */
    int code;         /* the worst so far */
} work;

/* Likeliest first; equal logits in the order of the labels.  A selection sort
 * of the few that are shown. */
static void rank(work *w, uint32_t shown)
{
    for (uint32_t i = 0; i < w->classes; i++)
        w->order[i] = i;
    for (uint32_t i = 0; i < shown; i++) {
        uint32_t best = i;
        for (uint32_t k = i + 1; k < w->classes; k++) {
            if (w->logits[w->order[k]] > w->logits[w->order[best]])
                best = k;
        }
        uint32_t label = w->order[best];
        memmove(&w->order[i + 1], &w->order[i], (best - i) * sizeof *w->order);
        w->order[i] = label;
    }
}

static double sum_of_exponentials(const work *w, float largest)
{
    double sum = 0;
    for (uint32_t i = 0; i < w->classes; i++)
        sum += exp((double)w->logits[i] - largest);
    return sum;
}

static void report_text(const work *w, const char *path, uint32_t shown)
{
    float largest = w->logits[w->order[0]];
    double sum = sum_of_exponentials(w, largest);
    char number[LABEL_NUMBER];
    out("%s: %s", plain(path), plain(label_text(w->model, w->order[0], number)));
    for (uint32_t i = 0; i < shown; i++) {
        double p = exp((double)w->logits[w->order[i]] - largest) / sum;
        if (i == 0)
            out(" %.4f", p);
        else
            out("%s%s %.4f", i == 1 ? "  (" : ", ", plain(label_text(w->model, w->order[i], number)), p);
    }
    out(shown > 1 ? ")\n" : "\n");
}

static void report_json(const work *w, const char *path)
{
    json_t *logits = json_object();
    char number[LABEL_NUMBER];
    for (uint32_t i = 0; i < w->classes; i++)
        json_object_set_new(logits, label_text(w->model, i, number), json_number(w->logits[i]));
    json_array_append_new(w->files, json_pack("{s:o, s:o, s:o}", "file", json_text(path), "label",
                                              json_text(label_text(w->model, w->order[0], number)), "logits", logits));
}

static bool prepares(const work *w, const char *path) { return w->prepared != NULL && !is_dash(path); }

/* As it is, or brought to the form of the training files first. */
static int read_file(const work *w, const char *path, uint8_t **data, size_t *size, const char **extension)
{
    bgpt_error error = { 0 };
    bg_error why = { 0 };
    *extension = path_extension(path);
    if (!prepares(w, path))
        return bgpt_read_file(path, size_limit, data, size, w->machine, &error) != BGPT_OK ? fail_with(&error) : 0;
    const bg_status s = prepare_once(w->prepared, path, data, size, extension, &why);
    return s != BG_OK ? fail((bgpt_status)s, "%s", why.text) : 0;
}

static void free_file(const work *w, const char *path, uint8_t *data)
{
    if (prepares(w, path))
        bg_free(bg_sys_default(), data);
    else
        bgpt_free_data(data, w->machine);
}

static int classify_file(work *w, const char *path)
{
    if (w->prepared != NULL && is_dash(path))
        notice("standard input is taken as it is; files are prepared first, as the model's training files were: %s", w->prepared);
    bgpt_error error = { 0 };
    uint8_t *data = NULL;
    const char *extension;
    size_t size;
    int cut = 0, code;
    uint32_t shown = w->arguments->top < w->classes ? (uint32_t)w->arguments->top : w->classes;
    if ((code = read_file(w, path, &data, &size, &extension)) != 0)
        return code;
    bgpt_status status = bgpt_classify(w->model, data, size, extension, w->logits, &cut, &error);
    free_file(w, path, data);
    if (status != BGPT_OK)
        return fail(status, "%s: %s", path, error.text);
    if (cut)
        notice("%s: longer than the context: judged by its beginning", path);
    rank(w, shown);
    if (w->files != NULL)
        report_json(w, path);
    else
        report_text(w, path, shown);
    return 0;
}

static void on_file(void *ctx, const char *path)
{
    work *w = ctx;
    w->code = worse(w->code, classify_file(w, path));
}

/* Each operand by itself, so that a missing one does not stop the others. */
static int classify_all(work *w)
{
    const common *c = &w->arguments->common;
    for (size_t i = 0; i < c->operand_count; i++) {
        bgpt_data data = { .paths = &c->operands[i], .count = 1 };
        bgpt_error error = { 0 };
        if (is_dash(c->operands[i]))
            on_file(w, c->operands[i]);
        else if (bgpt_list_files(&data, on_file, w, w->machine, &error) != BGPT_OK)
            w->code = worse(w->code, fail_with(&error));
    }
    return w->code;
}

/* Sounds and pictures; texts and tunes are as they are. */
static const char *prepared_as(const bgpt_model *m)
{
    const char *key, *value;
    for (size_t i = 0; bgpt_metadata(m, i, &key, &value); i++)
        if (strcmp(key, "prepare") == 0 && (strncmp(value, "audio ", 6) == 0 || strncmp(value, "image ", 6) == 0))
            return value;
    return NULL;
}

static int classify(const classify_arguments *a, bgpt_model *m, const bgpt_options *o)
{
    work w = { .arguments = a, .machine = o, .model = m, .classes = bgpt_get_config(m).classes };
    int code;
    w.prepared = a->as_it_is ? NULL : prepared_as(m);
    if (w.classes == 0)
        return fail(BGPT_ERR_FORMAT, "%s: is not a classifier (train --classify makes one)", a->model);
    w.logits = calloc(w.classes, sizeof *w.logits);
    w.order = calloc(w.classes, sizeof *w.order);
    w.files = a->common.json ? json_array() : NULL;
    if (w.logits == NULL || w.order == NULL)
        code = fail(BGPT_ERR_MEMORY, "out of memory");
    else
        code = classify_all(&w);
    if (w.files != NULL)
        out_json(json_pack("{s:O}", "files", w.files));
    json_decref(w.files);
    free(w.logits);
    free(w.order);
    return code;
}

static int run_classify(void *arguments)
{
    const classify_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    o.weights = (bgpt_weights)a->weights;
    bgpt_model *m = NULL;
    int code = a->model == NULL ? usage_error("-m MODEL is missing") : machine_announce(&o, NULL, NULL);
    if (code == 0)
        code = model_open(&m, a->model, &o);
    if (code == 0)
        code = classify(a, m, &o);
    bgpt_close(m);
    return code;
}

const command command_classify = {
    .name = "classify",
    .summary = "label files: bgpt classify -m MODEL FILE...",
    .usage = "-m MODEL FILE... [options]",
    .details = "Prints for each file the likeliest label and its probability, then the next likeliest in brackets. The model must be "
               "a classifier (train --classify). Folders are walked, @list.txt names a file a line, - is standard input. With "
               "--format=json every label's logit is given.",
    .examples = "bgpt classify -m run/model.safetensors letter.txt\n"
                "bgpt classify -m run/model.safetensors --format=json inbox/",
    ROWS_OF(classify_options),
    .arguments_size = sizeof(classify_arguments),
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operand_name = "FILE",
    .run = run_classify,
};
