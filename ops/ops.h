/* THE CONTRACT between the model and a back end: a const struct of op
 * pointers.  The model calls them in order, one op per line; a back end fills
 * them.  Nothing here knows what a byte model is.
 *
 * Dimension letters: R rows, C width, K/N inputs/outputs of a linear, V
 * vocabulary, P symbols per patch, S segments, D = 64 head width, A = C/64 heads.
 *
 * Three kinds of memory:
 *   float   parameters, gradients, moments, the residual stream, LayerNorm
 *           statistics, logits and losses: fp32 at every level;
 *   act     activations: opaque, `act_size` bytes an element (4 fp32; 2 at the
 *           narrow levels).  Passed as void pointers, never dereferenced outside the back end;
 *   index   uint32_t/uint16_t tables made by the host.
 * A matrix (R,C) of float or act has the row stride bg_stride(elem_size, C)
 * elements, the same rule for everyone, so strides are never passed.  Padding
 * between C and the stride is never read as data and may hold anything.
 * Parameter tensors (and their gradients) are dense: stride = C.
 *
 * Rules:
 *   - Backward ops ACCUMULATE into parameter gradients and OVERWRITE
 *     activation gradients.
 *   - No op allocates.  Scratch is the back end's, sized at open.
 *   - Bits: every op gives the same bits for any number of threads, and for
 *     any row r of R the bits of its result do not depend on the other rows
 *     or on R (except where rows are summed: parameter gradients, in an order fixed by R).
 *   - Ops return void; a device failure is sticky and read at sync(). */
#ifndef BG_OPS_OPS_H
#define BG_OPS_OPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/isa.h"
#include "base/pool.h"
#include "base/sys.h"

enum { BG_MAX_TAPS = 16 }; /* rows in front that a convolution reaches, at most */
enum { BG_HEAD = 64 }; /* D: width of an attention head, fixed by the model family */

/* Row stride in elements: columns, rounded up to 64 bytes, plus 64 bytes when the row would
 * be a multiple of 1 KiB long: such strides fall into few cache sets. */
static inline size_t bg_stride(size_t elem_size, size_t columns)
{
    const size_t line = 64 / elem_size, c = (columns + line - 1) / line * line;
    return c * elem_size % 1024 == 0 ? c + line : c;
}

/* What a back end keeps of weights. */
typedef enum bg_weight_form {
    BG_WEIGHTS_RUN,   /* what products with them need */
    BG_WEIGHTS_TRAIN, /* and what dX needs */
    BG_WEIGHTS_INT8   /* instead, integers of eight bits with a scale for each of the N outputs; no backward */
} bg_weight_form;

/* Rows (.,C) that symbols choose: at place i of row r that of tokens[r',i], r' = token_row[r] (NULL: r); tokens (.,P). */
typedef struct bg_row_table {
    float *table;
    const uint16_t *tokens;
    const uint32_t *token_row;
} bg_row_table;

/* A matrix of a linear layer, y = x W + b, as the model registers it.
 * Both orders of storage occur in the reference's tensors. */
typedef struct bg_weight {
    float *w;         /* (K,N), or (N,K) when transposed */
    float *dw;        /* same layout, NULL when there is no training */
    float *b, *db;    /* (N) or NULL */
    uint32_t K, N;
    int transposed;
    size_t row;       /* floats between rows in memory; 0: dense (others only without gradients) */
    bg_weight_form form;
    void *packed;     /* the back end's private copies; both set by weights_bind */
} bg_weight;

/* Floats between rows in memory. */
static inline size_t bg_weight_row(const bg_weight *w) { return w->row ? w->row : w->transposed ? w->K : w->N; }

typedef enum bg_epilogue {
    BG_EPI_ACT,      /* y act (R,N)   = x W + b */
    BG_EPI_GELU,     /* y act (R,N)   = gelu(x W + b); aux act (R,N), if not NULL, gets x W + b */
    BG_EPI_RESIDUAL, /* y float (R,N) = aux float (R,N) + drop(x W + b); y may be aux */
    BG_EPI_FLOAT     /* y float (R,N) = x W + b */
} bg_epilogue;

