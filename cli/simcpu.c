/* Shared by the `cpu` commands.  A program's kind goes by its name: .bin is a
 * state file, anything else assembly. */
#include "cli/simcpu.h"
#include "cli/jobs.h"
#include "cli/output.h"
#include "cli/paths.h"
#include <string.h>

/* Far above the 5136 bytes of a right state file; a model may have written one
 * that goes on after HLT. */
static const uint64_t size_limit = UINT64_C(1) << 20;

const struct state_value state_values[STATE_VALUES] = {
    { "PC", 0 }, { "ACC", 1 }, { "A", 6 },  { "B", 7 },  { "C", 8 },  { "D", 9 },
    { "E", 10 }, { "F", 11 },  { "G", 12 }, { "H", 13 }, { "I", 14 }, { "J", 15 },
};

static const char *shown_name(const char *path)
{
    return is_dash(path) ? "standard input" : path;
}

int read_program(const char *path, const bgpt_options *o, uint8_t **data, size_t *size)
{
    bgpt_error error = { 0 };
    return bgpt_read_file(path, size_limit, data, size, o, &error) == BGPT_OK ? 0 : fail_with(&error);
}

int run_program(const char *path, const bgpt_options *o, uint8_t file[BGPT_CPU_FILE], size_t *size)
{
    uint8_t *data = NULL, image[BGPT_CPU_MEMORY + BGPT_CPU_STATE];
    size_t n;
    bgpt_error error = { 0 };
    int code = read_program(path, o, &data, &n);
    if (code != 0)
        return code;
    const char *name = shown_name(path);
    bgpt_status status;
    if (strcmp(path_extension(path), "bin") == 0) {
        status = bgpt_cpu_run(data, n, name, file, size, &error);
    } else {
        status = bgpt_cpu_assemble((const char *)data, n, name, image, &error);
        if (status == BGPT_OK)
            status = bgpt_cpu_run(image, sizeof image, name, file, size, &error);
    }
    bgpt_free_data(data, o);
    return status == BGPT_OK ? 0 : fail_with(&error);
}

int write_result(const common *c, const result_arguments *r, const char *input, const void *data, size_t size, const bgpt_options *o)
{
    bgpt_error error = { 0 };
    if (is_dash(r->output) && c->json)
        return usage_error("--format=json and -o - cannot both have standard output");
    if (is_dash(r->output)) {
        int code = memchr(data, 0, size) != NULL ? check_terminal("bin", r->force) : 0;
        if (code == 0)
            out_bytes(data, size);
        return code;
    }
    int code = refuse_same(r->output, input, "input");
    if (code == 0)
        code = refuse_existing(r->output, r->force);
    if (code == 0 && bgpt_write_file(r->output, data, size, r->force, o, &error) != BGPT_OK)
        code = fail_with(&error);
    return code;
}

size_t state_count(size_t file_size)
{
    return file_size > BGPT_CPU_MEMORY ? (file_size - BGPT_CPU_MEMORY) / BGPT_CPU_STATE : 0;
}

const uint8_t *state_at(const uint8_t *file, size_t i)
{
    return file + BGPT_CPU_MEMORY + i * BGPT_CPU_STATE;
}

json_t *state_json(const uint8_t *state, size_t step)
{
    char text[BGPT_CPU_TEXT];
    bgpt_cpu_instruction(state + 2, text);
    json_t *o = json_pack("{s:o, s:s}", "step", json_count(step), "IR", text);
    for (int i = 0; i < STATE_VALUES; i++)
        json_object_set_new(o, state_values[i].name, json_integer(state[state_values[i].at]));
    return o;
}

json_t *states_json(const uint8_t *file, size_t size)
{
    json_t *list = json_array();
    for (size_t i = 0; i < state_count(size); i++)
        json_array_append_new(list, state_json(state_at(file, i), i));
    return list;
}
