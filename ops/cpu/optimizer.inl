/* Over flat parameter buffers: sum of squares (for clipping) and AdamW. */

typedef struct squares_work {
    const float *x;
    double *sums;
    size_t n;
} squares_work;

enum { SQUARE_LANES = 32 };

/* One block, in double: chains in fixed lanes, halves against halves at the end. */
static void squares_task(void *arg, size_t task, unsigned thread)
{
    const squares_work *w = arg;
    size_t begin = task * BG_CPU_SUM_BLOCK, end = task_end(begin, BG_CPU_SUM_BLOCK, w->n), i = begin;
    double sum[SQUARE_LANES] = { 0 };
    for (; i + SQUARE_LANES <= end; i += SQUARE_LANES)
        for (int lane = 0; lane < SQUARE_LANES; lane++)
            sum[lane] += (double)w->x[i + lane] * (double)w->x[i + lane];
    for (int lane = 0; i < end; i++, lane++)
        sum[lane] += (double)w->x[i] * (double)w->x[i];
    for (int half = SQUARE_LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            sum[lane] += sum[lane + half];
    w->sums[task] = sum[0];
}

static double sum_squares(bg_backend *be, const float *x, size_t n)
{
    double total = 0, *sums = ((bg_cpu *)be)->sums;
    const size_t wave = (size_t)BG_CPU_SUM_BLOCK * BG_CPU_SUM_SLOTS;
    for (size_t at = 0; at < n; at += wave) {
        squares_work w = { .x = x + at, .sums = sums, .n = n - at < wave ? n - at : wave };
        size_t blocks = count_tasks(w.n, BG_CPU_SUM_BLOCK);
        bg_pool_run(be->pool, squares_task, &w, blocks);
        for (size_t i = 0; i < blocks; i++)
            total += sums[i];
    }
    return total;
}

typedef struct adamw_work {
    float *w, *m, *v;
    const float *g;
    size_t n;
    float grad_scale, decay, beta1, rest1, beta2, rest2, eps, rate, inverse_root; /* see adamw() */
} adamw_work;

AI void adamw_vector(const adamw_work *o, vf *w, vf g, vf *m, vf *v)
{
    g *= o->grad_scale;
    *w *= o->decay;
    *m = *m * o->beta1 + g * o->rest1;
    *v = *v * o->beta2 + g * g * o->rest2;
    *w -= o->rate * (*m / (vsqrt(*v) * o->inverse_root + o->eps));
}

enum { ADAMW_BLOCK = 16384 }; /* floats of a task; a multiple of every VW */

static void adamw_task(void *arg, size_t task, unsigned thread)
{
    const adamw_work *o = arg;
    size_t begin = task * ADAMW_BLOCK, end = task_end(begin, ADAMW_BLOCK, o->n), i = begin;
    for (; i + VW <= end; i += VW) {
        vf w = vload(o->w + i), m = vload(o->m + i), v = vload(o->v + i);
        adamw_vector(o, &w, vload(o->g + i), &m, &v);
        vstore(o->w + i, w);
        vstore(o->m + i, m);
        vstore(o->v + i, v);
    }
    if (i < end) {
        size_t n = end - i;
        vf w = vload_part(o->w + i, n), m = vload_part(o->m + i, n), v = vload_part(o->v + i, n);
        adamw_vector(o, &w, vload_part(o->g + i, n), &m, &v);
        vstore_part(o->w + i, w, n);
        vstore_part(o->m + i, m, n);
        vstore_part(o->v + i, v, n);
    }
}

/* In the order of torch.optim.AdamW: decay the weight, move the averages, then
 * step by lr / (1 - beta1^t) over sqrt(v) / sqrt(1 - beta2^t) + eps. */
static void adamw(bg_backend *be, float *w, const float *g, float *m, float *v, size_t n, const bg_adamw *o)
{
    double t = (double)o->step;
    adamw_work work = {
        .w = w, .g = g, .m = m, .v = v, .n = n, .grad_scale = o->grad_scale,
        .decay = (float)(1.0 - (double)o->lr * (double)o->weight_decay),
        .beta1 = o->beta1, .rest1 = (float)(1.0 - (double)o->beta1),
        .beta2 = o->beta2, .rest2 = (float)(1.0 - (double)o->beta2), .eps = o->eps,
        .rate = (float)((double)o->lr / (1.0 - pow((double)o->beta1, t))),
        .inverse_root = (float)(1.0 / sqrt(1.0 - pow((double)o->beta2, t))),
    };
    bg_pool_run(be->pool, adamw_task, &work, count_tasks(n, ADAMW_BLOCK));
}
