/* Causal attention, backward.  Nothing but the log-sum-exp of each row was
 * kept: with P = e^(S/8 - lse), dP = dO V^T and delta = dO . O per row,
 *   dS = P (dP - delta) / 8,  dQ = dS K,  dK = dS^T Q,  dV = P^T dO,
 * a block of query rows at a time; dK and dV grow from block to block in their
 * place in dqkv, in ascending order of rows.  With dropout, P in dV and dP carry the
 * mask and its scale. */

enum { BACK_ROWS = 48 }; /* queries of a block: eight tiles */

AI size_t attention_back_scratch(size_t longest)
{
    return 2 * transposed_floats(longest) + 2 * BACK_ROWS * score_row(longest) + panel_columns(longest) + DROP_COLUMNS;
}

typedef struct back_head {
    const attention_work *w;
    const float *q, *k, *v, *out, *dout; /* at the segment's first row and the head's first column */
    float *dq, *dk, *dv;
    float *keys, *values; /* K^T and V^T as panels */
    float *p, *ds, *mask; /* (BACK_ROWS, row) twice, (row) */
    size_t first, head, row;
} back_head;

/* Scores and dP of one row become P (with its mask) and dS, both exactly 0 beyond the row itself. */
static void score_gradient(const back_head *b, size_t at, float *p, float *ds, float delta, size_t end)
{
    const attention_work *w = b->w;
    vf lse = vset(w->lse[(b->first + at) * w->heads + b->head]), d = vset(delta);
    if (w->drop)
        mask_row(w->drop, b->mask, b->first + at, (uint32_t)b->head, at + 1);
    for (size_t j = 0; j < end; j += VW) {
        if (j > at) {
            vstore(p + j, vzero());
            vstore(ds + j, vzero());
            continue;
        }
        vi mine = vbelow(at + 1 - j < VW ? at + 1 - j : VW);
        vf prob = vselect(mine, vexp(vload(p + j) * ATTENTION_SCALE - lse), vzero());
        vf kept = w->drop ? vload(b->mask + j) : vset(1);
        vf slope = prob * (vload(ds + j) * kept - d) * ATTENTION_SCALE;
        vstore(p + j, prob * kept);
        vstore(ds + j, vselect(mine, slope, vzero()));
    }
}

AI float dot_head(const float *a, const float *b)
{
    vf sum = vzero();
    UNROLL for (int i = 0; i < BG_HEAD; i += VW)
        sum = vfma(vload(a + i), vload(b + i), sum);
    return vsum(sum);
}

static void back_block(const back_head *b, size_t at, size_t rows)
{
    const attention_work *w = b->w;
    size_t limit = at + rows, vectors = count_vectors(limit);
    const float *q = b->q + at * w->qkv_row, *dout = b->dout + at * w->out_row;
    small_product(rows, vectors, BG_HEAD, by_rows(q, w->qkv_row), packed_panels(b->keys), b->p, b->row, 0);
    small_product(rows, vectors, BG_HEAD, by_rows(dout, w->out_row), packed_panels(b->values), b->ds, b->row, 0);
    for (size_t r = 0; r < rows; r++) {
        float delta = dot_head(dout + r * w->out_row, b->out + (at + r) * w->out_row);
        score_gradient(b, at + r, b->p + r * b->row, b->ds + r * b->row, delta, vectors * VW);
    }
    small_product(rows, HEAD_VECTORS, limit, by_rows(b->ds, b->row), plain_panels(b->k, w->qkv_row), b->dq + at * w->qkv_row, w->qkv_row, 0);
    /* keys of earlier blocks have a sum already, those of this block start one */
    for (int old = 1; old >= 0; old--) {
        size_t from = old ? 0 : at, n = old ? at : rows;
        small_product(n, HEAD_VECTORS, rows, by_columns(b->p + from, b->row), plain_panels(dout, w->out_row), b->dv + from * w->qkv_row, w->qkv_row, old);
        small_product(n, HEAD_VECTORS, rows, by_columns(b->ds + from, b->row), plain_panels(q, w->qkv_row), b->dk + from * w->qkv_row, w->qkv_row, old);
    }
}

static void attention_back_head(const attention_work *w, size_t first, size_t length, size_t head, float *scratch)
{
    size_t column = head * BG_HEAD, in = first * w->qkv_row + column, out = first * w->out_row + column;
    back_head b = { .w = w, .first = first, .head = head, .row = score_row(length) };
    b.q = w->qkv + in;
    b.k = b.q + w->C;
    b.v = b.k + w->C;
    b.dq = w->dqkv + in;
    b.dk = b.dq + w->C;
    b.dv = b.dk + w->C;
    b.out = w->out_in + out;
    b.dout = w->dout + out;
    b.keys = scratch;
    b.values = b.keys + transposed_floats(length);
    b.p = b.values + transposed_floats(length);
    b.ds = b.p + BACK_ROWS * b.row;
    b.mask = b.ds + BACK_ROWS * b.row;
    pack_heads(b.keys, b.k, w->qkv_row, length);
    pack_heads(b.values, b.v, w->qkv_row, length);
    for (size_t r = 0; r < length; r += BACK_ROWS)
        back_block(&b, r, length - r < BACK_ROWS ? length - r : BACK_ROWS);
}

static void attention_back_task(void *arg, size_t task, unsigned thread) { each_head(arg, task, thread, attention_back_head); }

static void attention_back(bg_backend *be, void *dqkv, const void *dout, const void *out, const void *qkv, const float *lse, const bg_segments *s, size_t C, const bg_dropout *drop)
{
    attention_work w = {
        .be = be, .qkv = qkv, .out_in = out, .dout = dout, .dqkv = dqkv, .lse = (float *)(uintptr_t)lse,
        .s = s, .C = C, .drop = bg_drop_on(drop) ? drop : NULL,
    };
    run_attention(&w, attention_back_task);
}
