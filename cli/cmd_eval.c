/* bgpt eval: what a model makes of files it has not seen, file by file and in
 * all.  For a classifier, how often it is right and where it errs. */
#include "cli/confusion.h"
#include "cli/models.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct eval_arguments {
    common common;
    const char *model, *pairs;
    uint64_t batch;
    int weights;           /* a bgpt_weights */
    text_list confusion;
    bool force;
} eval_arguments;

static const option eval_options[] = {
    MODEL_ROW(eval_arguments),
    WEIGHTS_ROW(eval_arguments),
    { "pairs", 0, OPTION_TEXT, offsetof(eval_arguments, pairs), 0, 0, NULL, "A:B",
      "score the conversion of x.A into x.B (abc:mid), or both ways (abc+mid); figures are those of the target file" },
    { "batch", 0, OPTION_COUNT, offsetof(eval_arguments, batch), 1, 4096, "8", "N", "files side by side; the figures do not depend on it" },
    { "confusion", 0, OPTION_LIST, offsetof(eval_arguments, confusion), 0, 0, NULL, "FILE",
      "of a classifier: write the confusion matrix to FILE.csv or, as a picture, FILE.png; may be given several times" },
    { "force", 'f', OPTION_FLAG, offsetof(eval_arguments, force), 0, 0, NULL, NULL, "overwrite existing files of --confusion" },
};

/* What the callbacks see. */
typedef struct table {
    const bgpt_model *model;
    bool classifier, json;
    json_t *files; /* array, with json */
    uint64_t done;
    bool rule_told; /* what becomes of a file beyond the context */
    calibration calibration;
} table;

static json_t *score_json(const table *t, const bgpt_score *s)
{
    json_t *o = json_pack("{s:o, s:o, s:o, s:o}", "bytes", json_count(s->bytes), "symbols", json_count(s->symbols),
                          "nats_per_symbol", json_number(s->nats_per_symbol), "reference_bpb", json_number(s->reference_bpb));
    json_object_set_new(o, "bits_per_byte", json_number(s->bits_per_byte));
    if (s->file != NULL)
        json_object_set_new(o, "file", json_text(s->file));
    if (t->classifier && s->label >= 0)
        json_object_set_new(o, "label", json_text(bgpt_label(t->model, (uint32_t)s->label)));
    if (t->classifier && s->predicted >= 0)
        json_object_set_new(o, "predicted", json_text(bgpt_label(t->model, (uint32_t)s->predicted)));
    if (t->classifier && s->predicted >= 0)
        json_object_set_new(o, "confidence", json_number(s->confidence));
    return o;
}

static void print_head(const table *t)
{
    if (t->classifier)
        out("%10s  %-5s  file\n", "bytes", "right");
    else
        out("%10s  %10s  %11s  %13s  %9s  file\n", "bytes", "symbols", "nats/symbol", "reference BPB", "bits/byte");
}

static void print_score(const bgpt_score *s, const char *name)
{
    out("%10llu  %10llu  %11.6f  %13.6f  %9.6f  %s\n", (unsigned long long)s->bytes, (unsigned long long)s->symbols,
        s->nats_per_symbol, s->reference_bpb, s->bits_per_byte, plain(name));
}

static void print_prediction(const table *t, const bgpt_score *s)
{
    bool right = s->label == s->predicted;
    char number[LABEL_NUMBER];
    out("%10llu  %-5s  %s", (unsigned long long)s->bytes, right ? "yes" : "no", plain(s->file));
    if (!right && s->predicted >= 0)
        out(": taken for %s", plain(label_text(t->model, (uint32_t)s->predicted, number)));
    out("\n");
}

/* Said once, and only of files that need it. */
static void tell_context_rule(table *t, uint64_t patches)
{
    const bgpt_config c = bgpt_get_config(t->model);
    if (t->rule_told || patches <= c.patches)
        return;
    t->rule_told = true;
    if (t->classifier)
        notice("files longer than %u patches of %u bytes are judged by their first %u patches", c.patches, c.patch_size, c.patches);
    else
        notice("files longer than the context (%u patches of %u bytes) are scored in windows, each byte once, "
               "with at least %u patches before it", c.patches, c.patch_size, c.patches / 2 - 1);
}

