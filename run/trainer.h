/* What is open while a run trains.  Filled by setup.c, used by train.c and
 * save.c; nobody else looks inside. */
#ifndef BG_RUN_TRAINER_H
#define BG_RUN_TRAINER_H

#include "run/checkpoint.h"
#include "run/evaluate.h"
#include "run/log.h"
#include "run/optimizer.h"
#include "run/recipe.h"
#include "run/tensorboard.h"
#include "run/train.h"

typedef struct bg_trainer {
    const bg_train *t;
    const bg_sys *sys;
    bg_recipe recipe;         /* effective settings in recipe.settings */
    char *recipe_text;        /* as in config.json and in every checkpoint */
    bg_dataset data, validation;
    int has_validation;
    bg_machine machine;
    bg_model *model;
    bg_optimizer optimizer;
    bg_batch *batches;        /* (accumulate) of a step */
    uint32_t batches_open;
    double *nats;             /* (batch) */
    float *logits;            /* (batch, classes), classifier only */
    bg_evaluator evaluator;
    bg_log log;
    bg_tensorboard events;
    int lock;                 /* descriptor of the folder's lock, -1: not held */
    bg_meta model_meta;       /* what does not change during the run */
    bg_state state;
    uint64_t total;           /* steps of the whole run; 0: time decides */
    double seconds_before;    /* used by earlier processes of this run */
    double started;           /* clock at the start of this one */
    double saved_at;          /* clock of the last checkpoint */
    uint64_t saved_step;      /* UINT64_MAX: none yet */
    double rate;              /* bytes per second of late */
} bg_trainer;

/* Open everything: new, or where an earlier process stopped. */
bg_status bg_trainer_open(bg_trainer *r, const bg_train *t, const bg_machine_options *machine, bg_error *err);
void bg_trainer_close(bg_trainer *r);

double bg_clock(void); /* seconds, monotonic */

/* The recipe and the data sets; recipe_text too when the run goes on (plan.c). */
bg_status bg_trainer_plan(bg_trainer *r, bg_error *err);

/* Metadata that stays the same during the run (save.c). */
bg_status bg_trainer_describe(bg_trainer *r, bg_error *err);
/* model.safetensors from the weights of this moment; `validated` may be NULL. */
bg_status bg_trainer_save_model(bg_trainer *r, const bg_totals *validated, bg_error *err);
/* A finished run's model.safetensors may have been moved away: make it again if so, from the last weights. */
bg_status bg_trainer_restore_model(bg_trainer *r, bg_error *err);
/* A checkpoint of this moment, and without validation model.safetensors too. */
bg_status bg_trainer_save(bg_trainer *r, bg_error *err);

#endif
