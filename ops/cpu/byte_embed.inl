/* The byte decoder's input: a patch's feature at position 0, the embedding of
 * the symbol before at the others, plus positions; back, and one step of it. */

typedef struct byte_work {
    float *x, *dwte, *dwpe;
    const float *dx, *wte, *wpe;
    const act *feature;
    act *dfeature;
    const uint32_t *src, *token_row, *pos;
    const uint16_t *tokens;
    size_t R, P, C, row, feature_row, per_task;
} byte_work;

AI const uint16_t *byte_tokens(const byte_work *w, size_t r) { return w->tokens + (w->token_row ? w->token_row[r] : r) * w->P; }

AI const act *byte_feature(const byte_work *w, size_t r) { return w->feature + (w->src ? w->src[r] : r) * w->feature_row; }

/* x = a + b, b an activation or a parameter row; both may end inside a vector. */
AI void add_feature(float *x, const act *feature, const float *position, size_t C)
{
    for (size_t i = 0; i < C; i += VW)
        vstore(x + i, aload(feature + i) + row_vector(position, i, C));
}

AI void add_embedding(float *x, const float *embedding, const float *position, size_t C)
{
    for (size_t i = 0; i < C; i += VW)
        vstore(x + i, row_vector(embedding, i, C) + row_vector(position, i, C));
}

static void byte_embed_task(void *arg, size_t task, unsigned thread)
{
    const byte_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        float *x = w->x + r * w->P * w->row;
        const uint16_t *tokens = byte_tokens(w, r);
        add_feature(x, byte_feature(w, r), w->wpe, w->C);
        for (size_t i = 1; i < w->P; i++)
            add_embedding(x + i * w->row, w->wte + tokens[i - 1] * w->C, w->wpe + i * w->C, w->C);
    }
}

static void byte_embed(bg_backend *be, float *x, const void *feature, const uint32_t *src, const uint16_t *tokens, const uint32_t *token_row, const float *wte, const float *wpe, size_t R, size_t P, size_t C)
{
    byte_work w = {
        .x = x, .feature = feature, .src = src, .tokens = tokens, .token_row = token_row, .wte = wte, .wpe = wpe,
        .R = R, .P = P, .C = C, .row = float_stride(C), .feature_row = act_stride(C), .per_task = 8,
    };
    bg_pool_run(be->pool, byte_embed_task, &w, count_tasks(R, w.per_task));
}

/* A range of columns, all rows in order; see patch_embed.inl. */
static void byte_embed_back_task(void *arg, size_t task, unsigned thread)
{
    const byte_work *w = arg;
    size_t c = task * EMBED_COLUMNS, n = task_end(c, EMBED_COLUMNS, w->C) - c;
    for (size_t r = 0; r < w->R; r++) {
        const float *dx = w->dx + r * w->P * w->row + c;
        const uint16_t *tokens = byte_tokens(w, r);
        act *feature = w->dfeature + (w->src ? w->src[r] : r) * w->feature_row + c;
        for (size_t i = 0; i < n; i += VW)
            astore(feature + i, vload(dx + i));
        add_columns(w->dwpe + c, dx, n);
        for (size_t i = 1; i < w->P; i++) {
            dx += w->row;
            add_columns(w->dwte + tokens[i - 1] * w->C + c, dx, n);
            add_columns(w->dwpe + i * w->C + c, dx, n);
        }
    }
}

static void byte_embed_back(bg_backend *be, void *dfeature, float *dwte, float *dwpe, const float *dx, const uint32_t *src, const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C)
{
    byte_work w = {
        .dfeature = dfeature, .dwte = dwte, .dwpe = dwpe, .dx = dx, .src = src, .tokens = tokens, .token_row = token_row,
        .R = R, .P = P, .C = C, .row = float_stride(C), .feature_row = act_stride(C),
    };
    bg_pool_run(be->pool, byte_embed_back_task, &w, count_tasks(C, EMBED_COLUMNS));
}

static void byte_step_task(void *arg, size_t task, unsigned thread)
{
    const byte_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        const float *position = w->wpe + w->pos[r] * w->C;
        if (w->pos[r])
            add_embedding(w->x + r * w->row, w->wte + w->tokens[r] * w->C, position, w->C);
        else
            add_feature(w->x + r * w->row, byte_feature(w, r), position, w->C);
    }
}

