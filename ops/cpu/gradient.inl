/* Weight gradients: dW += X^T dY and db += column sums of dY.
 *
 * A task owns a rectangle of dW and walks all rows, in chunks: the sum over
 * rows is never split, so threads do not change bits, and a chunk's X and dY
 * are in the second-level cache while the rectangle is done. */

enum {
    CHUNK = 128,       /* rows */
    GRADIENT_K = 384,  /* largest rectangle of a task: its X chunk takes 384 KiB */
    GRADIENT_N = 256
};

typedef struct gradient {
    bg_backend *be;
    const act *x, *dy;   /* dW (K,N) += x^T dy; x (R,K), dy (R,N) */
    float *dw, *db;      /* dense; db NULL: not wanted */
    size_t R, K, N, x_row, dy_row;
    size_t k_range, k_ranges, panels; /* panels: of a task */
} gradient;

enum { CHUNK_WORDS = CHUNK / WORD_DEPTH };

/* Words from strip to strip: an odd number of cache lines, so that a row's
 * pieces do not fall into the same sets. */
enum { STRIP = CHUNK_WORDS * TILE_MR + 16 };

/* A panel of dY, a tile computed beside dW, a row of words of X, the strips of X. */
enum { SPARE_TILE = TILE_MR * TILE_NR, SPARE_ROW = GRADIENT_K + 64 };

AI size_t gradient_scratch(void)
{
    return (size_t)CHUNK_WORDS * TILE_NR + SPARE_TILE + SPARE_ROW + (size_t)(GRADIENT_K / TILE_MR + 1) * STRIP;
}

/* db += column sums of one packed panel. */
static void add_bias_gradient(float *db, const word *panel, size_t columns, size_t words)
{
    for (size_t c = 0; c < columns; c += VW) {
        size_t n = columns - c < VW ? columns - c : VW;
        vstore_part(db + c, panel_sum(panel, words, c, vload_part(db + c, n)), n);
    }
}

/* Rows that will be packed next, fetched into the second-level cache a few at a
 * time between tiles: packing would otherwise wait for the third level (measured: a
 * fifth of the time). */
typedef struct fetch {
    const act *p;
    size_t row, columns, rows, done;
} fetch;

AI void fetch_share(fetch *f, size_t part, size_t parts)
{
    for (size_t until = f->rows * part / parts; f->done < until; f->done++)
        for (size_t c = 0; c < f->columns; c += 64 / sizeof(act))
            __builtin_prefetch(f->p + f->done * f->row + c, 0, 2);
}

/* What a task works on: rows [k0,k1) and panels [j0,j1) of dW. */
typedef struct rectangle {
    const gradient *g;
    size_t k0, k1, j0, j1;
    word *panel, *strips, *spare_row;
    float *spare; /* a tile */
    fetch next_x, next_dy;
} rectangle;

AI size_t chunk_rows(const gradient *g, size_t r) { return g->R - r < CHUNK ? g->R - r : CHUNK; }
AI size_t columns_of(const gradient *g, size_t column) { return g->N - column < TILE_NR ? g->N - column : TILE_NR; }

/* A tile whose last vector sticks out of dW is computed beside it. */
static void gradient_tile_part(const rectangle *t, float *dw, size_t mr, size_t columns, const word *strip, size_t words)
{
    size_t N = t->g->N;
    for (size_t r = 0; r < mr; r++)
        memcpy(t->spare + r * TILE_NR, dw + r * N, columns * sizeof(float));
    word_tiles[count_vectors(columns) - 1][mr - 1](words, strip, 1, TILE_MR, t->panel, TILE_NR, t->spare, TILE_NR, 1);
    for (size_t r = 0; r < mr; r++)
        memcpy(dw + r * N, t->spare + r * TILE_NR, columns * sizeof(float));
}

/* Panel j of the rectangle += the chunk's part. */
static void gradient_panel(rectangle *t, size_t j, size_t words)
{
    const gradient *g = t->g;
    size_t columns = columns_of(g, j * TILE_NR), of_panel = count_tasks(t->k1 - t->k0, TILE_MR);
    const word *strip = t->strips;
    for (size_t k = t->k0, i = 1; k < t->k1; k += TILE_MR, strip += STRIP, i++) {
        size_t mr = t->k1 - k < TILE_MR ? t->k1 - k : TILE_MR;
        float *dw = g->dw + k * g->N + j * TILE_NR;
        fetch_share(&t->next_dy, i, of_panel);
        fetch_share(&t->next_x, (j - t->j0) * of_panel + i, (t->j1 - t->j0) * of_panel);
        if (columns % VW != 0)
            gradient_tile_part(t, dw, mr, columns, strip, words);
        else
            word_tiles[columns / VW - 1][mr - 1](words, strip, 1, TILE_MR, t->panel, TILE_NR, dw, g->N, 1);
    }
}