/* Which elements a dropout removes: decided by (seed, step, site, row_id[r] or row, column)
 * alone; see base/rng.h.  p = 0 or a NULL pointer: nothing.  Kept elements are scaled by 1/(1-p). */
typedef struct bg_dropout {
    float p;
    uint64_t seed, step;
    uint32_t site;          /* which dropout of the network */
    uint64_t row0;          /* id of row 0; row r has id row0 + r */
} bg_dropout;

/* Causal sequences inside packed rows.  Uniform: start NULL, S sequences of
 * `length` rows each, one after another.  Else sequence s is rows
 * [start[s], start[s+1]). */
typedef struct bg_segments {
    uint32_t S, length, longest; /* longest: of any segment */
    const uint32_t *start; /* (S+1) or NULL */
} bg_segments;

/* Keys and values that stand in front of every segment and that all of its rows see: `length` for
 * each, those of segment s at rows [s*length, (s+1)*length). */
typedef struct bg_prefix {
    size_t length;
    const void *kv; /* act (S*length,2C): keys, then values; rows kv_row elements apart */
    void *dkv;      /* likewise, rows dkv_row apart; overwritten by attention_back */
    size_t kv_row, dkv_row;
} bg_prefix;

/* LayerNorm's backward pass with all that wants the same rows.  Returns the gradient of the
 * residual product before x as act (R,C): drop's mask applied to dx, in `next`, or dx itself
 * where nothing is to be done; NULL when next is NULL. */
typedef struct bg_norm_back {
    float *dx;              /* (R,C) = dres + LN'(dy) */
    float *dg, *db;         /* (C) accumulated, by blocks of rows of a fixed size */
    const float *dres;      /* (R,C), NULL or dx itself */
    const void *dy;         /* act (R,C) */
    const float *x, *mean, *rstd, *g, *b; /* as in layernorm */
    void *y;                /* act (R,C), if not NULL: what layernorm gave, made again */
    void *next;             /* act (R,C) or NULL */
    const bg_dropout *drop; /* of next */
    size_t R, C;
} bg_norm_back;

typedef struct bg_adamw {
    float lr, beta1, beta2, eps, weight_decay;
    float grad_scale;  /* gradients are multiplied by this first (clipping, loss scale) */
    uint64_t step;     /* 1 for the first update: bias correction */
} bg_adamw;

/* A matrix (R,C) of a parameter under Muon; rows of all three lie `row` floats apart.  The matrix that the two
 * ops hand over is x float (n,N), n the smaller of R and C: the transpose where R > C. */
typedef struct bg_muon {
    float *w, *m;
    const float *g;
    size_t R, C, row;
    float grad_scale, beta;
    float decay, rate; /* w = w decay - x rate */
} bg_muon;

typedef struct bg_backend bg_backend; /* an open back end: its ops are in ->ops */
typedef struct bg_ops bg_ops;

/* What scratch must suffice for; larger calls are a broken precondition. */
typedef struct bg_limits {
    uint32_t max_width;    /* largest K or N of any linear, and V */
    uint32_t max_segment;  /* longest causal sequence */
} bg_limits;

struct bg_ops {
    size_t act_size; /* bytes of an activation element */

    /* --- memory of the back end ------------------------------------------ */
    /* 64-byte aligned device memory, cleared; NULL when it cannot be had. */
    void *(*alloc)(bg_backend *be, size_t bytes);
    void (*free)(bg_backend *be, void *p);
    void (*zero)(bg_backend *be, void *p, size_t bytes);
    void (*write)(bg_backend *be, void *dst, const void *host, size_t bytes);
    void (*read)(bg_backend *be, void *host, const void *src, size_t bytes);
    /* Convert between host floats (R,C), dense, and act (R,C). */
    void (*to_act)(bg_backend *be, void *y, const float *host, size_t R, size_t C);
    void (*from_act)(bg_backend *be, float *host, const void *x, size_t R, size_t C);
    bg_status (*sync)(bg_backend *be, bg_error *err);

