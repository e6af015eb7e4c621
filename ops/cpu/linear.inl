/* y = x W + b with its epilogues, and dx = dy W^T: the same blocked product
 * over packed panels. */

/* Rows of a block: with the panel in the second-level cache, 96 rows use each
 * element of it 96 times; more rows gain nothing (measured: 96 to 384 alike). */
enum { ROW_BLOCK = 96 };

/* The reduction is cut into runs of at most so many words: 6 rows of a run (18 KiB) stay in the
 * first-level cache, a panel of it (192 KiB with 64 columns) in the second. */
enum { WORD_RUN = 768 };

typedef struct product {
    bg_backend *be;
    const word *a, *panels;      /* (R, depth), panels of (depth, width) */
    size_t R, depth, width, a_row; /* depth and a_row in words */
    int tail;                    /* the reduction ends inside the last word */
    epilogue end;
    task_grid grid;
} product;

AI size_t product_scratch(void) { return (size_t)ROW_BLOCK * TILE_NR; }

/* Sums of mr rows over words [k, k+run). */
AI void product_tile(const product *p, size_t r, size_t mr, size_t nv, size_t k, size_t run, const word *panel, float *c)
{
    const word *a = p->a + r * p->a_row + k;
    const size_t whole = p->tail && k + run == p->depth ? run - 1 : run;
    word last[TILE_MR];
    word_tiles[nv - 1][mr - 1](whole, a, p->a_row, 1, panel + k * TILE_NR, TILE_NR, c, TILE_NR, k > 0);
    if (whole == run)
        return;
    tail_words(last, a + whole, p->a_row, mr);
    word_tiles[nv - 1][mr - 1](1, last, 1, 1, panel + (k + whole) * TILE_NR, TILE_NR, c, TILE_NR, 1);
}

/* A block of rows times one panel.  Sums wait in scratch between runs;
 * with a single run one tile of scratch serves all. */
static void product_panel(const product *p, size_t begin, size_t end, size_t j, float *scratch)
{
    size_t column = j * TILE_NR, left = count_vectors(p->width - column);
    size_t nv = left < TILE_NV ? left : TILE_NV;
    const word *panel = p->panels + column * p->depth;
    for (size_t k = 0; k < p->depth; k += WORD_RUN) {
        size_t run = p->depth - k < WORD_RUN ? p->depth - k : WORD_RUN;
        for (size_t r = begin, mr; r < end; r += mr) {
            mr = tile_rows(end - r);
            float *c = scratch + (p->depth > WORD_RUN ? (r - begin) * TILE_NR : 0);
            product_tile(p, r, mr, nv, k, run, panel, c);
            if (k + run == p->depth)
                finish_block(&p->end, c, TILE_NR, r, mr, column, nv);
        }
    }
}

static void product_task(void *arg, size_t task, unsigned thread)
{
    const product *p = arg;
    const task_part t = grid_part(&p->grid, task);
    for (size_t j = t.panel; j < t.panel_end; j++)
        product_panel(p, t.row, t.row_end, j, scratch_of(p->be, thread));
}

static void run_product(product *p)
{
    if (p->R == 0)
        return;
    /* a panel takes its arithmetic (5e10 words a second) or, with few rows, its reading (3e10 bytes a second) */
    const size_t rows = p->R < 10 ? 10 : p->R < ROW_BLOCK ? p->R : ROW_BLOCK;
    p->grid = grid_of(p->R, ROW_BLOCK, TILE_MR, count_panels(p->width), (double)p->depth * TILE_NR * (double)rows * 2e-11);
    bg_pool_run(p->be->pool, product_task, p, p->grid.tasks);
}

static void linear(bg_backend *be, void *y, void *aux, const void *x, const bg_weight *w, bg_epilogue e, size_t R, const bg_dropout *drop)
{
    if (w->form == BG_WEIGHTS_INT8) {
        int8_linear(be, y, aux, x, w, e, R, drop);
        return;
    }
    const packed_weight *packed = w->packed;
    assert(packed);
    product p = {
        .be = be, .a = x, .panels = packed->forward, .R = R, .depth = words_in(w->K), .width = w->N,
        .a_row = act_stride(w->K) / WORD_DEPTH, .tail = w->K % WORD_DEPTH != 0, .end = epilogue_of(y, aux, packed->bias, e, w->N, drop),
    };
    run_product(&p);
}

static void linear_back_input(bg_backend *be, void *dx, const void *dy, const void *z, void *g, const bg_weight *w, size_t R)
{
    const packed_weight *packed = w->packed;
    assert(w->form == BG_WEIGHTS_TRAIN);
    product p = {
        .be = be, .a = dy, .panels = packed->back, .R = R, .depth = words_in(w->N), .width = w->K,
        .a_row = act_stride(w->N) / WORD_DEPTH, .tail = w->N % WORD_DEPTH != 0, .end = epilogue_back(dx, z, g, w->K),
    };
    run_product(&p);
}
