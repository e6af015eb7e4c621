/* Causal attention, backward.  Nothing but the log-sum-exp of each row was
 * kept: with P = e^(S/8 - lse), dP = dO V^T and delta = dO . O per row,
 *   dS = P (dP - delta) / 8,  dQ = dS K,  dK = dS^T Q,  dV = P^T dO,
 * a block of query rows at a time; dK and dV grow from block to block in their
 * place in dqkv, in ascending order of rows.  With dropout, P in dV and dP carry the
 * mask and its scale. */

enum { BACK_ROWS = 48 }; /* queries of a block: eight tiles */

AI size_t attention_back_scratch(size_t longest)
{
    return 2 * transposed_floats(longest) + 2 * BACK_ROWS * score_row(longest) + panel_columns(longest) + DROP_COLUMNS + 3 * head_spare(longest) + 4 * longest * BG_HEAD;
}

typedef struct back_head {
    const attention_work *w;
    float_rows q, k, v, dout; /* at the segment's first row and the head's first column */
    const act *out;       /* likewise */
    float *dq, *dk, *dv;
    size_t dq_row, dk_row; /* strides: of dq; of the other two */
    float *keys, *values; /* K^T and V^T as panels */
    float *p, *ds, *mask; /* (BACK_ROWS, row) twice, (row) */
    size_t first, head, row;
    size_t before;        /* keys in front of the segment's */
} back_head;

/* Scores and dP of the segment's row `at` become P (with its mask) and dS, both exactly 0 beyond the row itself. */
static void score_gradient(const back_head *b, size_t at, float *p, float *ds, float delta, size_t end)
{
    const attention_work *w = b->w;
    const size_t last = b->before + at;
    vf lse = vset(w->lse[(b->first + at) * w->heads + b->head]), d = vset(delta);
    if (w->drop)
        mask_row(w->drop, b->mask, b->first + at, (uint32_t)b->head, last + 1);
    for (size_t j = 0; j < end; j += VW) {
        if (j > last) {
            vstore(p + j, vzero());
            vstore(ds + j, vzero());
            continue;
        }
        vi mine = vbelow(last + 1 - j < VW ? last + 1 - j : VW);
        vf prob = vselect(mine, vexp(vload(p + j) * ATTENTION_SCALE - lse), vzero());
        vf kept = w->drop ? vload(b->mask + j) : vset(1);
        vf slope = prob * (vload(ds + j) * kept - d) * ATTENTION_SCALE;
        vstore(p + j, prob * kept);
        vstore(ds + j, vselect(mine, slope, vzero()));
    }
}

AI float dot_head(const float *a, const act *b)
{
    vf sum = vzero();
    UNROLL for (int i = 0; i < BG_HEAD; i += VW)
        sum = vfma(vload(a + i), aload(b + i), sum);
    return vsum(sum);
}

static void back_block(const back_head *b, size_t at, size_t rows)
{
    const attention_work *w = b->w;
    size_t limit = b->before + at + rows, vectors = count_vectors(limit), known = at ? b->before + at : 0;
    const float *q = b->q.p + at * b->q.row, *dout = b->dout.p + at * b->dout.row;
    small_product(rows, vectors, BG_HEAD, by_rows(q, b->q.row), packed_panels(b->keys), b->p, b->row, 0);
    small_product(rows, vectors, BG_HEAD, by_rows(dout, b->dout.row), packed_panels(b->values), b->ds, b->row, 0);
    for (size_t r = 0; r < rows; r++) {
        float delta = dot_head(dout + r * b->dout.row, b->out + (at + r) * w->out_row);
        score_gradient(b, at + r, b->p + r * b->row, b->ds + r * b->row, delta, vectors * VW);
    }
    small_product(rows, HEAD_VECTORS, limit, by_rows(b->ds, b->row), plain_panels(b->k.p, b->k.row), b->dq + at * b->dq_row, b->dq_row, 0);
    /* keys of earlier blocks have a sum already, those of this block start one */
    for (int old = 1; old >= 0; old--) {
        size_t from = old ? 0 : known, n = old ? known : limit - known;
        small_product(n, HEAD_VECTORS, rows, by_columns(b->p + from, b->row), plain_panels(dout, b->dout.row), b->dv + from * b->dk_row, b->dk_row, old);
        small_product(n, HEAD_VECTORS, rows, by_columns(b->ds + from, b->row), plain_panels(q, b->q.row), b->dk + from * b->dk_row, b->dk_row, old);
    }
}

