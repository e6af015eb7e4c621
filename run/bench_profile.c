/* A wrapper for each op that a pass calls.  The real op runs with the real
 * table in place, so an op that calls another one is timed once.
 *
 * Ops that only plan and reserve memory are left as they are.  The clock costs
 * some 50 ns a call; the figures of whole passes are taken without it. */
#include "run/bench_profile.h"

#include "run/trainer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- rows ------------------------------------------------------------------------ */

static unsigned magnitude(uint64_t R)
{
    unsigned n = 0;
    for (R = R ? R - 1 : 0; R > 0; R >>= 1)
        n++;
    return n;
}

static int same(const bg_profile_row *a, const bg_profile_row *b)
{
    return strcmp(a->op, b->op) == 0 && a->K == b->K && a->N == b->N && magnitude(a->R) == magnitude(b->R);
}

/* The last row takes what finds no place any more: times stay complete. */
static bg_profile_row *find_row(bg_profile *p, const bg_profile_row *key)
{
    static const bg_profile_row others = { .op = "other ops" };
    for (uint32_t i = 0; i < p->count; i++)
        if (same(&p->rows[i], key))
            return &p->rows[i];
    if (p->count == BG_PROFILE_ROWS)
        return &p->rows[BG_PROFILE_ROWS - 1];
    bg_profile_row *r = &p->rows[p->count++];
    *r = p->count == BG_PROFILE_ROWS ? others : *key;
    return r;
}

void bg_profile_shape(const bg_profile_row *r, char text[BG_PROFILE_SHAPE])
{
    text[0] = 0;
    if (r->R == 0)
        return;
    int n = snprintf(text, BG_PROFILE_SHAPE, "%" PRIu64, r->R);
    if (r->K)
        n += snprintf(text + n, BG_PROFILE_SHAPE - (size_t)n, "x%u", r->K);
    if (r->N)
        snprintf(text + n, BG_PROFILE_SHAPE - (size_t)n, "x%u", r->N);
}

/* --- the clock around a call ---------------------------------------------------------- */

typedef struct span {
    bg_profile *profile;
    const bg_ops *real;
    double begin;
} span;

static span begin(bg_backend *be)
{
    bg_profile *p = (bg_profile *)(uintptr_t)be->ops;
    be->ops = p->real;
    return (span){ p, p->real, bg_clock() };
}

static void end(const span *s, const char *op, uint64_t R, uint64_t K, uint64_t N, double flop)
{
    const double seconds = bg_clock() - s->begin;
    const bg_profile_row key = { .op = op, .R = R, .K = (uint32_t)K, .N = (uint32_t)N };
    bg_profile_row *r = find_row(s->profile, &key);
    if (R > r->R)
        r->R = R;
    r->calls++;
    r->seconds += seconds;
    r->flop += flop;
    s->profile->be->ops = &s->profile->ops;
}

/* --- FLOP ------------------------------------------------------------------------------ */

static double product(const bg_weight *w, size_t R) { return 2.0 * (double)R * w->K * w->N; }

/* A row at place i of its segment is multiplied with i+1 keys and i+1 values, 2C FLOP each.  Segments of uneven
 * length would count as the longest; what is measured here has none. */
static double causal(const bg_segments *s, size_t C)
{
    const double L = s->longest;
    return s->S * 2.0 * (double)C * L * (L + 1);
}

/* The same for rows of a cache.  Their places lie in the back end's memory. */
static double cached(bg_backend *be, const uint32_t *pos, size_t R, size_t C)
{
    double keys = 0;
    for (size_t r = 0; r < R; r++) {
        uint32_t at;
        be->ops->read(be, &at, pos + r, sizeof at);
        keys += at + 1.0;
    }
    return 4.0 * (double)C * keys;
}

/* --- one wrapper an op --------------------------------------------------------------------- */

#define TIMED(call, ...)                \
    do {                                \
        const span s_ = begin(be);      \
        s_.real->call;                  \
        end(&s_, __VA_ARGS__);          \
    } while (0)

static void p_zero(bg_backend *be, void *p, size_t bytes) { TIMED(zero(be, p, bytes), "zero", 0, 0, 0, 0); }
static void p_write(bg_backend *be, void *dst, const void *host, size_t bytes) { TIMED(write(be, dst, host, bytes), "write", 0, 0, 0, 0); }
static void p_read(bg_backend *be, void *host, const void *src, size_t bytes) { TIMED(read(be, host, src, bytes), "read", 0, 0, 0, 0); }

