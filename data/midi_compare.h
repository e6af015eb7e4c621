/* The notes of two MIDI files, bar by bar: what a conversion got right. */
#ifndef BG_DATA_MIDI_COMPARE_H
#define BG_DATA_MIDI_COMPARE_H

#include "base/sys.h"

/* Counts of a bar, or of all.  A note is its start, length, key and channel. */
typedef struct bg_midi_bar {
    uint64_t number; /* from 1, of the truth's bars */
    uint64_t notes;  /* of the truth */
    uint64_t right;
    uint64_t wrong;  /* of those found, begin when one of the truth does, but are another */
    uint64_t missing, extra;
} bg_midi_bar;

typedef struct bg_midi_comparison {
    uint64_t bars, bars_equal; /* in which either file has a note */
    bg_midi_bar sum;           /* number is 0 */
    int exact;                 /* the same bytes */
    bg_error fault;            /* of `found`; code BG_OK: none */
} bg_midi_comparison;

/* bar (may be NULL) is called for each that differs, in order.  BG_ERR_FORMAT: it is the truth that cannot be compared with. */
bg_status bg_midi_compare(const bg_sys *sys, const uint8_t *truth, size_t truth_size, const uint8_t *found, size_t found_size, bg_midi_comparison *out,
                          void (*bar)(void *ctx, const bg_midi_bar *b), void *ctx, bg_error *err);

/* Are the notes of `moved` those of `original`, so many semitones away?  Octaves do not count: what accompanies stays where it
 * sounds well.  BG_ERR_FORMAT: no, or one of them cannot be read. */
bg_status bg_midi_transposed(const bg_sys *sys, const uint8_t *original, size_t original_size, const uint8_t *moved, size_t moved_size, int semitones, bg_error *err);

#endif
