/* The shape of a model.  All of it follows from tensor shapes; see params.h. */
#ifndef BG_MODEL_CONFIG_H
#define BG_MODEL_CONFIG_H

#include "base/status.h"
#include <stdint.h>

/* What the byte decoder sees of the patch before the one it predicts: bits. */
typedef enum bg_previous {
    BG_PREVIOUS_NONE = 0,   /* nothing but the feature, as in the reference */
    BG_PREVIOUS_COLUMN = 1, /* at position i the symbol at place i of it, too */
    BG_PREVIOUS_KEYS = 2,   /* in every layer, all its symbols as keys and values of attention */
    BG_PREVIOUS_BOTH = 3,
    BG_PREVIOUS_PATCH = 4   /* the column, and all its symbols as positions in front, which go through the layers too */
} bg_previous;

typedef struct bg_config {
    uint32_t hidden;        /* H, width of the patch decoder; a multiple of 64 */
    uint32_t patch_layers;  /* >= 1 */
    uint32_t byte_layers;   /* >= 1; 0 only in a classifier without byte decoder */
    uint32_t byte_hidden;   /* Hb, width of the byte decoder; = hidden unless it has its own */
    uint32_t patches;       /* N, context in patches, start and end patch included */
    uint32_t patch_size;    /* P */
    uint32_t classes;       /* > 0: a classifier */
    uint32_t previous;      /* extensions: a bg_previous */
    uint32_t grams;         /* extension: rows of each table of n-grams (data/grams.h); 0: none */
    uint32_t match;         /* extension: 1: a table of guesses by what stood in the sequence before (data/match.h); 0: none */
    uint32_t patch_grams;   /* extension: rows of each table of n-grams that the patch decoder's inputs get; 0: none */
    uint32_t rotary;        /* extension: 1: the patch decoder's queries and keys are turned by their patch's place, which its input does not hold; 0: not */
    uint32_t conv;          /* extension: patches in front that a causal convolution adds to what each layer of the patch decoder attends with and feeds forward; 0: none */
} bg_config;

/* What of the patch before a model sees, each by its own tensors. */
static inline int bg_sees_column(const bg_config *c) { return c->byte_layers && (c->previous & BG_PREVIOUS_COLUMN || c->previous == BG_PREVIOUS_PATCH); }
static inline int bg_sees_keys(const bg_config *c) { return c->byte_layers && c->previous & BG_PREVIOUS_KEYS; }
static inline int bg_sees_patch(const bg_config *c) { return c->byte_layers && c->previous == BG_PREVIOUS_PATCH; }

/* Limits that every later size computation relies on. */
enum { BG_MAX_HIDDEN = 8192, BG_MAX_LAYERS = 256, BG_MAX_PATCHES = 65536, BG_MAX_CLASSES = 65535 };

bg_status bg_config_check(const bg_config *c, const char *where, bg_error *err);

#endif
