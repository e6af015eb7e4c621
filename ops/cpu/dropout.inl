/* Dropout masks as ops/dropout.h defines them, eight Philox blocks side by
 * side, and the op that applies one. */

enum { DROP_COLUMNS = 64 }; /* made at once: eight blocks of eight columns */

/* The masks of one dropout: what is the same for all its rows. */
typedef struct mask_maker {
    uint64_t seed;
    uint32_t stream, threshold;
    float scale;
} mask_maker;

AI mask_maker mask_open(const bg_dropout *d)
{
    return (mask_maker){ .seed = d->seed, .stream = bg_drop_stream(d), .threshold = bg_drop_threshold(d), .scale = bg_drop_scale(d) };
}

/* Factors of the 64 columns whose first Philox block is `block`. */
static void mask_64(const mask_maker *m, float factor[DROP_COLUMNS], uint64_t index, uint32_t block)
{
    uint32_t k0 = (uint32_t)m->seed, k1 = (uint32_t)(m->seed >> 32);
    uint32_t c0[8], c1[8], c2[8], c3[8];
    for (uint32_t i = 0; i < 8; i++) {
        c0[i] = block + i;
        c1[i] = m->stream;
        c2[i] = (uint32_t)index;
        c3[i] = (uint32_t)(index >> 32);
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 8; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)p1;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 8; i++) {
        const uint32_t word[4] = { c0[i], c1[i], c2[i], c3[i] };
        for (int h = 0; h < 8; h++)
            factor[8 * i + h] = (word[h / 2] >> (h % 2 * 16) & 0xFFFF) < m->threshold ? 0.0f : m->scale;
    }
}

/* Factors of columns [0, n) of a row, in whole sixty-fours; n bounds what is read. */
static void mask_row(const bg_dropout *d, float *factor, uint64_t row, uint32_t head, size_t n)
{
    mask_maker m = mask_open(d);
    for (size_t c = 0; c < n; c += DROP_COLUMNS)
        mask_64(&m, factor + c, bg_drop_index(d, row), (head << BG_DROP_HEAD_SHIFT) + (uint32_t)(c / BG_DROP_GROUP));
}

typedef struct dropout_work {
    float *y;
    const float *x;
    size_t y_stride, x_stride, R, C, per_task;
    const bg_dropout *drop;
} dropout_work;

static void dropout_task(void *arg, size_t task, unsigned thread)
{
    const dropout_work *w = arg;
    mask_maker m = mask_open(w->drop);
    float factor[DROP_COLUMNS];
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        for (size_t c = 0; c < w->C; c += DROP_COLUMNS) {
            mask_64(&m, factor, bg_drop_index(w->drop, r), (uint32_t)(c / BG_DROP_GROUP));
            for (size_t i = 0; i < DROP_COLUMNS && c + i < w->C; i += VW)
                vstore(w->y + r * w->y_stride + c + i, vload(w->x + r * w->x_stride + c + i) * vload(factor + i));
        }
    }
}

static void drop_rows(bg_backend *be, dropout_work *w)
{
    w->per_task = rows_per_task(w->C);
    bg_pool_run(be->pool, dropout_task, w, count_tasks(w->R, w->per_task));
}

static void dropout(bg_backend *be, float *x, size_t R, size_t C, const bg_dropout *drop)
{
    if (!bg_drop_on(drop))
        return;
    dropout_work w = { .y = x, .x = x, .y_stride = float_stride(C), .x_stride = float_stride(C), .R = R, .C = C, .drop = drop };
    drop_rows(be, &w);
}

/* fp32 activations have the layout of the residual stream: without dropout
 * its gradient can be used as it is. */
static const void *residual_back(bg_backend *be, void *dy, const float *dres, size_t R, size_t C, const bg_dropout *drop)
{
    if (!bg_drop_on(drop))
        return dres;
    dropout_work w = { .y = dy, .x = dres, .y_stride = act_stride(C), .x_stride = float_stride(C), .R = R, .C = C, .drop = drop };
    drop_rows(be, &w);
    return dy;
}