static void byte_embed_step(bg_backend *be, float *x, const void *feature, const uint32_t *src, const uint16_t *token, const uint32_t *pos, const float *wte, const float *wpe, size_t R, size_t C)
{
    byte_work w = {
        .x = x, .feature = feature, .src = src, .tokens = token, .pos = pos, .wte = wte, .wpe = wpe,
        .R = R, .C = C, .row = float_stride(C), .feature_row = act_stride(C), .per_task = 64,
    };
    bg_pool_run(be->pool, byte_step_task, &w, count_tasks(R, w.per_task));
}

/* --- what else is added to the inputs ------------------------------------------------------- */

typedef struct tables_work {
    float *x;
    const float *dx;
    const bg_row_table *tables;
    size_t count, R, P, C, row, per_task;
} tables_work;

/* The rows that hashes choose lie anywhere in megabytes, and a range of columns lies in as many pieces as there are rows:
 * both are asked for some places ahead. */
enum { AHEAD = 4, LINE_BYTES = 64 };

AI float *chosen_row(const bg_row_table *t, size_t place, const tables_work *w)
{
    const size_t r = place / w->P, from = t->token_row ? t->token_row[r] : r;
    return t->table + t->tokens[from * w->P + place % w->P] * w->C;
}

AI void ask_for(const void *row, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += LINE_BYTES)
        __builtin_prefetch((const char *)row + i);
}

static void add_rows_task(void *arg, size_t task, unsigned thread)
{
    const tables_work *w = arg;
    const size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R * w->P);
    for (size_t place = begin; place < end; place++)
        for (size_t k = 0; k < w->count; k++) {
            if (place + AHEAD < end)
                ask_for(chosen_row(&w->tables[k], place + AHEAD, w), w->C * sizeof(float));
            add_columns(w->x + place * w->row, chosen_row(&w->tables[k], place, w), w->C);
        }
}

static void add_rows(bg_backend *be, float *x, const bg_row_table *tables, size_t count, size_t R, size_t P, size_t C)
{
    tables_work w = { .x = x, .tables = tables, .count = count, .R = R, .P = P, .C = C, .row = float_stride(C), .per_task = 128 };
    bg_pool_run(be->pool, add_rows_task, &w, count_tasks(R * P, w.per_task));
}

/* A range of columns, all places in order. */
static void add_rows_back_task(void *arg, size_t task, unsigned thread)
{
    const tables_work *w = arg;
    const size_t c = task * EMBED_COLUMNS, n = task_end(c, EMBED_COLUMNS, w->C) - c, end = w->R * w->P;
    for (size_t place = 0; place < end; place++) {
        const float *dx = w->dx + place * w->row + c;
        if (place + AHEAD < end)
            ask_for(dx + AHEAD * w->row, n * sizeof *dx);
        for (size_t k = 0; k < w->count; k++) {
            if (place + AHEAD < end)
                ask_for(chosen_row(&w->tables[k], place + AHEAD, w) + c, n * sizeof *dx);
            add_columns(chosen_row(&w->tables[k], place, w) + c, dx, n);
        }
    }
}

static void add_rows_back(bg_backend *be, const bg_row_table *dtables, size_t count, const float *dx, size_t R, size_t P, size_t C)
{
    tables_work w = { .dx = dx, .tables = dtables, .count = count, .R = R, .P = P, .C = C, .row = float_stride(C) };
    bg_pool_run(be->pool, add_rows_back_task, &w, count_tasks(C, EMBED_COLUMNS));
}

/* --- rows of activations made of a symbol and its place --------------------------------------- */

static void token_rows_task(void *arg, size_t task, unsigned thread)
{
    const byte_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        act *y = w->dfeature + r * w->P * w->feature_row;
        const uint16_t *tokens = byte_tokens(w, r);
        for (size_t i = 0; i < w->P; i++, y += w->feature_row)
            for (size_t c = 0; c < w->C; c += VW)
                astore(y + c, row_vector(w->wte + tokens[i] * w->C, c, w->C) + row_vector(w->wpe + i * w->C, c, w->C));
    }
}

static void token_rows(bg_backend *be, void *y, const float *table, const float *place, const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C)
{
    byte_work w = {
        .dfeature = y, .wte = table, .wpe = place, .tokens = tokens, .token_row = token_row,
        .R = R, .P = P, .C = C, .feature_row = act_stride(C), .per_task = 1 + 128 / P,
    };
    bg_pool_run(be->pool, token_rows_task, &w, count_tasks(R, w.per_task));
}

/* Rows of activations are padded to whole vectors: what lies beyond C is not added. */
AI void add_act_columns(float *y, const act *x, size_t n)
{
    float v[VW];
    size_t i = 0;
    for (; i + VW <= n; i += VW)
        vstore(y + i, vload(y + i) + aload(x + i));
    if (i == n)
        return;
    vstore(v, aload(x + i));
    for (size_t k = 0; i + k < n; k++)
        y[i + k] += v[k];
}

