/* The emulator of AMX and AVX512-FP16: each instruction, written in assembler in
 * several encodings, against plain C.  The references are made differently from the emulator's
 * integers: doubles with an error term for what is rounded once, and the same
 * instruction on fp32 (which the machine has) for special cases.
 *
 * On a machine that has the instructions nothing traps and the tests check the processor
 * against the same references; without AVX-512 they are counted skips. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support_emulate.h"

#if defined(__x86_64__) && defined(__linux__)

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/isa.h"
#include "base/pool.h"
#include "base/rng.h"
#include "support_check.h"

/* Asking for the AMX level also asks Linux for the tile registers. */
#define NEEDS_EMULATOR                                                         \
    do {                                                                       \
        (void)bg_isa_present(BG_ISA_AMX);                                      \
        if (!emulate_begin()) {                                                \
            print_message("  SKIP: no AVX-512 registers in signal frames\n");  \
            skip();                                                            \
        }                                                                      \
    } while (0)

static bg_rng rng;

static void reseed(void)
{
    const char *s = getenv("BGPT_TEST_SEED");
    bg_rng_open(&rng, s && *s ? strtoull(s, NULL, 0) : 20240229, BG_STREAM_USER, 0);
}

static uint16_t random_half(void) { return (uint16_t)bg_rng_below(&rng, 65536); }

/* --- fp16 in plain C ------------------------------------------------------------ */

static int is_nan(uint16_t h) { return (h & 0x7FFF) > 0x7C00; }

static double value_of(uint16_t h)
{
    const int e = h >> 10 & 31, f = h & 1023;
    const double v = e == 31 ? (f ? (double)NAN : (double)INFINITY) : e ? ldexp(1024 + f, e - 25) : ldexp(f, -24);
    return h >> 15 ? -v : v;
}

/* The nearest fp16, ties to even: quotient by the last place, rounded by rint. */
static uint16_t nearest(double v)
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

/* sum + error, exactly, to the double next to it whose last bit is odd when there is an
 * error: rounding that once more gives what rounding the exact value does. */
static double to_odd(double sum, double error)
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
static uint16_t fma_reference(uint16_t x, uint16_t y, uint16_t z)
{
    volatile double p = value_of(x) * value_of(y), c = value_of(z), sum = p + c, back = sum - p;
    volatile double left = sum - back, error_c = c - back, error_p = p - left;
    return nearest(to_odd(sum, error_p + error_c));
}

static uint16_t add_reference(uint16_t x, uint16_t y, uint16_t d) { return nearest(value_of(x) + value_of(y)); } /* 41 bits: exact */
static uint16_t sub_reference(uint16_t x, uint16_t y, uint16_t d) { return nearest(value_of(x) - value_of(y)); }
static uint16_t mul_reference(uint16_t x, uint16_t y, uint16_t d) { return nearest(value_of(x) * value_of(y)); }
/* A quotient of 11 bits by 11 is no closer than 2^-22 of itself to a tie that it does not hit. */
static uint16_t div_reference(uint16_t x, uint16_t y, uint16_t d) { return nearest(value_of(x) / value_of(y)); }

static uint16_t min_reference(uint16_t x, uint16_t y, uint16_t d) { return value_of(x) < value_of(y) ? x : y; }
static uint16_t max_reference(uint16_t x, uint16_t y, uint16_t d) { return value_of(x) > value_of(y) ? x : y; }
static uint16_t fma231_reference(uint16_t a, uint16_t b, uint16_t d) { return fma_reference(a, b, d); }
static uint16_t fma213_reference(uint16_t a, uint16_t b, uint16_t d) { return fma_reference(a, d, b); }
static uint16_t fma132_reference(uint16_t a, uint16_t b, uint16_t d) { return fma_reference(d, b, a); }
static uint16_t fmsub231_reference(uint16_t a, uint16_t b, uint16_t d) { return fma_reference(a, b, d ^ 0x8000); }
static uint16_t fnmadd213_reference(uint16_t a, uint16_t b, uint16_t d) { return fma_reference(a ^ 0x8000, d, b); }
static uint16_t fnmsub132_reference(uint16_t a, uint16_t b, uint16_t d) { return fma_reference(d ^ 0x8000, b, a ^ 0x8000); }

/* --- running an instruction --------------------------------------------------------- */

/* Operands and result of one run: all of d, a, b in, d out. */
typedef struct bench {
    uint16_t d[32], a[32], b[32];
    uint64_t mask;
    uint16_t out[32];
} bench;

/* Registers are named by the caller; the compiler itself uses none above xmm15 and no mask
 * here (no -mavx512).  In `text`, %0 is the bench: b lies at 128(%0), the mask in k1; rdx, r9,
 * r10, r12 and r13 are free for addresses. */
#define RUN(x, d, a, b, text)                                                  \
    __asm__ volatile("vmovdqu64 (%0), %%" d "\n\t"                             \
                     "vmovdqu64 64(%0), %%" a "\n\t"                           \
                     "vmovdqu64 128(%0), %%" b "\n\t"                          \
                     "kmovq 192(%0), %%k1\n\t" text "\n\t"                     \
                     "vmovdqu64 %%" d ", 200(%0)\n\t"                          \
                     "vzeroupper"                                              \
                     : : "r"(x) : "memory", "rdx", "r9", "r10", "r12", "r13", "xmm1", "xmm2", "xmm3", "xmm9", "xmm10", "xmm11")

