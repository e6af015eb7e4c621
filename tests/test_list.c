/* What the user names becomes a list of files, of pairs, of labelled files;
 * and opening a data set and reading from it with every call failing in turn. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "data/dataset.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

static bg_error err;
static char text[8192]; /* what callbacks gathered, a line each */

static void gather(void *ctx, const char *line)
{
    size_t n = strlen(text), skipped = ctx && strncmp(line, ctx, strlen(ctx)) == 0 ? strlen(ctx) + 1 : 0;
    snprintf(text + n, sizeof text - n, "%s;", line + skipped);
}

/* The list of paths below `folder`, their folder left out. */
static const char *list(char *folder, const char *const *paths, size_t count)
{
    text[0] = 0;
    CHECK_OK(bg_list_files(bg_sys_default(), paths, count, NULL, gather, folder, &err), err);
    return text;
}

static void touch(const char *folder, const char *name, size_t size)
{
    char *data = calloc(1, size + 1);
    memset(data, 'x', size);
    fs_write(fs_path(folder, name), data, size);
    free(data);
}

static uint64_t all_bytes(const bg_dataset *d)
{
    uint64_t n = 0;
    for (size_t i = 0; i < d->item_count; i++)
        n += bg_item_bytes(d, i);
    return n;
}

/* --- lists ------------------------------------------------------------------- */

static void walks(void **state)
{
    char *folder = fs_make_folder();
    static const char *const names[] = { "b.txt", "a/z", "a/b/c.txt", "a-b", "a/.hidden", ".git/x", "a/manifest.tsv", "manifest.part", "B.txt", "\xC3\xA4" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        touch(folder, names[i], 1);
    assert_int_equal(mkdir(fs_path(folder, "empty"), 0700), 0);
    const char *paths[] = { folder };
    assert_string_equal(list(folder, paths, 1), "B.txt;a-b;a/b/c.txt;a/z;b.txt;\xC3\xA4;");
    /* the same things again, in other ways */
    const char *twice[] = { fs_path(folder, "b.txt"), fs_path(folder, "a/"), fs_path(folder, "a/z"), fs_path(folder, "b.txt") };
    assert_string_equal(list(folder, twice, 4), "a/b/c.txt;a/z;b.txt;");
    const char *hidden[] = { fs_path(folder, "a/.hidden") }; /* named, so meant */
    assert_string_equal(list(folder, hidden, 1), "a/.hidden;");
    fs_remove_folder(folder);
}

static void links_and_others(void **state)
{
    char *folder = fs_make_folder();
    touch(folder, "real/file", 5);
    assert_int_equal(symlink("real/file", fs_path(folder, "link")), 0);
    assert_int_equal(symlink("real", fs_path(folder, "folder-link")), 0);
    assert_int_equal(symlink("..", fs_path(folder, "real/loop")), 0);
    assert_int_equal(symlink("nowhere", fs_path(folder, "broken")), 0);
    assert_int_equal(mkfifo(fs_path(folder, "fifo"), 0600), 0);
    const char *paths[] = { folder };
    assert_string_equal(list(folder, paths, 1), "link;real/file;");
    const char *named[] = { fs_path(folder, "folder-link") }; /* named, so followed */
    assert_string_equal(list(folder, named, 1), "folder-link/file;");
    const char *fifo[] = { fs_path(folder, "fifo") };
    CHECK_FAILS(bg_list_files(bg_sys_default(), fifo, 1, NULL, gather, NULL, &err), BG_ERR_NOT_FOUND, "fifo", err);
    bg_dataset d;
    bg_dataset_options o = { .P = 4, .N = 4, .notice = gather };
    text[0] = 0;
    CHECK_OK(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), err);
    assert_non_null(strstr(text, "4 entries were left out")); /* folder-link, real/loop, broken, fifo */
    assert_int_equal(all_bytes(&d), 10);
    bg_dataset_close(&d);
    fs_remove_folder(folder);
}

static void missing(void **state)
{
    char *folder = fs_make_folder();
    const char *paths[] = { fs_path(folder, "none") };
    CHECK_FAILS(bg_list_files(bg_sys_default(), paths, 1, NULL, gather, NULL, &err), BG_ERR_NOT_FOUND, "none", err);
    const char *empty[] = { folder };
    CHECK_FAILS(bg_list_files(bg_sys_default(), empty, 1, NULL, gather, NULL, &err), BG_ERR_NOT_FOUND, folder, err);
    CHECK_FAILS(bg_list_files(bg_sys_default(), empty, 0, NULL, gather, NULL, &err), BG_ERR_ARGUMENT, "no files", err);
    touch(folder, "in/file", 1);
    chmod(fs_path(folder, "in"), 0);
    if (access(fs_path(folder, "in"), R_OK) != 0) /* the super-user may read all */
        CHECK_FAILS(bg_list_files(bg_sys_default(), empty, 1, NULL, gather, NULL, &err), BG_ERR_NOT_FOUND, "in", err);
    fs_remove_folder(folder);
}

