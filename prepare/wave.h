/* The plain header of a WAV file: 44 bytes, PCM, and nothing that the samples do not need. */
#ifndef BG_PREPARE_WAVE_H
#define BG_PREPARE_WAVE_H

#include <stdint.h>

enum { WAVE_HEADER = 44 };

/* Lowest byte first. */
static inline void wave_put(uint8_t *p, uint32_t x, int bytes)
{
    for (int i = 0; i < bytes; i++, x >>= 8)
        p[i] = (uint8_t)x;
}

/* rate: samples a second; bits: of a sample; size: bytes of samples.  An odd size is followed by a byte of padding, which is
 * the caller's to write. */
void wave_header(uint8_t to[WAVE_HEADER], uint32_t rate, uint32_t channels, uint32_t bits, uint32_t size);

#endif
