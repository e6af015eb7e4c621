/* A model's figures on the simulated processor as a picture by gnuplot. */
#ifndef BGPT_CLI_SIMCPU_PLOT_H
#define BGPT_CLI_SIMCPU_PLOT_H

#include "cli/simcpu_figures.h"

/* The sentence about a name that is no picture's, or a file that is in the way; 0 when all is well. */
int figures_plot_check(const char *path, bool force);
/* Accuracy by length of program and by field, beside the trivial rule's; the script, data in it, stays beside the picture. */
int figures_plot(const cpu_figures *f, const char *model, const char *path, bool force, const bgpt_options *o);

#endif
