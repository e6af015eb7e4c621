/* Comma-separated values (RFC 4180). */
#ifndef BGPT_CLI_CSV_H
#define BGPT_CLI_CSV_H

#include <stdio.h>

/* A field that holds a comma, a quote or a line break is quoted. */
void csv_field(FILE *f, const char *text);

#endif
