/* libFuzzer target: the restricted pickle reader on any bytes.
 * Beyond what the sanitizers see: every tensor that comes out lies inside its
 * storage, every index names something, and memory stays within a multiple of
 * the input. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/support_memory.h"
#include "model/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A byte makes at most a value (32 bytes), a cell (12), a place on the stack
 * and in the memo (4 each); growing keeps the old block beside the new one. */
enum { MULTIPLE = 160, BASE = 1 << 16 };

static void check_tensor(const bg_py_tensor *t)
{
    uint64_t reach = 0;
    for (uint32_t i = 0; i < t->dims && t->count; i++)
        reach += (t->shape[i] - 1) * t->stride[i];
    if (t->count && (t->offset + reach >= t->storage || t->span != reach + 1))
        abort();
}

static void check_values(const bg_pickle *p)
{
    for (uint32_t i = 0; i < p->value_count; i++) {
        const bg_py_value *v = &p->values[i];
        uint64_t n = 0;
        for (uint32_t c = bg_py_first(p, i); c; c = p->cells[c].next, n++)
            if (c >= p->cell_count || p->cells[c].value >= p->value_count || p->cells[c].key >= p->value_count)
                abort();
        if ((v->kind == BG_PY_TUPLE || v->kind == BG_PY_LIST || v->kind == BG_PY_DICT) && n != v->u.count)
            abort();
        if (v->kind == BG_PY_STRING && v->u.string.at + (size_t)v->u.string.size > p->size)
            abort();
        if (v->kind == BG_PY_TENSOR && (size_t)v->u.integer >= p->tensor_count)
            abort();
    }
    for (size_t i = 0; i < p->tensor_count; i++)
        check_tensor(&p->tensors[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memory_sys m;
    bg_pickle p;
    bg_error err = { BG_OK, "" };
    memory_open(&m, data, size);
    const bg_status s = bg_pickle_read(&p, &m.sys, "in", data, size, &err);
    if (s == BG_OK)
        check_values(&p);
    else if (s != BG_ERR_FORMAT || !err.text[0])
        abort();
    bg_pickle_close(&p);
    memory_check(&m, size * MULTIPLE + BASE);
    return 0;
}
