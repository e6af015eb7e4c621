/* Linear layers on tiles: y = x W + b and dX = dY W^T, the same product.
 *
 * A block is 32 rows x 32 columns: four accumulator tiles, two of x, two of W.
 * Rows of x stay in L1 while W streams past them; the block's sums go to a
 * small scratch, and the epilogue of one block is worked off a few rows at a time between
 * the tile instructions of the next, so that vectors and tiles are busy together.
 * A block's part of the results is one line in each of 32 rows, which the processor does not
 * see coming: so these lines are asked for while the block's sums are still being made.
 * A row's sums run over k in one order whatever block the row falls in. */
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

/* A block whose sums are complete, and whose epilogue is done up to a row. */
typedef struct waiting_block {
    const tile_work *w;
    float *c;            /* NULL: none waits */
    size_t row, rows, done, panel;
} waiting_block;

/* The next `rows` rows of its epilogue, in the columns that exist. */
static void finish_some(waiting_block *b, size_t rows)
{
    const size_t left = count_vectors(b->w->N - b->panel * PANEL);
    if (rows > b->rows - b->done)
        rows = b->rows - b->done;
    if (rows == 0)
        return;
    finish_block(&b->w->end, b->c + b->done * PANEL, PANEL, b->row + b->done, rows, b->panel * PANEL, left < PANEL / VW ? left : PANEL / VW);
    b->done += rows;
}

static void finish_all(waiting_block *b)
{
    if (b->c)
        finish_some(b, b->rows);
    b->c = NULL;
}

/* Rows [row,row+rows) of a panel's results, and what the epilogue reads with them, on their way to L1. */
AI void expect_rows(const epilogue *e, size_t row, size_t rows, size_t n0)
{
    const int is_float = e->how == FINISH_RESIDUAL || e->how == FINISH_FLOAT;
    for (size_t r = row; r < row + rows; r++) {
        const size_t a = r * e->act_row + n0, f = r * e->float_row + n0;
        if (is_float) {
            __builtin_prefetch((float *)e->y + f, 1);
            __builtin_prefetch((float *)e->y + f + 16, 1);
            if (e->residual && e->residual != e->y) {
                __builtin_prefetch(e->residual + f);
                __builtin_prefetch(e->residual + f + 16);
            }
            continue;
        }
        __builtin_prefetch((act *)e->y + a, 1);
        if (e->aux && e->how == FINISH_SLOPE)
            __builtin_prefetch(e->aux + a);
        else if (e->aux)
            __builtin_prefetch(e->aux + a, 1);
        if (e->gelu)
            __builtin_prefetch(e->gelu + a, 1);
    }
}

/* What a block multiplies: 32 rows of x, one panel of W, both from step s on. */
typedef struct block_operands {
    const act *x, *w;
    size_t x_bytes, steps; /* between rows of x; of 32 k */
    int first, two;        /* the sums start here; there are more than 16 rows */
} block_operands;

/* Sums of a block, c (32,32).  Between the steps the waiting block is finished, and the lines that
 * this block's own epilogue needs are asked for, `share` rows of each at a time. */
AI void block_sums(bg_tiles *t, float *c, const block_operands *o, waiting_block *before, const waiting_block *next, const size_t share)
{
    const size_t row = PANEL * sizeof(float);
    const act *x = o->x, *w = o->w;
    size_t expected = 0;
    if (o->first) {
        tile_zero(t, 0);
        tile_zero(t, 1);
        tile_zero(t, 2);
        tile_zero(t, 3);
    } else {
        tile_load(t, 0, c, row);
        tile_load(t, 1, c + 16, row);
        if (o->two) {
            tile_load(t, 2, c + 16 * PANEL, row);
            tile_load(t, 3, c + 16 * PANEL + 16, row);
        }
    }
    for (size_t s = 0; s < o->steps; s++, x += STEP, w += STEP_SIZE) {
        tile_load(t, 4, x, o->x_bytes);
        tile_stream(t, 6, w, BG_TILE_BYTES);
        tile_dot(t, 0, 4, 6);
        tile_stream(t, 7, w + STEP_SIZE / 2, BG_TILE_BYTES);
        tile_dot(t, 1, 4, 7);
        if (o->two) {
            tile_load(t, 5, (const char *)x + 16 * o->x_bytes, o->x_bytes);
            tile_dot(t, 2, 5, 6);
            tile_dot(t, 3, 5, 7);
        }
        if (next && expected < next->rows) {
            expect_rows(&next->w->end, next->row + expected, next->rows - expected < share ? next->rows - expected : share, next->panel * PANEL);
            expected += share;
        }
        if (before->c)
            finish_some(before, share);
    }
    finish_all(before);
    tile_store(t, 0, c, row);
    tile_store(t, 1, c + 16, row);
    if (o->two) {
        tile_store(t, 2, c + 16 * PANEL, row);
        tile_store(t, 3, c + 16 * PANEL + 16, row);
    }
}

