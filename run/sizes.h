/* Named sizes of models. */
#ifndef BG_RUN_SIZES_H
#define BG_RUN_SIZES_H

#include "model/config.h"

#include <stddef.h>

typedef struct bg_size {
    const char *name, *about;
    uint32_t hidden, patch_layers, byte_layers, patches;
} bg_size;

/* Size i, NULL beyond the last. */
const bg_size *bg_size_at(size_t i);
/* Fill hidden, layers and patches; BG_ERR_ARGUMENT lists the names there are. */
bg_status bg_size_find(bg_config *c, const char *name, bg_error *err);

#endif
