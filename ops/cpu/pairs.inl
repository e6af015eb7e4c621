/* A level that multiplies pairs of narrow numbers with vector instructions: all
 * kernels, and the op table made of them.  Included once by each level_NAME.c after it
 * has set LEVEL_TABLE, LEVEL_ISA, LEVEL_PRECISION and, for fp16, PAIR_HALF_SUMS. */
#define VW 16
#define TILE_NV 4 /* 6 x 4 sums + 4 + 1 fit 32 vector registers */
#define COARSE_SIGMOID
#include "ops/cpu/cpu.h"
#include "ops/dropout.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "ops/cpu/vec.inl"
#ifdef PAIR_HALF_SUMS
#include "ops/cpu/act_f16.inl"
#else
#include "ops/cpu/act_bf16.inl"
#endif
#include "ops/cpu/math.inl"
#include "ops/cpu/rows.inl"
#include "ops/cpu/convolve.inl"
#include "ops/cpu/dropout.inl"
#include "ops/cpu/gemm.inl"
#include "ops/cpu/epilogue.inl"
#include "ops/cpu/words_pair.inl"
#include "ops/cpu/vector.inl"
