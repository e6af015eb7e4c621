/* See support_pth.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>
#include <cmocka.h>

#include "tests/support_check.h"
#include "tests/support_pth.h"

enum { MAX_STORAGES = 64 };

/* A checkpoint being made: the pickle, and the bytes of each storage. */
typedef struct maker {
    const bg_params *p;
    pth_variation v;
    const char *tensor;
    bg_text pickle;
    bg_text storage[MAX_STORAGES];
    uint32_t storages;
} maker;

float pth_value(uint32_t i, size_t k) { return (float)((k * 7 + i * 13) % 512) / 64 - 4; }

static int is_it(const maker *m, const char *name) { return m->tensor && strcmp(name, m->tensor) == 0; }

static void put_string(bg_text *t, const char *s)
{
    const uint32_t n = (uint32_t)strlen(s);
    bg_text_raw(t, "X", 1);
    bg_text_raw(t, &n, 4);
    bg_text_raw(t, s, n);
}

static void put_int(bg_text *t, uint64_t n)
{
    bg_text_raw(t, "\x8a\10", 2);
    bg_text_raw(t, &n, 8);
}

/* By hand: not every compiler has the type. */
static uint16_t half_bits(float x)
{
    int e = 0;
    const float f = frexpf(fabsf(x), &e); /* 0.5 <= f < 1 */
    return (uint16_t)((x < 0 ? 0x8000 : 0) | (x == 0 ? 0 : (e + 14) << 10 | ((int)(f * 2048) & 1023)));
}

static void put_value(const maker *m, bg_text *t, float x)
{
    const double d = x;
    const uint16_t h = half_bits(x);
    if (m->v == PTH_HALF)
        bg_text_raw(t, &h, sizeof h);
    else if (m->v == PTH_DOUBLE)
        bg_text_raw(t, &d, sizeof d);
    else
        bg_text_raw(t, &x, sizeof x);
}

static size_t value_size(const maker *m) { return m->v == PTH_HALF ? 2 : m->v == PTH_DOUBLE ? 8 : 4; }

/* The place in the tensor of its storage's element k. */
static size_t element(const maker *m, const bg_tensor *t, size_t k)
{
    if (m->v != PTH_STRIDED || t->dims < 2)
        return k;
    return k % t->shape[0] * t->shape[1] + k / t->shape[0];
}

/* Values of tensor i go to a storage; returns where they begin in it. */
static uint64_t put_values(maker *m, uint32_t i, const char *name, uint32_t storage)
{
    const bg_tensor *t = &m->p->tensors[i];
    bg_text *s = &m->storage[storage];
    const uint64_t begin = s->size / value_size(m);
    for (size_t k = 0; k < t->count; k++) {
        float x = pth_value(i, element(m, t, k));
        if (m->v == PTH_NAN && is_it(m, name) && k == 7)
            x = NAN;
        if (m->v == PTH_HEAD_DIFFERS && strcmp(name, BG_LM_HEAD) == 0 && k == 300)
            x += 1;
        put_value(m, s, x);
    }
    return begin;
}

static void put_shape(maker *m, const bg_tensor *t, const char *name)
{
    bg_text *o = &m->pickle;
    const int expanded = m->v == PTH_EXPANDED && is_it(m, name), strided = m->v == PTH_STRIDED && t->dims == 2;
    bg_text_raw(o, "(", 1);
    for (uint32_t d = 0; d < t->dims; d++)
        put_int(o, t->shape[d]);
    bg_text_raw(o, "t(", 2);
    if (t->dims == 2)
        put_int(o, expanded ? 0 : strided ? 1 : t->shape[1]);
    put_int(o, expanded ? 0 : strided ? t->shape[0] : 1);
    bg_text_raw(o, "t", 1);
}