static void list_files_of_paths(void **state)
{
    char *folder = fs_make_folder(), lines[4096], at[4096];
    touch(folder, "d/1", 1);
    touch(folder, "d/2", 1);
    touch(folder, "e", 1);
    snprintf(lines, sizeof lines, "%s/e\r\n\n%s/d\n%s/e", folder, folder, folder); /* no line end at last */
    fs_write_text(fs_path(folder, "list.txt"), lines);
    snprintf(at, sizeof at, "@%s/list.txt", folder);
    const char *paths[] = { at };
    assert_string_equal(list(folder, paths, 1), "d/1;d/2;e;");
    snprintf(lines, sizeof lines, "%s/e\n%s/none\n", folder, folder);
    fs_write_text(fs_path(folder, "list.txt"), lines);
    CHECK_FAILS(bg_list_files(bg_sys_default(), paths, 1, NULL, gather, NULL, &err), BG_ERR_NOT_FOUND, "list.txt, line 2: ", err);
    assert_non_null(strstr(err.text, "none"));
    assert_int_equal(bg_list_files(bg_sys_default(), paths, 1, NULL, gather, NULL, NULL), BG_ERR_NOT_FOUND);
    fs_write(fs_path(folder, "list.txt"), "\0", 1);
    CHECK_FAILS(bg_list_files(bg_sys_default(), paths, 1, NULL, gather, NULL, &err), BG_ERR_FORMAT, "zero byte", err);
    fs_write_text(fs_path(folder, "list.txt"), "\n\r\n");
    CHECK_FAILS(bg_list_files(bg_sys_default(), paths, 1, NULL, gather, NULL, &err), BG_ERR_NOT_FOUND, "no files", err);
    const char *absent[] = { "@/no/such/list" };
    CHECK_FAILS(bg_list_files(bg_sys_default(), absent, 1, NULL, gather, NULL, &err), BG_ERR_NOT_FOUND, "/no/such/list", err);
    fs_remove_folder(folder);
}

/* --- pairs ---------------------------------------------------------------------- */

static char *make_pairs(void)
{
    char *folder = fs_make_folder();
    static const struct { const char *name; size_t size; } files[] = {
        { "x.abc", 5 }, { "x.mid", 9 }, { "x.txt", 1 }, { "x-1.abc", 3 }, { "x-1.mid", 4 }, { "sub/x.mid", 8 }, { "sub/x.abc", 0 },
        { "lone.abc", 2 }, { "lone.d.mid", 2 }, { "big.abc", 40 }, { "big.mid", 1 }, { "abc", 1 }, { "mid", 1 },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        touch(folder, files[i].name, files[i].size);
    return folder;
}

static const char *names_of(const bg_dataset *d, const char *folder)
{
    text[0] = 0;
    for (size_t i = 0; i < d->item_count; i++) {
        size_t n = strlen(text), skipped = strlen(folder) + 1;
        snprintf(text + n, sizeof text - n, "%s>%s;", d->files[d->items[i].a].path + skipped, d->files[d->items[i].b].path + skipped);
    }
    return text;
}

static void pairs_are_found(void **state)
{
    char *folder = make_pairs();
    const char *paths[] = { folder };
    bg_dataset d;
    bg_dataset_options o = { .pairs = "abc:mid", .P = 4, .N = 9, .notice = gather };
    text[0] = 0;
    CHECK_OK(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), err);
    assert_non_null(strstr(text, "5 files that belong to no pair"));
    assert_non_null(strstr(text, "1 of 4 pairs were left out"));
    assert_string_equal(names_of(&d, folder), "sub/x.abc>sub/x.mid;x-1.abc>x-1.mid;x.abc>x.mid;");
    assert_int_equal(d.too_long, 1);
    assert_int_equal(all_bytes(&d), 5 + 9 + 3 + 4 + 8 + 0);
    assert_int_equal(bg_item_patches(&d, 2), 1 + 2 + 1 + 3 + 1);
    assert_int_equal(bg_item_windows(&d, 2), 1);
    bg_dataset_close(&d);
    o.pairs = "abc+mid";
    o.loss_target = 1;
    CHECK_OK(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), err);
    assert_string_equal(names_of(&d, folder), "sub/x.abc>sub/x.mid;sub/x.mid>sub/x.abc;x-1.abc>x-1.mid;x-1.mid>x-1.abc;x.abc>x.mid;x.mid>x.abc;");
    assert_int_equal(all_bytes(&d), 5 + 9 + 3 + 4 + 8 + 0);
    assert_int_equal(bg_item_bytes(&d, 4), 9);
    assert_int_equal(bg_item_bytes(&d, 5), 5);
    bg_dataset_close(&d);
    o.N = 8; /* the longest that fitted has 8 patches: exactly the context */
    CHECK_OK(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), err);
    assert_int_equal(d.too_long, 1);
    bg_dataset_close(&d);
    o.N = 7;
    CHECK_OK(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), err);
    assert_int_equal(d.too_long, 2);
    bg_dataset_close(&d);
    o.N = 4;
    CHECK_FAILS(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), BG_ERR_NOT_FOUND, "no pair fits: all 4", err);
    o.pairs = "abc:wav";
    CHECK_FAILS(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), BG_ERR_NOT_FOUND, "no pair", err);
    fs_remove_folder(folder);
}

