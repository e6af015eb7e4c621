/* bgpt inspect: what every byte of a file cost a model, to see where it was
 * surprised. */
#include "cli/heat.h"
#include "cli/made_text.h"
#include "cli/models.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/signals.h"
#include <stdlib.h>
#include <string.h>

typedef struct inspect_arguments {
    common common;
    const char *model, *pairs, *output;
    uint64_t from, length;
    int weights; /* a bgpt_weights */
    bool force;
} inspect_arguments;

static const option inspect_options[] = {
    MODEL_ROW(inspect_arguments),
    WEIGHTS_ROW(inspect_arguments),
    { "pairs", 0, OPTION_TEXT, offsetof(inspect_arguments, pairs), 0, 0, NULL, "A:B", "inspect the conversion of x.A into x.B: both files are given, the target is shown" },
    { "from", 0, OPTION_BYTES, offsetof(inspect_arguments, from), 0, 1e15, "0", "N", "show bytes from this place on; the model reads all" },
    { "length", 0, OPTION_BYTES, offsetof(inspect_arguments, length), 1, 1e15, NULL, "N", "show so many bytes; without it 4096 on the screen, all in a page, up to 4 million in a picture" },
    { "output", 'o', OPTION_TEXT, offsetof(inspect_arguments, output), 0, 0, NULL, "FILE",
      "FILE.html: a page to look at, in one file; FILE.png: a picture; without it standard output" },
    { "force", 'f', OPTION_FLAG, offsetof(inspect_arguments, force), 0, 0, NULL, NULL, "overwrite an existing file" },
};

enum { SCREEN = 4096, DEAREST = 10 };

typedef struct result {
    heat heat;
    uint64_t files;
    bgpt_score score;
} result;

static void take_symbols(void *ctx, const uint16_t *symbols, const float *nats, size_t n)
{
    result *r = ctx;
    if (r->files == 0)
        heat_take(&r->heat, symbols, nats, n);
}

static void on_file(void *ctx, const bgpt_score *s)
{
    result *r = ctx;
    if (r->files++ == 0)
        r->score = *s;
}

static bool is_picture(const inspect_arguments *a) { return strcmp(path_extension(a->output), "png") == 0; }

static int check_arguments(const inspect_arguments *a)
{
    const size_t due = a->pairs != NULL ? 2 : 1;
    if (a->model == NULL)
        return usage_error("-m MODEL is missing");
    if (a->common.operand_count != due)
        return usage_error(due == 2 ? "--pairs: give the two files" : "one file is inspected at a time");
    if (a->pairs != NULL && strchr(a->pairs, '+') != NULL)
        return usage_error("--pairs: one way only here, as abc:mid");
    if (a->output != NULL && a->common.json)
        return usage_error("--format=json and -o cannot both be had");
    if (a->output != NULL && strcmp(path_extension(a->output), "html") != 0 && !is_picture(a))
        return usage_error("-o: %s: expected a name that ends in .html or .png", a->output);
    for (size_t i = 0; i < due && a->output != NULL; i++)
        if (refuse_same(a->output, a->common.operands[i], "inspected file") != 0)
            return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    return a->output != NULL ? refuse_existing(a->output, a->force) : 0;
}

/* --- reports ------------------------------------------------------------------------------ */

/* The part to be shown. */
static void range_of(const inspect_arguments *a, const result *r, size_t standard, size_t *from, size_t *to)
{
    const size_t size = r->heat.size;
    uint64_t length = a->length ? a->length : standard;
    *from = a->from < size ? (size_t)a->from : size;
    *to = length < size - *from ? *from + (size_t)length : size;
}

static void report_json(const inspect_arguments *a, const result *r)
{
    json_t *bits = json_array();
    size_t from, to;
    range_of(a, r, SIZE_MAX, &from, &to);
    for (size_t i = from; i < to; i++)
        json_array_append_new(bits, json_number(r->heat.bits[i]));
    out_json(json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "file", json_text(a->common.operands[a->common.operand_count - 1]), "bytes", json_count(r->heat.size),
                       "bits_per_byte", json_number(r->score.bits_per_byte), "end_bits", json_number(r->heat.end_bits), "from", json_count(from), "bits", bits));
}

static void report_text(const inspect_arguments *a, const result *r)
{
    size_t from, to, places[DEAREST];
    range_of(a, r, SCREEN, &from, &to);
    heat_print(&r->heat, from, to);
    if (from > 0 || to < r->heat.size)
        notice("bytes %zu to %zu of %zu are shown; --from and --length choose", from, to, r->heat.size);
    out("\n%zu bytes, %.4f bits per byte, %.1f bits for the end\n", r->heat.size, r->score.bits_per_byte, r->heat.end_bits);
    const size_t n = heat_dearest(&r->heat, places, DEAREST);
    for (size_t i = 0; i < n && r->heat.bits[places[i]] > 1; i++)
        out("%s%08zx %4.1f", i == 0 ? "dearest: " : ", ", places[i], (double)r->heat.bits[places[i]]);
    if (n > 0 && r->heat.bits[places[0]] > 1)
        out("\n");
}

