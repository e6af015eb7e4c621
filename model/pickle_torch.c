/* What a PyTorch checkpoint's pickle may name and call, and looking at the
 * values it leaves: see pickle.h.
 *
 * Refuses every global but those in the two tables, calls with other
 * arguments than torch.save() writes, storages of unknown kinds, and tensors
 * that reach outside their storage. */
#include "model/pickle.h"

#include <string.h>

static const struct {
    const char *module, *name;
    bg_py_global which;
} functions[] = {
    { "collections", "OrderedDict", BG_PY_ORDERED_DICT },
    { "torch._utils", "_rebuild_tensor_v2", BG_PY_REBUILD_TENSOR },
    { "torch._utils", "_rebuild_parameter", BG_PY_REBUILD_PARAMETER },
};

static const struct {
    const char *name;
    bg_dtype dtype;
} storages[] = {
    { "FloatStorage", BG_F32 }, { "HalfStorage", BG_F16 },  { "BFloat16Storage", BG_BF16 }, { "DoubleStorage", BG_F64 },
    { "LongStorage", BG_I64 },  { "IntStorage", BG_I32 },   { "ByteStorage", BG_U8 },       { "BoolStorage", BG_BOOL },
};

enum { FUNCTIONS = sizeof functions / sizeof *functions, STORAGES = sizeof storages / sizeof *storages };

static bg_status fail(const bg_pickle *p, const char *why, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "%s: not a checkpoint that can be read: %s", p->path, why);
}

/* --- looking at values ----------------------------------------------------------- */

bg_py_kind bg_py_kind_of(const bg_pickle *p, uint32_t value) { return (bg_py_kind)p->values[value].kind; }

uint32_t bg_py_first(const bg_pickle *p, uint32_t value)
{
    const bg_py_kind kind = bg_py_kind_of(p, value);
    return kind == BG_PY_TUPLE || kind == BG_PY_LIST || kind == BG_PY_DICT ? p->values[value].first : 0;
}

uint32_t bg_py_element(const bg_pickle *p, uint32_t value, uint32_t n)
{
    uint32_t cell = bg_py_first(p, value);
    while (cell && n--)
        cell = p->cells[cell].next;
    return p->cells[cell].value; /* cell 0 holds value 0 */
}

static int text_is(const char *s, size_t n, const char *text) { return n == strlen(text) && memcmp(s, text, n) == 0; }

int bg_py_is(const bg_pickle *p, uint32_t string, const char *text)
{
    const bg_py_value *v = &p->values[string];
    return v->kind == BG_PY_STRING && text_is((const char *)p->data + v->u.string.at, v->u.string.size, text);
}

uint32_t bg_py_find(const bg_pickle *p, uint32_t dict, const char *key)
{
    uint32_t found = 0;
    if (bg_py_kind_of(p, dict) != BG_PY_DICT)
        return 0;
    for (uint32_t c = bg_py_first(p, dict); c; c = p->cells[c].next)
        if (bg_py_is(p, p->cells[c].key, key))
            found = p->cells[c].value;
    return found;
}

char *bg_py_copy(const bg_pickle *p, uint32_t string)
{
    const bg_py_value *v = &p->values[string];
    char *s = bg_alloc(p->sys, (size_t)v->u.string.size + 1, 1);
    if (!s)
        return NULL;
    memcpy(s, p->data + v->u.string.at, v->u.string.size);
    s[v->u.string.size] = 0;
    return s;
}

/* --- globals ----------------------------------------------------------------------- */

/* Printable characters of a name that is about to be refused. */
static void printable(char *out, size_t room, const char *s, size_t n)
{
    size_t i = 0;
    for (; i < n && i + 1 < room; i++)
        out[i] = s[i] >= 0x20 && s[i] < 0x7f ? s[i] : '?';
    out[i] = 0;
}

static bg_status fail_global(const bg_pickle *p, const char *module, size_t module_size, const char *name, size_t name_size,
                             bg_error *err)
{
    char a[64], b[64];
    printable(a, sizeof a, module, module_size);
    printable(b, sizeof b, name, name_size);
    return bg_fail(err, BG_ERR_FORMAT, "%s: it names %s.%s, which a checkpoint of weights has no use for and which is refused",
                   p->path, a, b);
}

bg_status bg_py_global_value(bg_pickle *p, const char *module, size_t module_size, const char *name, size_t name_size,
                             uint32_t *out, bg_error *err)
{
    for (int i = 0; i < FUNCTIONS; i++)
        if (text_is(module, module_size, functions[i].module) && text_is(name, name_size, functions[i].name)) {
            BG_TRY(bg_py_new(p, BG_PY_GLOBAL, out, err));
            p->values[*out].which = (uint8_t)functions[i].which;
            return BG_OK;
        }
    for (int i = 0; i < STORAGES; i++)
        if (text_is(module, module_size, "torch") && text_is(name, name_size, storages[i].name)) {
            BG_TRY(bg_py_new(p, BG_PY_GLOBAL, out, err));
            p->values[*out].which = BG_PY_STORAGE_CLASS;
            p->values[*out].dtype = (uint8_t)storages[i].dtype;
            return BG_OK;
        }
    return fail_global(p, module, module_size, name, name_size, err);
}

/* --- storages and tensors -------------------------------------------------------------- */

static int is_int(const bg_pickle *p, uint32_t value) { return bg_py_kind_of(p, value) == BG_PY_INT && p->values[value].u.integer >= 0; }

