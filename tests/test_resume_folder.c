/* The folder of a run: how many checkpoints stay in it, and that no run is
 * lost by mistake: what would go on with other data, another model or
 * settings, replace a run, or write beside another process is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support_run.h"

static void test_keep(void **state)
{
    run_setup r;
    run_prepare_long(&r, run_folder, "keep");
    r.train.save_every = 1e-9; /* every step */
    r.train.keep = 3;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_equal(fs_count(run_in("keep")), 3 + 4); /* and model, log, settings, lock */
    for (unsigned step = 10; step <= 12; step++) {
        char name[64];
        snprintf(name, sizeof name, "keep/checkpoint-%u.safetensors", step);
        assert_int_equal(access(run_in(name), F_OK), 0);
    }
}

static void test_other_data_refused(void **state)
{
    run_setup r;
    bgpt_error err;
    run_prepare_long(&r, run_folder, "other");
    r.stop_at = 2;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    r.train.resume = 1;
    r.data[0] = r.paths[1];
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "the data is not that of the run"));
    r.data[0] = r.paths[0];
    r.validation[0] = r.paths[0];
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "the validation data is not that of the run"));
    r.train.data.count = r.train.validation.count = 0; /* as stored */
    r.stop_at = 0;
    assert_true(run_train(&r, BGPT_OK, &err));
}

static void test_existing_run(void **state)
{
    char whole[512];
    run_setup r;
    bgpt_error err;
    run_whole();
    run_prepare_long(&r, run_folder, "twice");
    r.train.seed = 99;
    assert_true(run_train(&r, BGPT_OK, &err));
    r.train.seed = 7;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "holds a run already"));
    r.train.overwrite = 1;
    r.train.init = run_in("twice/model.safetensors");
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "lies in the run folder"));
    r.train.init = NULL;
    assert_true(run_train(&r, BGPT_OK, &err));
    snprintf(whole, sizeof whole, "%s", run_in("whole"));
    assert_true(run_same_run(whole, run_in("twice"), 12));
}

/* In "whole" a run, in `folder` one at another rate, stopped at its second step. */
static void stop_another_run(run_setup *r, const char *folder)
{
    run_whole();
    run_prepare_long(r, run_folder, folder);
    r->train.lr = 0.5e-3;
    r->stop_at = 2;
    assert_true(run_train(r, BGPT_ERR_INTERRUPTED, NULL));
}

/* A checkpoint and settings of different runs in one folder. */
static void test_mixed_runs_refused(void **state)
{
    run_setup r;
    bgpt_error err;
    stop_another_run(&r, "mixed");
    run_copy(run_in("whole/config.json"), run_in("mixed/config.json"));
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "is not of the run"));
    assert_int_equal(access(run_in("mixed/checkpoint-2.safetensors"), F_OK), 0);
}

/* A replacement that was killed before the old checkpoints were gone: the new
 * run starts, with the bits it would have had. */
static void test_killed_replacement(void **state)
{
    run_setup r;
    char whole[512];
    stop_another_run(&r, "taken");
    run_copy(run_in("whole/config.json"), run_in("taken/config.json.new"));
    r.train.resume = 1;
    r.stop_at = 0;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_not_equal(access(run_in("taken/checkpoint-2.safetensors"), F_OK), 0);
    assert_int_not_equal(access(run_in("taken/config.json.new"), F_OK), 0);
    snprintf(whole, sizeof whole, "%s", run_in("whole"));
    assert_true(run_same_run(whole, run_in("taken"), 12));
}

/* Files that no run of ours wrote are not replaced without a word. */
static void test_foreign_model_kept(void **state)
{
    run_setup r;
    bgpt_error err;
    fs_write_text(run_in("foreign/model.safetensors"), "somebody's");
    run_prepare(&r, run_folder, "foreign");
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "holds a run already"));
}

/* Two processes must not write one run. */
static void test_locked(void **state)
{
    run_setup r;
    bgpt_error err;
    run_prepare(&r, run_folder, "locked");
    assert_true(run_train(&r, BGPT_OK, NULL));
    const int fd = open(run_in("locked/lock"), O_RDWR);
    assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "another process"));
    close(fd);
    assert_true(run_train(&r, BGPT_OK, NULL));
}

