/* The AVX-512 BF16 level: products of bf16 pairs summed in fp32 (vdpbf16ps),
 * the rest with vectors of sixteen floats.  Where a timing at start shows that they are
 * faster than fp32 (cpu.c).  Refuses to be reached on other machines. */
#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define LEVEL_TABLE bg_cpu_avx512bf16
#define LEVEL_ISA BG_ISA_AVX512BF16
#define LEVEL_PRECISION "bf16"
#include "ops/cpu/pairs.inl"
#else
typedef int bg_no_avx512bf16; /* a translation unit must not be empty */
#endif
