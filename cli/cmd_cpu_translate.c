/* bgpt cpu translate: a state file as text. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/simcpu.h"
#include <string.h>

typedef struct translate_arguments {
    common common;
    result_arguments result;
    bool reference;
} translate_arguments;

static const option translate_options[] = {
    RESULT_ROWS(translate_arguments, "without it standard output"),
    { "reference", 0, OPTION_FLAG, offsetof(translate_arguments, reference), 0, 0, NULL, NULL, "the layout of the published program, byte for byte" },
};

/* The instructions up to the first HLT. */
static json_t *program_json(const uint8_t *memory)
{
    json_t *list = json_array();
    char text[BGPT_CPU_TEXT] = "";
    for (size_t at = 0; at < BGPT_CPU_MEMORY && strcmp(text, "HLT") != 0; at += 4) {
        bgpt_cpu_instruction(memory + at, text);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static int translate(const translate_arguments *a, const uint8_t *data, size_t size, const bgpt_options *o)
{
    const char *path = a->common.operands[0];
    uint8_t *text = NULL;
    size_t length;
    bgpt_error error = { 0 };
    result_arguments to = { a->result.output != NULL ? a->result.output : "-", a->result.force };
    if (bgpt_cpu_translate(data, size, path, a->reference ? BGPT_CPU_REFERENCE : BGPT_CPU_LISTING, &text, &length, o, &error) != BGPT_OK)
        return fail_with(&error);
    int code = 0;
    if (!a->common.json || a->result.output != NULL)
        code = write_result(&a->common, &to, path, text, length, o);
    if (code == 0 && a->common.json)
        out_json(json_pack("{s:o, s:o, s:o}", "file", json_text(path), "program", program_json(data), "states", states_json(data, size)));
    bgpt_free_data(text, o);
    return code;
}

static int run_translate(void *arguments)
{
    const translate_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    uint8_t *data = NULL;
    size_t size;
    int code = read_program(a->common.operands[0], &o, &data, &size);
    if (code == 0)
        code = translate(a, data, size, &o);
    bgpt_free_data(data, &o);
    return code;
}

const command command_cpu_translate = {
    .name = "cpu translate",
    .summary = "a state file as text: bgpt cpu translate FILE.bin",
    .usage = "FILE.bin [-o OUT] [options]",
    .details = "Prints the program as assembly, and its states as comments below it: what comes out can be assembled and run again. Nothing is run here: "
               "states are shown as they are in the file, right or wrong (bgpt cpu evaluate tells which).",
    .examples = "bgpt cpu translate programs/test/0a1b.bin\nbgpt cpu translate --reference file.bin -o file.txt",
    ROWS_OF(translate_options),
    .arguments_size = sizeof(translate_arguments),
    .min_operands = 1,
    .max_operands = 1,
    .operand_name = "FILE",
    .run = run_translate,
};
