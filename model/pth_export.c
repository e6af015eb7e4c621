/* A model file into a checkpoint that PyTorch and the reference load:
 * torch.load(weights_only=True), then load_state_dict(strict=True) on the
 * model, the optimiser (fresh: no moments) and the schedule.
 *
 * Refuses a model with a byte decoder of its own width: the reference has no
 * such model.  Left out is what the reference has no place for: further
 * metadata, and a byte decoder beside a classifier. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/file.h"
#include "model/pth_store.h"

/* The folder of all entries; torch.save() takes the file's name, torch.load() any. */
#define FOLDER "archive/"

/* Values read and written at a time. */
enum { CHUNK = 4096 };

/* --- pickle: protocol 2, the opcodes that weights_only knows ------------------------ */

static void op(bg_text *t, char code) { bg_text_raw(t, &code, 1); }

static void number(bg_text *t, uint64_t value, size_t bytes) { bg_text_raw(t, &value, bytes); }

static void put_string(bg_text *t, const char *s)
{
    op(t, 'X'); /* BINUNICODE */
    number(t, strlen(s), 4);
    bg_text_raw(t, s, strlen(s));
}

/* Numbers beyond 31 bits: LONG1. */
static void put_int(bg_text *t, int64_t value)
{
    if (value >= INT32_MIN && value <= INT32_MAX) {
        op(t, 'J');
        number(t, (uint32_t)(int32_t)value, 4);
    } else {
        bg_text_raw(t, "\x8a\x08", 2);
        number(t, (uint64_t)value, 8);
    }
}

static void put_float(bg_text *t, double value)
{
    uint64_t bits;
    char b[9] = { 'G' };
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++)
        b[1 + i] = (char)(bits >> (56 - 8 * i));
    bg_text_raw(t, b, sizeof b);
}

static void put_global(bg_text *t, const char *module, const char *name) { bg_text_add(t, "c%s\n%s\n", module, name); }

static void put_ordered_dict(bg_text *t)
{
    put_global(t, "collections", "OrderedDict");
    bg_text_raw(t, ")R", 2);
}

/* torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()) */
static void put_tensor(bg_text *t, uint32_t key, const bg_tensor *from)
{
    char text[16];
    put_global(t, "torch._utils", "_rebuild_tensor_v2");
    bg_text_raw(t, "((", 2);
    put_string(t, "storage");
    put_global(t, "torch", "FloatStorage");
    snprintf(text, sizeof text, "%u", (unsigned)key);
    put_string(t, text);
    put_string(t, "cpu");
    put_int(t, (int64_t)from->count);
    bg_text_raw(t, "tQ", 2); /* TUPLE, BINPERSID */
    put_int(t, 0);
    op(t, '(');
    for (uint32_t i = 0; i < from->dims; i++)
        put_int(t, (int64_t)from->shape[i]);
    bg_text_raw(t, "t(", 2);
    if (from->dims == 2)
        put_int(t, (int64_t)from->shape[1]);
    put_int(t, 1);
    bg_text_raw(t, "t\x89", 2); /* TUPLE, NEWFALSE */
    put_ordered_dict(t);
    bg_text_raw(t, "tR", 2);
}

static void put_key_float(bg_text *t, const char *key, double value)
{
    put_string(t, key);
    put_float(t, value);
}

static void put_key_false(bg_text *t, const char *key)
{
    put_string(t, key);
    op(t, '\x89');
}

static void put_key_none(bg_text *t, const char *key)
{
    put_string(t, key);
    op(t, 'N');
}

/* --- the checkpoint ------------------------------------------------------------------ */

/* The reference's rate; what a continued training there begins with. */
#define RATE 1e-4

static void put_state(bg_text *t, const bg_params *p)
{
    put_ordered_dict(t);
    op(t, '(');
    for (uint32_t i = 0; i < p->count; i++) {
        put_string(t, p->tensors[i].name);
        put_tensor(t, i, &p->tensors[i]);
    }
    if (p->at[BG_BYTE_WTE] != BG_NO_TENSOR) { /* the same storage: tied */
        put_string(t, BG_LM_HEAD);
        put_tensor(t, p->at[BG_BYTE_WTE], &p->tensors[p->at[BG_BYTE_WTE]]);
    }
    op(t, 'u');
}

