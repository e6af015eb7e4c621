/* The emulator of AVX512-FP16, arithmetic: each instruction, written in assembler in
 * several encodings, against plain C, on all kinds of operands, registers, addresses,
 * masks and rounding modes.  test_emulate_convert.c tests fp16's other instructions,
 * test_emulate_tiles.c AMX, test_emulate_signals.c the handler behind them all.
 *
 * On a machine that has the instructions nothing traps and the tests check the processor
 * against the same references; without AVX-512 they are counted skips. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support_emulate_check.h"

#if defined(__x86_64__) && defined(__linux__)

#include <sys/mman.h>
#include <unistd.h>

static uint16_t add_reference(uint16_t x, uint16_t y, uint16_t d) { return fp16_nearest(fp16_value(x) + fp16_value(y)); } /* 41 bits: exact */
static uint16_t sub_reference(uint16_t x, uint16_t y, uint16_t d) { return fp16_nearest(fp16_value(x) - fp16_value(y)); }
static uint16_t mul_reference(uint16_t x, uint16_t y, uint16_t d) { return fp16_nearest(fp16_value(x) * fp16_value(y)); }
/* A quotient of 11 bits by 11 is no closer than 2^-22 of itself to a tie that it does not hit. */
static uint16_t div_reference(uint16_t x, uint16_t y, uint16_t d) { return fp16_nearest(fp16_value(x) / fp16_value(y)); }

static uint16_t min_reference(uint16_t x, uint16_t y, uint16_t d) { return fp16_value(x) < fp16_value(y) ? x : y; }
static uint16_t max_reference(uint16_t x, uint16_t y, uint16_t d) { return fp16_value(x) > fp16_value(y) ? x : y; }
static uint16_t fma231_reference(uint16_t a, uint16_t b, uint16_t d) { return fp16_fma(a, b, d); }
static uint16_t fma213_reference(uint16_t a, uint16_t b, uint16_t d) { return fp16_fma(a, d, b); }
static uint16_t fma132_reference(uint16_t a, uint16_t b, uint16_t d) { return fp16_fma(d, b, a); }
static uint16_t fmsub231_reference(uint16_t a, uint16_t b, uint16_t d) { return fp16_fma(a, b, d ^ 0x8000); }
static uint16_t fnmadd213_reference(uint16_t a, uint16_t b, uint16_t d) { return fp16_fma(a ^ 0x8000, d, b); }
static uint16_t fnmsub132_reference(uint16_t a, uint16_t b, uint16_t d) { return fp16_fma(d ^ 0x8000, b, a ^ 0x8000); }

typedef uint16_t reference(uint16_t a, uint16_t b, uint16_t d);

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
        fp16_same(what, i, x, want);
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


/* The references themselves: on known values, and fp16 there and back. */
static void references(void **state)
{
    for (unsigned h = 0; h < 65536; h++)
        if (!fp16_is_nan((uint16_t)h))
            assert_int_equal(fp16_nearest(fp16_value((uint16_t)h)), h);
    assert_int_equal(fp16_nearest(65519.99), 0x7BFF);
    assert_int_equal(fp16_nearest(-65520), 0xFC00);
    assert_int_equal(fp16_nearest(1 + 0x1p-11), 0x3C00);           /* ties to even */
    assert_int_equal(fp16_nearest(1 + 0x3p-11), 0x3C02);
    assert_int_equal(fp16_nearest(1 + 0x1p-11 + 0x1p-40), 0x3C01);
    assert_int_equal(fp16_nearest(0x1p-25), 0);
    assert_int_equal(fp16_nearest(0x1.8p-25), 1);
    assert_int_equal(fp16_nearest(0x1.FFFp-15), 0x0400);           /* a subnormal rounds up to a normal */
    /* 1 + 2^-11 is a tie; 2^-48 more breaks it, and a double can't hold that much: 2^5 (2^-5 + 2^-16) + 2^-48 */
    assert_int_equal(fp16_fma(0x0001, 0x0001, 0x3C01), 0x3C01);
    /* (2^15 + 2^5)(1 + 2^-10) = 2^15 + 2^5 + 2^5 + 2^-5; to 2^15 + 2 2^5 */
    assert_int_equal(fp16_fma(0x7801, 0x3C01, 0x0001), 0x7802);
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
    emulate_reseed();
    for (int round = 0; round < 2000; round++) {
        fp16_random(&x);
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
    emulate_reseed();
    for (int round = 0; round < 3000; round++) {
        fp16_random(&x);
        for (int i = 0; i < 32; i++) {
            const uint16_t product = mul_reference(x.a[i], x.b[i], 0);
            switch (bg_rng_below(&emulate_rng, 3)) {
            case 0:
                x.d[i] = (uint16_t)((product ^ 0x8000) + bg_rng_below(&emulate_rng, 5) - 2);
                break;
            case 1: /* twelve bits at most in the product: one bit past the last place, a tie */
                x.a[i] = (uint16_t)((x.a[i] & 0x83E0) | 0x4C00 | 0x20);
                x.b[i] = (uint16_t)((x.b[i] & 0x83C0) | 0x3C00 | 0x40);
                x.d[i] = (uint16_t)((x.d[i] & 0x8000) | bg_rng_below(&emulate_rng, 3));
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
        fp16_random(&x);                                                      \
        RUN(&x, d, a, b, text);                                                \
        check_lanes(text, &x, r, lanes, broadcast, (uint64_t)(mask), zeroing); \
    } while (0)

/* Registers of every bank, both lengths below the full one, masks. */
static void registers(void **state)
{
    bench x;
    NEEDS_EMULATOR;
    emulate_reseed();
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
    emulate_reseed();
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
    emulate_reseed();
    fp16_random(&x);
    RUN(&x, "zmm1", "zmm2", "zmm3", "jmp 1f; .p2align 6; 0: .rept 32; .short 0x3C00; .endr; 1: vmovdqa64 %%zmm2, %%zmm1; vmulph 0b(%%rip), %%zmm2, %%zmm1");
    for (int i = 0; i < 32; i++)
        fp16_same("vmulph by ones", i, &x, x.a[i]);
    RUN(&x, "zmm1", "zmm2", "zmm3", "jmp 1f; .p2align 6; 0: .rept 32; .short 0x3E00; .endr; 1: vrndscaleph $2, 0b(%%rip), %%zmm1"); /* an immediate behind it */
    for (int i = 0; i < 32; i++)
        fp16_same("vrndscaleph of 1.5", i, &x, 0x4000);
}

/* Memory of lanes that are masked off need not exist. */
static void faults_are_masked(void **state)
{
    bench x;
    NEEDS_EMULATOR;
    emulate_reseed();
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(two != MAP_FAILED);
    assert_int_equal(mprotect(two + page, page, PROT_NONE), 0);
    fp16_random(&x);
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
            fp16_same(name, i, &x, want[mode][i]);                             \
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
            fp16_same("vaddph by MXCSR", i, &x, want[mode][i]);
        fp16_same("vrndscaleph by MXCSR", 0, &y, whole[mode]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references), cmocka_unit_test(edges), cmocka_unit_test(random_operands), cmocka_unit_test(hard_sums),
        cmocka_unit_test(registers), cmocka_unit_test(memory_operands), cmocka_unit_test(relative_operands),
        cmocka_unit_test(faults_are_masked), cmocka_unit_test(rounding_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) { return emulate_not_here(); }

#endif
