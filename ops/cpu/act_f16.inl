/* Activations kept as IEEE binary16.  Arithmetic stays in fp32 registers but for the
 * products (words_pair.inl).  Numbers beyond 65504 become infinite, and the
 * training loop sees them: gradients are scaled to stay in range. */
typedef uint16_t act;

typedef uint16_t vh __attribute__((vector_size(2 * VW)));
typedef uint16_t vh_any __attribute__((vector_size(2 * VW), aligned(2), may_alias));
typedef uint32_t vu __attribute__((vector_size(4 * VW)));

#if VW == 16 && defined(__AVX512F__)
AI vf vwiden(vh h) { return (vf)_mm512_cvtph_ps((__m256i)h); }
AI vh vnarrow(vf v) { return (vh)_mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#else
/* In plain C these are calls: only tests run them, and unrolled into every kernel they take minutes to compile. */
#define CALL static __attribute__((noinline, unused))

/* The half's bits as those of a float whose exponent is 112 too small: one product sets
 * it right and normalises subnormals; infinity and NaN get their exponent back. */
CALL vf vwiden(vh h)
{
    const vu u = __builtin_convertvector(h, vu);
    const vf v = (vf)((u & 0x7FFF) << 13) * 0x1p112f;
    const vu special = (vu)((vi)(u & 0x7C00) == 0x7C00) & 0x7F800000;
    return (vf)((vu)v | special | (u & 0x8000) << 16);
}

/* Rounded to nearest even.  Below the smallest normal half, adding one half lets the
 * float's own rounding do it. */
CALL vh vnarrow(vf v)
{
    const vu sign = (vu)v & 0x80000000u;
    const vf a = (vf)((vu)v ^ sign);
    const vu small = (vu)(a + 0.5f) - 0x3F000000;
    const vu u = (vu)a;
    const vu normal = (u - 0x38000000 + 0xFFF + ((u >> 13) & 1)) >> 13;
    vu h = (vu)vselect((vi)(a < 0x1p-14f), (vf)small, (vf)normal);
    h = (vu)vselect((vi)(a >= 65520.0f), (vf)(0x7C00 - (vu){ 0 }), (vf)h);
    h = (vu)vselect((vi)(a == a), (vf)h, (vf)(0x7E00 - (vu){ 0 }));
    return __builtin_convertvector(h | sign >> 16, vh);
}
#undef CALL
#endif

#include "ops/cpu/act_narrow.inl"
