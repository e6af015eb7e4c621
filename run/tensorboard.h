/* A run's figures as TensorBoard reads them: a file of events.  Each is a
 * record (u64 length, its masked CRC-32C, data, theirs) whose data is a
 * protobuf message of four fields, encoded here by hand. */
#ifndef BG_RUN_TENSORBOARD_H
#define BG_RUN_TENSORBOARD_H

#include "run/log.h"

typedef struct bg_tensorboard {
    const bg_sys *sys;
    char *path;
    int fd;
    int begun; /* the first line of this process is written */
} bg_tensorboard;

/* A new file events.out.tfevents.TIME.PID in the folder, which is made; it belongs to this process, so that a resumed run adds
 * one of its own.  Nothing is made before the first line. */
bg_status bg_tensorboard_open(bg_tensorboard *t, const bg_sys *sys, const char *folder, bg_error *err);
void bg_tensorboard_close(bg_tensorboard *t); /* safe on a zeroed struct */
/* The figures of a step.  The first line of a resumed run tells TensorBoard to forget what an earlier file says of this step and later ones. */
bg_status bg_tensorboard_add(bg_tensorboard *t, const bg_log_line *line, bg_error *err);

/* CRC-32C, masked as in these records: rotated by 15 bits, and a constant added, so that a sum of data that hold sums is no special case. */
uint32_t bg_masked_crc32c(const void *data, size_t n);

#endif
