/* The AMX level: bf16 products on the processor's tile registers, the rest
 * with vectors of sixteen floats.  Refuses to be reached on other machines
 * (cpu.c asks bg_isa_present first). */
/* gcc and clang spell the first two differently. */
#if (defined(__AMX_TILE__) || defined(__AMXTILE__)) && (defined(__AMX_BF16__) || defined(__AMXBF16__)) && defined(__AVX512BF16__)
#define BG_TILE_HARDWARE
#define VW 16
#define TILE_NV 4
#define LEVEL_TABLE bg_cpu_amx
#define LEVEL_ISA BG_ISA_AMX
#include "ops/cpu/tiles.inl"
#else
typedef int bg_no_amx; /* a translation unit must not be empty */
#endif