    /* --- weights --------------------------------------------------------- */
    /* Reserve packed copies. */
    bg_status (*weights_bind)(bg_backend *be, bg_weight *const *list, size_t n, bg_weight_form form, bg_error *err);
    void (*weights_unbind)(bg_backend *be, bg_weight *const *list, size_t n);
    /* Parameters changed: pack again. */
    void (*weights_changed)(bg_backend *be, bg_weight *const *list, size_t n);

    /* --- linear ---------------------------------------------------------- */
    /* x act (R,K); y, aux: see bg_epilogue; drop for BG_EPI_RESIDUAL only. */
    void (*linear)(bg_backend *be, void *y, void *aux, const void *x, const bg_weight *w, bg_epilogue e, size_t R, const bg_dropout *drop);
    /* dx act (R,K) = dy W^T; dy act (R,N).  With z act (R,K) not NULL: times gelu'(z), and
     * g act (R,K), if not NULL, = gelu(z), which BG_EPI_GELU gave, made again in passing. */
    void (*linear_back_input)(bg_backend *be, void *dx, const void *dy, const void *z, void *g, const bg_weight *w, size_t R);
    /* w->dw += x^T dy; w->db += column sums of dy. */
    void (*linear_back_weight)(bg_backend *be, const bg_weight *w, const void *x, const void *dy, size_t R);

    /* --- normalisation ---------------------------------------------------- */
    /* y act (R,C) from x float (R,C); mean, rstd (R) may be NULL; eps 1e-5. */
    void (*layernorm)(bg_backend *be, void *y, float *mean, float *rstd, const float *x, const float *g, const float *b, size_t R, size_t C);
    /* See bg_norm_back. */
    const void *(*layernorm_back)(bg_backend *be, const bg_norm_back *n);

    /* --- attention -------------------------------------------------------- */
    /* qkv act (R,3C) -> out act (R,C), causal in each segment, scale 1/8;
     * lse float (R,A) dense = log-sum-exp of the scaled scores, NULL when there is no backward.
     * before: NULL, or what stands in front of the segments; their columns count from it. */
    void (*attention)(bg_backend *be, void *out, float *lse, const void *qkv, const bg_segments *s, const bg_prefix *before, size_t C, const bg_dropout *drop);
    void (*attention_back)(bg_backend *be, void *dqkv, const void *dout, const void *out, const void *qkv, const float *lse, const bg_segments *s, const bg_prefix *before, size_t C, const bg_dropout *drop);
    /* Queries and keys of qkv act (R,3C), in place: in each head, elements d and d + 32 as a point of the plane turned by the angle whose
     * cosine and sine are turn[pos[r]*64 + d] and turn[pos[r]*64 + 32 + d]; back != 0: by its negative, which is the gradient. */
    void (*rotate)(bg_backend *be, void *qkv, const float *turn, const uint32_t *pos, size_t R, size_t C, int back);
    /* y act (R,C) = x act (R,C) + sum_d w[d - 1] x[the row d places in front of it], d = 1..taps, column by column; w (taps,C).  pos (R)
     * ascends in a segment and begins anew with the next; a place that is left out adds nothing.  And back: dx overwritten, dw accumulated. */
    void (*convolve)(bg_backend *be, void *y, const void *x, const float *w, uint32_t taps, const uint32_t *pos, size_t R, size_t C);
    void (*convolve_back)(bg_backend *be, void *dx, float *dw, const void *dy, const void *x, const float *w, uint32_t taps, const uint32_t *pos, size_t R, size_t C);
    /* Of sequences that grow: ring act (slots*ring_rows,C) keeps the last ring_rows rows of each, which are at least
     * as many as it gets at once and `taps` more.  Same bits as convolve(). */
    void (*convolve_cached)(bg_backend *be, void *y, const void *x, void *ring, size_t ring_rows, const float *w, uint32_t taps, const uint32_t *slot, const uint32_t *pos, size_t R, size_t C);
    /* Key/value cache of one layer: `slots` sequences of at most `length`. */
    size_t (*cache_bytes)(bg_backend *be, size_t slots, size_t length, size_t C);
    /* Rows are appended at (slot[r], pos[r]) first, then row r attends to
     * positions 0..pos[r] of its slot.  Same bits as attention(). */
    void (*attention_cached)(bg_backend *be, void *out, const void *qkv, void *cache, size_t slots, size_t length, const uint32_t *slot, const uint32_t *pos, size_t R, size_t C);

