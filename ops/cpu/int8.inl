/* y = x W + b with weights of eight bits, for generation and evaluation: column n
 * of W is scale[n] times integers in [-127,127].
 *
 * A row of x is taken as scale times integers of fourteen bits, once per product: its
 * largest element is 8191.  They are kept as two planes of seven bits each, x = 128 h + l, so
 * that each plane meets W in instructions for bytes (vpdpbusd, or vpmaddubsw: seven bits
 * are what its sums of pairs hold) and one pass over W serves both.  All sums are integers
 * and exact, whatever the instruction, the tile and their order.  Only the weights' rounding costs accuracy. */

enum {
    INT8_LARGEST = 127,              /* of a weight */
    INT8_DEPTH = 4,                  /* weights of a word: neighbours of the reduction */
    PLANE_BITS = 7,
    PLANE_ONE = 1 << PLANE_BITS,
    PLANES_ZERO = 1 << (2 * PLANE_BITS - 1), /* the planes of x = 0: they hold x + 8192 */
    PLANES_LARGEST = PLANES_ZERO - 1,
    INT8_ROWS = 3,                   /* of a tile: 3 rows x 2 planes x TILE_NV sums */
    INT8_BLOCK = 12                  /* rows whose planes a task holds */
};

typedef int32_t int8_word __attribute__((may_alias));

typedef struct int8_weight {
    int8_word *panels; /* (panels of N, words of K, TILE_NR) */
    float *scale;      /* (panel_columns(N)) */
    int32_t *sum;      /* (panel_columns(N)): of a column's integers, times what the upper plane is too large by */
    float *bias;       /* (panel_columns(N)), zeros when there is none */
} int8_weight;

AI size_t int8_words(size_t K) { return (K + INT8_DEPTH - 1) / INT8_DEPTH; }
AI size_t plane_bytes(size_t K) { return (int8_words(K) * INT8_DEPTH + 63) / 64 * 64; }

static size_t int8_scratch(const bg_limits *limits)
{
    return INT8_BLOCK * 2 * plane_bytes(limits->max_width) / sizeof(float) + INT8_ROWS * TILE_NR + 16;
}

/* --- packing ------------------------------------------------------------------------ */

static bg_status int8_bind(const bg_sys *sys, bg_weight *w, bg_error *err)
{
    const size_t header = 64 / sizeof(float), columns = panel_columns(w->N), words = columns * int8_words(w->K);
    float *memory = bg_alloc(sys, header + words + 3 * columns, sizeof(float));
    if (!memory)
        return bg_fail_memory(err, "packed weights", (uint64_t)(header + words + 3 * columns) * sizeof(float));
    int8_weight *p = (int8_weight *)(void *)memory;
    _Static_assert(sizeof *p <= 64 && sizeof(int8_word) == sizeof(float), "the header is one cache line, words are as large as floats");
    p->panels = (int8_word *)(void *)(memory + header);
    p->scale = memory + header + words;
    p->sum = (int32_t *)(void *)(p->scale + columns);
    p->bias = p->scale + 2 * columns;
    w->packed = p;
    return BG_OK;
}

/* Column n of W as integers, into its place in a panel; what lies beyond K is zeros. */
static void int8_pack_column(const bg_weight *w, const int8_weight *p, size_t n)
{
    const size_t row = bg_weight_row(w), step = w->transposed ? 1 : row, first = n / TILE_NR * TILE_NR;
    const float *x = w->w + (w->transposed ? n * row : n);
    int8_t *to = (int8_t *)(p->panels + first * int8_words(w->K) + (n - first));
    float largest = 0;
    int32_t sum = 0;
    for (size_t k = 0; k < w->K; k++)
        largest = fabsf(x[k * step]) > largest ? fabsf(x[k * step]) : largest;
    const float inverse = largest > 0 ? INT8_LARGEST / largest : 0;
    for (size_t k = 0; k < int8_words(w->K) * INT8_DEPTH; k++) {
        const float q = k < w->K ? rintf(x[k * step] * inverse) : 0;
        const int8_t q8 = (int8_t)(q > INT8_LARGEST ? INT8_LARGEST : q >= -INT8_LARGEST ? q : -INT8_LARGEST);
        to[k / INT8_DEPTH * TILE_NR * INT8_DEPTH + k % INT8_DEPTH] = q8;
        sum += q8;
    }
    p->scale[n] = largest / INT8_LARGEST;
    p->sum[n] = sum * (PLANES_ZERO >> PLANE_BITS);
}