static void put_tensor(maker *m, uint32_t i, const char *name, uint32_t storage, uint64_t begin, uint64_t elements)
{
    bg_text *o = &m->pickle;
    char key[16];
    const char *class = m->v == PTH_LONG && is_it(m, name) ? "Long" : m->v == PTH_HALF ? "Half" : m->v == PTH_DOUBLE ? "Double" : "Float";
    snprintf(key, sizeof key, "%u", (unsigned)storage);
    if (m->v == PTH_PARAMETER)
        bg_text_add(o, "ctorch._utils\n_rebuild_parameter\n");
    bg_text_add(o, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_string(o, "storage");
    bg_text_add(o, "ctorch\n%sStorage\n", class);
    put_string(o, key);
    put_string(o, "cuda:0");
    put_int(o, elements);
    bg_text_add(o, "tQ");
    put_int(o, begin);
    put_shape(m, &m->p->tensors[i], name);
    bg_text_add(o, "\x89" "ccollections\nOrderedDict\n)RtR");
    if (m->v == PTH_PARAMETER)
        bg_text_add(o, "\x88" "ccollections\nOrderedDict\n)R\x87R");
}

/* Elements that the flat storage will have in the end. */
static uint64_t all_elements(const bg_params *p) { return p->parameters; }

static void put_entry(maker *m, uint32_t i, const char *name)
{
    const uint32_t storage = m->v == PTH_FLAT ? 0 : m->storages++;
    put_string(&m->pickle, name);
    if (m->v == PTH_NOT_A_TENSOR && is_it(m, name)) {
        bg_text_raw(&m->pickle, "N", 1);
        return;
    }
    const uint64_t begin = put_values(m, i, name, storage);
    put_tensor(m, i, name, storage, begin, m->v == PTH_FLAT ? all_elements(m->p) : m->p->tensors[i].count);
}

static void put_head(maker *m)
{
    const uint32_t wte = m->p->at[BG_BYTE_WTE];
    if (m->v == PTH_HEAD_COPY || m->v == PTH_HEAD_DIFFERS)
        put_entry(m, wte, BG_LM_HEAD);
    if (m->v == PTH_HEAD_TIED) {
        put_string(&m->pickle, BG_LM_HEAD);
        put_tensor(m, wte, BG_LM_HEAD, wte, 0, m->p->tensors[wte].count);
    }
}

/* Buffers of old checkpoints: a BoolStorage (1,1,1,1) and a number without dimensions. */
static void put_buffers(maker *m)
{
    static const char four[] = "K\1tQK\0(K\1K\1K\1K\1t(K\1K\1K\1K\1t", none[] = "K\1tQK\0))";
    static const char tail[] = "\x89" "ccollections\nOrderedDict\n)RtR";
    put_string(&m->pickle, "patch_level_decoder.base.h.0.attn.bias");
    bg_text_add(&m->pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_string(&m->pickle, "storage");
    bg_text_add(&m->pickle, "ctorch\nBoolStorage\n");
    put_string(&m->pickle, "900");
    put_string(&m->pickle, "cpu");
    bg_text_raw(&m->pickle, four, sizeof four - 1);
    bg_text_raw(&m->pickle, tail, sizeof tail - 1);
    put_string(&m->pickle, "patch_level_decoder.base.h.0.attn.masked_bias");
    bg_text_add(&m->pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_string(&m->pickle, "storage");
    bg_text_add(&m->pickle, "ctorch\nFloatStorage\n");
    put_string(&m->pickle, "901");
    put_string(&m->pickle, "cpu");
    bg_text_raw(&m->pickle, none, sizeof none - 1);
    bg_text_raw(&m->pickle, tail, sizeof tail - 1);
}

static void put_all(maker *m)
{
    bg_text *o = &m->pickle;
    bg_text_raw(o, "\x80\2", 2);
    if (m->v != PTH_BARE) {
        bg_text_add(o, "}(");
        put_string(o, "model");
    }
    bg_text_add(o, "ccollections\nOrderedDict\n)R(");
    for (uint32_t i = 0; i < m->p->count; i++) {
        const char *name = m->p->tensors[i].name;
        if (m->v == PTH_MISSING && is_it(m, name))
            continue;
        put_entry(m, i, name);
        if (m->v == PTH_TWICE && is_it(m, name))
            put_entry(m, i, name);
    }
    put_head(m);
    if (m->v == PTH_BUFFERS)
        put_buffers(m);
    bg_text_add(o, "u");
    if (m->v != PTH_BARE) {
        put_string(o, "epoch");
        bg_text_raw(o, "K\3", 2);
        put_string(o, "min_eval_loss");
        bg_text_raw(o, "G\x3f\xf4\0\0\0\0\0\0u", 10);
    }
    bg_text_add(o, ".");
}

void pth_write_entries(const char *path, const pth_entry *entries, size_t n)
{
    int error;
    unlink(path);
    zip_t *z = zip_open(path, ZIP_CREATE, &error);
    assert_non_null(z);
    for (size_t i = 0; i < n; i++) {
        zip_source_t *s = zip_source_buffer(z, entries[i].data, entries[i].size, 0);
        const zip_int64_t at = zip_file_add(z, entries[i].name, s, 0);
        assert_true(at >= 0);
        zip_set_file_compression(z, (zip_uint64_t)at, entries[i].deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 1);
    }
    if (zip_close(z) != 0)
        fail_msg("%s: %s", path, zip_strerror(z));
}

/* Tensor that a storage belongs to, when each has its own. */
static int storage_is_it(const maker *m, uint32_t storage)
{
    return m->tensor && storage < m->p->count && is_it(m, m->p->tensors[storage].name);
}

static void write_archive(maker *m, const char *path)
{
    pth_entry entries[MAX_STORAGES + 3];
    static char names[MAX_STORAGES][32];
    size_t n = 0;
    const int deflated = m->v == PTH_DEFLATED;
    entries[n++] = (pth_entry){ "some/data.pkl", m->pickle.data, m->pickle.size, deflated };
    entries[n++] = (pth_entry){ "some/byteorder", "little", 6, deflated };
    for (uint32_t i = 0; i < MAX_STORAGES; i++) {
        size_t size = m->storage[i].size;
        bg_text_raw(&m->storage[i], "\0\0\0\0", 4); /* room for PTH_LONG_ENTRY */
        if (!size || (m->v == PTH_NO_ENTRY && storage_is_it(m, i)))
            continue;
        if (storage_is_it(m, i))
            size += m->v == PTH_SHORT_ENTRY ? (size_t)-4 : m->v == PTH_LONG_ENTRY ? 4 : 0;
        snprintf(names[i], sizeof names[i], "some/data/%u", (unsigned)i);
        entries[n++] = (pth_entry){ names[i], m->storage[i].data, size, deflated };
    }
    pth_write_entries(path, entries, n);
}

void pth_write(const char *path, const bg_config *c, pth_variation v, const char *tensor)
{
    bg_params p;
    bg_error err;
    static maker m;
    memset(&m, 0, sizeof m);
    CHECK_OK(bg_params_build(&p, c, bg_sys_default(), &err), err);
    m.p = &p;
    m.v = v;
    m.tensor = tensor;
    bg_text_open(&m.pickle, bg_sys_default());
    for (int i = 0; i < MAX_STORAGES; i++)
        bg_text_open(&m.storage[i], bg_sys_default());
    put_all(&m);
    write_archive(&m, path);
    for (int i = 0; i < MAX_STORAGES; i++)
        bg_text_close(&m.storage[i]);
    bg_text_close(&m.pickle);
    bg_params_free(&p, bg_sys_default());
}
