/* What a command of the program is: a row of data that names it, its option
 * rows and its function.  The parser, the help text, the man page and the
 * printed configuration are all made from these rows; no command parses or
 * documents its options by itself. */
#ifndef BGPT_CLI_COMMAND_H
#define BGPT_CLI_COMMAND_H

#include "include/bgpt.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum option_type {
    OPTION_HEADING,  /* no option: `help` is printed as a heading */
    OPTION_FLAG,     /* bool */
    OPTION_COUNT,    /* uint64_t, digits only */
    OPTION_BYTES,    /* uint64_t, digits and k (1000) or M (1000000) */
    OPTION_REAL,     /* double */
    OPTION_DURATION, /* double, seconds: 90m, 2h30m, 45s, plain seconds */
    OPTION_CHOICE,   /* int, the position of the value in `argument` (a|b|c) */
    OPTION_TEXT,     /* const char * */
    OPTION_LIST      /* text_list; may be given several times */
} option_type;

typedef struct option {
    const char *name; /* without the dashes */
    char letter;      /* of the short form, or 0 */
    option_type type;
    size_t target;    /* offset in the command's arguments */
    double min, max;  /* of numbers; both 0: any */
    const char *standard; /* the default as it would be typed, or NULL: unset */
    const char *argument; /* name of the value in the help; the list of a choice */
    const char *help;
} option;

typedef struct text_list {
    const char **items;
    size_t count;
} text_list;

struct command;

/* The options every command has; the first member of each command's arguments. */
typedef struct common {
    const struct command *command;
    const char **operands; /* what is left beside the options */
    size_t operand_count;
    uint64_t given[2];     /* bit i: option row i (common rows last) was typed */
    uint64_t threads;      /* 0: as many as the process may use */
    int precision;         /* a bgpt_precision */
    uint64_t seed;
    bool quiet, verbose, json, help;
    int format;            /* as typed; json says the same */
} common;

typedef struct command {
    const char *name; /* one word, or two: "cpu generate" */
    const char *summary; /* one line for the list of commands */
    const char *usage;   /* what follows the name: "DATA... --out RUN [options]" */
    const char *details; /* paragraphs parted by an empty line */
    const char *examples; /* command lines, one a line, or NULL */
    const option *options;
    size_t option_count;
    size_t arguments_size; /* of the struct that the offsets point into */
    size_t min_operands, max_operands; /* SIZE_MAX: any number */
    const char *operand_name; /* for the sentence when they are missing */
    int (*run)(void *arguments); /* returns the exit code */
} command;

/* NULL-terminated, in the order of the help; in main.c. */
extern const command *const commands[];

extern const command command_train, command_eval, command_generate, command_convert, command_classify,
    command_info, command_import, command_export, command_average, command_bench, command_version, command_cpu_generate, command_cpu_run, command_cpu_assemble,
    command_cpu_translate, command_cpu_trace, command_cpu_evaluate, command_plot, command_inspect, command_prepare_audio, command_prepare_image, command_prepare_music, command_prepare_text;

#define ROWS_OF(array) .options = (array), .option_count = sizeof(array) / sizeof((array)[0])

#endif
