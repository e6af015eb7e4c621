/* Sounds: WAV files read without trust, put one after another, and written
 * with the plain header of 44 bytes. */
#ifndef BGPT_CLI_WAVE_H
#define BGPT_CLI_WAVE_H

#include "cli/command.h"

typedef struct wave_format {
    uint32_t rate;          /* samples a second */
    unsigned channels, bits; /* bits: of a sample, 8, 16, 24 or 32 */
} wave_format;

typedef struct wave {
    wave_format format;
    uint8_t *data;
    size_t size, capacity;
} wave;

/* The samples in a WAV file of plain PCM.  Of a file that was cut inside its samples, those that are there.  NULL, or why it
 * cannot be read. */
const char *wave_find(const uint8_t *file, size_t size, wave_format *format, const uint8_t **samples, size_t *length);

/* Append samples, or silence; false: no memory. */
bool wave_append(wave *w, const uint8_t *samples, size_t length);
bool wave_silence(wave *w, double seconds);
double wave_seconds(const wave *w);
void wave_free(wave *w);

/* 0, or the exit code after a sentence. */
int wave_write(const wave *w, const char *path, bool overwrite, const bgpt_options *o);

#endif
