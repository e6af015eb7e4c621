/* What a training run shows while it runs and when it has ended. */
#ifndef BGPT_CLI_TRAIN_REPORT_H
#define BGPT_CLI_TRAIN_REPORT_H

#include "include/bgpt.h"
#include <stdbool.h>

typedef struct train_report {
    const char *run;           /* the run folder */
    const char *model;         /* RUN/model.safetensors */
    bool stepped;              /* false: the run was finished before it was resumed */
    bgpt_progress last;        /* of the last step */
    bgpt_progress evaluation;  /* the last one; evaluated = 0: none yet */
    bgpt_progress best;        /* the best one since the program started */
} train_report;

/* The library's progress callback; ctx is a train_report. */
int report_progress(void *ctx, const bgpt_progress *p);

/* After the end: the summary on standard output (text or JSON), and on
 * standard error what to try next. */
void report_summary(const train_report *r, bool json);

#endif