/* AdamW's state before its first step: one group with all parameters. */
static void put_optimizer(bg_text *t, uint32_t parameters)
{
    bg_text_raw(t, "}(", 2);
    put_string(t, "state");
    op(t, '}');
    put_string(t, "param_groups");
    bg_text_raw(t, "]}(", 3);
    put_key_float(t, "lr", RATE);
    put_string(t, "betas");
    put_float(t, 0.9);
    put_float(t, 0.999);
    op(t, '\x86'); /* TUPLE2 */
    put_key_float(t, "eps", 1e-8);
    put_key_float(t, "weight_decay", 0.01);
    put_key_false(t, "amsgrad");
    put_key_false(t, "maximize");
    put_key_none(t, "foreach");
    put_key_false(t, "capturable");
    put_key_false(t, "differentiable");
    put_key_none(t, "fused");
    put_key_float(t, "initial_lr", RATE);
    put_string(t, "params");
    bg_text_raw(t, "](", 2);
    for (uint32_t i = 0; i < parameters; i++)
        put_int(t, i);
    bg_text_raw(t, "euau", 4); /* the list of numbers, the group, into its list, both keys */
}

static void put_rates(bg_text *t, const char *key)
{
    put_string(t, key);
    op(t, ']');
    put_float(t, RATE);
    op(t, 'a');
}

static void put_schedule(bg_text *t)
{
    bg_text_raw(t, "}(", 2);
    put_rates(t, "base_lrs");
    put_rates(t, "_last_lr");
    put_string(t, "last_epoch");
    put_int(t, 0);
    put_string(t, "_step_count");
    put_int(t, 1);
    put_key_false(t, "_get_lr_called_within_step");
    put_string(t, "lr_lambdas");
    bg_text_raw(t, "]}au", 4);
}

/* A figure of the metadata; what is missing counts as 0. */
static double meta_number(const bg_meta *meta, const char *key)
{
    double x = 0;
    bg_json j;
    const char *text = bg_meta_get(meta, key);
    if (!text)
        return 0;
    bg_json_open(&j, text, strlen(text));
    return bg_json_double(&j, &x) && bg_json_end(&j) ? x : 0;
}

static void put_epoch(bg_text *t, const bg_meta *meta, const char *key)
{
    const double x = meta_number(meta, key);
    put_string(t, key);
    put_int(t, x > -1e9 && x < 1e9 ? (int64_t)x : 0);
}

/* The JSON array of names in the metadata as a dict of classes. */
static bg_status put_labels(bg_text *t, const bg_st_file *f, uint32_t classes, bg_error *err)
{
    const char *text = bg_meta_get(&f->meta, "labels");
    char name[512];
    uint32_t n = 0;
    bg_json j;
    put_string(t, "labels");
    bg_text_raw(t, "}(", 2);
    bg_json_open(&j, text ? text : "[]", text ? strlen(text) : 2);
    if (bg_json_enter(&j, '['))
        while (bg_json_item(&j) && bg_json_string(&j, name, sizeof name)) {
            put_string(t, name);
            put_int(t, n++);
        }
    op(t, 'u');
    if (!bg_json_end(&j))
        return bg_fail(err, BG_ERR_FORMAT, "%s: metadata labels: %s", f->path, j.why ? j.why : "not a list of names");
    if (text && n != classes)
        return bg_fail(err, BG_ERR_FORMAT, "%s: metadata labels has %u names, the classifier has %u classes", f->path, (unsigned)n,
                       (unsigned)classes);
    return BG_OK;
}

static bg_status make_pickle(bg_text *t, const bg_st_file *f, const bg_config *c, const bg_params *p, bg_error *err)
{
    bg_text_raw(t, "\x80\x02}(", 4);
    put_string(t, "model");
    put_state(t, p);
    put_string(t, "optimizer");
    put_optimizer(t, p->count);
    put_string(t, "lr_sched");
    put_schedule(t);
    put_epoch(t, &f->meta, "epoch");
    put_epoch(t, &f->meta, "best_epoch");
    const char *figure = c->classes ? "max_eval_acc" : "min_eval_loss";
    put_key_float(t, figure, meta_number(&f->meta, figure));
    if (c->classes)
        BG_TRY(put_labels(t, f, c->classes, err));
    bg_text_raw(t, "u.", 2);
    return t->failed ? bg_fail_memory(err, "data.pkl", t->size) : BG_OK;
}

/* --- the archive ------------------------------------------------------------------------ */

