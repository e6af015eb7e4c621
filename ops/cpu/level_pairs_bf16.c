/* The AVX-512 BF16 level's program in plain C, on any machine, so that its
 * arithmetic and indices can be tested everywhere.  Nothing opens it but tests. */
#define LEVEL_TABLE bg_cpu_pairs_bf16
#define LEVEL_ISA BG_ISA_AVX512BF16
#define LEVEL_PRECISION "bf16"
#include "ops/cpu/pairs.inl"
