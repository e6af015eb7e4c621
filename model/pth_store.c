/* A stored zip archive: see pth_store.h.  Format: PKWARE's APPNOTE.TXT,
 * sections 4.3.7 (local header), 4.3.9 (data descriptor: the CRC is known only
 * behind the data), 4.3.12 (central directory), 4.3.16 (its end). */
#include "model/pth_store.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Data of an entry begins at a multiple of this, as torch.save() does it, so
 * that a reader may map the file. */
enum { DATA_ALIGN = 64 };

enum {
    LOCAL_HEADER = 30,
    VERSION = 20,          /* 2.0: the first with data descriptors */
    FLAGS = 8 | 0x800,     /* data descriptor; names are UTF-8 */
    DATE = 33,             /* 1 January 1980, the zip epoch: the same model gives the same file */
    PADDING_FIELD = 0x4246 /* extra field "FB" that PyTorch pads with */
};

/* No sizes above this without zip64. */
#define LIMIT 0xfffff000u

/* Reflected CRC-32 of zip, polynomial 0x04C11DB7. */
static void make_crc_table(uint32_t table[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        table[i] = c;
    }
}

static uint32_t add_crc(const uint32_t table[256], uint32_t crc, const uint8_t *data, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++)
        crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
    return ~crc;
}

/* A record of little-endian fields. */
typedef struct record {
    uint8_t bytes[64];
    size_t size;
} record;

static void field(record *r, size_t bytes, uint32_t value)
{
    for (size_t i = 0; i < bytes; i++)
        r->bytes[r->size++] = (uint8_t)(value >> 8 * i);
}

static void signature(record *r, uint32_t value)
{
    r->size = 0;
    field(r, 4, value);
}

bg_status bg_pth_store_create(bg_pth_store *z, const bg_sys *sys, const char *path, int replace, bg_error *err)
{
    memset(z, 0, sizeof *z);
    make_crc_table(z->crc_table);
    bg_text_open(&z->directory, sys);
    return bg_writer_begin(&z->out, sys, path, replace, err);
}

bg_status bg_pth_store_begin(bg_pth_store *z, const char *name, bg_error *err)
{
    static const uint8_t zeros[DATA_ALIGN] = { 0 };
    record r;
    const size_t length = strlen(name);
    assert(length < sizeof z->name);
    z->header_at = z->out.written;
    /* An extra field has 4 bytes at least. */
    const uint64_t bare = z->header_at + LOCAL_HEADER + length + 4;
    const uint32_t padding = (uint32_t)((DATA_ALIGN - bare % DATA_ALIGN) % DATA_ALIGN);
    snprintf(z->name, sizeof z->name, "%s", name);
    signature(&r, 0x04034b50);
    field(&r, 2, VERSION);
    field(&r, 2, FLAGS);
    field(&r, 2, 0); /* stored */
    field(&r, 2, 0);
    field(&r, 2, DATE);
    field(&r, 4, 0); /* CRC and sizes follow the data */
    field(&r, 4, 0);
    field(&r, 4, 0);
    field(&r, 2, (uint32_t)length);
    field(&r, 2, 4 + padding);
    BG_TRY(bg_writer_put(&z->out, r.bytes, r.size, err));
    BG_TRY(bg_writer_put(&z->out, name, length, err));
    r.size = 0;
    field(&r, 2, PADDING_FIELD);
    field(&r, 2, padding);
    BG_TRY(bg_writer_put(&z->out, r.bytes, r.size, err));
    BG_TRY(bg_writer_put(&z->out, zeros, padding, err));
    z->data_at = z->out.written;
    z->crc = 0;
    return BG_OK;
}

bg_status bg_pth_store_put(bg_pth_store *z, const void *data, size_t n, bg_error *err)
{
    z->crc = add_crc(z->crc_table, z->crc, data, n);
    BG_TRY(bg_writer_put(&z->out, data, n, err));
    if (z->out.written > LIMIT)
        return bg_fail(err, BG_ERR_FAILED, "%s: models of 4 GiB and more cannot be exported", z->out.path);
    return BG_OK;
}

static void add_to_directory(bg_pth_store *z, uint32_t size)
{
    record r;
    signature(&r, 0x02014b50);
    field(&r, 2, VERSION);
    field(&r, 2, VERSION);
    field(&r, 2, FLAGS);
    field(&r, 2, 0);
    field(&r, 2, 0);
    field(&r, 2, DATE);
    field(&r, 4, z->crc);
    field(&r, 4, size);
    field(&r, 4, size);
    field(&r, 2, (uint32_t)strlen(z->name));
    field(&r, 2, 0); /* extra field, comment, disk, attributes */
    field(&r, 2, 0);
    field(&r, 2, 0);
    field(&r, 2, 0);
    field(&r, 4, 0);
    field(&r, 4, (uint32_t)z->header_at);
    bg_text_raw(&z->directory, r.bytes, r.size);
    bg_text_raw(&z->directory, z->name, strlen(z->name));
    z->entries++;
}

bg_status bg_pth_store_end(bg_pth_store *z, bg_error *err)
{
    const uint32_t size = (uint32_t)(z->out.written - z->data_at);
    record r;
    signature(&r, 0x08074b50);
    field(&r, 4, z->crc);
    field(&r, 4, size);
    field(&r, 4, size);
    BG_TRY(bg_writer_put(&z->out, r.bytes, r.size, err));
    add_to_directory(z, size);
    return z->directory.failed ? bg_fail_memory(err, "the directory of an archive", z->directory.size) : BG_OK;
}

bg_status bg_pth_store_commit(bg_pth_store *z, bg_error *err)
{
    record r;
    const uint64_t at = z->out.written;
    assert(z->entries < 0xffff); /* a model has at most 6000 tensors */
    BG_TRY(bg_writer_put(&z->out, z->directory.data, z->directory.size, err));
    signature(&r, 0x06054b50);
    field(&r, 2, 0); /* disks */
    field(&r, 2, 0);
    field(&r, 2, z->entries);
    field(&r, 2, z->entries);
    field(&r, 4, (uint32_t)z->directory.size);
    field(&r, 4, (uint32_t)at);
    field(&r, 2, 0); /* comment */
    BG_TRY(bg_writer_put(&z->out, r.bytes, r.size, err));
    BG_TRY(bg_writer_commit(&z->out, err));
    bg_text_close(&z->directory);
    return BG_OK;
}

void bg_pth_store_abandon(bg_pth_store *z)
{
    bg_writer_abandon(&z->out);
    if (z->directory.sys)
        bg_text_close(&z->directory);
    memset(z, 0, sizeof *z);
}
