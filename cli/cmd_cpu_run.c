/* bgpt cpu run: a program's states. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/simcpu.h"

typedef struct run_arguments {
    common common;
    result_arguments result;
} run_arguments;

static const option run_options[] = {
    RESULT_ROWS(run_arguments, "without it the states are printed as a table"),
};

static int print_table(const char *path, const uint8_t *file, size_t size, const bgpt_options *o)
{
    uint8_t *text = NULL;
    size_t length;
    bgpt_error error = { 0 };
    if (bgpt_cpu_translate(file, size, path, BGPT_CPU_TABLE, &text, &length, o, &error) != BGPT_OK)
        return fail_with(&error);
    out_bytes(text, length);
    bgpt_free_data(text, o);
    return 0;
}

static int run_run(void *arguments)
{
    const run_arguments *a = arguments;
    const char *path = a->common.operands[0];
    bgpt_options o = machine_options(&a->common);
    uint8_t file[BGPT_CPU_FILE];
    size_t size;
    int code = run_program(path, &o, file, &size);
    if (code == 0 && a->result.output != NULL)
        code = write_result(&a->common, &a->result, path, file, size, &o);
    else if (code == 0 && !a->common.json)
        code = print_table(path, file, size, &o);
    if (code == 0 && a->common.json)
        out_json(json_pack("{s:o, s:o}", "file", json_text(path), "states", states_json(file, size)));
    return code;
}

const command command_cpu_run = {
    .name = "cpu run",
    .summary = "a program's states: bgpt cpu run PROGRAM.asm",
    .usage = "PROGRAM.asm|FILE.bin [-o OUT.bin] [options]",
    .details = "Runs a program until HLT and prints a line per state: PC, ACC, the instruction about to be run, registers A to J. Its effect is "
               "seen in the next line. From a state file (.bin) the memory and the first state are taken; anything else is "
               "assembly (bgpt cpu assemble -h explains it), - is assembly from standard input. With -o the state file is written instead.",
    .examples = "bgpt cpu run sum.asm\nbgpt cpu run sum.asm -o sum.bin",
    ROWS_OF(run_options),
    .arguments_size = sizeof(run_arguments),
    .min_operands = 1,
    .max_operands = 1,
    .operand_name = "PROGRAM",
    .run = run_run,
};
