/* What the library asks of the operating system: memory and files, through
 * one struct of functions, so that a host program can replace them and a test
 * can make any single call fail.  bg_sys_default() is libc.
 *
 * File functions behave like their POSIX namesakes: -1 and errno on failure. */
#ifndef BG_BASE_SYS_H
#define BG_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

typedef enum bg_file_kind { BG_FILE_REGULAR, BG_FILE_FOLDER, BG_FILE_OTHER } bg_file_kind;

typedef struct bg_file_stat {
    bg_file_kind kind;
    uint64_t size; /* bytes */
    uint64_t device, inode;
} bg_file_stat;

typedef struct bg_sys {
    void *ctx;
    void *(*alloc)(void *ctx, size_t bytes); /* like malloc; NULL on failure */
    void (*free)(void *ctx, void *p);        /* p may be NULL */

    int (*open)(void *ctx, const char *path, int flags, int mode);
    ssize_t (*pread)(void *ctx, int fd, void *buf, size_t n, uint64_t offset);
    ssize_t (*read)(void *ctx, int fd, void *buf, size_t n);
    ssize_t (*write)(void *ctx, int fd, const void *buf, size_t n);
    int (*fsync)(void *ctx, int fd);
    int (*truncate)(void *ctx, int fd, uint64_t size);
    int (*close)(void *ctx, int fd);
    int (*stat)(void *ctx, const char *path, bg_file_stat *out);
    int (*fstat)(void *ctx, int fd, bg_file_stat *out);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*unlink)(void *ctx, const char *path);
    int (*mkdir)(void *ctx, const char *path, int mode);
    /* NULL and errno on failure; readdir: 1 = name filled (256 bytes), 0 = end, -1 = error */
    void *(*opendir)(void *ctx, const char *path);
    int (*readdir)(void *ctx, void *dir, char name[256]);
    int (*closedir)(void *ctx, void *dir);
} bg_sys;

const bg_sys *bg_sys_default(void);

/* n * size bytes, 64-byte aligned, not cleared; NULL when the product
 * overflows or the hook fails.  Released with bg_free(). */
void *bg_alloc(const bg_sys *sys, size_t n, size_t size);
void *bg_alloc_zero(const bg_sys *sys, size_t n, size_t size);
void bg_free(const bg_sys *sys, void *p);
char *bg_strdup(const bg_sys *sys, const char *s);
/* printf into a fresh string; NULL on failure. */
char *bg_asprintf(const bg_sys *sys, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Make *items (elements of `size` bytes, *capacity of them) hold at least
 * `need`; grows by half, old contents kept.  On failure nothing changes. */
bg_status bg_grow(const bg_sys *sys, void **items, size_t *capacity, size_t need, size_t size, bg_error *err);

/* The sentence for a failed allocation. */
bg_status bg_fail_memory(bg_error *err, const char *what, uint64_t bytes);

/* Checked size arithmetic: 0 and *out filled, or -1 on overflow. */
static inline int bg_mul_size(size_t *out, size_t a, size_t b) { return __builtin_mul_overflow(a, b, out) ? -1 : 0; }
static inline int bg_add_size(size_t *out, size_t a, size_t b) { return __builtin_add_overflow(a, b, out) ? -1 : 0; }

#endif
