/* What a run is: its settings, its data, and what it is to store in models.
 * Kept as one JSON text, which is the run's config.json and stands in every
 * checkpoint, so that a resumed run takes exactly what it was started with. */
#ifndef BG_RUN_RECIPE_H
#define BG_RUN_RECIPE_H

#include "data/dataset.h"
#include "model/safetensors.h"
#include "run/settings.h"

enum { BG_RECIPE_WORD = 64 };

typedef struct bg_recipe {
    const bg_sys *sys;
    bg_settings settings;          /* effective */
    char pairs[BG_RECIPE_WORD];    /* "" when there are none */
    char isa[BG_RECIPE_WORD], precision[BG_RECIPE_WORD]; /* of the start; another gives other bits */
    char data_sum[BG_RECIPE_WORD]; /* bg_listing_sum of the training data, hexadecimal */
    char validation_sum[BG_RECIPE_WORD]; /* "" when there is none */
    char init_sum[BG_RECIPE_WORD]; /* bg_file_sum of the model to start from; "" without */
    char *init;                    /* or NULL */
    char **data, **validation;     /* paths as given */
    size_t data_count, validation_count;
    bg_meta metadata;              /* to be stored in the models */
} bg_recipe;

void bg_recipe_open(bg_recipe *r, const bg_sys *sys);
void bg_recipe_close(bg_recipe *r); /* safe on a zeroed struct */

/* Copies of the caller's strings. */
bg_status bg_recipe_paths(bg_recipe *r, const char *const *data, size_t data_count, const char *const *validation, size_t validation_count, const char *init, bg_error *err);

bg_status bg_recipe_write(const bg_recipe *r, bg_text *t, bg_error *err);
/* r must be freshly opened.  `where` names the file in errors; keys that this version does not know are BG_ERR_FORMAT,
 * because they would change the run. */
bg_status bg_recipe_read(bg_recipe *r, const char *json, size_t size, const char *where, bg_error *err);

/* Names, sizes, labels and order of the sequences, as 16 hexadecimal digits:
 * what must be unchanged for a run to go on.  Folders are left out, so a data
 * set may be moved. */
void bg_listing_sum(char out[BG_RECIPE_WORD], const bg_dataset *d);

#endif
