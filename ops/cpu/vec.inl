/* Vectors of VW floats: the few operations that GNU vectors lack or that a
 * level can do in one instruction.  Refuses to hold arithmetic of the model.
 *
 * Every operation here gives the same bits in each lane whatever the other
 * lanes hold; the rows of a batch rely on it. */
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define AI static inline __attribute__((always_inline))

/* Loops over registers must vanish; both compilers need to be told. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef float vf __attribute__((vector_size(4 * VW)));
typedef int32_t vi __attribute__((vector_size(4 * VW)));
typedef uint64_t vl __attribute__((vector_size(4 * VW)));
/* the same in memory, where it may start at any float */
typedef float vf_any __attribute__((vector_size(4 * VW), aligned(4), may_alias));

AI vf vload(const float *p) { return *(const vf_any *)p; }
AI void vstore(float *p, vf v) { *(vf_any *)p = v; }
AI vf vset(float x) { return x - (vf){ 0 }; }
AI vf vzero(void) { return (vf){ 0 }; }

/* The first n < VW floats at p, then zeros. */
AI vf vload_part(const float *p, size_t n)
{
    vf v = { 0 };
    memcpy(&v, p, n * sizeof(float));
    return v;
}

AI void vstore_part(float *p, vf v, size_t n) { memcpy(p, &v, n * sizeof(float)); }

/* Lanes of a where the mask is -1, of b where it is 0. */
AI vf vselect(vi mask, vf a, vf b) { return (vf)(((vi)a & mask) | ((vi)b & ~mask)); }

/* -1 in lanes below n. */
AI vi vbelow(size_t n)
{
    vi lane;
    UNROLL for (int i = 0; i < VW; i++)
        lane[i] = i;
    return lane < (int32_t)n;
}

/* Low halves of the lanes of a, times b. */
AI vl vmul_low(vl a, uint32_t b)
{
#if VW == 16 && defined(__AVX512F__)
    return (vl)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
#elif VW == 8 && defined(__AVX2__)
    return (vl)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif VW == 4 && defined(__SSE2__)
    return (vl)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#else
    return (a & 0xFFFFFFFFu) * b;
#endif
}

#if VW == 16 && defined(__AVX512F__)
AI vf vfma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
AI vf vmax(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
AI vf vmin(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
AI vf vsqrt(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
/* 1/a for normal results: an estimate of 14 bits and one step of Newton's method. */
AI vf vreciprocal(vf a)
{
    vf r = (vf)_mm512_rcp14_ps((__m512)a);
    return r * (2.0f - a * r);
}
#elif VW == 8 && defined(__FMA__)
AI vf vfma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
AI vf vmax(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
AI vf vmin(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
AI vf vsqrt(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
AI vf vreciprocal(vf a) { return 1.0f / a; }
#else
#if VW == 4 && defined(__ARM_NEON) && defined(__aarch64__)
AI vf vfma(vf a, vf b, vf c) { return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
#else
AI vf vfma(vf a, vf b, vf c) { return c + a * b; }
#endif
/* As the instructions of x86 define it: the second operand when one is NaN. */
AI vf vmax(vf a, vf b) { return vselect((vi)(a > b), a, b); }
AI vf vmin(vf a, vf b) { return vselect((vi)(a < b), a, b); }
AI vf vsqrt(vf a)
{
    UNROLL for (int i = 0; i < VW; i++)
        a[i] = sqrtf(a[i]);
    return a;
}
AI vf vreciprocal(vf a) { return 1.0f / a; }
#endif

/* Sum and maximum over the lanes, halves against halves. */
AI float vsum(vf v)
{
    UNROLL for (int half = VW / 2; half > 0; half /= 2)
        UNROLL for (int i = 0; i < half; i++)
            v[i] += v[i + half];
    return v[0];
}

AI float vlargest(vf v)
{
    UNROLL for (int half = VW / 2; half > 0; half /= 2)
        UNROLL for (int i = 0; i < half; i++)
            v[i] = v[i] > v[i + half] ? v[i] : v[i + half];
    return v[0];
}

#define LOW_4(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH_4(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LOW_8(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_8(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW_16(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_16(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#if VW == 16
#define INTERLEAVE_LOW LOW_16
#define INTERLEAVE_HIGH HIGH_16
#elif VW == 8
#define INTERLEAVE_LOW LOW_8
#define INTERLEAVE_HIGH HIGH_8
#else
#define INTERLEAVE_LOW LOW_4
#define INTERLEAVE_HIGH HIGH_4
#endif

/* Transpose VW x VW: interleaving row i with row i + VW/2 moves one bit of the
 * row number into the column number; log2(VW) rounds move them all. */
AI void vtranspose(vf r[VW])
{
    UNROLL for (int round = 1; round < VW; round *= 2) {
        vf t[VW];
        UNROLL for (int i = 0; i < VW / 2; i++) {
            t[2 * i] = INTERLEAVE_LOW(r[i], r[i + VW / 2]);
            t[2 * i + 1] = INTERLEAVE_HIGH(r[i], r[i + VW / 2]);
        }
        UNROLL for (int i = 0; i < VW; i++)
            r[i] = t[i];
    }
}
