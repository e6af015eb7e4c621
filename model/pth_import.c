/* A PyTorch checkpoint of the reference into a model file.
 *
 * The table of tensors that the pickle describes is checked exactly as that
 * of a safetensors file is; then the values are streamed, in the order of the
 * walk.  Refuses an output that is the input, a state dict that is no model,
 * and an output matrix (lm_head) that differs from the embedding. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "model/file.h"
#include "model/pth_tensor.h"

typedef struct import {
    const bg_sys *sys;
    const char *path;
    bg_pth_archive archive;
    uint8_t *text; /* of data.pkl */
    bg_pickle pickle;
    uint32_t state;     /* the dict of tensors */
    bg_st_file table;   /* its names and shapes; `begin` is the tensor's index in the pickle */
    size_t table_room;
    bg_config config;
} import;

static void import_close(import *im)
{
    bg_st_close(&im->table);
    bg_pickle_close(&im->pickle);
    bg_free(im->sys, im->text);
    bg_pth_archive_close(&im->archive);
}

/* --- what the checkpoint holds --------------------------------------------------- */

static bg_status add_tensor(import *im, uint32_t key, uint32_t value, bg_error *err)
{
    bg_st_file *f = &im->table;
    const bg_pickle *p = &im->pickle;
    if (bg_py_kind_of(p, key) != BG_PY_STRING)
        return bg_fail(err, BG_ERR_FORMAT, "%s: a name in its state dict is not a string", im->path);
    BG_TRY(bg_grow(im->sys, (void **)&f->tensors, &im->table_room, f->count + 1, sizeof *f->tensors, err));
    bg_st_tensor *t = &f->tensors[f->count];
    memset(t, 0, sizeof *t);
    t->name = bg_py_copy(p, key);
    if (!t->name)
        return bg_fail_memory(err, "a tensor's name", p->values[key].u.string.size);
    f->count++;
    if (bg_py_kind_of(p, value) != BG_PY_TENSOR)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %.200s is not a tensor", im->path, t->name);
    t->begin = (uint64_t)p->values[value].u.integer;
    const bg_py_tensor *from = &p->tensors[t->begin];
    t->dtype = from->dtype;
    t->dims = from->dims;
    t->count = from->count;
    memcpy(t->shape, from->shape, sizeof t->shape);
    return BG_OK;
}

/* The reference keeps the weights under "model"; a bare state dict is taken too. */
static bg_status make_table(import *im, bg_error *err)
{
    const bg_pickle *p = &im->pickle;
    if (bg_py_kind_of(p, p->root) != BG_PY_DICT)
        return bg_fail(err, BG_ERR_FORMAT, "%s: the checkpoint is not a dict", im->path);
    const uint32_t model = bg_py_find(p, p->root, "model");
    im->state = model && bg_py_kind_of(p, model) == BG_PY_DICT ? model : p->root;
    im->table.sys = im->sys;
    im->table.path = bg_strdup(im->sys, im->path);
    if (!im->table.path)
        return bg_fail_memory(err, im->path, strlen(im->path) + 1);
    for (uint32_t c = bg_py_first(p, im->state); c; c = p->cells[c].next)
        BG_TRY(add_tensor(im, p->cells[c].key, p->cells[c].value, err));
    return bg_st_index(&im->table, err);
}

static bg_status import_open(import *im, bg_error *err)
{
    size_t size = 0;
    BG_TRY(bg_pth_archive_open(&im->archive, im->sys, im->path, err));
    BG_TRY(bg_pth_entry_load(&im->archive, "data.pkl", BG_PICKLE_LIMIT, &im->text, &size, err));
    BG_TRY(bg_pickle_read(&im->pickle, im->sys, im->path, im->text, size, err));
    BG_TRY(make_table(im, err));
    return bg_file_config(&im->config, &im->table, err);
}

static bg_status stream(import *im, const bg_st_tensor *t, bg_pth_sink *sink, void *arg, bg_error *err)
{
    return bg_pth_stream(&im->archive, &im->pickle, &im->pickle.tensors[t->begin], t->name, sink, arg, err);
}

/* --- lm_head ------------------------------------------------------------------------ */

