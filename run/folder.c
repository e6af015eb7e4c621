/* Names in a run folder: which there are, which go.
 * Refuses to touch any name that a run does not write itself. */
#include "run/folder.h"

#include "base/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

void bg_notify(bg_notice *notice, void *ctx, const char *format, ...)
{
    char text[BG_ERROR_TEXT];
    va_list args;
    if (!notice)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    notice(ctx, text);
}

char *bg_folder_path(const bg_sys *sys, const char *folder, const char *name)
{
    return bg_asprintf(sys, "%s/%s", folder, name);
}

char *bg_checkpoint_path(const bg_sys *sys, const char *folder, uint64_t step)
{
    return bg_asprintf(sys, "%s/checkpoint-%llu.safetensors", folder, (unsigned long long)step);
}

bg_status bg_fail_path(bg_error *err, const char *folder)
{
    return bg_fail_memory(err, "the name of a file in the run folder", strlen(folder) + 64);
}

/* --- walking ------------------------------------------------------------------ */

typedef bg_status visit(void *ctx, const char *name, bg_error *err);

/* Call fn for every name in the folder; a folder that does not exist is empty. */
static bg_status walk(const bg_sys *sys, const char *folder, visit *fn, void *ctx, bg_error *err)
{
    char name[256];
    int more;
    void *dir = sys->opendir(sys->ctx, folder);
    if (!dir)
        return errno == ENOENT ? BG_OK : bg_fail_errno(err, 1, "%s: cannot read the folder", folder);
    bg_status s = BG_OK;
    while (s == BG_OK && (more = sys->readdir(sys->ctx, dir, name)) != 0)
        s = more < 0 ? bg_fail_errno(err, 1, "%s: cannot read the folder", folder) : fn(ctx, name, err);
    sys->closedir(sys->ctx, dir);
    return s;
}

/* Is it the name of a checkpoint, exactly as we write it? */
static int checkpoint_step(const char *name, uint64_t *step)
{
    static const char before[] = "checkpoint-", after[] = ".safetensors";
    char *end;
    if (strncmp(name, before, sizeof before - 1) != 0)
        return 0;
    name += sizeof before - 1;
    if (*name < '0' || *name > '9' || strlen(name) > 40)
        return 0;
    errno = 0;
    *step = strtoull(name, &end, 10);
    return errno == 0 && strcmp(end, after) == 0;
}

typedef struct step_list {
    const bg_sys *sys;
    uint64_t *steps;
    size_t count, capacity;
} step_list;

static bg_status add_step(void *ctx, const char *name, bg_error *err)
{
    step_list *l = ctx;
    uint64_t step;
    if (!checkpoint_step(name, &step))
        return BG_OK;
    BG_TRY(bg_grow(l->sys, (void **)&l->steps, &l->capacity, l->count + 1, sizeof *l->steps, err));
    size_t at = l->count++;
    for (; at > 0 && l->steps[at - 1] > step; at--)
        l->steps[at] = l->steps[at - 1];
    l->steps[at] = step;
    return BG_OK;
}

bg_status bg_folder_checkpoints(uint64_t **steps, size_t *count, const bg_sys *sys, const char *folder, bg_error *err)
{
    step_list l = { sys, NULL, 0, 0 };
    *steps = NULL;
    *count = 0;
    bg_status s = walk(sys, folder, add_step, &l, err);
    if (s != BG_OK) {
        bg_free(sys, l.steps);
        return s;
    }
    *steps = l.steps;
    *count = l.count;
    return BG_OK;
}

bg_status bg_folder_is_parent(int *is, const bg_sys *sys, const char *folder, const char *path, bg_error *err)
{
    const char *slash = strrchr(path, '/');
    char *parent = bg_strdup(sys, slash ? path : ".");
    if (!parent)
        return bg_fail_memory(err, "a path", strlen(path) + 1);
    if (slash)
        parent[slash == path ? 1 : slash - path] = 0;
    *is = bg_same_file(sys, parent, folder);
    bg_free(sys, parent);
    return BG_OK;
}

bg_status bg_folder_holds(int *holds, const bg_sys *sys, const char *folder, const char *file, bg_error *err)
{
    uint64_t *steps;
    size_t count;
    *holds = 0;
    BG_TRY(bg_folder_checkpoints(&steps, &count, sys, folder, err));
    bg_status s = BG_OK;
    for (size_t i = 0; i <= count && s == BG_OK && !*holds; i++) { /* the one behind the checkpoints: the model */
        char *path = i < count ? bg_checkpoint_path(sys, folder, steps[i]) : bg_folder_path(sys, folder, "model.safetensors");
        if (path)
            *holds = bg_same_file(sys, path, file);
        else
            s = bg_fail_path(err, folder);
        bg_free(sys, path);
    }
    bg_free(sys, steps);
    return s;
}

