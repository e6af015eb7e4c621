/* The definition of a dropout mask, the same for every back end and level.
 *
 * Element (row id, column) takes one 16-bit half of a Philox block
 * (base/rng.h): the block has the stream (BG_STREAM_DROPOUT, site), the index
 * (step, row id) and the number column / 8; half h of word w belongs to
 * column % 8 = 2 w + h, low half first.  The element is removed when the half is
 * below p * 65536, rounded.  An attention probability is the element
 * (row id of the query, key), and its blocks are counted on from head << 16. */
#ifndef BG_OPS_DROPOUT_H
#define BG_OPS_DROPOUT_H

#include "base/rng.h"
#include "ops/ops.h"

enum {
    BG_DROP_GROUP = 8,      /* columns that share a block */
    BG_DROP_HEAD_SHIFT = 16 /* room for 8 << 16 keys */
};

static inline int bg_drop_on(const bg_dropout *d) { return d && d->p > 0; }

static inline uint32_t bg_drop_threshold(const bg_dropout *d) { return (uint32_t)(d->p * 65536.0f + 0.5f); }

static inline float bg_drop_scale(const bg_dropout *d) { return d->p < 1 ? 1.0f / (1.0f - d->p) : 0.0f; }

static inline uint32_t bg_drop_stream(const bg_dropout *d) { return BG_STREAM_DROPOUT | d->site << 8; }

/* 36 bits for the row, 28 for the step: neither wraps in use. */
static inline uint64_t bg_drop_index(const bg_dropout *d, uint64_t row) { return d->step << 36 ^ (d->row0 + row); }

/* 0, or the factor of a kept element: what the vector code is tested against. */
static inline float bg_drop_factor(const bg_dropout *d, uint64_t row, uint32_t head, uint32_t column)
{
    uint32_t words[4];
    bg_philox(words, d->seed, bg_drop_stream(d), bg_drop_index(d, row), (head << BG_DROP_HEAD_SHIFT) + column / BG_DROP_GROUP);
    uint32_t half = words[column % BG_DROP_GROUP / 2] >> (column % 2 * 16) & 0xFFFF;
    return half < bg_drop_threshold(d) ? 0.0f : bg_drop_scale(d);
}

#endif
