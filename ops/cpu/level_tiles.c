/* The AMX level's program in plain C, on any machine: so that its arithmetic
 * and indices can be tested where there is no AMX.  Nothing opens it but tests. */
#define VW 16 /* the tiles' width; compilers split the vectors as needed */
#define TILE_NV 2
#define LEVEL_TABLE bg_cpu_tiles
#define LEVEL_ISA BG_ISA_AMX
#include "ops/cpu/tiles.inl"
