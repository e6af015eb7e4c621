/* The emulator of AVX512-FP16, beside arithmetic: scaling, rounding, conversion,
 * reciprocals and single words, against the same instruction on fp32 (which the machine
 * has) for special cases, and against plain C.  As test_emulate.c, it checks the
 * processor where that has the instructions, and is skipped without AVX-512. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support_emulate_check.h"

#if defined(__x86_64__) && defined(__linux__)

static float float_of(uint16_t h)
{
    float f;
    uint32_t nan = 0x7FC00000u | (uint32_t)(h & 0x8000) << 16 | (uint32_t)(h & 1023) << 13;
    if ((h & 0x7FFF) > 0x7E00 || (h & 0x7FFF) == 0x7E00)
        memcpy(&f, &nan, sizeof f);
    else if (fp16_is_nan(h)) { /* signalling, in fp32 too */
        nan &= ~0x400000u;
        memcpy(&f, &nan, sizeof f);
    } else
        f = (float)fp16_value(h);
    return f;
}

/* Sixteen lanes of fp32: x in zmm2, y in zmm3, result in zmm1. */
#define SINGLE(out, x, y, text)                                                \
    __asm__ volatile("vmovdqu64 (%0), %%zmm2; vmovdqu64 (%1), %%zmm3; " text "; vmovdqu64 %%zmm1, (%2); vzeroupper" \
                     : : "r"(x), "r"(y), "r"(out) : "memory", "xmm1", "xmm2", "xmm3")

static void fill_floats(float *f, const uint16_t *h)
{
    for (int i = 0; i < 16; i++)
        f[i] = float_of(h[i]);
}

/* Lanes 0 to 15 of the bench agree with a result in fp32 that is exact or far more exact. */
static void check_single(const char *what, const bench *x, const float *single)
{
    for (int i = 0; i < 16; i++)
        fp16_same(what, i, x, fp16_nearest((double)single[i]));
}

static void scale_and_round(void **state)
{
    static const uint16_t special[] = { 0x0000, 0x8000, 0x0001, 0x83FF, 0x3C00, 0xC100, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E01, 0xFE02, 0x7D03, 0xFD04 };
    enum { SPECIALS = sizeof special / sizeof *special };
    bench x;
    float a[16], b[16], out[16];
    NEEDS_EMULATOR;
    emulate_reseed();
    for (int round = 0; round < 3000; round++) {
        fp16_random(&x);
        for (int i = 0; i < 32; i++) {
            if (round % 3 == 0) /* powers that matter */
                x.b[i] = fp16_nearest(ldexp((double)bg_rng_below(&emulate_rng, 160) - 80, -1));
            if (round % 3 == 1) { /* specials against each other */
                x.a[i] = special[bg_rng_below(&emulate_rng, SPECIALS)];
                x.b[i] = special[bg_rng_below(&emulate_rng, SPECIALS)];
            }
        }
        fill_floats(a, x.a);
        fill_floats(b, x.b);
        LOW(&x, "vscalefph");
        SINGLE(out, a, b, "vscalefps %%zmm3, %%zmm2, %%zmm1");
        check_single("vscalefph", &x, out);
#define ROUNDED(control)                                                       \
    RUN(&x, "zmm1", "zmm2", "zmm3", "vrndscaleph $" control ", %%zmm3, %%zmm1"); \
    SINGLE(out, a, b, "vrndscaleps $" control ", %%zmm3, %%zmm1");             \
    check_single("vrndscaleph $" control, &x, out)
        ROUNDED("0");
        ROUNDED("1");
        ROUNDED("2");
        ROUNDED("3");
        ROUNDED("0x24");
        ROUNDED("0x41");
        ROUNDED("0xF8");
#undef ROUNDED
    }
    LOW(&x, "vmaxph");
    SINGLE(out, a, b, "vmaxps %%zmm3, %%zmm2, %%zmm1");
    check_single("vmaxph", &x, out);
}

/* Every fp16, and the bits of NaN too: F16C's instruction does the same. */
static void widening(void **state)
{
    uint16_t h[32];
    uint32_t want[16], got[16], same[16];
    NEEDS_EMULATOR;
    for (unsigned i = 0; i < 65536; i += 16) {
        for (unsigned k = 0; k < 32; k++)
            h[k] = (uint16_t)(i + k);
        __asm__ volatile("vcvtph2ps (%0), %%zmm1; vmovdqu64 %%zmm1, (%1); vmovdqu (%0), %%ymm3; vcvtph2psx %%ymm3, %%zmm18; vmovdqu64 %%zmm18, (%2);"
                         "vpxorq %%zmm18, %%zmm18, %%zmm18; lea -96(%0), %%rdx; vcvtph2psx 96(%%rdx), %%zmm18; vmovdqu64 %%zmm18, (%3); vzeroupper"
                         : : "r"(h), "r"(want), "r"(got), "r"(same) : "memory", "rdx", "xmm1", "xmm3");
        assert_memory_equal(got, want, sizeof got);
        assert_memory_equal(same, want, sizeof got);
    }
    __asm__ volatile("vcvtph2psx 2(%0)%{1to16%}, %%zmm1; vmovdqu64 %%zmm1, (%1); vcvtph2psx 2(%0), %%xmm2; vmovdqu64 %%zmm2, (%2); vzeroupper"
                     : : "r"(h), "r"(got), "r"(same) : "memory", "xmm1", "xmm2");
    for (int k = 0; k < 16; k++) {
        float one, other;
        memcpy(&one, &got[k], sizeof one);
        memcpy(&other, &same[k], sizeof other);
        assert_true(one == float_of(h[1]) || fp16_is_nan(h[1]));
        assert_true(k < 4 ? other == float_of(h[1 + k]) || fp16_is_nan(h[1 + k]) : same[k] == 0);
    }
}

