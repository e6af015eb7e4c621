/* Reading files whole, making folders, and the writer that never leaves half a
 * file: on every path, with every call failing in turn. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/file.h"
#include "tests/support_check.h"
#include "tests/support_folder.h"
#include "tests/support_fs.h"

enum { BIG = 200000 }; /* more than three of the writer's buffers */

static unsigned char big[BIG];

static int set_up(void **state)
{
    make_folder(state);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (unsigned char)(i * 7 + i / 251);
    return 0;
}

/* --- reading --------------------------------------------------------------- */

static void read_whole(void **state)
{
    static const size_t sizes[] = { 0, 1, 15, 4096, BIG };
    fault_sys f;
    bg_error err;
    fault_open(&f);
    f.short_transfer = 1000;
    f.interrupt_every = 3;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *path = fs_path(folder, "whole");
        uint8_t *data;
        size_t size;
        fs_write(path, big, sizes[i]);
        CHECK_OK(bg_read_file(&f.sys, path, BIG, &data, &size, &err), err);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(data, big, size);
        assert_int_equal(data[size], 0);
        bg_free(&f.sys, data);
    }
    assert_true(fault_clean(&f));
}

static void read_refuses(void **state)
{
    fault_sys f;
    bg_error err;
    uint8_t *data;
    size_t size;
    fault_open(&f);
    const char *path = fs_path(folder, "ten");
    fs_write(path, big, 10);
    CHECK_OK(bg_read_file(&f.sys, path, 10, &data, &size, &err), err);
    bg_free(&f.sys, data);
    CHECK_FAILS(bg_read_file(&f.sys, path, 9, &data, &size, &err), BG_ERR_FORMAT, path, err);
    assert_null(data);
    CHECK_FAILS(bg_read_file(&f.sys, folder, 9, &data, &size, &err), BG_ERR_NOT_FOUND, "is a folder", err);
    CHECK_FAILS(bg_read_file(&f.sys, fs_path(folder, "absent"), 9, &data, &size, &err), BG_ERR_NOT_FOUND, "absent", err);
    CHECK_FAILS(bg_read_file(&f.sys, "", 9, &data, &size, &err), BG_ERR_NOT_FOUND, "cannot open", err);
    if (access("/dev/zero", R_OK) == 0) /* endless, and fstat says 0 */
        CHECK_FAILS(bg_read_file(&f.sys, "/dev/zero", 100000, &data, &size, &err), BG_ERR_FORMAT, "/dev/zero", err);
    assert_true(fault_clean(&f));
}

/* Files under /proc have no size and are read all the same. */
static void read_without_size(void **state)
{
    bg_error err;
    uint8_t *data;
    size_t size;
    if (access("/proc/self/status", R_OK) != 0)
        skip();
    CHECK_OK(bg_read_file(bg_sys_default(), "/proc/self/status", 1 << 20, &data, &size, &err), err);
    assert_true(size > 10);
    bg_free(bg_sys_default(), data);
}

static void read_part(void **state)
{
    fault_sys f;
    bg_error err;
    uint64_t size;
    size_t got;
    int fd;
    unsigned char part[100];
    const char *path = fs_path(folder, "part");
    fs_write(path, big, 1000);
    fault_open(&f);
    f.short_transfer = 7;
    CHECK_OK(bg_open_read(&f.sys, path, &fd, &size, &err), err);
    assert_int_equal(size, 1000);
    CHECK_OK(bg_pread_full(&f.sys, path, fd, part, 100, 500, &got, &err), err);
    assert_int_equal(got, 100);
    assert_memory_equal(part, big + 500, 100);
    CHECK_OK(bg_pread_full(&f.sys, path, fd, part, 100, 950, &got, &err), err);
    assert_int_equal(got, 50);
    CHECK_OK(bg_pread_full(&f.sys, path, fd, part, 100, 5000, &got, &err), err);
    assert_int_equal(got, 0);
    f.sys.close(f.sys.ctx, fd);
    assert_true(fault_clean(&f));
}

