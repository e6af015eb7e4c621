/* A causal convolution of each column by itself: a row gets, weighed, the rows of its segment that stand up to
 * `taps` places in front of it.  The rows of a segment have ascending places, of which some may be left out. */
enum { CONVOLVE_ROWS = 64, CONVOLVE_COLUMNS = BG_HEAD };

typedef struct convolve_work {
    act *y, *ring;
    const act *x, *dy;
    const float *w;
    float *dw;
    const uint32_t *slot, *pos;
    size_t R, C, row, per_task, ring_rows;
    uint32_t taps;
} convolve_work;

/* Rows beside a row in its segment, from the nearest on; distance: in places. */
typedef struct near_rows { uint32_t n, distance[BG_MAX_TAPS]; } near_rows;

/* Of row r: r - 1, r - 2, ... (back), else r + 1, r + 2, ..., as far as the convolution reaches. */
AI near_rows find_near(const convolve_work *w, size_t r, int back)
{
    const size_t rows = back ? r : w->R - 1 - r;
    near_rows near = { 0 };
    for (size_t i = 1; i <= w->taps && i <= rows; i++) {
        const uint32_t *at = w->pos + (back ? r - i : r + i);
        const uint32_t early = back ? at[0] : at[-1], late = back ? at[1] : at[0]; /* of two neighbours */
        const uint32_t distance = back ? w->pos[r] - early : late - w->pos[r];
        if (early >= late || distance > w->taps)
            break;
        near.distance[near.n++] = distance;
    }
    return near;
}

/* y = x + the rows other[0..n), each by the weights of its distance. */
AI void convolve_row(const convolve_work *w, act *y, const act *x, const act *const *other, const near_rows *near)
{
    for (size_t c = 0; c < w->C; c += VW) {
        vf sum = aload(x + c);
        for (uint32_t i = 0; i < near->n; i++)
            sum += vload(w->w + (near->distance[i] - 1) * w->C + c) * aload(other[i] + c);
        astore(y + c, sum);
    }
}

/* Forward a row gets those in front of it, backward its gradient those that it went into. */
static void convolve_task(void *arg, size_t task, unsigned thread)
{
    const convolve_work *w = arg;
    const act *from = w->dy ? w->dy : w->x;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        const near_rows near = find_near(w, r, !w->dy);
        const act *other[BG_MAX_TAPS];
        for (uint32_t i = 0; i < near.n; i++)
            other[i] = from + (w->dy ? r + i + 1 : r - i - 1) * w->row;
        convolve_row(w, w->y + r * w->row, from + r * w->row, other, &near);
    }
}

static void convolve(bg_backend *be, void *y, const void *x, const float *weights, uint32_t taps, const uint32_t *pos, size_t R, size_t C)
{
    convolve_work w = { .y = y, .x = x, .w = weights, .pos = pos, .R = R, .C = C, .row = act_stride(C), .per_task = rows_per_task(C), .taps = taps };
    bg_pool_run(be->pool, convolve_task, &w, count_tasks(R, w.per_task));
}

/* Sums over rows: by blocks of CONVOLVE_ROWS, the blocks in order; a task has columns of its own. */
static void convolve_weights_task(void *arg, size_t task, unsigned thread)
{
    enum { VECTORS = CONVOLVE_COLUMNS / VW };
    const convolve_work *w = arg;
    const size_t column = task * CONVOLVE_COLUMNS;
    for (size_t first = 0; first < w->R; first += CONVOLVE_ROWS) {
        const size_t end = task_end(first, CONVOLVE_ROWS, w->R);
        vf sum[BG_MAX_TAPS][VECTORS];
        for (uint32_t i = 0; i < w->taps; i++)
            for (size_t v = 0; v < VECTORS; v++)
                sum[i][v] = vzero();
        for (size_t r = first; r < end; r++) {
            const act *x = w->x + r * w->row + column, *dy = w->dy + r * w->row + column;
            const near_rows near = find_near(w, r, 1);
            for (uint32_t i = 0; i < near.n; i++)
                for (size_t v = 0; v < VECTORS; v++)
                    sum[near.distance[i] - 1][v] += aload(dy + v * VW) * aload(x - (i + 1) * w->row + v * VW);
        }
        for (uint32_t i = 0; i < w->taps; i++)
            for (size_t v = 0; v < VECTORS; v++) {
                float *to = w->dw + i * w->C + column + v * VW;
                vstore(to, vload(to) + sum[i][v]);
            }
    }
}

static void convolve_back(bg_backend *be, void *dx, float *dweights, const void *dy, const void *x, const float *weights, uint32_t taps, const uint32_t *pos, size_t R, size_t C)
{
    convolve_work w = {
        .y = dx, .x = x, .dy = dy, .w = weights, .dw = dweights, .pos = pos,
        .R = R, .C = C, .row = act_stride(C), .per_task = rows_per_task(C), .taps = taps,
    };
    bg_pool_run(be->pool, convolve_task, &w, count_tasks(R, w.per_task));
    bg_pool_run(be->pool, convolve_weights_task, &w, C / CONVOLVE_COLUMNS);
}

AI act *ring_row(const convolve_work *w, size_t r, uint32_t back)
{
    return w->ring + (w->slot[r] * w->ring_rows + (w->pos[r] - back) % w->ring_rows) * w->row;
}

static void convolve_keep_task(void *arg, size_t task, unsigned thread)
{
    const convolve_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++)
        memcpy(ring_row(w, r, 0), w->x + r * w->row, w->C * sizeof(act));
}

static void convolve_cached_task(void *arg, size_t task, unsigned thread)
{
    const convolve_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        near_rows near = { .n = w->pos[r] < w->taps ? w->pos[r] : w->taps };
        const act *other[BG_MAX_TAPS];
        for (uint32_t i = 0; i < near.n; i++) {
            near.distance[i] = i + 1;
            other[i] = ring_row(w, r, i + 1);
        }
        convolve_row(w, w->y + r * w->row, w->x + r * w->row, other, &near);
    }
}

static void convolve_cached(bg_backend *be, void *y, const void *x, void *ring, size_t ring_rows, const float *weights, uint32_t taps, const uint32_t *slot, const uint32_t *pos, size_t R, size_t C)
{
    convolve_work w = {
        .y = y, .ring = ring, .x = x, .w = weights, .slot = slot, .pos = pos,
        .R = R, .C = C, .row = act_stride(C), .per_task = rows_per_task(C), .ring_rows = ring_rows, .taps = taps,
    };
    bg_pool_run(be->pool, convolve_keep_task, &w, count_tasks(R, w.per_task));
    bg_pool_run(be->pool, convolve_cached_task, &w, count_tasks(R, w.per_task));
}
