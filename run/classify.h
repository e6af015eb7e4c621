/* The classes of one file's bytes. */
#ifndef BG_RUN_CLASSIFY_H
#define BG_RUN_CLASSIFY_H

#include "model/model.h"

/* logits (classes) on the host.  Of a longer file the first N patches count,
 * and *cut (may be NULL) is set.  The model must be reserved for N rows. */
bg_status bg_classify(bg_model *m, const uint8_t *data, size_t size, const char *extension, float *logits, int *cut, bg_error *err);

#endif
