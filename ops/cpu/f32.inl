/* An fp32 level: all kernels, and the op table made of them.  Included once by
 * each level_NAME.c after it has set VW (floats of a vector), TILE_NV (vectors
 * of a product tile), LEVEL_TABLE and LEVEL_ISA. */
#include "ops/cpu/cpu.h"
#include "ops/dropout.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "ops/cpu/vec.inl"
#include "ops/cpu/act_f32.inl"
#include "ops/cpu/math.inl"
#include "ops/cpu/rows.inl"
#include "ops/cpu/convolve.inl"
#include "ops/cpu/dropout.inl"
#include "ops/cpu/gemm.inl"
#include "ops/cpu/epilogue.inl"
#include "ops/cpu/words_f32.inl"

#define LEVEL_PRECISION "fp32"
#include "ops/cpu/vector.inl"
