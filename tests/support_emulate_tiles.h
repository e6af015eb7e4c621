/* The tiles of AMX for the tests of the emulator: their instructions, random contents, and
 * what a product of tiles must give, in plain C.  Include behind cmocka.h. */
#ifndef BG_TESTS_SUPPORT_EMULATE_TILES_H
#define BG_TESTS_SUPPORT_EMULATE_TILES_H

#if defined(__x86_64__) && defined(__linux__)

#include <stddef.h>
#include <stdint.h>

enum { ROWS = 16, BYTES = 64, TILES = 8 };

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} tile_config;

void tile_configure(const tile_config *c);
void tile_configure_alike(unsigned rows, unsigned bytes); /* all eight */
void tile_release(void);

#define LOAD(n, p, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #n : : "r"(p), "r"((size_t)(stride)) : "memory")
#define STORE(n, p, stride) __asm__ volatile("tilestored %%tmm" #n ", (%0,%1,1)" : : "r"(p), "r"((size_t)(stride)) : "memory")

/* c += a b in bf16, of rows and columns as configured; row stride BYTES. */
void tile_dot_reference(uint8_t *c, const uint8_t *a, const uint8_t *b, int rows, int columns, int pairs);

/* bf16 (size 2) or fp32 of all sizes from 2^-low on up; finite. */
void tile_random(uint8_t *p, size_t bytes, size_t size, int low, int span);

/* The same fp32, or both NaN. */
int tile_same(const uint8_t *p, const uint8_t *q);

#endif

#endif
