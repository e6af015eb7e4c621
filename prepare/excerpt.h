/* A few bars of a tune: what a model that is to follow a score learns to follow first. */
#ifndef BG_PREPARE_EXCERPT_H
#define BG_PREPARE_EXCERPT_H

#include "base/rng.h"
#include "prepare/abc.h"

/* `low` to `high` bars, of all voices the same, of a tune in the one form (abc.h), anywhere in it, behind its fields; without its repeats and endings, but
 * half of the excerpts of two and more bars with others: one section or two, played twice, with two endings or one.
 * out: the caller's, prepare_buffer_free also after a failure.  BG_ERR_FORMAT: it has other fields in its music than
 * voices and tempo, voices of different lengths, or not more bars than are wanted. */
bg_status abc_excerpt(const char *text, size_t size, unsigned low, unsigned high, bg_rng *r, prepare_buffer *out, bg_error *err);

#endif
