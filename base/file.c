/* Whole files in, files out by way of a temporary file and a rename.  Refuses
 * folders, files above the caller's limit, and to overwrite unless told to. */
#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- reading --------------------------------------------------------------- */

bg_status bg_open_read(const bg_sys *sys, const char *path, int *fd, uint64_t *size, bg_error *err)
{
    bg_file_stat s;
    *size = 0;
    do
        *fd = sys->open(sys->ctx, path, O_RDONLY, 0);
    while (*fd < 0 && errno == EINTR);
    if (*fd < 0)
        return bg_fail_errno(err, 1, "cannot open %s", path);
    bg_status status = BG_OK;
    if (sys->fstat(sys->ctx, *fd, &s) != 0)
        status = bg_fail_errno(err, 1, "cannot open %s", path);
    else if (s.kind == BG_FILE_FOLDER)
        status = bg_fail(err, BG_ERR_NOT_FOUND, "%s is a folder, not a file", path);
    if (status != BG_OK) {
        sys->close(sys->ctx, *fd);
        *fd = -1;
        return status;
    }
    if (s.kind == BG_FILE_REGULAR)
        *size = s.size;
    return BG_OK;
}

bg_status bg_pread_full(const bg_sys *sys, const char *path, int fd, void *buf, size_t n, uint64_t offset, size_t *got, bg_error *err)
{
    *got = 0;
    while (*got < n) {
        ssize_t r = sys->pread(sys->ctx, fd, (char *)buf + *got, n - *got, offset + *got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return bg_fail_errno(err, 1, "cannot read %s", path);
        if (r == 0)
            break;
        *got += (size_t)r;
    }
    return BG_OK;
}

/* Read to the end, whatever fstat said: files under /proc say 0, pipes say
 * nothing, and a file may grow meanwhile.  One byte beyond what is expected
 * is asked for, so that the end shows without another growth. */
static bg_status read_to_end(const bg_sys *sys, const char *path, int fd, uint64_t expected, uint64_t limit, uint8_t **data, size_t *size, bg_error *err)
{
    void *bytes = NULL;
    size_t capacity = 0, used = 0;
    bg_status status = BG_OK;
    if (expected > limit || expected > SIZE_MAX - 2)
        return bg_fail(err, BG_ERR_FORMAT, "%s has %llu bytes, at most %llu can be taken", path, (unsigned long long)expected, (unsigned long long)limit);
    status = bg_grow(sys, &bytes, &capacity, (size_t)expected + 2, 1, err);
    while (status == BG_OK) {
        ssize_t r = sys->read(sys->ctx, fd, (char *)bytes + used, capacity - used - 1);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            status = bg_fail_errno(err, 1, "cannot read %s", path);
        if (r <= 0)
            break;
        used += (size_t)r;
        if (used > limit)
            status = bg_fail(err, BG_ERR_FORMAT, "%s has more than %llu bytes, the most that can be taken", path, (unsigned long long)limit);
        else if (capacity - used < 2)
            status = bg_grow(sys, &bytes, &capacity, used + 2, 1, err);
    }
    if (status != BG_OK) {
        bg_free(sys, bytes);
        return status;
    }
    *data = bytes;
    (*data)[used] = 0;
    *size = used;
    return BG_OK;
}

bg_status bg_read_file(const bg_sys *sys, const char *path, uint64_t limit, uint8_t **data, size_t *size, bg_error *err)
{
    int fd;
    uint64_t expected;
    *data = NULL;
    *size = 0;
    if (strcmp(path, "-") == 0)
        return read_to_end(sys, "standard input", STDIN_FILENO, 0, limit, data, size, err);
    BG_TRY(bg_open_read(sys, path, &fd, &expected, err));
    bg_status status = read_to_end(sys, path, fd, expected, limit, data, size, err);
    sys->close(sys->ctx, fd);
    return status;
}

/* --- paths ------------------------------------------------------------------ */

int bg_same_file(const bg_sys *sys, const char *a, const char *b)
{
    bg_file_stat s, t;
    return sys->stat(sys->ctx, a, &s) == 0 && sys->stat(sys->ctx, b, &t) == 0
        && s.device == t.device && s.inode == t.inode;
}

int bg_exists(const bg_sys *sys, const char *path)
{
    bg_file_stat s;
    return sys->stat(sys->ctx, path, &s) == 0;
}

/* A folder that is there already is fine, whatever mkdir says about it
 * (EEXIST, or EROFS and EACCES on a path that may not be written). */
static bg_status make_folder(const bg_sys *sys, const char *path, bg_error *err)
{
    bg_file_stat s;
    if (sys->mkdir(sys->ctx, path, 0777) == 0)
        return BG_OK;
    int error = errno;
    if (sys->stat(sys->ctx, path, &s) == 0 && s.kind == BG_FILE_FOLDER)
        return BG_OK;
    errno = error;
    return bg_fail_errno(err, 0, "cannot make the folder %s", path);
}

bg_status bg_make_folders(const bg_sys *sys, const char *path, bg_error *err)
{
    char *part = bg_strdup(sys, path);
    if (!part)
        return bg_fail_memory(err, path, strlen(path) + 1);
    bg_status status = BG_OK;
    for (char *p = part + 1; *part && *p && status == BG_OK; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = 0;
        status = make_folder(sys, part, err);
        *p = '/';
    }
    if (status == BG_OK)
        status = make_folder(sys, part, err);
    bg_free(sys, part);
    return status;
}

/* --- writing ----------------------------------------------------------------- */

enum { WRITER_BUFFER = 65536, TEMP_NAMES = 100 };

bg_status bg_write_full(const bg_sys *sys, const char *path, int fd, const void *buf, size_t n, bg_error *err)
{
    const char *p = buf;
    while (n > 0) {
        ssize_t r = sys->write(sys->ctx, fd, p, n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r == 0)
            errno = ENOSPC; /* no progress and no reason given: never try for ever */
        if (r <= 0)
            return bg_fail_errno(err, 0, "cannot write %s", path);
        p += r;
        n -= (size_t)r;
    }
    return BG_OK;
}

/* Keep the first failure for later calls; the caller's err may be NULL. */
static bg_status keep(bg_writer *w, bg_status status, const bg_error *why, bg_error *err)
{
    if (status != BG_OK && w->first.code == BG_OK)
        w->first = *why;
    if (status != BG_OK && err)
        *err = w->first;
    return status;
}

/* The names that stand for an open file of this process: a rename would
 * replace the name in /dev instead of writing to what it stands for. */
static int names_open_file(const char *path)
{
    return strcmp(path, "/dev/stdout") == 0 || strcmp(path, "/dev/stderr") == 0
        || strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/self/fd/", 14) == 0;
}

/* How much of a path its temporary name keeps: a file's name may be as long as the system allows, with nothing behind it.
 * No character of UTF-8 is cut in two. */
static int kept_length(const char *path)
{
    enum { LONGEST = 255, BEHIND = 32 };
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    if (n > LONGEST - BEHIND)
        for (n = LONGEST - BEHIND; n > 0 && ((unsigned char)name[n] & 0xC0) == 0x80;)
            n--;
    return (int)((size_t)(name - path) + n);
}

/* No counter is kept between calls: the number is found by trying. */
static bg_status open_temp(bg_writer *w, bg_error *err)
{
    const bg_sys *sys = w->sys;
    for (int n = 0; n < TEMP_NAMES; n++) {
        bg_free(sys, w->temp);
        w->temp = bg_asprintf(sys, "%.*s.tmp-%ld-%d", kept_length(w->path), w->path, (long)getpid(), n);
        if (!w->temp)
            return bg_fail_memory(err, w->path, strlen(w->path) + 32);
        w->fd = sys->open(sys->ctx, w->temp, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (w->fd >= 0)
            return BG_OK;
        if (errno != EEXIST && errno != EINTR)
            break;
    }
    bg_status status = bg_fail_errno(err, 0, "cannot create %s", w->path);
    bg_free(sys, w->temp);
    w->temp = NULL; /* not ours: abandon must not remove it */
    return status;
}

/* Appending, so that what another program put into the same file stays. */
static bg_status open_direct(bg_writer *w, bg_error *err)
{
    w->fd = w->sys->open(w->sys->ctx, w->path, O_WRONLY | O_APPEND, 0);
    return w->fd >= 0 ? BG_OK : bg_fail_errno(err, 0, "cannot write %s", w->path);
}

static bg_status open_target(bg_writer *w, bg_error *err)
{
    bg_file_stat s;
    if (names_open_file(w->path))
        return open_direct(w, err);
    if (w->sys->stat(w->sys->ctx, w->path, &s) != 0)
        return errno == ENOENT ? open_temp(w, err) : bg_fail_errno(err, 0, "cannot write %s", w->path);
    if (s.kind == BG_FILE_FOLDER)
        return bg_fail(err, BG_ERR_IO, "cannot write %s: it is a folder", w->path);
    if (s.kind == BG_FILE_OTHER)
        return open_direct(w, err);
    if (!w->replace)
        return bg_fail(err, BG_ERR_FAILED, "%s exists already and is not overwritten", w->path);
    return open_temp(w, err);
}

bg_status bg_writer_begin(bg_writer *w, const bg_sys *sys, const char *path, int replace, bg_error *err)
{
    bg_error why = { BG_OK, "" };
    memset(w, 0, sizeof *w);
    w->sys = sys;
    w->fd = -1;
    w->replace = replace;
    w->path = bg_strdup(sys, path);
    w->buffer = bg_alloc(sys, WRITER_BUFFER, 1);
    bg_status status;
    if (!w->path || !w->buffer)
        status = bg_fail_memory(&why, path, WRITER_BUFFER);
    else
        status = open_target(w, &why);
    keep(w, status, &why, err);
    if (status != BG_OK)
        bg_writer_abandon(w);
    return status;
}

static bg_status flush(bg_writer *w, bg_error *why)
{
    size_t n = w->fill;
    w->fill = 0;
    return bg_write_full(w->sys, w->path, w->fd, w->buffer, n, why);
}

bg_status bg_writer_put(bg_writer *w, const void *data, size_t n, bg_error *err)
{
    if (w->first.code != BG_OK)
        return keep(w, w->first.code, &w->first, err);
    assert(w->fd >= 0);
    bg_error why = { BG_OK, "" };
    bg_status status = BG_OK;
    if (n > WRITER_BUFFER - w->fill)
        status = flush(w, &why);
    if (status == BG_OK && n >= WRITER_BUFFER) {
        status = bg_write_full(w->sys, w->path, w->fd, data, n, &why);
    } else if (status == BG_OK && n > 0) {
        memcpy(w->buffer + w->fill, data, n);
        w->fill += n;
    }
    if (status == BG_OK)
        w->written += n;
    return keep(w, status, &why, err);
}

bg_status bg_writer_flush(bg_writer *w, bg_error *err)
{
    bg_error why = { BG_OK, "" };
    if (w->first.code != BG_OK)
        return keep(w, w->first.code, &w->first, err);
    return keep(w, flush(w, &why), &why, err);
}

/* Open the folder that holds path, which is cut for the while: nothing here
 * may need memory, for the rename has been done. */
static int open_folder(const bg_sys *sys, char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash)
        return sys->open(sys->ctx, ".", O_RDONLY | O_DIRECTORY, 0);
    if (slash == path)
        return sys->open(sys->ctx, "/", O_RDONLY | O_DIRECTORY, 0);
    *slash = 0;
    int fd = sys->open(sys->ctx, path, O_RDONLY | O_DIRECTORY, 0);
    *slash = '/';
    return fd;
}

/* The rename is durable only when the folder that holds the name is.  A
 * folder that may be written but not read cannot be opened, and some file
 * systems cannot sync a folder: there is nothing to be done about either. */
static bg_status sync_folder(bg_writer *w, bg_error *err)
{
    const bg_sys *sys = w->sys;
    bg_status status = BG_OK;
    int fd = open_folder(sys, w->path);
    if (fd < 0 && errno != EACCES)
        status = bg_fail_errno(err, 0, "cannot sync the folder of %s", w->path);
    if (fd >= 0 && sys->fsync(sys->ctx, fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        status = bg_fail_errno(err, 0, "cannot sync the folder of %s", w->path);
    if (fd >= 0)
        sys->close(sys->ctx, fd);
    return status;
}

/* After close() the descriptor is gone, also when it reports an error. */
static bg_status close_target(bg_writer *w, bg_error *err)
{
    int fd = w->fd;
    w->fd = -1;
    if (w->sys->close(w->sys->ctx, fd) != 0 && errno != EINTR)
        return bg_fail_errno(err, 0, "cannot write %s", w->path);
    return BG_OK;
}

static bg_status rename_temp(bg_writer *w, bg_error *err)
{
    const bg_sys *sys = w->sys;
    bg_file_stat s;
    if (!w->replace && sys->stat(sys->ctx, w->path, &s) == 0)
        return bg_fail(err, BG_ERR_FAILED, "%s has come into being meanwhile and is not overwritten", w->path);
    if (!w->replace && errno != ENOENT) /* not known to be absent: better not */
        return bg_fail_errno(err, 0, "cannot write %s", w->path);
    if (sys->rename(sys->ctx, w->temp, w->path) != 0)
        return bg_fail_errno(err, 0, "cannot rename %s to %s", w->temp, w->path);
    bg_free(sys, w->temp);
    w->temp = NULL; /* the name is gone: nothing for abandon to remove */
    return sync_folder(w, err);
}

static bg_status commit(bg_writer *w, bg_error *why)
{
    int aside = w->temp != NULL;
    BG_TRY(flush(w, why));
    if (aside && w->sys->fsync(w->sys->ctx, w->fd) != 0)
        return bg_fail_errno(why, 0, "cannot write %s", w->path);
    BG_TRY(close_target(w, why));
    return aside ? rename_temp(w, why) : BG_OK;
}

bg_status bg_writer_commit(bg_writer *w, bg_error *err)
{
    bg_error why = { BG_OK, "" };
    bg_status status = w->first.code;
    if (status == BG_OK) {
        assert(w->fd >= 0);
        status = commit(w, &why);
    } else {
        why = w->first;
    }
    keep(w, status, &why, err);
    bg_writer_abandon(w);
    return status;
}

/* What a failed or finished writer leaves is its first error alone. */
void bg_writer_abandon(bg_writer *w)
{
    const bg_sys *sys = w->sys;
    if (!sys)
        return;
    if (w->fd >= 0)
        sys->close(sys->ctx, w->fd);
    w->fd = -1;
    if (w->temp)
        sys->unlink(sys->ctx, w->temp);
    bg_free(sys, w->temp);
    bg_free(sys, w->path);
    bg_free(sys, w->buffer);
    w->temp = w->path = NULL;
    w->buffer = NULL;
}

bg_status bg_write_file(const bg_sys *sys, const char *path, const void *data, size_t n, int replace, bg_error *err)
{
    bg_writer w;
    BG_TRY(bg_writer_begin(&w, sys, path, replace, err));
    bg_status status = bg_writer_put(&w, data, n, err);
    if (status == BG_OK)
        return bg_writer_commit(&w, err);
    bg_writer_abandon(&w);
    return status;
}
