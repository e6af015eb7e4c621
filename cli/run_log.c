/* Lines of log.jsonl to numbers. */
#include "cli/run_log.h"
#include "cli/output.h"
#include "cli/paths.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const log_keys[LOG_VALUES] = { "step", "bytes", "seconds", "loss", "lr", "grad_norm", "val_loss", "val_bits_per_byte", "val_accuracy" };

/* A line of training has about 120 bytes: this is ten million steps. */
static const uint64_t size_limit = UINT64_C(1) << 31;

static bool parse_line(log_line *l, const char *text, size_t size)
{
    json_t *o = json_loadb(text, size, 0, NULL);
    const bool good = json_is_object(o) && json_is_number(json_object_get(o, "step"));
    for (int i = 0; i < LOG_VALUES && good; i++) {
        const json_t *v = json_object_get(o, log_keys[i]);
        l->value[i] = json_is_number(v) ? json_number_value(v) : NAN;
    }
    json_decref(o);
    return good;
}

static size_t count_lines(const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        n += text[i] == '\n';
    return n;
}

static int parse(run_log *r, const char *path, const char *text, size_t size)
{
    const size_t lines = count_lines(text, size);
    r->lines = calloc(lines + 1, sizeof *r->lines);
    if (r->lines == NULL)
        return fail(BGPT_ERR_MEMORY, "out of memory");
    for (const char *at = text; r->count < lines; r->count++) {
        const char *end = memchr(at, '\n', size - (size_t)(at - text));
        if (!parse_line(&r->lines[r->count], at, (size_t)(end - at)))
            return fail(BGPT_ERR_FORMAT, "%s: line %zu is not a line of a training log", path, r->count + 1);
        at = end + 1;
    }
    return r->count > 0 ? 0 : fail(BGPT_ERR_FORMAT, "%s: no step has been logged", path);
}

/* The folder's name; of a log file that of its folder, or its own when it stands alone. */
static char *name_of(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return NULL;
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = '\0';
    if (strcmp(path_base(copy), "log.jsonl") == 0 && path_base(copy) > copy + 1)
        copy[path_base(copy) - copy - 1] = '\0';
    char *name = strdup(path_base(copy));
    free(copy);
    return name;
}

int run_log_read(run_log *r, const char *path, const bgpt_options *o)
{
    uint8_t *text = NULL;
    size_t size = 0;
    bgpt_error error = { 0 };
    char *file = is_folder(path) ? path_join(path, "log.jsonl") : strdup(path);
    *r = (run_log){ .name = name_of(path) };
    int code = file == NULL || r->name == NULL ? fail(BGPT_ERR_MEMORY, "out of memory") : 0;
    if (code == 0 && bgpt_read_file(file, size_limit, &text, &size, o, &error) != BGPT_OK)
        code = fail_with(&error);
    if (code == 0)
        code = parse(r, file, (const char *)text, size);
    if (text != NULL)
        bgpt_free_data(text, o);
    free(file);
    return code;
}

void run_log_free(run_log *r)
{
    free(r->name);
    free(r->lines);
    *r = (run_log){ 0 };
}
