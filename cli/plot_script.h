/* Runs as curves: gnuplot's script with the numbers in it, CSV and JSON. */
#ifndef BGPT_CLI_PLOT_SCRIPT_H
#define BGPT_CLI_PLOT_SCRIPT_H

#include "cli/run_log.h"
#include <jansson.h>
#include <stdio.h>

typedef enum plot_x { PLOT_STEPS, PLOT_BYTES, PLOT_TIME } plot_x;
typedef enum plot_y { PLOT_LOSS, PLOT_BITS, PLOT_ACCURACY, PLOT_LR } plot_y;

typedef struct plot {
    const run_log *runs;
    size_t count;
    plot_x x;
    plot_y y;
    bool log_x, log_y;
    const char *terminal; /* a gnuplot "set terminal" argument */
    const char *output;   /* the picture's file; NULL: standard output */
} plot;

/* Has any run a point to show? */
bool plot_has_points(const plot *p);
/* The whole script; it needs no other file. */
void plot_write_script(FILE *f, const plot *p);
/* {"runs": [{"run": NAME, "lines": [...]}]}, each line with the keys of the log; what it does not say is left out. */
json_t *plot_json(const run_log *runs, size_t count);
/* A header line, then every logged line: run and all values; empty where there is none. */
void plot_write_csv(FILE *f, const run_log *runs, size_t count);

#endif