static bg_status p_sync(bg_backend *be, bg_error *err)
{
    bg_status status;
    const span s = begin(be);
    status = s.real->sync(be, err);
    end(&s, "sync", 0, 0, 0, 0);
    return status;
}

static void p_weights_changed(bg_backend *be, bg_weight *const *list, size_t n) { TIMED(weights_changed(be, list, n), "weights_changed", n, 0, 0, 0); }

static void p_linear(bg_backend *be, void *y, void *aux, const void *x, const bg_weight *w, bg_epilogue e, size_t R, const bg_dropout *drop)
{
    TIMED(linear(be, y, aux, x, w, e, R, drop), "linear", R, w->K, w->N, product(w, R));
}

static void p_linear_back_input(bg_backend *be, void *dx, const void *dy, const void *z, void *g, const bg_weight *w, size_t R)
{
    TIMED(linear_back_input(be, dx, dy, z, g, w, R), "linear_back_input", R, w->K, w->N, product(w, R));
}

static void p_linear_back_weight(bg_backend *be, const bg_weight *w, const void *x, const void *dy, size_t R)
{
    TIMED(linear_back_weight(be, w, x, dy, R), "linear_back_weight", R, w->K, w->N, product(w, R));
}

static void p_layernorm(bg_backend *be, void *y, float *mean, float *rstd, const float *x, const float *g, const float *b, size_t R, size_t C)
{
    TIMED(layernorm(be, y, mean, rstd, x, g, b, R, C), "layernorm", R, C, 0, 0);
}

static const void *p_layernorm_back(bg_backend *be, const bg_norm_back *n)
{
    const span s = begin(be);
    const void *result = s.real->layernorm_back(be, n);
    end(&s, "layernorm_back", n->R, n->C, 0, 0);
    return result;
}

static size_t segment_rows(const bg_segments *s) { return (size_t)s->S * s->longest; }

static void p_attention(bg_backend *be, void *out, float *lse, const void *qkv, const bg_segments *s, const bg_prefix *before, size_t C, const bg_dropout *drop)
{
    TIMED(attention(be, out, lse, qkv, s, before, C, drop), "attention", segment_rows(s), C, s->longest, causal(s, C));
}

/* Four products where forward has two; the scores, which are made again, are not counted. */
static void p_attention_back(bg_backend *be, void *dqkv, const void *dout, const void *out, const void *qkv, const float *lse, const bg_segments *s,
                             const bg_prefix *before, size_t C, const bg_dropout *drop)
{
    TIMED(attention_back(be, dqkv, dout, out, qkv, lse, s, before, C, drop), "attention_back", segment_rows(s), C, s->longest, 2 * causal(s, C));
}

static void p_attention_cached(bg_backend *be, void *out, const void *qkv, void *cache, size_t slots, size_t length, const uint32_t *slot,
                               const uint32_t *pos, size_t R, size_t C)
{
    const span s = begin(be);
    s.real->attention_cached(be, out, qkv, cache, slots, length, slot, pos, R, C);
    end(&s, "attention_cached", R, C, length, 0);
    const bg_profile_row key = { .op = "attention_cached", .R = R, .K = (uint32_t)C, .N = (uint32_t)length };
    bg_profile_off(s.profile); /* counting is no part of the pass */
    find_row(s.profile, &key)->flop += cached(be, pos, R, C);
    bg_profile_on(s.profile);
}

static void p_patch_embed(bg_backend *be, float *x, const uint16_t *tokens, const float *table, const float *bias, const float *wpe,
                          const uint32_t *pos, size_t R, size_t P, size_t V, size_t C)
{
    TIMED(patch_embed(be, x, tokens, table, bias, wpe, pos, R, P, V, C), "patch_embed", R, C, 0, 0);
}

static void p_patch_embed_back(bg_backend *be, float *dtable, float *dbias, float *dwpe, const float *dx, const uint16_t *tokens,
                               const uint32_t *pos, size_t R, size_t P, size_t V, size_t C)
{
    TIMED(patch_embed_back(be, dtable, dbias, dwpe, dx, tokens, pos, R, P, V, C), "patch_embed_back", R, C, 0, 0);
}

static void p_byte_embed(bg_backend *be, float *x, const void *feature, const uint32_t *src, const uint16_t *tokens, const uint32_t *token_row,
                         const float *wte, const float *wpe, size_t R, size_t P, size_t C)
{
    TIMED(byte_embed(be, x, feature, src, tokens, token_row, wte, wpe, R, P, C), "byte_embed", R * P, C, 0, 0);
}