static bg_status put_entry(bg_pth_store *z, const char *name, const void *data, size_t n, bg_error *err)
{
    BG_TRY(bg_pth_store_begin(z, name, err));
    BG_TRY(bg_pth_store_put(z, data, n, err));
    return bg_pth_store_end(z, err);
}

static bg_status put_data(bg_pth_store *z, bg_st_file *f, const bg_tensor *t, uint32_t key, bg_error *err)
{
    float values[CHUNK];
    char name[32];
    const bg_st_tensor *from = bg_st_find(f, t->name);
    snprintf(name, sizeof name, FOLDER "data/%u", (unsigned)key);
    BG_TRY(bg_pth_store_begin(z, name, err));
    for (uint64_t i = 0; i < from->count; i += CHUNK) {
        const uint64_t left = from->count - i, n = left < CHUNK ? left : CHUNK;
        BG_TRY(bg_st_read(f, from, i, values, n, err));
        BG_TRY(bg_pth_store_put(z, values, (size_t)n * sizeof *values, err));
    }
    return bg_pth_store_end(z, err);
}

static bg_status write_archive(bg_pth_store *z, bg_st_file *f, const bg_params *p, const bg_text *pickle, bg_error *err)
{
    BG_TRY(put_entry(z, FOLDER "data.pkl", pickle->data, pickle->size, err));
    BG_TRY(put_entry(z, FOLDER "byteorder", "little", 6, err));
    for (uint32_t i = 0; i < p->count; i++)
        BG_TRY(put_data(z, f, &p->tensors[i], i, err));
    BG_TRY(put_entry(z, FOLDER "version", "3\n", 2, err));
    return bg_pth_store_commit(z, err);
}

static bg_status export_params(bg_st_file *f, const bg_config *c, const bg_params *p, const char *pth, int replace, bg_error *err)
{
    bg_text pickle;
    bg_pth_store z;
    bg_text_open(&pickle, f->sys);
    bg_status s = make_pickle(&pickle, f, c, p, err);
    if (s == BG_OK) {
        s = bg_pth_store_create(&z, f->sys, pth, replace, err);
        if (s == BG_OK)
            s = write_archive(&z, f, p, &pickle, err);
        if (s != BG_OK)
            bg_pth_store_abandon(&z);
    }
    bg_text_close(&pickle);
    return s;
}

#define INSTEAD "(--recipe reference trains models that do without)"

/* What a model has, beside a second width, that the reference's lacks; NULL: nothing. */
static const char *extension_of(const bg_config *c)
{
    if (c->previous)
        return "its byte decoder sees the patch before";
    if (c->rotary)
        return "its patch decoder has rotary positions";
    if (c->conv)
        return "its patch decoder has convolutions";
    if (c->patch_grams)
        return "its patch decoder has tables of n-grams";
    if (c->grams || c->match)
        return "its byte decoder has tables of n-grams or matches";
    return NULL;
}

static bg_status export_file(bg_st_file *f, const char *pth, int replace, bg_error *err)
{
    bg_config c;
    bg_params p;
    BG_TRY(bg_file_config(&c, f, err));
    const char *extension = extension_of(&c);
    if (extension)
        return bg_fail(err, BG_ERR_FAILED, "%s: %s, which the reference's does not " INSTEAD, f->path, extension);
    if (c.byte_layers && c.byte_hidden != c.hidden)
        return bg_fail(err, BG_ERR_FAILED, "%s: its byte decoder has a width of its own (%u), which the reference does not have " INSTEAD, f->path,
                       (unsigned)c.byte_hidden);
    BG_TRY(bg_file_check_tied(f, err));
    if (c.classes)
        c.byte_layers = 0; /* the walk without a byte decoder */
    BG_TRY(bg_params_build(&p, &c, f->sys, err));
    const bg_status s = export_params(f, &c, &p, pth, replace, err);
    bg_params_free(&p, f->sys);
    return s;
}

bg_status bg_pth_export(const bg_sys *sys, const char *safetensors, const char *pth, int replace, bg_error *err)
{
    bg_st_file f;
    if (bg_same_file(sys, safetensors, pth))
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: the output is the input itself", pth);
    BG_TRY(bg_st_open(&f, sys, safetensors, err));
    const bg_status s = export_file(&f, pth, replace, err);
    bg_st_close(&f);
    return s;
}
