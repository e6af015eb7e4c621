/* y = x W + b with its epilogues, and dx = dy W^T: the same blocked product
 * over packed panels. */

/* Rows of a block: with the panel in the second-level cache, 96 rows use each
 * element of it 96 times; more rows gain nothing (measured: 96 to 384 alike). */
enum { ROW_BLOCK = 96 };

/* k is cut into runs of at most so many: 6 rows of a run (18 KiB) stay in the
 * first-level cache, a panel of it (192 KiB with 64 columns) in the second. */
enum { K_RUN = 768 };

/* What happens to a finished tile. */
typedef enum finish {
    FINISH_STORE,    /* y = c + bias */
    FINISH_GELU,     /* y = gelu(c + bias), aux = c + bias */
    FINISH_RESIDUAL, /* y = aux + drop(c + bias) */
    FINISH_SLOPE     /* y = c gelu'(aux) */
} finish;

typedef struct product {
    bg_backend *be;
    const float *a, *panels, *bias; /* (R,depth), panels of (depth,width), NULL or padded */
    float *y, *aux;                 /* (R,width) */
    size_t R, depth, width, a_row, y_row;
    finish how;
    const bg_dropout *drop;
    size_t row_block, row_blocks, group; /* group: panels of a task */
} product;

AI size_t product_scratch(void) { return (size_t)ROW_BLOCK * TILE_NR; }

/* One row of a finished tile. */
AI void finish_row(const product *p, const float *c, size_t row, size_t column, size_t nv)
{
    float *y = p->y + row * p->y_row + column, *aux = p->aux ? p->aux + row * p->y_row + column : NULL;
    const float *bias = p->bias ? p->bias + column : NULL;
    for (size_t i = 0; i < nv * VW; i += VW) {
        vf v = vload(c + i);
        if (bias)
            v += vload(bias + i);
        switch (p->how) {
        case FINISH_STORE:
            break;
        case FINISH_GELU:
            if (aux)
                vstore(aux + i, v);
            v = vgelu(v);
            break;
        case FINISH_RESIDUAL:
            v += vload(aux + i);
            break;
        case FINISH_SLOPE:
            v *= vgelu_slope(vload(aux + i));
            break;
        }
        vstore(y + i, v);
    }
}

/* The residual's dropout, in the place of the tile, bias included. */
static void drop_tile_row(const product *p, float *c, size_t row, size_t column)
{
    mask_maker m = mask_open(p->drop);
    float factor[DROP_COLUMNS];
    size_t skip = column % DROP_COLUMNS; /* a panel lies within one block of 64 columns */
    mask_64(&m, factor, bg_drop_index(p->drop, row), (uint32_t)((column - skip) / BG_DROP_GROUP));
    for (size_t i = 0; i < TILE_NR; i += VW)
        vstore(c + i, (vload(c + i) + vload(p->bias + column + i)) * vload(factor + skip + i));
}

static void finish_tile(const product *p, float *c, size_t row, size_t mr, size_t column, size_t nv)
{
    product plain;
    if (p->drop) {
        for (size_t r = 0; r < mr; r++)
            drop_tile_row(p, c + r * TILE_NR, row + r, column);
        plain = *p;
        plain.bias = NULL; /* it is in */
        p = &plain;
    }
    for (size_t r = 0; r < mr; r++)
        finish_row(p, c + r * TILE_NR, row + r, column, nv);
}

/* A block of rows times one panel.  Sums wait in scratch between runs of k;
 * with a single run one tile of scratch serves all. */
static void product_panel(const product *p, size_t begin, size_t end, size_t j, float *scratch)
{
    size_t column = j * TILE_NR, left = count_vectors(p->width - column);
    size_t nv = left < TILE_NV ? left : TILE_NV;
    const float *panel = p->panels + column * p->depth;
    for (size_t k = 0; k < p->depth; k += K_RUN) {
        size_t run = p->depth - k < K_RUN ? p->depth - k : K_RUN;
        for (size_t r = begin, mr; r < end; r += mr) {
            mr = tile_rows(end - r);
            float *c = scratch + (p->depth > K_RUN ? (r - begin) * TILE_NR : 0);
            tiles[nv - 1][mr - 1](run, p->a + r * p->a_row + k, p->a_row, 1, panel + k * TILE_NR, TILE_NR, c, TILE_NR, k > 0);
            if (k + run == p->depth)
                finish_tile(p, c, r, mr, column, nv);
        }
    }
}

static void product_task(void *arg, size_t task, unsigned thread)
{
    const product *p = arg;
    size_t begin = task % p->row_blocks * p->row_block, end = task_end(begin, p->row_block, p->R);
    size_t first = task / p->row_blocks * p->group, last = task_end(first, p->group, count_panels(p->width));
    for (size_t j = first; j < last; j++)
        product_panel(p, begin, end, j, scratch_of(p->be, thread));
}

/* Cut the product into tasks: blocks of rows, and groups of panels until there
 * are enough tasks for many threads or they would become too small to hand out. */
static void run_product(product *p)
{
    enum { MANY_TASKS = 64 };
    const double small_task = 1e-5; /* seconds, against about one microsecond for handing out */
    if (p->R == 0)
        return;
    p->row_blocks = count_tasks(p->R, ROW_BLOCK);
    p->row_block = count_tasks(count_tasks(p->R, p->row_blocks), TILE_MR) * TILE_MR;
    p->row_blocks = count_tasks(p->R, p->row_block);
    size_t panels = count_panels(p->width), rows = p->R < p->row_block ? p->R : p->row_block;
    /* a panel takes its arithmetic (1e11 a second) or, with few rows, its reading (3e10 bytes a second) */
    double per_panel = (double)p->depth * TILE_NR * (double)(rows > 10 ? rows : 10) * 2e-11;
    p->group = panels;
    while (p->group > 1 && p->row_blocks * count_tasks(panels, p->group) < MANY_TASKS && per_panel * (double)p->group > small_task)
        p->group = (p->group + 1) / 2;
    bg_pool_run(p->be->pool, product_task, p, p->row_blocks * count_tasks(panels, p->group));
}

static void linear(bg_backend *be, void *y, void *aux, const void *x, const bg_weight *w, bg_epilogue e, size_t R, const bg_dropout *drop)
{
    static const finish how[] = {
        [BG_EPI_ACT] = FINISH_STORE, [BG_EPI_GELU] = FINISH_GELU, [BG_EPI_RESIDUAL] = FINISH_RESIDUAL, [BG_EPI_FLOAT] = FINISH_STORE,
    };
    const packed_weight *packed = w->packed;
    assert(packed);
    product p = {
        .be = be, .a = x, .panels = packed->forward, .bias = packed->bias, .y = y, .aux = aux,
        .R = R, .depth = w->K, .width = w->N, .a_row = act_stride(w->K), .y_row = act_stride(w->N),
        .how = how[e], .drop = e == BG_EPI_RESIDUAL && bg_drop_on(drop) ? drop : NULL,
    };
    run_product(&p);
}

static void linear_back_input(bg_backend *be, void *dx, const void *dy, const void *z, const bg_weight *w, size_t R)
{
    const packed_weight *packed = w->packed;
    assert(packed && packed->back);
    product p = {
        .be = be, .a = dy, .panels = packed->back, .y = dx, .aux = (void *)(uintptr_t)z,
        .R = R, .depth = w->N, .width = w->K, .a_row = act_stride(w->N), .y_row = act_stride(w->K),
        .how = z ? FINISH_SLOPE : FINISH_STORE,
    };
    run_product(&p);
}
