/* libFuzzer target: a safetensors header and the configuration it implies.
 * The input is a file's beginning: the header's length and the header; the
 * data behind it are pretended, as many bytes as the header speaks of, so that
 * seeds stay small.  Then the same bytes as a whole file.
 *
 * Beyond what the sanitizers see: tensors that were accepted fill the file
 * without gap or overlap and are found by name, a refusal has a sentence, and
 * memory stays within a small multiple of the header. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/support_memory.h"
#include "model/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An entry of 60 bytes costs a table row, a name and two indices. */
enum { MULTIPLE = 16, BASE = 1 << 20 }; /* the table of a large configuration has its own size */

/* The largest number before a closing bracket: where the data end. */
static uint64_t pretended(const char *s, size_t n)
{
    uint64_t most = 0, value = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == ']' && value > most)
            most = value;
        value = s[i] >= '0' && s[i] <= '9' ? value * 10 + (uint64_t)(s[i] - '0') : 0;
    }
    return most >> 40 ? 0 : most;
}

static void check_tensors(const bg_st_file *f, uint64_t at)
{
    for (size_t i = 0; i < f->count; i++) {
        const bg_st_tensor *t = &f->tensors[i];
        if (t->begin != at || t->bytes != t->count * bg_dtype_size(t->dtype) || bg_st_find(f, t->name) != t)
            abort();
        at += t->bytes;
    }
    if (at != f->size)
        abort();
}

static void check_status(bg_status s, const bg_error *err)
{
    if (s != BG_OK && (s != BG_ERR_FORMAT || !err->text[0]))
        abort();
}

static void parse(const char *header, size_t n)
{
    memory_sys m;
    bg_error err = { BG_OK, "" };
    bg_config c;
    memory_open(&m, NULL, n);
    bg_st_file f = { .fd = -1, .sys = &m.sys, .path = bg_strdup(&m.sys, "in") };
    bg_status s = bg_st_parse(&f, header, n, 8 + n + pretended(header, n), &err);
    check_status(s, &err);
    if (s == BG_OK) {
        check_tensors(&f, 8 + n);
        check_status(bg_file_config(&c, &f, &err), &err);
    }
    bg_st_close(&f);
    memory_check(&m, n * MULTIPLE + BASE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memory_sys m;
    bg_st_file f;
    bg_error err = { BG_OK, "" };
    uint64_t claimed = 0;
    memory_open(&m, data, size);
    const bg_status s = bg_st_open(&f, &m.sys, MEMORY_INPUT, &err);
    check_status(s, &err);
    if (s == BG_OK)
        bg_st_close(&f);
    memory_check(&m, size * MULTIPLE + BASE);
    if (size < 8)
        return 0;
    memcpy(&claimed, data, 8);
    parse((const char *)data + 8, claimed < size - 8 ? (size_t)claimed : size - 8);
    return 0;
}
