/* PyTorch checkpoints of a very small model, written by hand with the faults
 * and variations that the import tests need.  Include behind cmocka.h. */
#ifndef BG_TESTS_SUPPORT_PTH_H
#define BG_TESTS_SUPPORT_PTH_H

#include "model/file.h"

typedef enum pth_variation {
    PTH_PLAIN,
    PTH_BARE,         /* the state dict is the whole pickle */
    PTH_HALF,         /* all tensors fp16 */
    PTH_DOUBLE,
    PTH_STRIDED,      /* matrices stored transposed */
    PTH_FLAT,         /* one storage for all tensors */
    PTH_PARAMETER,    /* wrapped by _rebuild_parameter */
    PTH_DEFLATED,     /* every entry compressed */
    PTH_HEAD_TIED,    /* lm_head is the storage of wte */
    PTH_HEAD_COPY,    /* lm_head has a storage of its own, same values */
    PTH_HEAD_DIFFERS, /* and one other value */
    PTH_BUFFERS,      /* attn.bias and attn.masked_bias */
    /* `tensor` alone: */
    PTH_EXPANDED,     /* all strides 0: its first value everywhere */
    PTH_NAN,          /* value 7 */
    PTH_LONG,         /* a LongStorage */
    PTH_MISSING,
    PTH_TWICE,
    PTH_NOT_A_TENSOR,
    PTH_SHORT_ENTRY,  /* its storage has 4 bytes too few */
    PTH_LONG_ENTRY,   /* and 4 too many */
    PTH_NO_ENTRY
} pth_variation;

/* Write a checkpoint; tensor may be NULL for those that concern all. */
void pth_write(const char *path, const bg_config *c, pth_variation v, const char *tensor);
/* Value k of tensor i of the walk, exact in fp16. */
float pth_value(uint32_t i, size_t k);

/* A zip archive from entries of one's own. */
typedef struct pth_entry {
    const char *name;
    const void *data;
    size_t size;
    int deflated;
} pth_entry;
void pth_write_entries(const char *path, const pth_entry *entries, size_t n);

#endif
