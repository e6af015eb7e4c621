/* Conversions of music judged by the programs that do them by rule: abc2midi
 * and midi2abc. */
#ifndef BGPT_CLI_CONVERSION_CHECK_H
#define BGPT_CLI_CONVERSION_CHECK_H

#include "cli/command.h"
#include <jansson.h>

typedef struct conversion_check {
    const bgpt_options *machine;
    bool json;               /* nothing is printed */
    bool dead;               /* a program is missing: said once, nothing more is tried */
    uint64_t files, exact, valid, unjudged;
    bgpt_midi_comparison sum;
    uint64_t tool_bars;      /* of those that midi2abc gets right */
    int code;
} conversion_check;

/* 0; or the exit code after a sentence: these formats are no music, or a program is missing. */
int check_open(conversion_check *c, const char *to, bool json, const bgpt_options *machine);
/* A file that was made of an input; object (or NULL) gets "check". */
void check_add(conversion_check *c, const bgpt_request *r, const char *name, const uint8_t *file, size_t size, json_t *object);
/* The summary. */
void check_print(const conversion_check *c);
json_t *check_json(const conversion_check *c);

#endif
