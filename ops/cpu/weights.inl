/* The level's private copies of weight matrices: panels of TILE_NR columns of
 * W for y = x W, of W^T for dx = dy W^T, and the bias padded to whole panels. */

_Static_assert(sizeof(word) == sizeof(float), "the packed copies are reserved in floats");

/* Words of a reduction over k. */
AI size_t words_in(size_t k) { return (k + WORD_DEPTH - 1) / WORD_DEPTH; }

typedef struct packed_weight {
    word *forward; /* (panels of N, words of K, TILE_NR) */
    word *back;    /* (panels of K, words of N, TILE_NR), NULL without backward */
    float *bias;    /* (panel_columns(N)), zeros when there is none */
} packed_weight;

static bg_status bind_one(const bg_sys *sys, bg_weight *w, bg_error *err)
{
    const int backward = w->form == BG_WEIGHTS_TRAIN;
    size_t header = 64 / sizeof(float), forward = panel_columns(w->N) * words_in(w->K);
    size_t back = backward ? panel_columns(w->K) * words_in(w->N) : 0;
    size_t floats = header + forward + back + panel_columns(w->N);
    float *memory = bg_alloc(sys, floats, sizeof(float));
    if (!memory)
        return bg_fail_memory(err, "packed weights", (uint64_t)floats * sizeof(float));
    packed_weight *p = (packed_weight *)(void *)memory;
    _Static_assert(sizeof *p <= 64, "the header is one cache line");
    p->forward = (word *)(void *)(memory + header);
    p->back = backward ? p->forward + forward : NULL;
    p->bias = memory + header + forward + back;
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
static bg_status weights_bind(bg_backend *be, bg_weight *const *list, size_t n, bg_weight_form form, bg_error *err)
{
    for (size_t i = 0; i < n; i++) {
        list[i]->form = form;
        bg_status status = form == BG_WEIGHTS_INT8 ? int8_bind(be->sys, list[i], err) : bind_one(be->sys, list[i], err);
        if (status != BG_OK) {
            weights_unbind(be, list, i);
            return status;
        }
    }
    return BG_OK;
}

/* Panel j of the matrix B (k, columns), which lies in memory as it is or transposed, its rows `row` floats apart. */
static void pack_weight_panel(word *panels, size_t j, const float *w, size_t row, int transposed, size_t k, size_t columns)
{
    size_t first = j * TILE_NR;
    word *panel = panels + first * words_in(k);
    if (transposed)
        pack_panel_transposed(panel, w + first * row, row, columns - first, k);
    else
        pack_panel(panel, w + first, row, columns - first, k);
}

/* Tasks: the panels of W, then those of W^T. */
static void pack_task(void *arg, size_t task, unsigned thread)
{
    const bg_weight *w = arg;
    const packed_weight *p = w->packed;
    const size_t panels = count_panels(w->N), row = bg_weight_row(w);
    if (task < panels)
        pack_weight_panel(p->forward, task, w->w, row, w->transposed, w->K, w->N);
    else
        pack_weight_panel(p->back, task - panels, w->w, row, !w->transposed, w->N, w->K);
}

static void weights_changed(bg_backend *be, bg_weight *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bg_weight *w = list[i];
        if (w->form == BG_WEIGHTS_INT8) {
            int8_pack(be, w);
            continue;
        }
        const packed_weight *p = w->packed;
        memset(p->bias, 0, panel_columns(w->N) * sizeof(float));
        if (w->b)
            memcpy(p->bias, w->b, w->N * sizeof(float));
        bg_pool_run(be->pool, pack_task, w, count_panels(w->N) + (p->back ? count_panels(w->K) : 0));
    }
}
