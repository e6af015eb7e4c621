/* Instruction-set levels, best last.  The level is picked once, when a back
 * end opens; BGPT_ISA=portable|avx2|avx512|... forces one. */
#ifndef BG_BASE_ISA_H
#define BG_BASE_ISA_H

#include "base/status.h"

typedef enum bg_isa {
    BG_ISA_PORTABLE,  /* plain C, the definition */
    BG_ISA_NEON,      /* arm64 */
    BG_ISA_AVX2,      /* AVX2 + FMA */
    BG_ISA_AVX512,    /* AVX-512 F, BW, DQ, VL */
    BG_ISA_AVX512BF16, /* and BF16: its dot products pay on some processors only (ops/cpu/cpu.c) */
    BG_ISA_AVX512FP16,
    BG_ISA_AMX,       /* AMX-TILE, AMX-BF16 and AVX-512 BF16 */
    BG_ISA_COUNT
} bg_isa;

const char *bg_isa_name(bg_isa isa);
/* Does this machine (processor AND operating system) have it? */
int bg_isa_present(bg_isa isa);
/* Has it AVX-512 VNNI, dot products of bytes? */
int bg_isa_byte_dots(void);
/* Level by name (NULL or "" = best present).  A level this machine lacks or an
 * unknown name is BG_ERR_ARGUMENT. */
bg_status bg_isa_pick(bg_isa *out, const char *name, bg_error *err);

#endif
