/* Numbers in files that begin with their lowest byte. */
#ifndef BGPT_CLI_LITTLE_H
#define BGPT_CLI_LITTLE_H

#include <stdint.h>

/* n: bytes, at most 4. */
static inline uint32_t little(const uint8_t *p, int n)
{
    uint32_t x = 0;
    while (n-- > 0)
        x = x << 8 | p[n];
    return x;
}

#endif