    /* The first L positions of slot[i]: keys and values kv act (n*L,2C), rows [i*L, (i+1)*L), kv_row elements apart. */
    void (*cache_put)(bg_backend *be, void *cache, size_t slots, size_t length, const uint32_t *slot, size_t n, const void *kv, size_t kv_row, size_t L, size_t C);

    /* --- inputs ------------------------------------------------------------ */
    /* x float (R,C) = sum_i table[(i*V + tokens[r,i])] + bias + wpe[pos[r]].
     * table (P*V,C): the transposed patch embedding.  tokens (R,P). */
    void (*patch_embed)(bg_backend *be, float *x, const uint16_t *tokens, const float *table, const float *bias, const float *wpe, const uint32_t *pos, size_t R, size_t P, size_t V, size_t C);
    void (*patch_embed_back)(bg_backend *be, float *dtable, float *dbias, float *dwpe, const float *dx, const uint16_t *tokens, const uint32_t *pos, size_t R, size_t P, size_t V, size_t C);
    /* x float (R,C): row r += sum_i table[index[r,i]]; index (R,P).  And back: dtable accumulated. */
    void (*sum_rows)(bg_backend *be, float *x, const float *table, const uint16_t *index, size_t R, size_t P, size_t C);
    void (*sum_rows_back)(bg_backend *be, float *dtable, const float *dx, const uint16_t *index, size_t R, size_t P, size_t C);
    /* Sequences of the byte decoder.  x float (R*P,C): position 0 of sequence r is
     * feature act (.,C) row src[r] (src NULL: row r), position i > 0 is
     * wte[tokens[r,i-1]]; all plus wpe[i].  tokens row r is tokens + token_row[r]*P. */
    void (*byte_embed)(bg_backend *be, float *x, const void *feature, const uint32_t *src, const uint16_t *tokens, const uint32_t *token_row, const float *wte, const float *wpe, size_t R, size_t P, size_t C);
    /* dfeature act: row src[r] (or r) OVERWRITTEN; dwte, dwpe accumulated. */
    void (*byte_embed_back)(bg_backend *be, void *dfeature, float *dwte, float *dwpe, const float *dx, const uint32_t *src, const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C);
    /* One position each, for generation: x row r = (pos[r] ? wte[token[r]] : feature row src[r]) + wpe[pos[r]]. */
    void (*byte_embed_step)(bg_backend *be, float *x, const void *feature, const uint32_t *src, const uint16_t *token, const uint32_t *pos, const float *wte, const float *wpe, size_t R, size_t C);
    /* x float (R*P,C): row r*P + i += the sum over `count` tables of table[tokens[r',i]].  And back: tables accumulated. */
    void (*add_rows)(bg_backend *be, float *x, const bg_row_table *tables, size_t count, size_t R, size_t P, size_t C);
    void (*add_rows_back)(bg_backend *be, const bg_row_table *dtables, size_t count, const float *dx, size_t R, size_t P, size_t C);
    /* y act (R*P,C): row r*P + i = table[tokens[r',i]] + place[i], r' = token_row[r] (NULL: r); place (P,C).  And back. */
    void (*token_rows)(bg_backend *be, void *y, const float *table, const float *place, const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C);
    void (*token_rows_back)(bg_backend *be, float *dtable, float *dplace, const void *dy, const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C);
    /* x float (R*P,C): the same rows, as a stack's input.  And back. */
    void (*symbol_embed)(bg_backend *be, float *x, const float *table, const float *place, const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C);
    void (*symbol_embed_back)(bg_backend *be, float *dtable, float *dplace, const float *dx, const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C);
    /* y act += x act, (R,C) each, rows y_row and x_row elements apart. */
    void (*add_part)(bg_backend *be, void *y, size_t y_row, const void *x, size_t x_row, size_t R, size_t C);
    /* y act (R,C) row r = x row idx[r]; and dx row idx[r] = dy row r (others untouched; idx has no duplicates). */
    void (*gather_rows)(bg_backend *be, void *y, const void *x, const uint32_t *idx, size_t R, size_t C);
    void (*scatter_rows)(bg_backend *be, void *dx, const void *dy, const uint32_t *idx, size_t R, size_t C);
    /* x float (R,C) in place; the same call on dx is its backward. */
    void (*dropout)(bg_backend *be, float *x, size_t R, size_t C, const bg_dropout *drop);

