/* The index of a sequence's ends.  Which row a place gets is part of the model
 * format: docs/FORMAT.md.  For each length a table holds, for every end of that
 * length, the place behind its latest occurrence; ends are compared symbol by
 * symbol, so the size of the tables changes nothing. */
#include "data/match.h"

#include <assert.h>
#include <string.h>

static const uint32_t lengths[BG_MATCH_LENGTHS] = { 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48 };

/* Of a polynomial in the symbols, modulo 2^64. */
#define FACTOR 0xD1342543DE82EF95u
/* 2^64 divided by the golden ratio (Knuth, TAOCP 3, 6.4). */
#define SPREAD 0x9E3779B97F4A7C15u

bg_status bg_match_open(bg_match *m, const bg_sys *sys, uint32_t capacity, bg_error *err)
{
    *m = (bg_match){ .capacity = capacity, .buckets = 16, .base = 1, .row = BG_MATCH_NONE, .sys = sys };
    while (m->buckets < 2 * (uint64_t)capacity)
        m->buckets *= 2;
    m->symbols = bg_alloc(sys, capacity, sizeof *m->symbols);
    m->hash = bg_alloc_zero(sys, (size_t)capacity + 1, sizeof *m->hash);
    m->latest = bg_alloc_zero(sys, (size_t)BG_MATCH_LENGTHS * m->buckets, sizeof *m->latest);
    if (m->symbols && m->hash && m->latest)
        return BG_OK;
    bg_match_close(m);
    return bg_fail_memory(err, "the index of matches", (uint64_t)BG_MATCH_LENGTHS * m->buckets * sizeof *m->latest);
}

void bg_match_close(bg_match *m)
{
    bg_free(m->sys, m->symbols);
    bg_free(m->sys, m->hash);
    bg_free(m->sys, m->latest);
    m->symbols = NULL;
    m->hash = NULL;
    m->latest = NULL;
}

void bg_match_reset(bg_match *m)
{
    m->base += m->length;
    if (m->base > UINT32_MAX - m->capacity - 1) {
        memset(m->latest, 0, (size_t)BG_MATCH_LENGTHS * m->buckets * sizeof *m->latest);
        m->base = 1;
    }
    m->length = 0;
    m->row = BG_MATCH_NONE;
}

/* FACTOR to the power of each length. */
static uint64_t power(uint32_t n)
{
    uint64_t p = 1;
    while (n--)
        p *= FACTOR;
    return p;
}

/* Where the end of `n` symbols is or belongs in its table. */
static uint32_t *find(const bg_match *m, uint32_t *table, uint32_t n, uint64_t factor)
{
    const uint64_t hash = m->hash[m->length] - m->hash[m->length - n] * factor;
    const uint16_t *end = m->symbols + m->length - n;
    uint32_t at = (uint32_t)((hash * SPREAD) >> 32) & (m->buckets - 1);
    /* an entry from before this sequence is as good as none */
    while (table[at] >= m->base && memcmp(m->symbols + (table[at] - m->base) - n, end, n * sizeof *end) != 0)
        at = (at + 1) & (m->buckets - 1);
    return &table[at];
}

static void push(bg_match *m, uint16_t symbol, const uint64_t *factors)
{
    assert(m->length < m->capacity);
    m->symbols[m->length] = symbol;
    m->hash[m->length + 1] = m->hash[m->length] * FACTOR + symbol + 1;
    m->length++;
    m->row = BG_MATCH_NONE;
    for (uint32_t k = 0; k < BG_MATCH_LENGTHS && lengths[k] <= m->length; k++) {
        uint32_t *place = find(m, m->latest + (size_t)k * m->buckets, lengths[k], factors[k]);
        if (*place >= m->base) /* a longer end that occurred is a better guess */
            m->row = (uint16_t)(k * BG_VOCAB + m->symbols[*place - m->base]);
        *place = m->base + m->length;
    }
}

void bg_match_push(bg_match *m, const uint16_t *symbols, size_t n)
{
    uint64_t factors[BG_MATCH_LENGTHS];
    for (int k = 0; k < BG_MATCH_LENGTHS; k++)
        factors[k] = power(lengths[k]);
    for (size_t i = 0; i < n; i++)
        push(m, symbols[i], factors);
}
