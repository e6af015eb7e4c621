/* Reading whole files and writing files so that a crash leaves the old one.
 * All calls go through bg_sys; EINTR and short transfers are handled here. */
#ifndef BG_BASE_FILE_H
#define BG_BASE_FILE_H

#include "base/sys.h"

/* Open for reading; refuses folders.  Fills *size with the length of a
 * regular file (0 for pipes and devices). */
bg_status bg_open_read(const bg_sys *sys, const char *path, int *fd, uint64_t *size, bg_error *err);

/* Read up to n bytes at offset; *got < n only at the end of the file. */
bg_status bg_pread_full(const bg_sys *sys, const char *path, int fd, void *buf, size_t n, uint64_t offset, size_t *got, bg_error *err);

/* The whole file, at most `limit` bytes (more is BG_ERR_FORMAT), with one
 * extra zero byte behind.  *data is the caller's, released with bg_free().
 * "-" is standard input. */
bg_status bg_read_file(const bg_sys *sys, const char *path, uint64_t limit, uint8_t **data, size_t *size, bg_error *err);

bg_status bg_write_full(const bg_sys *sys, const char *path, int fd, const void *buf, size_t n, bg_error *err);

/* Are a and b the same existing file (device and inode)? */
int bg_same_file(const bg_sys *sys, const char *a, const char *b);
int bg_exists(const bg_sys *sys, const char *path);

/* mkdir -p. */
bg_status bg_make_folders(const bg_sys *sys, const char *path, bg_error *err);

/* A file written aside and renamed into place.  begin creates
 * "PATH.tmp-PID-N" in the target's folder (of a very long name its begin); commit flushes, fsyncs the file,
 * renames it over PATH and fsyncs the folder; abandon removes it.  With
 * replace = 0 an existing PATH is refused (BG_ERR_FAILED) at begin AND at
 * commit.  A commit that fails has left the old PATH, with one exception: when
 * the last step, the fsync of the folder, fails, the new PATH is in place,
 * whole, but may not survive a power failure.  A PATH that is a device or a pipe (/dev/full, /dev/stdout) is written directly.
 * Buffered (64 KiB); the first error is kept and returned
 * by every later call.  Streaming offset is in `written`. */
typedef struct bg_writer {
    const bg_sys *sys;
    char *path, *temp; /* temp NULL when written directly */
    int fd, replace;
    uint64_t written; /* bytes accepted so far */
    size_t fill;
    bg_error first; /* the first failure; code BG_OK while there is none */
    uint8_t *buffer;
} bg_writer;

bg_status bg_writer_begin(bg_writer *w, const bg_sys *sys, const char *path, int replace, bg_error *err);
bg_status bg_writer_put(bg_writer *w, const void *data, size_t n, bg_error *err);
/* Hand what is buffered to the system, so that `temp` can be read back before commit. */
bg_status bg_writer_flush(bg_writer *w, bg_error *err);
bg_status bg_writer_commit(bg_writer *w, bg_error *err);
void bg_writer_abandon(bg_writer *w); /* safe after commit and on a zeroed struct */

/* begin, put, commit. */
bg_status bg_write_file(const bg_sys *sys, const char *path, const void *data, size_t n, int replace, bg_error *err);

#endif
