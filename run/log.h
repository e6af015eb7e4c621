/* log.jsonl of a run: one JSON object a line, one line a step. */
#ifndef BG_RUN_LOG_H
#define BG_RUN_LOG_H

#include "base/sys.h"

typedef struct bg_log {
    const bg_sys *sys;
    char *path;
    int fd;
    uint64_t size; /* bytes written so far: kept in checkpoints, and cut to on resume */
} bg_log;

typedef struct bg_log_line {
    uint64_t step;
    double bytes, seconds, loss, lr, grad_norm;
    int evaluated; /* 1: the following are written too */
    double val_loss, val_bits_per_byte, val_accuracy; /* NaN becomes null */
} bg_log_line;

/* Open for appending behind the first `size` bytes; what follows them is cut
 * off.  *missing (may be NULL) is set to 1 when the file was shorter than that. */
bg_status bg_log_open(bg_log *l, const bg_sys *sys, const char *folder, uint64_t size, int *missing, bg_error *err);
void bg_log_close(bg_log *l); /* safe on a zeroed struct */
bg_status bg_log_add(bg_log *l, const bg_log_line *line, bg_error *err);
/* Bring all lines to the disk, before a checkpoint counts on them. */
bg_status bg_log_flush(bg_log *l, bg_error *err);

#endif
