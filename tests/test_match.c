/* The table of matches: against its definition, written the slow way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/match.h"

enum { LONGEST = 700 };

static const uint32_t lengths[] = { 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48 };

/* The row for place n of s: the longest of the lengths whose end occurred before, and what stood behind it last. */
static uint16_t row_by_definition(const uint16_t *s, uint32_t n)
{
    for (uint32_t k = BG_MATCH_LENGTHS; k-- > 0;)
        for (uint32_t at = n; lengths[k] < at;) {
            at--; /* the place behind an earlier end */
            if (memcmp(s + at - lengths[k], s + n - lengths[k], lengths[k] * sizeof *s) == 0)
                return (uint16_t)(k * BG_VOCAB + s[at]);
        }
    return BG_MATCH_NONE;
}

static void open_match(bg_match *m, uint32_t capacity)
{
    bg_error err;
    if (bg_match_open(m, bg_sys_default(), capacity, &err) != BG_OK)
        fail_msg("%s", err.text);
}

/* Symbols of an alphabet of 1, 2, 3 or all; most sequences say something twice. */
static uint32_t make_sequence(uint16_t *s, uint64_t number)
{
    static const uint32_t alphabets[] = { 1, 2, 3, BG_VOCAB };
    bg_rng r;
    bg_rng_open(&r, 3, 5, number);
    const uint32_t n = 1 + (uint32_t)bg_rng_below(&r, LONGEST), alphabet = alphabets[number % 4];
    for (uint32_t i = 0; i < n; i++)
        s[i] = (uint16_t)(BG_VOCAB - 1 - bg_rng_below(&r, alphabet));
    for (uint32_t again = 0; again < 4 && n > 120; again++) {
        const uint32_t size = 1 + (uint32_t)bg_rng_below(&r, 60), from = (uint32_t)bg_rng_below(&r, n - size), to = (uint32_t)bg_rng_below(&r, n - size);
        memmove(s + to, s + from, size * sizeof *s);
    }
    return n;
}

static void test_definition(void **state)
{
    uint16_t s[LONGEST];
    uint32_t used[BG_MATCH_LENGTHS + 1] = { 0 };
    bg_match m;
    open_match(&m, LONGEST);
    for (uint64_t number = 0; number < 60; number++) {
        const uint32_t n = make_sequence(s, number);
        bg_match_reset(&m, n);
        for (uint32_t i = 0; i < n; i++) {
            const uint16_t want = row_by_definition(s, i);
            if (m.row != want)
                fail_msg("sequence %u, place %u: row %u, %u by definition", (unsigned)number, (unsigned)i, (unsigned)m.row, (unsigned)want);
            used[want / BG_VOCAB]++;
            bg_match_push(&m, s + i, 1);
        }
    }
    for (int k = 0; k <= BG_MATCH_LENGTHS; k++)
        assert_true(used[k] > 0); /* every length was met, and none at all */
    bg_match_close(&m);
}

/* Another capacity, symbols pushed together, and what was there before change nothing. */
static void test_same_rows(void **state)
{
    uint16_t s[LONGEST];
    bg_match one, other;
    open_match(&one, LONGEST + 1);
    open_match(&other, 5 * LONGEST);
    for (uint64_t number = 0; number < 20; number++) {
        const uint32_t n = make_sequence(s, number);
        bg_match_reset(&one, n + 1);
        bg_match_reset(&other, number % 2 ? 5 * LONGEST : n + 1);
        for (uint32_t i = 0; i < n; i += 7) {
            const uint32_t count = n - i < 7 ? n - i : 7;
            for (uint32_t k = 0; k < count; k++)
                bg_match_push(&one, s + i + k, 1);
            bg_match_push(&other, s + i, count);
            assert_int_equal(one.row, other.row);
        }
    }
    bg_match_close(&one);
    bg_match_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_definition), cmocka_unit_test(test_same_rows) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
