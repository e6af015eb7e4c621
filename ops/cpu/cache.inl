/* Attention over a key/value cache, for generation.
 *
 * Layout, in activations: for each slot and head K^T in panels, as attention() packs
 * them, but no wider than the cache is long, (panels, 64, width), then V (length, 64).  The values are
 * those that attention() reads, summed in its order, so the bits agree. */

typedef struct cache_work {
    bg_backend *be;
    const act *qkv;
    act *out;
    act *cache;
    const uint32_t *slot, *pos;
    size_t R, C, length, qkv_row, out_row, per_task; /* per_task: heads, or what is put of each slot */
} cache_work;

/* Columns of a panel of keys: whole vectors. */
AI size_t cache_width(size_t length)
{
    const size_t columns = count_vectors(length) * VW;
    return columns < TILE_NR ? columns : TILE_NR;
}

AI size_t cache_key_acts(size_t length) { return (length + cache_width(length) - 1) / cache_width(length) * cache_width(length) * BG_HEAD; }
AI size_t cache_head_acts(size_t length) { return cache_key_acts(length) + length * BG_HEAD; }

static size_t cache_bytes(bg_backend *be, size_t slots, size_t length, size_t C)
{
    return slots * (C / BG_HEAD) * cache_head_acts(length) * sizeof(act);
}

AI act *cache_keys(const cache_work *w, size_t r, size_t head)
{
    return w->cache + (w->slot[r] * (w->C / BG_HEAD) + head) * cache_head_acts(w->length);
}

/* One key and its value, at position `at` of row r's slot. */
static void cache_write(const cache_work *w, size_t r, size_t head, size_t at, const act *k, const act *v)
{
    act *keys = cache_keys(w, r, head), *values = keys + cache_key_acts(w->length);
    const size_t width = cache_width(w->length);
    assert(at < w->length);
    act *column = keys + at / width * width * BG_HEAD + at % width;
    for (size_t d = 0; d < BG_HEAD; d++)
        column[d * width] = k[d];
    memcpy(values + at * BG_HEAD, v, BG_HEAD * sizeof(act));
}

static void cache_append(const cache_work *w, size_t r, size_t head)
{
    const act *k = w->qkv + r * w->qkv_row + w->C + head * BG_HEAD;
    cache_write(w, r, head, w->pos[r], k, k + w->C);
}

/* Rows from r on that follow each other in one slot make one block of queries. */
static size_t run_of_rows(const cache_work *w, size_t r)
{
    size_t n = 1;
    while (n < TILE_MR && r + n < w->R && w->slot[r + n] == w->slot[r] && w->pos[r + n] == w->pos[r] + n)
        n++;
    return n;
}

/* All rows of one head: no head looks at another's cache, so appending needs no
 * barrier before attending. */
static void cache_head(const cache_work *w, size_t head, unsigned thread)
{
    float *mixed = scratch_of(w->be, thread), *spare = mixed + TILE_MR * BG_HEAD, *scores = spare + TILE_MR * BG_HEAD;
    for (size_t r = 0; r < w->R; r++)
        cache_append(w, r, head);
    for (size_t r = 0, n; r < w->R; r += n) {
        n = run_of_rows(w, r);
        const act *keys = cache_keys(w, r, head);
        const size_t width = cache_width(w->length);
        const float_rows q = head_floats(w->qkv + r * w->qkv_row + head * BG_HEAD, w->qkv_row, n, spare);
        query_block b = {
            .q = q.p, .q_row = q.row,
            .cached = 1, .kept_keys = { keys, width * BG_HEAD, width }, .kept_values = { keys + cache_key_acts(w->length), TILE_NR, BG_HEAD },
            .out = w->out + r * w->out_row + head * BG_HEAD, .out_row = w->out_row, .at = w->pos[r], .mr = n,
        };
        attend(&b, scores, score_row(w->length), mixed);
    }
}

static void cache_task(void *arg, size_t task, unsigned thread)
{
    const cache_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->C / BG_HEAD);
    for (size_t head = begin; head < end; head++)
        cache_head(w, head, thread);
}

/* Heads of a task: one, or as many as make a task worth handing out (about 1000 keys, some
 * microseconds); a byte's step has a few keys in all. */
static size_t heads_per_task(const uint32_t *pos, size_t R)
{
    size_t keys = 0;
    for (size_t r = 0; r < R; r++)
        keys += pos[r] + 8;
    return keys < 1000 ? 1000 / keys : 1;
}

static void attention_cached(bg_backend *be, void *out, const void *qkv, void *cache, size_t slots, size_t length, const uint32_t *slot, const uint32_t *pos, size_t R, size_t C)
{
    assert(length <= ((bg_cpu *)be)->limits.max_segment);
    if (R == 0)
        return;
    cache_work w = {
        .be = be, .qkv = qkv, .out = out, .cache = cache, .slot = slot, .pos = pos,
        .R = R, .C = C, .length = length, .qkv_row = act_stride(3 * C), .out_row = act_stride(C),
        .per_task = heads_per_task(pos, R),
    };
    bg_pool_run(be->pool, cache_task, &w, count_tasks(C / BG_HEAD, w.per_task));
}

static void cache_put_task(void *arg, size_t head, unsigned thread)
{
    const cache_work *w = arg;
    for (size_t r = 0; r < w->R; r++)
        for (size_t at = 0; at < w->per_task; at++) {
            const act *k = w->qkv + (r * w->per_task + at) * w->qkv_row + head * BG_HEAD;
            cache_write(w, r, head, at, k, k + w->C);
        }
}

static void cache_put(bg_backend *be, void *cache, size_t slots, size_t length, const uint32_t *slot, size_t n, const void *kv, size_t kv_row, size_t L, size_t C)
{
    cache_work w = { .be = be, .qkv = kv, .cache = cache, .slot = slot, .R = n, .C = C, .length = length, .qkv_row = kv_row, .per_task = L };
    bg_pool_run(be->pool, cache_put_task, &w, C / BG_HEAD);
}
