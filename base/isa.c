/* Which instruction-set levels this machine has.  Asks the processor and the
 * operating system (a level whose registers the system does not save is not
 * there).  Refuses to guess: what cannot be asked is absent. */
#include "base/isa.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

static const char *const names[BG_ISA_COUNT] = {
    [BG_ISA_PORTABLE] = "portable", [BG_ISA_NEON] = "neon", [BG_ISA_AVX2] = "avx2",
    [BG_ISA_AVX512] = "avx512", [BG_ISA_AVX512BF16] = "avx512bf16", [BG_ISA_AVX512FP16] = "avx512fp16", [BG_ISA_AMX] = "amx",
};

const char *bg_isa_name(bg_isa isa)
{
    return (unsigned)isa < BG_ISA_COUNT ? names[isa] : "unknown";
}

#if defined(__x86_64__)

/* Bits of cpuid leaf 1 (ecx), leaf 7.0 (ebx, ecx, edx), leaf 7.1 (eax) and XCR0, as
 * numbered in Intel's Software Developer's Manual, volume 1, chapter 13 and
 * volume 2, CPUID. */
enum {
    L1C_FMA = 12, L1C_OSXSAVE = 27,
    L7B_AVX2 = 5, L7B_AVX512F = 16, L7B_AVX512DQ = 17, L7B_AVX512BW = 30, L7B_AVX512VL = 31,
    L7C_AVX512_VNNI = 11,
    L7D_AMX_BF16 = 22, L7D_AVX512_FP16 = 23, L7D_AMX_TILE = 24,
    L71A_AVX512_BF16 = 5
};
#define XCR0_YMM 0x6u       /* SSE and AVX state */
#define XCR0_ZMM 0xE6u      /* the same and the three AVX-512 states */
#define XCR0_TILE 0x60000u  /* TILECFG and TILEDATA */

typedef struct features {
    unsigned l1c, l7b, l7c, l7d, l71a;
    unsigned xcr0;
} features;

static int bit(unsigned word, int n) { return (int)(word >> n & 1u); }

static features read_features(void)
{
    features f = { 0 };
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return f;
    f.l1c = c;
    if (bit(c, L1C_OSXSAVE)) {
        unsigned high;
        __asm__ volatile("xgetbv" : "=a"(f.xcr0), "=d"(high) : "c"(0));
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        f.l7b = b;
        f.l7c = c;
        f.l7d = d;
        if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
            f.l71a = a;
    }
    return f;
}

/* Linux gives a process the 8 KiB of tile registers only when it asks, once
 * (arch_prctl(2), ARCH_REQ_XCOMP_PERM for state component 18). */
static int tiles_permitted(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
    return 0;
#endif
}

/* Each level includes the one before it, so that kernels of a lower level can
 * always stand in; BF16, FP16 and AMX each stand on AVX-512. */
static int present(bg_isa isa)
{
    const features f = read_features();
    int avx2 = (f.xcr0 & XCR0_YMM) == XCR0_YMM && bit(f.l1c, L1C_FMA) && bit(f.l7b, L7B_AVX2);
    int avx512 = avx2 && (f.xcr0 & XCR0_ZMM) == XCR0_ZMM && bit(f.l7b, L7B_AVX512F)
        && bit(f.l7b, L7B_AVX512DQ) && bit(f.l7b, L7B_AVX512BW) && bit(f.l7b, L7B_AVX512VL);
    switch (isa) {
    case BG_ISA_AVX2:
        return avx2;
    case BG_ISA_AVX512:
        return avx512;
    case BG_ISA_AVX512BF16:
        return avx512 && bit(f.l71a, L71A_AVX512_BF16);
    case BG_ISA_AVX512FP16:
        return avx512 && bit(f.l7d, L7D_AVX512_FP16);
    case BG_ISA_AMX:
        return avx512 && (f.xcr0 & XCR0_TILE) == XCR0_TILE && bit(f.l7d, L7D_AMX_TILE)
            && bit(f.l7d, L7D_AMX_BF16) && bit(f.l71a, L71A_AVX512_BF16) && tiles_permitted();
    default:
        return 0;
    }
}

int bg_isa_byte_dots(void) { return present(BG_ISA_AVX512) && bit(read_features().l7c, L7C_AVX512_VNNI); }

#elif defined(__aarch64__)

/* Advanced SIMD is part of every AArch64 system that runs Linux programs. */
static int present(bg_isa isa) { return isa == BG_ISA_NEON; }
int bg_isa_byte_dots(void) { return 0; }

#else

static int present(bg_isa isa) { return 0; }
int bg_isa_byte_dots(void) { return 0; }

#endif

int bg_isa_present(bg_isa isa)
{
    return isa == BG_ISA_PORTABLE || present(isa);
}

/* "portable, avx2, avx512": what a wrong name could have been. */
static void list_present(char *text, size_t size)
{
    text[0] = 0;
    for (int i = 0; i < BG_ISA_COUNT; i++) {
        if (!bg_isa_present((bg_isa)i))
            continue;
        if (text[0])
            strncat(text, ", ", size - strlen(text) - 1);
        strncat(text, names[i], size - strlen(text) - 1);
    }
}

bg_status bg_isa_pick(bg_isa *out, const char *name, bg_error *err)
{
    char list[128];
    *out = BG_ISA_PORTABLE;
    if (!name || !*name) {
        for (int i = 0; i < BG_ISA_COUNT; i++)
            if (bg_isa_present((bg_isa)i))
                *out = (bg_isa)i;
        return BG_OK;
    }
    list_present(list, sizeof list);
    for (int i = 0; i < BG_ISA_COUNT; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        if (!bg_isa_present((bg_isa)i))
            return bg_fail(err, BG_ERR_ARGUMENT, "this machine lacks the instruction-set level '%s' (it has: %s)", name, list);
        *out = (bg_isa)i;
        return BG_OK;
    }
    return bg_fail(err, BG_ERR_ARGUMENT, "unknown instruction-set level '%s' (this machine has: %s)", name, list);
}
