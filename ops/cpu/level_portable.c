/* The portable level: the kernels with vectors of four floats, as the compiler
 * translates them for the machine's base instructions (SSE2 on x86-64, NEON
 * on arm64, plain C elsewhere).  The definition the other levels are tested
 * against.  Refuses to use any intrinsic that is not in every machine. */
#define VW 4
#define TILE_NV 2 /* 6 x 2 sums + 2 + 1 fit 16 vector registers */
#define LEVEL_TABLE bg_cpu_portable
#define LEVEL_ISA BG_ISA_PORTABLE
#include "ops/cpu/f32.inl"
