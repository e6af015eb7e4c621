/* From the rows of a command to its filled arguments. */
#ifndef BGPT_CLI_OPTIONS_H
#define BGPT_CLI_OPTIONS_H

#include "cli/command.h"

enum { OPTIONS_MAX = 64 }; /* rows a command may have, the common ones included: bits of common.given */

/* Rows that every command has, after its own. */
extern const option common_options[];
extern const size_t common_option_count;

/* Row i of a command, its own first, then the common ones; NULL behind the last. */
const option *option_row(const command *c, size_t i);

/* Limits that only keep nonsense out (a million million) would clutter the help. */
bool option_range_is_worth_showing(const option *o);

typedef struct parsed {
    void *arguments;  /* begins with a common */
    char **owned;     /* option texts, freed at the end */
    size_t owned_count;
    void *popt, *table;
} parsed;

/* Parse argv (argv[0] is skipped).  Returns 0, or the exit code after the
 * sentence has been printed.  options_free is due in both cases. */
int options_parse(parsed *p, const command *c, int argc, const char **argv);
void options_free(parsed *p);

/* Was the option whose value lies at this offset typed? */
bool option_given(const common *c, size_t target);
#define GIVEN(arguments, member) option_given(&(arguments)->common, offsetof(__typeof__(*(arguments)), member))

/* The library's view of the common options. */
bgpt_options machine_options(const common *c);
/* Name level, arithmetic and threads on standard error; fills the two names
 * (both may be NULL).  0 or the exit code. */
int machine_announce(const bgpt_options *o, const char **isa, const char **precision);

/* Of the candidates, the one a slip of the keyboard away from `word`, or NULL. */
const char *nearest(const char *word, const char *(*candidate)(const void *ctx, size_t i), const void *ctx);

#endif