static int write_picture(const inspect_arguments *a, const result *r, const bgpt_options *o)
{
    size_t from, to;
    range_of(a, r, HEAT_PICTURE_BYTES, &from, &to);
    if (to - from > HEAT_PICTURE_BYTES)
        to = from + HEAT_PICTURE_BYTES;
    if (from > 0 || to < r->heat.size)
        notice("bytes %zu to %zu of %zu are shown; --from and --length choose", from, to, r->heat.size);
    return heat_write_picture(&r->heat, path_base(a->common.operands[a->common.operand_count - 1]), from, to, a->output, a->force, o);
}

static int write_page(const inspect_arguments *a, const result *r, const bgpt_options *o)
{
    made_text page;
    size_t from, to;
    const int code = text_begin(&page);
    if (code != 0)
        return code;
    range_of(a, r, SIZE_MAX, &from, &to);
    heat_write_page(page.f, &r->heat, path_base(a->common.operands[a->common.operand_count - 1]), from, to);
    return text_save(&page, a->output, a->force, o);
}

static int report(const inspect_arguments *a, const result *r, const bgpt_options *o)
{
    if (a->output != NULL)
        return is_picture(a) ? write_picture(a, r, o) : write_page(a, r, o);
    if (a->common.json)
        report_json(a, r);
    else
        report_text(a, r);
    return 0;
}

/* --- the command ---------------------------------------------------------------------------- */

static int inspect(const inspect_arguments *a, result *r, const bgpt_options *o, bgpt_model *m)
{
    bgpt_error error = { 0 };
    const bgpt_eval e = { .data = { a->common.operands, a->common.operand_count, a->pairs }, .file = on_file, .symbols = take_symbols,
                          .stop = stop_hook, .ctx = r };
    if (bgpt_get_config(m).classes > 0)
        return fail(BGPT_ERR_FORMAT, "%s: is a classifier, which spends no bits on bytes", a->model);
    signals_catch(NULL);
    bgpt_status status = bgpt_evaluate(m, &e, NULL, NULL, NULL, &error);
    if (status == BGPT_ERR_INTERRUPTED)
        return fail(BGPT_ERR_FAILED, "%s", error.text);
    if (status != BGPT_OK)
        return fail_with(&error);
    if (r->heat.no_memory)
        return fail(BGPT_ERR_MEMORY, "out of memory");
    if (r->files == 0)
        return fail(BGPT_ERR_FORMAT, "%s: the pair is longer than the model's context", a->common.operands[0]);
    if (r->files > 1)
        return usage_error("%s: stands for %llu files; one is inspected at a time", a->common.operands[0], (unsigned long long)r->files);
    return report(a, r, o);
}

static int run_inspect(void *arguments)
{
    const inspect_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    o.weights = (bgpt_weights)a->weights;
    bgpt_model *m = NULL;
    result r = { 0 };
    int code = check_arguments(a);
    if (code == 0)
        code = machine_announce(&o, NULL, NULL);
    if (code == 0)
        code = model_open(&m, a->model, &o);
    if (code == 0)
        code = inspect(a, &r, &o, m);
    heat_free(&r.heat);
    bgpt_close(m);
    return code;
}

const command command_inspect = {
    .name = "inspect",
    .summary = "where a file surprises a model: bgpt inspect -m MODEL FILE",
    .usage = "-m MODEL FILE [-o FILE.html|FILE.png] [options]",
    .details = "Shows the bits that the model spends on every byte of a file: a table of hexadecimal numbers and text, coloured by cost on a terminal (NO_COLOR is respected), with "
               "the cost of each byte below it elsewhere, and of the row at its end. Eight bits is what a byte costs a model that knows nothing; a damaged place "
               "stands out. Long files are read window after window, as bgpt eval does.",
    .examples = "bgpt inspect -m run/model.safetensors tune.mid\nbgpt inspect -m run/model.safetensors tune.mid -o tune.png\n"
                "bgpt inspect -m run/model.safetensors --pairs abc:mid tune.abc tune.mid",
    ROWS_OF(inspect_options),
    .arguments_size = sizeof(inspect_arguments),
    .min_operands = 1,
    .max_operands = 2,
    .operand_name = "FILE",
    .run = run_inspect,
};
