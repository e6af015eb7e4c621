/* The level's private copies of weight matrices: panels of TILE_NR columns of
 * W for y = x W, of W^T for dx = dy W^T, and the bias padded to whole panels. */

/* Panels of the transpose: column c of the packed matrix is row c of x
 * (columns, k).  Columns beyond the last are zeros up to a whole panel. */
static void pack_panel_transposed(float *panel, const float *x, size_t x_row, size_t columns, size_t k)
{
    for (size_t c = 0; c < TILE_NR; c += VW) {
        for (size_t i = 0; i < k; i += VW) {
            vf t[VW];
            size_t w = k - i < VW ? k - i : VW;
            UNROLL for (int r = 0; r < VW; r++)
                t[r] = c + r >= columns ? vzero() : w == VW ? vload(x + (c + r) * x_row + i) : vload_part(x + (c + r) * x_row + i, w);
            vtranspose(t);
            for (size_t r = 0; r < w; r++)
                vstore(panel + (i + r) * TILE_NR + c, t[r]);
        }
    }
}

/* A panel of x (k, columns) as it is. */
static void pack_panel(float *panel, const float *x, size_t x_row, size_t columns, size_t k)
{
    if (columns >= TILE_NR) {
        for (size_t i = 0; i < k; i++)
            UNROLL for (int v = 0; v < TILE_NV; v++)
                vstore(panel + i * TILE_NR + v * VW, vload(x + i * x_row + v * VW));
        return;
    }
    memset(panel, 0, k * TILE_NR * sizeof(float));
    for (size_t i = 0; i < k; i++)
        memcpy(panel + i * TILE_NR, x + i * x_row, columns * sizeof(float));
}


typedef struct packed_weight {
    float *forward; /* (panels of N, K, TILE_NR) */
    float *back;    /* (panels of K, N, TILE_NR), NULL without backward */
    float *bias;    /* (panel_columns(N)), zeros when there is none */
} packed_weight;

static bg_status bind_one(const bg_sys *sys, bg_weight *w, int backward, bg_error *err)
{
    size_t header = 64 / sizeof(float), forward = panel_columns(w->N) * w->K;
    size_t back = backward ? panel_columns(w->K) * w->N : 0;
    size_t floats = header + forward + back + panel_columns(w->N);
    float *memory = bg_alloc(sys, floats, sizeof(float));
    if (!memory)
        return bg_fail_memory(err, "packed weights", (uint64_t)floats * sizeof(float));
    packed_weight *p = (packed_weight *)(void *)memory;
    _Static_assert(sizeof *p <= 64, "the header is one cache line");
    p->forward = memory + header;
    p->back = backward ? p->forward + forward : NULL;
    p->bias = p->forward + forward + back;
    w->packed = p;
    return BG_OK;
}

static void weights_unbind(bg_backend *be, bg_weight *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bg_free(be->sys, list[i]->packed);
        list[i]->packed = NULL;
    }
}

/* All or nothing. */
static bg_status weights_bind(bg_backend *be, bg_weight *const *list, size_t n, int backward, bg_error *err)
{
    for (size_t i = 0; i < n; i++) {
        bg_status status = bind_one(be->sys, list[i], backward, err);
        if (status != BG_OK) {
            weights_unbind(be, list, i);
            return status;
        }
    }
    return BG_OK;
}

/* Panel j of the matrix B (k, columns), which lies in memory as it is or transposed. */
static void pack_weight_panel(float *panels, size_t j, const float *w, int transposed, size_t k, size_t columns)
{
    size_t first = j * TILE_NR;
    float *panel = panels + first * k;
    if (transposed)
        pack_panel_transposed(panel, w + first * k, k, columns - first, k);
    else
        pack_panel(panel, w + first, columns, columns - first, k);
}

/* Tasks: the panels of W, then those of W^T. */
static void pack_task(void *arg, size_t task, unsigned thread)
{
    const bg_weight *w = arg;
    const packed_weight *p = w->packed;
    size_t panels = count_panels(w->N);
    if (task < panels)
        pack_weight_panel(p->forward, task, w->w, w->transposed, w->K, w->N);
    else
        pack_weight_panel(p->back, task - panels, w->w, !w->transposed, w->N, w->K);
}

static void weights_changed(bg_backend *be, bg_weight *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bg_weight *w = list[i];
        const packed_weight *p = w->packed;
        memset(p->bias, 0, panel_columns(w->N) * sizeof(float));
        if (w->b)
            memcpy(p->bias, w->b, w->N * sizeof(float));
        bg_pool_run(be->pool, pack_task, w, count_panels(w->N) + (p->back ? count_panels(w->K) : 0));
    }
}
