/* The index of a sequence's ends.  Which row a place gets is part of the model
 * format: docs/FORMAT.md.  For each length a table holds, for every end of that
 * length, the place behind its latest occurrence; ends are compared symbol by
 * symbol, so hashes and the size of the tables change nothing. */
#include "data/match.h"

#include <assert.h>
#include <string.h>

static const uint32_t lengths[BG_MATCH_LENGTHS] = { 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48 };

/* An entry is a place in its lower bits and bits of the end's hash above, which tell most other ends apart at once. */
enum { PLACE_BITS = 22, MIN_BITS = 4 };
static const uint32_t place_mask = (1u << PLACE_BITS) - 1;

/* Of a polynomial in the symbols, modulo 2^64. */
#define FACTOR 0xD1342543DE82EF95u
/* 2^64 divided by the golden ratio (Knuth, TAOCP 3, 6.4). */
#define SPREAD 0x9E3779B97F4A7C15u

static uint32_t bits_for(uint32_t limit)
{
    uint32_t bits = MIN_BITS;
    while ((uint64_t)1 << bits < 2 * (uint64_t)limit)
        bits++;
    return bits;
}

bg_status bg_match_open(bg_match *m, const bg_sys *sys, uint32_t capacity, bg_error *err)
{
    const size_t entries = (size_t)BG_MATCH_LENGTHS << bits_for(capacity);
    assert(capacity <= 1u << PLACE_BITS);
    *m = (bg_match){ .capacity = capacity, .sys = sys };
    m->symbols = bg_alloc(sys, capacity, sizeof *m->symbols);
    m->hash = bg_alloc(sys, (size_t)capacity + 1, sizeof *m->hash);
    m->latest = bg_alloc(sys, entries, sizeof *m->latest);
    if (!m->symbols || !m->hash || !m->latest) {
        bg_match_close(m);
        return bg_fail_memory(err, "the index of matches", entries * sizeof *m->latest);
    }
    for (uint32_t k = 0; k < BG_MATCH_LENGTHS; k++) {
        m->factor[k] = 1;
        for (uint32_t n = 0; n < lengths[k]; n++)
            m->factor[k] *= FACTOR;
    }
    return BG_OK;
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

void bg_match_reset(bg_match *m, uint32_t limit)
{
    assert(limit <= m->capacity);
    m->limit = limit;
    m->bits = bits_for(limit);
    m->hash[0] = 0;
    m->length = 0;
    m->row = BG_MATCH_NONE;
    memset(m->latest, 0, ((size_t)BG_MATCH_LENGTHS << m->bits) * sizeof *m->latest);
}

/* Are the n symbols in front of places a and b the same?  The last `same` of them are known to be. */
static int equal(const bg_match *m, uint32_t a, uint32_t b, uint32_t n, uint32_t same)
{
    return memcmp(m->symbols + a - n, m->symbols + b - n, (n - same) * sizeof *m->symbols) == 0;
}

/* What an end of length number k needs to be found. */
typedef struct probe { uint32_t n, first, tag; } probe;

static probe make_probe(const bg_match *m, uint32_t k)
{
    const uint64_t hash = (m->hash[m->length] - m->hash[m->length - lengths[k]] * m->factor[k]) * SPREAD;
    return (probe){ lengths[k], (uint32_t)(hash >> (64 - m->bits)), (uint32_t)(hash >> 16) & ~place_mask };
}

/* Where the end is, or belongs, in its table.  *before: a place where the end of length *same that belongs to it was found,
 * or 0; it is then the place where this one was found, or 0. */
static uint32_t *find(const bg_match *m, uint32_t *table, const probe *p, uint32_t *before, uint32_t same)
{
    uint32_t at = p->first;
    for (; table[at]; at = (at + 1) & ((1u << m->bits) - 1)) {
        const uint32_t place = table[at] & place_mask;
        if ((table[at] & ~place_mask) == p->tag && equal(m, place, m->length, p->n, place == *before ? same : 0)) {
            *before = place;
            return &table[at];
        }
    }
    *before = 0;
    return &table[at];
}

static void push(bg_match *m, uint16_t symbol)
{
    uint32_t before = 0;
    assert(m->length < m->limit);
    m->symbols[m->length] = symbol;
    m->hash[m->length + 1] = m->hash[m->length] * FACTOR + symbol + 1;
    m->row = BG_MATCH_NONE;
    if (++m->length == m->limit)
        return; /* nothing follows */
    for (uint32_t k = 0; k < BG_MATCH_LENGTHS && lengths[k] <= m->length; k++) {
        const probe p = make_probe(m, k);
        uint32_t *entry = find(m, m->latest + ((size_t)k << m->bits), &p, &before, k ? lengths[k - 1] : 0);
        if (before) /* a longer end that occurred is a better guess */
            m->row = (uint16_t)(k * BG_VOCAB + m->symbols[before]);
        *entry = m->length | p.tag;
    }
}

void bg_match_push(bg_match *m, const uint16_t *symbols, size_t n)
{
    for (size_t i = 0; i < n; i++)
        push(m, symbols[i]);
}