static int same_view(const bg_pickle *p, const bg_py_tensor *a, const bg_py_tensor *b)
{
    const bg_py_value *x = &p->values[a->key], *y = &p->values[b->key];
    return a->dtype == b->dtype && a->dims == b->dims && a->offset == b->offset && x->u.string.size == y->u.string.size
        && memcmp(p->data + x->u.string.at, p->data + y->u.string.at, x->u.string.size) == 0
        && memcmp(a->shape, b->shape, sizeof a->shape) == 0 && memcmp(a->stride, b->stride, sizeof a->stride) == 0;
}

typedef struct collected {
    float *values;
    size_t count;
} collected;

static bg_status collect(void *arg, const float *values, size_t n, bg_error *err)
{
    collected *c = arg;
    memcpy(c->values + c->count, values, n * sizeof *values);
    c->count += n;
    return BG_OK;
}

static bg_status compare_heads(import *im, const bg_st_tensor *head, const bg_st_tensor *wte, bg_error *err)
{
    const size_t n = (size_t)head->count; /* (257, Hb), checked */
    float *both = bg_alloc(im->sys, n, 2 * sizeof *both);
    if (!both)
        return bg_fail_memory(err, BG_LM_HEAD, (uint64_t)n * 2 * sizeof *both);
    collected a = { both, 0 }, b = { both + n, 0 };
    bg_status s = stream(im, head, collect, &a, err);
    if (s == BG_OK)
        s = stream(im, wte, collect, &b, err);
    for (size_t i = 0; i < n && s == BG_OK; i++)
        if (both[i] != both[n + i])
            s = bg_fail(err, BG_ERR_FORMAT, "%s: %s differs from %s at value %zu, but they must be one matrix", im->path, BG_LM_HEAD,
                        BG_TIED_WTE, i);
    bg_free(im->sys, both);
    return s;
}

static bg_status check_lm_head(import *im, bg_error *err)
{
    const bg_st_tensor *head = bg_st_find(&im->table, BG_LM_HEAD), *wte = bg_st_find(&im->table, BG_TIED_WTE);
    const bg_pickle *p = &im->pickle;
    if (!head || !wte || same_view(p, &p->tensors[head->begin], &p->tensors[wte->begin]))
        return BG_OK;
    return compare_heads(im, head, wte, err);
}

/* --- metadata --------------------------------------------------------------------------- */

/* The names of a {name: class} dict as a JSON array in the order of the classes. */
static bg_status labels_text(import *im, uint32_t labels, uint32_t *names, bg_text *t, bg_error *err)
{
    const bg_pickle *p = &im->pickle;
    const uint32_t classes = im->config.classes;
    uint32_t seen = 0;
    if (bg_py_kind_of(p, labels) != BG_PY_DICT)
        return bg_fail(err, BG_ERR_FORMAT, "%s: labels is not a dict", im->path);
    for (uint32_t c = bg_py_first(p, labels); c; c = p->cells[c].next, seen++) {
        const bg_py_value *key = &p->values[p->cells[c].key], *class = &p->values[p->cells[c].value];
        if (key->kind != BG_PY_STRING || class->kind != BG_PY_INT || class->u.integer < 0 || class->u.integer >= (int64_t)classes
            || names[class->u.integer])
            return bg_fail(err, BG_ERR_FORMAT, "%s: labels does not give each of the %u classes one name", im->path, (unsigned)classes);
        names[class->u.integer] = p->cells[c].key;
    }
    if (seen != classes)
        return bg_fail(err, BG_ERR_FORMAT, "%s: labels has %u names, the classifier has %u classes", im->path, (unsigned)seen,
                       (unsigned)classes);
    for (uint32_t i = 0; i < classes; i++) {
        char *name = bg_py_copy(p, names[i]);
        bg_text_add(t, i ? "," : "[");
        bg_text_json(t, name ? name : "");
        t->failed |= !name;
        bg_free(im->sys, name);
    }
    bg_text_add(t, "]");
    return t->failed ? bg_fail_memory(err, "the labels", t->size) : BG_OK;
}

