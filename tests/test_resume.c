/* The promise that a run which was stopped, killed or damaged on the way ends
 * with the same bits as one that was not; and that no run is lost by mistake. */
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

static char *folder; /* with the data of run_write_data */

static int set_up(void **state)
{
    folder = fs_make_folder();
    run_write_data(folder);
    return 0;
}

static int tear_down(void **state)
{
    fs_remove_folder(folder);
    return 0;
}

static const char *in(const char *name) { return fs_path(folder, name); }

static void train_whole(void)
{
    run_setup r;
    if (access(in("whole/model.safetensors"), R_OK) == 0)
        return;
    run_prepare_long(&r, folder, "whole");
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_equal(r.steps_seen, 12);
}

static void resume_and_compare(run_setup *r, const char *out)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s", in("whole"));
    r->stop_at = 0;
    r->train.resume = 1;
    assert_true(run_train(r, BGPT_OK, NULL));
    assert_true(run_same_run(whole, in(out), 12));
}

static void test_interrupted(void **state)
{
    char out[32];
    run_setup r;
    bgpt_error err;
    train_whole();
    for (unsigned step = 1; step < 12; step += step < 4 ? 1 : 3) {
        snprintf(out, sizeof out, "stop%u", step);
        run_prepare_long(&r, folder, out);
        r.stop_at = step;
        assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, &err));
        assert_non_null(strstr(err.text, "resumed"));
        assert_int_equal(r.steps_seen, step);
        resume_and_compare(&r, out);
        assert_int_equal(r.steps_seen, 12 - step);
    }
}

/* With another optimiser, its schedule, and a model with every extension. */
static void prepare_muon(run_setup *r, const char *out)
{
    run_prepare_long(r, folder, out);
    r->train.optimizer = BGPT_MUON;
    r->train.schedule = BGPT_STABLE;
    r->train.config.previous = 3;
    r->train.config.grams = 300;
}

static void test_interrupted_muon(void **state)
{
    char whole[512];
    run_setup r;
    prepare_muon(&r, "muon-whole");
    assert_true(run_train(&r, BGPT_OK, NULL));
    snprintf(whole, sizeof whole, "%s", in("muon-whole"));
    prepare_muon(&r, "muon");
    r.stop_at = 5;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    r.stop_at = 0;
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(run_same_run(whole, in("muon"), 12));
}

/* Stopped in the middle of each evaluation, the last one included: nothing
 * but the evaluation is made up, and the log has its line. */
static void test_interrupted_evaluation(void **state)
{
    char out[32];
    run_setup r;
    train_whole();
    for (unsigned poll = 1; poll <= 4; poll++) {
        snprintf(out, sizeof out, "poll%u", poll);
        run_prepare_long(&r, folder, out);
        r.stop_at_poll = 3 * poll - 1; /* an evaluation has three batches */
        assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
        assert_int_equal(r.steps_seen, 3 * poll - 1);
        r.stop_at_poll = 1; /* and once more at once */
        r.train.resume = 1;
        assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
        assert_int_equal(r.steps_seen, 0);
        r.stop_at_poll = 0;
        resume_and_compare(&r, out);
        assert_int_equal(r.steps_seen, 12 - (3 * poll - 1));
    }
}

/* Stopped after every single step. */
static void test_interrupted_always(void **state)
{
    run_setup r;
    train_whole();
    run_prepare_long(&r, folder, "always");
    r.train.resume = 1; /* nothing to go on with is no mistake: a run killed at once leaves as much */
    for (unsigned step = 1; step < 12; step++) {
        r.stop_at = step;
        assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    }
    resume_and_compare(&r, "always");
}

/* A process that was killed leaves a checkpoint of some earlier step, a
 * longer log, a newer best model, and half-written files. */
