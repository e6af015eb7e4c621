/* The ends of a Muon update (K. Jordan and others, "Muon: an optimizer for hidden layers in neural networks",
 * 2024): the momentum that is to be made orthogonal, and the step.  What lies between, a few
 * products, is run/muon.c's. */

/* The root mean square that the matrix begins with.  Not 1: its products with itself must stay in fp16's range. */
#define MUON_RMS 0.0625

typedef struct muon_work {
    const bg_muon *u;
    float *x;
    const float *from;
    double *sums;
    size_t x_row, per_task;
    float scale;
} muon_work;

AI int muon_turned(const bg_muon *u) { return u->R > u->C; }

/* Nesterov's: the gradient, and the momentum it has just been added to. */
AI vf muon_vector(const bg_muon *u, size_t r, size_t c, vf *m)
{
    *m = row_vector(u->m + r * u->row, c, u->C);
    return row_vector(u->g + r * u->row, c, u->C) * u->grad_scale;
}

/* The counterpart of row_vector(). */
AI void muon_store(float *row, size_t c, size_t n, vf v)
{
    if (c + VW <= n)
        vstore(row + c, v);
    else
        vstore_part(row + c, v, n - c);
}

static void muon_momentum_task(void *arg, size_t task, unsigned thread)
{
    const muon_work *w = arg;
    const bg_muon *u = w->u;
    double total = 0;
    for (size_t r = task * w->per_task, end = task_end(r, w->per_task, u->R); r < end; r++) {
        vf squares = vzero(), m;
        for (size_t c = 0; c < u->C; c += VW) {
            const vf g = muon_vector(u, r, c, &m), momentum = m * u->beta + g, v = g + momentum * u->beta;
            muon_store(u->m + r * u->row, c, u->C, momentum);
            squares += v * v;
        }
        total += (double)vsum(squares);
    }
    w->sums[task] = total;
}

static void muon_scale_task(void *arg, size_t task, unsigned thread)
{
    const muon_work *w = arg;
    const bg_muon *u = w->u;
    for (size_t r = task * w->per_task, end = task_end(r, w->per_task, u->R); r < end; r++)
        for (size_t c = 0; c < u->C; c += VW) {
            vf m;
            const size_t left = u->C - c < VW ? u->C - c : VW;
            const vf g = muon_vector(u, r, c, &m), v = (g + m * u->beta) * w->scale;
            if (!muon_turned(u))
                muon_store(w->x + r * w->x_row, c, u->C, v);
            else
                for (size_t i = 0; i < left; i++)
                    w->x[(c + i) * w->x_row + r] = v[i];
        }
}

static size_t muon_rows(const bg_muon *u, size_t *tasks)
{
    const size_t per_task = count_tasks(u->R, BG_CPU_SUM_SLOTS);
    *tasks = count_tasks(u->R, per_task);
    return per_task;
}

static void muon_begin(bg_backend *be, float *x, const bg_muon *u)
{
    size_t tasks;
    muon_work w = { .u = u, .x = x, .sums = ((bg_cpu *)be)->sums, .x_row = float_stride(muon_turned(u) ? u->R : u->C), .per_task = muon_rows(u, &tasks) };
    double total = 0;
    bg_pool_run(be->pool, muon_momentum_task, &w, tasks);
    for (size_t i = 0; i < tasks; i++)
        total += w.sums[i];
    const double rms = sqrt(total / ((double)u->R * (double)u->C));
    w.scale = rms > 0 ? (float)(MUON_RMS / rms) : rms == 0 ? 0.0f : (float)rms; /* NaN stays */
    bg_pool_run(be->pool, muon_scale_task, &w, tasks);
}

static void muon_end_task(void *arg, size_t task, unsigned thread)
{
    const muon_work *w = arg;
    const bg_muon *u = w->u;
    for (size_t r = task * w->per_task, end = task_end(r, w->per_task, u->R); r < end; r++)
        for (size_t c = 0; c < u->C; c += VW) {
            const size_t left = u->C - c < VW ? u->C - c : VW;
            float *row = u->w + r * u->row;
            vf x = vzero();
            if (!muon_turned(u))
                x = row_vector(w->from + r * w->x_row, c, u->C);
            else
                for (size_t i = 0; i < left; i++)
                    x[i] = w->from[(c + i) * w->x_row + r];
            muon_store(row, c, u->C, row_vector(row, c, u->C) * u->decay - x * u->rate);
        }
}

static void muon_end(bg_backend *be, const float *x, const bg_muon *u)
{
    size_t tasks;
    muon_work w = { .u = u, .from = x, .x_row = float_stride(muon_turned(u) ? u->R : u->C), .per_task = muon_rows(u, &tasks) };
    bg_pool_run(be->pool, muon_end_task, &w, tasks);
}

/* --- between --------------------------------------------------------------------------- */

typedef struct narrow_work {
    act *y;
    const float *x;
    size_t R, C, y_row, x_row, per_task;
    float scale;
} narrow_work;

static void narrow_task(void *arg, size_t task, unsigned thread)
{
    const narrow_work *w = arg;
    for (size_t r = task * w->per_task, end = task_end(r, w->per_task, w->R); r < end; r++)
        for (size_t c = 0; c < w->C; c += VW)
            astore(w->y + r * w->y_row + c, vload(w->x + r * w->x_row + c) * w->scale);
}

static void narrow(bg_backend *be, void *y, const float *x, size_t R, size_t C, float scale)
{
    narrow_work w = { .y = y, .x = x, .R = R, .C = C, .y_row = act_stride(C), .x_row = float_stride(C), .per_task = rows_per_task(C), .scale = scale };
    bg_pool_run(be->pool, narrow_task, &w, count_tasks(R, w.per_task));
}
