/* fp16 arithmetic for the emulator: on integers, exact before its one rounding.
 * A finite fp16 is a multiple of 2^-24 below 2^16, a product of two a multiple of 2^-48 below
 * 2^32, so 128 bits hold every sum.  NaNs come out quiet, the first operand's first. */
#include "support_emulate_parts.h"

#if defined(__x86_64__) && defined(__linux__)

#include <string.h>

typedef unsigned __int128 u128;
typedef __int128 i128;

static int is_nan(uint16_t h) { return (h & 0x7FFF) > HALF_INF; }
static int is_inf(uint16_t h) { return (h & 0x7FFF) == HALF_INF; }
static int is_zero(uint16_t h) { return (h & 0x7FFF) == 0; }
static unsigned sign_of(uint16_t h) { return h >> 15; }
static uint16_t quiet(uint16_t h) { return h | HALF_QUIET; }
static uint16_t with_sign(unsigned sign, unsigned h) { return (uint16_t)(sign << 15 | h); }

/* |h| of a finite h as a multiple of 2^-24, the smallest subnormal: less than 2^40. */
static int64_t magnitude(uint16_t h)
{
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    return exponent ? (int64_t)(1024 + fraction) << (exponent - 1) : fraction;
}

static int top_bit(u128 x)
{
    return x >> 64 ? 127 - __builtin_clzll((uint64_t)(x >> 64)) : 63 - __builtin_clzll((uint64_t)x);
}

static int rounds_up(unsigned sign, u128 kept, u128 rest, u128 half, int mode)
{
    switch (mode) {
    case NEAREST:
        return rest > half || (rest == half && (kept & 1));
    case DOWN:
        return sign && rest;
    case UP:
        return !sign && rest;
    default:
        return 0;
    }
}

/* (-1)^sign x 2^lsb to fp16. */
static uint16_t round_half(unsigned sign, u128 x, int lsb, int mode)
{
    if (x == 0)
        return with_sign(sign, 0);
    const int exponent = top_bit(x) + lsb;
    const int unit = exponent - 10 > -24 ? exponent - 10 : -24; /* the last place of the result is worth 2^unit */
    const int shift = unit - lsb;
    u128 kept;
    if (shift > 127)
        kept = rounds_up(sign, 0, 1, 2, mode);
    else if (shift > 0) {
        kept = x >> shift;
        kept += rounds_up(sign, kept, x & (((u128)1 << shift) - 1), (u128)1 << (shift - 1), mode);
    } else
        kept = x << -shift;
    /* The leading 1 of `kept` adds one to the exponent field; so does its carry. */
    const int64_t bits = ((int64_t)(unit + 24) << 10) + (int64_t)kept;
    if (bits < HALF_INF)
        return with_sign(sign, (unsigned)bits);
    const int to_inf = mode == NEAREST || mode == (sign ? DOWN : UP);
    return with_sign(sign, to_inf ? HALF_INF : HALF_INF - 1);
}

/* NaN and infinite factors: 1 when *out is the product. */
static int special_product(uint16_t *out, uint16_t x, uint16_t y, unsigned sign)
{
    if (is_nan(x) || is_nan(y))
        *out = quiet(is_nan(x) ? x : y);
    else if ((is_inf(x) && is_zero(y)) || (is_zero(x) && is_inf(y)))
        *out = HALF_INDEFINITE;
    else if (is_inf(x) || is_inf(y))
        *out = with_sign(sign, HALF_INF);
    else
        return 0;
    return 1;
}

uint16_t half_mul(uint16_t x, uint16_t y, int mode)
{
    const unsigned sign = sign_of(x ^ y);
    uint16_t out;
    if (special_product(&out, x, y, sign))
        return out;
    return round_half(sign, (u128)magnitude(x) * (u128)magnitude(y), -48, mode);
}

/* x y + z with one rounding: all of it fits into 81 bits. */
uint16_t half_fma(uint16_t x, uint16_t y, uint16_t z, int flip, int mode)
{
    const unsigned sign = sign_of(x ^ y) ^ (flip & FLIP_PRODUCT), sign_z = sign_of(z) ^ (flip >> 1);
    uint16_t product;
    if (special_product(&product, x, y, sign)) {
        if (!is_nan(x) && !is_nan(y) && is_nan(z))
            return quiet(z);
        return is_inf(product) && is_inf(z) && sign != sign_z ? HALF_INDEFINITE : product;
    }
    if (is_nan(z))
        return quiet(z);
    if (is_inf(z))
        return with_sign(sign_z, HALF_INF);
    const i128 p = (i128)magnitude(x) * magnitude(y), c = (i128)magnitude(z) << 24;
    const i128 sum = (sign ? -p : p) + (sign_z ? -c : c);
    if (sum == 0)
        return with_sign(sign == sign_z ? sign : mode == DOWN, 0);
    return round_half(sum < 0, (u128)(sum < 0 ? -sum : sum), -48, mode);
}