/* a: start, content, no end patch; then b whole.  For the target alone loss
 * begins behind its start patch. */
static void pairs_as_rows(void **state)
{
    char *folder = fs_make_folder();
    fs_write_text(fs_path(folder, "t.abc"), "ABCDE");
    fs_write_text(fs_path(folder, "t.mid"), "wxyz");
    static const uint16_t S = BG_SPECIAL;
    const uint16_t forth[] = { 'a', 'b', 'c', S, 'A', 'B', 'C', 'D', 'E', S, S, S, 'm', 'i', 'd', S, 'w', 'x', 'y', 'z', S, S, S, S };
    const uint16_t back[] = { 'm', 'i', 'd', S, 'w', 'x', 'y', 'z', 'a', 'b', 'c', S, 'A', 'B', 'C', 'D', 'E', S, S, S, S, S, S, S };
    const char *paths[] = { folder };
    for (int target = 0; target < 2; target++) {
        bg_dataset d;
        bg_batch b;
        uint64_t bytes;
        bg_dataset_options o = { .pairs = "abc+mid", .P = 4, .N = 6, .loss_target = target };
        CHECK_OK(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), err);
        CHECK_OK(bg_batch_open(&b, bg_sys_default(), 4, 4, 24, &err), err);
        CHECK_OK(bg_dataset_add(&d, &b, 0, 1, 0, &bytes, &err), err);
        assert_int_equal(bytes, target ? 4 : 9);
        CHECK_OK(bg_dataset_add(&d, &b, 1, 1, 0, &bytes, &err), err);
        assert_int_equal(bytes, target ? 5 : 9);
        CHECK_OK(bg_dataset_add_window(&d, &b, 0, 0, &err), err);
        assert_int_equal(b.rows, 18);
        assert_memory_equal(b.tokens, forth, sizeof forth);
        assert_memory_equal(b.tokens + 24, back, sizeof back);
        assert_memory_equal(b.tokens + 48, forth, sizeof forth);
        const uint32_t all[] = { 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17 }, only[] = { 4, 5, 9, 10, 11, 16, 17 };
        assert_int_equal(b.targets, target ? 7 : 15);
        assert_memory_equal(b.target, target ? only : all, target ? sizeof only : sizeof all);
        bg_batch_close(&b);
        bg_dataset_close(&d);
    }
    fs_remove_folder(folder);
}

/* --- labels ----------------------------------------------------------------------- */

