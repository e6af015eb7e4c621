/* Which row of a table of n-grams the symbols before a byte lead to: the last
 * 2, 3 and 4 of them, or 3, 4 and 5 that end in a patch, across the border to
 * the patch before.  Two n-grams may share a row (Svenstrup et al. 2017, "Hash embeddings"). */
#ifndef BG_DATA_GRAMS_H
#define BG_DATA_GRAMS_H

#include <stdint.h>

/* The shortest of the byte decoder's, and of the patch decoder's. */
enum { BG_GRAM_MIN = 2, BG_PATCH_GRAM_MIN = 3, BG_GRAM_TABLES = 3, BG_MAX_GRAMS = 65536 };

/* rows[k] < count: for the shortest + k symbols before place i of `patch`
 * (P); `before` (P) is the patch in front of it.  Places from i on are not read. */
void bg_gram_rows(uint16_t rows[BG_GRAM_TABLES], uint32_t shortest, const uint16_t *before, const uint16_t *patch, uint32_t i, uint32_t P, uint32_t count);

#endif