static void read_fails_at_every_call(void **state)
{
    const char *path = fs_path(folder, "faulty");
    fs_write(path, big, 5000);
    for (int kind = FAULT_ALLOC; kind <= FAULT_FILES; kind++) {
        uint64_t n = 0, failed = 1;
        for (; failed; n++) {
            fault_sys f;
            bg_error err;
            uint8_t *data;
            size_t size;
            fault_open(&f);
            fault_fail(&f, (fault_kind)kind, n, 0);
            bg_status status = bg_read_file(&f.sys, path, BIG, &data, &size, &err);
            failed = f.failed[kind];
            assert_int_equal(status, !failed ? BG_OK : kind == FAULT_ALLOC ? BG_ERR_MEMORY : BG_ERR_IO);
            if (status != BG_OK)
                assert_null(data);
            bg_free(&f.sys, data);
            assert_true(fault_clean(&f));
        }
        assert_true(n > 1);
    }
}

/* --- paths ------------------------------------------------------------------ */

static void folders(void **state)
{
    const bg_sys *sys = bg_sys_default();
    bg_error err;
    char deep[4096];
    snprintf(deep, sizeof deep, "%s/a//b/c/", folder);
    CHECK_OK(bg_make_folders(sys, deep, &err), err);
    CHECK_OK(bg_make_folders(sys, deep, &err), err);
    CHECK_OK(bg_make_folders(sys, "/", &err), err);
    assert_true(bg_exists(sys, deep));
    const char *file = fs_path(folder, "a/file");
    fs_write_text(file, "x");
    CHECK_FAILS(bg_make_folders(sys, file, &err), BG_ERR_IO, file, err);
    CHECK_FAILS(bg_make_folders(sys, fs_path(folder, "a/file/d"), &err), BG_ERR_IO, "a/file", err);
    CHECK_FAILS(bg_make_folders(sys, "", &err), BG_ERR_IO, "cannot make", err);
    fault_sys f;
    fault_open(&f);
    fault_fail(&f, FAULT_ALLOC, 0, 0);
    CHECK_FAILS(bg_make_folders(&f.sys, deep, &err), BG_ERR_MEMORY, "out of memory", err);
    assert_true(fault_clean(&f));
}

static void same_file(void **state)
{
    const bg_sys *sys = bg_sys_default();
    const char *a = fs_path(folder, "same-a"), *b = fs_path(folder, "same-b"), *l = fs_path(folder, "same-l");
    fs_write_text(a, "x");
    fs_write_text(b, "x");
    assert_int_equal(symlink("same-a", l), 0);
    assert_true(bg_same_file(sys, a, l));
    assert_true(bg_same_file(sys, a, a));
    assert_false(bg_same_file(sys, a, b));
    assert_false(bg_same_file(sys, a, fs_path(folder, "same-none")));
}

/* --- writing ----------------------------------------------------------------- */

static void write_whole(void **state)
{
    static const size_t pieces[] = { 1, 1000, 65535, 65536, 65537, BIG };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        fault_sys f;
        bg_writer w;
        bg_error err;
        char *own = fs_make_folder();
        const char *path = fs_path(own, "out");
        fault_open(&f);
        f.short_transfer = 30000;
        f.interrupt_every = 3;
        size_t step = pieces[i] == 1 ? 333 : pieces[i];
        CHECK_OK(bg_writer_begin(&w, &f.sys, path, 0, &err), err);
        CHECK_OK(bg_writer_put(&w, big, 1, &err), err);
        CHECK_OK(bg_writer_put(&w, NULL, 0, &err), err);
        for (size_t at = 1; at < BIG; at += step)
            CHECK_OK(bg_writer_put(&w, big + at, BIG - at < step ? BIG - at : step, &err), err);
        assert_int_equal(w.written, BIG);
        assert_false(bg_exists(&f.sys, path)); /* not before it is whole */
        CHECK_OK(bg_writer_commit(&w, &err), err);
        bg_writer_abandon(&w);
        assert_true(fs_holds(path, big, BIG));
        assert_int_equal(fs_count(own), 1);
        assert_true(fault_clean(&f));
        fs_remove_folder(own);
    }
}

static void write_abandoned(void **state)
{
    fault_sys f;
    bg_writer w;
    bg_error err;
    char *own = fs_make_folder();
    const char *path = fs_path(own, "out");
    fault_open(&f);
    fs_write_text(path, "old");
    CHECK_OK(bg_writer_begin(&w, &f.sys, path, 1, &err), err);
    CHECK_OK(bg_writer_put(&w, big, BIG, &err), err);
    assert_int_equal(fs_count(own), 2);
    bg_writer_abandon(&w);
    bg_writer_abandon(&w);
    assert_true(fs_holds(path, "old", 3));
    assert_int_equal(fs_count(own), 1);
    memset(&w, 0, sizeof w);
    bg_writer_abandon(&w);
    assert_true(fault_clean(&f));
    fs_remove_folder(own);
}

