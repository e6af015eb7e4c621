/* Linear layers on tiles: y = x W + b and dX = dY W^T, the same product.
 *
 * A block is 32 rows x 32 columns: four accumulator tiles, two of x, two of W.
 * Rows of x stay in L1 while W streams past them; the block's sums go to a
 * small scratch, and the epilogue of one block is written behind the tile
 * instructions of the next, which take few slots of the reorder window: so
 * the two overlap.  A row's sums run over k in one order whatever block the
 * row falls in. */
enum {
    BLOCK_ROWS = 32,
    BLOCK_SIZE = BLOCK_ROWS * PANEL,   /* floats of a block's sums */
    CHUNK_STEPS = 512 / STEP,          /* k worked through at once: 32 rows of it are 32 KiB, in L1 */
    W_BYTES = 768 << 10,               /* of W used by a task before the next rows: in L2 */
    ROWS_PER_TASK = 256,
    MAX_PANELS = 16                    /* of a task: 64 KiB of sums */
};

typedef struct tile_work {
    const act *x, *packed;
    epilogue end;
    size_t R, K, N, x_stride, column_panels, column_tasks;
    bg_backend *be;
} tile_work;

/* Sums of a block over `steps` steps.  c (32,32): started from zero or continued. */
AI void block_sums(bg_tiles *t, float *c, const act *x, size_t x_bytes, const act *w, size_t steps, int first, int two)
{
    const size_t row = PANEL * sizeof(float);
    if (first) {
        tile_zero(t, 0);
        tile_zero(t, 1);
        tile_zero(t, 2);
        tile_zero(t, 3);
    } else {
        tile_load(t, 0, c, row);
        tile_load(t, 1, c + 16, row);
        if (two) {
            tile_load(t, 2, c + 16 * PANEL, row);
            tile_load(t, 3, c + 16 * PANEL + 16, row);
        }
    }
    for (size_t s = 0; s < steps; s++, x += STEP, w += STEP_SIZE) {
        tile_load(t, 4, x, x_bytes);
        tile_stream(t, 6, w, BG_TILE_BYTES);
        tile_dot(t, 0, 4, 6);
        tile_stream(t, 7, w + STEP_SIZE / 2, BG_TILE_BYTES);
        tile_dot(t, 1, 4, 7);
        if (two) {
            tile_load(t, 5, (const char *)x + 16 * x_bytes, x_bytes);
            tile_dot(t, 2, 5, 6);
            tile_dot(t, 3, 5, 7);
        }
    }
    tile_store(t, 0, c, row);
    tile_store(t, 1, c + 16, row);
    if (two) {
        tile_store(t, 2, c + 16 * PANEL, row);
        tile_store(t, 3, c + 16 * PANEL + 16, row);
    }
}

/* Block `panel` of these rows has its sums: the columns of it that exist. */
static void finish_sums(const tile_work *w, float *c, size_t row, size_t rows, size_t panel)
{
    const size_t left = count_vectors(w->N - panel * PANEL);
    finish_block(&w->end, c, PANEL, row, rows, panel * PANEL, left < PANEL / VW ? left : PANEL / VW);
}

/* 32 (or fewer) rows times panels [p0,p1). */
static void row_block(const tile_work *w, bg_tiles *t, float *scratch, size_t row, size_t p0, size_t p1)
{
    const size_t rows = w->R - row < BLOCK_ROWS ? w->R - row : BLOCK_ROWS, steps = steps_of(w->K);
    const int two = rows > 16;
    const act *x = w->x + row * w->x_stride;
    size_t x_row = w->x_stride;
    if (rows < BLOCK_ROWS || w->K % STEP != 0) { /* tiles are read whole: fill up with zeros, behind the sums */
        act *copy = (act *)(scratch + (p1 - p0) * BLOCK_SIZE);
        x_row = steps * STEP;
        memset(copy, 0, BLOCK_ROWS * x_row * sizeof(act));
        for (size_t r = 0; r < rows; r++)
            memcpy(copy + r * x_row, x + r * w->x_stride, w->K * sizeof(act));
        x = copy;
    }
    for (size_t s = 0; s < steps; s += CHUNK_STEPS) {
        const size_t n = steps - s < CHUNK_STEPS ? steps - s : CHUNK_STEPS;
        for (size_t p = p0; p < p1; p++) {
            const act *panel = w->packed + (p * steps + s) * STEP_SIZE;
            block_sums(t, scratch + (p - p0) * BLOCK_SIZE, x + s * STEP, x_row * sizeof(act), panel, n, s == 0, two);
            if (s + n == steps && p > p0)
                finish_sums(w, scratch + (p - 1 - p0) * BLOCK_SIZE, row, rows, p - 1);
        }
    }
    finish_sums(w, scratch + (p1 - 1 - p0) * BLOCK_SIZE, row, rows, p1 - 1);
}

static void product_task(void *arg, size_t task, unsigned thread)
{
    const tile_work *w = arg;
    bg_tiles t;
    const size_t p0 = task % w->column_tasks * w->column_panels;
    const size_t p1 = task_end(p0, w->column_panels, panels_of(w->N));
    const size_t begin = task / w->column_tasks * ROWS_PER_TASK, end = task_end(begin, ROWS_PER_TASK, w->R);
    tile_begin(&t);
    for (size_t row = begin; row < end; row += BLOCK_ROWS)
        row_block(w, &t, scratch_of(w->be, thread), row, p0, p1);
    tile_end(&t);
}

/* Panels a task takes: what fits in L2 and keeps a block's sums small; with
 * few rows (generation) small pieces, so that all threads have some. */
static size_t panels_per_task(size_t R, size_t K, size_t N)
{
    size_t panels = W_BYTES / (steps_of(K) * STEP_SIZE * sizeof(act));
    const size_t few = R <= ROWS_PER_TASK ? 4 : MAX_PANELS;
    if (panels > few)
        panels = few;
    return panels ? panels : 1;
}

static void run_product(tile_work *w)
{
    w->x_stride = act_stride(w->K);
    w->column_panels = panels_per_task(w->R, w->K, w->N);
    w->column_tasks = count_tasks(panels_of(w->N), w->column_panels);
    bg_pool_run(w->be->pool, product_task, w, w->column_tasks * count_tasks(w->R, ROWS_PER_TASK));
}

/* Sums of the panels of a task, and a copy of 32 rows. */
static size_t product_scratch(const bg_limits *limits)
{
    return MAX_PANELS * BLOCK_SIZE + BLOCK_ROWS * steps_of(limits->max_width) * STEP / 2 + 64;
}

static void linear(bg_backend *be, void *y, void *aux, const void *x, const bg_weight *w, bg_epilogue e, size_t R, const bg_dropout *drop)
{
    if (w->form == BG_WEIGHTS_INT8) {
        int8_linear(be, y, aux, x, w, e, R, drop);
        return;
    }
    const packed_weight *p = w->packed;
    tile_work t = { .x = x, .packed = p->forward, .end = epilogue_of(y, aux, p->bias, e, w->N, drop), .R = R, .K = w->K, .N = w->N, .be = be };
    run_product(&t);
}

static void linear_back_input(bg_backend *be, void *dx, const void *dy, const void *z, void *g, const bg_weight *w, size_t R)
{
    const packed_weight *p = w->packed;
    tile_work t = { .x = dy, .packed = p->backward, .end = epilogue_back(dx, z, g, w->K), .R = R, .K = w->N, .N = w->K, .be = be };
    run_product(&t);
}
