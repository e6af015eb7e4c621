/* Which row of a table of n-grams the symbols before a byte lead to: the last
 * 2, 3 and 4 of them, across the border to the patch before.  Two n-grams may
 * share a row (Svenstrup et al. 2017, "Hash embeddings"). */
#ifndef BG_DATA_GRAMS_H
#define BG_DATA_GRAMS_H

#include <stdint.h>

enum { BG_GRAM_MIN = 2, BG_GRAM_TABLES = 3, BG_MAX_GRAMS = 65536 };

/* rows[k] < count: for the BG_GRAM_MIN + k symbols before place i of `patch`
 * (P); `before` (P) is the patch in front of it.  Places from i on are not read. */
void bg_gram_rows(uint16_t rows[BG_GRAM_TABLES], const uint16_t *before, const uint16_t *patch, uint32_t i, uint32_t P, uint32_t count);

#endif
