/* The numbers that, with the files, decide every bit of a training run.
 *
 * One table of rows {name, place, default, range} serves defaults, range
 * errors, config.json, the settings stored in checkpoints, and the comparison
 * on resume. */
#ifndef BG_RUN_SETTINGS_H
#define BG_RUN_SETTINGS_H

#include "model/config.h"

#include <stddef.h>
#include <stdint.h>

typedef enum bg_schedule { BG_COSINE = 0, BG_CONSTANT, BG_STABLE } bg_schedule;
typedef enum bg_optimizer_kind { BG_ADAMW = 0, BG_MUON } bg_optimizer_kind;

/* As a caller fills it, zero is the default of every field; after
 * bg_settings_defaults() every value means itself and 0 is 0. */
typedef struct bg_settings {
    bg_config config;
    uint32_t classify;       /* labels from file names */
    uint32_t batch;          /* files of a batch */
    uint32_t accumulate;     /* batches of a step */
    uint32_t schedule;       /* bg_schedule */
    uint32_t patch_sampling; /* target patches of a batch that carry loss; 0: all */
    uint32_t loss_target;    /* pairs: only the target file carries loss */
    uint32_t embedding_init; /* bg_embedding_init (model/params.h) */
    uint32_t augment;        /* sounds and pictures change a little each time */
    double skip_empty;       /* programs: share of them whose empty memory is left out */
    uint32_t val_limit;      /* files evaluated at most; 0: all */
    uint64_t steps;          /* 0: not limited by steps */
    uint64_t seed;
    double epochs, seconds;  /* 0: not limited by them */
    double lr, min_lr;       /* min_lr is a share of lr */
    double warmup;           /* below 1 a share of the run, else steps */
    double clip;             /* global gradient norm; 0: off */
    double weight_decay, beta1, beta2, eps, dropout;
    uint32_t optimizer;      /* bg_optimizer_kind */
    double momentum;         /* Muon's */
    double qk_lr;            /* with Muon: the rate of the matrices that make queries and keys, as a share of lr */
    double rest_lr;          /* with Muon: the rate of what AdamW moves, as a share of lr */
    double cooldown;         /* BG_STABLE: below 1 a share of the run, else steps, in which the rate falls */
    double eval_every;       /* steps; 0: ten times a run; negative: only at the end */
    uint32_t patience;       /* the run ends after so many evaluations in a row that were not the best so far; 0: never */
} bg_settings;

typedef enum bg_row_kind { BG_ROW_U32, BG_ROW_U64, BG_ROW_DOUBLE } bg_row_kind;

typedef struct bg_row {
    const char *name;
    bg_row_kind kind;
    size_t offset;        /* in bg_settings */
    double standard;      /* what 0 stands for */
    int negative_is_zero; /* a negative value switches the thing off */
    double min, max;      /* of the effective value */
    const char *const *names; /* of the values 0, 1, ... up to max, or NULL for plain numbers */
} bg_row;

extern const bg_row bg_settings_rows[];
extern const size_t bg_settings_row_count;

double bg_row_get(const bg_row *r, const bg_settings *s);
/* Are the values of row r in a and b the same bits? */
int bg_row_equal(const bg_row *r, const bg_settings *a, const bg_settings *b);

/* Replace what stands for a default by the default. */
void bg_settings_defaults(bg_settings *s);
/* Ranges of effective settings; BG_ERR_ARGUMENT names the field, the value and the range. */
bg_status bg_settings_check(const bg_settings *s, bg_error *err);
/* Steps of the whole run over `items` sequences; 0 when only time limits it. */
uint64_t bg_settings_steps(const bg_settings *s, uint64_t items);

#endif
