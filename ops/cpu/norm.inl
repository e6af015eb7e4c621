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
    float *mean, *rstd, *dx, *dg, *db;
    const float *x, *g, *b, *dres, *mean_in, *rstd_in;
    const act *dy;
    size_t R, C, x_row, y_row, per_task, row_tasks;
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

/* With h = (x - mean) rstd and e = dy g:  dx = dres + rstd (e - mean(e) - h mean(e h)). */
static void normalize_row_back(const norm_work *w, size_t r)
{
    const float *x = w->x + r * w->x_row, *dres = w->dres ? w->dres + r * w->x_row : NULL;
    const act *dy = w->dy + r * w->y_row;
    float *dx = w->dx + r * w->x_row, mean = w->mean_in[r], rstd = w->rstd_in[r];
    size_t C = w->C;
    vf sum = vzero(), along = vzero();
    for (size_t i = 0; i < C; i += VW) {
        vf e = row_activation(dy, i, C) * row_vector(w->g, i, C);
        sum += e;
        along = vfma(e, (row_vector(x, i, C) - mean) * rstd, along);
    }
    float mean_e = vsum(sum) / (float)C, mean_eh = vsum(along) / (float)C;
    for (size_t i = 0; i < C; i += VW) {
        vf e = row_activation(dy, i, C) * row_vector(w->g, i, C);
        vf h = (row_vector(x, i, C) - mean) * rstd;
        vf d = (e - mean_e - h * mean_eh) * rstd;
        vstore(dx + i, dres ? vload(dres + i) + d : d);
    }
}

/* dg and db of the vector of columns at i, all rows in order. */
AI void norm_column_back(const norm_work *w, size_t i)
{
    size_t n = w->C - i < VW ? w->C - i : VW;
    vf dg = vload_part(w->dg + i, n), db = vload_part(w->db + i, n);
    for (size_t r = 0; r < w->R; r++) {
        vf dy = aload(w->dy + r * w->y_row + i);
        dg = vfma(dy, (vload(w->x + r * w->x_row + i) - w->mean_in[r]) * w->rstd_in[r], dg);
        db += dy;
    }
    vstore_part(w->dg + i, dg, n);
    vstore_part(w->db + i, db, n);
}

enum { NORM_COLUMNS = 32 }; /* of a task: two cache lines of each row */

/* Tasks: blocks of rows for dx, then groups of columns for dg and db. */
static void layernorm_back_task(void *arg, size_t task, unsigned thread)
{
    const norm_work *w = arg;
    if (task < w->row_tasks) {
        size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
        for (size_t r = begin; r < end; r++)
            normalize_row_back(w, r);
        return;
    }
    size_t begin = (task - w->row_tasks) * NORM_COLUMNS, end = task_end(begin, NORM_COLUMNS, w->C);
    for (size_t i = begin; i < end; i += VW)
        norm_column_back(w, i);
}

static void layernorm_back(bg_backend *be, float *dx, float *dg, float *db, const float *dres, const void *dy, const float *x, const float *mean, const float *rstd, const float *g, size_t R, size_t C)
{
    norm_work w = {
        .dx = dx, .dg = dg, .db = db, .dres = dres, .dy = dy, .x = x, .mean_in = mean, .rstd_in = rstd, .g = g,
        .R = R, .C = C, .x_row = float_stride(C), .y_row = act_stride(C), .per_task = rows_per_task(C),
    };
    w.row_tasks = count_tasks(R, w.per_task);
    bg_pool_run(be->pool, layernorm_back_task, &w, w.row_tasks + count_tasks(C, NORM_COLUMNS));
}
