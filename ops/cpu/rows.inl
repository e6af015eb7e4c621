/* Ops that work row by row: how rows become tasks, and the ones that only move
 * or map data. */

/* Rows of a task of a cheap row op: about 64 KiB of data, so that handing out a task costs
 * little beside it. */
AI size_t rows_per_task(size_t columns)
{
    size_t n = 16384 / (columns + 1) + 1;
    return n > 64 ? 64 : n;
}

AI size_t count_tasks(size_t things, size_t per_task) { return (things + per_task - 1) / per_task; }

AI size_t task_end(size_t begin, size_t per_task, size_t things)
{
    return things - begin < per_task ? things : begin + per_task;
}

AI float *scratch_of(bg_backend *be, unsigned thread)
{
    bg_cpu *cpu = (bg_cpu *)be;
    return cpu->scratch + thread * cpu->scratch_floats;
}

AI float *shared_of(bg_backend *be) { return ((bg_cpu *)be)->shared; }

/* Arguments of the ops of this file; each uses what it needs. */
typedef struct row_work {
    char *y;
    const char *x;
    const uint32_t *index;
    size_t y_stride, x_stride, columns, rows, per_task;
    float direction; /* of a rotation: 1 or -1 */
} row_work;

AI void run_rows(bg_backend *be, bg_task *fn, row_work *w)
{
    w->per_task = rows_per_task(w->columns);
    bg_pool_run(be->pool, fn, w, count_tasks(w->rows, w->per_task));
}

/* Rows of activations are padded to whole vectors; the host's rows are not. */
static void to_act_task(void *arg, size_t task, unsigned thread)
{
    const row_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->rows);
    for (size_t r = begin; r < end; r++) {
        act *y = (act *)(w->y + r * w->y_stride);
        const float *x = (const float *)(w->x + r * w->x_stride);
        for (size_t c = 0; c < w->columns; c += VW)
            astore(y + c, w->columns - c < VW ? vload_part(x + c, w->columns - c) : vload(x + c));
    }
}

static void to_act(bg_backend *be, void *y, const float *host, size_t R, size_t C)
{
    row_work w = { .y = y, .x = (const char *)host, .y_stride = act_stride(C) * sizeof(act), .x_stride = C * sizeof(float), .columns = C, .rows = R };
    run_rows(be, to_act_task, &w);
}

static void from_act_task(void *arg, size_t task, unsigned thread)
{
    const row_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->rows);
    for (size_t r = begin; r < end; r++) {
        float *y = (float *)(w->y + r * w->y_stride);
        const act *x = (const act *)(w->x + r * w->x_stride);
        for (size_t c = 0; c < w->columns; c += VW)
            vstore_part(y + c, aload(x + c), w->columns - c < VW ? w->columns - c : VW);
    }
}

static void from_act(bg_backend *be, float *host, const void *x, size_t R, size_t C)
{
    row_work w = { .y = (char *)host, .x = x, .y_stride = C * sizeof(float), .x_stride = act_stride(C) * sizeof(act), .columns = C, .rows = R };
    run_rows(be, from_act_task, &w);
}

static void gather_task(void *arg, size_t task, unsigned thread)
{
    const row_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->rows);
    for (size_t r = begin; r < end; r++)
        memcpy(w->y + r * w->y_stride, w->x + w->index[r] * w->x_stride, w->columns);
}

static void gather_rows(bg_backend *be, void *y, const void *x, const uint32_t *idx, size_t R, size_t C)
{
    size_t stride = act_stride(C) * sizeof(act);
    row_work w = { .y = y, .x = x, .index = idx, .y_stride = stride, .x_stride = stride, .columns = C * sizeof(act), .rows = R };
    run_rows(be, gather_task, &w);
}

static void scatter_task(void *arg, size_t task, unsigned thread)
{
    const row_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->rows);
    for (size_t r = begin; r < end; r++)
        memcpy(w->y + w->index[r] * w->y_stride, w->x + r * w->x_stride, w->columns);
}

static void scatter_rows(bg_backend *be, void *dx, const void *dy, const uint32_t *idx, size_t R, size_t C)
{
    size_t stride = act_stride(C) * sizeof(act);
    row_work w = { .y = dx, .x = dy, .index = idx, .y_stride = stride, .x_stride = stride, .columns = C * sizeof(act), .rows = R };
    run_rows(be, scatter_task, &w);
}

AI void rotate_head(act *x, const float *turn, float direction)
{
    for (size_t d = 0; d < BG_HEAD / 2; d += VW) {
        const vf c = vload(turn + d), s = vload(turn + BG_HEAD / 2 + d) * direction, a = aload(x + d), b = aload(x + BG_HEAD / 2 + d);
        astore(x + d, a * c - b * s);
        astore(x + BG_HEAD / 2 + d, b * c + a * s);
    }
}

static void rotate_task(void *arg, size_t task, unsigned thread)
{
    const row_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->rows);
    for (size_t r = begin; r < end; r++) {
        const float *turn = (const float *)w->x + (size_t)w->index[r] * BG_HEAD;
        for (size_t c = 0; c < w->columns; c += BG_HEAD)
            rotate_head((act *)(w->y + r * w->y_stride) + c, turn, w->direction);
    }
}

static void rotate(bg_backend *be, void *qkv, const float *turn, const uint32_t *pos, size_t R, size_t C, int back)
{
    row_work w = { .y = qkv, .x = (const char *)turn, .index = pos, .y_stride = act_stride(3 * C) * sizeof(act), .columns = 2 * C, .rows = R, .direction = back ? -1.0f : 1.0f };
    run_rows(be, rotate_task, &w);
}
