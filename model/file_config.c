/* The configuration of a model file, from the names and shapes of its tensors.
 *
 * Refuses a file that lacks a tensor of the configuration so found, has one of
 * another shape or of whole numbers, or holds a tensor that no such model has:
 * it would be lost on the next save, and most likely the file is another model. */
#include "model/file.h"

#include <stdio.h>
#include <string.h>

#define PATCH "patch_level_decoder."
#define BYTE "byte_level_decoder."

static bg_status fail_missing(const bg_st_file *f, const char *name, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "%s: tensor %s is missing", f->path, name);
}

/* A matrix's shape, as 32-bit numbers. */
static bg_status matrix_shape(const bg_st_file *f, const char *name, uint32_t *rows, uint32_t *columns, bg_error *err)
{
    const bg_st_tensor *t = bg_st_find(f, name);
    if (!t)
        return fail_missing(f, name, err);
    if (t->dims != 2)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: %u dimensions where 2 are due", f->path, name, (unsigned)t->dims);
    if (t->shape[0] > UINT32_MAX || t->shape[1] > UINT32_MAX)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: a shape of %llu x %llu is absurd", f->path, name,
                       (unsigned long long)t->shape[0], (unsigned long long)t->shape[1]);
    *rows = (uint32_t)t->shape[0];
    *columns = (uint32_t)t->shape[1];
    return BG_OK;
}

/* Blocks 0, 1, ... that are there; one too many is for bg_config_check() to name. */
static uint32_t count_layers(const bg_st_file *f, const char *prefix)
{
    uint32_t n = 0;
    char name[BG_TENSOR_NAME];
    while (n <= BG_MAX_LAYERS) {
        snprintf(name, sizeof name, "%sh.%u.ln_1.weight", prefix, (unsigned)n);
        if (!bg_st_find(f, name))
            break;
        n++;
    }
    return n;
}

static bg_status deduce(bg_config *c, const bg_st_file *f, bg_error *err)
{
    uint32_t width = 0, unused = 0;
    memset(c, 0, sizeof *c);
    BG_TRY(matrix_shape(f, PATCH "patch_embedding.weight", &c->hidden, &width, err));
    if (width % BG_VOCAB != 0)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: width %u is not a multiple of %d", f->path,
                       PATCH "patch_embedding.weight", (unsigned)width, BG_VOCAB);
    c->patch_size = width / BG_VOCAB;
    BG_TRY(matrix_shape(f, PATCH "base.wpe.weight", &c->patches, &unused, err));
    c->patch_layers = count_layers(f, PATCH "base.");
    c->byte_hidden = c->hidden;
    if (bg_st_find(f, PATCH "grams.3.weight"))
        BG_TRY(matrix_shape(f, PATCH "grams.3.weight", &c->patch_grams, &unused, err));
    if (bg_st_find(f, PATCH "conv_1.0.weight"))
        BG_TRY(matrix_shape(f, PATCH "conv_1.0.weight", &c->conv, &unused, err));
    c->rotary = bg_st_find(f, PATCH "rotary.base") != NULL;
    if (bg_st_find(f, "classifier.weight"))
        BG_TRY(matrix_shape(f, "classifier.weight", &c->classes, &unused, err));
    if (!c->classes || bg_st_find(f, BG_TIED_WTE)) {
        BG_TRY(matrix_shape(f, BG_TIED_WTE, &unused, &c->byte_hidden, err));
        c->byte_layers = count_layers(f, BYTE "base.transformer.");
        if (bg_st_find(f, BYTE "previous.weight"))
            c->previous |= BG_PREVIOUS_COLUMN;
        if (bg_st_find(f, BYTE "previous_keys.0.symbols"))
            c->previous |= BG_PREVIOUS_KEYS;
        if (bg_st_find(f, BYTE "previous_positions.weight"))
            c->previous = BG_PREVIOUS_PATCH;
        if (bg_st_find(f, BYTE "grams.2.weight"))
            BG_TRY(matrix_shape(f, BYTE "grams.2.weight", &c->grams, &unused, err));
        c->match = bg_st_find(f, BYTE "match.weight") != NULL;
    }
    return bg_config_check(c, f->path, err);
}

/* The file's tensor of that name must have this shape and hold real numbers. */
static bg_status check_tensor(const bg_st_file *f, const char *name, uint32_t dims, const uint64_t *shape, bg_error *err)
{
    const bg_st_tensor *t = bg_st_find(f, name);
    if (!t)
        return fail_missing(f, name, err);
    if (!bg_dtype_is_float(t->dtype))
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: elements of type %s cannot be weights", f->path, name,
                       bg_dtype_name(t->dtype));
    if (t->dims != dims)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: %u dimensions where %u are due", f->path, name, (unsigned)t->dims,
                       (unsigned)dims);
    for (uint32_t i = 0; i < dims; i++)
        if (t->shape[i] != shape[i])
            return bg_fail(err, BG_ERR_FORMAT, "%s: %s: dimension %u is %llu in the file, %llu by the other tensors", f->path,
                           name, (unsigned)i, (unsigned long long)t->shape[i], (unsigned long long)shape[i]);
    return BG_OK;
}

static int ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

int bg_file_of_run(const char *name) { return strncmp(name, "optimizer.", 10) == 0; }

int bg_file_ignored(const char *name)
{
    return ends_with(name, ".attn.bias") || ends_with(name, ".attn.masked_bias");
}

static bg_status check_unknown(const bg_st_file *f, const bg_params *p, bg_error *err)
{
    for (size_t i = 0; i < f->count; i++) {
        const char *name = f->tensors[i].name;
        /* The cheap tests first: a hostile file may hold a million names. */
        if (bg_file_of_run(name) || bg_file_ignored(name) || strcmp(name, BG_LM_HEAD) == 0)
            continue;
        if (!bg_params_find(p, name))
            return bg_fail(err, BG_ERR_FORMAT, "%s: tensor %s does not belong to a model of this shape", f->path, name);
    }
    return BG_OK;
}

static bg_status check_tensors(const bg_st_file *f, const bg_config *c, const bg_params *p, bg_error *err)
{
    const uint64_t head[2] = { BG_VOCAB, c->byte_hidden };
    for (uint32_t i = 0; i < p->count; i++)
        BG_TRY(check_tensor(f, p->tensors[i].name, p->tensors[i].dims, p->tensors[i].shape, err));
    if (c->byte_layers && bg_st_find(f, BG_LM_HEAD))
        BG_TRY(check_tensor(f, BG_LM_HEAD, 2, head, err));
    return check_unknown(f, p, err);
}

bg_status bg_file_config(bg_config *c, const bg_st_file *f, bg_error *err)
{
    bg_params p;
    BG_TRY(deduce(c, f, err));
    BG_TRY(bg_params_build(&p, c, f->sys, err));
    const bg_status s = check_tensors(f, c, &p, err);
    bg_params_free(&p, f->sys);
    return s;
}
