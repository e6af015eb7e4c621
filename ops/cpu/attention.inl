/* Causal attention, forward.
 *
 * For one (segment, head): K^T goes into panels, then six query rows at a
 * time: scores by the product kernel against all keys the last of the six may
 * see, softmax per row with later keys exactly 0, and the product with V,
 * which is read where it lies.  The division by the softmax's sum comes last, on 64
 * numbers instead of on all keys. */

/* sqrt(64) = 8 */
#define ATTENTION_SCALE 0.125f

enum {
    HEAD_VECTORS = BG_HEAD / VW,
    /* segments at most this long are bundled, all heads to one task, so that a
     * row's 3C values are used while they are in the cache */
    SHORT_SEGMENT = 64,
    BUNDLE_ROWS = 128
};

typedef struct attention_work {
    bg_backend *be;
    const act *qkv, *out_in, *dout; /* (R,3C), (R,C), (R,C) */
    act *out, *dqkv;                /* (R,C), (R,3C) */
    float *lse;                     /* (R,A) */
    const bg_segments *s;
    const bg_dropout *drop;
    const act *kv;                  /* (S*before,2C) in front of the segments */
    act *dkv;
    size_t before, kv_row, dkv_row; /* before: how many of each, 0 without */
    size_t C, heads, qkv_row, out_row, bundle; /* bundle: segments of a task, 0 = one (segment, head) */
} attention_work;

/* A head of a segment. */
typedef struct head_rows {
    size_t segment, first, length, head; /* rows [first, first + length) */
    size_t before; /* keys in front of them */
} head_rows;

AI void segment_at(const bg_segments *s, size_t i, size_t *first, size_t *length)
{
    *first = s->start ? s->start[i] : i * s->length;
    *length = s->start ? s->start[i + 1] - s->start[i] : s->length;
}

/* Scratch of both directions: keys (and values) as panels, rows of scores. */
AI size_t score_row(size_t longest) { return panel_columns(longest) + 16; }
AI size_t transposed_floats(size_t longest) { return panel_columns(longest) * BG_HEAD; }

AI size_t attention_scratch(size_t longest)
{
    return transposed_floats(longest) + TILE_MR * (score_row(longest) + DROP_COLUMNS + BG_HEAD) + head_spare(longest) + 2 * longest * BG_HEAD;
}

/* 64 columns of n rows of activations, widened into rows of 64 floats; and back. */
AI void widen_head(float *y, const act *x, size_t x_row, size_t n)
{
    for (size_t r = 0; r < n; r++)
        UNROLL for (int d = 0; d < BG_HEAD; d += VW)
            vstore(y + r * BG_HEAD + d, aload(x + r * x_row + d));
}

AI void narrow_head(act *y, size_t y_row, const float *x, size_t n)
{
    for (size_t r = 0; r < n; r++)
        UNROLL for (int d = 0; d < BG_HEAD; d += VW)
            astore(y + r * y_row + d, vload(x + r * BG_HEAD + d));
}

/* Keys (which = 0) or values (1) of a head as floats: those in front of the segment, then its own. */
AI float_rows keys_of(const attention_work *w, const head_rows *h, int which, float *spare)
{
    const act *own = w->qkv + h->first * w->qkv_row + (1 + which) * w->C + h->head * BG_HEAD;
    if (h->before == 0)
        return head_floats(own, w->qkv_row, h->length, spare);
    widen_head(spare, w->kv + h->segment * h->before * w->kv_row + which * w->C + h->head * BG_HEAD, w->kv_row, h->before);
    widen_head(spare + h->before * BG_HEAD, own, w->qkv_row, h->length);
    return (float_rows){ spare, BG_HEAD };
}

/* (n,64) rows as panels of the transpose, in whole vectors: columns beyond n are zeros. */
static void pack_heads(float *panels, const float *x, size_t x_row, size_t n)
{
    for (size_t i = 0; i < n; i += VW) {
        float *panel = panels + i / TILE_NR * TILE_NR * BG_HEAD + i % TILE_NR;
        for (size_t d = 0; d < BG_HEAD; d += VW) {
            vf t[VW];
            UNROLL for (int r = 0; r < VW; r++)
                t[r] = i + r < n ? vload(x + (i + r) * x_row + d) : vzero();
            vtranspose(t);
            UNROLL for (int r = 0; r < VW; r++)
                vstore(panel + (d + r) * TILE_NR, t[r]);
        }
    }
}

AI operand by_rows(const float *p, size_t row) { return (operand){ p, row, 1 }; }
AI operand by_columns(const float *p, size_t row) { return (operand){ p, 1, row }; }
/* A plain matrix as the second factor, and packed panels of depth 64. */
AI operand plain_panels(const float *p, size_t row) { return (operand){ p, TILE_NR, row }; }
AI operand packed_panels(const float *p) { return (operand){ p, (size_t)TILE_NR * BG_HEAD, TILE_NR }; }

