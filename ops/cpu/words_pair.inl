/* Operands of products at the levels that multiply pairs: a word holds two
 * neighbours of the reduction, (x[k], x[k+1]) with x[k] in the low half, so that one
 * broadcast from a row of activations as it lies meets a row of packed weights.
 * Its counterpart is words_f32.inl.
 *
 * Two kinds of arithmetic:
 *   bf16  sum += x[k] w[k] + x[k+1] w[k+1] in fp32 (vdpbf16ps);
 *   fp16  the halves of a word are summed apart in fp16, CHAIN words at most, then
 *         widened and added to fp32 sums: twice the rate of fp32, and over such short
 *         runs less error than exact sums of bf16 operands.  PAIR_HALF_SUMS says so. */
typedef int32_t word __attribute__((may_alias));

enum { WORD_DEPTH = 2 };

AI vi words_load(const word *p)
{
    vi v;
    memcpy(&v, p, sizeof v);
    return v;
}
AI void words_store(word *p, vi v) { memcpy(p, &v, sizeof v); }
AI vi words_of(vh low, vh high) { return (vi)(__builtin_convertvector(low, vu) | __builtin_convertvector(high, vu) << 16); }
AI vf words_low(vi w) { return vwiden(__builtin_convertvector((vu)w, vh)); }
AI vf words_high(vi w) { return vwiden(__builtin_convertvector((vu)w >> 16, vh)); }

#ifdef PAIR_HALF_SUMS
enum { CHAIN = 64 };

/* Where the columns of a vector of words lie.  A vector of half sums (e0 o0 e1 o1 ...) is widened
 * as two vectors of sixteen; their even and odd elements, picked lane by lane, then come
 * out in natural order (measured: permutes here cost more than all else of the widening). */
AI vi column_order(vi w) { return __builtin_shufflevector(w, w, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15); }
AI vf column_natural(vf v) { return __builtin_shufflevector(v, v, 0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15); }

#if defined(__AVX512FP16__)
typedef __m512h pair_sums;
AI pair_sums pair_zero(void) { return _mm512_setzero_ph(); }
AI pair_sums pair_add(pair_sums s, vi x, vi w) { return _mm512_fmadd_ph((__m512h)(__m512i)w, (__m512h)(__m512i)x, s); }
AI void pair_keep(uint16_t *to, pair_sums s) { memcpy(to, &s, sizeof s); }
#else
/* The same in fp32 with a rounding after each step; double rounding is possible. */
typedef struct pair_sums { vf even, odd; } pair_sums;
AI pair_sums pair_zero(void) { return (pair_sums){ vzero(), vzero() }; }
AI pair_sums pair_add(pair_sums s, vi x, vi w)
{
    return (pair_sums){ vwiden(vnarrow(vfma(words_low(x), words_low(w), s.even))), vwiden(vnarrow(vfma(words_high(x), words_high(w), s.odd))) };
}
AI void pair_keep(uint16_t *to, pair_sums s)
{
    const vi w = words_of(vnarrow(s.even), vnarrow(s.odd));
    memcpy(to, &w, sizeof w);
}
#endif