static void write_keeps_what_is_there(void **state)
{
    fault_sys f;
    bg_writer w;
    bg_error err;
    char *own = fs_make_folder();
    const char *path = fs_path(own, "out");
    fault_open(&f);
    fs_write_text(path, "old");
    CHECK_FAILS(bg_write_file(&f.sys, path, "new", 3, 0, &err), BG_ERR_FAILED, "exists already", err);
    assert_true(fs_holds(path, "old", 3));
    CHECK_OK(bg_write_file(&f.sys, path, "new", 3, 1, &err), err);
    assert_true(fs_holds(path, "new", 3));
    /* one that appears between begin and commit */
    const char *late = fs_path(own, "late");
    CHECK_OK(bg_writer_begin(&w, &f.sys, late, 0, &err), err);
    fs_write_text(late, "theirs");
    CHECK_FAILS(bg_writer_commit(&w, &err), BG_ERR_FAILED, late, err);
    assert_true(fs_holds(late, "theirs", 6));
    assert_int_equal(fs_count(own), 2);
    CHECK_FAILS(bg_write_file(&f.sys, own, "x", 1, 1, &err), BG_ERR_IO, "is a folder", err);
    CHECK_FAILS(bg_write_file(&f.sys, fs_path(own, "no/such"), "x", 1, 1, &err), BG_ERR_IO, "no/such", err);
    CHECK_FAILS(bg_write_file(&f.sys, fs_path(own, "out/x"), "x", 1, 1, &err), BG_ERR_IO, "out/x", err);
    assert_true(fault_clean(&f));
    fs_remove_folder(own);
}

/* Names of temporary files that are taken are passed over; a hundred are too many. */
static void write_finds_a_name(void **state)
{
    bg_error err;
    char *own = fs_make_folder(), name[64];
    for (int n = 0; n < 100; n++) {
        snprintf(name, sizeof name, "out.tmp-%ld-%d", (long)getpid(), n);
        fs_write_text(fs_path(own, name), "taken");
        if (n == 98)
            CHECK_OK(bg_write_file(bg_sys_default(), fs_path(own, "out"), "x", 1, 1, &err), err);
    }
    CHECK_FAILS(bg_write_file(bg_sys_default(), fs_path(own, "out"), "y", 1, 1, &err), BG_ERR_IO, "cannot create", err);
    assert_true(fs_holds(fs_path(own, "out"), "x", 1));
    assert_true(fs_holds(fs_path(own, name), "taken", 5));
    fs_remove_folder(own);
}

/* The longest name that a folder takes leaves no room for a suffix. */
static void write_long_name(void **state)
{
    bg_error err;
    char *own = fs_make_folder(), name[256];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK_OK(bg_write_file(bg_sys_default(), fs_path(own, name), "x", 1, 0, &err), err);
    assert_true(fs_holds(fs_path(own, name), "x", 1));
    assert_int_equal(fs_count(own), 1);
    fs_remove_folder(own);
}

/* What must hold after a write with one failing call: the old file or the
 * new one, never a mixture; no temporary file unless removing failed too. */
static void check_after_fault(const fault_sys *f, bg_status status, const char *own, const char *path, int forever)
{
    size_t n;
    unsigned char *data = fs_read(path, &n);
    int whole = n == BIG && memcmp(data, big, BIG) == 0, old = n == 3 && memcmp(data, "old", 3) == 0;
    free(data);
    assert_true(whole || old);
    if (status == BG_OK)
        assert_true(whole);
    else /* the new file may be in place only when the rename was done: the sync of the folder failed */
        assert_int_equal(whole, f->renames == 1);
    if (!forever)
        assert_int_equal(fs_count(own), 1);
    assert_true(fault_clean(f));
}