/* Gradients of keys (which = 0) or values (1): where they are computed, ... */
AI float *dkeys_place(back_head *b, const head_rows *h, int which, float *spare)
{
    const attention_work *w = b->w;
    if (h->before == 0)
        return head_result(w->dqkv + h->first * w->qkv_row + (1 + which) * w->C + h->head * BG_HEAD, &b->dk_row, spare);
    b->dk_row = BG_HEAD;
    return spare;
}

/* ... and brought from there to where they belong. */
AI void dkeys_done(const back_head *b, const head_rows *h, int which, const float *d)
{
    const attention_work *w = b->w;
    act *own = w->dqkv + h->first * w->qkv_row + (1 + which) * w->C + h->head * BG_HEAD;
    if (h->before == 0) {
        head_done(own, w->qkv_row, d, h->length);
        return;
    }
    narrow_head(w->dkv + h->segment * h->before * w->dkv_row + which * w->C + h->head * BG_HEAD, w->dkv_row, d, h->before);
    narrow_head(own, w->qkv_row, d + h->before * BG_HEAD, h->length);
}

static void attention_back_head(const attention_work *w, const head_rows *h, float *scratch)
{
    const size_t length = h->length, all = h->before + length, column = h->head * BG_HEAD, out = h->first * w->out_row + column;
    const size_t spare_one = head_spare(length), spare_all = all * BG_HEAD;
    act *dq = w->dqkv + h->first * w->qkv_row + column;
    back_head b = { .w = w, .first = h->first, .head = h->head, .row = score_row(all), .before = h->before, .dq_row = w->qkv_row, .dk_row = w->qkv_row };
    float *spare = scratch;
    b.q = head_floats(w->qkv + h->first * w->qkv_row + column, w->qkv_row, length, spare);
    b.dout = head_floats(w->dout + out, w->out_row, length, spare += spare_one);
    b.dq = head_result(dq, &b.dq_row, spare += spare_one);
    b.k = keys_of(w, h, 0, spare += spare_one);
    b.v = keys_of(w, h, 1, spare += spare_all);
    b.dk = dkeys_place(&b, h, 0, spare += spare_all);
    b.dv = dkeys_place(&b, h, 1, spare += spare_all);
    b.out = w->out_in + out;
    b.keys = spare + spare_all;
    b.values = b.keys + transposed_floats(all);
    b.p = b.values + transposed_floats(all);
    b.ds = b.p + BACK_ROWS * b.row;
    b.mask = b.ds + BACK_ROWS * b.row;
    pack_heads(b.keys, b.k.p, b.k.row, all);
    pack_heads(b.values, b.v.p, b.v.row, all);
    for (size_t r = 0; r < length; r += BACK_ROWS)
        back_block(&b, r, length - r < BACK_ROWS ? length - r : BACK_ROWS);
    head_done(dq, w->qkv_row, b.dq, length);
    dkeys_done(&b, h, 0, b.dk);
    dkeys_done(&b, h, 1, b.dv);
}

static void attention_back_task(void *arg, size_t task, unsigned thread) { each_head(arg, task, thread, attention_back_head); }

static void attention_back(bg_backend *be, void *dqkv, const void *dout, const void *out, const void *qkv, const float *lse, const bg_segments *s, const bg_prefix *before, size_t C, const bg_dropout *drop)
{
    attention_work w = {
        .be = be, .qkv = qkv, .out_in = out, .dout = dout, .dqkv = dqkv, .lse = (float *)(uintptr_t)lse,
        .s = s, .C = C, .drop = bg_drop_on(drop) ? drop : NULL,
    };
    run_attention(&w, before, attention_back_task);
}