uint16_t half_div(uint16_t x, uint16_t y, int mode)
{
    const unsigned sign = sign_of(x ^ y);
    if (is_nan(x) || is_nan(y))
        return quiet(is_nan(x) ? x : y);
    if ((is_inf(x) && is_inf(y)) || (is_zero(x) && is_zero(y)))
        return HALF_INDEFINITE;
    if (is_inf(x) || is_zero(y))
        return with_sign(sign, HALF_INF);
    if (is_inf(y))
        return with_sign(sign, 0);
    const u128 over = (u128)magnitude(x) << 64, under = (u128)magnitude(y);
    return round_half(sign, over / under | (over % under != 0), -64, mode); /* at least 24 bits, the last one sticky */
}

/* The second operand wins when there is a NaN and when both are zero. */
uint16_t half_min(uint16_t x, uint16_t y, int want_max)
{
    if (is_nan(x) || is_nan(y))
        return y;
    const int a = sign_of(x) ? -(x & 0x7FFF) : x, b = sign_of(y) ? -(y & 0x7FFF) : y;
    return (want_max ? a > b : a < b) ? x : y;
}

/* x 2^floor(y); special cases after the manual's table of vscalefph. */
uint16_t half_scale(uint16_t x, uint16_t y, int mode)
{
    const unsigned sign = sign_of(x);
    if (is_nan(x)) {
        if ((x & HALF_QUIET) && is_inf(y))
            return sign_of(y) ? 0 : HALF_INF;
        return quiet(x);
    }
    if (is_nan(y))
        return quiet(y);
    if (is_inf(y)) {
        if (sign_of(y) ? is_inf(x) : is_zero(x))
            return HALF_INDEFINITE;
        return with_sign(sign, sign_of(y) ? 0 : HALF_INF);
    }
    if (is_inf(x))
        return x;
    int64_t power = (sign_of(y) ? -magnitude(y) : magnitude(y)) >> 24;
    power = power > 64 ? 64 : power < -64 ? -64 : power; /* past overflow and underflow */
    return round_half(sign, (u128)magnitude(x), (int)power - 24, mode);
}

/* To a multiple of 2^-M; control: M << 4, 4 = MXCSR's mode, else the mode. */
uint16_t half_round(uint16_t x, unsigned control, int mxcsr_mode)
{
    if (is_nan(x))
        return quiet(x);
    if (is_inf(x))
        return x;
    const int mode = control & 4 ? mxcsr_mode : (int)(control & 3), shift = 24 - (int)(control >> 4);
    const uint64_t whole = (uint64_t)magnitude(x), rest = whole & (((uint64_t)1 << shift) - 1);
    uint64_t kept = whole >> shift;
    kept += (uint64_t)rounds_up(sign_of(x), kept, rest, (u128)1 << (shift - 1), mode);
    return round_half(sign_of(x), kept, shift - 24, NEAREST); /* exact */
}

uint32_t half_to_float(uint16_t h)
{
    uint32_t bits = 0x7F800000;
    if (is_nan(h))
        bits |= 0x400000 | (uint32_t)(h & 1023) << 13;
    else if (!is_inf(h)) {
        const float value = (float)magnitude(h) * 0x1p-24f; /* exact: 11 bits */
        memcpy(&bits, &value, sizeof bits);
    }
    return bits | (uint32_t)sign_of(h) << 31;
}

uint16_t half_from_float(uint32_t bits, int mode)
{
    const unsigned sign = bits >> 31, exponent = bits >> 23 & 255, fraction = bits & 0x7FFFFF;
    if (exponent == 255)
        return with_sign(sign, HALF_INF | (fraction ? HALF_QUIET | fraction >> 13 : 0));
    return round_half(sign, exponent ? fraction | 0x800000 : fraction, exponent ? (int)exponent - 150 : -149, mode);
}

#else
typedef int emulate_no_half; /* a translation unit must not be empty */
#endif