static bg_status add_labels(import *im, bg_meta *meta, bg_error *err)
{
    const uint32_t labels = bg_py_find(&im->pickle, im->pickle.root, "labels");
    bg_text t;
    if (!im->config.classes || !bg_py_first(&im->pickle, labels)) /* none, or an empty dict */
        return BG_OK;
    uint32_t *names = bg_alloc_zero(im->sys, im->config.classes, sizeof *names);
    if (!names)
        return bg_fail_memory(err, "the labels", (uint64_t)im->config.classes * sizeof *names);
    bg_text_open(&t, im->sys);
    bg_status s = labels_text(im, labels, names, &t, err);
    if (s == BG_OK)
        s = bg_meta_set(meta, "labels", t.data, err);
    bg_text_close(&t);
    bg_free(im->sys, names);
    return s;
}

/* A number under key as a string; what is missing or no number is left out. */
static bg_status add_number(import *im, bg_meta *meta, const char *key, bg_error *err)
{
    const bg_py_value *v = &im->pickle.values[bg_py_find(&im->pickle, im->pickle.root, key)];
    bg_text t;
    bg_text_open(&t, im->sys);
    if (v->kind == BG_PY_INT)
        bg_text_add(&t, "%lld", (long long)v->u.integer);
    else if (v->kind == BG_PY_FLOAT && isfinite(v->u.real))
        bg_text_double(&t, v->u.real);
    bg_status s = t.failed ? bg_fail_memory(err, "metadata", t.size) : BG_OK;
    if (s == BG_OK && t.data)
        s = bg_meta_set(meta, key, t.data, err);
    bg_text_close(&t);
    return s;
}

static bg_status make_meta(import *im, bg_meta *meta, bg_error *err)
{
    static const char *const numbers[] = { "epoch", "best_epoch", "min_eval_loss", "max_eval_acc" };
    const char *slash = strrchr(im->path, '/');
    BG_TRY(bg_meta_set(meta, "format", "pt", err));
    BG_TRY(bg_meta_set(meta, "imported_from", slash ? slash + 1 : im->path, err));
    if (im->state == im->pickle.root) /* a bare state dict: it has tensors only */
        return BG_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        BG_TRY(add_number(im, meta, numbers[i], err));
    return add_labels(im, meta, err);
}

/* --- writing ------------------------------------------------------------------------------- */

static bg_status to_writer(void *arg, const float *values, size_t n, bg_error *err) { return bg_st_data(arg, values, n, err); }

static bg_status write_tensors(import *im, const bg_params *params, bg_st_writer *w, bg_error *err)
{
    for (uint32_t i = 0; i < params->count; i++)
        BG_TRY(bg_st_declare(w, params->tensors[i].name, params->tensors[i].dims, params->tensors[i].shape, err));
    BG_TRY(bg_st_begin_data(w, err));
    for (uint32_t i = 0; i < params->count; i++)
        BG_TRY(stream(im, bg_st_find(&im->table, params->tensors[i].name), to_writer, w, err));
    return bg_st_commit(w, err);
}

static bg_status write_file(import *im, const char *out, int replace, const bg_meta *meta, bg_error *err)
{
    bg_params params;
    bg_st_writer w;
    BG_TRY(bg_params_build(&params, &im->config, im->sys, err));
    bg_status s = bg_st_create(&w, im->sys, out, replace, meta, err);
    if (s == BG_OK)
        s = write_tensors(im, &params, &w, err);
    if (s != BG_OK)
        bg_st_abandon(&w);
    bg_params_free(&params, im->sys);
    return s;
}

static bg_status import_all(import *im, const char *out, int replace, bg_meta *meta, bg_error *err)
{
    BG_TRY(import_open(im, err));
    BG_TRY(make_meta(im, meta, err));
    BG_TRY(check_lm_head(im, err));
    return write_file(im, out, replace, meta, err);
}

bg_status bg_pth_import(const bg_sys *sys, const char *pth, const char *safetensors, int replace, bg_error *err)
{
    import im;
    bg_meta meta;
    if (bg_same_file(sys, pth, safetensors))
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: the output is the input itself", safetensors);
    memset(&im, 0, sizeof im);
    im.sys = sys;
    im.path = pth;
    im.table.fd = -1;
    bg_meta_open(&meta, sys);
    const bg_status s = import_all(&im, safetensors, replace, &meta, err);
    bg_meta_close(&meta);
    import_close(&im);
    return s;
}
