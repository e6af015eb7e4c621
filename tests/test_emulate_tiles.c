/* The emulator of AMX: products of tiles against plain C, tiles of all shapes, and the
 * addresses they are loaded from and stored to.  As test_emulate.c, it checks the
 * processor where that has the instructions, and is skipped without AVX-512. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support_emulate_check.h"
#include "support_emulate_tiles.h"

#if defined(__x86_64__) && defined(__linux__)

static void dot_products(void **state)
{
    static const struct { int low, span; } sizes[] = { { 3, 6 }, { 30, 60 }, { 75, 40 }, { 140, 30 }, { -55, 20 } }; /* to denormals, to overflow */
    uint8_t a[ROWS * BYTES], b[ROWS * BYTES], c[ROWS * BYTES], want[ROWS * BYTES];
    NEEDS_EMULATOR;
    emulate_reseed();
    for (int round = 0; round < 60; round++) {
        const int low = sizes[round % 5].low, span = sizes[round % 5].span;
        tile_random(a, sizeof a, 2, low, span);
        tile_random(b, sizeof b, 2, low, span);
        tile_random(c, sizeof c, 4, 2 * low, span);
        memcpy(want, c, sizeof c);
        tile_dot_reference(want, a, b, 16, 16, 16);
        tile_configure_alike(ROWS, BYTES);
        LOAD(0, c, BYTES);
        LOAD(6, a, BYTES);
        __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm7" : : "r"(b), "r"((size_t)BYTES) : "memory");
        __asm__ volatile("tdpbf16ps %%tmm7, %%tmm6, %%tmm0" : : : "memory");
        memset(c, 0x55, sizeof c);
        STORE(0, c, BYTES);
        tile_release();
        for (int i = 0; i < ROWS * BYTES; i += 4)
            if (!tile_same(c + i, want + i))
                fail_msg("round %d, row %d, column %d: %02x%02x%02x%02x, wanted %02x%02x%02x%02x", round, i / BYTES, i % BYTES / 4,
                         c[i + 3], c[i + 2], c[i + 1], c[i], want[i + 3], want[i + 2], want[i + 1], want[i]);
    }
}

/* Each tile of a shape of its own: C 5x7, A 5x3 pairs, B 3x7. */
static void small_tiles(void **state)
{
    uint8_t a[ROWS * BYTES], b[ROWS * BYTES], c[ROWS * BYTES], want[ROWS * BYTES];
    tile_config t;
    NEEDS_EMULATOR;
    emulate_reseed();
    memset(&t, 0, sizeof t);
    t.palette = 1;
    t.rows[1] = 5, t.bytes[1] = 28;
    t.rows[2] = 5, t.bytes[2] = 12;
    t.rows[3] = 3, t.bytes[3] = 28;
    t.rows[4] = 16, t.bytes[4] = 64;
    tile_random(a, sizeof a, 2, 3, 6);
    tile_random(b, sizeof b, 2, 3, 6);
    tile_random(c, sizeof c, 4, 3, 6);
    memcpy(want, c, sizeof c);
    tile_dot_reference(want, a, b, 5, 7, 3);
    tile_configure(&t);
    LOAD(1, c, BYTES);
    LOAD(2, a, BYTES);
    LOAD(3, b, BYTES);
    __asm__ volatile("tdpbf16ps %%tmm3, %%tmm2, %%tmm1" : : : "memory");
    STORE(1, c, BYTES);
    tile_release();
    for (int i = 0; i < ROWS * BYTES; i += 4)
        assert_true(tile_same(c + i, want + i)); /* past the shape: untouched */
}

/* Strides forwards, backwards, scaled, none; a displacement; all eight tiles apart. */
static void tile_addresses(void **state)
{
    static uint8_t from[TILES][ROWS][BYTES], to[TILES][ROWS][2 * BYTES];
    NEEDS_EMULATOR;
    emulate_reseed();
    for (size_t i = 0; i < sizeof from; i++)
        ((uint8_t *)from)[i] = (uint8_t)bg_rng_below(&emulate_rng, 256);
    tile_configure_alike(ROWS, BYTES);
    LOAD(0, from[0], BYTES);
    LOAD(1, from[1][ROWS - 1], -BYTES);
    __asm__ volatile("tileloadd 64(%0,%1,8), %%tmm2" : : "r"((char *)from[2] - 64), "r"((size_t)8) : "memory");
    __asm__ volatile("mov %0, %%r13; mov %1, %%r12; tileloaddt1 -256(%%r13,%%r12,4), %%tmm3"
                     : : "r"((char *)from[3] + 256), "r"((size_t)16) : "memory", "r12", "r13");
    __asm__ volatile("tileloadd (%0), %%tmm4" : : "r"(from[4]) : "memory");
    LOAD(5, from[5], BYTES);
    __asm__ volatile("tilezero %%tmm5" : :);
    LOAD(6, from[6], BYTES);
    LOAD(7, from[7], BYTES);
    STORE(0, to[0], 2 * BYTES);
    STORE(1, to[1], 2 * BYTES);
    STORE(2, to[2], 2 * BYTES);
    STORE(3, to[3], 2 * BYTES);
    STORE(4, to[4], 2 * BYTES);
    STORE(5, to[5], 2 * BYTES);
    STORE(6, to[6], 2 * BYTES);
    __asm__ volatile("tilestored %%tmm7, 128(%0,%1,2)" : : "r"((char *)to[7] - 128), "r"((size_t)BYTES) : "memory");
    tile_release();
    for (int r = 0; r < ROWS; r++) {
        static const uint8_t zero[BYTES];
        assert_memory_equal(to[0][r], from[0][r], BYTES);
        assert_memory_equal(to[1][r], from[1][ROWS - 1 - r], BYTES);
        assert_memory_equal(to[2][r], from[2][r], BYTES);
        assert_memory_equal(to[3][r], from[3][r], BYTES);
        assert_memory_equal(to[4][r], from[4][0], BYTES);
        assert_memory_equal(to[5][r], zero, BYTES);
        assert_memory_equal(to[6][r], from[6][r], BYTES);
        assert_memory_equal(to[7][r], from[7][r], BYTES);
        for (int t = 0; t < TILES; t++)
            assert_memory_equal(to[t][r] + BYTES, zero, BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(dot_products), cmocka_unit_test(small_tiles), cmocka_unit_test(tile_addresses) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) { return emulate_not_here(); }

#endif
