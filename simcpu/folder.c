/* Folders of random instances.  A file is written in one go under its final
 * name: a hundred thousand renames and fsyncs would take minutes, and all of it
 * can be made again from the seed.  Refuses a folder that holds anything,
 * unless told. */
#include "simcpu/generate.h"

#include "base/file.h"
#include "simcpu/md5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    BLOCK = 64,   /* files of a task: a thread has work for milliseconds */
    ROUND = 4096, /* files between two looks at the caller's progress */
    NAME_ROOM = 48 /* "/train/", 32 digits, ".bin" */
};

typedef struct job {
    const bg_sim_folder *f;
    const bg_sys *sys;
    size_t room;       /* bytes of one path */
    char *paths;       /* (threads, room) */
    uint64_t first, end; /* files of this round */
    atomic_int failed; /* the one who sets it owns `error` */
    bg_error error;
} job;

static bg_status write_file(const job *j, const char *path, const uint8_t *data, size_t size, bg_error *err)
{
    const bg_sys *sys = j->sys;
    int fd = sys->open(sys->ctx, path, O_WRONLY | O_CREAT | (j->f->overwrite ? O_TRUNC : O_EXCL), 0666);
    if (fd < 0)
        return bg_fail_errno(err, 0, "cannot create %s", path);
    bg_status status = bg_write_full(sys, path, fd, data, size, err);
    if (sys->close(sys->ctx, fd) != 0 && status == BG_OK)
        status = bg_fail_errno(err, 0, "cannot write %s", path);
    if (status != BG_OK)
        sys->unlink(sys->ctx, path); /* torn: no state file */
    return status;
}

/* Files are numbered through: the training files, then the test files. */
static bg_status make_file(const job *j, uint64_t number, char *path, bg_error *err)
{
    const bg_sim_folder *f = j->f;
    uint8_t file[BG_SIM_FILE];
    char name[BG_MD5_HEX];
    size_t size;
    int test = number >= f->train;
    bg_sim_instance(f->seed, test ? BG_SIM_TEST + number - f->train : number, &(bg_sim_draw){ f->least, f->most, 0 }, file, &size);
    bg_md5(file, size, name);
    snprintf(path, j->room, "%s/%s/%s.bin", f->out, test ? "test" : "train", name);
    return write_file(j, path, file, size, err);
}

static void make_block(void *arg, size_t task, unsigned thread)
{
    job *j = arg;
    bg_error err;
    uint64_t begin = j->first + task * BLOCK, end = begin + BLOCK < j->end ? begin + BLOCK : j->end;
    for (uint64_t i = begin; i < end && !atomic_load(&j->failed); i++) {
        if (make_file(j, i, j->paths + thread * j->room, &err) == BG_OK)
            continue;
        if (!atomic_exchange(&j->failed, 1))
            j->error = err;
    }
}

static bg_status make_files(job *j, bg_pool *pool, bg_error *err)
{
    uint64_t all = j->f->train + j->f->test;
    for (j->first = 0; j->first < all; j->first = j->end) {
        j->end = all - j->first < ROUND ? all : j->first + ROUND;
        bg_pool_run(pool, make_block, j, (size_t)((j->end - j->first + BLOCK - 1) / BLOCK));
        if (atomic_load(&j->failed))
            return bg_fail(err, j->error.code, "%s", j->error.text);
        if (j->f->progress && j->f->progress(j->f->ctx, j->end))
            return bg_fail(err, BG_ERR_INTERRUPTED, "%s: stopped after %llu of %llu files", j->f->out,
                           (unsigned long long)j->end, (unsigned long long)all);
    }
    return BG_OK;
}

/* --- the folder ---------------------------------------------------------------- */

/* A folder that is not there is empty. */
static bg_status check_empty(const bg_sys *sys, const char *path, bg_error *err)
{
    char name[256];
    int more;
    void *dir = sys->opendir(sys->ctx, path);
    if (!dir)
        return errno == ENOENT ? BG_OK : bg_fail_errno(err, 0, "cannot open the folder %s", path);
    do
        more = sys->readdir(sys->ctx, dir, name);
    while (more == 1 && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0));
    bg_status status = BG_OK;
    if (more < 0)
        status = bg_fail_errno(err, 0, "cannot read the folder %s", path);
    else if (more == 1)
        status = bg_fail(err, BG_ERR_ARGUMENT, "%s is not empty (%s is in it)", path, name);
    sys->closedir(sys->ctx, dir);
    return status;
}

static bg_status make_folder(const bg_sys *sys, const char *out, const char *part, bg_error *err)
{
    char *path = bg_asprintf(sys, "%s/%s", out, part);
    if (!path)
        return bg_fail_memory(err, out, strlen(out) + 8);
    bg_status status = bg_make_folders(sys, path, err);
    bg_free(sys, path);
    return status;
}

bg_status bg_sim_write_folder(const bg_sim_folder *f, bg_pool *pool, const bg_sys *sys, bg_error *err)
{
    if (f->least < 1 || f->least > f->most || f->most > BG_SIM_SLOTS)
        return bg_fail(err, BG_ERR_ARGUMENT, "programs of %u to %u instructions: 1 to %d fit", f->least, f->most, BG_SIM_SLOTS);
    if (f->train >= BG_SIM_TEST || f->test >= BG_SIM_TEST)
        return bg_fail(err, BG_ERR_ARGUMENT, "more than 2^63 files");
    if (!f->overwrite)
        BG_TRY(check_empty(sys, f->out, err));
    BG_TRY(make_folder(sys, f->out, "train", err));
    BG_TRY(make_folder(sys, f->out, "test", err));
    /* atomics and a read-only struct are all that the threads share */
    job j = { .f = f, .sys = sys, .room = strlen(f->out) + NAME_ROOM };
    j.paths = bg_alloc(sys, bg_pool_threads(pool), j.room);
    if (!j.paths)
        return bg_fail_memory(err, f->out, j.room * bg_pool_threads(pool));
    bg_status status = make_files(&j, pool, err);
    bg_free(sys, j.paths);
    return status;
}