/* A storage's name is a number; anything else would be a path into the archive. */
static int is_key(const bg_pickle *p, uint32_t value)
{
    const bg_py_value *v = &p->values[value];
    if (v->kind != BG_PY_STRING || v->u.string.size == 0 || v->u.string.size > 20)
        return 0;
    for (uint32_t i = 0; i < v->u.string.size; i++)
        if (p->data[v->u.string.at + i] < '0' || p->data[v->u.string.at + i] > '9')
            return 0;
    return 1;
}

bg_status bg_py_persistent(bg_pickle *p, uint32_t id, uint32_t *out, bg_error *err)
{
    const uint32_t class = bg_py_element(p, id, 1), key = bg_py_element(p, id, 2), elements = bg_py_element(p, id, 4);
    if (bg_py_kind_of(p, id) != BG_PY_TUPLE || p->values[id].u.count != 5 || !bg_py_is(p, bg_py_element(p, id, 0), "storage"))
        return fail(p, "a persistent id that is not a storage", err);
    if (bg_py_kind_of(p, class) != BG_PY_GLOBAL || p->values[class].which != BG_PY_STORAGE_CLASS)
        return fail(p, "a storage of a kind that is not known", err);
    if (!is_key(p, key) || !is_int(p, elements))
        return fail(p, "a storage whose name or size is not a number", err);
    BG_TRY(bg_py_new(p, BG_PY_STORAGE, out, err));
    bg_py_value *v = &p->values[*out];
    v->dtype = p->values[class].dtype;
    v->first = key;
    v->u.integer = p->values[elements].u.integer;
    return BG_OK;
}

static bg_status read_dims(const bg_pickle *p, uint32_t tuple, uint64_t out[BG_ST_DIMS], uint32_t *dims, bg_error *err)
{
    uint32_t n = 0;
    if (bg_py_kind_of(p, tuple) != BG_PY_TUPLE || p->values[tuple].u.count > BG_ST_DIMS)
        return fail(p, "a tensor's shape is no tuple or has too many dimensions", err);
    for (uint32_t c = bg_py_first(p, tuple); c; c = p->cells[c].next) {
        if (!is_int(p, p->cells[c].value))
            return fail(p, "a tensor's shape holds something other than whole numbers", err);
        out[n++] = (uint64_t)p->values[p->cells[c].value].u.integer;
    }
    *dims = n;
    return BG_OK;
}

/* Elements and reach of a view; -1 when the arithmetic overflows or the
 * storage is left. */
static int measure(bg_py_tensor *t)
{
    uint64_t reach = 0, step;
    t->count = 1;
    for (uint32_t i = 0; i < t->dims; i++)
        if (__builtin_mul_overflow(t->count, t->shape[i], &t->count))
            return -1;
    for (uint32_t i = 0; i < t->dims && t->count; i++)
        if (__builtin_mul_overflow(t->shape[i] - 1, t->stride[i], &step) || __builtin_add_overflow(reach, step, &reach))
            return -1;
    t->span = t->count ? reach + 1 : 0;
    if (reach == UINT64_MAX || t->offset > t->storage || t->span > t->storage - t->offset)
        return -1;
    return 0;
}

/* _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks[, metadata]) */
static bg_status rebuild_tensor(bg_pickle *p, uint32_t args, uint32_t *out, bg_error *err)
{
    bg_py_tensor t;
    uint32_t strides = 0;
    const uint32_t storage = bg_py_element(p, args, 0), offset = bg_py_element(p, args, 1);
    memset(&t, 0, sizeof t);
    if (p->values[args].u.count < 6 || p->values[args].u.count > 7 || bg_py_kind_of(p, storage) != BG_PY_STORAGE || !is_int(p, offset))
        return fail(p, "a tensor is made from other things than a storage, an offset, a shape and strides", err);
    BG_TRY(read_dims(p, bg_py_element(p, args, 2), t.shape, &t.dims, err));
    BG_TRY(read_dims(p, bg_py_element(p, args, 3), t.stride, &strides, err));
    t.key = p->values[storage].first;
    t.dtype = (bg_dtype)p->values[storage].dtype;
    t.storage = (uint64_t)p->values[storage].u.integer;
    t.offset = (uint64_t)p->values[offset].u.integer;
    if (strides != t.dims || measure(&t) != 0)
        return fail(p, "a tensor reaches outside its storage", err);
    BG_TRY(bg_grow(p->sys, (void **)&p->tensors, &p->tensor_room, p->tensor_count + 1, sizeof *p->tensors, err));
    BG_TRY(bg_py_new(p, BG_PY_TENSOR, out, err));
    p->values[*out].u.integer = (int64_t)p->tensor_count;
    p->tensors[p->tensor_count++] = t;
    return BG_OK;
}

bg_status bg_py_call(bg_pickle *p, uint32_t function, uint32_t args, uint32_t *out, bg_error *err)
{
    const bg_py_value *f = &p->values[function];
    if (f->kind != BG_PY_GLOBAL || bg_py_kind_of(p, args) != BG_PY_TUPLE)
        return fail(p, "something is called that is not a function", err);
    switch ((bg_py_global)f->which) {
    case BG_PY_ORDERED_DICT:
        if (p->values[args].u.count)
            return fail(p, "OrderedDict is called with arguments", err);
        return bg_py_new(p, BG_PY_DICT, out, err);
    case BG_PY_REBUILD_TENSOR:
        return rebuild_tensor(p, args, out, err);
    case BG_PY_REBUILD_PARAMETER: /* (tensor, requires_grad, hooks): the tensor itself */
        *out = bg_py_element(p, args, 0);
        if (p->values[args].u.count != 3 || bg_py_kind_of(p, *out) != BG_PY_TENSOR)
            return fail(p, "a parameter is made from something other than a tensor", err);
        return BG_OK;
    case BG_PY_STORAGE_CLASS:
        break;
    }
    return fail(p, "a storage class is called", err);
}