_Static_assert(offsetof(bench, b) == 128 && offsetof(bench, mask) == 192 && offsetof(bench, out) == 200, "as RUN has it");

#define LOW(x, name) RUN(x, "zmm1", "zmm2", "zmm3", name " %%zmm3, %%zmm2, %%zmm1")

typedef uint16_t reference(uint16_t a, uint16_t b, uint16_t d);

static void random_bench(bench *x)
{
    for (int i = 0; i < 32; i++) {
        x->d[i] = random_half();
        x->a[i] = random_half();
        x->b[i] = random_half();
    }
    x->mask = bg_rng_below(&rng, (uint64_t)1 << 32);
    memset(x->out, 0x55, sizeof x->out);
}

static void same_half(const char *what, int lane, const bench *x, uint16_t want)
{
    const uint16_t got = x->out[lane];
    if (is_nan(want) ? !is_nan(got) : got != want)
        fail_msg("%s, lane %d: d %04x a %04x b %04x gave %04x, wanted %04x", what, lane, x->d[lane], x->a[lane], x->b[lane], got, want);
}

/* Lanes as an instruction leaves them: computed, merged or zeroed by the mask, zero past the length. */
static void check_lanes(const char *what, const bench *x, reference *r, int lanes, int broadcast, uint64_t mask, int zeroing)
{
    for (int i = 0; i < 32; i++) {
        const uint16_t b = x->b[broadcast ? 0 : i];
        uint16_t want = 0;
        if (i < lanes && (mask >> i & 1))
            want = r(x->a[i], b, x->d[i]);
        else if (i < lanes && !zeroing)
            want = x->d[i];
        same_half(what, i, x, want);
    }
}

#define ALL 0xFFFFFFFFu

#define CHECK_LOW(name, r)                                                     \
    do {                                                                       \
        LOW(&x, name);                                                         \
        check_lanes(name, &x, r, 32, 0, ALL, 0);                               \
    } while (0)

static void arithmetic_of_all(const bench *given)
{
    bench x = *given;
    CHECK_LOW("vfmadd132ph", fma132_reference);
    CHECK_LOW("vfmadd213ph", fma213_reference);
    CHECK_LOW("vfmadd231ph", fma231_reference);
    CHECK_LOW("vfmsub231ph", fmsub231_reference);
    CHECK_LOW("vfnmadd213ph", fnmadd213_reference);
    CHECK_LOW("vfnmsub132ph", fnmsub132_reference);
    CHECK_LOW("vaddph", add_reference);
    CHECK_LOW("vsubph", sub_reference);
    CHECK_LOW("vmulph", mul_reference);
    CHECK_LOW("vdivph", div_reference);
    CHECK_LOW("vminph", min_reference);
    CHECK_LOW("vmaxph", max_reference);
}

/* --- tests of fp16 ---------------------------------------------------------------------- */

/* The references themselves: on known values, and fp16 there and back. */
static void references(void **state)
{
    for (unsigned h = 0; h < 65536; h++)
        if (!is_nan((uint16_t)h))
            assert_int_equal(nearest(value_of((uint16_t)h)), h);
    assert_int_equal(nearest(65519.99), 0x7BFF);
    assert_int_equal(nearest(-65520), 0xFC00);
    assert_int_equal(nearest(1 + 0x1p-11), 0x3C00);           /* ties to even */
    assert_int_equal(nearest(1 + 0x3p-11), 0x3C02);
    assert_int_equal(nearest(1 + 0x1p-11 + 0x1p-40), 0x3C01);
    assert_int_equal(nearest(0x1p-25), 0);
    assert_int_equal(nearest(0x1.8p-25), 1);
    assert_int_equal(nearest(0x1.FFFp-15), 0x0400);           /* a subnormal rounds up to a normal */
    /* 1 + 2^-11 is a tie; 2^-48 more breaks it, and a double can't hold that much: 2^5 (2^-5 + 2^-16) + 2^-48 */
    assert_int_equal(fma_reference(0x0001, 0x0001, 0x3C01), 0x3C01);
    /* (2^15 + 2^5)(1 + 2^-10) = 2^15 + 2^5 + 2^5 + 2^-5; to 2^15 + 2 2^5 */
    assert_int_equal(fma_reference(0x7801, 0x3C01, 0x0001), 0x7802);
}

/* Values at every edge, each against each. */
static void edges(void **state)
{
    static const uint16_t edge[] = { 0x0000, 0x0001, 0x0002, 0x03FF, 0x0400, 0x0401, 0x07FF, 0x1400, 0x2C00, 0x3800, 0x3BFF,
                                     0x3C00, 0x3C01, 0x3E00, 0x4000, 0x5BFF, 0x6400, 0x77FF, 0x7800, 0x7BFF, 0x7C00, 0x7E00, 0x7C01 };
    enum { E = 2 * sizeof edge / sizeof *edge };
    uint16_t both[E];
    bench x;
    NEEDS_EMULATOR;
    for (unsigned i = 0; i < E; i++)
        both[i] = edge[i / 2] | (i % 2 ? 0x8000 : 0);
    memset(&x, 0, sizeof x);
    for (unsigned i = 0; i < E * E * E; i += 32) {
        for (unsigned k = 0; k < 32; k++) {
            const unsigned n = (i + k) % (E * E * E);
            x.d[k] = both[n % E];
            x.a[k] = both[n / E % E];
            x.b[k] = both[n / E / E];
        }
        arithmetic_of_all(&x);
    }
}

