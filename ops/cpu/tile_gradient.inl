/* Weight gradients on tiles: dW += X^T dY.
 *
 * Rows are taken MC at a time.  Both operands are packed first, by columns (a
 * task has all rows of its columns, so bias gradients are summed in row order
 * there): the left one transposed, [k/16][m/32] tiles of 16 k x 32 m; the right one as
 * pairs of rows, [n/32][m/32][two tiles].  Then every 32 x 32 block of dW is a task's own:
 * its sums over the MC rows are added to the gradient in place.  The
 * reduction over rows is never split over threads. */
enum {
    MC = 1024,                 /* rows of a round: 64 KiB of each operand's panel */
    BLOCK_GROUP = 8            /* 32-column panels of the left operand in a task */
};

typedef struct gradient_work {
    bg_backend *be;
    const act *left, *right;   /* (R, left_columns), (R, right_columns) */
    size_t left_columns, right_columns, left_stride, right_stride;
    size_t row, rows;          /* of this round */
    act *left_packed, *right_packed;
    float *dw;                 /* (left_columns, right_columns) dense */
    float *db;                 /* column sums of the bias side, or NULL */
    int bias_left;             /* which side the bias belongs to */
    size_t groups;
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

/* 16 columns of all rows of the round -> tiles; sums (16), if not NULL, gets their column sums added. */
AI void pack_columns(act *out, size_t out_step, const act *x, size_t stride, size_t rows, size_t c0, size_t columns, const int transpose, vf *sums)
{
    for (size_t m = 0; m < rows; m += STEP, out += out_step) {
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
}

static void add_bias(const gradient_work *w, size_t c0, size_t columns, vf sums)
{
    const size_t n = columns - c0 < 16 ? columns - c0 : 16;
    float *db = w->db + c0;
    for (size_t i = 0; i < n; i++)
        db[i] += sums[i];
}

/* Tasks: first the left operand's columns by sixteens, then the right one's. */
static void pack_operands_task(void *arg, size_t task, unsigned thread)
{
    const gradient_work *w = arg;
    const size_t left_tasks = 2 * panels_of(w->left_columns), steps = m_steps(w);
    const int is_left = task < left_tasks;
    vf sums = vzero();
    if (is_left) {
        act *out = w->left_packed + task * steps * (STEP_SIZE / 2);
        const act *left = w->left + w->row * w->left_stride;
        if (!w->db || !w->bias_left || task * 16 >= w->left_columns) {
            pack_columns(out, STEP_SIZE / 2, left, w->left_stride, w->rows, task * 16, w->left_columns, 1, NULL);
            return;
        }
        pack_columns(out, STEP_SIZE / 2, left, w->left_stride, w->rows, task * 16, w->left_columns, 1, &sums);
        add_bias(w, task * 16, w->left_columns, sums);
        return;
    }
    task -= left_tasks;
    act *out = w->right_packed + (task / 2 * steps * 2 + task % 2) * (STEP_SIZE / 2);
    pack_columns(out, STEP_SIZE, w->right + w->row * w->right_stride, w->right_stride, w->rows, task * 16, w->right_columns, 0, &sums);
    if (w->db && !w->bias_left && task * 16 < w->right_columns)
        add_bias(w, task * 16, w->right_columns, sums);
}

/* c (32,32) = sums over the round of a 32 x 32 block. */
AI void gradient_block(bg_tiles *t, float *c, const act *left, const act *right, size_t steps)
{
    const size_t row = PANEL * sizeof(float);
    const act *below = left + steps * (STEP_SIZE / 2);
    tile_zero(t, 0);
    tile_zero(t, 1);
    tile_zero(t, 2);
    tile_zero(t, 3);
    for (size_t s = 0; s < steps; s++, left += STEP_SIZE / 2, below += STEP_SIZE / 2, right += STEP_SIZE) {
        tile_stream(t, 4, left, BG_TILE_BYTES);
        tile_load(t, 6, right, BG_TILE_BYTES);
        tile_dot(t, 0, 4, 6);
        tile_load(t, 7, right + STEP_SIZE / 2, BG_TILE_BYTES);
        tile_dot(t, 1, 4, 7);
        tile_stream(t, 5, below, BG_TILE_BYTES);
        tile_dot(t, 2, 5, 6);
        tile_dot(t, 3, 5, 7);
    }
    tile_store(t, 0, c, row);
    tile_store(t, 1, c + 16, row);
    tile_store(t, 2, c + 16 * PANEL, row);
    tile_store(t, 3, c + 16 * PANEL + 16, row);
}

static void add_gradient(const gradient_work *w, const float *c, size_t k0, size_t n0)
{
    const size_t rows = w->left_columns - k0 < 32 ? w->left_columns - k0 : 32;
    const size_t columns = w->right_columns - n0 < 32 ? w->right_columns - n0 : 32;
    for (size_t r = 0; r < rows; r++, c += PANEL) {
        float *dw = w->dw + (k0 + r) * w->right_columns + n0;
        if (columns == 32) {
            vstore(dw, vload(dw) + vload(c));
            vstore(dw + 16, vload(dw + 16) + vload(c + 16));
        } else {
            for (size_t i = 0; i < columns; i++)
                dw[i] += c[i];
        }
    }
}

/* A task: one panel of the right operand, a group of panels of the left one. */
static void gradient_task(void *arg, size_t task, unsigned thread)
{
    const gradient_work *w = arg;
    const size_t steps = m_steps(w), n0 = task / w->groups * PANEL, all = panels_of(w->left_columns);
    const size_t begin = task % w->groups * BLOCK_GROUP, end = task_end(begin, BLOCK_GROUP, all);
    const act *right = w->right_packed + n0 / PANEL * steps * STEP_SIZE;
    float *c = scratch_of(w->be, thread);
    bg_tiles t;
    tile_begin(&t);
    for (size_t p = begin; p < end; p++) {
        /* two scratch blocks in turn: one is added to the gradient while the next is being summed */
        float *now = c + (p - begin) % 2 * BLOCK_SIZE, *before = c + (p - begin + 1) % 2 * BLOCK_SIZE;
        gradient_block(&t, now, w->left_packed + p * steps * STEP_SIZE, right, steps);
        if (p > begin)
            add_gradient(w, before, (p - 1) * PANEL, n0);
    }
    add_gradient(w, c + (end - 1 - begin) % 2 * BLOCK_SIZE, (end - 1) * PANEL, n0);
    tile_end(&t);
}

static void run_gradient(gradient_work *w, size_t R)
{
    w->left_stride = act_stride(w->left_columns);
    w->right_stride = act_stride(w->right_columns);
    w->left_packed = (act *)shared_of(w->be);
    w->right_packed = w->left_packed + panels_of(w->left_columns) * PANEL * MC;
    w->groups = count_tasks(panels_of(w->left_columns), BLOCK_GROUP);
    for (w->row = 0; w->row < R; w->row += MC) {
        w->rows = R - w->row < MC ? R - w->row : MC;
        bg_pool_run(w->be->pool, pack_operands_task, w, 2 * (panels_of(w->left_columns) + panels_of(w->right_columns)));
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

/* Both operands of a round, packed; no operand is wider than max_width. */
static size_t gradient_shared(const bg_limits *limits)
{
    return 2 * (panels_of(limits->max_width) * PANEL * MC) / 2;
}
