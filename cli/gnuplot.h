/* Pictures by gnuplot, a child process that reads a script. */
#ifndef BGPT_CLI_GNUPLOT_H
#define BGPT_CLI_GNUPLOT_H

#include "cli/made_text.h"

/* Gnuplot's "set terminal" argument for a file of this name; NULL: neither .svg nor .png. */
const char *gnuplot_terminal(const char *path);

/* A text in gnuplot's double quotes. */
void gnuplot_text(FILE *f, const char *text);

/* The first lines of a script; output NULL: standard output. */
void gnuplot_begin(FILE *f, const char *maker, const char *terminal, const char *output);

/* End the script, draw, and free it.  It stays beside `output`, as its name with .gp, which with `force` may replace a file; output NULL: on standard
 * output.  0, or the exit code after a sentence; `advice` (or NULL) says what to do without gnuplot. */
int gnuplot_draw(made_text *script, const char *output, bool force, const char *advice, const bgpt_options *o);

#endif
