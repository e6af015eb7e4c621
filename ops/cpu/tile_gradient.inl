/* Weight gradients on tiles: dW += X^T dY.
 *
 * Rows are taken MC at a time.  The left operand is packed first, transposed:
 * [k/16][m/32] tiles of 16 k x 32 m, a panel of 32 columns a task.  Then a task takes one panel of 32
 * columns of the right operand, packs it for itself as pairs of rows, [m/32][two tiles], which stay in
 * its L1, and makes all 32 x 32 blocks of dW below it, or a group of them: their sums over the MC
 * rows are added to the gradient in place.  A bias gradient is summed by whoever packs its columns,
 * in row order.  The reduction over rows is never split over threads.
 *
 * What is read next lies in lines far apart: it is asked for between the tile instructions. */
enum {
    MC = 512 /* rows of a round: 32 KiB of a panel */
};

typedef struct gradient_work {
    bg_backend *be;
    const act *left, *right;   /* (R, left_columns), (R, right_columns) */
    size_t left_columns, right_columns, left_stride, right_stride;
    size_t row, rows;          /* of this round */
    act *left_packed;
    float *dw;                 /* (left_columns, right_columns) dense */
    float *db;                 /* column sums of the bias side, or NULL */
    int bias_left;             /* which side the bias belongs to */
    size_t groups, group;      /* of the left operand's panels: how many, panels of one */
} gradient_work;

AI size_t m_steps(const gradient_work *w) { return (w->rows + STEP - 1) / STEP; }

/* Sixteen columns of a row; rows and columns beyond the end are zero. */
AI vf load_columns(const act *x, size_t stride, size_t row, size_t rows, size_t c0, size_t columns)
{
    if (row >= rows || c0 >= columns)
        return vzero();
    const act *p = x + row * stride + c0;
    return columns - c0 >= 16 ? aload(p) : aload_part(p, columns - c0);
}

/* 16 columns of 32 rows from m on -> a tile; sums (16), if not NULL, gets their column sums added. */
AI void pack_tile(act *out, const act *x, size_t stride, size_t m, size_t rows, size_t c0, size_t columns, const int transpose, vf *sums)
{
    vf pairs[16];
    UNROLL for (size_t i = 0; i < 16; i++) {
        const vf a = load_columns(x, stride, m + 2 * i, rows, c0, columns);
        const vf b = load_columns(x, stride, m + 2 * i + 1, rows, c0, columns);
        if (sums) {
            *sums += a;
            *sums += b;
        }
        /* already bf16: no rounding needed, only the halves moved together */
        pairs[i] = (vf)((vu)a >> 16 | (vu)b);
    }
    if (transpose)
        vtranspose(pairs);
    memcpy(out, pairs, sizeof pairs);
}

/* 32 columns of all rows of the round, sixteen to out and sixteen to out + half, `step` apart from 32 rows to 32 rows. */
AI void pack_panel_rows(act *out, size_t half, size_t step, const act *x, size_t stride, size_t rows, size_t c0, size_t columns, const int transpose, vf *sums)
{
    for (size_t m = 0; m < rows; m += STEP, out += step) {
        for (size_t r = m + STEP; r < m + 2 * STEP && r < rows; r++)
            __builtin_prefetch(x + r * stride + c0);
        pack_tile(out, x, stride, m, rows, c0, columns, transpose, sums);
        pack_tile(out + half, x, stride, m, rows, c0 + 16, columns, transpose, sums ? sums + 1 : NULL);
    }
}

static void add_bias(const gradient_work *w, size_t c0, size_t columns, const vf *sums)
{
    float *db = w->db + c0;
    for (size_t i = 0; i < PANEL && c0 + i < columns; i++)
        db[i] += sums[i / 16][i % 16];
}

