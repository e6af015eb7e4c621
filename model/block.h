/* One GPT-2 block and a stack of them: forward, backward, cached step.
 * Used by both decoders, written once. */
#ifndef BG_MODEL_BLOCK_H
#define BG_MODEL_BLOCK_H

#include "model/params.h"
#include "ops/ops.h"

/* A LayerNorm's parameters (C) and their gradients. */
typedef struct bg_norm { const float *g, *b; float *dg, *db; } bg_norm;

/* A convolution's weights (taps,C) and their gradient; NULL: there is none. */
typedef struct bg_conv { const float *w; float *dw; } bg_conv;

typedef struct bg_block {
    bg_norm ln1, ln2;
    bg_conv conv1, conv2; /* of what ln1 and ln2 give */
    bg_weight qkv;   /* (C,3C) */
    bg_weight proj;  /* (C,C) */
    bg_weight fc;    /* (C,4C) */
    bg_weight out;   /* (4C,C) */
} bg_block;

/* What the forward pass of a block leaves for the backward pass.  In
 * evaluation all blocks share one set, x_in = x_mid = x_out, and the rest is NULL. */
typedef struct bg_acts {
    float *x_in;          /* (R,C) residual stream before the block */
    float *x_mid;         /* (R,C) after attention */
    float *x_out;         /* (R,C) after the block: x_in of the next one */
    float *mean1, *rstd1; /* (R) */
    float *mean2, *rstd2; /* (R) */
    void *qkv;            /* act (R,3C) */
    void *att;            /* act (R,C) attention's output before projection */
    float *lse;           /* (R,A) */
    void *z;              /* act (R,4C) before GELU */
} bg_acts;

/* Scratch shared by all blocks of a stack. */
typedef struct bg_temps {
    void *ln;    /* act (R,C) */
    void *conv;  /* act (R,C), where the stack has convolutions */
    void *wide;  /* act (R,4C): gelu(z); in the backward pass later d qkv */
    void *dwide; /* act (R,4C): dz */
    void *dln;   /* act (R,C) */
    void *dy;    /* act (R,C) */
    float *dx;   /* (R,C): gradient of the residual stream */
} bg_temps;

typedef struct bg_stack {
    bg_backend *be;
    uint32_t C, layers, taps;
    bg_block *blocks;  /* (layers) */
    bg_norm lnf;
    float *turn; /* (positions,64) of op rotate; NULL without rotary positions */
    bg_acts *acts;     /* (layers) */
    float *meanf, *rstdf; /* (R) */
    bg_temps t;
} bg_stack;

/* How one pass sees its rows. */
typedef struct bg_pass {
    size_t R;
    bg_segments segments;
    float dropout;           /* p; 0 off */
    uint64_t seed, step;
    uint32_t site0;          /* first dropout site of this stack; 1 + 3 per layer are used */
    uint64_t row0;           /* dropout id of row 0 */
    const uint32_t *position; /* (R), where the stack has rotary positions or convolutions */
    const bg_prefix *before; /* (layers), or NULL */
    const bg_prefix *behind; /* (layers), or NULL: what others saw of these rows as theirs; gradients come back from there */
} bg_pass;

/* acts[0].x_in holds the input; y act (R,C) = LayerNorm of the last x_out. */
void bg_stack_forward(bg_stack *s, void *y, const bg_pass *p);
/* dy act (R,C): gradient of y.  Leaves the input's gradient in s->t.dx. */
void bg_stack_backward(bg_stack *s, const void *dy, const bg_pass *p);

/* A front: rows that are there for their keys and values alone, which stand before other rows (bg_prefix).
 * Forward leaves them in acts[layer].qkv; of the last layer nothing else is computed. */
void bg_front_forward(bg_stack *s, const bg_pass *p);
/* Starts from p->behind.  Leaves the input's gradient in s->t.dx. */
void bg_front_backward(bg_stack *s, const bg_pass *p);

/* New rows of cached sequences: x float (R,C) in place, y act (R,C). */
typedef struct bg_step {
    size_t R, slots, length;
    const uint32_t *slot, *pos; /* (R) */
    void **cache;               /* (layers) */
    void *const *ring;          /* (BG_CONVS*layers), where the stack has convolutions: as op convolve_cached wants them */
    size_t ring_rows;
} bg_step;
void bg_stack_step(bg_stack *s, void *y, float *x, const bg_temps *t, void *qkv, const bg_step *step);

/* The dropout at the stack's input. */
bg_dropout bg_pass_dropout(const bg_pass *p, uint32_t site);

#endif
