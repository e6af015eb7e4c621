/* LayerNorm, forward and backward. */

#define LAYERNORM_EPS 1e-5f

/* The vector at column i of a row of n columns, zeros beyond. */
AI vf row_vector(const float *p, size_t i, size_t n) { return i + VW <= n ? vload(p + i) : vload_part(p + i, n - i); }

AI vf row_activation(const act *p, size_t i, size_t n)
{
    vf v = aload(p + i); /* rows of activations are padded */
    return i + VW <= n ? v : vselect(vbelow(n - i), v, vzero());
}

typedef struct norm_work {
    act *y;
    float *mean, *rstd;
    const float *x, *g, *b;
    size_t R, C, x_row, y_row, per_task;
} norm_work;

/* Two passes over a row that is in the first-level cache: mean, then the
 * squares around it, which loses nothing when the mean is large. */
static void normalize_row(const norm_work *w, size_t r)
{
    const float *x = w->x + r * w->x_row;
    act *y = w->y + r * w->y_row;
    size_t C = w->C;
    vf sum = vzero(), squares = vzero();
    for (size_t i = 0; i < C; i += VW)
        sum += row_vector(x, i, C);
    float mean = vsum(sum) / (float)C;
    for (size_t i = 0; i < C; i += VW) {
        vf d = row_vector(x, i, C) - mean;
        if (i + VW > C)
            d = vselect(vbelow(C - i), d, vzero());
        squares = vfma(d, d, squares);
    }
    float rstd = 1.0f / sqrtf(vsum(squares) / (float)C + LAYERNORM_EPS);
    for (size_t i = 0; i < C; i += VW)
        astore(y + i, vfma((row_vector(x, i, C) - mean) * rstd, row_vector(w->g, i, C), row_vector(w->b, i, C)));
    if (w->mean)
        w->mean[r] = mean;
    if (w->rstd)
        w->rstd[r] = rstd;
}

static void layernorm_task(void *arg, size_t task, unsigned thread)
{
    const norm_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++)
        normalize_row(w, r);
}

static void layernorm(bg_backend *be, void *y, float *mean, float *rstd, const float *x, const float *g, const float *b, size_t R, size_t C)
{
    norm_work w = {
        .y = y, .mean = mean, .rstd = rstd, .x = x, .g = g, .b = b,
        .R = R, .C = C, .x_row = float_stride(C), .y_row = act_stride(C), .per_task = rows_per_task(C),
    };
    bg_pool_run(be->pool, layernorm_task, &w, count_tasks(R, w.per_task));
}

/* Backward.  Everything that needs a row is done while it is in the cache: dx,
 * the row's part of dg and db, LayerNorm's output made again for the weight gradient
 * in front of it, and dx narrowed for the product behind it.
 *
 * Sums over rows: blocks of NORM_ROWS rows, each a task with sums of its own; then the blocks' sums
 * are added in order, NORM_BLOCKS blocks at a time. */
enum { NORM_ROWS = 64, NORM_BLOCKS = 64, NORM_COLUMNS = 64 };

typedef struct norm_back_work {
    bg_backend *be;
    const bg_norm_back *n;
    const bg_dropout *drop;
    act *next;          /* NULL: not wanted, or dx serves */
    float *sums;        /* (blocks, 2, row): dg and db of each block */
    size_t R, first, blocks, row, act_row;
} norm_back_work;

/* A thread's whole blocks of sums, padded rows of the widest matrix. */
static size_t norm_shared(const bg_limits *limits) { return 2 * NORM_BLOCKS * float_stride(limits->max_width); }

/* A row's dropout. */
static size_t norm_scratch(const bg_limits *limits) { return limits->max_width + DROP_COLUMNS; }

/* With h = (x - mean) rstd and e = dy g:  dx = dres + rstd (e - mean(e) - h mean(e h)).
 * factor: dropout's of the row, or NULL. */
