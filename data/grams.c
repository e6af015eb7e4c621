/* The hash of n-grams.  It is part of the model format: docs/FORMAT.md. */
#include "data/grams.h"

#include "data/batch.h"

/* 2^64 divided by the golden ratio: multiplication spreads neighbouring values (Knuth, TAOCP 3, 6.4). */
#define SPREAD 0x9E3779B97F4A7C15u

/* The symbol `back` places before place i; 257 in front of the patch before, which short patches reach. */
static uint64_t symbol(const uint16_t *before, const uint16_t *patch, uint32_t i, uint32_t P, uint32_t back)
{
    if (back <= i)
        return patch[i - back];
    return back <= i + P ? before[i + P - back] : BG_VOCAB;
}

void bg_gram_rows(uint16_t rows[BG_GRAM_TABLES], uint32_t shortest, const uint16_t *before, const uint16_t *patch, uint32_t i, uint32_t P, uint32_t count)
{
    uint64_t value = 0;
    for (uint32_t back = 1; back < shortest; back++)
        value = value * (BG_VOCAB + 1) + symbol(before, patch, i, P, back);
    for (uint32_t k = 0; k < BG_GRAM_TABLES; k++) {
        value = value * (BG_VOCAB + 1) + symbol(before, patch, i, P, shortest + k);
        rows[k] = (uint16_t)((value * SPREAD >> 32) * count >> 32);
    }
}
