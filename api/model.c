/* Opening a model file, and what can be asked of an open model.
 * Refuses files whose labels do not agree with their classifier. */
#include "api/api.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* --- labels -------------------------------------------------------------------- */

/* Strings of the JSON list in the metadata; absent: no names. */
static bg_status read_labels(bgpt_model *m, const char *json, bg_error *err)
{
    bg_json j;
    size_t capacity = 0;
    bg_json_open(&j, json, strlen(json));
    if (bg_json_enter(&j, '['))
        while (bg_json_item(&j)) {
            const char *raw;
            size_t n;
            if (!bg_json_raw_string(&j, &raw, &n))
                break;
            BG_TRY(bg_grow(m->sys, (void **)&m->labels.names, &capacity, m->labels.count + 1, sizeof *m->labels.names, err));
            char *name = bg_alloc(m->sys, n + 1, 1);
            if (!name)
                return bg_fail_memory(err, "a label", n + 1);
            name[bg_json_unescape(name, raw, n)] = 0;
            m->labels.names[m->labels.count++] = name;
        }
    if (!bg_json_end(&j))
        return bg_fail(err, BG_ERR_FORMAT, "%s: the labels are not a list of strings", m->path);
    return BG_OK;
}

static bg_status check_labels(bgpt_model *m, bg_error *err)
{
    const char *json = bg_meta_get(&m->meta, "labels");
    const uint32_t classes = bg_model_config(m->model)->classes;
    if (!json || classes == 0)
        return BG_OK;
    BG_TRY(read_labels(m, json, err));
    if (m->labels.count != classes)
        return bg_fail(err, BG_ERR_FORMAT, "%s: there are %zu labels, but the classifier has %u classes", m->path, m->labels.count, classes);
    return BG_OK;
}

/* --- opening -------------------------------------------------------------------- */

static bg_status fill_model(bgpt_model *m, bg_st_file *f, const bgpt_options *opt, bg_error *err)
{
    bg_config c;
    BG_TRY(bg_file_config(&c, f, err));
    const bg_machine_options machine = bg_api_machine(opt, m->sys);
    BG_TRY(bg_machine_open(&m->machine, &machine, &c, err));
    BG_TRY(bg_model_open(&m->model, &c, m->machine.be, bg_api_weights(opt), err));
    BG_TRY(bg_file_load_weights(m->model, f, err));
    BG_TRY(bg_meta_copy(&m->meta, &f->meta, err));
    return check_labels(m, err);
}

static bg_status open_model(bgpt_model **out, const char *path, const bgpt_options *opt, bg_error *err)
{
    bg_api_sys outer;
    const bg_sys *sys = bg_api_sys_open(&outer, opt);
    bgpt_model *m = bg_alloc_zero(sys, 1, sizeof *m);
    if (!m)
        return bg_fail_memory(err, "a model", sizeof *m);
    m->sys = bg_api_sys_open(&m->hooks, opt); /* where it stays */
    m->batch = opt && opt->batch ? opt->batch : 8;
    m->streams = opt && opt->max_streams ? opt->max_streams : 16;
    bg_meta_open(&m->meta, m->sys);
    m->path = bg_strdup(m->sys, path);
    bg_st_file f = { 0 };
    bg_status s = m->path ? bg_st_open(&f, m->sys, path, err) : bg_fail_memory(err, "a path", strlen(path) + 1);
    if (s == BG_OK) {
        s = fill_model(m, &f, opt, err);
        bg_st_close(&f);
    }
    if (s != BG_OK) {
        bgpt_close(m);
        return s;
    }
    *out = m;
    return BG_OK;
}

static bg_status check_options(const bgpt_options *opt, bg_error *err)
{
    enum { MOST = 4096 };
    if (opt && (opt->batch > MOST || opt->max_streams > MOST))
        return bg_fail(err, BG_ERR_ARGUMENT, "%u files or sequences side by side are too many; at most %d", opt->batch > MOST ? opt->batch : opt->max_streams, MOST);
    return BG_OK;
}

bgpt_status bgpt_open(bgpt_model **out, const char *path, const bgpt_options *opt, bgpt_error *err)
{
    bg_error e;
    *out = NULL;
    bg_status s = check_options(opt, &e);
    if (s == BG_OK)
        s = open_model(out, path, opt, &e);
    return bg_api_return(err, s, &e);
}