bg_status bg_folder_has_run(int *has, const bg_sys *sys, const char *folder, bg_error *err)
{
    uint64_t *steps;
    size_t count;
    BG_TRY(bg_folder_checkpoints(&steps, &count, sys, folder, err));
    bg_free(sys, steps);
    *has = count > 0;
    /* any name that a new run would replace: it may be somebody's model that no run of ours made */
    static const char *const written[] = { "config.json", "model.safetensors", "log.jsonl" };
    for (size_t i = 0; i < sizeof written / sizeof written[0] && !*has; i++) {
        char *path = bg_folder_path(sys, folder, written[i]);
        if (!path)
            return bg_fail_path(err, folder);
        *has = bg_exists(sys, path);
        bg_free(sys, path);
    }
    return BG_OK;
}

/* --- removing ------------------------------------------------------------------ */

/* What of a run is removed in one walk. */
typedef enum part { HALVES, CHECKPOINTS, REST } part;

typedef struct removal {
    const bg_sys *sys;
    const char *folder;
    part what;
} removal;

static int is_half(const char *name)
{
    static const char *const written[] = { "model.safetensors", "config.json", "checkpoint-" };
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
        if (strncmp(name, written[i], strlen(written[i])) == 0)
            return strstr(name, ".tmp-") != NULL;
    return 0;
}

static int is_part(const char *name, part what)
{
    uint64_t step;
    switch (what) {
    case HALVES: return is_half(name);
    case CHECKPOINTS: return checkpoint_step(name, &step);
    default: return strcmp(name, "model.safetensors") == 0 || strcmp(name, "log.jsonl") == 0;
    }
}

static bg_status remove_ours(void *ctx, const char *name, bg_error *err)
{
    removal *r = ctx;
    if (!is_part(name, r->what))
        return BG_OK;
    char *path = bg_folder_path(r->sys, r->folder, name);
    if (!path)
        return bg_fail_path(err, r->folder);
    int failed = r->sys->unlink(r->sys->ctx, path) < 0;
    bg_status s = failed && r->what != HALVES ? bg_fail_errno(err, 0, "%s: cannot remove the run that is to be replaced", path) : BG_OK;
    bg_free(r->sys, path);
    return s;
}

static bg_status remove_part(const bg_sys *sys, const char *folder, part what, bg_error *err)
{
    removal r = { sys, folder, what };
    return walk(sys, folder, remove_ours, &r, err);
}

bg_status bg_folder_tidy(const bg_sys *sys, const char *folder, bg_error *err) { return remove_part(sys, folder, HALVES, err); }

bg_status bg_folder_remove_run(const bg_sys *sys, const char *folder, bg_error *err)
{
    BG_TRY(remove_part(sys, folder, HALVES, err));
    BG_TRY(remove_part(sys, folder, CHECKPOINTS, err)); /* first: as long as one stands, the run could be gone on with, and needs the rest */
    return remove_part(sys, folder, REST, err);
}

/* --- one at a time ---------------------------------------------------------------- */

bg_status bg_folder_lock(int *fd, const bg_sys *sys, const char *folder, bg_error *err)
{
    char *path = bg_folder_path(sys, folder, "lock");
    if (!path)
        return bg_fail_path(err, folder);
    bg_status s = BG_OK;
    *fd = sys->open(sys->ctx, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        s = bg_fail_errno(err, 0, "%s: cannot be written", path);
    else if (flock(*fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) /* file systems without locks: go on without */
        s = bg_fail(err, BG_ERR_ARGUMENT, "another process is training in %s", folder);
    if (s != BG_OK && *fd >= 0) {
        sys->close(sys->ctx, *fd);
        *fd = -1;
    }
    bg_free(sys, path);
    return s;
}

/* --- taking over ----------------------------------------------------------------- */

bg_status bg_folder_write(const bg_sys *sys, const char *folder, const char *name, const char *text, bg_error *err)
{
    char *path = bg_folder_path(sys, folder, name);
    if (!path)
        return bg_fail_path(err, folder);
    bg_status s = bg_write_file(sys, path, text, strlen(text), 1, err);
    bg_free(sys, path);
    return s;
}

bg_status bg_folder_take(const bg_sys *sys, const char *folder, const char *recipe, bg_error *err)
{
    BG_TRY(bg_folder_remove_run(sys, folder, err));
    BG_TRY(bg_folder_write(sys, folder, "config.json", recipe, err));
    char *path = bg_folder_path(sys, folder, BG_FOLDER_TAKING);
    if (!path)
        return bg_fail_path(err, folder);
    const int failed = sys->unlink(sys->ctx, path) < 0;
    const bg_status s = failed ? bg_fail_errno(err, 0, "%s: cannot be removed", path) : BG_OK;
    bg_free(sys, path);
    return s;
}
