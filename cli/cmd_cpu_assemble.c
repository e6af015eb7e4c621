/* bgpt cpu assemble: assembly to a state file. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/simcpu.h"

typedef struct assemble_arguments {
    common common;
    result_arguments result;
    bool memory_only;
} assemble_arguments;

static const option assemble_options[] = {
    RESULT_ROWS(assemble_arguments, "required"),
    { "memory-only", 0, OPTION_FLAG, offsetof(assemble_arguments, memory_only), 0, 0, NULL, NULL,
      "write the 1024 bytes of memory and no state; the program is not run, and need not halt" },
};

/* Memory alone: what cannot be run is taken too. */
static int memory_of(const char *path, const bgpt_options *o, uint8_t *file, size_t *size)
{
    uint8_t *data = NULL;
    size_t n;
    bgpt_error error = { 0 };
    int code = read_program(path, o, &data, &n);
    if (code != 0)
        return code;
    if (bgpt_cpu_assemble((const char *)data, n, is_dash(path) ? "standard input" : path, file, &error) != BGPT_OK)
        code = fail_with(&error);
    bgpt_free_data(data, o);
    *size = BGPT_CPU_MEMORY;
    return code;
}

static int run_assemble(void *arguments)
{
    const assemble_arguments *a = arguments;
    const char *path = a->common.operands[0];
    bgpt_options o = machine_options(&a->common);
    uint8_t file[BGPT_CPU_FILE];
    size_t size;
    if (a->result.output == NULL)
        return usage_error("-o FILE is missing");
    int code = a->memory_only ? memory_of(path, &o, file, &size) : run_program(path, &o, file, &size);
    if (code == 0)
        code = write_result(&a->common, &a->result, path, file, size, &o);
    if (code == 0 && a->common.json)
        out_json(json_pack("{s:o, s:o, s:o}", "file", json_text(a->result.output), "bytes", json_count(size), "states", json_count(state_count(size))));
    else if (code == 0)
        notice("%s: %zu bytes, %zu states", a->result.output, size, state_count(size));
    return code;
}

const command command_cpu_assemble = {
    .name = "cpu assemble",
    .summary = "assembly to a state file: bgpt cpu assemble PROGRAM.asm -o FILE.bin",
    .usage = "PROGRAM.asm -o FILE.bin [options]",
    .details = "Writes memory, the state at start, and the states until HLT. An instruction a line; letters in any case; blanks or commas between "
               "operands; comments from ; or # on. Memory behind the last instruction is 0, which is HLT.\n\n"
               "HLT ends. CLR INC DEC SHL SHR ROL ROR NOT change ACC, or the register named. PUSH r: ACC = r. POP r: r = ACC. LOADI n: ACC = n, 0 to 255. "
               "SWAP r: ACC and r; SWAP r s: both registers. MOV r s: r = s. ADD SUB MUL DIV AND OR XOR: of r alone, ACC = ACC op r; of r s, r = r op s; of r s t, t = r op s. "
               "Results stay within 0 and 255; DIV by 0 gives 255. Registers are A to J.\n\n"
               ".start ACC=5 A=1 sets the state at start, 0 otherwise. .byte 1 2 3 4 is an instruction by its bytes.",
    .examples = "bgpt cpu assemble sum.asm -o sum.bin\nbgpt cpu assemble sum.asm --memory-only -o sum.mem",
    ROWS_OF(assemble_options),
    .arguments_size = sizeof(assemble_arguments),
    .min_operands = 1,
    .max_operands = 1,
    .operand_name = "PROGRAM",
    .run = run_assemble,
};
