/* Activations of two bytes, whatever their format: included by act_bf16.inl and
 * act_f16.inl, which say what vwiden and vnarrow are. */
AI vf aload(const act *p) { return vwiden(*(const vh_any *)p); }
AI void astore(act *p, vf v) { *(vh_any *)p = vnarrow(v); }

AI vf aload_part(const act *p, size_t n)
{
    vh h = { 0 };
    memcpy(&h, p, n * sizeof(act));
    return vwiden(h);
}

AI void astore_part(act *p, vf v, size_t n)
{
    const vh h = vnarrow(v);
    memcpy(p, &h, n * sizeof(act));
}

AI vf astored(vf v) { return vwiden(vnarrow(v)); } /* v as a load after a store would give it */
AI float aget(const act *p) { return vwiden((vh){ *p })[0]; }
AI size_t act_stride(size_t columns) { return bg_stride(sizeof(act), columns); }
AI size_t float_stride(size_t columns) { return bg_stride(sizeof(float), columns); }

/* A matrix of floats somewhere in memory, rows `row` floats apart. */
typedef struct float_rows { const float *p; size_t row; } float_rows;

/* 64 columns of n rows as floats: widened into spare (n,64). */
static float_rows head_floats(const act *x, size_t x_row, size_t n, float *spare)
{
    for (size_t r = 0; r < n; r++)
        UNROLL for (int d = 0; d < BG_HEAD; d += VW)
            vstore(spare + r * BG_HEAD + d, aload(x + r * x_row + d));
    return (float_rows){ spare, BG_HEAD };
}

AI size_t head_spare(size_t n) { return n * BG_HEAD; }

/* Results of a head are computed in spare (n,64) and narrowed into place at the end. */
AI float *head_result(act *y, size_t *row, float *spare)
{
    *row = BG_HEAD;
    return spare;
}

static void head_done(act *y, size_t y_row, const float *result, size_t n)
{
    for (size_t r = 0; r < n; r++)
        UNROLL for (int d = 0; d < BG_HEAD; d += VW)
            astore(y + r * y_row + d, vload(result + r * BG_HEAD + d));
}