static void test_killed(void **state)
{
    run_setup r;
    train_whole();
    run_prepare_long(&r, folder, "killed");
    r.stop_at = 5;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    FILE *log = fopen(in("killed/log.jsonl"), "a");
    assert_non_null(log);
    fputs("{\"step\": 6, \"loss\": 1}\n{\"step\": 7, \"lo", log);
    fclose(log);
    run_copy(in("whole/model.safetensors"), in("killed/model.safetensors"));
    fs_write_text(in("killed/checkpoint-8.safetensors.tmp-123-0"), "torn");
    fs_write_text(in("killed/model.safetensors.tmp-123-1"), "torn");
    resume_and_compare(&r, "killed");
    assert_int_equal(access(in("killed/checkpoint-8.safetensors.tmp-123-0"), F_OK), -1);
    assert_int_equal(access(in("killed/model.safetensors.tmp-123-1"), F_OK), -1);
}

static void test_killed_before_the_first_checkpoint(void **state)
{
    run_setup r;
    train_whole();
    run_prepare_long(&r, folder, "early");
    r.stop_at = 5;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    assert_int_equal(unlink(in("early/checkpoint-5.safetensors")), 0);
    resume_and_compare(&r, "early");
    assert_int_equal(r.steps_seen, 12);
}

static void test_config_lost(void **state)
{
    run_setup r;
    train_whole();
    run_prepare_long(&r, folder, "lost");
    r.stop_at = 5;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    assert_int_equal(unlink(in("lost/config.json")), 0);
    r.train.lr = 5; /* not heard: the checkpoint knows better */
    resume_and_compare(&r, "lost");
    assert_non_null(strstr(r.notices, "config.json is missing"));
    assert_non_null(strstr(r.notices, "lr"));
}

typedef void damage(const char *path, double share);

static void check_damaged(damage *fn, double share, const char *out)
{
    char name[64];
    run_setup r;
    run_prepare_long(&r, folder, out);
    for (unsigned step = 4; step <= 8; step += 4) { /* leaves checkpoints of both steps */
        r.stop_at = step;
        assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
        r.train.resume = 1;
    }
    snprintf(name, sizeof name, "%s/checkpoint-8.safetensors", out);
    fn(in(name), share);
    resume_and_compare(&r, out);
    if (!strstr(r.notices, "checkpoint-8.safetensors is damaged"))
        fail_msg("share %g: no word of the damage: %s", share, r.notices);
    assert_int_equal(r.steps_seen, 8);
    strcat(name, ".damaged");
    assert_int_equal(access(in(name), F_OK), 0);
}

static void test_damaged_checkpoint(void **state)
{
    static const double flips[] = { 0, 0.004, 0.02, 0.3, 0.6, 0.9, 1 }, cuts[] = { 0, 0.01, 0.5, 0.999 };
    char out[32];
    train_whole();
    for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++) {
        snprintf(out, sizeof out, "flip%zu", i);
        check_damaged(run_flip, flips[i], out);
    }
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        snprintf(out, sizeof out, "cut%zu", i);
        check_damaged(run_cut, cuts[i], out);
    }
}

/* With a rate this high the best model is not the last one, and whoever
 * forgot what the best loss was would replace it. */
static void test_best_is_remembered(void **state)
{
    char straight[512];
    run_setup r;
    for (int stopped = 0; stopped < 2; stopped++) {
        run_prepare_long(&r, folder, stopped ? "best-stopped" : "best");
        r.train.lr = 0.03;
        r.train.eval_every = 1;
        r.stop_at = stopped ? 10 : 0;
        assert_true(run_train(&r, stopped ? BGPT_ERR_INTERRUPTED : BGPT_OK, NULL));
    }
    r.stop_at = 0;
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(r.best_step > 0 && r.last_val > r.best_val); /* else this shows nothing */
    snprintf(straight, sizeof straight, "%s", in("best"));
    assert_true(run_same_run(straight, in("best-stopped"), 12));
}

static void prepare_patience(run_setup *r, const char *out)
{
    run_prepare_long(r, folder, out);
    r->train.lr = 0.03;
    r->train.schedule = BGPT_CONSTANT;
    r->train.eval_every = 1;
    r->train.steps = 200;
    r->train.patience = 3;
}

