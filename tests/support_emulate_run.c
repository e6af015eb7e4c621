/* What the emulator's instructions do to the saved registers.  Encodings and
 * operations after Intel's Software Developer's Manual, volume 2; the code of instructions
 * runs in a signal handler and calls nothing but memcpy and its like. */
#define _GNU_SOURCE /* names of the general registers */
#include "support_emulate_parts.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

/* --- the saved registers ------------------------------------------------------ */

/* The signal frame holds an XSAVE area in standard format (Intel SDM volume 1, chapter 13;
 * the kernel's asm/sigcontext.h describes its own words at 464). */
enum {
    AREA_MXCSR = 24, AREA_XMM = 160, AREA_SOFTWARE = 464, AREA_PRESENT = 512, /* XSTATE_BV */
    SSE = 1, YMM_HIGH = 2, MASKS = 5, ZMM_HIGH = 6, ZMM_16_31 = 7, COMPONENTS = 8,
    WANTED = 1 << SSE | 1 << YMM_HIGH | 1 << MASKS | 1 << ZMM_HIGH | 1 << ZMM_16_31
};
#define AREA_MAGIC 0x46505853u /* FP_XSTATE_MAGIC1 */

typedef struct area_words { /* struct _fpx_sw_bytes */
    uint32_t magic, whole_size;
    uint64_t features;
    uint32_t size;
} area_words;

static struct { uint32_t offset, size; } component[COMPONENTS]; /* by frame_prepare, from cpuid */

int frame_prepare(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b >> 16 & 1)) /* AVX512F */
        return 0;
    for (unsigned i = SSE; i < COMPONENTS; i++) {
        if (i == SSE)
            a = 16 * 16, b = AREA_XMM;
        else if (!__get_cpuid_count(0xD, i, &a, &b, &c, &d))
            return 0;
        component[i].offset = b;
        component[i].size = a;
    }
    return 1;
}

/* A component whose bit says that it is in its initial state gets the zeros which that
 * stands for, and its bit, so that from here on memory is the truth. */
int frame_open(frame *f, ucontext_t *context)
{
    area_words words;
    uint64_t present;
    uint32_t mxcsr;
    f->area = (uint8_t *)context->uc_mcontext.fpregs;
    f->general = context->uc_mcontext.gregs;
    if (!f->area)
        return 0;
    memcpy(&words, f->area + AREA_SOFTWARE, sizeof words);
    if (words.magic != AREA_MAGIC || (words.features & WANTED) != WANTED)
        return 0;
    memcpy(&present, f->area + AREA_PRESENT, sizeof present);
    for (int i = 1; i < COMPONENTS; i++) {
        if (!(WANTED >> i & 1) || (present >> i & 1))
            continue;
        if (component[i].offset + component[i].size > words.size)
            return 0;
        memset(f->area + component[i].offset, 0, component[i].size);
    }
    present |= WANTED;
    memcpy(f->area + AREA_PRESENT, &present, sizeof present);
    memcpy(&mxcsr, f->area + AREA_MXCSR, sizeof mxcsr);
    f->mode = mxcsr >> 13 & 3;
    return 1;
}

/* A vector register lies in up to three pieces. */
static void zmm_copy(const frame *f, unsigned n, uint8_t *value, int store)
{
    struct { size_t at, bytes; } piece[3] = {
        { AREA_XMM + 16 * n, 16 },
        { component[YMM_HIGH].offset + 16 * n, 16 },
        { component[ZMM_HIGH].offset + 32 * n, 32 },
    };
    int pieces = 3;
    if (n >= 16) {
        piece[0].at = component[ZMM_16_31].offset + ZMM_BYTES * (n - 16);
        piece[0].bytes = ZMM_BYTES;
        pieces = 1;
    }
    for (int i = 0; i < pieces; value += piece[i++].bytes)
        if (store)
            memcpy(f->area + piece[i].at, value, piece[i].bytes);
        else
            memcpy(value, f->area + piece[i].at, piece[i].bytes);
}

static void zmm_read(const frame *f, unsigned n, void *value) { zmm_copy(f, n, value, 0); }
static void zmm_write(frame *f, unsigned n, void *value) { zmm_copy(f, n, value, 1); }

