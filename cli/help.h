/* Texts made from the command rows: help, man pages, the effective
 * configuration.  Nothing about an option is written down anywhere else. */
#ifndef BGPT_CLI_HELP_H
#define BGPT_CLI_HELP_H

#include "cli/command.h"

/* The list of commands, to standard output, or to standard error where it
 * answers a command line without a command. */
void help_all(bool to_stderr);
void help_command(const command *c);
/* Of a command "prepare audio", where word is "prepare": "audio"; else NULL. */
const char *second_word(const command *c, const char *word);
/* "prepare": the commands of two words that begin with it.  false: there are none. */
bool help_group(const char *word);

/* A man page in roff to standard output; c NULL: the page of the program. */
void man_page(const command *c);

/* One "name = value" line per option that has a value, as -v shows them. */
void print_settings(const common *arguments);

#endif
