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
/* facts may be NULL.  BG_ERR_FORMAT: "byte 123: ..." */
bg_status bg_midi_check(const uint8_t *data, size_t size, bg_midi_facts *facts, bg_error *err);

#endif
