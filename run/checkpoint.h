/* Checkpoints of a run: checkpoint-STEP.safetensors in the run folder, a
 * whole model plus AdamW's moments ("optimizer.m.", "optimizer.v.") and, as
 * metadata "run.*", where the run stands, its recipe, and checksums. */
#ifndef BG_RUN_CHECKPOINT_H
#define BG_RUN_CHECKPOINT_H

#include "model/file.h"
#include "run/folder.h"
#include "run/optimizer.h"

/* Where a run stands. */
typedef struct bg_state {
    uint64_t step;      /* updates done */
    uint64_t log_bytes; /* of log.jsonl that belong to these steps */
    double bytes;       /* content bytes with loss that were trained on */
    double seconds;     /* used so far: the one field that two equal runs differ in */
    double best;        /* validation loss of the best evaluation; NaN before the first */
    double best_accuracy; /* of a classifier, and its accuracy; else NaN */
    uint64_t pending;   /* 1: the last step still lacks its evaluation and its line in the log ... */
    double loss, lr, grad_norm; /* ... which these figures of the last step are for */
    uint64_t stale;     /* evaluations since the best one */
    uint64_t halvings;  /* of the loss scale, where there is one (train.c) */
} bg_state;

/* Write (aside, fsynced, renamed, re-read) the checkpoint of st->step; then
 * remove older ones, all but the newest `keep` in all. */
bg_status bg_checkpoint_save(const char *folder, bg_optimizer *o, const bg_state *st, const bg_meta *model_meta, const char *recipe, uint32_t keep, bg_error *err);

/* The recipe in the newest checkpoint that can be opened; *recipe is the
 * caller's, NULL when there is none. */
bg_status bg_checkpoint_recipe(char **recipe, const bg_sys *sys, const char *folder, bg_error *err);

/* Load the newest checkpoint of this recipe whose every value is what was
 * saved.  *found is 0 when there is none.  Damaged ones are renamed to
 * NAME.damaged, with a notice; one of another run is BG_ERR_ARGUMENT. */
bg_status bg_checkpoint_resume(bg_state *st, int *found, const char *folder, bg_optimizer *o, const char *recipe, bg_notice *notice, void *ctx, bg_error *err);

#endif