void bgpt_close(bgpt_model *m)
{
    if (!m)
        return;
    bg_api_sys hooks = m->hooks; /* m->sys may live in m itself */
    const bg_sys *sys = m->sys == &m->hooks.sys ? &hooks.sys : m->sys;
    for (size_t i = 0; i < m->labels.count; i++)
        bg_free(m->sys, m->labels.names[i]);
    bg_free(m->sys, m->labels.names);
    bg_meta_close(&m->meta);
    bg_model_close(m->model);
    bg_machine_close(&m->machine);
    bg_free(m->sys, m->path);
    hooks.sys.ctx = &hooks;
    bg_free(sys, m);
}

bg_status bg_api_reserve(bgpt_model *m, uint32_t files, bg_error *err)
{
    const uint64_t rows = (uint64_t)files * bg_model_config(m->model)->patches;
    if (files <= m->files && rows <= m->rows)
        return BG_OK;
    if (rows > UINT32_MAX / BG_MAX_PATCH)
        return bg_fail(err, BG_ERR_ARGUMENT, "%u files of %u patches side by side are too many", files, bg_model_config(m->model)->patches);
    m->rows = m->files = 0;
    BG_TRY(bg_model_reserve(m->model, (uint32_t)rows, files, 0, err));
    m->rows = (uint32_t)rows;
    m->files = files;
    return BG_OK;
}

/* --- questions ------------------------------------------------------------------- */

bgpt_config bgpt_get_config(const bgpt_model *m) { return bg_api_public_config(bg_model_config(m->model)); }
uint64_t bgpt_parameters(const bgpt_model *m) { return bg_model_params(m->model)->parameters; }
const char *bgpt_label(const bgpt_model *m, uint32_t i) { return i < m->labels.count ? m->labels.names[i] : NULL; }

int bgpt_metadata(const bgpt_model *m, size_t i, const char **key, const char **value)
{
    if (i >= m->meta.count)
        return 0;
    *key = m->meta.keys[i];
    *value = m->meta.values[i];
    return 1;
}

int bgpt_tensor(const bgpt_model *m, size_t i, bgpt_tensor_info *out)
{
    const bg_params *p = bg_model_params(m->model);
    if (i >= p->count)
        return 0;
    const bg_tensor *t = &p->tensors[i];
    *out = (bgpt_tensor_info){ .name = t->name, .dims = t->dims, .shape = { t->shape[0], t->shape[1] } };
    out->mean = out->std = out->min = out->max = NAN;
    return 1;
}

typedef struct moments { double sum, squares, min, max; uint64_t bad; } moments;

static void add_values(moments *s, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        s->bad += !isfinite(x[i]);
        s->sum += x[i];
        s->squares += (double)x[i] * x[i];
        s->min = fmin(s->min, x[i]);
        s->max = fmax(s->max, x[i]);
    }
}

bgpt_status bgpt_tensor_check(bgpt_model *m, size_t i, bgpt_tensor_info *out, bgpt_error *err)
{
    enum { PIECE = 1024 };
    float piece[PIECE];
    bg_error e;
    if (!bgpt_tensor(m, i, out))
        return bg_api_return(err, bg_fail(&e, BG_ERR_ARGUMENT, "%s: there is no tensor %zu", m->path, i), &e);
    const bg_tensor *t = &bg_model_params(m->model)->tensors[i];
    const float *values = bg_model_weights(m->model) + t->offset;
    moments s = { 0, 0, DBL_MAX, -DBL_MAX, 0 };
    for (size_t at = 0; at < t->count; at += PIECE) {
        size_t n = t->count - at < PIECE ? t->count - at : PIECE;
        m->machine.be->ops->read(m->machine.be, piece, values + at, n * sizeof *piece);
        add_values(&s, piece, n);
    }
    if (s.bad)
        return bg_api_return(err, bg_fail(&e, BG_ERR_FORMAT, "%s: %s: %llu of its values are not finite", m->path, t->name, (unsigned long long)s.bad), &e);
    double n = (double)t->count;
    out->mean = s.sum / n;
    out->std = sqrt(fmax(s.squares / n - out->mean * out->mean, 0));
    out->min = s.min;
    out->max = s.max;
    return BGPT_OK;
}
