/* The promise that a run which was stopped, killed or damaged on the way ends
 * with the same bits as one that was not, with any number of threads.
 * test_resume_folder.c tests that no run is lost by mistake. */
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

static void resume_and_compare(run_setup *r, const char *out)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s", run_in("whole"));
    r->stop_at = 0;
    r->train.resume = 1;
    assert_true(run_train(r, BGPT_OK, NULL));
    assert_true(run_same_run(whole, run_in(out), 12));
}

static void test_interrupted(void **state)
{
    char out[32];
    run_setup r;
    bgpt_error err;
    run_whole();
    for (unsigned step = 1; step < 12; step += step < 4 ? 1 : 3) {
        snprintf(out, sizeof out, "stop%u", step);
        run_prepare_long(&r, run_folder, out);
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
    run_prepare_long(r, run_folder, out);
    r->train.optimizer = BGPT_MUON;
    r->train.schedule = BGPT_STABLE;
    r->train.config.previous = 3;
    r->train.config.grams = 300;
    r->train.config.patch_grams = 200;
    r->train.config.match = 1;
    r->train.config.rotary = 1;
    r->train.config.conv = 3;
}

static void test_interrupted_muon(void **state)
{
    char whole[512];
    run_setup r;
    prepare_muon(&r, "muon-whole");
    assert_true(run_train(&r, BGPT_OK, NULL));
    snprintf(whole, sizeof whole, "%s", run_in("muon-whole"));
    prepare_muon(&r, "muon");
    r.stop_at = 5;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    r.stop_at = 0;
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(run_same_run(whole, run_in("muon"), 12));
}

/* Stopped in the middle of each evaluation, the last one included: nothing
 * but the evaluation is made up, and the log has its line. */
static void test_interrupted_evaluation(void **state)
{
    char out[32];
    run_setup r;
    run_whole();
    for (unsigned poll = 1; poll <= 4; poll++) {
        snprintf(out, sizeof out, "poll%u", poll);
        run_prepare_long(&r, run_folder, out);
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
    run_whole();
    run_prepare_long(&r, run_folder, "always");
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
    run_whole();
    run_prepare_long(&r, run_folder, "killed");
    r.stop_at = 5;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    FILE *log = fopen(run_in("killed/log.jsonl"), "a");
    assert_non_null(log);
    fputs("{\"step\": 6, \"loss\": 1}\n{\"step\": 7, \"lo", log);
    fclose(log);
    run_copy(run_in("whole/model.safetensors"), run_in("killed/model.safetensors"));
    fs_write_text(run_in("killed/checkpoint-8.safetensors.tmp-123-0"), "torn");
    fs_write_text(run_in("killed/model.safetensors.tmp-123-1"), "torn");
    resume_and_compare(&r, "killed");
    assert_int_equal(access(run_in("killed/checkpoint-8.safetensors.tmp-123-0"), F_OK), -1);
    assert_int_equal(access(run_in("killed/model.safetensors.tmp-123-1"), F_OK), -1);
}

static void test_killed_before_the_first_checkpoint(void **state)
{
    run_setup r;
    run_whole();
    run_prepare_long(&r, run_folder, "early");
    r.stop_at = 5;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    assert_int_equal(unlink(run_in("early/checkpoint-5.safetensors")), 0);
    resume_and_compare(&r, "early");
    assert_int_equal(r.steps_seen, 12);
}

static void test_config_lost(void **state)
{
    run_setup r;
    run_whole();
    run_prepare_long(&r, run_folder, "lost");
    r.stop_at = 5;
    assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
    assert_int_equal(unlink(run_in("lost/config.json")), 0);
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
    run_prepare_long(&r, run_folder, out);
    for (unsigned step = 4; step <= 8; step += 4) { /* leaves checkpoints of both steps */
        r.stop_at = step;
        assert_true(run_train(&r, BGPT_ERR_INTERRUPTED, NULL));
        r.train.resume = 1;
    }
    snprintf(name, sizeof name, "%s/checkpoint-8.safetensors", out);
    fn(run_in(name), share);
    resume_and_compare(&r, out);
    if (!strstr(r.notices, "checkpoint-8.safetensors is damaged"))
        fail_msg("share %g: no word of the damage: %s", share, r.notices);
    assert_int_equal(r.steps_seen, 8);
    strcat(name, ".damaged");
    assert_int_equal(access(run_in(name), F_OK), 0);
}

static void test_damaged_checkpoint(void **state)
{
    static const double flips[] = { 0, 0.004, 0.02, 0.3, 0.6, 0.9, 1 }, cuts[] = { 0, 0.01, 0.5, 0.999 };
    char out[32];
    run_whole();
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
        run_prepare_long(&r, run_folder, stopped ? "best-stopped" : "best");
        r.train.lr = 0.03;
        r.train.eval_every = 1;
        r.stop_at = stopped ? 10 : 0;
        assert_true(run_train(&r, stopped ? BGPT_ERR_INTERRUPTED : BGPT_OK, NULL));
    }
    r.stop_at = 0;
    r.train.resume = 1;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(r.best_step > 0 && r.last_val > r.best_val); /* else this shows nothing */
    snprintf(straight, sizeof straight, "%s", run_in("best"));
    assert_true(run_same_run(straight, run_in("best-stopped"), 12));
}

static void prepare_patience(run_setup *r, const char *out)
{
    run_prepare_long(r, run_folder, out);
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
    snprintf(straight, sizeof straight, "%s", run_in("patience"));
    assert_true(run_same_run(straight, run_in("patience-stopped"), end));
    prepare_patience(&r, "impatient");
    r.train.validation.count = 0;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "validation"));
}

static void test_finished(void **state)
{
    run_setup r;
    run_whole();
    run_prepare_long(&r, run_folder, "whole");
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
    run_whole();
    snprintf(whole, sizeof whole, "%s", run_in("whole"));
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        snprintf(out, sizeof out, "threads%u", counts[i]);
        run_prepare_long(&r, run_folder, out);
        r.options.threads = counts[i];
        assert_true(run_train(&r, BGPT_OK, NULL));
        assert_true(run_same_run(whole, run_in(out), 12));
    }
}

/* Another seed must give another run, or the comparisons above compare nothing. */
static void test_seed_matters(void **state)
{
    run_setup r, whole;
    run_prepare_long(&whole, run_folder, "seed7");
    assert_true(run_train(&whole, BGPT_OK, NULL));
    run_prepare_long(&r, run_folder, "seed8");
    r.train.seed = 8;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(r.last_loss != whole.last_loss);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_interrupted), TEST(test_interrupted_muon), TEST(test_interrupted_evaluation), TEST(test_interrupted_always), TEST(test_killed),
        TEST(test_killed_before_the_first_checkpoint), TEST(test_config_lost), TEST(test_damaged_checkpoint),
        TEST(test_best_is_remembered), TEST(test_patience), TEST(test_finished), TEST(test_threads), TEST(test_seed_matters),
    };
    return cmocka_run_group_tests(tests, run_set_up, run_tear_down);
}