/* The second factor as activations (panels `row` apart, their rows `k` apart), widened on the way:
 * the same sums in the same order as small_product's on floats. */
typedef struct act_operand { const act *p; size_t row, k; } act_operand;

typedef void act_tile_fn(size_t k, const float *a, size_t a_row, size_t a_k, const act *b, size_t b_k, float *c, size_t c_row);

AI void act_tile(const int mr, const int nv, size_t k, const float *a, size_t a_row, size_t a_k, const act *b, size_t b_k, float *c, size_t c_row)
{
    vf sum[TILE_MR][TILE_NV];
    UNROLL for (int r = 0; r < mr; r++)
        UNROLL for (int v = 0; v < nv; v++)
            sum[r][v] = vzero();
    for (; k > 0; k--) {
        vf row[TILE_NV];
        UNROLL for (int v = 0; v < nv; v++)
            row[v] = aload(b + v * VW);
        UNROLL for (int r = 0; r < mr; r++) {
            vf x = vset(a[(size_t)r * a_row]);
            UNROLL for (int v = 0; v < nv; v++)
                sum[r][v] = vfma(x, row[v], sum[r][v]);
        }
        a += a_k;
        b += b_k;
    }
    UNROLL for (int r = 0; r < mr; r++)
        UNROLL for (int v = 0; v < nv; v++)
            vstore(c + (size_t)r * c_row + v * VW, sum[r][v]);
}

#define ACT_TILE(mr, nv)                                                                                                \
    static void act_tile_##mr##_##nv(size_t k, const float *a, size_t a_row, size_t a_k, const act *b, size_t b_k,      \
                                     float *c, size_t c_row)                                                            \
    {                                                                                                                   \
        act_tile(mr, nv, k, a, a_row, a_k, b, b_k, c, c_row);                                                           \
    }
#define ACT_TILES(nv) ACT_TILE(1, nv) ACT_TILE(2, nv) ACT_TILE(3, nv) ACT_TILE(4, nv) ACT_TILE(5, nv) ACT_TILE(6, nv)
#define ACT_TILE_NAMES(nv) { act_tile_1_##nv, act_tile_2_##nv, act_tile_3_##nv, act_tile_4_##nv, act_tile_5_##nv, act_tile_6_##nv }

ACT_TILES(1)
ACT_TILES(2)
#if TILE_NV == 4
ACT_TILES(3)
ACT_TILES(4)
static act_tile_fn *const act_tiles[TILE_NV][TILE_MR] = { ACT_TILE_NAMES(1), ACT_TILE_NAMES(2), ACT_TILE_NAMES(3), ACT_TILE_NAMES(4) };
#else
static act_tile_fn *const act_tiles[TILE_NV][TILE_MR] = { ACT_TILE_NAMES(1), ACT_TILE_NAMES(2) };
#endif

static void act_product(size_t m, size_t vectors, size_t k, operand a, act_operand b, float *c, size_t c_row)
{
    for (size_t j = 0; j * TILE_NV < vectors; j++) {
        const size_t nv = vectors - j * TILE_NV < TILE_NV ? vectors - j * TILE_NV : TILE_NV;
        act_tiles[nv - 1][m - 1](k, a.p, a.row, a.k, b.p + j * b.row, b.k, c + j * TILE_NR, c_row);
    }
}

/* One block of mr <= 6 queries at position `at` of a sequence against its keys
 * 0 .. at + mr - 1.  Shared by attention() and attention_cached(), which so
 * give the same bits. */
typedef struct query_block {
    const float *q;
    operand keys, values;         /* floats, or, with `cached`, ... */
    act_operand kept_keys, kept_values;
    int cached;
    act *out;
    float *lse;
    size_t q_row, out_row, lse_row, at, mr;
    const bg_dropout *drop;
    uint64_t drop_row; /* of the first query */
    uint32_t head;
} query_block;

static void drop_scores(const query_block *b, float *p, size_t r, size_t n)
{
    float factor[DROP_COLUMNS];
    mask_maker m = mask_open(b->drop);
    for (size_t c = 0; c < n; c += DROP_COLUMNS) {
        mask_64(&m, factor, bg_drop_index(b->drop, b->drop_row + r), (b->head << BG_DROP_HEAD_SHIFT) + (uint32_t)(c / BG_DROP_GROUP));
        for (size_t i = 0; i < DROP_COLUMNS && c + i < n; i += VW)
            vstore(p + c + i, vload(p + c + i) * vload(factor + i));
    }
}

