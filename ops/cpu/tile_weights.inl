/* Weights packed for the tile products: panels of 32 columns, each a straight
 * stream of steps of 32 k: [K/32][two tiles][16 k-pairs][16 columns][2].
 * K is filled up with zeros to a multiple of 32 and N to one of 32.  The forward copy is
 * W, the backward one its transpose, for dX. */
enum {
    PANEL = 32,               /* columns of a panel: two tiles */
    STEP = 32,                /* k of a step: one tile deep */
    STEP_SIZE = STEP * PANEL  /* bf16 of a step */
};

typedef struct packed_weight {
    act *forward, *backward;
    float *bias; /* padded to whole panels with zeros; NULL: none */
} packed_weight;

AI size_t steps_of(size_t K) { return (K + STEP - 1) / STEP; }
AI size_t panels_of(size_t N) { return (N + PANEL - 1) / PANEL; }
AI size_t packed_size(size_t K, size_t N) { return steps_of(K) * panels_of(N) * STEP_SIZE; }

/* One matrix to be packed: element (k,n) is w[k*k_stride + n*n_stride]; one of the strides is 1. */
typedef struct pack_work {
    act *packed;
    const float *w;
    size_t K, N, k_stride, n_stride;
} pack_work;

/* 16 k-pairs x 16 columns at (k,n), the slow way: for edges. */
static void pack_edge(act *tile, const pack_work *p, size_t k0, size_t n0)
{
    for (size_t k = 0; k < STEP; k++)
        for (size_t n = 0; n < 16; n++) {
            const int inside = k0 + k < p->K && n0 + n < p->N;
            const float v = inside ? p->w[(k0 + k) * p->k_stride + (n0 + n) * p->n_stride] : 0.0f;
            tile[k / 2 * 32 + 2 * n + k % 2] = (act)(vround_bf16(vset(v))[0] >> 16);
        }
}

/* Columns are neighbours in memory: pair up two rows. */
static void pack_by_rows(act *tile, const float *w, size_t k_stride)
{
    for (size_t pair = 0; pair < 16; pair++) {
        const float *row = w + 2 * pair * k_stride;
        const vu v = vpair_bf16(vload(row), vload(row + k_stride));
        memcpy(tile + pair * 32, &v, sizeof v);
    }
}

/* k are neighbours in memory: sixteen columns of 32 k, paired and transposed. */
static void pack_by_columns(act *tile, const float *w, size_t n_stride)
{
    vf r[16];
    for (size_t n = 0; n < 16; n++) {
        const vh low = vnarrow(vload(w + n * n_stride)), high = vnarrow(vload(w + n * n_stride + 16));
        memcpy(&r[n], &low, sizeof low);
        memcpy((char *)&r[n] + sizeof low, &high, sizeof high);
    }
    vtranspose(r);
    memcpy(tile, r, sizeof r);
}

static void pack_panel(const pack_work *p, size_t panel)
{
    act *out = p->packed + panel * steps_of(p->K) * STEP_SIZE;
    for (size_t k = 0; k < p->K; k += STEP)
        for (size_t half = 0; half < 2; half++, out += STEP_SIZE / 2) {
            const size_t n = panel * PANEL + half * 16;
            const float *w = p->w + k * p->k_stride + n * p->n_stride;
            if (k + STEP > p->K || n + 16 > p->N)
                pack_edge(out, p, k, n);
            else if (p->n_stride == 1)
                pack_by_rows(out, w, p->k_stride);
            else
                pack_by_columns(out, w, p->n_stride);
        }
}

static void pack_task(void *arg, size_t task, unsigned thread) { pack_panel(arg, task); }

static void pack_matrix(bg_backend *be, act *packed, const bg_weight *w, int transpose)
{
    const size_t K = transpose ? w->N : w->K, N = transpose ? w->K : w->N;
    const size_t row = bg_weight_row(w);
    const int n_is_row = w->transposed != transpose;
    pack_work p = { .packed = packed, .w = w->w, .K = K, .N = N, .k_stride = n_is_row ? 1 : row, .n_stride = n_is_row ? row : 1 };
    bg_pool_run(be->pool, pack_task, &p, panels_of(N));
}

static void weights_changed(bg_backend *be, bg_weight *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i]->form == BG_WEIGHTS_INT8) {
            int8_pack(be, list[i]);
            continue;
        }
        const packed_weight *p = list[i]->packed;
        pack_matrix(be, p->forward, list[i], 0);
        if (list[i]->b)
            memcpy(p->bias, list[i]->b, list[i]->N * sizeof(float));
        if (p->backward)
            pack_matrix(be, p->backward, list[i], 1);
    }
}

static void weights_unbind(bg_backend *be, bg_weight *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        packed_weight *p = list[i]->packed;
        if (!p)
            continue;
        if (list[i]->form != BG_WEIGHTS_INT8) { /* that one is a single block */
            bg_free(be->sys, p->forward);
            bg_free(be->sys, p->backward);
            bg_free(be->sys, p->bias);
        }
        bg_free(be->sys, p);
        list[i]->packed = NULL;
    }
}

static bg_status bind_one(bg_backend *be, bg_weight *w, bg_error *err)
{
    const int backward = w->form == BG_WEIGHTS_TRAIN;
    packed_weight *p = w->packed = bg_alloc_zero(be->sys, 1, sizeof *p);
    const size_t forward_size = packed_size(w->K, w->N), backward_size = packed_size(w->N, w->K);
    if (p)
        p->forward = bg_alloc(be->sys, forward_size, sizeof(act));
    if (p && backward)
        p->backward = bg_alloc(be->sys, backward_size, sizeof(act));
    if (p && w->b)
        p->bias = bg_alloc_zero(be->sys, panels_of(w->N) * PANEL, sizeof(float));
    if (!p || !p->forward || (backward && !p->backward) || (w->b && !p->bias))
        return bg_fail_memory(err, "packed weights", (forward_size + backward_size) * sizeof(act));
    return BG_OK;
}

static bg_status weights_bind(bg_backend *be, bg_weight *const *list, size_t n, bg_weight_form form, bg_error *err)
{
    for (size_t i = 0; i < n; i++) {
        list[i]->packed = NULL;
        list[i]->form = form;
    }
    for (size_t i = 0; i < n; i++) {
        const bg_status s = form == BG_WEIGHTS_INT8 ? int8_bind(be->sys, list[i], err) : bind_one(be, list[i], err);
        if (s != BG_OK) {
            weights_unbind(be, list, n);
            return s;
        }
    }
    return BG_OK;
}