    /* --- outputs ------------------------------------------------------------ */
    /* loss float (R) = -log softmax(logits)[target]; dlogits act (R,V), NULL in evaluation,
     * = (softmax - onehot) * scale.  target of row r is tokens[token_row[r/P]*P + r%P];
     * token_row NULL: r/P (so P = 1 gives tokens[r]). */
    void (*cross_entropy)(bg_backend *be, float *loss, void *dlogits, const float *logits, const uint16_t *tokens, const uint32_t *token_row, size_t P, float scale, size_t R, size_t V);
    /* y act (S,C) = mean of each segment's rows, and back (dx act overwritten). */
    void (*segment_mean)(bg_backend *be, void *y, const void *x, const bg_segments *s, size_t C);
    void (*segment_mean_back)(bg_backend *be, void *dx, const void *dy, const bg_segments *s, size_t C);
    /* host[s] = sum of loss rows [start[s], start[s+1]), in row order, in double. */
    void (*segment_sums)(bg_backend *be, double *host, const float *loss, const uint32_t *start, size_t S);

    /* --- optimiser ------------------------------------------------------------ */
    /* Sum of squares, in blocks of fixed size added in order, in double. */
    double (*sum_squares)(bg_backend *be, const float *x, size_t n);
    /* One decoupled AdamW update (Loshchilov, Hutter 2019) as torch.optim.AdamW
     * orders it; the gradient is left as it is. */
    void (*adamw)(bg_backend *be, float *w, const float *g, float *m, float *v, size_t n, const bg_adamw *o);
    /* m = m beta + g grad_scale, and x = g grad_scale + m beta brought to a root mean square of 1/16. */
    void (*muon_begin)(bg_backend *be, float *x, const bg_muon *u);
    void (*muon_end)(bg_backend *be, const float *x, const bg_muon *u);
    /* y act (R,C) = x float (R,C) * scale. */
    void (*narrow)(bg_backend *be, void *y, const float *x, size_t R, size_t C, float scale);
};

struct bg_backend {
    const bg_ops *ops;
    const bg_sys *sys;
    bg_pool *pool;
    bg_isa isa;
    const char *precision; /* "fp32", "bf16", "fp16": the arithmetic of products */
    size_t act_size;       /* = ops->act_size */
    int loss_scaling;      /* gradients of activations have fp16's range: the loss wants a scale */
};

/* The level to open where nobody named one: `best` is the best that is present, but some
 * narrow products are faster than fp32 on some processors only. */
bg_isa bg_cpu_pick(bg_isa best, int fast);

/* Open the CPU back end at a level (see bg_isa_pick).  fast = 0: fp32 products;
 * fast = 1: the quickest this level has.  The pool must outlive it. */
bg_status bg_cpu_open(bg_backend **out, const bg_sys *sys, bg_pool *pool, bg_isa isa, int fast, const bg_limits *limits, bg_error *err);
void bg_backend_close(bg_backend *be);

#endif