greg_t *frame_general(const frame *f, unsigned n)
{
    static const int place[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                   REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    return &f->general[place[n]];
}

static uint64_t lanes_of(const frame *f, const insn *i)
{
    uint64_t mask = ~(uint64_t)0;
    if (i->mask)
        memcpy(&mask, f->area + component[MASKS].offset + 8 * i->mask, sizeof mask);
    return mask;
}

/* The last operand: `lanes` elements of `size` bytes.  Memory of lanes that are
 * masked off is not touched. */
static void read_source(const frame *f, const insn *i, void *value, unsigned size, unsigned lanes, uint64_t mask)
{
    if (!i->memory) {
        zmm_read(f, i->rm, value);
        return;
    }
    for (unsigned k = 0; k < lanes; k++)
        if (mask >> k & 1)
            memcpy((uint8_t *)value + k * size, (const uint8_t *)i->address + (i->broadcast ? 0 : k * size), size);
}

/* --- FP16 instructions -------------------------------------------------------- */

typedef enum operation { FMA132, FMA213, FMA231, ADD, SUB, MUL, DIV, MIN, MAX, SCALE, RECIPROCAL, ROUND } operation;

static uint16_t half_lane(const insn *i, uint16_t d, uint16_t a, uint16_t b)
{
    const int flip = i->what->flip, mode = i->mode;
    switch ((operation)i->what->op) {
    case FMA132: return half_fma(d, b, a, flip, mode);
    case FMA213: return half_fma(a, d, b, flip, mode);
    case FMA231: return half_fma(a, b, d, flip, mode);
    case ADD: return half_fma(a, HALF_ONE, b, 0, mode);
    case SUB: return half_fma(a, HALF_ONE, b, FLIP_ADDEND, mode);
    case MUL: return half_mul(a, b, mode);
    case DIV: return half_div(a, b, mode);
    case MIN: return half_min(a, b, 0);
    case MAX: return half_min(a, b, 1);
    case SCALE: return half_scale(a, b, mode);
    case RECIPROCAL: return half_div(HALF_ONE, b, NEAREST); /* the manual allows an error of 2^-11 + 2^-14 */
    case ROUND: return half_round(b, i->immediate, mode);
    }
    return HALF_INDEFINITE;
}

static int run_lanes(frame *f, const insn *i)
{
    uint16_t d[32], a[32], b[32];
    const unsigned lanes = i->length / 2;
    const uint64_t mask = lanes_of(f, i);
    zmm_read(f, i->reg, d);
    zmm_read(f, i->first, a);
    read_source(f, i, b, 2, lanes, mask);
    for (unsigned k = 0; k < 32; k++)
        if (k >= lanes || (!(mask >> k & 1) && i->zeroing))
            d[k] = 0;
        else if (mask >> k & 1)
            d[k] = half_lane(i, d[k], a[k], b[k]);
    zmm_write(f, i->reg, d);
    return 1;
}

static int run_widen(frame *f, const insn *i)
{
    uint32_t d[16];
    uint16_t b[32];
    const unsigned lanes = i->length / 4;
    const uint64_t mask = lanes_of(f, i);
    if (i->first)
        return 0;
    zmm_read(f, i->reg, d);
    read_source(f, i, b, 2, lanes, mask);
    for (unsigned k = 0; k < 16; k++)
        if (k >= lanes || (!(mask >> k & 1) && i->zeroing))
            d[k] = 0;
        else if (mask >> k & 1)
            d[k] = half_to_float(b[k]);
    zmm_write(f, i->reg, d);
    return 1;
}

static int run_narrow(frame *f, const insn *i)
{
    uint16_t d[32];
    uint32_t b[16];
    const unsigned lanes = i->length / 4;
    const uint64_t mask = lanes_of(f, i);
    if (i->first)
        return 0;
    zmm_read(f, i->reg, d);
    read_source(f, i, b, 4, lanes, mask);
    for (unsigned k = 0; k < 32; k++)
        if (k >= lanes || (!(mask >> k & 1) && i->zeroing))
            d[k] = 0;
        else if (mask >> k & 1)
            d[k] = half_from_float(b[k], i->mode);
    zmm_write(f, i->reg, d);
    return 1;
}

static int is_plain_word(const insn *i) { return i->length == 16 && !i->first && !i->mask && !i->zeroing && !i->broadcast; }

static int run_word_load(frame *f, const insn *i)
{
    uint16_t d[32] = { 0 };
    if (!is_plain_word(i))
        return 0;
    if (i->memory)
        memcpy(d, (const void *)i->address, 2);
    else
        d[0] = (uint16_t)*frame_general(f, i->rm & 15);
    zmm_write(f, i->reg, d);
    return 1;
}

static int run_word_store(frame *f, const insn *i)
{
    uint16_t d[32];
    if (!is_plain_word(i))
        return 0;
    zmm_read(f, i->reg, d);
    if (i->memory)
        memcpy((void *)i->address, d, 2);
    else
        *frame_general(f, i->rm & 15) = d[0];
    return 1;
}

/* --- tiles ------------------------------------------------------------------------- */

enum { TILES = 8, TILE_ROWS = 16, TILE_BYTES = 64 };

/* Bytes of a row beyond `bytes` and rows beyond `rows` are kept zero. */
typedef struct tile {
    unsigned rows, bytes;
    _Alignas(64) uint8_t data[TILE_ROWS][TILE_BYTES];
} tile;

static __thread struct {
    int configured;
    tile tile[TILES];
} tiles;

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} tile_config;

