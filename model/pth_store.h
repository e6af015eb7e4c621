/* Writing a zip archive as torch.save() lays it out: entries stored, not
 * compressed, their data at multiples of 64 bytes.  Internal to the .pth export.
 *
 * By hand because libzip writes its output with calls of its own, past
 * bg_sys.  Refuses archives of 4 GiB and more, which need another format. */
#ifndef BG_MODEL_PTH_STORE_H
#define BG_MODEL_PTH_STORE_H

#include "base/json.h"
#include "base/file.h"

typedef struct bg_pth_store {
    bg_writer out;
    bg_text directory; /* the central directory so far */
    uint32_t crc_table[256];
    uint32_t crc, entries;
    uint64_t header_at, data_at; /* of the open entry */
    char name[64];
} bg_pth_store;

bg_status bg_pth_store_create(bg_pth_store *z, const bg_sys *sys, const char *path, int replace, bg_error *err);
/* Entries follow one another: begin, put..., end. */
bg_status bg_pth_store_begin(bg_pth_store *z, const char *name, bg_error *err);
bg_status bg_pth_store_put(bg_pth_store *z, const void *data, size_t n, bg_error *err);
bg_status bg_pth_store_end(bg_pth_store *z, bg_error *err);
bg_status bg_pth_store_commit(bg_pth_store *z, bg_error *err);
void bg_pth_store_abandon(bg_pth_store *z);

#endif
