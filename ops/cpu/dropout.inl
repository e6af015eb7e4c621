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

/* One round on VW/2 blocks.  Only the low halves of c mean anything; the
 * products ignore the high ones. */
AI void philox_round(vl c[4], uint32_t k0, uint32_t k1)
{
    vl p0 = vmul_low(c[0], 0xD2511F53u), p1 = vmul_low(c[2], 0xCD9E8D57u);
    c[0] = (p1 >> 32) ^ c[1] ^ k0;
    c[1] = p1;
    c[2] = (p0 >> 32) ^ c[3] ^ k1;
    c[3] = p0;
}

/* Factors of the 64 columns whose first Philox block is `block`. */
static void mask_64(const mask_maker *m, float factor[DROP_COLUMNS], uint64_t index, uint32_t block)
{
    uint64_t words[2][DROP_COLUMNS / BG_DROP_GROUP]; /* 0, 1 and 2, 3 of each block */
    uint16_t halves[DROP_COLUMNS];
    for (uint32_t first = 0; first < 8; first += VW / 2) {
        vl c[4], lane = { 0 };
        UNROLL for (uint32_t i = 0; i < VW / 2; i++)
            lane[i] = first + i;
        c[0] = lane + block;
        c[1] = m->stream - (vl){ 0 };
        c[2] = (uint32_t)index - (vl){ 0 };
        c[3] = (index >> 32) - (vl){ 0 };
        uint32_t k0 = (uint32_t)m->seed, k1 = (uint32_t)(m->seed >> 32);
        UNROLL for (int round = 0; round < 10; round++) {
            philox_round(c, k0, k1);
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        vl low = (c[0] & 0xFFFFFFFFu) | c[1] << 32, high = (c[2] & 0xFFFFFFFFu) | c[3] << 32;
        memcpy(words[0] + first, &low, sizeof low);
        memcpy(words[1] + first, &high, sizeof high);
    }
    for (int i = 0; i < 8; i++) {
        memcpy(halves + 8 * i, &words[0][i], 8); /* little-endian: the low half comes first */
        memcpy(halves + 8 * i + 4, &words[1][i], 8);
    }
    uint32_t threshold = m->threshold; /* locals: factor might alias *m */
    float scale = m->scale;
    for (int i = 0; i < DROP_COLUMNS; i++)
        factor[i] = halves[i] < threshold ? 0.0f : scale;
}

/* Factors of columns [0, n) of a row, in whole sixty-fours; n bounds what is read. */
static void mask_row(const bg_dropout *d, float *factor, uint64_t row, uint32_t head, size_t n)
{
    mask_maker m = mask_open(d);
    for (size_t c = 0; c < n; c += DROP_COLUMNS)
        mask_64(&m, factor + c, bg_drop_index(d, row), (head << BG_DROP_HEAD_SHIFT) + (uint32_t)(c / BG_DROP_GROUP));
}

typedef struct dropout_work {
    float *x;
    size_t stride, R, C, per_task;
    const bg_dropout *drop;
} dropout_work;

static void dropout_task(void *arg, size_t task, unsigned thread)
{
    const dropout_work *w = arg;
    const mask_maker m = mask_open(w->drop);
    float factor[DROP_COLUMNS];
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++)
        for (size_t c = 0; c < w->C; c += DROP_COLUMNS) {
            float *x = w->x + r * w->stride + c;
            mask_64(&m, factor, bg_drop_index(w->drop, r), (uint32_t)(c / BG_DROP_GROUP));
            for (size_t i = 0; i < DROP_COLUMNS && c + i < w->C; i += VW)
                vstore(x + i, vload(x + i) * vload(factor + i));
        }
}

static void dropout(bg_backend *be, float *x, size_t R, size_t C, const bg_dropout *drop)
{
    if (!bg_drop_on(drop))
        return;
    dropout_work w = { .x = x, .stride = float_stride(C), .R = R, .C = C, .drop = drop, .per_task = rows_per_task(C) };
    bg_pool_run(be->pool, dropout_task, &w, count_tasks(R, w.per_task));
}
