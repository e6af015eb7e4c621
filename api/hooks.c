/* The caller's memory and file functions as the library's, and libc's as the
 * caller's.  Only stat differs between the two structs, but every function is
 * wrapped, because all of them share one ctx.
 * Refuses nothing: a hook that is NULL is a broken precondition. */
#include "api/api.h"

static const bgpt_hooks *hooks(void *ctx) { return &((const bg_api_sys *)ctx)->hooks; }

static void *h_alloc(void *c, size_t n) { return hooks(c)->alloc(hooks(c)->ctx, n); }
static void h_free(void *c, void *p) { hooks(c)->free(hooks(c)->ctx, p); }
static int h_open(void *c, const char *path, int flags, int mode) { return hooks(c)->open(hooks(c)->ctx, path, flags, mode); }
static ssize_t h_pread(void *c, int fd, void *buf, size_t n, uint64_t at) { return hooks(c)->pread(hooks(c)->ctx, fd, buf, n, at); }
static ssize_t h_read(void *c, int fd, void *buf, size_t n) { return hooks(c)->read(hooks(c)->ctx, fd, buf, n); }
static ssize_t h_write(void *c, int fd, const void *buf, size_t n) { return hooks(c)->write(hooks(c)->ctx, fd, buf, n); }
static int h_fsync(void *c, int fd) { return hooks(c)->fsync(hooks(c)->ctx, fd); }
static int h_truncate(void *c, int fd, uint64_t size) { return hooks(c)->truncate(hooks(c)->ctx, fd, size); }
static int h_close(void *c, int fd) { return hooks(c)->close(hooks(c)->ctx, fd); }
static int h_rename(void *c, const char *from, const char *to) { return hooks(c)->rename(hooks(c)->ctx, from, to); }
static int h_unlink(void *c, const char *path) { return hooks(c)->unlink(hooks(c)->ctx, path); }
static int h_mkdir(void *c, const char *path, int mode) { return hooks(c)->mkdir(hooks(c)->ctx, path, mode); }
static void *h_opendir(void *c, const char *path) { return hooks(c)->opendir(hooks(c)->ctx, path); }
static int h_readdir(void *c, void *dir, char name[256]) { return hooks(c)->readdir(hooks(c)->ctx, dir, name); }
static int h_closedir(void *c, void *dir) { return hooks(c)->closedir(hooks(c)->ctx, dir); }

static void take_stat(bg_file_stat *out, const bgpt_file_stat *from)
{
    out->kind = from->kind == 0 ? BG_FILE_REGULAR : from->kind == 1 ? BG_FILE_FOLDER : BG_FILE_OTHER;
    out->size = from->size;
    out->device = from->device;
    out->inode = from->inode;
}

static int h_stat(void *c, const char *path, bg_file_stat *out)
{
    bgpt_file_stat st = { 0 };
    int r = hooks(c)->stat(hooks(c)->ctx, path, &st);
    take_stat(out, &st);
    return r;
}

static int h_fstat(void *c, int fd, bg_file_stat *out)
{
    bgpt_file_stat st = { 0 };
    int r = hooks(c)->fstat(hooks(c)->ctx, fd, &st);
    take_stat(out, &st);
    return r;
}

const bg_sys *bg_api_sys_open(bg_api_sys *s, const bgpt_options *opt)
{
    if (!opt || !opt->hooks)
        return bg_sys_default();
    s->hooks = *opt->hooks;
    s->sys = (bg_sys){
        .ctx = s, .alloc = h_alloc, .free = h_free,
        .open = h_open, .pread = h_pread, .read = h_read, .write = h_write,
        .fsync = h_fsync, .truncate = h_truncate, .close = h_close,
        .stat = h_stat, .fstat = h_fstat,
        .rename = h_rename, .unlink = h_unlink, .mkdir = h_mkdir,
        .opendir = h_opendir, .readdir = h_readdir, .closedir = h_closedir,
    };
    return &s->sys;
}

/* --- libc's ------------------------------------------------------------------- */

static void give_stat(bgpt_file_stat *out, const bg_file_stat *from)
{
    out->kind = from->kind == BG_FILE_REGULAR ? 0 : from->kind == BG_FILE_FOLDER ? 1 : 2;
    out->size = from->size;
    out->device = from->device;
    out->inode = from->inode;
}

static int default_stat(void *ctx, const char *path, bgpt_file_stat *out)
{
    bg_file_stat st = { 0 };
    int r = bg_sys_default()->stat(ctx, path, &st);
    give_stat(out, &st);
    return r;
}

static int default_fstat(void *ctx, int fd, bgpt_file_stat *out)
{
    bg_file_stat st = { 0 };
    int r = bg_sys_default()->fstat(ctx, fd, &st);
    give_stat(out, &st);
    return r;
}

bgpt_hooks bgpt_default_hooks(void)
{
    const bg_sys *s = bg_sys_default();
    return (bgpt_hooks){
        .ctx = s->ctx, .alloc = s->alloc, .free = s->free,
        .open = s->open, .pread = s->pread, .read = s->read, .write = s->write,
        .fsync = s->fsync, .truncate = s->truncate, .close = s->close,
        .stat = default_stat, .fstat = default_fstat,
        .rename = s->rename, .unlink = s->unlink, .mkdir = s->mkdir,
        .opendir = s->opendir, .readdir = s->readdir, .closedir = s->closedir,
    };
}
