/* The AVX-512 level: the kernels with vectors of sixteen floats.  Compiled for
 * AVX-512 F, BW, DQ and VL; refuses to be reached on other machines (cpu.c asks
 * bg_isa_present first). */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define VW 16
#define TILE_NV 4 /* 6 x 4 sums + 4 + 1 fit 32 vector registers */
#define LEVEL_TABLE bg_cpu_avx512
#define LEVEL_ISA BG_ISA_AVX512
#include "ops/cpu/f32.inl"
#else
typedef int bg_no_avx512; /* a translation unit must not be empty */
#endif
