/* Which tunes are the same, and which are alike. */
#ifndef BG_PREPARE_MELODY_H
#define BG_PREPARE_MELODY_H

#include "prepare/abc.h"

/* A melody by its steps up and down the scale, so that it is the same in every key. */
typedef struct melody {
    uint64_t key;      /* of all steps and lengths: equal for equal melodies */
    uint32_t *grams;   /* (count) of each eight steps in a row, sorted, each once */
    size_t count;
} melody;

bg_status melody_make(melody *m, const abc_tune *t, const bg_sys *sys, bg_error *err);
void melody_free(melody *m, const bg_sys *sys);

/* m (count); twin (count): the first melody of the same key; group (count): the smallest key among those that it is joined
 * to, by half of all grams in common (Jaccard's index), one by one.  Grams that more than 500 melodies hold say nothing and do not
 * count.  The order of the melodies does not matter to the groups. */
bg_status melody_groups(const melody *m, size_t count, size_t *twin, uint64_t *group, const bg_sys *sys, bg_error *err);

#endif
