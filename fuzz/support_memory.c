/* See support_memory.h. */
#include "fuzz/support_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT = 1000, OUTPUT, FOLDER }; /* descriptors */

/* The size stands in front of a block; 16 bytes keep malloc's alignment. */
enum { FRONT = 16 };

static void *m_alloc(void *ctx, size_t bytes)
{
    memory_sys *m = ctx;
    if (bytes > ((size_t)1 << 32))
        return NULL;
    char *p = malloc(bytes + FRONT);
    if (!p)
        return NULL;
    memcpy(p, &bytes, sizeof bytes);
    m->used += bytes;
    m->most = m->used > m->most ? m->used : m->most;
    return p + FRONT;
}

static void m_free(void *ctx, void *p)
{
    memory_sys *m = ctx;
    size_t bytes;
    if (!p)
        return;
    memcpy(&bytes, (char *)p - FRONT, sizeof bytes);
    m->used -= bytes;
    free((char *)p - FRONT);
}

static int m_open(void *ctx, const char *path, int flags, int mode)
{
    memory_sys *m = ctx;
    m->open_files++;
    if (flags & O_DIRECTORY)
        return FOLDER;
    return strcmp(path, MEMORY_INPUT) == 0 ? INPUT : OUTPUT;
}

static ssize_t m_pread(void *ctx, int fd, void *buf, size_t n, uint64_t offset)
{
    const memory_sys *m = ctx;
    if (fd != INPUT)
        abort();
    if (offset >= m->size)
        return 0;
    const size_t left = m->size - (size_t)offset, part = n < left ? n : left;
    memcpy(buf, m->data + offset, part);
    return (ssize_t)part;
}

static ssize_t m_read(void *ctx, int fd, void *buf, size_t n) { abort(); }

static ssize_t m_write(void *ctx, int fd, const void *buf, size_t n)
{
    memory_sys *m = ctx;
    if (fd != OUTPUT)
        abort();
    m->written += n;
    return (ssize_t)n;
}

static int m_fsync(void *ctx, int fd) { return 0; }
static int m_truncate(void *ctx, int fd, uint64_t size) { abort(); }

static int m_close(void *ctx, int fd)
{
    memory_sys *m = ctx;
    m->open_files--;
    return 0;
}

static int m_fstat(void *ctx, int fd, bg_file_stat *out)
{
    const memory_sys *m = ctx;
    *out = (bg_file_stat){ BG_FILE_REGULAR, fd == INPUT ? m->size : m->written, 1, (uint64_t)fd };
    return 0;
}

static int m_stat(void *ctx, const char *path, bg_file_stat *out)
{
    if (strcmp(path, MEMORY_INPUT) == 0)
        return m_fstat(ctx, INPUT, out);
    errno = ENOENT;
    return -1;
}

static int m_rename(void *ctx, const char *from, const char *to)
{
    memory_sys *m = ctx;
    m->renamed++;
    return 0;
}

static int m_unlink(void *ctx, const char *path) { return 0; }
static int m_mkdir(void *ctx, const char *path, int mode) { abort(); }
static void *m_opendir(void *ctx, const char *path) { abort(); }
static int m_readdir(void *ctx, void *dir, char name[256]) { abort(); }
static int m_closedir(void *ctx, void *dir) { abort(); }

void memory_open(memory_sys *m, const uint8_t *data, size_t size)
{
    memset(m, 0, sizeof *m);
    m->data = data;
    m->size = size;
    m->sys = (bg_sys){
        .ctx = m, .alloc = m_alloc, .free = m_free,
        .open = m_open, .pread = m_pread, .read = m_read, .write = m_write,
        .fsync = m_fsync, .truncate = m_truncate, .close = m_close,
        .stat = m_stat, .fstat = m_fstat,
        .rename = m_rename, .unlink = m_unlink, .mkdir = m_mkdir,
        .opendir = m_opendir, .readdir = m_readdir, .closedir = m_closedir,
    };
}

void memory_check(const memory_sys *m, size_t most)
{
    if (m->used)
        fprintf(stderr, "%zu bytes were not freed\n", m->used);
    if (m->open_files)
        fprintf(stderr, "%d files were not closed\n", m->open_files);
    if (m->most > most)
        fprintf(stderr, "%zu bytes were in use for %zu bytes of input\n", m->most, m->size);
    if (m->used || m->open_files || m->most > most)
        abort();
}
