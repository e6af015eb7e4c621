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

/* The distances in places of the rows r - 1, r - 2, ... that reach row r -> distance; how many they are. */
AI uint32_t rows_behind(const convolve_work *w, size_t r, uint32_t *distance)
{
    const uint32_t *pos = w->pos;
    uint32_t n = 0;
    while (n < w->taps && n < r && pos[r - n - 1] < pos[r - n] && pos[r] - pos[r - n - 1] <= w->taps) {
        distance[n] = pos[r] - pos[r - n - 1];
        n++;
    }
    return n;
}

/* Likewise of the rows r + 1, r + 2, ... that row r reaches. */
AI uint32_t rows_ahead(const convolve_work *w, size_t r, uint32_t *distance)
{
    const uint32_t *pos = w->pos;
    uint32_t n = 0;
    while (n < w->taps && n + 1 < w->R - r && pos[r + n + 1] > pos[r + n] && pos[r + n + 1] - pos[r] <= w->taps) {
        distance[n] = pos[r + n + 1] - pos[r];
        n++;
    }
    return n;
}

/* y = x + the rows other[0..n), each by the weights of its distance. */
AI void convolve_row(const convolve_work *w, act *y, const act *x, const act *const *other, const uint32_t *distance, uint32_t n)
{
    for (size_t c = 0; c < w->C; c += VW) {
        vf sum = aload(x + c);
        for (uint32_t i = 0; i < n; i++)
            sum += vload(w->w + (distance[i] - 1) * w->C + c) * aload(other[i] + c);
        astore(y + c, sum);
    }
}

static void convolve_task(void *arg, size_t task, unsigned thread)
{
    const convolve_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        uint32_t distance[BG_MAX_TAPS];
        const act *other[BG_MAX_TAPS], *x = w->x + r * w->row;
        const uint32_t n = rows_behind(w, r, distance);
        for (uint32_t i = 0; i < n; i++)
            other[i] = x - (i + 1) * w->row;
        convolve_row(w, w->y + r * w->row, x, other, distance, n);
    }
}

static void convolve(bg_backend *be, void *y, const void *x, const float *weights, uint32_t taps, const uint32_t *pos, size_t R, size_t C)
{
    convolve_work w = { .y = y, .x = x, .w = weights, .pos = pos, .R = R, .C = C, .row = act_stride(C), .per_task = rows_per_task(C), .taps = taps };
    bg_pool_run(be->pool, convolve_task, &w, count_tasks(R, w.per_task));
}

static void convolve_input_task(void *arg, size_t task, unsigned thread)
{
    const convolve_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        uint32_t distance[BG_MAX_TAPS];
        const act *other[BG_MAX_TAPS], *dy = w->dy + r * w->row;
        const uint32_t n = rows_ahead(w, r, distance);
        for (uint32_t i = 0; i < n; i++)
            other[i] = dy + (i + 1) * w->row;
        convolve_row(w, w->y + r * w->row, dy, other, distance, n);
    }
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
            uint32_t distance[BG_MAX_TAPS];
            const act *x = w->x + r * w->row + column, *dy = w->dy + r * w->row + column;
            const uint32_t n = rows_behind(w, r, distance);
            for (uint32_t i = 0; i < n; i++)
                for (size_t v = 0; v < VECTORS; v++)
                    sum[distance[i] - 1][v] += aload(dy + v * VW) * aload(x - (i + 1) * w->row + v * VW);
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
    bg_pool_run(be->pool, convolve_input_task, &w, count_tasks(R, w.per_task));
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
        uint32_t distance[BG_MAX_TAPS];
        const act *other[BG_MAX_TAPS];
        const uint32_t n = w->pos[r] < w->taps ? w->pos[r] : w->taps;
        for (uint32_t i = 0; i < n; i++) {
            distance[i] = i + 1;
            other[i] = ring_row(w, r, i + 1);
        }
        convolve_row(w, w->y + r * w->row, w->x + r * w->row, other, distance, n);
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
