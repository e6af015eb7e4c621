/* ABC, MIDI, MusicXML and sound by the programs that know them: abcmidi's,
 * musescore3 and fluidsynth, as limited children. */
#ifndef BGPT_CLI_MUSIC_H
#define BGPT_CLI_MUSIC_H

#include "cli/child.h"
#include "cli/wave.h"

/* What a tune has become; data is to be released with bgpt_free_data. */
typedef struct music_file {
    uint8_t *data;
    size_t size;
} music_file;

/* `why` gets the sentence about any end but CHILD_GOOD. */
child_end abc_to_midi(const uint8_t *abc, size_t size, music_file *midi, const bgpt_options *o, char why[CHILD_WHY]);
/* A tune that abc2midi finds an error in is a failure. */
child_end abc_to_midi_strictly(const uint8_t *abc, size_t size, music_file *midi, const bgpt_options *o, char why[CHILD_WHY]);
child_end abc_transposed(const uint8_t *abc, size_t size, int semitones, music_file *made, const bgpt_options *o, char why[CHILD_WHY]);
/* MusicXML by musescore3, which QT_QPA_PLATFORM=offscreen keeps from looking for a screen. */
child_end score_to_midi(const uint8_t *score, size_t size, const char *extension, music_file *midi, const bgpt_options *o, char why[CHILD_WHY]);
child_end midi_to_abc(const uint8_t *midi, size_t size, music_file *abc, const bgpt_options *o, char why[CHILD_WHY]);
/* `extension` is abc, mid or midi.  The sound is of 44,100 Hz, two channels, 16 bits. */
child_end music_to_wave(const uint8_t *file, size_t size, const char *extension, music_file *sound, const bgpt_options *o, char why[CHILD_WHY]);

bool is_music(const char *extension);
bool is_midi(const char *extension);
/* Before long work: is a program there?  0, or 1 after a sentence with its Debian package. */
int music_programs(bool abc, bool sound);

#endif
