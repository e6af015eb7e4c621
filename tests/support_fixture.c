/* See support_fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support_fixture.h"

const char *fixture_path(const fixture *f, const char *name)
{
    static char path[2048];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

uint8_t *fixture_slurp(const char *path, size_t *size)
{
    bg_error err;
    uint8_t *data;
    if (bg_read_file(bg_sys_default(), path, 1 << 30, &data, size, &err) != BG_OK)
        fail_msg("%s", err.text);
    return data;
}

const char *fixture_extension(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : "";
}

static int open_folder(fixture *f, const char *name)
{
    const char *source = getenv("BGPT_SOURCE");
    const char *const roots[] = { "tests/fixtures", "../shared/reference" };
    f->name = name;
    for (size_t i = 0; i < 2; i++) {
        snprintf(f->folder, sizeof f->folder, "%s/%s/%s", source ? source : ".", roots[i], name);
        if (bg_exists(bg_sys_default(), fixture_path(f, "expected.json")))
            return 1;
    }
    return 0;
}

void fixture_open_model(fixture *f, bg_isa isa, const char *file)
{
    bg_error err;
    bg_st_file st;
    bg_config c;
    if (bg_st_open(&st, bg_sys_default(), fixture_path(f, file), &err) != BG_OK || bg_file_config(&c, &st, &err) != BG_OK)
        fail_msg("%s", err.text);
    bg_st_close(&st);
    const bg_limits limits = bg_config_limits(&c);
    if (bg_pool_open(&f->pool, bg_sys_default(), 2, &err) != BG_OK ||
        bg_cpu_open(&f->be, bg_sys_default(), f->pool, isa, 0, &limits, &err) != BG_OK ||
        bg_model_load(&f->model, fixture_path(f, file), f->be, 1, NULL, &err) != BG_OK ||
        bg_batch_open(&f->batch, bg_sys_default(), c.patch_size, 16, 16 * c.patches, &err) != BG_OK ||
        bg_model_reserve(f->model, 16 * c.patches, 16, 48, &err) != BG_OK)
        fail_msg("%s", err.text);
}

void fixture_close_model(fixture *f)
{
    bg_batch_close(&f->batch);
    bg_model_close(f->model);
    bg_backend_close(f->be);
    bg_pool_close(f->pool);
}

void fixture_close(fixture *f)
{
    fixture_close_model(f);
    bg_st_close(&f->tensors);
    json_decref(f->expected);
}

void fixture_open(fixture *f, const fixture_case *c)
{
    bg_error err;
    json_error_t why;
    memset(f, 0, sizeof *f);
    if (!bg_isa_present(c->isa)) {
        print_message("  SKIP: this machine has no %s\n", bg_isa_name(c->isa));
        skip();
    }
    if (!open_folder(f, c->fixture)) {
        if (getenv("BGPT_TEST_REQUIRE"))
            fail_msg("fixture %s is not here, and BGPT_TEST_REQUIRE wants it", c->fixture);
        print_message("  SKIP: fixture %s is not here (BGPT_TEST_REQUIRE=1 makes this a failure)\n", c->fixture);
        skip();
    }
    f->expected = json_load_file(fixture_path(f, "expected.json"), 0, &why);
    assert_non_null(f->expected);
    if (bg_st_open(&f->tensors, bg_sys_default(), fixture_path(f, "expected.safetensors"), &err) != BG_OK)
        fail_msg("%s", err.text);
    fixture_open_model(f, c->isa, "model.safetensors");
    if (f->be->isa != c->isa) {
        print_message("  SKIP: fp32 at %s is that of %s\n", bg_isa_name(c->isa), bg_isa_name(f->be->isa));
        fixture_close(f);
        skip();
    }
}

int fixture_run(const char *group, const fixture_check *checks, size_t count)
{
    static const char *const fixtures[] = { "micro", "tiny", "small" };
    enum { FIXTURES = 3 };
    static fixture_case cases[BG_ISA_COUNT * FIXTURES];
    static struct CMUnitTest tests[BG_ISA_COUNT * FIXTURES * FIXTURE_CHECKS];
    static char names[BG_ISA_COUNT * FIXTURES * FIXTURE_CHECKS][64];
    size_t n = 0;
    assert_true(count <= FIXTURE_CHECKS);
    for (int isa = 0; isa < BG_ISA_COUNT; isa++)
        for (size_t i = 0; i < FIXTURES; i++) {
            fixture_case *c = &cases[isa * FIXTURES + i];
            *c = (fixture_case){ (bg_isa)isa, fixtures[i] };
            for (size_t k = 0; k < count; k++, n++) {
                snprintf(names[n], sizeof names[n], "%s, %s, %s", bg_isa_name((bg_isa)isa), fixtures[i], checks[k].name);
                tests[n] = (struct CMUnitTest){ names[n], checks[k].run, NULL, NULL, c };
            }
        }
    cmocka_set_test_filter(getenv("BGPT_TEST_FILTER"));
    return _cmocka_run_group_tests(group, tests, n, NULL, NULL);
}
