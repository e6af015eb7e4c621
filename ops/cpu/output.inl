/* What comes after the last layer: the loss of each row and its gradient, and
 * means over segments for the classifier. */

typedef struct loss_work {
    float *loss;
    act *dlogits;
    const float *logits;
    const uint16_t *tokens;
    const uint32_t *token_row;
    size_t P, R, V, row, d_row, per_task;
    float scale;
} loss_work;

AI size_t loss_target(const loss_work *w, size_t r)
{
    size_t row = w->token_row ? w->token_row[r / w->P] : r / w->P;
    return w->tokens[row * w->P + r % w->P];
}

/* Softmax minus one-hot, times scale, over whole vectors of the padded row. */
static void loss_gradient(act *d, const float *x, size_t V, size_t target, float log_sum, float scale)
{
    for (size_t i = 0; i < V; i += VW) {
        vf p = vexp(vload(x + i) - log_sum);
        if (target - i < VW) /* false for target < i too: the difference wraps */
            p[target - i] -= 1.0f;
        astore(d + i, p * scale);
    }
}

static void cross_entropy_task(void *arg, size_t task, unsigned thread)
{
    const loss_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        const float *x = w->logits + r * w->row;
        size_t target = loss_target(w, r);
        float max = row_max(x, w->V);
        vf sum = vzero(), top = vset(max);
        for (size_t i = 0; i < w->V; i += VW) {
            vf e = vexp(vload(x + i) - top);
            sum += i + VW <= w->V ? e : vselect(vbelow(w->V - i), e, vzero());
        }
        float log_sum = max + logf(vsum(sum));
        w->loss[r] = log_sum - x[target];
        if (w->dlogits)
            loss_gradient(w->dlogits + r * w->d_row, x, w->V, target, log_sum, w->scale);
    }
}

static void cross_entropy(bg_backend *be, float *loss, void *dlogits, const float *logits, const uint16_t *tokens, const uint32_t *token_row, size_t P, float scale, size_t R, size_t V)
{
    loss_work w = {
        .loss = loss, .dlogits = dlogits, .logits = logits, .tokens = tokens, .token_row = token_row,
        .P = P, .R = R, .V = V, .row = float_stride(V), .d_row = act_stride(V), .per_task = rows_per_task(V), .scale = scale,
    };
    bg_pool_run(be->pool, cross_entropy_task, &w, count_tasks(R, w.per_task));
}

typedef struct mean_work {
    act *y;
    const act *x;
    const bg_segments *s;
    size_t C, row;
} mean_work;

/* An empty segment has mean 0. */
static void segment_mean_task(void *arg, size_t task, unsigned thread)
{
    const mean_work *w = arg;
    size_t first, length;
    segment_at(w->s, task, &first, &length);
    float share = length ? 1.0f / (float)length : 0.0f;
    for (size_t i = 0; i < w->C; i += VW) {
        vf sum = vzero();
        for (size_t r = 0; r < length; r++)
            sum += aload(w->x + (first + r) * w->row + i);
        astore(w->y + task * w->row + i, sum * share);
    }
}

static void segment_mean(bg_backend *be, void *y, const void *x, const bg_segments *s, size_t C)
{
    mean_work w = { .y = y, .x = x, .s = s, .C = C, .row = act_stride(C) };
    bg_pool_run(be->pool, segment_mean_task, &w, s->S);
}

static void segment_mean_back_task(void *arg, size_t task, unsigned thread)
{
    const mean_work *w = arg;
    size_t first, length;
    segment_at(w->s, task, &first, &length);
    for (size_t r = 0; r < length; r++)
        for (size_t i = 0; i < w->C; i += VW)
            astore(w->y + (first + r) * w->row + i, aload(w->x + task * w->row + i) * (1.0f / (float)length));
}

static void segment_mean_back(bg_backend *be, void *dx, const void *dy, const bg_segments *s, size_t C)
{
    mean_work w = { .y = dx, .x = dy, .s = s, .C = C, .row = act_stride(C) };
    bg_pool_run(be->pool, segment_mean_back_task, &w, s->S);
}
