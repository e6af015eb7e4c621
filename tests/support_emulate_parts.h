/* Private to the emulator, see support_emulate.h: what its three files share.
 *   support_emulate_half.c  fp16 arithmetic
 *   support_emulate_run.c   the saved registers, what each instruction does, the table of them
 *   support_emulate.c       the decoder, the signal handler */
#ifndef BG_TESTS_SUPPORT_EMULATE_PARTS_H
#define BG_TESTS_SUPPORT_EMULATE_PARTS_H

#if defined(__x86_64__) && defined(__linux__)

#include <stdint.h>
#include <ucontext.h>

/* --- fp16 ------------------------------------------------------------------ */

enum { HALF_SIGN = 0x8000, HALF_INF = 0x7C00, HALF_QUIET = 0x0200, HALF_ONE = 0x3C00, HALF_INDEFINITE = 0xFE00 };
enum { NEAREST, DOWN, UP, ZERO }; /* rounding, as numbered in MXCSR */

/* What v[n]fmadd and v[n]fmsub negate. */
enum { FLIP_PRODUCT = 1, FLIP_ADDEND = 2 };

uint16_t half_mul(uint16_t x, uint16_t y, int mode);
uint16_t half_fma(uint16_t x, uint16_t y, uint16_t z, int flip, int mode);
uint16_t half_div(uint16_t x, uint16_t y, int mode);
uint16_t half_min(uint16_t x, uint16_t y, int want_max);
uint16_t half_scale(uint16_t x, uint16_t y, int mode);
uint16_t half_round(uint16_t x, unsigned control, int mxcsr_mode);
uint32_t half_to_float(uint16_t h);
uint16_t half_from_float(uint32_t bits, int mode);

/* --- the saved registers -------------------------------------------------------- */

enum { ZMM_BYTES = 64 };

typedef struct frame {
    uint8_t *area;
    greg_t *general;
    int mode; /* MXCSR's rounding */
} frame;

/* Ask the processor where registers lie in a frame.  0: it has no AVX-512. */
int frame_prepare(void);
/* 0: the frame does not hold the AVX-512 registers. */
int frame_open(frame *f, ucontext_t *context);
/* General register n, as numbered in instructions. */
greg_t *frame_general(const frame *f, unsigned n);

/* --- an instruction, decoded ------------------------------------------------------ */

enum { NO_PREFIX, P66, PF3, PF2 }; /* as coded in pp */

typedef struct insn {
    const uint8_t *at, *next;
    const struct known *what;
    unsigned evex, map, prefix, wide, opcode, length;   /* length: L'L, then bytes */
    unsigned reg, rm, first;             /* registers; first: vvvv */
    unsigned memory, has_sib;            /* memory: rm is none */
    unsigned broadcast, zeroing, mask;   /* b, z, aaa */
    unsigned immediate;
    uint64_t address, stride;            /* stride: of tiles, index x scale */
    int mode;                            /* rounding */
} insn;

/* What an 8-bit displacement counts in, SDM volume 2, 2.7.5; HALF_WIDE: vectors half as long as the result. */
enum { FULL_16 = 1, FULL_32, HALF_WIDE, WORD };

typedef struct known {
    uint8_t evex, map, prefix, opcode;
    int (*run)(frame *f, const insn *i); /* 0: not with these operands */
    uint8_t tuple, rounding, immediate;  /* rounding: with registers, L'L may hold the mode */
    uint8_t op, flip;
} known;

/* By map, prefix and opcode, or NULL. */
const known *known_find(const insn *i);

#endif

#endif