static void p_byte_embed_back(bg_backend *be, void *dfeature, float *dwte, float *dwpe, const float *dx, const uint32_t *src,
                              const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C)
{
    TIMED(byte_embed_back(be, dfeature, dwte, dwpe, dx, src, tokens, token_row, R, P, C), "byte_embed_back", R * P, C, 0, 0);
}

static void p_byte_embed_step(bg_backend *be, float *x, const void *feature, const uint32_t *src, const uint16_t *token, const uint32_t *pos,
                              const float *wte, const float *wpe, size_t R, size_t C)
{
    TIMED(byte_embed_step(be, x, feature, src, token, pos, wte, wpe, R, C), "byte_embed_step", R, C, 0, 0);
}

static void p_rotate(bg_backend *be, void *qkv, const float *turn, const uint32_t *pos, size_t R, size_t C, int back)
{
    TIMED(rotate(be, qkv, turn, pos, R, C, back), "rotate", R, 2 * C, 0, 0);
}

static void p_convolve(bg_backend *be, void *y, const void *x, const float *w, uint32_t taps, const uint32_t *pos, size_t R, size_t C)
{
    TIMED(convolve(be, y, x, w, taps, pos, R, C), "convolve", R, C, 0, 0);
}

static void p_convolve_back(bg_backend *be, void *dx, float *dw, const void *dy, const void *x, const float *w, uint32_t taps, const uint32_t *pos, size_t R, size_t C)
{
    TIMED(convolve_back(be, dx, dw, dy, x, w, taps, pos, R, C), "convolve_back", R, C, 0, 0);
}

static void p_convolve_cached(bg_backend *be, void *y, const void *x, void *ring, size_t ring_rows, const float *w, uint32_t taps, const uint32_t *slot, const uint32_t *pos, size_t R, size_t C)
{
    TIMED(convolve_cached(be, y, x, ring, ring_rows, w, taps, slot, pos, R, C), "convolve_cached", R, C, 0, 0);
}

static void p_sum_rows(bg_backend *be, float *x, const float *table, const uint16_t *index, size_t R, size_t P, size_t C)
{
    TIMED(sum_rows(be, x, table, index, R, P, C), "sum_rows", R * P, C, 0, 0);
}

static void p_sum_rows_back(bg_backend *be, float *dtable, const float *dx, const uint16_t *index, size_t R, size_t P, size_t C)
{
    TIMED(sum_rows_back(be, dtable, dx, index, R, P, C), "sum_rows_back", R * P, C, 0, 0);
}

static void p_add_rows(bg_backend *be, float *x, const bg_row_table *tables, size_t count, size_t R, size_t P, size_t C)
{
    TIMED(add_rows(be, x, tables, count, R, P, C), "add_rows", count * R * P, C, 0, 0);
}

static void p_add_rows_back(bg_backend *be, const bg_row_table *dtables, size_t count, const float *dx, size_t R, size_t P, size_t C)
{
    TIMED(add_rows_back(be, dtables, count, dx, R, P, C), "add_rows_back", count * R * P, C, 0, 0);
}

static void p_token_rows(bg_backend *be, void *y, const float *table, const float *place, const uint16_t *tokens, const uint32_t *token_row, size_t R,
                         size_t P, size_t C)
{
    TIMED(token_rows(be, y, table, place, tokens, token_row, R, P, C), "token_rows", R * P, C, 0, 0);
}

static void p_token_rows_back(bg_backend *be, float *dtable, float *dplace, const void *dy, const uint16_t *tokens, const uint32_t *token_row, size_t R,
                              size_t P, size_t C)
{
    TIMED(token_rows_back(be, dtable, dplace, dy, tokens, token_row, R, P, C), "token_rows_back", R * P, C, 0, 0);
}

static void p_symbol_embed(bg_backend *be, float *x, const float *table, const float *place, const uint16_t *tokens, const uint32_t *token_row, size_t R,
                           size_t P, size_t C)
{
    TIMED(symbol_embed(be, x, table, place, tokens, token_row, R, P, C), "symbol_embed", R * P, C, 0, 0);
}

static void p_symbol_embed_back(bg_backend *be, float *dtable, float *dplace, const float *dx, const uint16_t *tokens, const uint32_t *token_row, size_t R,
                                size_t P, size_t C)
{
    TIMED(symbol_embed_back(be, dtable, dplace, dx, tokens, token_row, R, P, C), "symbol_embed_back", R * P, C, 0, 0);
}