static void random_operands(void **state)
{
    bench x;
    NEEDS_EMULATOR;
    reseed();
    for (int round = 0; round < 2000; round++) {
        random_bench(&x);
        arithmetic_of_all(&x);
    }
}

/* A third operand chosen to be near minus the product, near a tie of it, or tiny beside it:
 * where a sum rounded twice goes wrong. */
static void hard_sums(void **state)
{
    bench x;
    int tiny = 0;
    NEEDS_EMULATOR;
    reseed();
    for (int round = 0; round < 3000; round++) {
        random_bench(&x);
        for (int i = 0; i < 32; i++) {
            const uint16_t product = mul_reference(x.a[i], x.b[i], 0);
            switch (bg_rng_below(&rng, 3)) {
            case 0:
                x.d[i] = (uint16_t)((product ^ 0x8000) + bg_rng_below(&rng, 5) - 2);
                break;
            case 1: /* twelve bits at most in the product: one bit past the last place, a tie */
                x.a[i] = (uint16_t)((x.a[i] & 0x83E0) | 0x4C00 | 0x20);
                x.b[i] = (uint16_t)((x.b[i] & 0x83C0) | 0x3C00 | 0x40);
                x.d[i] = (uint16_t)((x.d[i] & 0x8000) | bg_rng_below(&rng, 3));
                tiny++;
                break;
            default:
                x.d[i] &= 0x83FF; /* subnormal */
                break;
            }
        }
        CHECK_LOW("vfmadd231ph", fma231_reference);
    }
    assert_true(tiny > 0);
}

#define TRY(d, a, b, text, r, lanes, broadcast, mask, zeroing)                 \
    do {                                                                       \
        random_bench(&x);                                                      \
        RUN(&x, d, a, b, text);                                                \
        check_lanes(text, &x, r, lanes, broadcast, (uint64_t)(mask), zeroing); \
    } while (0)

/* Registers of every bank, both lengths below the full one, masks. */
static void registers(void **state)
{
    bench x;
    NEEDS_EMULATOR;
    reseed();
    TRY("zmm9", "zmm10", "zmm11", "vfmadd231ph %%zmm11, %%zmm10, %%zmm9", fma231_reference, 32, 0, ALL, 0);
    TRY("zmm17", "zmm30", "zmm24", "vfmadd213ph %%zmm24, %%zmm30, %%zmm17", fma213_reference, 32, 0, ALL, 0);
    TRY("zmm31", "zmm2", "zmm16", "vfmadd132ph %%zmm16, %%zmm2, %%zmm31", fma132_reference, 32, 0, ALL, 0);
    TRY("zmm1", "zmm29", "zmm10", "vsubph %%zmm10, %%zmm29, %%zmm1", sub_reference, 32, 0, ALL, 0);
    TRY("zmm25", "zmm9", "zmm3", "vsubph %%zmm3, %%zmm9, %%zmm25", sub_reference, 32, 0, ALL, 0);
    TRY("zmm1", "zmm2", "zmm3", "vfmadd231ph %%ymm3, %%ymm2, %%ymm1", fma231_reference, 16, 0, ALL, 0);
    TRY("zmm20", "zmm21", "zmm22", "vfmadd231ph %%xmm22, %%xmm21, %%xmm20", fma231_reference, 8, 0, ALL, 0);
    TRY("zmm1", "zmm2", "zmm3", "vmaxph %%zmm3, %%zmm2, %%zmm1%{%%k1%}", max_reference, 32, 0, x.mask, 0);
    TRY("zmm1", "zmm2", "zmm3", "vmulph %%zmm3, %%zmm2, %%zmm1%{%%k1%}%{z%}", mul_reference, 32, 0, x.mask, 1);
    TRY("zmm19", "zmm28", "zmm23", "vfmadd231ph %%zmm23, %%zmm28, %%zmm19%{%%k1%}", fma231_reference, 32, 0, x.mask, 0);
    TRY("zmm19", "zmm28", "zmm23", "vfmadd231ph %%ymm23, %%ymm28, %%ymm19%{%%k1%}%{z%}", fma231_reference, 16, 0, x.mask, 1);
}

