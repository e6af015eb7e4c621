/* The machine a model runs on: a pool of threads and a back end for a shape. */
#ifndef BG_RUN_MACHINE_H
#define BG_RUN_MACHINE_H

#include "model/config.h"
#include "ops/ops.h"

/* What the caller chose; zero is the default of every field. */
typedef struct bg_machine_options {
    const bg_sys *sys;   /* NULL: libc */
    unsigned threads;    /* 0: as many as the process may use */
    const char *isa;     /* NULL: the best present */
    int fp32;            /* products in fp32 instead of the quickest there is */
} bg_machine_options;

typedef struct bg_machine {
    const bg_sys *sys;
    bg_pool *pool;
    bg_backend *be;
} bg_machine;

/* Open threads and back end, with scratch for models of shape c. */
bg_status bg_machine_open(bg_machine *m, const bg_machine_options *o, const bg_config *c, bg_error *err);
void bg_machine_close(bg_machine *m); /* safe on a zeroed struct */

#endif
