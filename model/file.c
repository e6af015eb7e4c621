/* Model files into models: weights, the moments of a checkpoint, and the
 * weights that agree with another model's.
 *
 * Refuses a tied output matrix (lm_head) that is not the embedding: this
 * model has one matrix for both, and guessing which is meant would be wrong. */
#include "model/file.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "model/file_blocks.h"

/* The first `rows` of a tensor. */
static bg_status load_rows(bg_blocks *b, float *flat, const bg_tensor *t, bg_st_file *f, const bg_st_tensor *from, uint64_t rows, bg_error *err)
{
    for (uint64_t row = 0, n; row < rows && (n = bg_blocks_next(b, t, row)) > 0; row += n) {
        n = n < rows - row ? n : rows - row;
        BG_TRY(bg_st_read(f, from, row * t->shape[1], b->rows, n * t->shape[1], err));
        bg_blocks_put(b, flat, t, row, n);
    }
    return BG_OK;
}

static int same_shape(const bg_tensor *t, const bg_st_tensor *from)
{
    if (from->dims != t->dims || from->count != t->count || !bg_dtype_is_float(from->dtype))
        return 0;
    return from->shape[0] == t->shape[0] && (t->dims < 2 || from->shape[1] == t->shape[1]);
}

/* Positions of another number of patches: those that both have. */
static uint64_t common_rows(const bg_tensor *t, const bg_st_tensor *from)
{
    if (strcmp(t->name, BG_NAMED_POSITIONS) != 0 || from->dims != 2 || !bg_dtype_is_float(from->dtype) || from->shape[1] != t->shape[1])
        return 0;
    return from->shape[0] < t->shape[0] ? from->shape[0] : t->shape[0];
}

/* All tensors of the walk under PREFIX; all must be there unless `loaded` counts those that are. */
static bg_status load_all(bg_model *m, float *flat, bg_st_file *f, const char *prefix, uint32_t *loaded, bg_error *err)
{
    const bg_params *p = bg_model_params(m);
    char name[BG_TENSOR_NAME + BG_PREFIX];
    bg_blocks b;
    bg_status s = bg_blocks_open(&b, bg_model_backend(m), p, err);
    for (uint32_t i = 0; i < p->count && s == BG_OK; i++) {
        const bg_tensor *t = &p->tensors[i];
        snprintf(name, sizeof name, "%s%s", prefix, t->name);
        const bg_st_tensor *from = bg_st_find(f, name);
        const uint64_t rows = !from ? 0 : same_shape(t, from) ? t->shape[0] : loaded ? common_rows(t, from) : 0;
        if (rows > 0) {
            s = load_rows(&b, flat, t, f, from, rows, err);
            if (loaded && s == BG_OK)
                ++*loaded;
        } else if (!loaded) {
            s = bg_fail(err, BG_ERR_FORMAT, "%s: tensor %s is missing or of another shape", f->path, name);
        }
    }
    bg_blocks_close(&b);
    return s;
}

bg_status bg_file_check_tied(bg_st_file *f, bg_error *err)
{
    enum { PIECE = 1024 };
    float a[PIECE], b[PIECE];
    const bg_st_tensor *head = bg_st_find(f, BG_LM_HEAD), *wte = bg_st_find(f, BG_TIED_WTE);
    if (!head || !wte || head->count != wte->count)
        return BG_OK;
    for (uint64_t i = 0; i < head->count; i += PIECE) {
        const uint64_t left = head->count - i, n = left < PIECE ? left : PIECE;
        BG_TRY(bg_st_read(f, head, i, a, n, err));
        BG_TRY(bg_st_read(f, wte, i, b, n, err));
        for (uint64_t k = 0; k < n; k++)
            if (a[k] != b[k])
                return bg_fail(err, BG_ERR_FORMAT, "%s: %s differs from %s at value %llu, but they must be one matrix",
                               f->path, BG_LM_HEAD, BG_TIED_WTE, (unsigned long long)(i + k));
    }
    return BG_OK;
}

static bg_status check_rotary(bg_model *m, const bg_st_file *f, bg_error *err)
{
    const bg_params *p = bg_model_params(m);
    const uint32_t at = p->at[BG_ROTARY];
    bg_backend *be = bg_model_backend(m);
    float base = BG_ROTARY_BASE;
    if (at != BG_NO_TENSOR)
        be->ops->read(be, &base, bg_model_weights(m) + p->tensors[at].offset, sizeof base);
    if (base == BG_ROTARY_BASE)
        return BG_OK;
    return bg_fail(err, BG_ERR_FORMAT, "%s: %s is %g; only %g is known", f->path, p->tensors[at].name, (double)base, (double)BG_ROTARY_BASE);
}

/* `loaded` as in load_all. */
static bg_status load_model(bg_model *m, bg_st_file *f, uint32_t *loaded, bg_error *err)
{
    bg_backend *be = bg_model_backend(m);
    BG_TRY(bg_file_check_tied(f, err));
    BG_TRY(load_all(m, bg_model_weights(m), f, "", loaded, err));
    BG_TRY(check_rotary(m, f, err));
    bg_model_changed(m);
    return be->ops->sync(be, err);
}

bg_status bg_file_load_weights(bg_model *m, bg_st_file *f, bg_error *err) { return load_model(m, f, NULL, err); }

bg_status bg_file_load_matching(bg_model *m, bg_st_file *f, uint32_t *loaded, bg_error *err)
{
    *loaded = 0;
    return load_model(m, f, loaded, err);
}

bg_status bg_file_load_extra(bg_model *m, bg_st_file *f, const bg_extra *extra, bg_error *err)
{
    bg_backend *be = bg_model_backend(m);
    assert(strlen(extra->prefix) < BG_PREFIX);
    BG_TRY(load_all(m, extra->flat, f, extra->prefix, NULL, err));
    return be->ops->sync(be, err);
}

static bg_status load_open(bg_model **out, bg_st_file *f, bg_backend *be, bg_weight_form form, bg_meta *meta, bg_error *err)
{
    bg_config c;
    BG_TRY(bg_file_config(&c, f, err));
    BG_TRY(bg_model_open(out, &c, be, form, err));
    BG_TRY(bg_file_load_weights(*out, f, err));
    return meta ? bg_meta_copy(meta, &f->meta, err) : BG_OK;
}

bg_status bg_model_load(bg_model **out, const char *path, bg_backend *be, bg_weight_form form, bg_meta *meta, bg_error *err)
{
    bg_st_file f;
    *out = NULL;
    BG_TRY(bg_st_open(&f, be->sys, path, err));
    const bg_status s = load_open(out, &f, be, form, meta, err);
    bg_st_close(&f);
    if (s != BG_OK && *out) {
        bg_model_close(*out);
        *out = NULL;
    }
    return s;
}
