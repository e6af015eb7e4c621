/* A text that is put together in memory, so that a file of it appears whole or not at all. */
#ifndef BGPT_CLI_MADE_TEXT_H
#define BGPT_CLI_MADE_TEXT_H

#include "cli/command.h"
#include <stdio.h>

typedef struct made_text {
    FILE *f;      /* to be written to, between the first two calls */
    char *text;   /* after text_end: `size` bytes */
    size_t size;
} made_text;

/* Each gives 0, or the exit code after a sentence.  After text_begin that failed nothing is due; else text_end and text_free, or
 * text_save, which does both. */
int text_begin(made_text *t);
int text_end(made_text *t);
void text_free(made_text *t);
int text_save(made_text *t, const char *path, bool force, const bgpt_options *o);

#endif
