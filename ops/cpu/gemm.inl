/* Products of fp32 matrices: one micro-kernel for everything.
 *
 * A tile is at most TILE_MR rows x TILE_NV vectors of C, held in registers
 * while k runs:  C[r][.] += A[r][k] * B[k][.].  A is read one element at a
 * time with any strides, so X W takes X by rows as it lies and a product with a transpose takes
 * it by columns.  B is read in rows of the tile's width.
 *
 * Each element is one chain of multiply-adds over k in ascending order, the
 * same instructions for every tile size: the bits of a row do not depend on
 * the tile it falls into, nor on where k is cut into runs (a run goes on from
 * the stored sum). */

enum {
    TILE_MR = 6,
    TILE_NR = TILE_NV * VW, /* columns of a panel */
};

typedef void tile_fn(size_t k, const float *a, size_t a_row, size_t a_k, const float *b, size_t b_k, float *c, size_t c_row, int more);

AI void tile(const int mr, const int nv, size_t k, const float *a, size_t a_row, size_t a_k, const float *b, size_t b_k, float *c, size_t c_row, int more)
{
    vf sum[TILE_MR][TILE_NV];
    UNROLL for (int r = 0; r < mr; r++)
        UNROLL for (int v = 0; v < nv; v++)
            sum[r][v] = more ? vload(c + (size_t)r * c_row + v * VW) : vzero();
    for (; k > 0; k--) {
        vf row[TILE_NV];
        UNROLL for (int v = 0; v < nv; v++)
            row[v] = vload(b + v * VW);
        UNROLL for (int r = 0; r < mr; r++) {
            vf x = vset(a[(size_t)r * a_row]);
            UNROLL for (int v = 0; v < nv; v++)
                sum[r][v] = vfma(x, row[v], sum[r][v]);
        }
        a += a_k;
        b += b_k;
    }
    UNROLL for (int r = 0; r < mr; r++)
        UNROLL for (int v = 0; v < nv; v++)
            vstore(c + (size_t)r * c_row + v * VW, sum[r][v]);
}

#define TILE(mr, nv)                                                                                     \
    static void tile_##mr##_##nv(size_t k, const float *a, size_t a_row, size_t a_k, const float *b,     \
                                 size_t b_k, float *c, size_t c_row, int more)                           \
    {                                                                                                    \
        tile(mr, nv, k, a, a_row, a_k, b, b_k, c, c_row, more);                                          \
    }
#define TILES(nv) TILE(1, nv) TILE(2, nv) TILE(3, nv) TILE(4, nv) TILE(5, nv) TILE(6, nv)
#define TILE_NAMES(nv) { tile_1_##nv, tile_2_##nv, tile_3_##nv, tile_4_##nv, tile_5_##nv, tile_6_##nv }

TILES(1)
TILES(2)
#if TILE_NV == 4
TILES(3)
TILES(4)
static tile_fn *const tiles[TILE_NV][TILE_MR] = { TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3), TILE_NAMES(4) };
#else
static tile_fn *const tiles[TILE_NV][TILE_MR] = { TILE_NAMES(1), TILE_NAMES(2) };
#endif

/* Rows of the next tile when `left` remain: seven or eight are halved, because
 * a tile of one or two rows waits for its sums more than it computes. */
AI size_t tile_rows(size_t left)
{
    return left <= TILE_MR ? left : left < TILE_MR + 3 ? (left + 1) / 2 : TILE_MR;
}

AI size_t count_vectors(size_t columns) { return (columns + VW - 1) / VW; }
AI size_t count_panels(size_t columns) { return (columns + TILE_NR - 1) / TILE_NR; }
/* Columns rounded up to whole panels. */
AI size_t panel_columns(size_t columns) { return count_panels(columns) * TILE_NR; }

/* C (m, vectors * VW) = or += A (m,k) B (k, .).  Panel j of B starts at
 * b + j * b_panel and has rows b_k apart: packed panels and plain matrices are
 * both of this form. */
typedef struct operand {
    const float *p;
    size_t row, k; /* strides over m (panels of B) and over k */
} operand;

static void small_product(size_t m, size_t vectors, size_t k, operand a, operand b, float *c, size_t c_row, int more)
{
    for (size_t j = 0; j * TILE_NV < vectors; j++) {
        size_t nv = vectors - j * TILE_NV < TILE_NV ? vectors - j * TILE_NV : TILE_NV;
        for (size_t r = 0, mr; r < m; r += mr) {
            mr = tile_rows(m - r);
            tiles[nv - 1][mr - 1](k, a.p + r * a.row, a.row, a.k, b.p + j * b.row, b.k, c + r * c_row + j * TILE_NR, c_row, more);
        }
    }
}
