/* Runs code compiled for AMX and AVX512-FP16 on a machine that has AVX-512 but
 * not those two: tests of such a level then run its real machine code.
 *
 * A handler of SIGILL decodes the instruction at fault, does it in software on the
 * saved registers and steps over it; adjacent instructions that it
 * knows are done in the same go.  Known are:
 *   AMX   ldtilecfg, tilerelease, tilezero, tileloadd, tileloaddt1, tilestored, tdpbf16ps;
 *   FP16  v[n]fmadd/sub{132,213,231}ph, v{add,sub,mul,div,min,max}ph, vscalefph, vrcpph,
 *         vrndscaleph, vcvtph2psx, vcvtps2phx, vmovw.
 * All lengths, masks, broadcasts and rounding modes; MXCSR's exception flags are not set.
 * Anything else, a tile of the wrong shape included, is printed to stderr and kills the
 * process by SIGILL, as the bare machine would.
 *
 * What the processor has is not trapped and not touched.  cpuid still tells the truth:
 * the caller must open the level by its table, not by what the machine has. */
#ifndef BG_TESTS_SUPPORT_EMULATE_H
#define BG_TESTS_SUPPORT_EMULATE_H

/* 1: ready.  0: impossible here (no x86-64 Linux, no AVX-512 registers in signal frames).
 * Lasts for the process, all threads; a second call changes nothing.
 * cmocka sets SIGILL anew for every test and fixture, so call it inside the test. */
int emulate_begin(void);
/* Back to the handler that was there before. */
void emulate_end(void);
/* Instructions done in software so far, in all threads. */
unsigned long emulate_count(void);

#endif
