/* See wave.h. */
#include "prepare/wave.h"

#include <string.h>

enum { FMT = 16, PCM = 1 };

void wave_header(uint8_t to[WAVE_HEADER], uint32_t rate, uint32_t channels, uint32_t bits, uint32_t size)
{
    const uint32_t frame = channels * bits / 8;
    memcpy(to, "RIFF....WAVEfmt ", 16);
    bg_little_put(to + 4, WAVE_HEADER - 8 + size + size % 2, 4);
    bg_little_put(to + 16, FMT, 4);
    bg_little_put(to + 20, PCM, 2);
    bg_little_put(to + 22, channels, 2);
    bg_little_put(to + 24, rate, 4);
    bg_little_put(to + 28, rate * frame, 4);
    bg_little_put(to + 32, frame, 2);
    bg_little_put(to + 34, bits, 2);
    memcpy(to + 36, "data", 4);
    bg_little_put(to + 40, size, 4);
}
