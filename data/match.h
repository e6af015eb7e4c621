/* What followed when the last symbols stood together before: at each place of
 * a sequence, the longest of some lengths of its end that occurred earlier in
 * it, and the symbol behind its latest occurrence.  A guess for whatever says
 * things twice (Bloom 1998, "Solving the problems of context modeling";
 * Mahoney 2005, "Adaptive weighing of context models", whose match model this is). */
#ifndef BG_DATA_MATCH_H
#define BG_DATA_MATCH_H

#include "data/batch.h"

enum {
    BG_MATCH_LENGTHS = 12,
    BG_MATCH_NONE = BG_MATCH_LENGTHS * BG_VOCAB, /* the row where no end occurred earlier */
    BG_MATCH_ROWS = BG_MATCH_NONE + 1
};

typedef struct bg_match {
    uint32_t capacity;  /* symbols a sequence may have: at most 2^22 */
    uint32_t limit;     /* symbols the one at hand may have */
    uint32_t length;    /* symbols it has */
    uint32_t bits;      /* 2^bits buckets for each length: at least twice the limit */
    uint16_t *symbols;  /* (capacity) */
    uint64_t *hash;     /* (capacity + 1) of the symbols up to each place */
    uint32_t *latest;   /* (BG_MATCH_LENGTHS, 2^bits) ends, by open addressing: the place behind the latest, and a tag; or 0 */
    uint64_t factor[BG_MATCH_LENGTHS]; /* of the hash: what the symbol in front of an end was multiplied by */
    uint16_t row;       /* for the next symbol: length index * BG_VOCAB + what followed, or BG_MATCH_NONE */
    const bg_sys *sys;
} bg_match;

/* Room for sequences of at most `capacity` symbols; bg_match_reset() begins the first. */
bg_status bg_match_open(bg_match *m, const bg_sys *sys, uint32_t capacity, bg_error *err);
void bg_match_close(bg_match *m);
/* Begin a sequence of at most `limit` symbols (at most the capacity): the fewer, the faster, and the less memory is touched. */
void bg_match_reset(bg_match *m, uint32_t limit);
/* Append symbols; m->row is then for the one behind them. */
void bg_match_push(bg_match *m, const uint16_t *symbols, size_t n);

#endif
