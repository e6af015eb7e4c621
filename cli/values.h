/* Text of an option's value <-> the value, for every option type.  Refuses
 * what is out of the row's range, with a sentence that names the option. */
#ifndef BGPT_CLI_VALUES_H
#define BGPT_CLI_VALUES_H

#include "cli/command.h"

/* Store the value of `text` for row `o` into its target inside `arguments`
 * (not for OPTION_LIST, whose items the parser collects).  false: `why` holds
 * the sentence. */
bool value_parse(void *arguments, const option *o, const char *text, char *why, size_t why_size);

/* The finite number that `text` begins with, no space before it; *end is behind it.  false: there is none. */
bool read_real(const char *text, double *out, const char **end);

/* The word at `index` (below their number) of words as "text|json". */
void choice_word(const char *words, int index, char *text, size_t size);

/* The value as it would be typed; "" when there is none.  For OPTION_LIST the
 * items, each after a space. */
void value_print(const void *arguments, const option *o, char *text, size_t size);

#endif