/* A tile that may be used, or NULL. */
static tile *tile_at(unsigned n)
{
    tile *t = n < TILES ? &tiles.tile[n] : NULL;
    return t && tiles.configured && t->rows ? t : NULL;
}

static int config_is_sound(const tile_config *c)
{
    static const uint8_t nothing[sizeof c->reserved];
    if (c->palette > 1 || c->start_row || memcmp(c->reserved, nothing, sizeof nothing) != 0)
        return 0;
    for (int i = 0; i < 16; i++)
        if (c->rows[i] > (i < TILES ? TILE_ROWS : 0) || c->bytes[i] > (i < TILES ? TILE_BYTES : 0) || !c->rows[i] != !c->bytes[i])
            return 0;
    return 1;
}

/* With a memory operand ldtilecfg, else tilerelease. */
static int run_tile_config(frame *f, const insn *i)
{
    tile_config c;
    if (i->first || i->reg || (!i->memory && i->rm))
        return 0;
    memset(&c, 0, sizeof c);
    if (i->memory)
        memcpy(&c, (const void *)i->address, sizeof c);
    if (!config_is_sound(&c))
        return 0;
    memset(&tiles, 0, sizeof tiles);
    tiles.configured = c.palette;
    for (int n = 0; c.palette && n < TILES; n++) {
        tiles.tile[n].rows = c.rows[n];
        tiles.tile[n].bytes = c.bytes[n];
    }
    return 1;
}

static int run_tile_zero(frame *f, const insn *i)
{
    tile *t = tile_at(i->reg);
    if (!t || i->memory || i->rm || i->first)
        return 0;
    memset(t->data, 0, sizeof t->data);
    return 1;
}

static int run_tile_load(frame *f, const insn *i)
{
    tile *t = tile_at(i->reg);
    if (!t || !i->memory || !i->has_sib || i->first)
        return 0;
    memset(t->data, 0, sizeof t->data);
    for (unsigned r = 0; r < t->rows; r++)
        memcpy(t->data[r], (const void *)(i->address + r * i->stride), t->bytes);
    return 1;
}

static int run_tile_store(frame *f, const insn *i)
{
    const tile *t = tile_at(i->reg);
    if (!t || !i->memory || !i->has_sib || i->first)
        return 0;
    for (unsigned r = 0; r < t->rows; r++)
        memcpy((void *)(i->address + r * i->stride), t->data[r], t->bytes);
    return 1;
}

/* One row: sums of the even and of the odd products of k, each in order, then both
 * together onto c.  A bf16 is the upper half of an fp32. */
__attribute__((target("avx512f"), noinline)) static void dot_row(uint8_t *c, const uint8_t *a, const tile *b)
{
    const __m512i upper = _mm512_set1_epi32((int)0xFFFF0000u);
    __m512 even = _mm512_setzero_ps(), odd = even;
    for (unsigned k = 0; k < b->rows; k++) {
        int pair;
        memcpy(&pair, a + 4 * k, sizeof pair);
        const __m512i left = _mm512_set1_epi32(pair), right = _mm512_loadu_si512(b->data[k]);
        even = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(left, 16)), _mm512_castsi512_ps(_mm512_slli_epi32(right, 16)), even);
        odd = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_epi32(left, upper)), _mm512_castsi512_ps(_mm512_and_epi32(right, upper)), odd);
    }
    _mm512_storeu_ps(c, _mm512_add_ps(_mm512_loadu_ps(c), _mm512_add_ps(even, odd)));
}

/* Round to nearest, denormals in and out are zeros, no exceptions. */
#define TILE_MXCSR 0x9FC0u