static void attend(const query_block *b, float *scores, size_t row, float *mixed)
{
    size_t limit = b->at + b->mr, vectors = count_vectors(limit);
    float inverse[TILE_MR];
    if (b->cached)
        act_product(b->mr, vectors, BG_HEAD, by_rows(b->q, b->q_row), b->kept_keys, scores, row);
    else
        small_product(b->mr, vectors, BG_HEAD, by_rows(b->q, b->q_row), b->keys, scores, row, 0);
    for (size_t r = 0; r < b->mr; r++) {
        float *p = scores + r * row;
        size_t n = b->at + r + 1;
        float max = row_max(p, n), sum = row_exp(p, n, max, ATTENTION_SCALE);
        inverse[r] = 1.0f / sum;
        if (b->lse)
            b->lse[r * b->lse_row] = max * ATTENTION_SCALE + logf(sum);
        if (b->drop)
            drop_scores(b, p, r, n);
        zero_from(p, count_vectors(n) * VW, vectors * VW);
    }
    if (b->cached)
        act_product(b->mr, HEAD_VECTORS, limit, by_rows(scores, row), b->kept_values, mixed, BG_HEAD);
    else
        small_product(b->mr, HEAD_VECTORS, limit, by_rows(scores, row), b->values, mixed, BG_HEAD, 0);
    for (size_t r = 0; r < b->mr; r++)
        for (size_t d = 0; d < BG_HEAD; d += VW)
            astore(b->out + r * b->out_row + d, vload(mixed + r * BG_HEAD + d) * inverse[r]);
}

static void attention_head(const attention_work *w, const head_rows *h, float *scratch)
{
    const size_t all = h->before + h->length, length = h->length;
    float *keys = scratch, *mixed = keys + transposed_floats(all), *scores = mixed + TILE_MR * BG_HEAD;
    float *spare = scores + TILE_MR * (score_row(all) + DROP_COLUMNS);
    const float_rows k = keys_of(w, h, 0, spare), v = keys_of(w, h, 1, spare + all * BG_HEAD);
    const float_rows q = head_floats(w->qkv + h->first * w->qkv_row + h->head * BG_HEAD, w->qkv_row, length, spare + 2 * all * BG_HEAD);
    pack_heads(keys, k.p, k.row, all);
    query_block b = {
        .keys = packed_panels(keys), .values = plain_panels(v.p, v.row),
        .q_row = q.row, .out_row = w->out_row, .lse_row = w->heads, .drop = w->drop, .head = (uint32_t)h->head,
    };
    for (size_t r = 0; r < length; r += b.mr) {
        b.at = h->before + r;
        b.mr = tile_rows(length - r);
        b.q = q.p + r * q.row;
        b.out = w->out + (h->first + r) * w->out_row + h->head * BG_HEAD;
        b.lse = w->lse ? w->lse + (h->first + r) * w->heads + h->head : NULL;
        b.drop_row = h->first + r;
        attend(&b, scores, score_row(all), mixed);
    }
}

/* Run `fn` for every (segment, head) of a task. */
typedef void head_fn(const attention_work *w, const head_rows *h, float *scratch);

AI void each_head(const attention_work *w, size_t task, unsigned thread, head_fn *fn)
{
    float *scratch = scratch_of(w->be, thread);
    head_rows h = { .before = w->before };
    if (w->bundle == 0) {
        h.segment = task / w->heads;
        h.head = task % w->heads;
        segment_at(w->s, h.segment, &h.first, &h.length);
        fn(w, &h, scratch);
        return;
    }
    size_t begin = task * w->bundle, end = task_end(begin, w->bundle, w->s->S);
    for (h.segment = begin; h.segment < end; h.segment++) {
        segment_at(w->s, h.segment, &h.first, &h.length);
        for (h.head = 0; h.head < w->heads; h.head++)
            fn(w, &h, scratch);
    }
}

static void run_attention(attention_work *w, const bg_prefix *before, bg_task *task)
{
    size_t longest = w->s->start ? w->s->longest : w->s->length;
    if (before) {
        w->before = before->length;
        w->kv = before->kv;
        w->dkv = before->dkv;
        w->kv_row = before->kv_row;
        w->dkv_row = before->dkv_row;
    }
    assert(w->before + longest <= ((bg_cpu *)w->be)->limits.max_segment);
    w->bundle = longest <= SHORT_SEGMENT ? BUNDLE_ROWS / (longest ? longest : 1) : 0;
    w->heads = w->C / BG_HEAD;
    w->qkv_row = act_stride(3 * w->C);
    w->out_row = act_stride(w->C);
    bg_pool_run(w->be->pool, task, w, w->bundle ? count_tasks(w->s->S, w->bundle) : w->s->S * w->heads);
}

static void attention_task(void *arg, size_t task, unsigned thread) { each_head(arg, task, thread, attention_head); }

static void attention(bg_backend *be, void *out, float *lse, const void *qkv, const bg_segments *s, const bg_prefix *before, size_t C, const bg_dropout *drop)
{
    attention_work w = { .be = be, .qkv = qkv, .out = out, .lse = lse, .s = s, .C = C, .drop = bg_drop_on(drop) ? drop : NULL };
    run_attention(&w, before, attention_task);
}
