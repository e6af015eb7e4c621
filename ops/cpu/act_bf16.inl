/* Activations kept as bf16: the upper half of a float, rounded to nearest
 * even.  Arithmetic stays in fp32 registers. */
typedef uint16_t act;

typedef uint16_t vh __attribute__((vector_size(2 * VW)));
typedef uint16_t vh_any __attribute__((vector_size(2 * VW), aligned(2), may_alias));
typedef uint32_t vu __attribute__((vector_size(4 * VW)));

AI vf vwiden(vh h) { return (vf)(__builtin_convertvector(h, vu) << 16); }

/* The float's bits rounded to the upper half; the lower half is rubbish.  NaN
 * and infinity stay what they are. */
AI vu vround_bf16(vf v)
{
    const vu u = (vu)v;
    const vu rounded = u + 0x7FFF + ((u >> 16) & 1);
    return (vu)vselect((vi)(v == v), (vf)rounded, (vf)(u | 0x400000));
}

AI vh vnarrow(vf v)
{
#if defined(__AVX512BF16__)
    return (vh)_mm512_cvtneps_pbh((__m512)v);
#else
    return __builtin_convertvector(vround_bf16(v) >> 16, vh);
#endif
}

#include "ops/cpu/act_narrow.inl"

/* Two rows as pairs of bf16: dword i = (a[i], b[i]). */
AI vu vpair_bf16(vf a, vf b) { return vround_bf16(a) >> 16 | (vround_bf16(b) & 0xFFFF0000u); }
