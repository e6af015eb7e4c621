/* Values of a checkpoint's tensors, in order, as fp32.  Internal to the .pth import. */
#ifndef BG_MODEL_PTH_TENSOR_H
#define BG_MODEL_PTH_TENSOR_H

#include "model/pickle.h"
#include "model/pth_archive.h"

/* Takes the next n values. */
typedef bg_status bg_pth_sink(void *arg, const float *values, size_t n, bg_error *err);

/* Give all values of t to sink, in row-major order whatever its strides.  A
 * contiguous tensor is streamed; of another one, the part of the storage that
 * it reaches is held in memory.  A value that is not finite is BG_ERR_FORMAT. */
bg_status bg_pth_stream(bg_pth_archive *a, const bg_pickle *p, const bg_py_tensor *t, const char *name, bg_pth_sink *sink, void *arg, bg_error *err);

#endif