/* Addresses: base, index, scale, all sizes of displacement, relative to the instruction; broadcast. */
static void memory_operands(void **state)
{
    bench x;
    NEEDS_EMULATOR;
    reseed();
#define MEMORY(text, broadcast) TRY("zmm1", "zmm17", "zmm3", text, fma231_reference, 32, broadcast, ALL, 0)
    MEMORY("vfmadd231ph 128(%0), %%zmm17, %%zmm1", 0);                             /* disp8 x 64 */
    MEMORY("lea 192(%0), %%rdx; vfmadd231ph -64(%%rdx), %%zmm17, %%zmm1", 0);      /* a negative one */
    MEMORY("lea 1(%0), %%rdx; vfmadd231ph 127(%%rdx), %%zmm17, %%zmm1", 0);        /* disp32 */
    MEMORY("lea 128(%0), %%rdx; vfmadd231ph (%%rdx), %%zmm17, %%zmm1", 0);
    MEMORY("mov $16, %%rdx; vfmadd231ph 64(%0,%%rdx,4), %%zmm17, %%zmm1", 0);
    MEMORY("mov %0, %%r13; mov $-8, %%r12; vfmadd231ph 192(%%r13,%%r12,8), %%zmm17, %%zmm1", 0);
    MEMORY("lea 128(%0), %%r13; vfmadd231ph (%%r13), %%zmm17, %%zmm1", 0);         /* needs a displacement of 0 */
    MEMORY("lea 128(%0), %%r12; vfmadd231ph (%%r12), %%zmm17, %%zmm1", 0);         /* needs a SIB */
    MEMORY("lea 128(%0), %%rdx; shr $1, %%rdx; vfmadd231ph (,%%rdx,2), %%zmm17, %%zmm1", 0);
    MEMORY("vfmadd231ph 128(%0)%{1to32%}, %%zmm17, %%zmm1", 1);                    /* disp8 x 2 */
    MEMORY("lea 384(%0), %%r9; vfmadd231ph -256(%%r9)%{1to32%}, %%zmm17, %%zmm1", 1);
    MEMORY("mov $3, %%r10; vfmadd231ph 125(%0,%%r10)%{1to32%}, %%zmm17, %%zmm1", 1);
#undef MEMORY
    TRY("zmm1", "zmm2", "zmm3", "vaddph 128(%0), %%ymm2, %%ymm1", add_reference, 16, 0, ALL, 0);
    TRY("zmm1", "zmm2", "zmm3", "vaddph 128(%0)%{1to8%}, %%xmm2, %%xmm1", add_reference, 8, 1, ALL, 0);
    TRY("zmm26", "zmm2", "zmm3", "vminph 128(%0)%{1to32%}, %%zmm2, %%zmm26%{%%k1%}", min_reference, 32, 1, x.mask, 0);
}

/* One instruction after an address that it holds itself; 0x3C00 is 1. */
static void relative_operands(void **state)
{
    bench x;
    NEEDS_EMULATOR;
    reseed();
    random_bench(&x);
    RUN(&x, "zmm1", "zmm2", "zmm3", "jmp 1f; .p2align 6; 0: .rept 32; .short 0x3C00; .endr; 1: vmovdqa64 %%zmm2, %%zmm1; vmulph 0b(%%rip), %%zmm2, %%zmm1");
    for (int i = 0; i < 32; i++)
        same_half("vmulph by ones", i, &x, x.a[i]);
    RUN(&x, "zmm1", "zmm2", "zmm3", "jmp 1f; .p2align 6; 0: .rept 32; .short 0x3E00; .endr; 1: vrndscaleph $2, 0b(%%rip), %%zmm1"); /* an immediate behind it */
    for (int i = 0; i < 32; i++)
        same_half("vrndscaleph of 1.5", i, &x, 0x4000);
}

/* Memory of lanes that are masked off need not exist. */
static void faults_are_masked(void **state)
{
    bench x;
    NEEDS_EMULATOR;
    reseed();
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(two != MAP_FAILED);
    assert_int_equal(mprotect(two + page, page, PROT_NONE), 0);
    random_bench(&x);
    uint16_t *last = (uint16_t *)(void *)(two + page) - 3;
    memcpy(last, x.b, 3 * sizeof *last);
    __asm__ volatile("vmovdqu64 (%0), %%zmm1; vmovdqu64 64(%0), %%zmm2; mov $7, %%eax; kmovd %%eax, %%k3;"
                     "vfmadd231ph (%1), %%zmm2, %%zmm1%{%%k3%}; vmovdqu64 %%zmm1, 200(%0); vzeroupper"
                     : : "r"(&x), "r"(last) : "memory", "eax", "xmm1", "xmm2");
    check_lanes("vfmadd231ph at the end of memory", &x, fma231_reference, 32, 0, 7, 0);
    munmap(two, 2 * page);
}