/* Evaluations that were not the best are counted over an interruption, and what ended by them is finished. */
static void test_patience(void **state)
{
    char straight[512];
    run_setup r;
    bgpt_error err;
    prepare_patience(&r, "patience");
    assert_true(run_train(&r, BGPT_OK, NULL));
    const unsigned end = (unsigned)r.steps_seen;
    assert_true(end > 3 && end < 200);
    assert_int_equal(end, r.best_step + 3);
    assert_non_null(strstr(r.notices, "for 3 in a row"));
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_equal(r.steps_seen, 0);
    assert_non_null(strstr(r.notices, "is finished"));
    prepare_patience(&r, "patience-stopped");
    r.stop_at = end - 1;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    r.stop_at = 0;
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_equal(r.steps_seen, 1);
    snprintf(straight, sizeof straight, "%s", in("patience"));
    assert_true(run_same_run(straight, in("patience-stopped"), end));
    prepare_patience(&r, "impatient");
    r.train.validation.count = 0;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "validation"));
}

static void test_finished(void **state)
{
    run_setup r;
    train_whole();
    run_prepare_long(&r, folder, "whole");
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_equal(r.steps_seen, 0);
    assert_non_null(strstr(r.notices, "is finished"));
}

static void test_threads(void **state)
{
    static const unsigned counts[] = { 2, 3, 4, 7 };
    char whole[512], out[32];
    run_setup r;
    train_whole();
    snprintf(whole, sizeof whole, "%s", in("whole"));
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        snprintf(out, sizeof out, "threads%u", counts[i]);
        run_prepare_long(&r, folder, out);
        r.options.threads = counts[i];
        assert_true(run_train(&r, BGPT_OK, NULL));
        assert_true(run_same_run(whole, in(out), 12));
    }
}

/* Another seed must give another run, or the comparisons above compare nothing. */
static void test_seed_matters(void **state)
{
    run_setup r, whole;
    run_prepare_long(&whole, folder, "seed7");
    assert_true(run_train(&whole, BGPT_OK, NULL));
    run_prepare_long(&r, folder, "seed8");
    r.train.seed = 8;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(r.last_loss != whole.last_loss);
}

static void test_keep(void **state)
{
    run_setup r;
    run_prepare_long(&r, folder, "keep");
    r.train.save_every = 1e-9; /* every step */
    r.train.keep = 3;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_equal(fs_count(in("keep")), 3 + 4); /* and model, log, settings, lock */
    for (unsigned step = 10; step <= 12; step++) {
        char name[64];
        snprintf(name, sizeof name, "keep/checkpoint-%u.safetensors", step);
        assert_int_equal(access(in(name), F_OK), 0);
    }
}

static void test_other_data_refused(void **state)
{
    run_setup r;
    bgpt_error err;
    run_prepare_long(&r, folder, "other");
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
    train_whole();
    run_prepare_long(&r, folder, "twice");
    r.train.seed = 99;
    assert_true(run_train(&r, BGPT_OK, &err));
    r.train.seed = 7;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "holds a run already"));
    r.train.overwrite = 1;
    r.train.init = in("twice/model.safetensors");
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "lies in the run folder"));
    r.train.init = NULL;
    assert_true(run_train(&r, BGPT_OK, &err));
    snprintf(whole, sizeof whole, "%s", in("whole"));
    assert_true(run_same_run(whole, in("twice"), 12));
}

/* A checkpoint and settings of different runs in one folder. */
static void test_mixed_runs_refused(void **state)
{
    run_setup r;
    bgpt_error err;
    train_whole();
    run_prepare_long(&r, folder, "mixed");
    r.train.lr = 0.5e-3;
    r.stop_at = 2;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    run_copy(in("whole/config.json"), in("mixed/config.json"));
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "is not of the run"));
    assert_int_equal(access(in("mixed/checkpoint-2.safetensors"), F_OK), 0);
}

/* A replacement that was killed before the old checkpoints were gone: the new
 * run starts, with the bits it would have had. */