/* Even plus odd sums of a vector's columns, in fp32. */
AI vf pair_widen(pair_sums s)
{
    uint16_t h[2 * VW] __attribute__((aligned(64)));
    pair_keep(h, s);
    const vf a = aload(h), b = aload(h + VW);
    return __builtin_shufflevector(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
           __builtin_shufflevector(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
}
#else
AI vi column_order(vi w) { return w; }
AI vf column_natural(vf v) { return v; }

typedef vf pair_sums;
AI pair_sums pair_zero(void) { return vzero(); }
#if defined(__AVX512BF16__)
AI pair_sums pair_add(pair_sums s, vi x, vi w) { return (vf)_mm512_dpbf16_ps((__m512)s, (__m512bh)(__m512i)w, (__m512bh)(__m512i)x); }
#else
AI pair_sums pair_add(pair_sums s, vi x, vi w) { return s + words_high(x) * words_high(w) + words_low(x) * words_low(w); }
#endif
#endif

AI vi word_spread(const word *p) { return *p - (vi){ 0 }; }

/* tile() of gemm.inl on words: C (mr, nv vectors) = or += A (mr,k) B (k, .).  Where half sums are
 * widened follows from k alone, and runs of k are cut at multiples of CHAIN, so here
 * too a row's bits do not depend on the tile. */
typedef void word_tile_fn(size_t k, const word *a, size_t a_row, size_t a_k, const word *b, size_t b_k, float *c, size_t c_row, int more);

AI void word_tile(const int mr, const int nv, size_t k, const word *a, size_t a_row, size_t a_k, const word *b, size_t b_k, float *c, size_t c_row, int more)
{
#ifdef PAIR_HALF_SUMS
    for (size_t n; k > 0 || !more; k -= n, more = 1) {
        n = k < CHAIN ? k : CHAIN;
        pair_sums sum[TILE_MR][TILE_NV];
        UNROLL for (int r = 0; r < mr; r++)
            UNROLL for (int v = 0; v < nv; v++)
                sum[r][v] = pair_zero();
#else
    {
        size_t n = k;
        pair_sums sum[TILE_MR][TILE_NV];
        UNROLL for (int r = 0; r < mr; r++)
            UNROLL for (int v = 0; v < nv; v++)
                sum[r][v] = more ? vload(c + (size_t)r * c_row + v * VW) : vzero();
#endif
        for (size_t i = 0; i < n; i++) {
            vi row[TILE_NV];
            UNROLL for (int v = 0; v < nv; v++)
                row[v] = words_load(b + v * VW);
            UNROLL for (int r = 0; r < mr; r++) {
                const vi x = word_spread(a + (size_t)r * a_row);
                UNROLL for (int v = 0; v < nv; v++)
                    sum[r][v] = pair_add(sum[r][v], x, row[v]);
            }
            a += a_k;
            b += b_k;
        }
        UNROLL for (int r = 0; r < mr; r++)
            UNROLL for (int v = 0; v < nv; v++) {
                float *to = c + (size_t)r * c_row + v * VW;
#ifdef PAIR_HALF_SUMS
                vstore(to, more ? vload(to) + pair_widen(sum[r][v]) : pair_widen(sum[r][v]));
#else
                vstore(to, sum[r][v]);
#endif
            }
    }
}

#define WORD_TILE(mr, nv)                                                                                     \
    static void word_tile_##mr##_##nv(size_t k, const word *a, size_t a_row, size_t a_k, const word *b,       \
                                      size_t b_k, float *c, size_t c_row, int more)                           \
    {                                                                                                         \
        word_tile(mr, nv, k, a, a_row, a_k, b, b_k, c, c_row, more);                                          \
    }
#define WORD_TILES(nv) WORD_TILE(1, nv) WORD_TILE(2, nv) WORD_TILE(3, nv) WORD_TILE(4, nv) WORD_TILE(5, nv) WORD_TILE(6, nv)
#define WORD_TILE_NAMES(nv) { word_tile_1_##nv, word_tile_2_##nv, word_tile_3_##nv, word_tile_4_##nv, word_tile_5_##nv, word_tile_6_##nv }

WORD_TILES(1)
WORD_TILES(2)
WORD_TILES(3)
WORD_TILES(4)
static word_tile_fn *const word_tiles[TILE_NV][TILE_MR] = { WORD_TILE_NAMES(1), WORD_TILE_NAMES(2), WORD_TILE_NAMES(3), WORD_TILE_NAMES(4) };

AI vf floats_at(const float *x, size_t n) { return n >= VW ? vload(x) : n > 0 ? vload_part(x, n) : vzero(); }

/* (k, columns) floats, narrowed, as a panel of words of TILE_NR columns; zeros beyond the
 * last column and the last k. */
static void pack_panel(word *panel, const float *x, size_t x_row, size_t columns, size_t k)
{
    for (size_t i = 0; i < k; i += 2, panel += TILE_NR)
        for (size_t c = 0; c < TILE_NR; c += VW) {
            const size_t n = columns > c ? columns - c : 0;
            const vf low = floats_at(x + i * x_row + c, n), high = floats_at(x + (i + 1) * x_row + c, i + 1 < k ? n : 0);
            words_store(panel + c, column_order(words_of(vnarrow(low), vnarrow(high))));
        }
}

/* Of the transpose: column c of the packed matrix is row c of x (columns, k). */
static void pack_panel_transposed(word *panel, const float *x, size_t x_row, size_t columns, size_t k)
{
    for (size_t c = 0; c < TILE_NR; c += VW)
        for (size_t i = 0; i < k; i += 2 * VW) {
            vf t[VW];
            const size_t w = k - i < 2 * VW ? k - i : 2 * VW;
            for (size_t r = 0; r < VW; r++) {
                const float *from = x + (c + r) * x_row + i;
                const size_t n = c + r < columns ? w : 0;
                const vh low = vnarrow(floats_at(from, n)), high = vnarrow(floats_at(from + VW, n > VW ? n - VW : 0));
                memcpy(&t[r], &low, sizeof low);
                memcpy((char *)&t[r] + sizeof low, &high, sizeof high);
            }
            vtranspose(t);
            for (size_t r = 0; r < (w + 1) / 2; r++)
                words_store(panel + (i / 2 + r) * TILE_NR + c, column_order((vi)t[r]));
        }
}

/* Rows of activations are padded to whole vectors, whose rubbish is cut here. */
AI vh acts_at(const act *x, size_t n)
{
    vh h = { 0 };
    if (n >= VW)
        memcpy(&h, x, sizeof h);
    else
        memcpy(&h, x, n * sizeof(act));
    return h;
}

static void pack_act_panel(word *panel, const act *x, size_t x_row, size_t columns, size_t rows)
{
    for (size_t r = 0; r < rows; r += 2, panel += TILE_NR)
        for (size_t c = 0; c < TILE_NR; c += VW) {
            const size_t n = columns > c ? columns - c : 0;
            words_store(panel + c, column_order(words_of(acts_at(x + r * x_row + c, n), acts_at(x + (r + 1) * x_row + c, r + 1 < rows ? n : 0))));
        }
}

/* spare: at least columns + VW words. */
static void pack_strips(word *to, size_t strip, const act *x, size_t x_row, size_t columns, size_t rows, word *spare)
{
    for (size_t r = 0; r < rows; r += 2) {
        const act *from = x + r * x_row;
        word *at = to + r / 2 * TILE_MR;
        for (size_t k = 0; k < columns; k += VW) {
            const size_t n = columns - k;
            words_store(spare + k, words_of(acts_at(from + k, n), acts_at(from + x_row + k, r + 1 < rows ? n : 0)));
        }
        for (size_t k = 0; k < columns; k += TILE_MR, at += strip)
            memcpy(at, spare + k, TILE_MR * sizeof(word));
    }
}

AI vf panel_sum(const word *panel, size_t words, size_t c, vf sum)
{
    vf all = vzero();
    for (size_t r = 0; r < words; r++) {
        const vi w = words_load(panel + r * TILE_NR + c);
        all += words_low(w);
        all += words_high(w);
    }
    return sum + column_natural(all);
}

/* The last word of `mr` rows where the reduction ends inside it: without what
 * lies behind the row's end, which may be anything. */
AI void tail_words(word *to, const word *a, size_t a_row, size_t mr)
{
    for (size_t r = 0; r < mr; r++)
        to[r] = a[r * a_row] & 0xFFFF;
}
