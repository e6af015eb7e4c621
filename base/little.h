/* Numbers in files that begin with their lowest byte. */
#ifndef BG_BASE_LITTLE_H
#define BG_BASE_LITTLE_H

#include <stdint.h>

/* bytes: at most 4. */
static inline uint32_t bg_little(const uint8_t *p, int bytes)
{
    uint32_t x = 0;
    while (bytes-- > 0)
        x = x << 8 | p[bytes];
    return x;
}

static inline void bg_little_put(uint8_t *p, uint32_t x, int bytes)
{
    for (int i = 0; i < bytes; i++, x >>= 8)
        p[i] = (uint8_t)x;
}

#endif