static void pack_left_task(void *arg, size_t task, unsigned thread)
{
    const gradient_work *w = arg;
    const size_t steps = m_steps(w), half = steps * (STEP_SIZE / 2), c0 = task * PANEL;
    const act *left = w->left + w->row * w->left_stride;
    act *out = w->left_packed + task * 2 * half;
    if (!w->db || !w->bias_left) {
        pack_panel_rows(out, half, STEP_SIZE / 2, left, w->left_stride, w->rows, c0, w->left_columns, 1, NULL);
        return;
    }
    vf sums[2] = { vzero(), vzero() };
    pack_panel_rows(out, half, STEP_SIZE / 2, left, w->left_stride, w->rows, c0, w->left_columns, 1, sums);
    add_bias(w, c0, w->left_columns, sums);
}

static void pack_right(const gradient_work *w, act *out, size_t c0, int with_bias)
{
    const act *right = w->right + w->row * w->right_stride;
    if (!with_bias) {
        pack_panel_rows(out, STEP_SIZE / 2, STEP_SIZE, right, w->right_stride, w->rows, c0, w->right_columns, 0, NULL);
        return;
    }
    vf sums[2] = { vzero(), vzero() };
    pack_panel_rows(out, STEP_SIZE / 2, STEP_SIZE, right, w->right_stride, w->rows, c0, w->right_columns, 0, sums);
    add_bias(w, c0, w->right_columns, sums);
}

/* Rows [from,to) of a block's sums are added to the gradient at (k0,n0). */
static void add_gradient(const gradient_work *w, const float *c, size_t k0, size_t n0, size_t from, size_t to)
{
    const size_t rows = w->left_columns - k0 < to ? w->left_columns - k0 : to;
    const size_t columns = w->right_columns - n0 < PANEL ? w->right_columns - n0 : PANEL;
    for (size_t r = from; r < rows; r++) {
        float *dw = w->dw + (k0 + r) * w->right_columns + n0;
        const float *sums = c + r * PANEL;
        if (columns == PANEL) {
            vstore(dw, vload(dw) + vload(sums));
            vstore(dw + 16, vload(dw + 16) + vload(sums + 16));
        } else {
            for (size_t i = 0; i < columns; i++)
                dw[i] += sums[i];
        }
    }
}

/* Lines of the gradient's rows [from,to) of the block at (k0,n0). */
AI void expect_gradient(const gradient_work *w, size_t k0, size_t n0, size_t from, size_t to)
{
    for (size_t r = from; r < to && k0 + r < w->left_columns; r++) {
        const float *dw = w->dw + (k0 + r) * w->right_columns + n0;
        __builtin_prefetch(dw, 1);
        __builtin_prefetch(dw + 16, 1);
    }
}

/* A task's place: its panel of the right operand, packed, and two blocks of sums in turn. */
typedef struct gradient_place {
    const gradient_work *w;
    act *right;
    float *sums;
    size_t n0, begin, end, steps; /* columns of dW from n0 on, panels [begin,end) of the left operand */
} gradient_place;

/* Lines of the next panel of the right operand, into L2: a share of them at step s of block p. */
AI void expect_right(const gradient_place *g, size_t p, size_t s)
{
    const gradient_work *w = g->w;
    const size_t all = (g->end - g->begin) * g->steps, now = (p - g->begin) * g->steps + s;
    if (g->n0 + PANEL >= w->right_columns)
        return;
    for (size_t r = now * w->rows / all; r < (now + 1) * w->rows / all; r++)
        __builtin_prefetch(w->right + (w->row + r) * w->right_stride + g->n0 + PANEL, 0, 2);
}

