/* libFuzzer target: importing a whole .pth archive, and a pickle inside an
 * archive that is made around it.  The first byte says which: most changes to
 * an archive only break a checksum, so the pickle alone is the way further in.
 *
 * Beyond what the sanitizers see: nothing is renamed into place unless the
 * import succeeds, and what unpacks to far more than it holds is refused
 * before it is written. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/support_memory.h"
#include "model/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Output that a small archive may give: 16 times its size and 16 MiB. */
#define ALLOWANCE ((size_t)17 << 20)

static void import(const uint8_t *data, size_t size)
{
    memory_sys m;
    bg_error err = { BG_OK, "" };
    memory_open(&m, data, size);
    const bg_status s = bg_pth_import(&m.sys, MEMORY_INPUT, MEMORY_OUTPUT, 0, &err);
    if (s != BG_OK && !err.text[0])
        abort();
    if (m.renamed != (s == BG_OK) || m.written > size * 64 + 4 * ALLOWANCE)
        abort();
    memory_check(&m, size * 64 + 4 * ALLOWANCE);
}

static uint8_t *put(uint8_t *at, size_t bytes, uint32_t value)
{
    for (size_t i = 0; i < bytes; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint32_t crc32(const uint8_t *data, size_t n)
{
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        c ^= data[i];
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    }
    return ~c;
}

/* The 20 bytes that the local header and the directory share. */
static uint8_t *put_common(uint8_t *at, uint32_t crc, size_t size, size_t name)
{
    at = put(at, 2, 20); /* version, flags, method, time, date */
    at = put(at, 2, 0);
    at = put(at, 2, 0);
    at = put(at, 4, 33u << 16);
    at = put(at, 4, crc);
    at = put(at, 4, (uint32_t)size);
    at = put(at, 4, (uint32_t)size);
    at = put(at, 2, (uint32_t)name);
    return put(at, 2, 0);
}

typedef struct archive {
    uint8_t *at, *begin, directory[512], *entry;
    uint32_t entries;
} archive;

static void add(archive *a, const char *name, const uint8_t *data, size_t size)
{
    const size_t length = strlen(name);
    const uint32_t crc = crc32(data, size), offset = (uint32_t)(a->at - a->begin);
    a->at = put_common(put(a->at, 4, 0x04034b50), crc, size, length);
    memcpy(a->at, name, length);
    memcpy(a->at + length, data, size);
    a->at += length + size;
    a->entry = put_common(put(put(a->entry, 4, 0x02014b50), 2, 20), crc, size, length);
    memset(a->entry, 0, 10);
    a->entry = put(a->entry + 10, 4, offset);
    memcpy(a->entry, name, length);
    a->entry += length;
    a->entries++;
}

/* data.pkl, and storages 0 and 1 of 64 and 4096 floats of zero. */
static void import_pickle(const uint8_t *data, size_t size)
{
    static const uint8_t zeros[16384];
    archive a;
    a.begin = a.at = malloc(size + sizeof zeros + 2048);
    a.entry = a.directory;
    a.entries = 0;
    if (!a.begin)
        abort();
    add(&a, "a/data.pkl", data, size);
    add(&a, "a/data/0", zeros, 256);
    add(&a, "a/data/1", zeros, sizeof zeros);
    const size_t directory = (size_t)(a.entry - a.directory), offset = (size_t)(a.at - a.begin);
    memcpy(a.at, a.directory, directory);
    a.at = put(put(a.at + directory, 4, 0x06054b50), 4, 0);
    a.at = put(put(a.at, 2, a.entries), 2, a.entries);
    a.at = put(put(put(a.at, 4, (uint32_t)directory), 4, (uint32_t)offset), 2, 0);
    import(a.begin, (size_t)(a.at - a.begin));
    free(a.begin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'P') /* an archive begins with "PK" */
        import(data, size);
    else
        import_pickle(data, size);
    return 0;
}