static void int8_pack_task(void *arg, size_t task, unsigned thread)
{
    const bg_weight *w = arg;
    const int8_weight *p = w->packed;
    const size_t first = task * TILE_NR, last = task_end(first, TILE_NR, w->N);
    if (last - first < TILE_NR) {
        memset(p->panels + first * int8_words(w->K), 0, TILE_NR * int8_words(w->K) * sizeof *p->panels);
        memset(p->scale + first, 0, TILE_NR * sizeof *p->scale);
        memset(p->sum + first, 0, TILE_NR * sizeof *p->sum);
    }
    memset(p->bias + first, 0, TILE_NR * sizeof *p->bias);
    if (w->b)
        memcpy(p->bias + first, w->b + first, (last - first) * sizeof *p->bias);
    for (size_t n = first; n < last; n++)
        int8_pack_column(w, p, n);
}

static void int8_pack(bg_backend *be, bg_weight *w) { bg_pool_run(be->pool, int8_pack_task, w, count_panels(w->N)); }

/* --- the planes of x --------------------------------------------------------------- */

typedef uint8_t plane_bytes_of_vector __attribute__((vector_size(VW)));

/* The upper plane, then the lower one; returns the row's scale.  A row that holds no
 * finite numbers only gets the scale NaN, and so does all that comes of it. */
static float int8_planes(uint8_t *upper, uint8_t *lower, const act *x, size_t K)
{
    vf most = vzero(), bad = vzero();
    for (size_t k = 0; k < K; k += VW) {
        const vi inside = vbelow(K - k < VW ? K - k : VW);
        const vf v = (vf)((vi)aload(x + k) & inside), magnitude = (vf)((vi)v & 0x7FFFFFFF);
        most = vmax(magnitude, most);
        bad += v * 0.0f; /* NaN of NaN and of infinity */
    }
    const float largest = vlargest(most), wrong = vsum(bad);
    const int none = !(largest > 1e-30f) || wrong != wrong;
    const vf factor = vset(none ? 0.0f : PLANES_LARGEST / largest);
    for (size_t k = 0; k < K; k += VW) {
        const vi inside = vbelow(K - k < VW ? K - k : VW);
        const vf scaled = none ? vzero() : vfma((vf)((vi)aload(x + k) & inside), factor, vset(PLANES_ZERO + 0.5f));
        const vi q = none ? (vi){ 0 } + PLANES_ZERO : __builtin_convertvector(scaled, vi);
        const plane_bytes_of_vector h = __builtin_convertvector(q >> PLANE_BITS, plane_bytes_of_vector);
        const plane_bytes_of_vector l = __builtin_convertvector(q & (PLANE_ONE - 1), plane_bytes_of_vector);
        memcpy(upper + k, &h, VW);
        memcpy(lower + k, &l, VW);
    }
    return wrong != wrong ? wrong : none ? 0.0f : largest / PLANES_LARGEST;
}

/* --- the product --------------------------------------------------------------------- */

/* sum += the four products of bytes in each word; dots: by the instruction made for it. */
AI vi int8_dot(const int dots, vi sum, vi x, vi w)
{
#if VW == 16 && defined(__AVX512BW__)
    if (dots) {
        /* written out, so that the level needs no machine with it */
        __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
        return sum;
    }
    return sum + (vi)_mm512_madd_epi16(_mm512_maddubs_epi16((__m512i)x, (__m512i)w), _mm512_set1_epi16(1));
#elif VW == 8 && defined(__AVX2__)
    return sum + (vi)_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)x, (__m256i)w), _mm256_set1_epi16(1));
#else
    return sum + (x & 0xFF) * (w << 24 >> 24) + (x >> 8 & 0xFF) * (w << 16 >> 24) + (x >> 16 & 0xFF) * (w << 8 >> 24) + (x >> 24) * (w >> 24);
#endif
}

typedef struct int8_product {
    bg_backend *be;
    const act *x;
    const int8_weight *w;
    size_t R, K, N, x_row;
    epilogue end;
    task_grid grid;
} int8_product;

/* c (mr, TILE_NR) = what mr rows of planes and nv vectors of a panel's columns give.  Row r of
 * planes: upper, then lower, `plane` bytes each. */
