/* The zip archive of a PyTorch checkpoint, for reading.  Internal to the .pth
 * import.
 *
 * libzip does the zip format; its input comes through bg_sys.  (Its own small
 * tables are libc's: it has no allocator to replace.)  Refused: anything that
 * is not the zip layout of torch.save() since PyTorch 1.6, big-endian
 * checkpoints, encryption, compression other than deflate, and archives that
 * unpack to far more than they hold. */
#ifndef BG_MODEL_PTH_ARCHIVE_H
#define BG_MODEL_PTH_ARCHIVE_H

#include <zip.h>

#include "base/file.h"

typedef struct bg_pth_archive {
    const bg_sys *sys;
    const char *path; /* borrowed */
    int fd;
    uint64_t size, at; /* of the file; place of libzip's next read */
    bg_status status;  /* of the last failed read, and its sentence */
    bg_error why;
    zip_error_t zip_error;
    zip_t *zip;
    char *prefix;      /* the folder that all entries are in, "archive/" */
    uint64_t unpacked; /* bytes handed out so far, against bombs */
} bg_pth_archive;

bg_status bg_pth_archive_open(bg_pth_archive *a, const bg_sys *sys, const char *path, bg_error *err);
void bg_pth_archive_close(bg_pth_archive *a); /* safe on a zeroed struct */

/* May n more bytes be unpacked?  Weights hardly compress, so an archive that
 * grows 16-fold is made to fill a disk. */
bg_status bg_pth_archive_spend(bg_pth_archive *a, uint64_t n, bg_error *err);

/* An entry, being read from its beginning. */
typedef struct bg_pth_entry {
    bg_pth_archive *archive;
    zip_file_t *file;
    char name[48]; /* without the prefix */
    uint64_t size;
    int stored;    /* not compressed: can be read from any place */
} bg_pth_entry;

/* *found = 0 and no error when there is no such entry and found is not NULL. */
bg_status bg_pth_entry_open(bg_pth_entry *e, bg_pth_archive *a, const char *name, int *found, bg_error *err);
void bg_pth_entry_close(bg_pth_entry *e);
/* Exactly n bytes. */
bg_status bg_pth_entry_read(bg_pth_entry *e, void *buf, uint64_t n, bg_error *err);
bg_status bg_pth_entry_skip(bg_pth_entry *e, uint64_t n, bg_error *err);
/* Nothing may follow what was read; checks the CRC when all of it was. */
bg_status bg_pth_entry_end(bg_pth_entry *e, bg_error *err);
/* A whole entry of at most `limit` bytes in memory of its own. */
bg_status bg_pth_entry_load(bg_pth_archive *a, const char *name, uint64_t limit, uint8_t **data, size_t *size, bg_error *err);

#endif
