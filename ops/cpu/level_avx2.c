/* The AVX2 level: the kernels with vectors of eight floats and fused
 * multiply-add.  Compiled for AVX2 and FMA; refuses to be reached on other machines
 * (cpu.c asks bg_isa_present first). */
#if defined(__AVX2__) && defined(__FMA__)
#define VW 8
#define TILE_NV 2 /* 6 x 2 sums + 2 + 1 fit 16 vector registers */
#define LEVEL_TABLE bg_cpu_avx2
#define LEVEL_ISA BG_ISA_AVX2
#include "ops/cpu/f32.inl"
#else
typedef int bg_no_avx2; /* a translation unit must not be empty */
#endif
