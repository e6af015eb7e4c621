/* What happens to a product's sums: bias, GELU, residual, the slope of GELU.
 * The same for every kind of product: a block of fp32 sums in scratch that
 * has just been computed becomes rows of the result.
 *
 * Whole vectors are read and written: rows are padded to 64 bytes, biases are
 * padded copies. */
typedef enum finish {
    FINISH_ACT,      /* y act = c + bias */
    FINISH_GELU,     /* y act = gelu(c + bias); aux act, if not NULL, = c + bias */
    FINISH_RESIDUAL, /* y float = residual + drop(c + bias) */
    FINISH_FLOAT,    /* y float = c + bias */
    FINISH_SLOPE     /* y act = c gelu'(aux); gelu act, if not NULL, = gelu(aux) */
} finish;

typedef struct epilogue {
    finish how;
    const float *bias; /* padded to whole panels; NULL: none */
    void *y;
    act *aux, *gelu;
    const float *residual;
    const bg_dropout *drop; /* of the residual; NULL: none */
    size_t act_row, float_row; /* strides of results of either type */
} epilogue;

/* One vector at row r, column n. */
AI void finish_vector(const epilogue *e, const finish how, size_t r, size_t n, vf v)
{
    const size_t a = r * e->act_row + n, f = r * e->float_row + n;
    switch (how) {
    case FINISH_ACT:
        astore((act *)e->y + a, v);
        break;
    case FINISH_GELU:
        v = astored(v); /* the backward pass starts from what was stored */
        if (e->aux)
            astore(e->aux + a, v);
        astore((act *)e->y + a, vgelu(v));
        break;
    case FINISH_RESIDUAL:
        vstore((float *)e->y + f, vload(e->residual + f) + v);
        break;
    case FINISH_FLOAT:
        vstore((float *)e->y + f, v);
        break;
    case FINISH_SLOPE: {
        const vf z = aload(e->aux + a), s = gelu_sigmoid(z);
        if (e->gelu)
            astore(e->gelu + a, z * s);
        astore((act *)e->y + a, v * gelu_slope_of(z, s));
        break;
    }
    }
}

AI void finish_rows(const epilogue *e, const finish how, const float *c, size_t c_row, size_t row, size_t rows, size_t n0, size_t vectors)
{
    for (size_t r = row; r < row + rows; r++, c += c_row)
        for (size_t v = 0; v < vectors; v++) {
            const vf x = vload(c + v * VW);
            finish_vector(e, how, r, n0 + v * VW, e->bias && how != FINISH_SLOPE ? x + vload(e->bias + n0 + v * VW) : x);
        }
}

/* The residual's dropout, in the place of the sums, bias included. */
static void drop_row(const epilogue *e, float *c, size_t row, size_t n0, size_t columns)
{
    const mask_maker m = mask_open(e->drop);
    float factor[DROP_COLUMNS];
    const size_t skip = n0 % DROP_COLUMNS; /* a block lies within one group of 64 columns */
    mask_64(&m, factor, bg_drop_index(e->drop, row), (uint32_t)((n0 - skip) / BG_DROP_GROUP));
    for (size_t i = 0; i < columns; i += VW)
        vstore(c + i, (vload(c + i) + (e->bias ? vload(e->bias + n0 + i) : vzero())) * vload(factor + skip + i));
}

/* c (rows, vectors) with rows c_row apart: the sums at (row, n0). */
static void finish_block(const epilogue *e, float *c, size_t c_row, size_t row, size_t rows, size_t n0, size_t vectors)
{
    epilogue dropped;
    if (e->drop) {
        for (size_t r = 0; r < rows; r++)
            drop_row(e, c + r * c_row, row + r, n0, vectors * VW);
        dropped = *e;
        dropped.bias = NULL; /* it is in */
        e = &dropped;
    }
    switch (e->how) {
    case FINISH_ACT:
        finish_rows(e, FINISH_ACT, c, c_row, row, rows, n0, vectors);
        break;
    case FINISH_GELU:
        finish_rows(e, FINISH_GELU, c, c_row, row, rows, n0, vectors);
        break;
    case FINISH_RESIDUAL:
        finish_rows(e, FINISH_RESIDUAL, c, c_row, row, rows, n0, vectors);
        break;
    case FINISH_FLOAT:
        finish_rows(e, FINISH_FLOAT, c, c_row, row, rows, n0, vectors);
        break;
    case FINISH_SLOPE:
        finish_rows(e, FINISH_SLOPE, c, c_row, row, rows, n0, vectors);
        break;
    }
}

/* Of y = x W + b, as the contract names it. */
AI epilogue epilogue_of(void *y, void *aux, const float *bias, bg_epilogue e, size_t N, const bg_dropout *drop)
{
    static const finish how[] = {
        [BG_EPI_ACT] = FINISH_ACT, [BG_EPI_GELU] = FINISH_GELU, [BG_EPI_RESIDUAL] = FINISH_RESIDUAL, [BG_EPI_FLOAT] = FINISH_FLOAT,
    };
    const int residual = e == BG_EPI_RESIDUAL;
    return (epilogue){
        .how = how[e], .bias = bias, .y = y, .aux = residual ? NULL : aux, .residual = residual ? aux : NULL,
        .drop = residual && bg_drop_on(drop) ? drop : NULL, .act_row = act_stride(N), .float_row = float_stride(N),
    };
}

/* Of dx = dy W^T; z and gelu as in linear_back_input. */
AI epilogue epilogue_back(void *dx, const void *z, void *gelu, size_t K)
{
    return (epilogue){
        .how = z ? FINISH_SLOPE : FINISH_ACT, .y = dx, .aux = (void *)(uintptr_t)z, .gelu = gelu, .act_row = act_stride(K), .float_row = float_stride(K),
    };
}
