/* The AVX-512 FP16 level: products of fp16 pairs, summed in fp16 over short
 * runs and widened into fp32, the rest with vectors of sixteen floats.  Refuses to be
 * reached on other machines (cpu.c asks bg_isa_present first). */
#if defined(__AVX512FP16__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define PAIR_HALF_SUMS
#define LEVEL_TABLE bg_cpu_avx512fp16
#define LEVEL_ISA BG_ISA_AVX512FP16
#define LEVEL_PRECISION "fp16"
#include "ops/cpu/pairs.inl"
#else
typedef int bg_no_avx512fp16; /* a translation unit must not be empty */
#endif