AI void int8_tile(const int dots, const int mr, const int nv, size_t words, const uint8_t *planes, size_t plane, const int8_word *panel,
                  const float *row_scale, const float *scale, const int32_t *zero, float *c)
{
    vi sum[INT8_ROWS][2][TILE_NV];
    UNROLL for (int r = 0; r < mr; r++)
        UNROLL for (int v = 0; v < nv; v++)
            sum[r][0][v] = sum[r][1][v] = (vi){ 0 };
    for (size_t k = 0; k < words; k++) {
        vi w[TILE_NV];
        UNROLL for (int v = 0; v < nv; v++)
            memcpy(&w[v], panel + k * TILE_NR + v * VW, sizeof w[v]);
        UNROLL for (int r = 0; r < mr; r++)
            UNROLL for (int half = 0; half < 2; half++) {
                int32_t four;
                memcpy(&four, planes + (size_t)(2 * r + half) * plane + k * INT8_DEPTH, sizeof four);
                UNROLL for (int v = 0; v < nv; v++)
                    sum[r][half][v] = int8_dot(dots, sum[r][half][v], four - (vi){ 0 }, w[v]);
            }
    }
    UNROLL for (int r = 0; r < mr; r++)
        UNROLL for (int v = 0; v < nv; v++) {
            vi z;
            memcpy(&z, zero + v * VW, sizeof z);
            const vf upper = __builtin_convertvector(sum[r][0][v] - z, vf), lower = __builtin_convertvector(sum[r][1][v], vf);
            vstore(c + (size_t)r * TILE_NR + v * VW, (upper * PLANE_ONE + lower) * (vload(scale + v * VW) * row_scale[r]));
        }
}

AI void int8_tiles(const int dots, const int8_product *p, size_t row, size_t rows, size_t j, const uint8_t *planes, size_t plane, const float *row_scale, float *c)
{
    const size_t words = int8_words(p->K), column = j * TILE_NR, left = count_vectors(p->N - column), nv = left < TILE_NV ? left : TILE_NV;
    const int8_word *panel = p->w->panels + column * words;
    const float *scale = p->w->scale + column;
    const int32_t *zero = p->w->sum + column;
    for (size_t r = 0, mr; r < rows; r += mr) {
        const uint8_t *at = planes + 2 * r * plane;
        mr = rows - r < INT8_ROWS ? rows - r : INT8_ROWS;
        /* a panel is packed whole: columns beyond the last are computed and left */
        if (mr == 1)
            int8_tile(dots, 1, TILE_NV, words, at, plane, panel, row_scale + r, scale, zero, c);
        else if (mr == 2)
            int8_tile(dots, 2, TILE_NV, words, at, plane, panel, row_scale + r, scale, zero, c);
        else
            int8_tile(dots, 3, TILE_NV, words, at, plane, panel, row_scale + r, scale, zero, c);
        finish_block(&p->end, c, TILE_NR, row + r, mr, column, nv);
    }
}

static void int8_task(void *arg, size_t task, unsigned thread)
{
    const int8_product *p = arg;
    const task_part t = grid_part(&p->grid, task);
    const size_t plane = plane_bytes(p->K), rows = t.row_end - t.row;
    float row_scale[INT8_BLOCK], *c = scratch_of(p->be, thread);
    uint8_t *planes = (uint8_t *)(c + INT8_ROWS * TILE_NR);
    for (size_t r = 0; r < rows; r++)
        row_scale[r] = int8_planes(planes + 2 * r * plane, planes + (2 * r + 1) * plane, p->x + (t.row + r) * p->x_row, p->K);
    const int dots = ((bg_cpu *)p->be)->byte_dots;
    for (size_t j = t.panel; j < t.panel_end; j++)
        if (dots)
            int8_tiles(1, p, t.row, rows, j, planes, plane, row_scale, c);
        else
            int8_tiles(0, p, t.row, rows, j, planes, plane, row_scale, c);
}

static void int8_linear(bg_backend *be, void *y, void *aux, const void *x, const bg_weight *w, bg_epilogue e, size_t R, const bg_dropout *drop)
{
    const int8_weight *packed = w->packed;
    int8_product p = { .be = be, .x = x, .w = packed, .R = R, .K = w->K, .N = w->N, .x_row = act_stride(w->K),
                       .end = epilogue_of(y, aux, packed->bias, e, w->N, drop) };
    if (R == 0)
        return;
    /* a panel takes about as long as a narrow product's, of half the depth */
    const size_t rows = R < INT8_BLOCK ? R : INT8_BLOCK;
    p.grid = grid_of(R, INT8_BLOCK, INT8_ROWS, count_panels(w->N), (double)int8_words(w->K) * TILE_NR * (double)(rows > 6 ? rows : 6) * 3e-11);
    bg_pool_run(be->pool, int8_task, &p, p.grid.tasks);
}