/* Rows of x that tiles can read whole: as they lie, or a copy behind the sums, filled up with zeros. */
static const act *whole_rows(const tile_work *w, float *spare, size_t row, size_t rows, size_t tile_rows, size_t *stride)
{
    const act *x = w->x + row * w->x_stride;
    const size_t steps = steps_of(w->K), full = rows > 16 ? BLOCK_ROWS : tile_rows;
    *stride = w->x_stride;
    if (rows == full && w->K % STEP == 0)
        return x;
    act *copy = (act *)spare;
    *stride = steps * STEP;
    memset(copy, 0, full * *stride * sizeof(act));
    for (size_t r = 0; r < rows; r++)
        memcpy(copy + r * *stride, x + r * w->x_stride, w->K * sizeof(act));
    return copy;
}

/* 32 (or fewer) rows times panels [p0,p1).  `before` waits from the rows before; the last block here is left waiting. */
static void row_block(const tile_work *w, bg_tiles *t, float *scratch, size_t row, size_t tile_rows, size_t p0, size_t p1, waiting_block *before)
{
    const size_t rows = w->R - row < BLOCK_ROWS ? w->R - row : BLOCK_ROWS, steps = steps_of(w->K);
    block_operands o = { .two = rows > 16 };
    size_t stride;
    const act *x = whole_rows(w, scratch + (p1 - p0) * BLOCK_SIZE, row, rows, tile_rows, &stride);
    o.x_bytes = stride * sizeof(act);
    for (size_t s = 0; s < steps; s += CHUNK_STEPS) {
        o.steps = steps - s < CHUNK_STEPS ? steps - s : CHUNK_STEPS;
        o.first = s == 0;
        o.x = x + s * STEP;
        const size_t share = (BLOCK_ROWS + o.steps - 1) / o.steps;
        for (size_t p = p0; p < p1; p++) {
            float *c = scratch + (p - p0) * BLOCK_SIZE;
            const waiting_block now = { w, c, row, rows, 0, p };
            o.w = w->packed + (p * steps + s) * STEP_SIZE;
            if (before->c == c) /* a task of one panel */
                finish_all(before);
            block_sums(t, c, &o, before, s + o.steps == steps ? &now : NULL, share);
            if (s + o.steps == steps)
                *before = now;
        }
    }
}

static void product_task(void *arg, size_t task, unsigned thread)
{
    const tile_work *w = arg;
    bg_tiles t;
    waiting_block before = { .c = NULL };
    const size_t p0 = task % w->column_tasks * w->column_panels;
    const size_t p1 = task_end(p0, w->column_panels, panels_of(w->N));
    const size_t begin = task / w->column_tasks * ROWS_PER_TASK, end = task_end(begin, ROWS_PER_TASK, w->R);
    const size_t tile_rows = w->R < BG_TILE_ROWS ? w->R : BG_TILE_ROWS;
    tile_begin(&t, (int)tile_rows);
    for (size_t row = begin; row < end; row += BLOCK_ROWS)
        row_block(w, &t, scratch_of(w->be, thread), row, tile_rows, p0, p1, &before);
    finish_all(&before);
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
