/* The patch decoder's input: for each patch the sum of P rows of a table (a
 * one-hot product that is never built), a bias and a position; and back.
 *
 * Gradients go to ranges of columns, each of which walks all rows in order:
 * no sorting, the same bits for any number of threads, and a range of the
 * table (1 MiB at P = 16) stays in the second-level cache.
 *
 * sum_rows adds the rows of n-grams in the same way, from a table that places share; a range of it may be larger. */

enum { EMBED_COLUMNS = 64 };

typedef struct patch_work {
    float *x, *dtable, *dbias, *dwpe;
    const float *dx, *table, *bias, *wpe;
    const uint16_t *tokens;
    const uint32_t *pos;
    size_t R, P, V, C, row, per_task;
} patch_work;

/* to[0,n) += from[0,n) */
AI void add_columns(float *to, const float *from, size_t n)
{
    size_t i = 0;
    for (; i + VW <= n; i += VW)
        vstore(to + i, vload(to + i) + vload(from + i));
    for (; i < n; i++)
        to[i] += from[i];
}

static void patch_embed_task(void *arg, size_t task, unsigned thread)
{
    const patch_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        float *x = w->x + r * w->row;
        memset(x, 0, w->C * sizeof(float));
        for (size_t i = 0; i < w->P; i++)
            add_columns(x, w->table + (i * w->V + w->tokens[r * w->P + i]) * w->C, w->C);
        if (w->bias)
            add_columns(x, w->bias, w->C);
        add_columns(x, w->wpe + w->pos[r] * w->C, w->C);
    }
}

static void patch_embed(bg_backend *be, float *x, const uint16_t *tokens, const float *table, const float *bias, const float *wpe, const uint32_t *pos, size_t R, size_t P, size_t V, size_t C)
{
    patch_work w = {
        .x = x, .table = table, .bias = bias, .wpe = wpe, .tokens = tokens, .pos = pos,
        .R = R, .P = P, .V = V, .C = C, .row = float_stride(C), .per_task = 8,
    };
    bg_pool_run(be->pool, patch_embed_task, &w, count_tasks(R, w.per_task));
}

static void patch_embed_back_task(void *arg, size_t task, unsigned thread)
{
    const patch_work *w = arg;
    size_t c = task * EMBED_COLUMNS, n = task_end(c, EMBED_COLUMNS, w->C) - c;
    for (size_t r = 0; r < w->R; r++) {
        const float *dx = w->dx + r * w->row + c;
        for (size_t i = 0; i < w->P; i++)
            add_columns(w->dtable + (i * w->V + w->tokens[r * w->P + i]) * w->C + c, dx, n);
        if (w->dbias)
            add_columns(w->dbias + c, dx, n);
        add_columns(w->dwpe + w->pos[r] * w->C + c, dx, n);
    }
}

static void patch_embed_back(bg_backend *be, float *dtable, float *dbias, float *dwpe, const float *dx, const uint16_t *tokens, const uint32_t *pos, size_t R, size_t P, size_t V, size_t C)
{
    patch_work w = {
        .dtable = dtable, .dbias = dbias, .dwpe = dwpe, .dx = dx, .tokens = tokens, .pos = pos,
        .R = R, .P = P, .V = V, .C = C, .row = float_stride(C),
    };
    bg_pool_run(be->pool, patch_embed_back_task, &w, count_tasks(C, EMBED_COLUMNS));
}

static void sum_rows_task(void *arg, size_t task, unsigned thread)
{
    const patch_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++)
        for (size_t i = 0; i < w->P; i++)
            add_columns(w->x + r * w->row, w->table + w->tokens[r * w->P + i] * w->C, w->C);
}

static void sum_rows(bg_backend *be, float *x, const float *table, const uint16_t *index, size_t R, size_t P, size_t C)
{
    patch_work w = { .x = x, .table = table, .tokens = index, .R = R, .P = P, .C = C, .row = float_stride(C), .per_task = 8 };
    bg_pool_run(be->pool, sum_rows_task, &w, count_tasks(R, w.per_task));
}

static void sum_rows_back_task(void *arg, size_t task, unsigned thread)
{
    const patch_work *w = arg;
    size_t c = task * EMBED_COLUMNS, n = task_end(c, EMBED_COLUMNS, w->C) - c;
    for (size_t r = 0; r < w->R; r++)
        for (size_t i = 0; i < w->P; i++)
            add_columns(w->dtable + w->tokens[r * w->P + i] * w->C + c, w->dx + r * w->row + c, n);
}

static void sum_rows_back(bg_backend *be, float *dtable, const float *dx, const uint16_t *index, size_t R, size_t P, size_t C)
{
    patch_work w = { .dtable = dtable, .dx = dx, .tokens = index, .R = R, .P = P, .C = C, .row = float_stride(C) };
    bg_pool_run(be->pool, sum_rows_back_task, &w, count_tasks(C, EMBED_COLUMNS));
}