/* Sums over the round of the block of panel p; meanwhile those of panel p - 1 are added to the gradient. */
AI void gradient_block(bg_tiles *t, const gradient_place *g, size_t p)
{
    const size_t row = PANEL * sizeof(float), share = (PANEL + g->steps - 1) / g->steps;
    const act *left = g->w->left_packed + p * g->steps * STEP_SIZE, *right = g->right;
    const act *below = left + g->steps * (STEP_SIZE / 2);
    float *c = g->sums + (p - g->begin) % 2 * BLOCK_SIZE;
    const float *before = p > g->begin ? g->sums + (p - g->begin - 1) % 2 * BLOCK_SIZE : NULL;
    tile_zero(t, 0);
    tile_zero(t, 1);
    tile_zero(t, 2);
    tile_zero(t, 3);
    for (size_t s = 0; s < g->steps; s++, left += STEP_SIZE / 2, below += STEP_SIZE / 2, right += STEP_SIZE) {
        tile_stream(t, 4, left, BG_TILE_BYTES);
        tile_load(t, 6, right, BG_TILE_BYTES);
        tile_dot(t, 0, 4, 6);
        tile_load(t, 7, right + STEP_SIZE / 2, BG_TILE_BYTES);
        tile_dot(t, 1, 4, 7);
        tile_stream(t, 5, below, BG_TILE_BYTES);
        tile_dot(t, 2, 5, 6);
        tile_dot(t, 3, 5, 7);
        const size_t from = s * share, to = from + share < PANEL ? from + share : PANEL;
        expect_gradient(g->w, p * PANEL, g->n0, from, to);
        expect_right(g, p, s);
        if (before)
            add_gradient(g->w, before, (p - 1) * PANEL, g->n0, from, to);
    }
    tile_store(t, 0, c, row);
    tile_store(t, 1, c + 16, row);
    tile_store(t, 2, c + 16 * PANEL, row);
    tile_store(t, 3, c + 16 * PANEL + 16, row);
}

static void gradient_task(void *arg, size_t task, unsigned thread)
{
    const gradient_work *w = arg;
    const size_t group = task % w->groups, begin = group * w->group;
    float *scratch = scratch_of(w->be, thread);
    const gradient_place g = {
        .w = w, .sums = scratch, .right = (act *)(scratch + 2 * BLOCK_SIZE), .n0 = task / w->groups * PANEL,
        .begin = begin, .end = task_end(begin, w->group, panels_of(w->left_columns)), .steps = m_steps(w),
    };
    bg_tiles t;
    pack_right(w, g.right, g.n0, w->db && !w->bias_left && group == 0);
    tile_begin(&t, BG_TILE_ROWS);
    for (size_t p = g.begin; p < g.end; p++)
        gradient_block(&t, &g, p);
    tile_end(&t);
    add_gradient(w, g.sums + (g.end - 1 - g.begin) % 2 * BLOCK_SIZE, (g.end - 1) * PANEL, g.n0, 0, PANEL);
}

/* A task packs its panel once for all blocks it makes, so it should make many; but each thread should find some tasks. */
static void divide_left(gradient_work *w)
{
    const size_t left = panels_of(w->left_columns), wanted = 4 * (size_t)bg_pool_threads(w->be->pool);
    size_t groups = count_tasks(wanted, panels_of(w->right_columns));
    if (groups > left)
        groups = left;
    w->group = count_tasks(left, groups);
    w->groups = count_tasks(left, w->group);
}

static void run_gradient(gradient_work *w, size_t R)
{
    w->left_stride = act_stride(w->left_columns);
    w->right_stride = act_stride(w->right_columns);
    w->left_packed = (act *)shared_of(w->be);
    divide_left(w);
    for (w->row = 0; w->row < R; w->row += MC) {
        w->rows = R - w->row < MC ? R - w->row : MC;
        bg_pool_run(w->be->pool, pack_left_task, w, panels_of(w->left_columns));
        bg_pool_run(w->be->pool, gradient_task, w, w->groups * panels_of(w->right_columns));
    }
}

static void linear_back_weight(bg_backend *be, const bg_weight *w, const void *x, const void *dy, size_t R)
{
    gradient_work g = { .be = be, .dw = w->dw, .db = w->db, .bias_left = w->transposed };
    g.left = w->transposed ? dy : x;
    g.right = w->transposed ? x : dy;
    g.left_columns = w->transposed ? w->N : w->K;
    g.right_columns = w->transposed ? w->K : w->N;
    run_gradient(&g, R);
}

/* The left operand of a round, packed. */
static size_t gradient_shared(const bg_limits *limits) { return panels_of(limits->max_width) * PANEL * MC / 2; }

/* A panel of the right one, and two blocks of sums. */
static size_t gradient_scratch(void) { return 2 * BLOCK_SIZE + MC * PANEL / 2; }