static void on_file(void *ctx, const bgpt_score *s)
{
    table *t = ctx;
    char text[64];
    tell_context_rule(t, s->patches);
    if (t->done++ == 0 && !t->json)
        print_head(t);
    if (t->classifier)
        calibration_add(&t->calibration, s->confidence, s->label == s->predicted);
    if (t->json)
        json_array_append_new(t->files, score_json(t, s));
    else if (t->classifier)
        print_prediction(t, s);
    else
        print_score(s, s->file);
    if (t->json && progress_due()) { /* the table is progress enough where it is shown */
        snprintf(text, sizeof text, "%llu files scored", (unsigned long long)t->done);
        progress_show(text);
    }
}

static void print_total(const table *t, const bgpt_score *total, const confusion *c)
{
    char name[64];
    if (t->classifier) {
        confusion_print(c);
        return;
    }
    snprintf(name, sizeof name, "in all (%llu)", (unsigned long long)t->done);
    print_score(total, name);
}

static json_t *report_json(const table *t, const bgpt_score *total, const confusion *c, bool pairs, const char *isa, const char *precision)
{
    bgpt_score sum = *total;
    sum.file = NULL;
    sum.label = sum.predicted = -1;
    json_t *o = json_pack("{s:s, s:s, s:O, s:o}", "precision", precision, "isa", isa, "files", t->files, "total", score_json(t, &sum));
    if (pairs)
        json_object_set_new(o, "left_out", json_count(total->left_out));
    if (t->classifier)
        confusion_json(c, o);
    return o;
}

/* What the 8-bit weights cost: the same files through the same model with full weights. */
typedef struct comparison {
    bool made;
    double bits_per_byte, accuracy; /* with full weights */
} comparison;

static int compare(const eval_arguments *a, bgpt_options o, comparison *full)
{
    bgpt_model *m = NULL;
    bgpt_eval e = { .data = { a->common.operands, a->common.operand_count, a->pairs }, .stop = stop_hook };
    bgpt_score total = { 0 };
    bgpt_error error = { 0 };
    o.weights = BGPT_WEIGHTS_FULL;
    int code = model_open(&m, a->model, &o);
    if (code == 0) {
        bgpt_status status = bgpt_evaluate(m, &e, &total, &full->accuracy, NULL, &error);
        if (status == BGPT_ERR_INTERRUPTED)
            code = fail(BGPT_ERR_FAILED, "interrupted while scoring with full weights");
        else if (status != BGPT_OK)
            code = fail_with(&error);
    }
    full->bits_per_byte = total.bits_per_byte;
    full->made = code == 0;
    bgpt_close(m);
    return code;
}

static void print_comparison(const comparison *full, const bgpt_score *total, const confusion *c, bool classifier)
{
    if (classifier)
        out("8-bit weights: accuracy %.4f, %+.4f beside %.4f with full weights\n", c->accuracy, c->accuracy - full->accuracy, full->accuracy);
    else
        out("8-bit weights cost %+.6f bits/byte (%.6f with full weights)\n", total->bits_per_byte - full->bits_per_byte, full->bits_per_byte);
}

static void comparison_json(const comparison *full, const bgpt_score *total, const confusion *c, bool classifier, json_t *o)
{
    json_object_set_new(o, "weights", json_text("int8"));
    if (classifier) {
        json_object_set_new(o, "full_accuracy", json_number(full->accuracy));
        json_object_set_new(o, "accuracy_gained", json_number(c->accuracy - full->accuracy));
    } else {
        json_object_set_new(o, "full_bits_per_byte", json_number(full->bits_per_byte));
        json_object_set_new(o, "weights_cost_bits_per_byte", json_number(total->bits_per_byte - full->bits_per_byte));
    }
}

static int check_files(const eval_arguments *a)
{
    int code = 0;
    for (size_t i = 0; i < a->confusion.count && code == 0; i++) {
        const char *path = a->confusion.items[i];
        code = confusion_file_check(path, a->force);
        if (code == 0)
            code = refuse_same(path, a->model, "model");
        for (size_t k = 0; k < a->common.operand_count && code == 0; k++)
            code = refuse_same(path, a->common.operands[k], "scored file");
    }
    return code;
}

static int save_files(const eval_arguments *a, const confusion *c, const bgpt_options *o)
{
    int code = 0;
    for (size_t i = 0; i < a->confusion.count; i++)
        code = worse(code, confusion_save(c, a->confusion.items[i], a->force, o));
    return code;
}

