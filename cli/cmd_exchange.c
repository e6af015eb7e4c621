/* bgpt import and bgpt export: weights from and to the published reference.
 * One file for both: they differ in nothing but the direction. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include <string.h>

typedef struct exchange_arguments {
    common common;
    bool force;
} exchange_arguments;

static const option exchange_options[] = {
    { "force", 'f', OPTION_FLAG, offsetof(exchange_arguments, force), 0, 0, NULL, NULL, "overwrite an existing output" },
};

typedef bgpt_status exchange(const char *from, const char *to, int overwrite, const bgpt_options *opt, bgpt_error *err);

static int run_exchange(const exchange_arguments *a, exchange *work)
{
    bgpt_options o = machine_options(&a->common);
    const char *from = a->common.operands[0], *to = a->common.operands[1];
    bgpt_error error = { 0 };
    if (refuse_same(to, from, "input") != 0 || refuse_model_output(to, a->force) != 0)
        return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    if (work(from, to, a->force, &o, &error) != BGPT_OK)
        return fail_with(&error);
    notice("%s written", to);
    if (a->common.json)
        out_json(json_pack("{s:o, s:o}", "input", json_text(from), "output", json_text(to)));
    return 0;
}

static int run_import(void *arguments)
{
    return run_exchange(arguments, bgpt_import);
}

static int run_export(void *arguments)
{
    const exchange_arguments *a = arguments;
    const bool compact = strcmp(path_extension(a->common.operands[1]), "safetensors") == 0;
    return run_exchange(a, compact ? bgpt_compact : bgpt_export);
}

const command command_import = {
    .name = "import",
    .summary = "weights of the reference: bgpt import IN.pth OUT.safetensors",
    .usage = "IN.pth OUT.safetensors [-f] [options]",
    .details = "Reads a checkpoint of the published reference and writes a model file. Only tensors and plain containers are read "
               "from the checkpoint; anything else in it, code above all, is refused.",
    .examples = "bgpt import weights-text.pth text.safetensors",
    ROWS_OF(exchange_options),
    .arguments_size = sizeof(exchange_arguments),
    .min_operands = 2,
    .max_operands = 2,
    .operand_name = "IN or OUT",
    .run = run_import,
};

const command command_export = {
    .name = "export",
    .summary = "weights for the reference, or in half the space: bgpt export MODEL OUT.pth",
    .usage = "MODEL OUT.pth|OUT.safetensors [-f] [options]",
    .details = "Writes the weights of a model as a checkpoint that the published reference and torch.load(weights_only=True) accept; or, to a name "
               "that ends in .safetensors, as a model file of half the size, its weights rounded to fp16 (eleven bits).",
    .examples = "bgpt export run/model.safetensors weights.pth\n"
                "bgpt export run/model.safetensors small.safetensors",
    ROWS_OF(exchange_options),
    .arguments_size = sizeof(exchange_arguments),
    .min_operands = 2,
    .max_operands = 2,
    .operand_name = "MODEL or OUT",
    .run = run_export,
};
