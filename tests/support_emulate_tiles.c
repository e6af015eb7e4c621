/* See support_emulate_tiles.h. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support_emulate_check.h"
#include "support_emulate_tiles.h"

#if defined(__x86_64__) && defined(__linux__)

void tile_configure(const tile_config *c) { __asm__ volatile("ldtilecfg %0" : : "m"(*c)); }

void tile_configure_alike(unsigned rows, unsigned bytes)
{
    tile_config c;
    memset(&c, 0, sizeof c);
    c.palette = 1;
    for (int i = 0; i < TILES; i++) {
        c.rows[i] = (uint8_t)rows;
        c.bytes[i] = (uint16_t)bytes;
    }
    tile_configure(&c);
}

void tile_release(void) { __asm__ volatile("tilerelease"); }

/* DAZ and FTZ: the sign stays. */
static float flush(float x) { return fabsf(x) < FLT_MIN ? copysignf(0, x) : x; }

/* volatile: a product of bf16 is exact in fp32 unless it leaves its range, so fma in the
 * double sense is: exact product, sum in double, one rounding to fp32.  That
 * rounds twice, which fp16_to_odd heals. */
static float fma_flushed(float a, float b, float c)
{
    volatile double p = (double)flush(a) * (double)flush(b), z = (double)flush(c), sum = p + z, back = sum - p;
    volatile double left = sum - back, error_z = z - back, error_p = p - left;
    return flush((float)fp16_to_odd(sum, error_p + error_z));
}

static float bf16(const uint8_t *p)
{
    uint16_t narrow;
    memcpy(&narrow, p, sizeof narrow);
    const uint32_t wide = (uint32_t)narrow << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

void tile_dot_reference(uint8_t *c, const uint8_t *a, const uint8_t *b, int rows, int columns, int pairs)
{
    for (int m = 0; m < rows; m++)
        for (int n = 0; n < columns; n++) {
            float sum[2] = { 0, 0 }, old;
            for (int k = 0; k < pairs; k++)
                for (int half = 0; half < 2; half++)
                    sum[half] = fma_flushed(bf16(a + m * BYTES + 4 * k + 2 * half), bf16(b + k * BYTES + 4 * n + 2 * half), sum[half]);
            memcpy(&old, c + m * BYTES + 4 * n, sizeof old);
            const float both = flush(flush(sum[0]) + flush(sum[1])), all = flush(flush(old) + both);
            memcpy(c + m * BYTES + 4 * n, &all, sizeof all);
        }
}

void tile_random(uint8_t *p, size_t bytes, size_t size, int low, int span)
{
    for (size_t i = 0; i < bytes; i += size) {
        const float f = ldexpf((float)bg_rng_normal(&emulate_rng), (int)bg_rng_below(&emulate_rng, (uint64_t)span) - low);
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        if (size == 2)
            bits >>= 16;
        memcpy(p + i, &bits, size);
    }
}

int tile_same(const uint8_t *p, const uint8_t *q)
{
    float a, b;
    memcpy(&a, p, sizeof a);
    memcpy(&b, q, sizeof b);
    return memcmp(p, q, sizeof a) == 0 || (isnan(a) && isnan(b));
}

#endif
