/* See support_emulate_check.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support_emulate_check.h"

#if defined(__x86_64__) && defined(__linux__)

#include "support_ops.h"

bg_rng emulate_rng;

void emulate_reseed(void) { bg_rng_open(&emulate_rng, ops_seed(), BG_STREAM_USER, 0); }

/* --- fp16 in plain C ------------------------------------------------------------ */

int fp16_is_nan(uint16_t h) { return (h & 0x7FFF) > 0x7C00; }

double fp16_value(uint16_t h)
{
    const int e = h >> 10 & 31, f = h & 1023;
    const double v = e == 31 ? (f ? (double)NAN : (double)INFINITY) : e ? ldexp(1024 + f, e - 25) : ldexp(f, -24);
    return h >> 15 ? -v : v;
}

/* Quotient by the last place, rounded by rint. */
uint16_t fp16_nearest(double v)
{
    const uint16_t sign = signbit(v) ? 0x8000 : 0;
    int e;
    if (isnan(v))
        return 0xFE00;
    v = fabs(v);
    if (v == 0)
        return sign;
    if (v >= 65520)
        return sign | 0x7C00;
    frexp(v, &e); /* v < 2^e */
    const int last = e - 11 > -24 ? e - 11 : -24;
    const unsigned n = (unsigned)rint(ldexp(v, -last)); /* 2048 at most; that or less than 1024 shift the exponent by themselves */
    return sign | (uint16_t)(((unsigned)(last + 24) << 10) + n);
}

double fp16_to_odd(double sum, double error)
{
    uint64_t bits;
    if (error == 0 || !isfinite(sum)) /* NaN: of infinities */
        return sum;
    memcpy(&bits, &sum, sizeof bits);
    if (!(bits & 1))
        sum = nextafter(sum, error > 0 ? (double)INFINITY : -(double)INFINITY);
    return sum;
}

/* Knuth's exact sum; the product of two fp16 is exact in a double. */
uint16_t fp16_fma(uint16_t x, uint16_t y, uint16_t z)
{
    volatile double p = fp16_value(x) * fp16_value(y), c = fp16_value(z), sum = p + c, back = sum - p;
    volatile double left = sum - back, error_c = c - back, error_p = p - left;
    return fp16_nearest(fp16_to_odd(sum, error_p + error_c));
}

/* --- running an instruction --------------------------------------------------------- */

static uint16_t random_fp16(void) { return (uint16_t)bg_rng_below(&emulate_rng, 65536); }

void fp16_random(bench *x)
{
    for (int i = 0; i < 32; i++) {
        x->d[i] = random_fp16();
        x->a[i] = random_fp16();
        x->b[i] = random_fp16();
    }
    x->mask = bg_rng_below(&emulate_rng, (uint64_t)1 << 32);
    memset(x->out, 0x55, sizeof x->out);
}

void fp16_same(const char *what, int lane, const bench *x, uint16_t want)
{
    const uint16_t got = x->out[lane];
    if (fp16_is_nan(want) ? !fp16_is_nan(got) : got != want)
        fail_msg("%s, lane %d: d %04x a %04x b %04x gave %04x, wanted %04x", what, lane, x->d[lane], x->a[lane], x->b[lane], got, want);
}

#else

static void not_here(void **state)
{
    assert_int_equal(emulate_begin(), 0);
    emulate_end();
    assert_int_equal(emulate_count(), 0);
    print_message("  SKIP: the emulator is for x86-64 Linux\n");
    skip();
}

int emulate_not_here(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(not_here) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