/* Rounding modes, of the instruction and of MXCSR, on both signs. */
static void rounding_modes(void **state)
{
    enum { N, D, U, Z, MODES, CASES = 5 };
    static const uint16_t a[CASES] = { 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x3C00 };
    static const uint16_t b[CASES] = { 0x0001, 0x8001, 0x7BFF, 0xFBFF, 0xBC00 }; /* 2^-24 off 1; overflow; 1 - 1 */
    static const uint16_t want[MODES][CASES] = {
        [N] = { 0x3C00, 0xBC00, 0x7C00, 0xFC00, 0x0000 },
        [D] = { 0x3C00, 0xBC01, 0x7BFF, 0xFC00, 0x8000 },
        [U] = { 0x3C01, 0xBC00, 0x7C00, 0xFBFF, 0x0000 },
        [Z] = { 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x0000 },
    };
    static const uint16_t whole[MODES] = { [N] = 0x4000, [D] = 0x3C00, [U] = 0x4000, [Z] = 0x3C00 }; /* of 1.5 */
    bench x;
    NEEDS_EMULATOR;
    memset(&x, 0, sizeof x);
    memcpy(x.a, a, sizeof a);
    memcpy(x.b, b, sizeof b);
#define MODE(mode, name)                                                       \
    do {                                                                       \
        RUN(&x, "zmm1", "zmm2", "zmm3", "vaddph " name "%%zmm3, %%zmm2, %%zmm1"); \
        for (int i = 0; i < CASES; i++)                                        \
            same_half(name, i, &x, want[mode][i]);                             \
    } while (0)
    MODE(N, "%{rn-sae%}, ");
    MODE(D, "%{rd-sae%}, ");
    MODE(U, "%{ru-sae%}, ");
    MODE(Z, "%{rz-sae%}, ");
#undef MODE
    unsigned usual, mxcsr;
    __asm__ volatile("stmxcsr %0" : "=m"(usual));
    for (unsigned mode = 0; mode < MODES; mode++) {
        bench y = x;
        y.b[0] = 0x3E00;
        mxcsr = (usual & ~0x6000u) | mode << 13;
        __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
        RUN(&x, "zmm1", "zmm2", "zmm3", "vaddph %%zmm3, %%zmm2, %%zmm1");
        RUN(&y, "zmm1", "zmm2", "zmm3", "vrndscaleph $4, %%zmm3, %%zmm1");
        __asm__ volatile("ldmxcsr %0" : : "m"(usual));
        for (int i = 0; i < CASES; i++)
            same_half("vaddph by MXCSR", i, &x, want[mode][i]);
        same_half("vrndscaleph by MXCSR", 0, &y, whole[mode]);
    }
}

/* --- against the same instruction on fp32 ------------------------------------------------- */

static float float_of(uint16_t h)
{
    float f;
    uint32_t nan = 0x7FC00000u | (uint32_t)(h & 0x8000) << 16 | (uint32_t)(h & 1023) << 13;
    if ((h & 0x7FFF) > 0x7E00 || (h & 0x7FFF) == 0x7E00)
        memcpy(&f, &nan, sizeof f);
    else if (is_nan(h)) { /* signalling, in fp32 too */
        nan &= ~0x400000u;
        memcpy(&f, &nan, sizeof f);
    } else
        f = (float)value_of(h);
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
        same_half(what, i, x, nearest((double)single[i]));
}

