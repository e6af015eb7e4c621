/* Everything the program writes to its two streams: data on standard output,
 * sentences on standard error.  Nothing else in cli/ prints. */
#ifndef BGPT_CLI_OUTPUT_H
#define BGPT_CLI_OUTPUT_H

#include "include/bgpt.h"
#include <jansson.h>
#include <stdbool.h>

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* Keeps the numbers 0..2 from being given to files that are opened later (a
 * model must not end up where messages go), and takes over SIGPIPE. */
void output_open(void);
void output_levels(bool quiet, bool verbose);
bool output_quiet(void);

/* "bgpt: SENTENCE" on standard error; the result is the exit code. */
int fail(bgpt_status status, const char *format, ...) PRINTF_LIKE(2, 3);
int fail_with(const bgpt_error *error);
int usage_error(const char *format, ...) PRINTF_LIKE(1, 2);
/* SENTENCE as the last of these said it, for a report that repeats it. */
const char *failure_text(void);

/* Of two exit codes the one to end with, where work goes on after an error. */
int worse(int a, int b);

/* The same stream, for what is no error: notice unless -q, detail with -v. */
void notice(const char *format, ...) PRINTF_LIKE(1, 2);
void detail(const char *format, ...) PRINTF_LIKE(1, 2);
/* For the library's notice callbacks; ctx is unused. */
void notice_hook(void *ctx, const char *sentence);

/* Text and bytes to standard output; what went wrong is told by out_finish. */
void out(const char *format, ...) PRINTF_LIKE(1, 2);
/* A name from outside for a line of output: control characters, which could steer a terminal, become '?'.  Valid until
 * the fourth call after this one; cut behind 4 KiB. */
const char *plain(const char *text);
/* May `out` be given colours? */
bool out_colour(void);
/* Written at once, for streaming; false once writing has failed. */
bool out_bytes(const void *data, size_t size);
/* Before another process writes to the same place. */
void out_flush(void);
/* One object, keys sorted, numbers in full precision; takes the reference. */
void out_json(json_t *object);
/* Flush.  The exit code: `code`, or 5 with a sentence when something could
 * not be written. */
int out_finish(int code);

/* Jansson values that exist for every argument: NaN and infinity become null,
 * bytes that are not UTF-8 become '?'. */
json_t *json_number(double x);
json_t *json_text(const char *text);
json_t *json_count(uint64_t x);

#endif
