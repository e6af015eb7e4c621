/* From logits to one symbol. */
#ifndef BG_RUN_SAMPLING_H
#define BG_RUN_SAMPLING_H

#include "base/rng.h"
#include "data/batch.h"

typedef struct bg_sampling {
    int greedy;
    uint32_t top_k;     /* 0: all; more than there are symbols: all */
    double top_p;       /* 0: 1 */
    double temperature; /* 0: 1 */
    uint64_t seed;
} bg_sampling;

bg_status bg_sampling_check(const bg_sampling *s, bg_error *err);

/* Probabilities of all symbols after top-k, top-p and temperature, in that
 * order, renormalised after each.  Sum 1, or -1 is returned when the logits are not finite. */
int bg_sampling_probabilities(double probs[BG_VOCAB], const float logits[BG_VOCAB], const bg_sampling *s);

/* One symbol; draws one double from r unless greedy (then the largest logit,
 * the lowest symbol of equal ones).  -1 when the logits are not finite. */
int bg_sampling_draw(const float logits[BG_VOCAB], const bg_sampling *s, bg_rng *r);

#endif
