/* The AVX-512 FP16 level's program in plain C, on any machine, so that its
 * arithmetic and indices can be tested everywhere.  Nothing opens it but tests. */
#define PAIR_HALF_SUMS
#define LEVEL_TABLE bg_cpu_pairs_fp16
#define LEVEL_ISA BG_ISA_AVX512FP16
#define LEVEL_PRECISION "fp16"
#include "ops/cpu/pairs.inl"
