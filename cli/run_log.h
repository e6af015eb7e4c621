/* The log of a training run, read back for plots. */
#ifndef BGPT_CLI_RUN_LOG_H
#define BGPT_CLI_RUN_LOG_H

#include "cli/command.h"

/* What a line of log.jsonl says; NaN: nothing. */
enum { LOG_STEP, LOG_BYTES, LOG_SECONDS, LOG_LOSS, LOG_LR, LOG_NORM, LOG_VAL_LOSS, LOG_VAL_BITS, LOG_VAL_ACCURACY, LOG_VALUES };
extern const char *const log_keys[LOG_VALUES]; /* as in the file */

typedef struct log_line {
    double value[LOG_VALUES];
} log_line;

typedef struct run_log {
    char *name;      /* of the run, as people should see it */
    log_line *lines;
    size_t count;
} run_log;

/* `path` is a run's folder or a log itself.  0; or the exit code after a sentence with the line at fault.  A last
 * line that a dying program left unfinished is passed over.  run_log_free is due in both cases. */
int run_log_read(run_log *r, const char *path, const bgpt_options *o);
void run_log_free(run_log *r);

#endif