static void write_fails_at_every_call(void **state)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        for (int forever = 0; forever < 2; forever++) {
            uint64_t n = 0, failed = 1;
            for (; failed; n++) {
                fault_sys f;
                bg_error err = { BG_OK, "" };
                char *own = fs_make_folder();
                const char *path = fs_path(own, "out");
                fs_write_text(path, "old");
                fault_open(&f);
                f.error = ENOSPC;
                fault_fail(&f, (fault_kind)kind, n, forever);
                bg_status status = bg_write_file(&f.sys, path, big, BIG, 1, &err);
                failed = f.failed[kind];
                if (!failed)
                    assert_int_equal(status, BG_OK);
                else if (kind != FAULT_CLOSE) /* closing the folder tells nothing */
                    assert_int_equal(status, kind == FAULT_ALLOC ? BG_ERR_MEMORY : BG_ERR_IO);
                if (status != BG_OK)
                    assert_non_null(strstr(err.text, "out"));
                check_after_fault(&f, status, own, path, forever);
                fs_remove_folder(own);
            }
            assert_true(n > 2);
        }
}

/* The first error is the one that every later call tells. */
static void write_error_is_kept(void **state)
{
    fault_sys f;
    bg_writer w;
    bg_error err;
    char *own = fs_make_folder();
    fault_open(&f);
    CHECK_OK(bg_writer_begin(&w, &f.sys, fs_path(own, "out"), 0, &err), err);
    f.error = ENOSPC;
    fault_fail(&f, FAULT_FILES, 0, 0);
    assert_int_equal(bg_writer_put(&w, big, BIG, NULL), BG_ERR_IO);
    f.error = EIO;
    CHECK_FAILS(bg_writer_put(&w, big, 1, &err), BG_ERR_IO, strerror(ENOSPC), err);
    CHECK_FAILS(bg_writer_commit(&w, &err), BG_ERR_IO, strerror(ENOSPC), err);
    CHECK_FAILS(bg_writer_commit(&w, &err), BG_ERR_IO, strerror(ENOSPC), err);
    assert_int_equal(fs_count(own), 0);
    assert_true(fault_clean(&f));
    fs_remove_folder(own);
}

/* Not known to be absent is not good enough when nothing may be replaced. */
static void write_commit_is_careful(void **state)
{
    fault_sys f;
    bg_writer w;
    bg_error err;
    char *own = fs_make_folder();
    const char *path = fs_path(own, "out");
    fault_open(&f);
    CHECK_OK(bg_writer_begin(&w, &f.sys, path, 0, &err), err);
    fs_write_text(path, "theirs");
    fault_fail(&f, FAULT_FILES, 1, 0); /* fsync, then stat */
    CHECK_FAILS(bg_writer_commit(&w, &err), BG_ERR_IO, "out", err);
    assert_string_equal(f.last, "stat");
    assert_true(fs_holds(path, "theirs", 6));
    fs_remove_folder(own);
}

static void write_devices(void **state)
{
    bg_error err;
    int ends[2];
    char path[64], got[8] = "";
    if (access("/dev/full", W_OK) == 0) {
        CHECK_FAILS(bg_write_file(bg_sys_default(), "/dev/full", "x", 1, 0, &err), BG_ERR_IO, "/dev/full", err);
        assert_non_null(strstr(err.text, strerror(ENOSPC)));
    }
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[1]);
    if (access(path, W_OK) == 0) {
        CHECK_OK(bg_write_file(bg_sys_default(), path, "pipe", 4, 0, &err), err);
        assert_int_equal(read(ends[0], got, sizeof got), 4);
        assert_memory_equal(got, "pipe", 4);
    }
    close(ends[0]);
    close(ends[1]);
    const char *fifo = fs_path(folder, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int fd = open(fifo, O_RDWR); /* so that opening does not wait */
    CHECK_OK(bg_write_file(bg_sys_default(), fifo, "fifo", 4, 0, &err), err);
    assert_int_equal(read(fd, got, sizeof got), 4);
    close(fd);
    struct stat s;
    assert_int_equal(stat(fifo, &s), 0);
    assert_true(S_ISFIFO(s.st_mode)); /* written to, not replaced */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_whole), cmocka_unit_test(read_refuses), cmocka_unit_test(read_without_size),
        cmocka_unit_test(read_part), cmocka_unit_test(read_fails_at_every_call),
        cmocka_unit_test(folders), cmocka_unit_test(same_file),
        cmocka_unit_test(write_whole), cmocka_unit_test(write_abandoned),
        cmocka_unit_test(write_keeps_what_is_there), cmocka_unit_test(write_finds_a_name), cmocka_unit_test(write_long_name),
        cmocka_unit_test(write_fails_at_every_call), cmocka_unit_test(write_error_is_kept),
        cmocka_unit_test(write_commit_is_careful), cmocka_unit_test(write_devices),
    };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
