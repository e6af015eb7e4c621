/* Scoring a data set with a model, SPEC section 3. */
#ifndef BG_RUN_EVALUATE_H
#define BG_RUN_EVALUATE_H

#include "data/dataset.h"
#include "model/model.h"

typedef struct bg_score {
    const char *file;        /* "a -> b" for a pair; valid during the callback */
    uint64_t bytes, symbols; /* of the file (a pair: of its target); a classifier's one symbol is the label */
    uint64_t patches;        /* of the item as a sequence, all windows together; of a total 0 */
    double nats;             /* summed over symbols */
    double nats_per_symbol, reference_bpb, bits_per_byte; /* NaN where there is nothing to divide by */
    int label, predicted;    /* classifier, else -1 */
    double confidence;       /* classifier: the probability of `predicted`, else NaN */
} bg_score;

typedef struct bg_totals {
    bg_score score;      /* sums, and means over the sums */
    double accuracy;     /* classifier, else NaN */
    uint64_t *confusion; /* (classes, classes) [true][predicted], or NULL; cleared by the caller */
} bg_totals;

typedef struct bg_evaluation {
    void (*file)(void *ctx, const bg_score *s); /* after each file, in order; may be NULL */
    /* Each predicted patch of a file, in order, before `file`: its symbols and the nats spent on them (n); may be NULL.  Not of classifiers. */
    void (*symbols)(void *ctx, const uint16_t *symbols, const float *nats, size_t n);
    int (*stop)(void *ctx);                     /* may be NULL; not 0: BG_ERR_INTERRUPTED */
    void *ctx;
    size_t limit;                               /* files at most, spread evenly over the set; 0: all */
} bg_evaluation;

typedef struct bg_evaluator {
    const bg_sys *sys;
    bg_model *model;  /* borrowed, as is data */
    bg_dataset *data;
    bg_batch batch;
    size_t *item;     /* (max_files) of each sequence of the batch */
    double *nats;     /* (max_files) */
    float *logits;    /* (max_files, classes) or NULL */
    float *losses;    /* (max_rows, P) of a batch, or NULL: made by the first run that asks for symbols */
} bg_evaluator;

/* Patches of the longest sequence that data set d gives. */
uint32_t bg_dataset_longest(const bg_dataset *d);

/* Reserve for batches of `files` sequences.  The model must be reserved for
 * files * bg_dataset_longest(data) rows.  Runs allocate only for the names of pairs, and once for symbols. */
bg_status bg_evaluator_open(bg_evaluator *e, bg_model *model, bg_dataset *data, uint32_t files, bg_error *err);
void bg_evaluator_close(bg_evaluator *e); /* safe on a zeroed struct */
bg_status bg_evaluator_run(bg_evaluator *e, const bg_evaluation *how, bg_totals *out, bg_error *err);

#endif
