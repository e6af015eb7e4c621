/* Helpers for tests that touch files, and a bg_sys whose calls can be made to
 * fail.  Everything here aborts the test program with a message when the test
 * machine itself misbehaves (no temporary folder, say). */
#ifndef BG_TESTS_SUPPORT_FS_H
#define BG_TESTS_SUPPORT_FS_H

#include "base/sys.h"

/* --- temporary folder ------------------------------------------------------ */

/* A fresh folder under TMPDIR (or /tmp); its path is the caller's, released by
 * fs_remove_folder(), which removes all that is in it. */
char *fs_make_folder(void);
void fs_remove_folder(char *folder);

/* "FOLDER/NAME" in one of 16 rotating static buffers. */
const char *fs_path(const char *folder, const char *name);

/* Write a file (folders on the way are made) and read one back.  fs_read gives
 * malloc'ed bytes with a zero behind them, or NULL when there is no such file. */
void fs_write(const char *path, const void *data, size_t size);
void fs_write_text(const char *path, const char *text);
unsigned char *fs_read(const char *path, size_t *size);

/* Does the file hold exactly these bytes?  Prints the difference when not. */
int fs_holds(const char *path, const void *data, size_t size);

/* Number of entries of a folder, "." and ".." not counted. */
int fs_count(const char *folder);

/* --- faults ---------------------------------------------------------------- */

/* What a fault_sys counts and can fail.  FAULT_FILES is every file call but
 * close, whose failure cannot be acted upon while reading; FAULT_CLOSE is close. */
typedef enum fault_kind { FAULT_ALLOC, FAULT_FILES, FAULT_CLOSE, FAULT_KINDS } fault_kind;

/* libc's hooks with counters in front.  Not for use from two threads at once.
 *
 *     fault_sys f;
 *     for (uint64_t n = 0;; n++) {
 *         fault_open(&f);
 *         fault_fail(&f, FAULT_ALLOC, n, 0);
 *         status = work(&f.sys, &err);
 *         assert_true(fault_clean(&f));      // no live block, no open file
 *         if (!f.failed[FAULT_ALLOC]) break;  // n is beyond the last call
 *         assert(status == BG_ERR_MEMORY);
 *     } */
typedef struct fault_sys {
    bg_sys sys;                      /* hand &f.sys to the code under test */
    uint64_t calls[FAULT_KINDS];     /* calls so far */
    uint64_t failed[FAULT_KINDS];    /* of them made to fail */
    uint64_t fail_at[FAULT_KINDS];   /* number of the call to fail, from 0; UINT64_MAX: none */
    int forever[FAULT_KINDS];        /* and all calls after it */
    int error;                       /* errno of failing file calls (EIO) */
    size_t short_transfer;           /* not 0: read, pread and write move at most so many bytes */
    uint64_t interrupt_every;        /* not 0: every so many-th read, pread or write gives EINTR */
    uint64_t transfers;
    int64_t live_blocks, live_files; /* blocks not freed; descriptors and folders not closed */
    uint64_t bytes_written, renames; /* what went well */
    const char *last;                /* name of the last call made to fail */
} fault_sys;

void fault_open(fault_sys *f);
/* Fail call number n (from 0) of this kind, counted from now on; forever: and every later one. */
void fault_fail(fault_sys *f, fault_kind kind, uint64_t n, int forever);
/* 1 when nothing is left allocated or open; else prints what is and gives 0. */
int fault_clean(const fault_sys *f);

#endif
