/* Exponential and GELU on vectors.  Refuses special cases beyond NaN in, NaN out. */

/* Where e^x is taken for constant.  Every use compares it with 1 in the end (a softmax's
 * largest term, 1 + e^x), to which 9e-27 adds nothing; but near 1e-38 it would
 * make subnormal numbers further on, each of which costs hundreds of cycles. */
#define EXP_BOUND 60.0f

/* e^x with a relative error below 2e-7 for |x| <= EXP_BOUND.
 * x = n ln 2 + f with |f| <= ln 2 / 2; ln 2 in two parts, so that n times the
 * first is exact; polynomial of degree 7 from Moshier's Cephes library (expf). */
AI vf vexp(vf x)
{
    const vf round = vset(12582912.0f); /* 1.5 * 2^23: adding it leaves an integer in the low bits */
    x = vmin(vset(EXP_BOUND), vmax(vset(-EXP_BOUND), x)); /* NaN stays: it is the second operand */
    vf shifted = vfma(x, vset(1.44269504088896341f), round);
    vf n = shifted - round;
    vf f = vfma(n, vset(-0.693359375f), x);
    f = vfma(n, vset(2.12194440e-4f), f);
    vf p = vset(1.9875691500e-4f);
    p = vfma(p, f, vset(1.3981999507e-3f));
    p = vfma(p, f, vset(8.3334519073e-3f));
    p = vfma(p, f, vset(4.1665795894e-2f));
    p = vfma(p, f, vset(1.6666665459e-1f));
    p = vfma(p, f, vset(5.0000001201e-1f));
    p = vfma(p, f * f, f + 1.0f);
    vi exponent = ((vi)shifted << 23) + 0x3F800000;
    return p * (vf)exponent;
}

/* GELU in its tanh form: x (1 + tanh u) / 2 = x s with s = 1 / (1 + e^(-2u)),
 * u = sqrt(2/pi) (x + 0.044715 x^3). */
#define GELU_A -1.5957691216057308f  /* -2 sqrt(2/pi) */
#define GELU_B -0.07135481282770f    /* times 0.044715 */

#if defined(COARSE_SIGMOID) && VW == 16 && defined(__AVX512F__)
/* For results kept as bf16 (relative error 2e-3): an estimate of 14 bits for the reciprocal, and
 * 2^f on [-1/2, 1/2] as a polynomial of degree 4 (Taylor's, relative error 4e-5). */
AI vf gelu_sigmoid(vf x)
{
    const float log2_e = 1.44269504088896341f;
    vf y = x * vfma(x * x, vset(GELU_B * log2_e), vset(GELU_A * log2_e));
    vf n = (vf)_mm512_roundscale_ps((__m512)y, 8), f = y - n;
    vf p = vfma(f, vset(9.618129e-3f), vset(5.550411e-2f));
    p = vfma(p, f, vset(2.402265e-1f));
    p = vfma(p, f, vset(6.931472e-1f));
    p = vfma(p, f, vset(1.0f));
    return (vf)_mm512_rcp14_ps((__m512)((vf)_mm512_scalef_ps((__m512)p, (__m512)n) + 1.0f));
}
#else
AI vf gelu_sigmoid(vf x)
{
    vf minus_2u = x * vfma(x * x, vset(GELU_B), vset(GELU_A));
    return vreciprocal(vexp(minus_2u) + 1.0f);
}
#endif

AI vf vgelu(vf x) { return x * gelu_sigmoid(x); }

/* d gelu / dx = s + x s (1 - s) 2u', s being the sigmoid of x. */
AI vf gelu_slope_of(vf x, vf s)
{
    vf minus_2u = vfma(x * x, vset(3.0f * GELU_B), vset(GELU_A));
    return vfma(x * s * (s - 1.0f), minus_2u, s);
}
