/* See support_fs.h.  Refuses to be part of the library. */
#define _GNU_SOURCE
#include "tests/support_fs.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *what, const char *path)
{
    fprintf(stderr, "test support: %s %s: %s\n", what, path, strerror(errno));
    abort();
}

/* --- temporary folder ------------------------------------------------------ */

char *fs_make_folder(void)
{
    const char *base = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/bgpt-test-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path))
        die("cannot make", path);
    return strdup(path);
}

static int remove_entry(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
    if (type == FTW_D || type == FTW_DNR)
        chmod(path, 0700);
    return type == FTW_DP || type == FTW_DNR ? rmdir(path) : unlink(path);
}

/* Tests take permissions away; folders get theirs back before they are walked. */
static int permit_entry(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
    if (type == FTW_D || type == FTW_DNR)
        chmod(path, 0700);
    return 0;
}

void fs_remove_folder(char *folder)
{
    nftw(folder, permit_entry, 16, FTW_PHYS);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

const char *fs_path(const char *folder, const char *name)
{
    static char paths[16][4096];
    static unsigned turn;
    char *path = paths[turn++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void make_parents(const char *path)
{
    char part[4096];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            die("cannot make", part);
        *p = '/';
    }
}

void fs_write(const char *path, const void *data, size_t size)
{
    make_parents(path);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        die("cannot write", path);
}

void fs_write_text(const char *path, const char *text) { fs_write(path, text, strlen(text)); }

unsigned char *fs_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    *size = 0;
    if (!f)
        return NULL;
    unsigned char *data = NULL;
    size_t capacity = 0, n;
    do {
        capacity = capacity ? capacity * 2 : 4096;
        data = realloc(data, capacity);
        if (!data)
            die("no memory for", path);
        n = fread(data + *size, 1, capacity - *size - 1, f);
        *size += n;
    } while (n > 0);
    data[*size] = 0;
    fclose(f);
    return data;
}

int fs_holds(const char *path, const void *data, size_t size)
{
    size_t n, i = 0;
    unsigned char *got = fs_read(path, &n);
    if (!got) {
        printf("%s: not there\n", path);
        return 0;
    }
    while (i < n && i < size && got[i] == ((const unsigned char *)data)[i])
        i++;
    if (i < n || i < size)
        printf("%s: %zu bytes, wanted %zu; they differ from byte %zu on\n", path, n, size, i);
    free(got);
    return i == n && i == size;
}

int fs_count(const char *folder)
{
    DIR *d = opendir(folder);
    int n = 0;
    if (!d)
        die("cannot read", folder);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

/* --- faults ---------------------------------------------------------------- */

/* Count a call; 1 when it is to fail. */
static int fails(fault_sys *f, fault_kind kind, const char *name)
{
    uint64_t n = f->calls[kind]++;
    if (f->fail_at[kind] == UINT64_MAX || n < f->fail_at[kind] || (n > f->fail_at[kind] && !f->forever[kind]))
        return 0;
    f->failed[kind]++;
    f->last = name;
    errno = f->error;
    return 1;
}

static const bg_sys *libc(void) { return bg_sys_default(); }

static void *f_alloc(void *ctx, size_t bytes)
{
    fault_sys *f = ctx;
    void *p = fails(f, FAULT_ALLOC, "alloc") ? NULL : libc()->alloc(NULL, bytes);
    f->live_blocks += p != NULL;
    if (p)
        memset(p, 0xA5, bytes < 4096 ? bytes : 4096); /* what is used without being set shows */
    return p;
}

static void f_free(void *ctx, void *p)
{
    fault_sys *f = ctx;
    f->live_blocks -= p != NULL;
    libc()->free(NULL, p);
}

static int f_open(void *ctx, const char *path, int flags, int mode)
{
    fault_sys *f = ctx;
    int fd = fails(f, FAULT_FILES, "open") ? -1 : libc()->open(NULL, path, flags, mode);
    f->live_files += fd >= 0;
    return fd;
}

/* The size a transfer of n may have, or 0 for "interrupted". */
static size_t transfer(fault_sys *f, size_t n)
{
    f->transfers++;
    if (f->interrupt_every && f->transfers % f->interrupt_every == 0) {
        errno = EINTR;
        return 0;
    }
    return f->short_transfer && n > f->short_transfer ? f->short_transfer : n;
}

static ssize_t f_pread(void *ctx, int fd, void *buf, size_t n, uint64_t offset)
{
    fault_sys *f = ctx;
    if (fails(f, FAULT_FILES, "pread"))
        return -1;
    size_t m = transfer(f, n);
    return m || !n ? libc()->pread(NULL, fd, buf, m, offset) : -1;
}

static ssize_t f_read(void *ctx, int fd, void *buf, size_t n)
{
    fault_sys *f = ctx;
    if (fails(f, FAULT_FILES, "read"))
        return -1;
    size_t m = transfer(f, n);
    return m || !n ? libc()->read(NULL, fd, buf, m) : -1;
}

static ssize_t f_write(void *ctx, int fd, const void *buf, size_t n)
{
    fault_sys *f = ctx;
    if (fails(f, FAULT_FILES, "write"))
        return -1;
    size_t m = transfer(f, n);
    ssize_t r = m || !n ? libc()->write(NULL, fd, buf, m) : -1;
    f->bytes_written += r > 0 ? (uint64_t)r : 0;
    return r;
}

static int f_fsync(void *ctx, int fd) { return fails(ctx, FAULT_FILES, "fsync") ? -1 : libc()->fsync(NULL, fd); }
static int f_truncate(void *ctx, int fd, uint64_t size) { return fails(ctx, FAULT_FILES, "truncate") ? -1 : libc()->truncate(NULL, fd, size); }
static int f_stat(void *ctx, const char *path, bg_file_stat *out) { return fails(ctx, FAULT_FILES, "stat") ? -1 : libc()->stat(NULL, path, out); }
static int f_fstat(void *ctx, int fd, bg_file_stat *out) { return fails(ctx, FAULT_FILES, "fstat") ? -1 : libc()->fstat(NULL, fd, out); }
static int f_unlink(void *ctx, const char *path) { return fails(ctx, FAULT_FILES, "unlink") ? -1 : libc()->unlink(NULL, path); }
static int f_mkdir(void *ctx, const char *path, int mode) { return fails(ctx, FAULT_FILES, "mkdir") ? -1 : libc()->mkdir(NULL, path, mode); }
static int f_readdir(void *ctx, void *dir, char name[256]) { return fails(ctx, FAULT_FILES, "readdir") ? -1 : libc()->readdir(NULL, dir, name); }

static int f_rename(void *ctx, const char *from, const char *to)
{
    fault_sys *f = ctx;
    int r = fails(f, FAULT_FILES, "rename") ? -1 : libc()->rename(NULL, from, to);
    f->renames += r == 0;
    return r;
}

/* Like the system's, a close that fails has closed all the same. */
static int f_close(void *ctx, int fd)
{
    fault_sys *f = ctx;
    int r = libc()->close(NULL, fd);
    f->live_files--;
    return fails(f, FAULT_CLOSE, "close") ? -1 : r;
}

static void *f_opendir(void *ctx, const char *path)
{
    fault_sys *f = ctx;
    void *d = fails(f, FAULT_FILES, "opendir") ? NULL : libc()->opendir(NULL, path);
    f->live_files += d != NULL;
    return d;
}

static int f_closedir(void *ctx, void *dir)
{
    fault_sys *f = ctx;
    int r = libc()->closedir(NULL, dir);
    f->live_files--;
    return fails(f, FAULT_CLOSE, "closedir") ? -1 : r;
}

void fault_open(fault_sys *f)
{
    memset(f, 0, sizeof *f);
    f->sys = (bg_sys){
        .ctx = f, .alloc = f_alloc, .free = f_free,
        .open = f_open, .pread = f_pread, .read = f_read, .write = f_write,
        .fsync = f_fsync, .truncate = f_truncate, .close = f_close,
        .stat = f_stat, .fstat = f_fstat,
        .rename = f_rename, .unlink = f_unlink, .mkdir = f_mkdir,
        .opendir = f_opendir, .readdir = f_readdir, .closedir = f_closedir,
    };
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        f->fail_at[kind] = UINT64_MAX;
    f->error = EIO;
}

void fault_fail(fault_sys *f, fault_kind kind, uint64_t n, int forever)
{
    f->fail_at[kind] = f->calls[kind] + n;
    f->forever[kind] = forever;
    f->failed[kind] = 0;
}

int fault_clean(const fault_sys *f)
{
    if (f->live_blocks != 0)
        printf("%lld blocks were not freed\n", (long long)f->live_blocks);
    if (f->live_files != 0)
        printf("%lld files or folders were not closed\n", (long long)f->live_files);
    return f->live_blocks == 0 && f->live_files == 0;
}
