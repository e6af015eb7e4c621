/* Training a model: a run folder from data. */
#ifndef BG_RUN_TRAIN_H
#define BG_RUN_TRAIN_H

#include "run/folder.h"
#include "run/machine.h"
#include "run/settings.h"

typedef struct bg_progress {
    uint64_t step, steps; /* steps 0: not known (a time limit) */
    double epoch, epochs;
    double loss, lr, grad_norm;
    double bytes, bytes_per_second;
    double seconds, seconds_left;
    int evaluated;
    double val_loss, val_bits_per_byte, val_accuracy;
    int best, saved;
} bg_progress;

typedef struct bg_train {
    bg_settings settings;     /* as the caller filled them: zero is the default */
    const char *const *data, *const *validation;
    size_t data_count, validation_count;
    const char *pairs;        /* or NULL */
    const char *out;          /* run folder */
    const char *init;         /* model file to start from, or NULL */
    uint32_t init_patches;    /* with init: another context; 0: the model's */
    uint32_t init_patch_layers, init_byte_layers; /* with init: as many or more layers; 0: the model's */
    int64_t init_grams, init_patch_grams; /* with init: another number of rows, or -1 for no tables; 0: the model's */
    int resume, overwrite;
    const char *tensorboard;  /* folder that gets a file of events, or NULL */
    double save_every;        /* seconds; 0: 300; negative: only at the end */
    uint32_t keep;            /* at least 2 */
    const char *const *metadata; /* key, value, ..., NULL; may be NULL */
    const char *version;      /* of the library, stored in models; or NULL */
    int (*progress)(void *ctx, const bg_progress *p);
    int (*stop)(void *ctx);   /* between the batches of an evaluation; may be NULL */
    bg_notice *notice;
    void *ctx;
} bg_train;

/* Train until the end, an interruption (BG_ERR_INTERRUPTED: all is saved), or
 * divergence (BG_ERR_FAILED).  *t is only read. */
bg_status bg_train_run(const bg_train *t, const bg_machine_options *machine, bg_error *err);

#endif
