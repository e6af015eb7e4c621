/* Philox4x32-10 and the few distributions needed on top of it.  Refuses to
 * keep any state beyond the caller's cursor. */
#include "base/rng.h"

#include <math.h>
#include <string.h>

/* Multipliers and key increments of the paper; the increments are the golden
 * ratio and sqrt(3) - 1, both times 2^32. */
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

/* Key = seed, counter = (block, stream, index): every word of the arguments
 * has its own place, so no two (seed, stream, index, block) share a block. */
void bg_philox(uint32_t out[4], uint64_t seed, uint32_t stream, uint64_t index, uint32_t block)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint32_t c0 = block, c1 = stream, c2 = (uint32_t)index, c3 = (uint32_t)(index >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void bg_rng_open(bg_rng *r, uint64_t seed, uint32_t stream, uint64_t index)
{
    memset(r, 0, sizeof *r);
    r->seed = seed;
    r->stream = stream;
    r->index = index;
    r->used = 4;
}

uint32_t bg_rng_u32(bg_rng *r)
{
    if (r->used == 4) {
        bg_philox(r->buf, r->seed, r->stream, r->index, r->block++);
        r->used = 0;
    }
    return r->buf[r->used++];
}

uint64_t bg_rng_u64(bg_rng *r)
{
    uint64_t low = bg_rng_u32(r);
    return low | (uint64_t)bg_rng_u32(r) << 32;
}

/* 2^64 mod n values at the bottom are drawn again, so that the rest divides
 * evenly into n classes. */
uint64_t bg_rng_below(bg_rng *r, uint64_t n)
{
    uint64_t uneven = (0 - n) % n, x;
    do
        x = bg_rng_u64(r);
    while (x < uneven);
    return x % n;
}

double bg_rng_double(bg_rng *r)
{
    return (double)(bg_rng_u64(r) >> 11) * 0x1p-53;
}

/* The first uniform lies in (0,1], so the logarithm is finite. */
double bg_rng_normal(bg_rng *r)
{
    double u = ((double)bg_rng_u32(r) + 1.0) * 0x1p-32;
    double v = (double)bg_rng_u32(r) * 0x1p-32;
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v);
}
