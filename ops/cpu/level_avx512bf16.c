/* The AVX-512 BF16 level: products of bf16 pairs summed in fp32 (vdpbf16ps),
 * the rest with vectors of sixteen floats.  Where a timing at start shows that they are
 * faster than fp32 (cpu.c).  Refuses to be reached on other machines. */
#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define LEVEL_TABLE bg_cpu_avx512bf16
#define LEVEL_ISA BG_ISA_AVX512BF16
#define LEVEL_PRECISION "bf16"
#include "ops/cpu/pairs.inl"

#include <time.h>

enum { TRIAL_LOOPS = 2000, TRIAL_CHAINS = 12 }; /* about 10 us; more chains than an instruction takes cycles */

static double trial_seconds(const int narrow)
{
    struct timespec a, b;
    vf sum[TRIAL_CHAINS];
    vi x = (vi){ 0 } + 0x3F803F80, w = x; /* ones, as floats (nearly) and as pairs */
    for (int i = 0; i < TRIAL_CHAINS; i++)
        sum[i] = vzero();
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int loop = 0; loop < TRIAL_LOOPS; loop++)
        UNROLL for (int i = 0; i < TRIAL_CHAINS; i++) {
            __asm__ volatile("" : "+v"(x), "+v"(w)); /* keep the loop as it is written */
            sum[i] = narrow ? pair_add(sum[i], x, w) : vfma((vf)x, (vf)w, sum[i]);
        }
    UNROLL for (int i = 0; i < TRIAL_CHAINS; i++)
        __asm__ volatile("" : : "v"(sum[i]));
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

/* The two rates differ by a factor of two one way or the other, and the shortest
 * of many trials is one that nothing disturbed: the answer is the same every time. */
int bg_cpu_bf16_pays(void)
{
    enum { TRIALS = 20 };
    double narrow = trial_seconds(1), wide = trial_seconds(0);
    for (int i = 1; i < TRIALS; i++) {
        const double n = trial_seconds(1), f = trial_seconds(0);
        narrow = n < narrow ? n : narrow;
        wide = f < wide ? f : wide;
    }
    return narrow < 1.5 * wide; /* an instruction of the narrow kind does twice the work */
}
#else
typedef int bg_no_avx512bf16; /* a translation unit must not be empty */
#endif