static void token_rows_back_task(void *arg, size_t task, unsigned thread)
{
    const byte_work *w = arg;
    size_t c = task * EMBED_COLUMNS, n = task_end(c, EMBED_COLUMNS, w->C) - c;
    for (size_t r = 0; r < w->R; r++) {
        const act *dy = w->feature + r * w->P * w->feature_row + c;
        const uint16_t *tokens = byte_tokens(w, r);
        for (size_t i = 0; i < w->P; i++, dy += w->feature_row) {
            if (r + 1 < w->R)
                ask_for(dy + w->P * w->feature_row, n * sizeof *dy);
            add_act_columns(w->dwte + tokens[i] * w->C + c, dy, n);
            add_act_columns(w->dwpe + i * w->C + c, dy, n);
        }
    }
}

static void token_rows_back(bg_backend *be, float *dtable, float *dplace, const void *dy, const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C)
{
    byte_work w = { .feature = dy, .dwte = dtable, .dwpe = dplace, .tokens = tokens, .token_row = token_row, .R = R, .P = P, .C = C, .feature_row = act_stride(C) };
    bg_pool_run(be->pool, token_rows_back_task, &w, count_tasks(C, EMBED_COLUMNS));
}

/* --- the same rows as floats ------------------------------------------------------------------ */

static void symbol_embed_task(void *arg, size_t task, unsigned thread)
{
    const byte_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        float *x = w->x + r * w->P * w->row;
        const uint16_t *tokens = byte_tokens(w, r);
        for (size_t i = 0; i < w->P; i++, x += w->row)
            add_embedding(x, w->wte + tokens[i] * w->C, w->wpe + i * w->C, w->C);
    }
}

static void symbol_embed(bg_backend *be, float *x, const float *table, const float *place, const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C)
{
    byte_work w = {
        .x = x, .wte = table, .wpe = place, .tokens = tokens, .token_row = token_row,
        .R = R, .P = P, .C = C, .row = float_stride(C), .per_task = 1 + 128 / P,
    };
    bg_pool_run(be->pool, symbol_embed_task, &w, count_tasks(R, w.per_task));
}

static void symbol_embed_back_task(void *arg, size_t task, unsigned thread)
{
    const byte_work *w = arg;
    size_t c = task * EMBED_COLUMNS, n = task_end(c, EMBED_COLUMNS, w->C) - c;
    for (size_t r = 0; r < w->R; r++) {
        const float *dx = w->dx + r * w->P * w->row + c;
        const uint16_t *tokens = byte_tokens(w, r);
        for (size_t i = 0; i < w->P; i++, dx += w->row) {
            add_columns(w->dwte + tokens[i] * w->C + c, dx, n);
            add_columns(w->dwpe + i * w->C + c, dx, n);
        }
    }
}

static void symbol_embed_back(bg_backend *be, float *dtable, float *dplace, const float *dx, const uint16_t *tokens, const uint32_t *token_row, size_t R, size_t P, size_t C)
{
    byte_work w = { .dwte = dtable, .dwpe = dplace, .dx = dx, .tokens = tokens, .token_row = token_row, .R = R, .P = P, .C = C, .row = float_stride(C) };
    bg_pool_run(be->pool, symbol_embed_back_task, &w, count_tasks(C, EMBED_COLUMNS));
}

/* --- sums of activations ---------------------------------------------------------------------- */

static void add_part_task(void *arg, size_t task, unsigned thread)
{
    const byte_work *w = arg;
    size_t begin = task * w->per_task, end = task_end(begin, w->per_task, w->R);
    for (size_t r = begin; r < end; r++) {
        act *y = w->dfeature + r * w->row;
        const act *x = w->feature + r * w->feature_row;
        for (size_t i = 0; i < w->C; i += VW)
            astore(y + i, aload(y + i) + aload(x + i));
    }
}

/* C is a multiple of a head's width, so of whole vectors. */
static void add_part(bg_backend *be, void *y, size_t y_row, const void *x, size_t x_row, size_t R, size_t C)
{
    byte_work w = { .dfeature = y, .row = y_row, .feature = x, .feature_row = x_row, .R = R, .C = C, .per_task = 64 };
    assert(C % BG_HEAD == 0);
    bg_pool_run(be->pool, add_part_task, &w, count_tasks(R, w.per_task));
}
