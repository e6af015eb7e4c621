/* From what the user names (files, folders, "@list.txt") to a sorted list of
 * files with sizes.  Refuses to follow links to folders, so that a walk always
 * ends, and to look at entries whose names begin with a dot, or which are what
 * a preparation notes down beside the files it made. */
#include "data/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* A list of paths longer than this is no list of paths. */
#define LIST_FILE_LIMIT ((uint64_t)1 << 30)

/* Folders still to be read: a stack instead of recursion, so that depth costs
 * neither stack nor open descriptors. */
typedef struct walk {
    bg_list *list;
    char **folders;
    size_t count, capacity;
} walk;

/* --- names --------------------------------------------------------------- */

const char *bg_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *bg_path_extension(const char *path)
{
    const char *name = bg_path_name(path), *dot = strrchr(name, '.');
    return dot && dot != name ? dot + 1 : path + strlen(path);
}

/* --- growing ------------------------------------------------------------- */

static bg_status no_memory(const char *path, bg_error *err)
{
    return bg_fail_memory(err, path, strlen(path) + 1);
}

/* Takes path over, also on failure. */
static bg_status add_file(bg_list *l, char *path, uint64_t size, bg_error *err)
{
    void *files = l->files;
    bg_status status = bg_grow(l->sys, &files, &l->capacity, l->count + 1, sizeof *l->files, err);
    l->files = files;
    if (status == BG_OK)
        l->files[l->count++] = (bg_source){ path, "", size };
    else
        bg_free(l->sys, path);
    return status;
}

static bg_status push_folder(walk *w, char *path, bg_error *err)
{
    void *folders = w->folders;
    bg_status status = bg_grow(w->list->sys, &folders, &w->capacity, w->count + 1, sizeof *w->folders, err);
    w->folders = folders;
    if (status == BG_OK)
        w->folders[w->count++] = path;
    else
        bg_free(w->list->sys, path);
    return status;
}

static void skip(bg_list *l, char *path)
{
    if (l->skipped++ == 0)
        l->skipped_path = path;
    else
        bg_free(l->sys, path);
}

/* --- folders ------------------------------------------------------------- */

/* There is no lstat among the hooks; open() tells a link from a folder.
 * 1 a folder, 0 a link to one, -1 and errno. */
static int is_real_folder(const bg_sys *sys, const char *path)
{
    int fd = sys->open(sys->ctx, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0)
        return errno == ELOOP || errno == ENOTDIR ? 0 : -1;
    sys->close(sys->ctx, fd);
    return 1;
}

/* Takes path over. */
static bg_status visit_entry(walk *w, char *path, bg_error *err)
{
    const bg_sys *sys = w->list->sys;
    bg_file_stat s;
    int known = sys->stat(sys->ctx, path, &s) == 0;
    if (!known && errno != ENOENT && errno != ELOOP) { /* those two: a link to nothing */
        bg_status status = bg_fail_errno(err, 1, "cannot read %s", path);
        bg_free(sys, path);
        return status;
    }
    if (known && s.kind == BG_FILE_REGULAR)
        return add_file(w->list, path, s.size, err);
    if (known && s.kind == BG_FILE_FOLDER && w->list->excludes && s.device == w->list->exclude.device && s.inode == w->list->exclude.inode) {
        bg_free(sys, path);
        return BG_OK;
    }
    if (known && s.kind == BG_FILE_FOLDER) {
        int real = is_real_folder(sys, path);
        if (real > 0)
            return push_folder(w, path, err);
        if (real < 0) {
            bg_status status = bg_fail_errno(err, 1, "cannot read the folder %s", path);
            bg_free(sys, path);
            return status;
        }
    }
    skip(w->list, path);
    return BG_OK;
}

static int passed_over(const char *name)
{
    return name[0] == '.' || strcmp(name, "manifest.tsv") == 0 || strcmp(name, "manifest.part") == 0;
}

static bg_status visit_entries(walk *w, const char *folder, void *dir, bg_error *err)
{
    const bg_sys *sys = w->list->sys;
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    char name[256];
    int r;
    while ((r = sys->readdir(sys->ctx, dir, name)) > 0) {
        if (passed_over(name))
            continue;
        char *path = bg_asprintf(sys, "%s%s%s", folder, slash, name);
        if (!path)
            return no_memory(folder, err);
        BG_TRY(visit_entry(w, path, err));
    }
    return r < 0 ? bg_fail_errno(err, 1, "cannot read the folder %s", folder) : BG_OK;
}

static bg_status visit_folder(walk *w, const char *folder, bg_error *err)
{
    const bg_sys *sys = w->list->sys;
    void *dir = sys->opendir(sys->ctx, folder);
    if (!dir)
        return bg_fail_errno(err, 1, "cannot read the folder %s", folder);
    bg_status status = visit_entries(w, folder, dir, err);
    sys->closedir(sys->ctx, dir);
    return status;
}

