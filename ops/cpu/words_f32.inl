/* Operands of products at an fp32 level: a word is a float.  Its counterpart is
 * words_pair.inl; weights.inl, linear.inl and gradient.inl use only what both define. */
typedef float word;

enum { WORD_DEPTH = 1 }; /* elements of the reduction in a word */

#define word_tiles tiles

/* (k, columns) as words: a panel of TILE_NR columns, zeros beyond the last one. */
static void pack_panel(word *panel, const float *x, size_t x_row, size_t columns, size_t k)
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

/* Panels of the transpose: column c of the packed matrix is row c of x
 * (columns, k).  Columns beyond the last are zeros up to a whole panel. */
static void pack_panel_transposed(word *panel, const float *x, size_t x_row, size_t columns, size_t k)
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

/* The same of activations, for gradients. */
AI void pack_act_panel(word *panel, const act *x, size_t x_row, size_t columns, size_t rows) { pack_panel(panel, x, x_row, columns, rows); }

/* Columns [0,columns) of `rows` rows as words in strips of TILE_MR columns (a strip is a tile's
 * rows, read in sequence): word i of strip t is at to + t * strip + i * TILE_MR. */
static void pack_strips(word *to, size_t strip, const act *x, size_t x_row, size_t columns, size_t rows, word *spare)
{
    for (size_t r = 0; r < rows; r++) {
        const float *from = x + r * x_row;
        word *at = to + r * TILE_MR;
        size_t k = 0;
        for (; k + TILE_MR <= columns; k += TILE_MR, at += strip)
            memcpy(at, from + k, TILE_MR * sizeof(word));
        if (k < columns)
            memcpy(at, from + k, (columns - k) * sizeof(word));
    }
}

/* Column sums of a packed panel's vector at column c, added to `sum` in row order. */
AI vf panel_sum(const word *panel, size_t words, size_t c, vf sum)
{
    for (size_t r = 0; r < words; r++)
        sum += vload(panel + r * TILE_NR + c);
    return sum;
}

/* The last word of `mr` rows where the reduction ends inside it: never here. */
AI void tail_words(word *to, const word *a, size_t a_row, size_t mr) { }