static void scale_and_round(void **state)
{
    static const uint16_t special[] = { 0x0000, 0x8000, 0x0001, 0x83FF, 0x3C00, 0xC100, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E01, 0xFE02, 0x7D03, 0xFD04 };
    enum { SPECIALS = sizeof special / sizeof *special };
    bench x;
    float a[16], b[16], out[16];
    NEEDS_EMULATOR;
    reseed();
    for (int round = 0; round < 3000; round++) {
        random_bench(&x);
        for (int i = 0; i < 32; i++) {
            if (round % 3 == 0) /* powers that matter */
                x.b[i] = nearest(ldexp((double)bg_rng_below(&rng, 160) - 80, -1));
            if (round % 3 == 1) { /* specials against each other */
                x.a[i] = special[bg_rng_below(&rng, SPECIALS)];
                x.b[i] = special[bg_rng_below(&rng, SPECIALS)];
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
        assert_true(one == float_of(h[1]) || is_nan(h[1]));
        assert_true(k < 4 ? other == float_of(h[1 + k]) || is_nan(h[1 + k]) : same[k] == 0);
    }
}

/* fp32 of all sizes, those near fp16's ties among them. */
static void narrowing(void **state)
{
    uint32_t f[16];
    uint16_t got[32], want[16], memory[32];
    NEEDS_EMULATOR;
    reseed();
    for (int round = 0; round < 20000; round++) {
        for (int k = 0; k < 16; k++) {
            f[k] = (uint32_t)bg_rng_below(&rng, (uint64_t)1 << 32);
            if (round % 4)
                f[k] = (f[k] & 0x87FFFFFFu) + ((uint32_t)(100 + bg_rng_below(&rng, 46)) << 23 & 0x78000000u);
            if (round % 2)
                f[k] = (f[k] & ~0x1FFFu) + 0x1000 + (uint32_t)bg_rng_below(&rng, 3) - 1;
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
            const double exact = 1 / value_of(x.b[k]), got = value_of(x.out[k]);
            if (!isfinite(exact) || exact == 0 || fabs(exact) >= 65536)
                same_half("vrcpph", k, &x, nearest(exact));
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

/* Registers in their initial state are not stored in the frame, and must be all the same. */
static void initial_state(void **state)
{
    bench x;
    NEEDS_EMULATOR;
    memset(&x, 0x55, sizeof x);
    __asm__ volatile("vzeroall; vaddph %%ymm2, %%ymm3, %%ymm1; vmovdqu64 %%zmm1, 200(%0); vzeroupper"
                     : : "r"(&x) : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    for (int i = 0; i < 32; i++)
        same_half("zeros", i, &x, 0);
    /* one component comes to life by emulation alone */
    __asm__ volatile("vzeroall; vmovw (%0), %%xmm7; vmovdqu64 %%zmm7, 200(%0); vzeroupper"
                     : : "r"(&x) : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    for (int i = 0; i < 32; i++)
        same_half("a word", i, &x, i ? 0 : 0x5555);
}

/* --- tests of tiles ------------------------------------------------------------------------------ */

enum { ROWS = 16, BYTES = 64, TILES = 8 };

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} tile_config;

static void configure(const tile_config *c) { __asm__ volatile("ldtilecfg %0" : : "m"(*c)); }

static void configure_alike(unsigned rows, unsigned bytes)
{
    tile_config c;
    memset(&c, 0, sizeof c);
    c.palette = 1;
    for (int i = 0; i < TILES; i++) {
        c.rows[i] = (uint8_t)rows;
        c.bytes[i] = (uint16_t)bytes;
    }
    configure(&c);
}

static void release(void) { __asm__ volatile("tilerelease"); }

#define LOAD(n, p, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #n : : "r"(p), "r"((size_t)(stride)) : "memory")
#define STORE(n, p, stride) __asm__ volatile("tilestored %%tmm" #n ", (%0,%1,1)" : : "r"(p), "r"((size_t)(stride)) : "memory")

/* DAZ and FTZ: the sign stays. */
static float flush(float x) { return fabsf(x) < FLT_MIN ? copysignf(0, x) : x; }

/* volatile: a product of bf16 is exact in fp32 unless it leaves its range, so fma in the
 * double sense is: exact product, sum in double, one rounding to fp32.  That
 * rounds twice, which to_odd heals. */
static float fma_flushed(float a, float b, float c)
{
    volatile double p = (double)flush(a) * (double)flush(b), z = (double)flush(c), sum = p + z, back = sum - p;
    volatile double left = sum - back, error_z = z - back, error_p = p - left;
    return flush((float)to_odd(sum, error_p + error_z));
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

/* Of rows and columns as configured; row stride BYTES. */
static void dot_reference(uint8_t *c, const uint8_t *a, const uint8_t *b, int rows, int columns, int pairs)
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

/* bf16 or fp32 of all sizes from 2^-low on up; finite. */
static void random_floats(uint8_t *p, size_t bytes, size_t size, int low, int span)
{
    for (size_t i = 0; i < bytes; i += size) {
        const float f = ldexpf((float)bg_rng_normal(&rng), (int)bg_rng_below(&rng, (uint64_t)span) - low);
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        if (size == 2)
            bits >>= 16;
        memcpy(p + i, &bits, size);
    }
}

static int same_float(const uint8_t *p, const uint8_t *q)
{
    float a, b;
    memcpy(&a, p, sizeof a);
    memcpy(&b, q, sizeof b);
    return memcmp(p, q, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void dot_products(void **state)
{
    static const struct { int low, span; } sizes[] = { { 3, 6 }, { 30, 60 }, { 75, 40 }, { 140, 30 }, { -55, 20 } }; /* to denormals, to overflow */
    uint8_t a[ROWS * BYTES], b[ROWS * BYTES], c[ROWS * BYTES], want[ROWS * BYTES];
    NEEDS_EMULATOR;
    reseed();
    for (int round = 0; round < 60; round++) {
        const int low = sizes[round % 5].low, span = sizes[round % 5].span;
        random_floats(a, sizeof a, 2, low, span);
        random_floats(b, sizeof b, 2, low, span);
        random_floats(c, sizeof c, 4, 2 * low, span);
        memcpy(want, c, sizeof c);
        dot_reference(want, a, b, 16, 16, 16);
        configure_alike(ROWS, BYTES);
        LOAD(0, c, BYTES);
        LOAD(6, a, BYTES);
        __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm7" : : "r"(b), "r"((size_t)BYTES) : "memory");
        __asm__ volatile("tdpbf16ps %%tmm7, %%tmm6, %%tmm0" : : : "memory");
        memset(c, 0x55, sizeof c);
        STORE(0, c, BYTES);
        release();
        for (int i = 0; i < ROWS * BYTES; i += 4)
            if (!same_float(c + i, want + i))
                fail_msg("round %d, row %d, column %d: %02x%02x%02x%02x, wanted %02x%02x%02x%02x", round, i / BYTES, i % BYTES / 4,
                         c[i + 3], c[i + 2], c[i + 1], c[i], want[i + 3], want[i + 2], want[i + 1], want[i]);
    }
}

/* Each tile of a shape of its own: C 5x7, A 5x3 pairs, B 3x7. */
static void small_tiles(void **state)
{
    uint8_t a[ROWS * BYTES], b[ROWS * BYTES], c[ROWS * BYTES], want[ROWS * BYTES];
    tile_config t;
    NEEDS_EMULATOR;
    reseed();
    memset(&t, 0, sizeof t);
    t.palette = 1;
    t.rows[1] = 5, t.bytes[1] = 28;
    t.rows[2] = 5, t.bytes[2] = 12;
    t.rows[3] = 3, t.bytes[3] = 28;
    t.rows[4] = 16, t.bytes[4] = 64;
    random_floats(a, sizeof a, 2, 3, 6);
    random_floats(b, sizeof b, 2, 3, 6);
    random_floats(c, sizeof c, 4, 3, 6);
    memcpy(want, c, sizeof c);
    dot_reference(want, a, b, 5, 7, 3);
    configure(&t);
    LOAD(1, c, BYTES);
    LOAD(2, a, BYTES);
    LOAD(3, b, BYTES);
    __asm__ volatile("tdpbf16ps %%tmm3, %%tmm2, %%tmm1" : : : "memory");
    STORE(1, c, BYTES);
    release();
    for (int i = 0; i < ROWS * BYTES; i += 4)
        assert_true(same_float(c + i, want + i)); /* past the shape: untouched */
}

/* Strides forwards, backwards, scaled, none; a displacement; all eight tiles apart. */
static void tile_addresses(void **state)
{
    static uint8_t from[TILES][ROWS][BYTES], to[TILES][ROWS][2 * BYTES];
    NEEDS_EMULATOR;
    reseed();
    for (size_t i = 0; i < sizeof from; i++)
        ((uint8_t *)from)[i] = (uint8_t)bg_rng_below(&rng, 256);
    configure_alike(ROWS, BYTES);
    LOAD(0, from[0], BYTES);
    LOAD(1, from[1][ROWS - 1], -BYTES);
    __asm__ volatile("tileloadd 64(%0,%1,8), %%tmm2" : : "r"((char *)from[2] - 64), "r"((size_t)8) : "memory");
    __asm__ volatile("mov %0, %%r13; mov %1, %%r12; tileloaddt1 -256(%%r13,%%r12,4), %%tmm3"
                     : : "r"((char *)from[3] + 256), "r"((size_t)16) : "memory", "r12", "r13");
    __asm__ volatile("tileloadd (%0), %%tmm4" : : "r"(from[4]) : "memory");
    LOAD(5, from[5], BYTES);
    __asm__ volatile("tilezero %%tmm5" : :);
    LOAD(6, from[6], BYTES);
    LOAD(7, from[7], BYTES);
    STORE(0, to[0], 2 * BYTES);
    STORE(1, to[1], 2 * BYTES);
    STORE(2, to[2], 2 * BYTES);
    STORE(3, to[3], 2 * BYTES);
    STORE(4, to[4], 2 * BYTES);
    STORE(5, to[5], 2 * BYTES);
    STORE(6, to[6], 2 * BYTES);
    __asm__ volatile("tilestored %%tmm7, 128(%0,%1,2)" : : "r"((char *)to[7] - 128), "r"((size_t)BYTES) : "memory");
    release();
    for (int r = 0; r < ROWS; r++) {
        static const uint8_t zero[BYTES];
        assert_memory_equal(to[0][r], from[0][r], BYTES);
        assert_memory_equal(to[1][r], from[1][ROWS - 1 - r], BYTES);
        assert_memory_equal(to[2][r], from[2][r], BYTES);
        assert_memory_equal(to[3][r], from[3][r], BYTES);
        assert_memory_equal(to[4][r], from[4][0], BYTES);
        assert_memory_equal(to[5][r], zero, BYTES);
        assert_memory_equal(to[6][r], from[6][r], BYTES);
        assert_memory_equal(to[7][r], from[7][r], BYTES);
        for (int t = 0; t < TILES; t++)
            assert_memory_equal(to[t][r] + BYTES, zero, BYTES);
    }
}

/* --- the machinery ------------------------------------------------------------------------------------- */

typedef struct product {
    uint8_t a[ROWS * BYTES], b[ROWS * BYTES], c[ROWS * BYTES];
} product;

static void multiply(void *arg, size_t task, unsigned thread)
{
    product *p = (product *)arg + task;
    bench x;
    configure_alike(ROWS, BYTES);
    LOAD(1, p->a, BYTES);
    LOAD(2, p->b, BYTES);
    for (int i = 0; i < 50; i++) { /* long enough for the threads to meet; the tiles must stay theirs */
        __asm__ volatile("tilezero %%tmm0; nop; tdpbf16ps %%tmm2, %%tmm1, %%tmm0" : :);
        memcpy(x.a, p->a, sizeof x.a);
        memcpy(x.b, p->b, sizeof x.b);
        memcpy(x.d, p->c, sizeof x.d);
        LOW(&x, "vfmadd231ph");
    }
    memcpy(p->c, x.out, sizeof x.out); /* into the first row; the others below */
    STORE(0, p->b, BYTES);
    release();
}

static void workers(void **state)
{
    enum { TASKS = 12 };
    static product p[TASKS], q[TASKS];
    bg_pool *pool;
    bg_error err;
    NEEDS_EMULATOR;
    reseed();
    for (int t = 0; t < TASKS; t++) {
        random_floats(p[t].a, sizeof p[t].a, 2, 3, 6);
        random_floats(p[t].b, sizeof p[t].b, 2, 3, 6);
        random_floats(p[t].c, sizeof p[t].c, 2, 3, 6);
    }
    memcpy(q, p, sizeof p);
    CHECK_OK(bg_pool_open(&pool, bg_sys_default(), 4, &err), err);
    bg_pool_run(pool, multiply, p, TASKS);
    bg_pool_close(pool);
    for (int t = 0; t < TASKS; t++) {
        uint8_t want[ROWS * BYTES] = { 0 };
        dot_reference(want, q[t].a, q[t].b, 16, 16, 16);
        assert_memory_equal(p[t].b, want, sizeof want);
        for (int i = 0; i < 32; i++) {
            uint16_t a, b, d, got;
            memcpy(&a, q[t].a + 2 * i, 2);
            memcpy(&b, q[t].b + 2 * i, 2);
            memcpy(&d, q[t].c + 2 * i, 2);
            memcpy(&got, p[t].c + 2 * i, 2);
            assert_int_equal(got, fma_reference(a, b, d));
        }
    }
}

/* The signal that ends a child doing this, or 0; what it wrote to stderr in `text`. */
static int ending_of(void (*act)(void), char *text, size_t size)
{
    int pipes[2], status;
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 2);
        close(pipes[0]);
        act();
        _exit(0);
    }
    close(pipes[1]);
    const ssize_t n = read(pipes[0], text, size - 1);
    text[n > 0 ? n : 0] = 0;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void undefined(void) { __asm__ volatile("ud2"); }
static void sent(void) { raise(SIGILL); }
static void unconfigured(void) { __asm__ volatile("tilerelease; tilezero %%tmm0" : :); }

static void equal_tiles(void)
{
    configure_alike(ROWS, BYTES);
    __asm__ volatile(".byte 0xC4, 0xE2, 0x7A, 0x5C, 0xC1"); /* tdpbf16ps tmm0 += tmm1 tmm0, which no assembler takes */
}

static void wrong_shape(void)
{
    configure_alike(8, BYTES); /* 16 pairs of a, 8 rows of b */
    __asm__ volatile("tdpbf16ps %%tmm2, %%tmm1, %%tmm0" : :);
}

static void seventeen_rows(void) { configure_alike(17, BYTES); }

static void known_then_unknown(void)
{
    configure_alike(ROWS, BYTES);
    __asm__ volatile("tilezero %%tmm0; tilezero %%tmm1; ud2" : :);
}

/* What the bare machine refuses is refused. */
static void refusals(void **state)
{
    char text[256];
    NEEDS_EMULATOR;
    assert_int_equal(ending_of(undefined, text, sizeof text), SIGILL);
    assert_non_null(strstr(text, ": 0f 0b"));
    assert_int_equal(ending_of(known_then_unknown, text, sizeof text), SIGILL);
    assert_non_null(strstr(text, ": 0f 0b"));
    assert_int_equal(ending_of(sent, text, sizeof text), SIGILL);
    assert_int_equal(ending_of(unconfigured, text, sizeof text), SIGILL);
    assert_int_equal(ending_of(equal_tiles, text, sizeof text), SIGILL);
    assert_int_equal(ending_of(wrong_shape, text, sizeof text), SIGILL);
    assert_int_not_equal(ending_of(seventeen_rows, text, sizeof text), 0); /* the processor: SIGSEGV */
}

static volatile sig_atomic_t seen;
static void on_illegal(int number) { seen++; }

static void begin_and_end(void **state)
{
    struct sigaction mine, old;
    NEEDS_EMULATOR;
    emulate_end();
    memset(&mine, 0, sizeof mine);
    mine.sa_handler = on_illegal;
    sigaction(SIGILL, &mine, &old);
    assert_int_equal(emulate_begin(), 1);
    assert_int_equal(emulate_begin(), 1);
    const unsigned long count = emulate_count();
    release();
    if (!bg_isa_present(BG_ISA_AMX))
        assert_int_equal(emulate_count(), count + 1);
    emulate_end();
    emulate_end();
    assert_int_equal(seen, 0);
    raise(SIGILL);
    assert_int_equal(seen, 1);
    sigaction(SIGILL, &old, NULL);
}

static void counts(void **state)
{
    NEEDS_EMULATOR;
    if (!bg_isa_present(BG_ISA_AMX) || !bg_isa_present(BG_ISA_AVX512FP16))
        assert_true(emulate_count() > 0);
    print_message("  %lu instructions were done in software\n", emulate_count());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references), cmocka_unit_test(edges), cmocka_unit_test(random_operands), cmocka_unit_test(hard_sums),
        cmocka_unit_test(registers), cmocka_unit_test(memory_operands), cmocka_unit_test(relative_operands),
        cmocka_unit_test(faults_are_masked), cmocka_unit_test(rounding_modes), cmocka_unit_test(scale_and_round),
        cmocka_unit_test(widening), cmocka_unit_test(narrowing), cmocka_unit_test(reciprocals), cmocka_unit_test(words),
        cmocka_unit_test(initial_state), cmocka_unit_test(dot_products), cmocka_unit_test(small_tiles), cmocka_unit_test(tile_addresses),
        cmocka_unit_test(workers), cmocka_unit_test(refusals), cmocka_unit_test(begin_and_end), cmocka_unit_test(counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(not_here) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