static void p_add_part(bg_backend *be, void *y, size_t y_row, const void *x, size_t x_row, size_t R, size_t C)
{
    TIMED(add_part(be, y, y_row, x, x_row, R, C), "add_part", R, C, 0, 0);
}

static void p_cache_put(bg_backend *be, void *cache, size_t slots, size_t length, const uint32_t *slot, size_t n, const void *kv, size_t kv_row, size_t L,
                        size_t C)
{
    TIMED(cache_put(be, cache, slots, length, slot, n, kv, kv_row, L, C), "cache_put", n * L, C, 0, 0);
}

static void p_muon_begin(bg_backend *be, float *x, const bg_muon *u) { TIMED(muon_begin(be, x, u), "muon_begin", u->R, u->C, 0, 0); }
static void p_muon_end(bg_backend *be, const float *x, const bg_muon *u) { TIMED(muon_end(be, x, u), "muon_end", u->R, u->C, 0, 0); }
static void p_narrow(bg_backend *be, void *y, const float *x, size_t R, size_t C, float scale) { TIMED(narrow(be, y, x, R, C, scale), "narrow", R, C, 0, 0); }

static void p_gather_rows(bg_backend *be, void *y, const void *x, const uint32_t *idx, size_t R, size_t C)
{
    TIMED(gather_rows(be, y, x, idx, R, C), "gather_rows", R, C, 0, 0);
}

static void p_scatter_rows(bg_backend *be, void *dx, const void *dy, const uint32_t *idx, size_t R, size_t C)
{
    TIMED(scatter_rows(be, dx, dy, idx, R, C), "scatter_rows", R, C, 0, 0);
}

static void p_dropout(bg_backend *be, float *x, size_t R, size_t C, const bg_dropout *drop) { TIMED(dropout(be, x, R, C, drop), "dropout", R, C, 0, 0); }

static void p_cross_entropy(bg_backend *be, float *loss, void *dlogits, const float *logits, const uint16_t *tokens, const uint32_t *token_row,
                            size_t P, float scale, size_t R, size_t V)
{
    TIMED(cross_entropy(be, loss, dlogits, logits, tokens, token_row, P, scale, R, V), "cross_entropy", R, V, 0, 0);
}

static void p_segment_sums(bg_backend *be, double *host, const float *loss, const uint32_t *start, size_t S)
{
    TIMED(segment_sums(be, host, loss, start, S), "segment_sums", S, 0, 0, 0);
}

static double p_sum_squares(bg_backend *be, const float *x, size_t n)
{
    const span s = begin(be);
    const double sum = s.real->sum_squares(be, x, n);
    end(&s, "sum_squares", n, 0, 0, 0);
    return sum;
}

static void p_adamw(bg_backend *be, float *w, const float *g, float *m, float *v, size_t n, const bg_adamw *o)
{
    TIMED(adamw(be, w, g, m, v, n, o), "adamw", n, 0, 0, 0);
}

/* --- the table --------------------------------------------------------------------------------- */

void bg_profile_open(bg_profile *p, bg_backend *be)
{
    memset(p, 0, sizeof *p);
    p->be = be;
    p->real = be->ops;
    p->ops = *be->ops; /* what is not wrapped stays as it is */
#define WRAP(op) p->ops.op = p_##op
    WRAP(zero), WRAP(write), WRAP(read), WRAP(sync), WRAP(weights_changed);
    WRAP(linear), WRAP(linear_back_input), WRAP(linear_back_weight);
    WRAP(layernorm), WRAP(layernorm_back), WRAP(attention), WRAP(attention_back), WRAP(attention_cached), WRAP(rotate);
    WRAP(convolve), WRAP(convolve_back), WRAP(convolve_cached);
    WRAP(patch_embed), WRAP(patch_embed_back), WRAP(byte_embed), WRAP(byte_embed_back), WRAP(byte_embed_step);
    WRAP(sum_rows), WRAP(sum_rows_back);
    WRAP(add_rows), WRAP(add_rows_back), WRAP(token_rows), WRAP(token_rows_back), WRAP(symbol_embed), WRAP(symbol_embed_back), WRAP(add_part), WRAP(cache_put);
    WRAP(muon_begin), WRAP(muon_end), WRAP(narrow);
    WRAP(gather_rows), WRAP(scatter_rows), WRAP(dropout);
    WRAP(cross_entropy), WRAP(segment_sums), WRAP(sum_squares), WRAP(adamw);
#undef WRAP
}

void bg_profile_on(bg_profile *p) { p->be->ops = &p->ops; }
void bg_profile_off(bg_profile *p) { p->be->ops = p->real; }