static void test_killed_replacement(void **state)
{
    run_setup r;
    char whole[512];
    train_whole();
    run_prepare_long(&r, folder, "taken");
    r.train.lr = 0.5e-3;
    r.stop_at = 2;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    run_copy(in("whole/config.json"), in("taken/config.json.new"));
    r.train.resume = 1;
    r.stop_at = 0;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_not_equal(access(in("taken/checkpoint-2.safetensors"), F_OK), 0);
    assert_int_not_equal(access(in("taken/config.json.new"), F_OK), 0);
    snprintf(whole, sizeof whole, "%s", in("whole"));
    assert_true(run_same_run(whole, in("taken"), 12));
}

/* Files that no run of ours wrote are not replaced without a word. */
static void test_foreign_model_kept(void **state)
{
    run_setup r;
    bgpt_error err;
    fs_write_text(in("foreign/model.safetensors"), "somebody's");
    run_prepare(&r, folder, "foreign");
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "holds a run already"));
}

/* Two processes must not write one run. */
static void test_locked(void **state)
{
    run_setup r;
    bgpt_error err;
    run_prepare(&r, folder, "locked");
    assert_true(run_train(&r, BGPT_OK, NULL));
    const int fd = open(in("locked/lock"), O_RDWR);
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
    run_prepare(&r, folder, "modelless");
    assert_true(run_train(&r, BGPT_OK, NULL));
    run_copy(in("modelless/model.safetensors"), in("kept-model"));
    assert_int_equal(unlink(in("modelless/model.safetensors")), 0);
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_OK, NULL));
    char kept[512];
    snprintf(kept, sizeof kept, "%s", in("kept-model"));
    assert_true(run_same_file(kept, in("modelless/model.safetensors")));
}

/* A run folder below its data is no data. */
static void test_run_below_data(void **state)
{
    run_setup r;
    bgpt_error err;
    char below[480];
    fs_write_text(in("nest/a.txt"), "one file of the data");
    fs_write_text(in("nest/b.txt"), "and another one of it");
    snprintf(below, sizeof below, "%s", in("nest"));
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
    train_whole();
    char init[512];
    fs_write_text(in("from/made"), "for the folder");
    run_copy(in("whole/model.safetensors"), in("from/init.safetensors"));
    run_prepare(&r, folder, "begun");
    snprintf(init, sizeof init, "%s", in("from/init.safetensors"));
    r.train.init = init;
    assert_true(run_train(&r, BGPT_OK, NULL));
    run_remove(folder, "begun", "checkpoint-");
    run_copy(in("begun/model.safetensors"), in("from/init.safetensors"));
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
    fs_write_text(in("shaky/a.txt"), "here today");
    fs_write_text(in("shaky/b.txt"), "and here too");
    snprintf(gone, sizeof gone, "%s", in("shaky/b.txt"));
    run_prepare(&r, folder, "vanished");
    snprintf(r.paths[0], sizeof r.paths[0], "%s/shaky", folder);
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
    run_prepare(&r, folder, "not-vanished");
    snprintf(r.paths[0], sizeof r.paths[0], "%s/shaky", folder);
    assert_true(run_train(&r, BGPT_OK, NULL));
    char other[512];
    snprintf(other, sizeof other, "%s", in("vanished"));
    assert_true(run_same_run(other, in("not-vanished"), 6));
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_interrupted), TEST(test_interrupted_muon), TEST(test_interrupted_evaluation), TEST(test_interrupted_always), TEST(test_killed),
        TEST(test_killed_before_the_first_checkpoint), TEST(test_config_lost), TEST(test_damaged_checkpoint),
        TEST(test_best_is_remembered), TEST(test_patience), TEST(test_finished), TEST(test_threads), TEST(test_seed_matters), TEST(test_keep),
        TEST(test_other_data_refused), TEST(test_existing_run), TEST(test_mixed_runs_refused), TEST(test_killed_replacement),
        TEST(test_foreign_model_kept), TEST(test_locked), TEST(test_lost_model), TEST(test_run_below_data), TEST(test_init_replaced),
        TEST(test_vanished_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
