/* The eight tile operations that the bf16 products are written in.
 *
 * With AMX they are single instructions on the eight tile registers of the
 * processor (Intel SDM volume 1, chapter 18).  Without, the same program runs
 * on a struct of eight arrays in plain C, so that its arithmetic and its indices
 * are tested on any machine.  BG_TILE_HARDWARE chooses at compile time.
 *
 * Every tile is 16 rows of 64 bytes: 16 x 16 floats, or 16 x 32 bf16 as left
 * operand (row, k), or 16 k-pairs x 16 columns x 2 as right operand. */
#ifndef BG_OPS_CPU_TILE_H
#define BG_OPS_CPU_TILE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BG_TILE_ROWS = 16, BG_TILE_BYTES = 64 };

#ifdef BG_TILE_HARDWARE

typedef struct bg_tiles { char unused; } bg_tiles;

typedef struct bg_tile_palette {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} bg_tile_palette;

/* 1: configure all eight tiles.  Sums (0 to 3) and left operands (4, 5) have `rows` rows, 1 to 16:
 * a product with few rows then reads and costs no more than these. */
static inline void tile_begin(bg_tiles *t, int rows)
{
    bg_tile_palette p;
    memset(&p, 0, sizeof p);
    p.palette = 1;
    for (int i = 0; i < 8; i++) {
        p.bytes[i] = BG_TILE_BYTES;
        p.rows[i] = (uint8_t)(i < 6 ? rows : BG_TILE_ROWS);
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(p));
}

/* 2: give the registers back, so that context switches stay cheap. */
static inline void tile_end(bg_tiles *t) { __asm__ volatile("tilerelease" : : : "memory"); }

/* 3 to 7.  The "memory" clobbers are needed: tile loads and stores are
 * invisible to the compiler otherwise. */
#define tile_zero(t, n) __asm__ volatile("tilezero %%tmm" #n : : : "memory")
#define tile_load(t, n, p, stride) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #n : : "r"(p), "r"((size_t)(stride)) : "memory")
/* A load that is not going to be repeated soon: leaves L1 to the other operand. */
#define tile_stream(t, n, p, stride) \
    __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm" #n : : "r"(p), "r"((size_t)(stride)) : "memory")
#define tile_store(t, n, p, stride) \
    __asm__ volatile("tilestored %%tmm" #n ", (%0,%1,1)" : : "r"(p), "r"((size_t)(stride)) : "memory")
/* c += a b */
#define tile_dot(t, c, a, b) \
    __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c : : : "memory")

#else

typedef struct bg_tiles {
    uint8_t data[8][BG_TILE_ROWS][BG_TILE_BYTES];
    int rows; /* of tiles 0 to 5 */
} bg_tiles;

static inline void tile_begin(bg_tiles *t, int rows)
{
    memset(t, 0, sizeof *t);
    t->rows = rows;
}

static inline int tile_rows_of(const bg_tiles *t, int n) { return n < 6 ? t->rows : BG_TILE_ROWS; }
static inline void tile_end(bg_tiles *t) { memset(t, 0, sizeof *t); }
static inline void tile_zero(bg_tiles *t, int n) { memset(t->data[n], 0, sizeof t->data[n]); }

static inline void tile_load(bg_tiles *t, int n, const void *p, size_t stride)
{
    for (int r = 0; r < tile_rows_of(t, n); r++)
        memcpy(t->data[n][r], (const char *)p + (size_t)r * stride, BG_TILE_BYTES);
}

static inline void tile_stream(bg_tiles *t, int n, const void *p, size_t stride) { tile_load(t, n, p, stride); }

static inline void tile_store(bg_tiles *t, int n, void *p, size_t stride)
{
    for (int r = 0; r < tile_rows_of(t, n); r++)
        memcpy((char *)p + (size_t)r * stride, t->data[n][r], BG_TILE_BYTES);
}

static inline float tile_bf16(const uint8_t *p)
{
    uint16_t narrow;
    memcpy(&narrow, p, sizeof narrow);
    const uint32_t wide = (uint32_t)narrow << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static inline void tile_dot(bg_tiles *t, int c, int a, int b)
{
    for (int row = 0; row < t->rows; row++)
        for (int column = 0; column < BG_TILE_ROWS; column++) {
            float sum;
            memcpy(&sum, &t->data[c][row][4 * column], sizeof sum);
            for (int k = 0; k < 32; k++)
                sum += tile_bf16(&t->data[a][row][2 * k]) * tile_bf16(&t->data[b][k / 2][4 * column + 2 * (k % 2)]);
            memcpy(&t->data[c][row][4 * column], &sum, sizeof sum);
        }
}

#endif

#endif
