/* bgpt average: one model whose weights are the mean of several. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/values.h"

#include <stdlib.h>

typedef struct average_arguments {
    common common;
    const char *out, *shares;
    bool force;
} average_arguments;

static const option average_options[] = {
    { "out", 'o', OPTION_TEXT, offsetof(average_arguments, out), 0, 0, NULL, "FILE", "the model to write (required)" },
    { "shares", 0, OPTION_TEXT, offsetof(average_arguments, shares), 0, 0, NULL, "A,B...", "how much each model counts, a number from 0 to 1e9 for each; without it all count the same" },
    { "force", 'f', OPTION_FLAG, offsetof(average_arguments, force), 0, 0, NULL, NULL, "overwrite an existing output" },
};

/* "0.3,0.7" -> the numbers; 0, or the exit code after a sentence. */
static int read_shares(const char *text, double *shares, size_t count)
{
    size_t n = 0;
    const char *at = text;
    for (const char *end; n < count; n++, at = end + 1) {
        if (!read_real(at, &shares[n], &end) || (*end != ',' && *end != 0))
            return usage_error("--shares: '%s': expected numbers with commas between them", text);
        if (*end == 0)
            break;
    }
    return n + 1 == count ? 0 : usage_error("--shares: expected a number for each of the %zu models, not '%s'", count, text);
}

static int average(const average_arguments *a, double *shares)
{
    const size_t count = a->common.operand_count;
    bgpt_options o = machine_options(&a->common);
    bgpt_error error = { 0 };
    if (shares != NULL) {
        const int code = read_shares(a->shares, shares, count);
        if (code != 0)
            return code;
    }
    for (size_t i = 0; i < count; i++)
        if (refuse_same(a->out, a->common.operands[i], "input") != 0)
            return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    if (refuse_model_output(a->out, a->force) != 0)
        return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    if (bgpt_average(a->common.operands, shares, count, a->out, a->force, &o, &error) != BGPT_OK)
        return fail_with(&error);
    notice("%s written, the mean of %zu models", a->out, count);
    if (a->common.json)
        out_json(json_pack("{s:o, s:I}", "output", json_text(a->out), "models", (json_int_t)count));
    return 0;
}

static int run_average(void *arguments)
{
    const average_arguments *a = arguments;
    if (a->out == NULL)
        return usage_error("where is the mean to be written? -o FILE is missing");
    double *shares = a->shares != NULL ? malloc(a->common.operand_count * sizeof *shares) : NULL;
    if (a->shares != NULL && shares == NULL)
        return fail(BGPT_ERR_MEMORY, "no memory for %zu shares", a->common.operand_count);
    const int code = average(a, shares);
    free(shares);
    return code;
}

const command command_average = {
    .name = "average",
    .summary = "the mean of several models: bgpt average A B -o OUT",
    .usage = "MODEL MODEL... -o OUT.safetensors [options]",
    .details = "Writes a model whose every weight is the mean of the weights of these models or checkpoints, which must have one shape. Models of one run, or trained on from one model "
               "in different ways, are often better so than each of them; models that were begun apart are not. Weights are written in 32 bits (bgpt export halves them); licence, extensions and whatever else the file says about itself "
               "are those of the first model.",
    .examples = "bgpt train tunes/ --keep 5 --time 1h --out run && bgpt average run/checkpoint-*.safetensors -o mean.safetensors\n"
                "bgpt average long/model.safetensors short/model.safetensors --shares 0.3,0.7 -o both.safetensors",
    ROWS_OF(average_options),
    .arguments_size = sizeof(average_arguments),
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .operand_name = "a second MODEL",
    .run = run_average,
};
