/* Activations kept as floats: the fp32 levels.  Its counterpart is
 * act_narrow.inl; the kernels use only what both define. */
typedef float act;

AI vf aload(const act *p) { return vload(p); }
AI void astore(act *p, vf v) { vstore(p, v); }
AI vf astored(vf v) { return v; } /* v as a load after a store would give it */
AI float aget(const act *p) { return *p; }
AI size_t act_stride(size_t columns) { return bg_stride(sizeof(act), columns); }
AI size_t float_stride(size_t columns) { return bg_stride(sizeof(float), columns); }

/* A matrix of floats somewhere in memory, rows `row` floats apart. */
typedef struct float_rows { const float *p; size_t row; } float_rows;

/* 64 columns of n rows of activations as floats: where they lie.  The narrow
 * levels need `spare` (n,64) for them. */
AI float_rows head_floats(const act *x, size_t x_row, size_t n, float *spare) { return (float_rows){ x, x_row }; }
AI size_t head_spare(size_t n) { return 0; }

/* The same for results: where to compute them, and how they get into place. */
AI float *head_result(act *y, size_t *row, float *spare) { return y; }
AI void head_done(act *y, size_t y_row, const float *result, size_t n) { }
