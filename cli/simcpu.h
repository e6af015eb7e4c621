/* What the `cpu` commands share: programs read, state files taken apart,
 * results written. */
#ifndef BGPT_CLI_SIMCPU_H
#define BGPT_CLI_SIMCPU_H

#include "cli/command.h"
#include <jansson.h>

/* -o and -f, for the rows of a command. */
typedef struct result_arguments {
    const char *output;
    bool force;
} result_arguments;

#define RESULT_ROWS(type, without) \
    { "output", 'o', OPTION_TEXT, offsetof(type, result.output), 0, 0, NULL, "FILE", "the file to write; - is standard output; " without }, \
    { "force", 'f', OPTION_FLAG, offsetof(type, result.force), 0, 0, NULL, NULL, "overwrite an existing file; print binary data on a terminal" }

/* A file whole; 0 and the bytes (bgpt_free_data), or the exit code. */
int read_program(const char *path, const bgpt_options *o, uint8_t **data, size_t *size);

/* The machine's run of a program: assembly, or a state file (.bin) of which memory and first
 * state are taken.  `file` gets the whole state file. */
int run_program(const char *path, const bgpt_options *o, uint8_t file[BGPT_CPU_FILE], size_t *size);

/* Write a result where -o says (not NULL).  `input` is never replaced. */
int write_result(const common *c, const result_arguments *r, const char *input, const void *data, size_t size, const bgpt_options *o);

/* States of a state file. */
size_t state_count(size_t file_size);
const uint8_t *state_at(const uint8_t *file, size_t i);
/* Values that people look at: PC, ACC, A to J; the name and the place in a state. */
enum { STATE_VALUES = 12 };
extern const struct state_value { const char *name; unsigned at; } state_values[STATE_VALUES];

/* {"step", "PC", "ACC", "IR", "A", ...}; IR as text. */
json_t *state_json(const uint8_t *state, size_t step);
json_t *states_json(const uint8_t *file, size_t size);

#endif
