/* What the tests of the emulator (test_emulate*.c) share: one instruction on given
 * operands, and fp16 in plain C to compare it with, made differently from the emulator's
 * integers: doubles with an error term for what is rounded once.  Include behind cmocka.h. */
#ifndef BG_TESTS_SUPPORT_EMULATE_CHECK_H
#define BG_TESTS_SUPPORT_EMULATE_CHECK_H

#include "support_emulate.h"

/* What main() runs where the emulator is not: one test, a counted skip. */
int emulate_not_here(void);

#if defined(__x86_64__) && defined(__linux__)

#include <stddef.h>
#include <stdint.h>

#include "base/isa.h"
#include "base/rng.h"

/* Asking for the AMX level also asks Linux for the tile registers. */
#define NEEDS_EMULATOR                                                         \
    do {                                                                       \
        (void)bg_isa_present(BG_ISA_AMX);                                      \
        if (!emulate_begin()) {                                                \
            print_message("  SKIP: no AVX-512 registers in signal frames\n");  \
            skip();                                                            \
        }                                                                      \
    } while (0)

extern bg_rng emulate_rng; /* of all random operands */
void emulate_reseed(void); /* by BGPT_TEST_SEED, or a fixed one */

/* --- fp16 in plain C ------------------------------------------------------------ */

int fp16_is_nan(uint16_t h);
double fp16_value(uint16_t h);
/* The nearest fp16, ties to even. */
uint16_t fp16_nearest(double v);
/* sum + error, exactly, to the double next to it whose last bit is odd when there is an
 * error: rounding that once more gives what rounding the exact value does. */
double fp16_to_odd(double sum, double error);
/* x y + z, rounded once. */
uint16_t fp16_fma(uint16_t x, uint16_t y, uint16_t z);

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

void fp16_random(bench *x);
/* Fails unless this lane came out as wanted; any NaN is as good as another. */
void fp16_same(const char *what, int lane, const bench *x, uint16_t want);

#endif

#endif