/* Takes path over. */
static bg_status walk_folder(bg_list *l, char *path, bg_error *err)
{
    walk w = { l, NULL, 0, 0 };
    bg_status status = push_folder(&w, path, err);
    while (status == BG_OK && w.count > 0) {
        char *folder = w.folders[--w.count];
        status = visit_folder(&w, folder, err);
        bg_free(l->sys, folder);
    }
    while (w.count > 0)
        bg_free(l->sys, w.folders[--w.count]);
    bg_free(l->sys, w.folders);
    return status;
}

/* --- what the user named --------------------------------------------------- */

static bg_status add_path(bg_list *l, const char *path, bg_error *err)
{
    bg_file_stat s;
    if (l->sys->stat(l->sys->ctx, path, &s) != 0)
        return bg_fail_errno(err, 1, "cannot read %s", path);
    if (s.kind == BG_FILE_OTHER)
        return bg_fail(err, BG_ERR_NOT_FOUND, "%s is neither a file nor a folder", path);
    char *copy = bg_strdup(l->sys, path);
    if (!copy)
        return no_memory(path, err);
    return s.kind == BG_FILE_FOLDER ? walk_folder(l, copy, err) : add_file(l, copy, s.size, err);
}

/* One path a line; empty lines are skipped.  A line is taken literally: no
 * list within a list. */
static bg_status add_list(bg_list *l, const char *list, bg_error *err)
{
    uint8_t *data;
    size_t size, line = 0;
    bg_status status = BG_OK;
    BG_TRY(bg_read_file(l->sys, list, LIST_FILE_LIMIT, &data, &size, err));
    if (memchr(data, 0, size))
        status = bg_fail(err, BG_ERR_FORMAT, "%s is not a list of paths: it holds a zero byte", list);
    for (char *at = (char *)data, *end = at + size; at < end && status == BG_OK;) {
        char *next = memchr(at, '\n', (size_t)(end - at));
        if (!next)
            next = end;
        *next = 0;
        if (next > at && next[-1] == '\r')
            next[-1] = 0;
        line++;
        if (*at && (status = add_path(l, at, err)) != BG_OK)
            bg_fail(err, status, "%s, line %zu: %s", list, line, err ? err->text : "");
        at = next + 1;
    }
    bg_free(l->sys, data);
    return status;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const bg_source *)a)->path, ((const bg_source *)b)->path);
}

static void sort_unique(bg_list *l)
{
    size_t kept = 0;
    if (l->count > 1)
        qsort(l->files, l->count, sizeof *l->files, by_path);
    for (size_t i = 0; i < l->count; i++) {
        if (kept > 0 && strcmp(l->files[kept - 1].path, l->files[i].path) == 0)
            bg_free(l->sys, l->files[i].path);
        else
            l->files[kept++] = l->files[i];
    }
    l->count = kept;
    for (size_t i = 0; i < kept; i++)
        l->files[i].extension = bg_path_extension(l->files[i].path);
}

bg_status bg_list_open(bg_list *l, const bg_sys *sys, const char *const *paths, size_t count, const char *exclude, bg_error *err)
{
    bg_status status = BG_OK;
    memset(l, 0, sizeof *l);
    l->sys = sys;
    l->excludes = exclude && sys->stat(sys->ctx, exclude, &l->exclude) == 0;
    if (count == 0)
        return bg_fail(err, BG_ERR_ARGUMENT, "no files or folders were named");
    for (size_t i = 0; i < count && status == BG_OK; i++)
        status = paths[i][0] == '@' ? add_list(l, paths[i] + 1, err) : add_path(l, paths[i], err);
    if (status == BG_OK && l->count == 0)
        status = bg_fail(err, BG_ERR_NOT_FOUND, "no files in %s%s", paths[0], count > 1 ? " and the others named" : "");
    if (status == BG_OK)
        sort_unique(l);
    else
        bg_list_close(l);
    return status;
}

void bg_sources_free(const bg_sys *sys, bg_source *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bg_free(sys, files[i].path);
    bg_free(sys, files);
}

void bg_list_close(bg_list *l)
{
    bg_sources_free(l->sys, l->files, l->count);
    bg_free(l->sys, l->skipped_path);
    memset(l, 0, sizeof *l);
}

bg_status bg_list_files(const bg_sys *sys, const char *const *paths, size_t count, const char *exclude, void (*file)(void *ctx, const char *path), void *ctx, bg_error *err)
{
    bg_list l;
    BG_TRY(bg_list_open(&l, sys, paths, count, exclude, err));
    for (size_t i = 0; i < l.count; i++)
        file(ctx, l.files[i].path);
    bg_list_close(&l);
    return BG_OK;
}
