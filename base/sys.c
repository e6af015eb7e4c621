/* libc behind the hooks of bg_sys, and the allocation helpers on top of them.
 * Refuses to decide anything: no retry, no default path, no message. */
#define _FILE_OFFSET_BITS 64
#include "base/sys.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- libc ---------------------------------------------------------------- */

static void *libc_alloc(void *ctx, size_t bytes) { return malloc(bytes); }
static void libc_free(void *ctx, void *p) { free(p); }

/* Close-on-exec always: programs started by the host must not inherit our files. */
static int libc_open(void *ctx, const char *path, int flags, int mode)
{
    return open(path, flags | O_CLOEXEC, (mode_t)mode);
}

static ssize_t libc_pread(void *ctx, int fd, void *buf, size_t n, uint64_t offset)
{
    return pread(fd, buf, n, (off_t)offset);
}

static ssize_t libc_read(void *ctx, int fd, void *buf, size_t n) { return read(fd, buf, n); }
static ssize_t libc_write(void *ctx, int fd, const void *buf, size_t n) { return write(fd, buf, n); }
static int libc_fsync(void *ctx, int fd) { return fsync(fd); }
static int libc_truncate(void *ctx, int fd, uint64_t size) { return ftruncate(fd, (off_t)size); }
static int libc_close(void *ctx, int fd) { return close(fd); }

static void fill_stat(bg_file_stat *out, const struct stat *s)
{
    out->kind = S_ISREG(s->st_mode) ? BG_FILE_REGULAR : S_ISDIR(s->st_mode) ? BG_FILE_FOLDER : BG_FILE_OTHER;
    out->size = s->st_size > 0 ? (uint64_t)s->st_size : 0;
    out->device = (uint64_t)s->st_dev;
    out->inode = (uint64_t)s->st_ino;
}

static int libc_stat(void *ctx, const char *path, bg_file_stat *out)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return -1;
    fill_stat(out, &s);
    return 0;
}

static int libc_fstat(void *ctx, int fd, bg_file_stat *out)
{
    struct stat s;
    if (fstat(fd, &s) != 0)
        return -1;
    fill_stat(out, &s);
    return 0;
}

static int libc_rename(void *ctx, const char *from, const char *to) { return rename(from, to); }
static int libc_unlink(void *ctx, const char *path) { return unlink(path); }
static int libc_mkdir(void *ctx, const char *path, int mode) { return mkdir(path, (mode_t)mode); }
static void *libc_opendir(void *ctx, const char *path) { return opendir(path); }
static int libc_closedir(void *ctx, void *dir) { return closedir(dir); }

static int libc_readdir(void *ctx, void *dir, char name[256])
{
    errno = 0;
    struct dirent *e = readdir(dir);
    if (!e)
        return errno ? -1 : 0;
    size_t n = strlen(e->d_name);
    if (n > 255) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, e->d_name, n + 1);
    return 1;
}

static const bg_sys libc_sys = {
    .alloc = libc_alloc, .free = libc_free,
    .open = libc_open, .pread = libc_pread, .read = libc_read, .write = libc_write,
    .fsync = libc_fsync, .truncate = libc_truncate, .close = libc_close,
    .stat = libc_stat, .fstat = libc_fstat,
    .rename = libc_rename, .unlink = libc_unlink, .mkdir = libc_mkdir,
    .opendir = libc_opendir, .readdir = libc_readdir, .closedir = libc_closedir,
};

const bg_sys *bg_sys_default(void) { return &libc_sys; }

/* --- memory -------------------------------------------------------------- */

/* A cache line, and the widest vector that any kernel loads. */
enum { ALIGNMENT = 64 };

/* The hook promises malloc's alignment only, so a little more is taken and
 * the pointer it gave is kept in front of the block for bg_free(). */
void *bg_alloc(const bg_sys *sys, size_t n, size_t size)
{
    size_t bytes;
    if (bg_mul_size(&bytes, n, size) || bg_add_size(&bytes, bytes, ALIGNMENT + sizeof(void *)))
        return NULL;
    void *base = sys->alloc(sys->ctx, bytes);
    if (!base)
        return NULL;
    uintptr_t at = ((uintptr_t)base + sizeof base + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memcpy((char *)at - sizeof base, &base, sizeof base);
    return (void *)at;
}

void *bg_alloc_zero(const bg_sys *sys, size_t n, size_t size)
{
    void *p = bg_alloc(sys, n, size);
    if (p)
        memset(p, 0, n * size);
    return p;
}

void bg_free(const bg_sys *sys, void *p)
{
    if (!p)
        return;
    void *base;
    memcpy(&base, (char *)p - sizeof base, sizeof base);
    sys->free(sys->ctx, base);
}

char *bg_strdup(const bg_sys *sys, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = bg_alloc(sys, n, 1);
    if (copy)
        memcpy(copy, s, n);
    return copy;
}

char *bg_asprintf(const bg_sys *sys, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return NULL;
    char *text = bg_alloc(sys, (size_t)n + 1, 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

bg_status bg_grow(const bg_sys *sys, void **items, size_t *capacity, size_t need, size_t size, bg_error *err)
{
    if (need <= *capacity)
        return BG_OK;
    size_t want = *capacity + *capacity / 2;
    if (want < need)
        want = need;
    if (want < 16)
        want = 16; /* the first growths of a small list are not worth their copies */
    void *bigger = bg_alloc(sys, want, size);
    if (!bigger)
        return bg_fail_memory(err, "a growing list", (uint64_t)want * size);
    if (*items)
        memcpy(bigger, *items, *capacity * size);
    bg_free(sys, *items);
    *items = bigger;
    *capacity = want;
    return BG_OK;
}

bg_status bg_fail_memory(bg_error *err, const char *what, uint64_t bytes)
{
    return bg_fail(err, BG_ERR_MEMORY, "out of memory: %s needs %llu bytes", what, (unsigned long long)bytes);
}
