/* Loops that do nothing but multiply and add, or nothing but read.
 *
 * They are written once with GNU vectors and compiled for each instruction set
 * by a target attribute; what no GNU vector can say (bf16, fp16, tiles) has a
 * loop of its own.  A loop runs only where its level is open, so the processor has the
 * instructions.  Refuses to be clever: the chains are as many as hide the latency
 * of a multiply-add (4 or 5 cycles, 2 a cycle) and fit into the registers. */
#include "run/bench_rates.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CHAINS = 12, ROUNDS = 2048, READ_CHAINS = 8 };

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef float v4 __attribute__((vector_size(16), may_alias));
#if defined(__x86_64__)
typedef float v8 __attribute__((vector_size(32), may_alias));
typedef float v16 __attribute__((vector_size(64), may_alias));
#endif

/* arm64 adds the product to its target and nothing else: written as below it would need a move for each. */
#if defined(__aarch64__)
#define MULTIPLY_ADD(sum, x, y) __asm__("fmla %0.4s, %1.4s, %2.4s" : "+w"(sum) : "w"(x), "w"(y))
#else
#define MULTIPLY_ADD(sum, x, y) ((sum) = (sum) * (x) + (y))
#endif

/* sum = sum * x + y stays near y / (1 - x): neither infinite nor denormal.  Each chain starts elsewhere, so
 * that the compiler can't make one of them. */
#define FP32_RATE(name, attribute, vector)                                      \
    attribute static void name(float *sink, const float *in)                    \
    {                                                                           \
        vector sum[CHAINS], x, y;                                               \
        memcpy(&x, in, sizeof x);                                               \
        memcpy(&y, in + 16, sizeof y);                                          \
        UNROLL for (int i = 0; i < CHAINS; i++)                                 \
            memcpy(&sum[i], in + 32 + i, sizeof x);                             \
        for (int round = 0; round < ROUNDS; round++)                            \
            UNROLL for (int i = 0; i < CHAINS; i++)                             \
                MULTIPLY_ADD(sum[i], x, y);                                     \
        UNROLL for (int i = 1; i < CHAINS; i++)                                 \
            sum[0] += sum[i];                                                   \
        memcpy(sink, &sum[0], sizeof x);                                        \
    }

#define READ_RATE(name, attribute, vector)                                      \
    attribute static void name(float *sink, const float *from, size_t floats)   \
    {                                                                           \
        const vector *at = (const vector *)from;                                \
        vector sum[READ_CHAINS];                                                \
        UNROLL for (int i = 0; i < READ_CHAINS; i++)                            \
            sum[i] = at[i];                                                     \
        for (size_t n = floats * sizeof *from / sizeof *at; n >= READ_CHAINS; n -= READ_CHAINS, at += READ_CHAINS) \
            UNROLL for (int i = 0; i < READ_CHAINS; i++)                        \
                sum[i] += at[i];                                                \
        UNROLL for (int i = 1; i < READ_CHAINS; i++)                            \
            sum[0] += sum[i];                                                   \
        memcpy(sink, &sum[0], sizeof sum[0]);                                   \
    }

#define FP32_FLOP(width) (2.0 * CHAINS * ROUNDS * (width))

FP32_RATE(fp32_portable, , v4)
READ_RATE(read_portable, , v4)

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,fma")))
FP32_RATE(fp32_avx2, AVX2, v8)
READ_RATE(read_avx2, AVX2, v8)
FP32_RATE(fp32_avx512, AVX512, v16)
READ_RATE(read_avx512, AVX512, v16)

/* 16 sums in fp32 of two products each: 64 FLOP an instruction. */
__attribute__((target("avx512f,avx512bw,avx512bf16"))) static void bf16_avx512(float *sink, const float *in)
{
    __m512 sum[CHAINS];
    const __m512bh x = (__m512bh)_mm512_loadu_si512(in), y = (__m512bh)_mm512_loadu_si512(in + 16);
    UNROLL for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm512_loadu_ps(in + 32 + i);
    for (int round = 0; round < ROUNDS; round++)
        UNROLL for (int i = 0; i < CHAINS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], x, y);
    UNROLL for (int i = 1; i < CHAINS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    _mm512_storeu_ps(sink, sum[0]);
}

