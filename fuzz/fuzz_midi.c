/* libFuzzer target: the MIDI validator on any bytes, and the comparison of
 * notes.  Beyond what the sanitizers see: a file that was accepted has the tracks
 * it says, and all its notes are right beside itself; one that was refused
 * names a byte inside it; one that was repaired is accepted. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/midi.h"
#include "data/midi_compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void repair(const uint8_t *data, size_t size)
{
    const size_t room = size + BG_MIDI_REPAIR_ROOM, before = size;
    size_t cut;
    uint8_t *copy = malloc(room);
    bg_error err;
    if (!copy)
        return;
    memcpy(copy, data, size);
    const int whole = bg_midi_check(data, size, NULL, &err) == BG_OK;
    if (bg_midi_repair(copy, &size, room, &cut, &err) == BG_OK) {
        if (bg_midi_check(copy, size, NULL, &err) != BG_OK || size + cut < before || (whole && (cut != 0 || size != before)))
            abort();
    } else if (whole || cut != 0 || size != before || memcmp(copy, data, size) != 0) {
        abort();
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bg_error err = { BG_OK, "" };
    bg_midi_facts facts = { 0, 0, 0, 0 };
    size_t at;
    if (bg_midi_check(data, size, &facts, &err) == BG_OK) {
        if (facts.format > 2 || facts.tracks == 0 || size < 14 + 12 * (size_t)facts.tracks)
            abort();
    } else if (err.code != BG_ERR_FORMAT || sscanf(err.text, "byte %zu:", &at) != 1 || at > size) {
        abort();
    }
    bg_midi_comparison c;
    if (bg_midi_compare(bg_sys_default(), data, size, data, size, &c, NULL, NULL, &err) == BG_OK && (!c.exact || c.bars_equal != c.bars))
        abort();
    repair(data, size);
    return 0;
}
