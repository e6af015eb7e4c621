/* Is it a well-formed Standard MIDI File (SMF 1.0)?  A validator, not a
 * player: header, track chunks and their lengths, variable-length numbers,
 * running status, data bytes below 128, system-exclusive and meta events, one End of
 * Track at each track's end, no bytes left over. */
#ifndef BG_DATA_MIDI_H
#define BG_DATA_MIDI_H

#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct bg_midi_facts { uint32_t format, tracks, division, notes; } bg_midi_facts;
/* What a reader may want of the events, track after track; ticks are those since the track's beginning. */
typedef struct bg_midi_sink {
    void (*note)(void *ctx, uint64_t tick, unsigned channel, unsigned key, unsigned velocity); /* velocity 0: it ends */
    void (*meter)(void *ctx, uint64_t tick, unsigned beats, unsigned power);                   /* a bar has `beats` of 1/2^power */
    void (*track_end)(void *ctx, uint64_t tick);
    void *ctx;
} bg_midi_sink;

/* The check below, with the events handed on as they are read: before a fault too. */
bg_status bg_midi_read(const uint8_t *data, size_t size, const bg_midi_sink *sink, bg_midi_facts *facts, bg_error *err);

/* facts may be NULL.  BG_ERR_FORMAT: "byte 123: ..." */
bg_status bg_midi_check(const uint8_t *data, size_t size, bg_midi_facts *facts, bg_error *err);

/* The most that a repair adds: an End of Track for each of the tracks that a header can count. */
enum { BG_MIDI_REPAIR_ROOM = 4 * 65535 };

/* Make it well-formed, in place.  Every track gets the length that its events have; one that breaks off gets an End of Track behind
 * its last whole event; what lies between is taken away, *cut bytes in all; the header is told how many tracks there are.  A file that is
 * well-formed stays as it is.  *size changes; `capacity` is what data holds, 4 bytes beyond *size for each track that lacks its end (BG_ERR_ARGUMENT: too
 * little, and the file half done).  BG_ERR_FORMAT, and nothing is changed: the header is no header, or no track follows. */
bg_status bg_midi_repair(uint8_t *data, size_t *size, size_t capacity, size_t *cut, bg_error *err);

#endif
