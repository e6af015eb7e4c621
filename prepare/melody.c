/* See melody.h. */
#include "prepare/melody.h"

#include <stdlib.h>
#include <string.h>

enum { GRAM = 8, COMMON = 500 };

static uint64_t mix(uint64_t h, uint64_t value) /* FNV-1a's step on words, stirred */
{
    h = (h ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static int compare_grams(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static size_t sort_unique(uint32_t *grams, size_t n)
{
    size_t kept = 0;
    if (n)
        qsort(grams, n, sizeof *grams, compare_grams);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || grams[i] != grams[kept - 1])
            grams[kept++] = grams[i];
    return kept;
}

bg_status melody_make(melody *m, const abc_tune *t, const bg_sys *sys, bg_error *err)
{
    const abc_note *notes = t->notes;
    const size_t steps = t->note_count ? t->note_count - 1 : 0;
    *m = (melody){ .key = mix(0, t->note_count) };
    if (steps >= GRAM && !(m->grams = bg_alloc(sys, steps, sizeof *m->grams)))
        return bg_fail_memory(err, "a melody", steps * sizeof *m->grams);
    for (size_t i = 0; i < t->note_count; i++)
        m->key = mix(mix(m->key, i ? (uint64_t)(notes[i].step - notes[i - 1].step + 256) : 0), (uint64_t)notes[i].top << 16 | notes[i].bottom);
    for (size_t i = GRAM; i <= steps; i++) {
        uint64_t h = 1;
        for (size_t k = i - GRAM + 1; k <= i; k++)
            h = mix(h, (uint64_t)(notes[k].step - notes[k - 1].step + 256));
        m->grams[m->count++] = (uint32_t)(h >> 32);
    }
    m->count = sort_unique(m->grams, m->count);
    return BG_OK;
}

void melody_free(melody *m, const bg_sys *sys)
{
    bg_free(sys, m->grams);
    *m = (melody){ 0 };
}

/* --- the same -------------------------------------------------------------------------------- */

typedef struct keyed { uint64_t key; size_t index; } keyed;

static int compare_keys(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->index > y->index) - (x->index < y->index);
}

static bg_status find_twins(const melody *m, size_t count, size_t *twin, const bg_sys *sys, bg_error *err)
{
    keyed *sorted = bg_alloc(sys, count + 1, sizeof *sorted);
    if (!sorted)
        return bg_fail_memory(err, "the melodies' keys", count * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = (keyed){ m[i].key, i };
    qsort(sorted, count, sizeof *sorted, compare_keys);
    for (size_t i = 0; i < count; i++)
        twin[sorted[i].index] = i && sorted[i].key == sorted[i - 1].key ? twin[sorted[i - 1].index] : sorted[i].index;
    bg_free(sys, sorted);
    return BG_OK;
}

/* --- alike ----------------------------------------------------------------------------------- */

typedef struct posting { uint32_t gram, melody; } posting;

/* Which melodies hold a gram: sorted by gram, then by melody. */
typedef struct gram_index {
    posting *postings;
    size_t count;
    uint32_t *useful;  /* (melodies) grams that count */
    uint32_t *shared;  /* (melodies) with the one that is being compared; 0 between two */
    uint32_t *touched; /* (melodies) */
    uint32_t *root;    /* (melodies) union-find */
} gram_index;

static int compare_postings(const void *a, const void *b)
{
    const posting *x = a, *y = b;
    return x->gram != y->gram ? (x->gram > y->gram) - (x->gram < y->gram) : (x->melody > y->melody) - (x->melody < y->melody);
}

static uint32_t root_of(uint32_t *root, uint32_t i)
{
    while (root[i] != i)
        i = root[i] = root[root[i]];
    return i;
}

static const posting *first_of(const gram_index *x, uint32_t gram)
{
    size_t low = 0, high = x->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (x->postings[middle].gram < gram)
            low = middle + 1;
        else
            high = middle;
    }
    return x->postings + low;
}

/* Grams of more than COMMON melodies are taken out. */
static void drop_common(gram_index *x)
{
    size_t kept = 0;
    for (size_t i = 0, n; i < x->count; i += n) {
        for (n = 1; i + n < x->count && x->postings[i + n].gram == x->postings[i].gram;)
            n++;
        for (size_t k = 0; k < n && n <= COMMON; k++) {
            x->postings[kept++] = x->postings[i + k];
            x->useful[x->postings[kept - 1].melody]++;
        }
    }
    x->count = kept;
}

static void join_alike(gram_index *x, const melody *m, uint32_t i)
{
    size_t touched = 0;
    for (size_t g = 0; g < m[i].count; g++)
        for (const posting *p = first_of(x, m[i].grams[g]); p < x->postings + x->count && p->gram == m[i].grams[g] && p->melody < i; p++)
            if (x->shared[p->melody]++ == 0)
                x->touched[touched++] = p->melody;
    for (size_t k = 0; k < touched; k++) {
        const uint32_t j = x->touched[k], all = x->useful[i] + x->useful[j] - x->shared[j];
        if (2 * x->shared[j] >= all)
            x->root[root_of(x->root, i)] = root_of(x->root, j);
        x->shared[j] = 0;
    }
}

static bg_status index_open(gram_index *x, const melody *m, size_t count, const bg_sys *sys, bg_error *err)
{
    size_t grams = 0;
    for (size_t i = 0; i < count; i++)
        grams += m[i].count;
    *x = (gram_index){ .postings = bg_alloc(sys, grams + 1, sizeof *x->postings), .useful = bg_alloc_zero(sys, count + 1, sizeof *x->useful),
                  .shared = bg_alloc_zero(sys, count + 1, sizeof *x->shared), .touched = bg_alloc(sys, count + 1, sizeof *x->touched),
                  .root = bg_alloc(sys, count + 1, sizeof *x->root) };
    if (!x->postings || !x->useful || !x->shared || !x->touched || !x->root)
        return bg_fail_memory(err, "the index of the melodies", grams * sizeof *x->postings);
    for (size_t i = 0; i < count; i++) {
        x->root[i] = (uint32_t)i;
        for (size_t g = 0; g < m[i].count; g++)
            x->postings[x->count++] = (posting){ m[i].grams[g], (uint32_t)i };
    }
    qsort(x->postings, x->count, sizeof *x->postings, compare_postings);
    drop_common(x);
    return BG_OK;
}

static void index_close(gram_index *x, const bg_sys *sys)
{
    bg_free(sys, x->root);
    bg_free(sys, x->touched);
    bg_free(sys, x->shared);
    bg_free(sys, x->useful);
    bg_free(sys, x->postings);
}

bg_status melody_groups(const melody *m, size_t count, size_t *twin, uint64_t *group, const bg_sys *sys, bg_error *err)
{
    gram_index x;
    if (count >= UINT32_MAX)
        return bg_fail(err, BG_ERR_FAILED, "%zu tunes are more than can be compared", count);
    BG_TRY(find_twins(m, count, twin, sys, err));
    bg_status s = index_open(&x, m, count, sys, err);
    for (size_t i = 0; i < count && s == BG_OK; i++) {
        join_alike(&x, m, (uint32_t)i);
        x.root[root_of(x.root, (uint32_t)i)] = root_of(x.root, (uint32_t)twin[i]);
    }
    for (size_t i = 0; i < count && s == BG_OK; i++)
        group[i] = UINT64_MAX;
    for (size_t i = 0; i < count && s == BG_OK; i++) {
        uint64_t *least = &group[root_of(x.root, (uint32_t)i)];
        *least = m[i].key < *least ? m[i].key : *least;
    }
    for (size_t i = 0; i < count && s == BG_OK; i++)
        group[i] = group[root_of(x.root, (uint32_t)i)]; /* a root's own stays what it is */
    index_close(&x, sys);
    return s;
}