/* fp32 of all sizes, those near fp16's ties among them. */
static void narrowing(void **state)
{
    uint32_t f[16];
    uint16_t got[32], want[16], memory[32];
    NEEDS_EMULATOR;
    emulate_reseed();
    for (int round = 0; round < 20000; round++) {
        for (int k = 0; k < 16; k++) {
            f[k] = (uint32_t)bg_rng_below(&emulate_rng, (uint64_t)1 << 32);
            if (round % 4)
                f[k] = (f[k] & 0x87FFFFFFu) + ((uint32_t)(100 + bg_rng_below(&emulate_rng, 46)) << 23 & 0x78000000u);
            if (round % 2)
                f[k] = (f[k] & ~0x1FFFu) + 0x1000 + (uint32_t)bg_rng_below(&emulate_rng, 3) - 1;
        }
        __asm__ volatile("vmovdqu64 (%0), %%zmm9; vcvtps2ph $0, %%zmm9, (%1); vpternlogd $255, %%zmm31, %%zmm31, %%zmm31; vcvtps2phx %%zmm9, %%ymm31;"
                         "vmovdqu64 %%zmm31, (%2); lea 64(%0), %%rdx; vcvtps2phx -64(%%rdx), %%ymm30; vmovdqu64 %%zmm30, (%3); vzeroupper"
                         : : "r"(f), "r"(want), "r"(got), "r"(memory) : "memory", "rdx", "xmm9");
        assert_memory_equal(got, want, sizeof want);
        assert_memory_equal(memory, want, sizeof want);
        for (int k = 16; k < 32; k++)
            assert_true(got[k] == 0 && memory[k] == 0);
    }
    static const uint32_t tie = 0x3F801000; /* 1 + 2^-11 */
    __asm__ volatile("vcvtps2phx (%0)%{1to16%}, %%ymm1; vmovdqu64 %%zmm1, (%1); vpbroadcastd (%0), %%zmm3;"
                     "vcvtps2phx %{ru-sae%}, %%zmm3, %%ymm2; vmovdqu64 %%zmm2, (%2); vzeroupper"
                     : : "r"(&tie), "r"(got), "r"(memory) : "memory", "xmm1", "xmm2", "xmm3");
    for (int k = 0; k < 16; k++)
        assert_true(got[k] == 0x3C00 && memory[k] == 0x3C01);
}

/* Every fp16; the manual allows an error of 2^-11 + 2^-14, and half a place for subnormals. */
static void reciprocals(void **state)
{
    bench x;
    NEEDS_EMULATOR;
    memset(&x, 0, sizeof x);
    for (unsigned i = 0; i < 65536; i += 32) {
        for (unsigned k = 0; k < 32; k++)
            x.b[k] = (uint16_t)(i + k);
        RUN(&x, "zmm1", "zmm2", "zmm3", "vrcpph %%zmm3, %%zmm1");
        for (int k = 0; k < 32; k++) {
            const double exact = 1 / fp16_value(x.b[k]), got = fp16_value(x.out[k]);
            if (!isfinite(exact) || exact == 0 || fabs(exact) >= 65536)
                fp16_same("vrcpph", k, &x, fp16_nearest(exact));
            else if (!(fabs(got - exact) <= fabs(exact) * (0x1p-11 + 0x1p-14) + 0x1p-25) && !(fabs(exact) > 65500 && isinf(got)))
                fail_msg("vrcpph of %04x gave %04x", x.b[k], x.out[k]);
        }
    }
}

static void words(void **state)
{
    uint16_t memory[64] = { 0 }, out[32];
    uint64_t low = 0, high = 0;
    NEEDS_EMULATOR;
    memory[5] = 0xABCD;
    __asm__ volatile("vpternlogd $255, %%zmm20, %%zmm20, %%zmm20; vmovw 10(%2), %%xmm20; vmovdqu64 %%zmm20, (%3);"
                     "mov $-1, %%r11; vmovw %%xmm20, %%r11d; mov %%r11, %0; vmovw %%xmm20, 64(%2);"
                     "mov $0x12345678, %%r14d; vmovw %%r14d, %%xmm3; vmovq %%xmm3, %1; vzeroupper"
                     : "=&r"(low), "=&r"(high) : "r"(memory), "r"(out) : "memory", "r11", "r14", "xmm3");
    assert_int_equal(low, 0xABCD);
    assert_int_equal(high, 0x5678);
    assert_int_equal(out[0], 0xABCD);
    for (int i = 1; i < 32; i++)
        assert_int_equal(out[i], 0);
    assert_int_equal(memory[32], 0xABCD);
    assert_int_equal(memory[33], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scale_and_round), cmocka_unit_test(widening), cmocka_unit_test(narrowing),
        cmocka_unit_test(reciprocals), cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) { return emulate_not_here(); }

#endif
