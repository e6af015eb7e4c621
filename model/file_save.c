/* Models into model files: written aside, read back, compared, renamed.
 *
 * The comparison stands before the rename, so that a file that does not hold
 * what was meant never replaces one that does.  Refuses to write a value that
 * is not finite: such a model is lost, and the file it would replace is not. */
#include "model/file.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "model/file_blocks.h"

/* Everything that goes into one file: the weights, then the extra buffers. */
typedef struct content {
    bg_model *m;
    const bg_params *p;
    const bg_extra *extra;
    size_t parts; /* 1 + number of extra buffers */
    bg_blocks blocks;
} content;

static const char *part_prefix(const content *c, size_t part) { return part ? c->extra[part - 1].prefix : ""; }
static const float *part_flat(const content *c, size_t part) { return part ? c->extra[part - 1].flat : bg_model_weights(c->m); }

static void part_name(const content *c, size_t part, uint32_t i, char name[BG_TENSOR_NAME + BG_PREFIX])
{
    assert(strlen(part_prefix(c, part)) < BG_PREFIX);
    snprintf(name, BG_TENSOR_NAME + BG_PREFIX, "%s%s", part_prefix(c, part), c->p->tensors[i].name);
}

/* What is done with one tensor of the content, once to write and once to compare. */
typedef bg_status visit_fn(content *c, const float *flat, const bg_tensor *t, const char *name, void *arg, bg_error *err);

static bg_status visit_all(content *c, visit_fn *visit, void *arg, bg_error *err)
{
    char name[BG_TENSOR_NAME + BG_PREFIX];
    for (size_t part = 0; part < c->parts; part++)
        for (uint32_t i = 0; i < c->p->count; i++) {
            part_name(c, part, i, name);
            BG_TRY(visit(c, part_flat(c, part), &c->p->tensors[i], name, arg, err));
        }
    return BG_OK;
}

static bg_status declare(content *c, const float *flat, const bg_tensor *t, const char *name, void *arg, bg_error *err)
{
    return bg_st_declare(arg, name, t->dims, t->shape, err);
}

static bg_status write_tensor(content *c, const float *flat, const bg_tensor *t, const char *name, void *arg, bg_error *err)
{
    for (uint64_t row = 0, n; (n = bg_blocks_next(&c->blocks, t, row)) > 0; row += n) {
        const uint64_t count = n * t->shape[1];
        bg_blocks_get(&c->blocks, flat, t, row, n);
        const size_t bad = bg_first_not_finite(c->blocks.rows, (size_t)count);
        if (bad < count)
            return bg_fail(err, BG_ERR_FAILED, "%s: value %llu is not a finite number, so the model is not saved", name,
                           (unsigned long long)(row * t->shape[1] + bad));
        BG_TRY(bg_st_data(arg, c->blocks.rows, count, err));
    }
    return BG_OK;
}

/* A file being compared, and room for a block of it. */
typedef struct reader {
    bg_st_file *f;
    float *rows;
} reader;

static bg_status compare_tensor(content *c, const float *flat, const bg_tensor *t, const char *name, void *arg, bg_error *err)
{
    reader *r = arg;
    const bg_st_tensor *from = bg_st_find(r->f, name);
    if (!from || from->count != t->count)
        return bg_fail(err, BG_ERR_IO, "%s is not in the file", name);
    for (uint64_t row = 0, n; (n = bg_blocks_next(&c->blocks, t, row)) > 0; row += n) {
        const uint64_t count = n * t->shape[1];
        bg_blocks_get(&c->blocks, flat, t, row, n);
        BG_TRY(bg_st_read(r->f, from, row * t->shape[1], r->rows, count, err));
        if (memcmp(r->rows, c->blocks.rows, (size_t)count * sizeof(float)) != 0)
            return bg_fail(err, BG_ERR_IO, "%s is not in the file as it was given", name);
    }
    return BG_OK;
}

/* As JSON text, where bytes that are not UTF-8 (a label made from a file's
 * name) have become U+FFFD on both sides. */
static bg_status compare_meta(const bg_sys *sys, const bg_st_file *f, const bg_meta *meta, bg_error *err)
{
    bg_text given, found;
    bg_text_open(&given, sys);
    bg_text_open(&found, sys);
    for (size_t i = 0; meta && i < meta->count; i++) {
        bg_text_json(&given, meta->keys[i]);
        bg_text_json(&given, meta->values[i]);
    }
    for (size_t i = 0; i < f->meta.count; i++) {
        bg_text_json(&found, f->meta.keys[i]);
        bg_text_json(&found, f->meta.values[i]);
    }
    bg_status s = BG_OK;
    if (given.failed || found.failed)
        s = bg_fail_memory(err, "comparing metadata", given.size);
    else if (given.size != found.size || (given.size && memcmp(given.data, found.data, given.size) != 0))
        s = bg_fail(err, BG_ERR_IO, "the metadata are not in the file as they were given");
    bg_text_close(&given);
    bg_text_close(&found);
    return s;
}

static bg_status compare_file(content *c, bg_st_file *f, const bg_meta *meta, bg_error *err)
{
    const bg_sys *sys = c->blocks.be->sys;
    reader r = { f, bg_alloc(sys, c->blocks.floats, sizeof(float)) };
    if (!r.rows)
        return bg_fail_memory(err, "reading a model back", (uint64_t)c->blocks.floats * sizeof(float));
    bg_status s = compare_meta(sys, f, meta, err);
    if (s == BG_OK)
        s = visit_all(c, compare_tensor, &r, err);
    bg_free(sys, r.rows);
    return s;
}

/* Read the file aside and compare all of it.  A file just written that cannot
 * be read is a failure of writing, whatever the reader calls it. */
static bg_status verify(content *c, const char *temp, const char *path, const bg_meta *meta, bg_error *err)
{
    bg_st_file f;
    bg_error why = { 0 };
    bg_status s = bg_st_open(&f, c->blocks.be->sys, temp, &why);
    if (s == BG_OK) {
        s = compare_file(c, &f, meta, &why);
        bg_st_close(&f);
    }
    if (s == BG_OK)
        return BG_OK;
    return bg_fail(err, s == BG_ERR_MEMORY ? s : BG_ERR_IO, "%s: it could not be read back and was not saved: %.300s", path,
                   why.text);
}

static bg_status write_all(content *c, bg_st_writer *w, const char *path, const bg_meta *meta, bg_error *err)
{
    const char *temp = NULL;
    BG_TRY(visit_all(c, declare, w, err));
    BG_TRY(bg_st_begin_data(w, err));
    BG_TRY(visit_all(c, write_tensor, w, err));
    BG_TRY(c->blocks.be->ops->sync(c->blocks.be, err)); /* a device that failed has given garbage */
    BG_TRY(bg_st_flush(w, &temp, err));
    if (temp) /* a device or pipe cannot be read back */
        BG_TRY(verify(c, temp, path, meta, err));
    return bg_st_commit(w, err);
}

bg_status bg_model_save(bg_model *m, const char *path, int replace, const bg_meta *meta, const bg_extra *extra, size_t extras,
                        bg_error *err)
{
    bg_backend *be = bg_model_backend(m);
    content c = { m, bg_model_params(m), extra, extras + 1, { 0 } };
    bg_st_writer w;
    BG_TRY(bg_blocks_open(&c.blocks, be, c.p, err));
    bg_status s = bg_st_create(&w, be->sys, path, replace, meta, err);
    if (s == BG_OK)
        s = write_all(&c, &w, path, meta, err);
    if (s != BG_OK)
        bg_st_abandon(&w);
    bg_blocks_close(&c.blocks);
    return s;
}
