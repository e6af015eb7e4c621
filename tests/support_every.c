/* See support_every.h. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support_check.h"
#include "tests/support_every.h"

/* Remove files written aside and left there; how many there were. */
static int remove_temps(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strstr(e->d_name, ".tmp-")) {
            n++;
            unlink(fs_path(folder, e->d_name));
        }
    closedir(d);
    return n;
}

static void check_run(const fault_sys *f, fault_kind kind, bg_status s, const bg_error *err, unsigned long long n)
{
    if (!fault_clean(f))
        fail_msg("leak after failing call %llu (%s)", n, f->last);
    if (s == BG_OK && kind == FAULT_ALLOC)
        fail_msg("allocation %llu failed and nothing was said", n);
    if (s != BG_OK && (err->code != s || !err->text[0]))
        fail_msg("status %d without a sentence after failing call %llu (%s)", (int)s, n, f->last);
    if (kind == FAULT_ALLOC && s != BG_ERR_MEMORY)
        fail_msg("allocation %llu failed, told as %d: %s", n, (int)s, err->text);
}

uint64_t every_call_fails(const char *folder, fault_kind kind, every_fn *work, every_fn *intact, void *ctx)
{
    uint64_t runs = 0;
    for (int forever = 0; forever < 2; forever++)
        for (uint64_t n = 0;; n++, runs++) {
            fault_sys f;
            bg_error err = { 0 };
            fault_open(&f);
            fault_fail(&f, kind, n, forever);
            const bg_status s = work(&f.sys, ctx, &err);
            if (!f.failed[kind]) {
                CHECK_OK(s, err);
                assert_true(fault_clean(&f));
                break;
            }
            check_run(&f, kind, s, &err, n);
            if (folder && remove_temps(folder) && strcmp(f.last, "unlink") != 0)
                fail_msg("a file aside was left behind after failing call %llu (%s)", (unsigned long long)n, f.last);
            if (intact)
                CHECK_OK(intact(bg_sys_default(), ctx, &err), err);
        }
    return runs;
}
