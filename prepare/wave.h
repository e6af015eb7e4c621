/* The plain header of a WAV file: 44 bytes, PCM, and nothing that the samples do not need. */
#ifndef BG_PREPARE_WAVE_H
#define BG_PREPARE_WAVE_H

#include "base/little.h"

enum { WAVE_HEADER = 44 };

/* rate: samples a second; bits: of a sample; size: bytes of samples.  An odd size is followed by a byte of padding, which is
 * the caller's to write. */
void wave_header(uint8_t to[WAVE_HEADER], uint32_t rate, uint32_t channels, uint32_t bits, uint32_t size);

#endif