static void gradient_chunk(rectangle *t, size_t r)
{
    const gradient *g = t->g;
    size_t rows = chunk_rows(g, r), next = r + rows, next_rows = chunk_rows(g, next);
    size_t words = words_in(rows);
    pack_strips(t->strips, STRIP, g->x + r * g->x_row + t->k0, g->x_row, t->k1 - t->k0, rows, t->spare_row);
    t->next_x = (fetch){ g->x + next * g->x_row + t->k0, g->x_row, t->k1 - t->k0, next_rows, 0 };
    for (size_t j = t->j0; j < t->j1; j++) {
        size_t column = j * TILE_NR, columns = columns_of(g, column);
        pack_act_panel(t->panel, g->dy + r * g->dy_row + column, g->dy_row, columns, rows);
        if (g->db && t->k0 == 0)
            add_bias_gradient(g->db + column, t->panel, columns, words);
        if (j + 1 < t->j1)
            t->next_dy = (fetch){ g->dy + r * g->dy_row + column + TILE_NR, g->dy_row, columns_of(g, column + TILE_NR), rows, 0 };
        else
            t->next_dy = (fetch){ g->dy + next * g->dy_row + t->j0 * TILE_NR, g->dy_row, columns_of(g, t->j0 * TILE_NR), next_rows, 0 };
        gradient_panel(t, j, words);
    }
}

static void gradient_task(void *arg, size_t task, unsigned thread)
{
    const gradient *g = arg;
    rectangle t = { .g = g, .panel = (word *)(void *)scratch_of(g->be, thread) };
    t.k0 = task % g->k_ranges * g->k_range;
    t.k1 = task_end(t.k0, g->k_range, g->K);
    t.j0 = task / g->k_ranges * g->panels;
    t.j1 = task_end(t.j0, g->panels, count_panels(g->N));
    t.spare_row = t.panel + (size_t)CHUNK_WORDS * TILE_NR;
    t.spare = (float *)(void *)(t.spare_row + SPARE_ROW);
    t.strips = (word *)(void *)(t.spare + SPARE_TILE);
    for (size_t r = 0; r < g->R; r += CHUNK)
        gradient_chunk(&t, r);
}

/* db alone, for matrices stored transposed, where dY is the other operand. */
static void bias_task(void *arg, size_t task, unsigned thread)
{
    const gradient *g = arg;
    word *panel = (word *)(void *)scratch_of(g->be, thread);
    size_t column = task * TILE_NR, columns = columns_of(g, column);
    for (size_t r = 0; r < g->R; r += CHUNK) {
        size_t rows = chunk_rows(g, r);
        pack_act_panel(panel, g->dy + r * g->dy_row + column, g->dy_row, columns, rows);
        add_bias_gradient(g->db + column, panel, columns, words_in(rows));
    }
}

/* Rectangles as large as leaves every thread two tasks: packing costs in
 * proportion to a rectangle's sides, arithmetic to its area.  Their size may
 * depend on the number of threads, because no sum is split. */
static void run_gradient(gradient *g)
{
    size_t wanted = 2 * bg_pool_threads(g->be->pool), panels = count_panels(g->N), k_range = GRADIENT_K;
    g->panels = GRADIENT_N / TILE_NR;
    while (count_tasks(g->K, k_range) * count_tasks(panels, g->panels) < wanted && (k_range > 64 || g->panels > 1)) {
        if (k_range > 64 && (k_range >= g->panels * TILE_NR || g->panels == 1))
            k_range /= 2;
        else
            g->panels -= 1;
    }
    g->k_ranges = count_tasks(g->K, k_range);
    g->k_range = count_tasks(count_tasks(g->K, g->k_ranges), TILE_MR) * TILE_MR;
    g->k_ranges = count_tasks(g->K, g->k_range);
    bg_pool_run(g->be->pool, gradient_task, g, g->k_ranges * count_tasks(panels, g->panels));
}

static void linear_back_weight(bg_backend *be, const bg_weight *w, const void *x, const void *dy, size_t R)
{
    size_t x_row = act_stride(w->K), dy_row = act_stride(w->N);
    gradient g = { .be = be, .x = x, .dy = dy, .dw = w->dw, .db = w->db, .R = R, .K = w->K, .N = w->N, .x_row = x_row, .dy_row = dy_row };
    if (!w->transposed) {
        run_gradient(&g);
        return;
    }
    if (w->db)
        bg_pool_run(be->pool, bias_task, &g, count_panels(w->N));
    gradient t = { .be = be, .x = dy, .dy = x, .dw = w->dw, .R = R, .K = w->N, .N = w->K, .x_row = dy_row, .dy_row = x_row };
    run_gradient(&t);
}