/* The instruction by its name: clang 14 has no type for vectors of fp16 outside of code that is all compiled for it. */
AVX512 static void fp16_avx512(float *sink, const float *in)
{
    v16 sum[CHAINS], x, y;
    memcpy(&x, in, sizeof x);
    memcpy(&y, in + 16, sizeof y);
    UNROLL for (int i = 0; i < CHAINS; i++)
        memcpy(&sum[i], in + 32 + i, sizeof x);
    for (int round = 0; round < ROUNDS; round++)
        UNROLL for (int i = 0; i < CHAINS; i++)
            __asm__("vfmadd132ph %2, %1, %0" : "+v"(sum[i]) : "v"(y), "v"(x));
    UNROLL for (int i = 1; i < CHAINS; i++)
        sum[0] += sum[i]; /* as fp32: no matter, only that all are wanted */
    memcpy(sink, &sum[0], sizeof x);
}

/* Four sums of 16 x 16 from two left and two right operands, as a product's inner loop
 * has them, but with all operands staying in their tiles: 16384 FLOP an instruction (Intel SDM, TDPBF16PS). */
static void bf16_amx(float *sink, const float *in)
{
    struct { uint8_t palette, start_row, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } shape;
    memset(&shape, 0, sizeof shape);
    shape.palette = 1;
    for (int i = 0; i < 8; i++) {
        shape.bytes[i] = 64;
        shape.rows[i] = 16;
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(shape));
    /* a stride of 0: every row is the same 64 bytes */
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm4\n\ttileloadd (%0,%1,1), %%tmm5\n\t"
                     "tileloadd (%0,%1,1), %%tmm6\n\ttileloadd (%0,%1,1), %%tmm7\n\t"
                     "tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3"
                     : : "r"(in), "r"((size_t)0) : "memory");
    for (int round = 0; round < ROUNDS; round++)
        __asm__ volatile("tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
                         "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3" : : : "memory");
    __asm__ volatile("tilerelease" : : : "memory");
    memcpy(sink, in, sizeof *in);
}

/* By name: a level may be added without this file. */
static bg_flop_rate narrow_rate(const char *isa, bg_flop_rate fp32)
{
    if (strcmp(isa, "amx") == 0)
        return (bg_flop_rate){ bf16_amx, 4.0 * ROUNDS * 2 * 16 * 16 * 32 };
    if (strcmp(isa, "avx512bf16") == 0)
        return (bg_flop_rate){ bf16_avx512, FP32_FLOP(32) };
    if (strcmp(isa, "avx512fp16") == 0)
        return (bg_flop_rate){ fp16_avx512, FP32_FLOP(32) };
    return fp32;
}

bg_rates bg_rates_of(bg_isa isa, const char *precision)
{
    bg_rates r = { .fp32 = { fp32_portable, FP32_FLOP(4) }, .read = read_portable };
    if (isa >= BG_ISA_AVX512) { /* all levels above it have its vectors */
        r.fp32 = (bg_flop_rate){ fp32_avx512, FP32_FLOP(16) };
        r.read = read_avx512;
    } else if (isa == BG_ISA_AVX2) {
        r.fp32 = (bg_flop_rate){ fp32_avx2, FP32_FLOP(8) };
        r.read = read_avx2;
    }
    r.product = strcmp(precision, "fp32") == 0 ? r.fp32 : narrow_rate(bg_isa_name(isa), r.fp32);
    return r;
}

#else

bg_rates bg_rates_of(bg_isa isa, const char *precision)
{
    const bg_flop_rate fp32 = { fp32_portable, FP32_FLOP(4) };
    return (bg_rates){ fp32, fp32, read_portable };
}

#endif