/* The model of a finished run comes back from its last checkpoint. */
static void test_lost_model(void **state)
{
    run_setup r;
    run_prepare(&r, run_folder, "modelless");
    assert_true(run_train(&r, BGPT_OK, NULL));
    run_copy(run_in("modelless/model.safetensors"), run_in("kept-model"));
    assert_int_equal(unlink(run_in("modelless/model.safetensors")), 0);
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_OK, NULL));
    char kept[512];
    snprintf(kept, sizeof kept, "%s", run_in("kept-model"));
    assert_true(run_same_file(kept, run_in("modelless/model.safetensors")));
}

/* A run folder below its data is no data. */
static void test_run_below_data(void **state)
{
    run_setup r;
    bgpt_error err;
    char below[480];
    fs_write_text(run_in("nest/a.txt"), "one file of the data");
    fs_write_text(run_in("nest/b.txt"), "and another one of it");
    snprintf(below, sizeof below, "%s", run_in("nest"));
    run_prepare(&r, below, "run");
    snprintf(r.paths[0], sizeof r.paths[0], "%s", below);
    r.stop_at = 2;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    r.train.resume = 1;
    r.stop_at = 0;
    assert_true(run_train(&r, BGPT_OK, NULL));
    snprintf(r.paths[0], sizeof r.paths[0], "%s/run/log.jsonl", below);
    r.train.resume = 0;
    r.train.overwrite = 1;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "lies in the run folder"));
}

/* A run killed before its first checkpoint starts again from the same model, or not at all. */
static void test_init_replaced(void **state)
{
    run_setup r;
    bgpt_error err;
    run_whole();
    char init[512];
    fs_write_text(run_in("from/made"), "for the folder");
    run_copy(run_in("whole/model.safetensors"), run_in("from/init.safetensors"));
    run_prepare(&r, run_folder, "begun");
    snprintf(init, sizeof init, "%s", run_in("from/init.safetensors"));
    r.train.init = init;
    assert_true(run_train(&r, BGPT_OK, NULL));
    run_remove(run_folder, "begun", "checkpoint-");
    run_copy(run_in("begun/model.safetensors"), run_in("from/init.safetensors"));
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "is not the model that the run"));
}

/* A file that vanishes costs no step that was done. */
static void test_vanished_file(void **state)
{
    char gone[512];
    run_setup r;
    bgpt_error err;
    fs_write_text(run_in("shaky/a.txt"), "here today");
    fs_write_text(run_in("shaky/b.txt"), "and here too");
    snprintf(gone, sizeof gone, "%s", run_in("shaky/b.txt"));
    run_prepare(&r, run_folder, "vanished");
    snprintf(r.paths[0], sizeof r.paths[0], "%s/shaky", run_folder);
    r.remove = gone;
    assert_true(run_train(&r, BGPT_ERR_NOT_FOUND, &err));
    assert_non_null(strstr(err.text, "b.txt"));
    assert_int_equal(r.steps_seen, 3);
    r.remove = NULL;
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err)); /* the listing is another */
    fs_write_text(gone, "and here too");
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_equal(r.steps_seen, 3);
    run_prepare(&r, run_folder, "not-vanished");
    snprintf(r.paths[0], sizeof r.paths[0], "%s/shaky", run_folder);
    assert_true(run_train(&r, BGPT_OK, NULL));
    char other[512];
    snprintf(other, sizeof other, "%s", run_in("vanished"));
    assert_true(run_same_run(other, run_in("not-vanished"), 6));
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keep), TEST(test_other_data_refused), TEST(test_existing_run), TEST(test_mixed_runs_refused), TEST(test_killed_replacement),
        TEST(test_foreign_model_kept), TEST(test_locked), TEST(test_lost_model), TEST(test_run_below_data), TEST(test_init_replaced),
        TEST(test_vanished_file),
    };
    return cmocka_run_group_tests(tests, run_set_up, run_tear_down);
}