/* All files are scored: the sums, what narrow weights cost, the files that were asked for. */
static int report(const eval_arguments *a, const table *t, const bgpt_score *total, const confusion *c, const bgpt_options *o, const char *isa, const char *precision)
{
    comparison full = { 0 };
    int code = 0;
    if (!t->json)
        print_total(t, total, c);
    if (o->weights == BGPT_WEIGHTS_INT8)
        code = compare(a, *o, &full);
    if (code == 0 && full.made && !t->json)
        print_comparison(&full, total, c, t->classifier);
    if (code == 0 && t->json) {
        json_t *object = report_json(t, total, c, a->pairs != NULL, isa, precision);
        if (full.made)
            comparison_json(&full, total, c, t->classifier, object);
        out_json(object);
    }
    return code == 0 && t->classifier ? save_files(a, c, o) : code;
}

static int evaluate(const eval_arguments *a, bgpt_model *m, const bgpt_options *o, const char *isa, const char *precision)
{
    bgpt_config config = bgpt_get_config(m);
    bool classifier = config.classes > 0;
    table t = { .model = m, .classifier = classifier, .json = a->common.json, .files = json_array() };
    bgpt_eval e = { .data = { a->common.operands, a->common.operand_count, a->pairs },
                    .file = on_file, .notice = notice_hook, .stop = stop_hook, .ctx = &t };
    uint64_t *counts = classifier ? calloc((size_t)config.classes * config.classes, sizeof *counts) : NULL;
    confusion c = { .model = m, .classes = config.classes, .counts = counts, .calibration = &t.calibration };
    bgpt_score total = { 0 };
    bgpt_error error = { 0 };
    int code = 0;
    if (!classifier && a->confusion.count > 0) {
        code = usage_error("--confusion: %s is not a classifier", a->model);
    } else if (t.files == NULL || (classifier && counts == NULL)) {
        code = fail(BGPT_ERR_MEMORY, "out of memory");
    } else {
        bgpt_status status = bgpt_evaluate(m, &e, &total, &c.accuracy, counts, &error);
        if (status == BGPT_ERR_INTERRUPTED)
            code = fail(BGPT_ERR_FAILED, "interrupted after %llu files", (unsigned long long)t.done);
        else if (status != BGPT_OK)
            code = fail_with(&error);
        else
            code = report(a, &t, &total, &c, o, isa, precision);
    }
    json_decref(t.files);
    free(counts);
    return code;
}

static int run_eval(void *arguments)
{
    const eval_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    o.weights = (bgpt_weights)a->weights;
    const char *isa, *precision;
    bgpt_model *m = NULL;
    o.batch = (unsigned)a->batch;
    if (a->model == NULL)
        return usage_error("-m MODEL is missing");
    int code = check_files(a);
    if (code == 0)
        code = machine_announce(&o, &isa, &precision);
    if (code == 0)
        code = model_open(&m, a->model, &o);
    if (code == 0) {
        signals_catch(NULL);
        code = evaluate(a, m, &o, isa, precision);
    }
    bgpt_close(m);
    return code;
}

const command command_eval = {
    .name = "eval",
    .summary = "score files: bgpt eval -m MODEL FOLDER",
    .usage = "-m MODEL DATA... [options]",
    .details = "Scores files: nats per symbol; reference BPB, the mean over all predicted symbols as in the paper, padding and end "
               "included; and bits per byte, all bits spent on a file divided by its bytes, which is comparable with a compressor. "
               "With --pairs the figures are those of the target file; pairs longer than the context are left out and counted.\n\n"
               "For a classifier (train --classify): for each file whether it is recognised, then recall and precision of each "
               "label, the confusion matrix, calibration (how often it is right beside how sure it is, in ten bins; their mean distance is the expected "
               "calibration error), accuracy and macro F1.\n\n"
               "With --weights int8 the files are scored a second time with full weights, and the difference is the last line.",
    .examples = "bgpt eval -m run/model.safetensors held-out/\n"
                "bgpt eval -m run/model.safetensors held-out/ --pairs abc:mid --format=json",
    ROWS_OF(eval_options),
    .arguments_size = sizeof(eval_arguments),
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operand_name = "DATA",
    .run = run_eval,
};