static int run_tile_dot(frame *f, const insn *i)
{
    tile *c = tile_at(i->reg);
    const tile *a = tile_at(i->rm), *b = tile_at(i->first);
    if (!c || !a || !b || i->memory || c == a || c == b || a == b)
        return 0;
    if (c->rows != a->rows || c->bytes != b->bytes || a->bytes != 4 * b->rows || c->bytes % 4)
        return 0;
    const unsigned mxcsr = _mm_getcsr();
    _mm_setcsr(TILE_MXCSR);
    for (unsigned r = 0; r < c->rows; r++) {
        dot_row(c->data[r], a->data[r], b);
        memset(c->data[r] + c->bytes, 0, TILE_BYTES - c->bytes);
    }
    _mm_setcsr(mxcsr);
    return 1;
}

/* --- the table ----------------------------------------------------------------------- */

enum { MAP_0F38 = 2, MAP_0F3A = 3, MAP5 = 5, MAP6 = 6 };
#define FMA(opcode, flip)                                                      \
    { 1, MAP6, P66, 0x90 + opcode, run_lanes, FULL_16, 1, 0, FMA132, flip },   \
    { 1, MAP6, P66, 0xA0 + opcode, run_lanes, FULL_16, 1, 0, FMA213, flip },   \
    { 1, MAP6, P66, 0xB0 + opcode, run_lanes, FULL_16, 1, 0, FMA231, flip }

static const known table[] = {
    FMA(0x8, 0),                           /* vfmadd */
    FMA(0xA, FLIP_ADDEND),                 /* vfmsub */
    FMA(0xC, FLIP_PRODUCT),                /* vfnmadd */
    FMA(0xE, FLIP_PRODUCT | FLIP_ADDEND),  /* vfnmsub */
    { 1, MAP5, NO_PREFIX, 0x58, run_lanes, FULL_16, 1, 0, ADD, 0 },
    { 1, MAP5, NO_PREFIX, 0x59, run_lanes, FULL_16, 1, 0, MUL, 0 },
    { 1, MAP5, NO_PREFIX, 0x5C, run_lanes, FULL_16, 1, 0, SUB, 0 },
    { 1, MAP5, NO_PREFIX, 0x5D, run_lanes, FULL_16, 0, 0, MIN, 0 },
    { 1, MAP5, NO_PREFIX, 0x5E, run_lanes, FULL_16, 1, 0, DIV, 0 },
    { 1, MAP5, NO_PREFIX, 0x5F, run_lanes, FULL_16, 0, 0, MAX, 0 },
    { 1, MAP6, P66, 0x2C, run_lanes, FULL_16, 1, 0, SCALE, 0 },
    { 1, MAP6, P66, 0x4C, run_lanes, FULL_16, 0, 0, RECIPROCAL, 0 },
    { 1, MAP_0F3A, NO_PREFIX, 0x08, run_lanes, FULL_16, 0, 1, ROUND, 0 },
    { 1, MAP6, P66, 0x13, run_widen, HALF_WIDE, 0, 0, 0, 0 },  /* vcvtph2psx */
    { 1, MAP5, P66, 0x1D, run_narrow, FULL_32, 1, 0, 0, 0 },   /* vcvtps2phx */
    { 1, MAP5, P66, 0x6E, run_word_load, WORD, 0, 0, 0, 0 },   /* vmovw */
    { 1, MAP5, P66, 0x7E, run_word_store, WORD, 0, 0, 0, 0 },
    { 0, MAP_0F38, NO_PREFIX, 0x49, run_tile_config, 0, 0, 0, 0, 0 },
    { 0, MAP_0F38, PF2, 0x49, run_tile_zero, 0, 0, 0, 0, 0 },
    { 0, MAP_0F38, PF2, 0x4B, run_tile_load, 0, 0, 0, 0, 0 },  /* tileloadd */
    { 0, MAP_0F38, P66, 0x4B, run_tile_load, 0, 0, 0, 0, 0 },  /* tileloaddt1 */
    { 0, MAP_0F38, PF3, 0x4B, run_tile_store, 0, 0, 0, 0, 0 },
    { 0, MAP_0F38, PF3, 0x5C, run_tile_dot, 0, 0, 0, 0, 0 },
};

const known *known_find(const insn *i)
{
    for (size_t n = 0; n < sizeof table / sizeof *table; n++) {
        const known *k = &table[n];
        const int any_width = k->tuple == WORD; /* vmovw: WIG */
        if (k->opcode == i->opcode && k->map == i->map && k->prefix == i->prefix && k->evex == i->evex && (any_width || !i->wide))
            return k;
    }
    return NULL;
}

#else
typedef int emulate_no_run; /* a translation unit must not be empty */
#endif
