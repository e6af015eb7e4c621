/* Everything may fail: each allocation and each file call of opening,
 * generating, evaluating, converting, training and resuming, once and for
 * ever.  The status and the sentence must be right, nothing may leak, old
 * files must stay, and a run must still be completable to the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support_run.h"

static char *folder;
static char model_path[512];
static const bgpt_options plain = { .threads = 1, .precision = BGPT_FP32 };

static const char *in(const char *name) { return fs_path(folder, name); }

/* The smallest model there can be: a thousand runs are made of it. */
static void prepare_small(run_setup *r, const char *out)
{
    run_prepare(r, folder, out);
    r->train.config.patch_size = 2;
    r->train.config.match = 1;
    r->train.config.rotary = 1;
    r->train.config.conv = 2;
}

static int set_up(void **state)
{
    static run_setup r;
    folder = fs_make_folder();
    run_write_data(folder);
    fs_write_text(in("short/t.aa"), "abc"); /* the context holds 32 bytes */
    fs_write_text(in("short/t.bb"), "cba");
    prepare_small(&r, "run");
    snprintf(model_path, sizeof model_path, "%s", in("run/model.safetensors"));
    return run_train(&r, BGPT_OK, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    fs_remove_folder(folder);
    return 0;
}

/* --- the jobs ------------------------------------------------------------------------------------ */

enum { ROOM = 256 };
typedef struct output { uint8_t data[ROOM]; size_t n; } output;

static int collect(void *ctx, const uint8_t *data, size_t n)
{
    output *o = ctx;
    assert_true(o->n + n <= ROOM);
    memcpy(o->data + o->n, data, n);
    o->n += n;
    return 0;
}

typedef bgpt_status job(const bgpt_options *opt, bgpt_error *err);

static bgpt_status job_open(const bgpt_options *opt, bgpt_error *err)
{
    bgpt_model *m;
    bgpt_status s = bgpt_open(&m, model_path, opt, err);
    bgpt_close(m);
    return s;
}

/* Three steps, an evaluation, a best model, a checkpoint, in the place of an older run. */
static void prepare_faulty(run_setup *r, const char *out)
{
    prepare_small(r, out);
    snprintf(r->paths[1], sizeof r->paths[1], "%s/short", folder);
    r->train.validation = (bgpt_data){ .paths = r->validation, .count = 1 };
    r->train.overwrite = 1;
    r->train.steps = 3;
}

static bgpt_status job_train(const bgpt_options *opt, bgpt_error *err)
{
    static run_setup r;
    prepare_faulty(&r, "faulty");
    return bgpt_train_run(&r.train, opt, err);
}

static bgpt_status job_resume(const bgpt_options *opt, bgpt_error *err)
{
    static run_setup r;
    prepare_small(&r, "resumed");
    r.train.resume = 1;
    return bgpt_train_run(&r.train, opt, err);
}

static bgpt_status job_generate(const bgpt_options *opt, bgpt_error *err)
{
    static output out[3];
    bgpt_request r[3] = { { .extension = "txt" }, { .extension = "abc" }, { .extension = "txt", .prompt = (const uint8_t *)"do re", .prompt_size = 5 } };
    bgpt_model *m;
    bgpt_status s = bgpt_open(&m, model_path, opt, err);
    if (s != BGPT_OK)
        return s;
    for (size_t i = 0; i < 3; i++) {
        out[i].n = 0;
        r[i].stream = i;
        r[i].bytes = collect;
        r[i].ctx = &out[i];
    }
    s = bgpt_generate(m, r, 3, &(bgpt_sampling){ .seed = 1 }, err);
    bgpt_close(m);
    return s;
}

static bgpt_status job_convert(const bgpt_options *opt, bgpt_error *err)
{
    static output out;
    uint8_t *data;
    size_t size;
    bgpt_model *m;
    bgpt_status s = bgpt_open(&m, model_path, opt, err);
    if (s != BGPT_OK)
        return s;
    s = bgpt_read_file(in("short/t.aa"), 0, &data, &size, opt, err);
    if (s == BGPT_OK) {
        bgpt_request r = { .extension = "bb", .input = data, .input_size = size, .input_extension = "aa", .bytes = collect, .ctx = &out };
        out.n = 0;
        s = bgpt_generate(m, &r, 1, &(bgpt_sampling){ .greedy = 1 }, err);
        if (s == BGPT_OK)
            s = bgpt_write_file(in("converted.bb"), out.data, out.n, 1, opt, err);
        bgpt_free_data(data, opt);
    }
    bgpt_close(m);
    return s;
}

static void ignore_score(void *ctx, const bgpt_score *s) {}

static bgpt_status job_evaluate(const bgpt_options *opt, bgpt_error *err)
{
    const char *data[1] = { in("short") };
    bgpt_eval e = { .data = { .paths = data, .count = 1, .pairs = "aa+bb" }, .file = ignore_score };
    bgpt_model *m;
    bgpt_status s = bgpt_open(&m, model_path, opt, err);
    if (s == BGPT_OK)
        s = bgpt_evaluate(m, &e, NULL, NULL, NULL, err);
    bgpt_close(m);
    return s;
}

typedef struct fault_job {
    const char *name;
    job *run;
    void (*before)(void);     /* each time, or NULL */
    int (*unharmed)(void);    /* are old files as they were, or new ones whole? */
    unsigned check_every;     /* failing calls between two such checks: some take longer than the job */
    unsigned stride;          /* 1: every call fails once; more: every so many-th, where that would take too long */
    int may_survive;          /* a failure may be got over: an older checkpoint, a file that need not be removed */
} fault_job;

/* One failing call: status and sentence right, nothing leaks.  Returns 0 when n lies beyond the last call. */
static int fail_one(const fault_job *j, fault_kind kind, uint64_t n, int forever)
{
    fault_sys f;
    bgpt_error err = { BGPT_OK, "" };
    fault_open(&f);
    bgpt_hooks hooks = run_hooks(&f);
    bgpt_options opt = plain;
    opt.hooks = &hooks;
    if (j->before)
        j->before();
    fault_fail(&f, kind, n, forever);
    bgpt_status s = j->run(&opt, &err);
    int good = fault_clean(&f) && (n / j->stride % j->check_every || j->unharmed());
    if (!f.failed[kind])
        good &= s == BGPT_OK;
    else if (s == BGPT_OK)
        good &= kind == FAULT_FILES && j->may_survive;
    else if (kind == FAULT_ALLOC)
        good &= s == BGPT_ERR_MEMORY && err.code == s && err.text[0] != 0;
    else
        good &= (s == BGPT_ERR_IO || s == BGPT_ERR_NOT_FOUND) && err.code == s && err.text[0] != 0;
    if (!good)
        fail_msg("%s, %s call %d failing %s (%s): status %d, \"%s\"", j->name, kind == FAULT_ALLOC ? "allocation" : "file", (int)n,
                 forever ? "for ever" : "once", f.last ? f.last : "none", (int)s, err.text);
    return f.failed[kind] != 0;
}

static void fail_every(const fault_job *j)
{
    uint64_t n = 0;
    for (int kind = FAULT_ALLOC; kind <= FAULT_FILES; kind++) {
        for (int forever = 0; forever < 2; forever++)
            for (n = 0; fail_one(j, (fault_kind)kind, n, forever); n += j->stride)
                ;
        print_message("  %s: %d %s\n", j->name, (int)n, kind == FAULT_ALLOC ? "allocations" : "file calls");
        assert_true(n > 3);
    }
}

static int model_is_sound(const char *path)
{
    bgpt_model *m;
    bgpt_error err;
    if (bgpt_open(&m, path, &plain, &err) != BGPT_OK) {
        printf("%s\n", err.text);
        return 0;
    }
    bgpt_close(m);
    return 1;
}

static int no_harm(void) { return model_is_sound(model_path); }

/* Half-written files stay behind where even removing failed; the next run
 * removes them, and here they would add up. */
static void before_train(void) { run_remove(folder, "faulty", ".tmp-"); }

/* Without faults the run can be completed, and is then the same as ever. */
static int train_is_sound(void)
{
    static run_setup r;
    char expected[512];
    prepare_faulty(&r, "faulty");
    r.train.overwrite = 0;
    r.train.resume = 1;
    snprintf(expected, sizeof expected, "%s", in("faultless"));
    return run_train(&r, BGPT_OK, NULL) && run_same_run(expected, in("faulty"), 3);
}

static void before_resume(void)
{
    static const char *const names[] = { "config.json", "log.jsonl", "checkpoint-2.safetensors", "checkpoint-3.safetensors" };
    char from[512], to[512];
    run_remove(folder, "resumed", "");
    for (size_t i = 0; i < 4; i++) {
        snprintf(from, sizeof from, "%s/%s", in("stopped"), names[i]);
        snprintf(to, sizeof to, "%s/%s", in("resumed"), names[i]);
        run_copy(from, to);
    }
}

static int resume_is_sound(void)
{
    static run_setup r;
    char expected[512];
    prepare_small(&r, "resumed");
    r.train.resume = 1;
    snprintf(expected, sizeof expected, "%s", in("straight"));
    return run_train(&r, BGPT_OK, NULL) && run_same_run(expected, in("resumed"), 6);
}

static char converted[ROOM];
static size_t converted_size;

static void before_convert(void)
{
    run_remove(folder, ".", ".tmp-");
    fs_write_text(in("converted.bb"), "the old one");
}

static int convert_is_whole(void)
{
    size_t n;
    unsigned char *data = fs_read(in("converted.bb"), &n);
    int old = data && n == 11 && memcmp(data, "the old one", 11) == 0;
    int new = data && n == converted_size && memcmp(data, converted, n) == 0;
    free(data);
    return old || new;
}

static void test_open_fails(void **state) { fail_every(&(fault_job){ "open", job_open, NULL, no_harm, 8, 1, 0 }); }
static void test_generate_fails(void **state) { fail_every(&(fault_job){ "generate", job_generate, NULL, no_harm, 8, 1, 0 }); }
static void test_evaluate_fails(void **state) { fail_every(&(fault_job){ "evaluate", job_evaluate, NULL, no_harm, 8, 1, 0 }); }

static void test_train_fails(void **state)
{
    static run_setup r;
    prepare_faulty(&r, "faultless");
    assert_true(run_train(&r, BGPT_OK, NULL));
    fail_every(&(fault_job){ "train", job_train, before_train, train_is_sound, 5, 1, 1 });
}

static void test_convert_fails(void **state)
{
    bgpt_error err;
    size_t n;
    if (job_convert(&plain, &err) != BGPT_OK)
        fail_msg("%s", err.text);
    unsigned char *data = fs_read(in("converted.bb"), &n);
    memcpy(converted, data, converted_size = n);
    free(data);
    fail_every(&(fault_job){ "convert", job_convert, before_convert, convert_is_whole, 1, 1, 1 });
}

static void test_resume_fails(void **state)
{
    static run_setup r;
    prepare_small(&r, "straight");
    assert_true(run_train(&r, BGPT_OK, NULL));
    prepare_small(&r, "stopped");
    for (r.stop_at = 2; r.stop_at <= 3; r.stop_at++) {
        assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
        r.train.resume = 1;
    }
    fail_every(&(fault_job){ "resume", job_resume, before_resume, resume_is_sound, 5, 7, 1 });
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_open_fails), TEST(test_generate_fails), TEST(test_evaluate_fails), TEST(test_convert_fails),
        TEST(test_train_fails), TEST(test_resume_fails),
    };
    /* patterns of names, so that two processes can share the work; NULL: all, none */
    cmocka_set_test_filter(getenv("BGPT_TEST_FILTER"));
    cmocka_set_skip_filter(getenv("BGPT_TEST_SKIP"));
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