static void labels(void **state)
{
    char *folder = fs_make_folder();
    static const char *const names[] = { "Sports_1.txt", "sub/Business_2.txt", "World.txt", "Business_1_x.txt", "plain", "Sports_1.md", "odd.e_x" };
    static const char *const classes[] = { "Business.txt", "Sports.md", "Sports.txt", "World.txt", "odd.e_x", "plain" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        touch(folder, names[i], 1);
    const char *paths[] = { folder };
    bg_dataset d, e;
    bg_dataset_options o = { .P = 4, .N = 4, .labelled = 1 };
    CHECK_OK(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), err);
    assert_int_equal(d.labels.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(d.labels.names[i], classes[i]);
    const char *one[] = { fs_path(folder, "sub"), fs_path(folder, "Sports_1.txt") };
    o.labels = &d.labels;
    CHECK_OK(bg_dataset_open(&e, bg_sys_default(), one, 2, &o, &err), err);
    assert_int_equal(e.labels.count, 6);
    assert_int_equal(e.items[0].label, 2); /* Sports.txt */
    assert_int_equal(e.items[1].label, 0); /* Business.txt */
    bg_batch b;
    CHECK_OK(bg_batch_open(&b, bg_sys_default(), 4, 1, 4, &err), err);
    CHECK_OK(bg_dataset_add_window(&e, &b, 0, 0, &err), err);
    assert_int_equal(b.label[0], 2);
    bg_batch_close(&b);
    bg_dataset_close(&e);
    /* a map in an order of its own keeps it */
    char *own[] = { (char *)"Sports.txt", (char *)"Business.txt" };
    bg_labels given = { own, 2 };
    o.labels = &given;
    CHECK_OK(bg_dataset_open(&e, bg_sys_default(), one, 2, &o, &err), err);
    assert_int_equal(e.items[0].label, 0);
    assert_int_equal(e.items[1].label, 1);
    bg_dataset_close(&e);
    CHECK_FAILS(bg_dataset_open(&e, bg_sys_default(), paths, 1, &o, &err), BG_ERR_FORMAT, "is not among the model's 2", err);
    bg_dataset_close(&d);
    fs_remove_folder(folder);
}

/* --- faults ------------------------------------------------------------------------- */

/* Everything a data set does with the system. */
static bg_status use(const bg_sys *sys, const char *const *paths, const bg_dataset_options *o)
{
    bg_dataset d;
    bg_batch b = { 0 };
    uint64_t bytes;
    bg_status status = bg_dataset_open(&d, sys, paths, 2, o, &err);
    if (status == BG_OK)
        status = bg_batch_open(&b, sys, o->P, 4, 4 * o->N, &err);
    for (size_t i = 0; i < 4 && status == BG_OK; i++)
        status = bg_dataset_add(&d, &b, bg_dataset_index(&d, 1, i), 1, i, &bytes, &err);
    bg_batch_close(&b);
    bg_dataset_close(&d);
    return status;
}

static void fails_at_every_call(void **state)
{
    char *folder = make_pairs(), at[4096];
    snprintf(at, sizeof at, "@%s/l", folder);
    fs_write_text(fs_path(folder, "l"), fs_path(folder, "x.abc"));
    const char *paths[] = { folder, at };
    const bg_dataset_options sets[] = { { .pairs = "abc+mid", .P = 4, .N = 9 }, { .labelled = 1, .P = 4, .N = 4 } };
    for (int kind = FAULT_ALLOC; kind <= FAULT_FILES; kind++)
        for (int way = 0; way < 4; way++) {
            uint64_t n = 0, failed = 1;
            for (; failed; n++) {
                fault_sys f;
                fault_open(&f);
                f.short_transfer = 3;
                f.interrupt_every = 2;
                fault_fail(&f, (fault_kind)kind, n, way & 1);
                bg_status status = use(&f.sys, paths, &sets[way / 2]);
                failed = f.failed[kind];
                if (status != (!failed ? BG_OK : kind == FAULT_ALLOC ? BG_ERR_MEMORY : BG_ERR_IO))
                    fail_msg("call %llu (%s): %d, %s", (unsigned long long)n, f.last, (int)status, err.text);
                assert_true(fault_clean(&f));
            }
            assert_true(n > 10);
        }
    fs_remove_folder(folder);
}

/* A folder that may be listed but not entered: stat of an entry is refused. */
static void entries_that_cannot_be_asked(void **state)
{
    char *folder = fs_make_folder();
    touch(folder, "file", 1);
    const char *paths[] = { folder };
    fault_sys f;
    uint64_t n = 0;
    do { /* call 0 is the folder's own stat; the next stat is the entry's */
        assert_true(++n < 10);
        fault_open(&f);
        f.error = EACCES;
        fault_fail(&f, FAULT_FILES, n, 0);
        bg_list_files(&f.sys, paths, 1, NULL, gather, NULL, &err);
    } while (strcmp(f.last, "stat") != 0);
    assert_int_equal(err.code, BG_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "/file"));
    assert_true(fault_clean(&f));
    fs_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks), cmocka_unit_test(links_and_others), cmocka_unit_test(missing),
        cmocka_unit_test(list_files_of_paths), cmocka_unit_test(pairs_are_found), cmocka_unit_test(pairs_as_rows),
        cmocka_unit_test(labels), cmocka_unit_test(fails_at_every_call), cmocka_unit_test(entries_that_cannot_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