AI void normalize_row_back(const norm_back_work *w, size_t r, float *dg, float *db, const float *factor)
{
    const bg_norm_back *n = w->n;
    const float *x = n->x + r * w->row, *dres = n->dres ? n->dres + r * w->row : NULL;
    const act *dy = (const act *)n->dy + r * w->act_row;
    act *y = n->y ? (act *)n->y + r * w->act_row : NULL, *next = w->next ? w->next + r * w->act_row : NULL;
    float *dx = n->dx + r * w->row, mean = n->mean[r], rstd = n->rstd[r];
    const size_t C = n->C;
    vf sum = vzero(), along = vzero();
    for (size_t i = 0; i < C; i += VW) {
        vf e = row_activation(dy, i, C) * row_vector(n->g, i, C);
        sum += e;
        along = vfma(e, (row_vector(x, i, C) - mean) * rstd, along);
    }
    float mean_e = vsum(sum) / (float)C, mean_eh = vsum(along) / (float)C;
    for (size_t i = 0; i < C; i += VW) {
        vf d = row_activation(dy, i, C), g = row_vector(n->g, i, C), h = (row_vector(x, i, C) - mean) * rstd;
        vstore(dg + i, vfma(d, h, vload(dg + i)));
        vstore(db + i, vload(db + i) + d);
        if (y)
            astore(y + i, vfma(h, g, row_vector(n->b, i, C)));
        d = (d * g - mean_e - h * mean_eh) * rstd;
        if (dres)
            d += vload(dres + i);
        vstore(dx + i, d);
        if (next)
            astore(next + i, factor ? d * vload(factor + i) : d);
    }
}

static void norm_back_task(void *arg, size_t task, unsigned thread)
{
    const norm_back_work *w = arg;
    const size_t begin = (w->first + task) * NORM_ROWS, end = task_end(begin, NORM_ROWS, w->R);
    float *dg = w->sums + task * 2 * w->row, *db = dg + w->row, *factor = scratch_of(w->be, thread);
    memset(dg, 0, 2 * w->row * sizeof(float));
    for (size_t r = begin; r < end; r++) {
        if (w->drop)
            mask_row(w->drop, factor, r, 0, w->n->C);
        normalize_row_back(w, r, dg, db, w->drop ? factor : NULL);
    }
}

/* Some columns' sums of all blocks of the wave, in order. */
static void norm_sums_task(void *arg, size_t task, unsigned thread)
{
    const norm_back_work *w = arg;
    const size_t begin = task * NORM_COLUMNS, end = task_end(begin, NORM_COLUMNS, w->n->C);
    for (size_t i = begin; i < end; i += VW) {
        const size_t n = end - i < VW ? end - i : VW;
        vf dg = vload_part(w->n->dg + i, n), db = vload_part(w->n->db + i, n);
        for (size_t b = 0; b < w->blocks; b++) {
            dg += vload(w->sums + b * 2 * w->row + i);
            db += vload(w->sums + (b * 2 + 1) * w->row + i);
        }
        vstore_part(w->n->dg + i, dg, n);
        vstore_part(w->n->db + i, db, n);
    }
}

static const void *layernorm_back(bg_backend *be, const bg_norm_back *n)
{
    const bg_dropout *drop = bg_drop_on(n->drop) ? n->drop : NULL;
    /* activations of four bytes have the layout of the residual stream */
    const int itself = !drop && sizeof(act) == sizeof(float);
    const size_t all = count_tasks(n->R, NORM_ROWS);
    norm_back_work w = {
        .be = be, .n = n, .drop = n->next ? drop : NULL, .next = itself ? NULL : n->next, .sums = shared_of(be),
        .R = n->R, .row = float_stride(n->C), .act_row = act_stride(n->C),
    };
    for (w.first = 0; w.first < all; w.first += NORM_BLOCKS) {
        w.blocks = all - w.first < NORM_BLOCKS ? all - w.first : NORM_BLOCKS;
        bg_pool_run(be->pool, norm_back_task, &w, w.blocks);
        bg_pool_run(be->pool, norm_sums_task, &w, count_tasks(n->C, NORM_COLUMNS));
    }
    return itself && n->next ? n->dx : n->next;
}
