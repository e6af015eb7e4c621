/* Training: schedule, settings, what stands in a run's settings file, agreement
 * with the reference through the whole loop, and the kinds of training. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "run/checksum.h"
#include "run/recipe.h"
#include "run/schedule.h"
#include "tests/support_check.h"
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

/* --- schedule ------------------------------------------------------------------------ */

/* transformers' get_scheduler("cosine"), 4 steps of warm-up, 10 and 20 in all, rate 1e-3. */
static const double ten[] = { 0.0, 0.00025, 0.0005, 0.00075, 0.001, 0.0009330127018922195, 0.00075, 0.0005, 0.0002500000000000001, 6.698729810778065e-05 };
static const double twenty[] = { 0.0, 0.00025, 0.0005, 0.00075, 0.001, 0.0009903926402016153, 0.0009619397662556434, 0.0009157348061512727,
                                 0.0008535533905932737, 0.0007777851165098011, 0.000691341716182545, 0.0005975451610080642, 0.0005,
                                 0.00040245483899193594, 0.0003086582838174551, 0.00022221488349019903, 0.00014644660940672628,
                                 8.426519384872733e-05, 3.806023374435663e-05, 9.607359798384786e-06 };

static void check_rates(const double *want, uint64_t total)
{
    const bg_settings s = { .lr = 1e-3, .warmup = 4 };
    for (uint64_t step = 0; step < total; step++) {
        double got = bg_schedule_lr(&s, step, total, 0);
        if (!(fabs(got - want[step]) <= 1e-15))
            fail_msg("step %d of %d: rate %.17g, expected %.17g", (int)step, (int)total, got, want[step]);
    }
}

static void test_schedule_reference(void **state)
{
    check_rates(ten, 10);
    check_rates(twenty, 20);
}

static void test_schedule_other(void **state)
{
    bg_settings s = { .lr = 2, .warmup = 0.1, .min_lr = 0.25 };
    assert_true(bg_schedule_lr(&s, 5, 100, 0) == 1);            /* half of a warm-up of 10 */
    assert_true(bg_schedule_lr(&s, 10, 100, 0) == 2);
    assert_true(fabs(bg_schedule_lr(&s, 55, 100, 0) - 1.25) < 1e-12); /* half-way from 2 to 0.5 */
    assert_true(fabs(bg_schedule_lr(&s, 100, 100, 0) - 0.5) < 1e-12);
    assert_true(bg_schedule_lr(&s, 1, 0, 0.05) == 1);           /* by time: the same curve */
    assert_true(bg_schedule_lr(&s, 9, 0, 0.1) == 2);
    assert_true(fabs(bg_schedule_lr(&s, 9, 0, 0.55) - 1.25) < 1e-12);
    assert_true(fabs(bg_schedule_lr(&s, 9, 0, 1) - 0.5) < 1e-12);
    s.schedule = BG_CONSTANT;
    assert_true(bg_schedule_lr(&s, 99, 100, 0) == 2 && bg_schedule_lr(&s, 5, 100, 0) == 1);
    s.schedule = BG_STABLE;
    s.cooldown = 0.5; /* of the 90 steps behind the warm-up */
    assert_true(bg_schedule_lr(&s, 5, 100, 0) == 1 && bg_schedule_lr(&s, 55, 100, 0) == 2);
    assert_true(fabs(bg_schedule_lr(&s, 100, 100, 0) - 0.5) < 1e-12 && fabs(bg_schedule_lr(&s, 9, 0, 1) - 0.5) < 1e-12);
    s.cooldown = 20; /* steps */
    assert_true(fabs(bg_schedule_lr(&s, 80, 100, 0) - 2) < 1e-12 && fabs(bg_schedule_lr(&s, 90, 100, 0) - 1.25) < 1e-12);
    s.cooldown = 0;
    assert_true(bg_schedule_lr(&s, 100, 100, 0) == 2);
}

/* --- settings and recipes --------------------------------------------------------------- */

static void test_defaults(void **state)
{
    bg_settings s = { .clip = -1, .warmup = -1 };
    bg_error err;
    bg_settings_defaults(&s);
    assert_true(s.lr == 3e-4 && s.batch == 8 && s.accumulate == 1 && s.clip == 0 && s.warmup == 0 && s.weight_decay == 0.01);
    assert_true(s.config.hidden == 256 && s.config.byte_hidden == 256 && s.config.patches == 512 && s.epochs == 1);
    CHECK_OK(bg_settings_check(&s, &err), err);
    s.lr = NAN;
    CHECK_FAILS(bg_settings_check(&s, &err), BG_ERR_ARGUMENT, "lr is nan", err);
    s.lr = 1;
    s.dropout = 1;
    CHECK_FAILS(bg_settings_check(&s, &err), BG_ERR_ARGUMENT, "dropout is 1", err);
}

static void test_steps(void **state)
{
    bg_settings s = { .epochs = 2.5, .batch = 4, .accumulate = 3 };
    assert_int_equal(bg_settings_steps(&s, 10), 3); /* 25 files, 12 a step */
    s.steps = 2;
    assert_int_equal(bg_settings_steps(&s, 10), 2);
    s.epochs = 0.001;
    assert_int_equal(bg_settings_steps(&s, 10), 1);
    s = (bg_settings){ .seconds = 5, .batch = 1, .accumulate = 1 };
    assert_int_equal(bg_settings_steps(&s, 10), 0);
}

static void write_again(const bg_recipe *r, char out[8192])
{
    bg_text t;
    bg_error err;
    bg_text_open(&t, bg_sys_default());
    CHECK_OK(bg_recipe_write(r, &t, &err), err);
    assert_true(t.size < 8192);
    strcpy(out, t.data);
    bg_text_close(&t);
}

static void test_recipe_round_trip(void **state)
{
    const char *const data[] = { "a \"quoted\" path", "@list.txt" };
    static char first[8192], second[8192];
    bg_error err;
    bg_recipe r;
    bg_recipe_open(&r, bg_sys_default());
    r.settings = (bg_settings){ .seed = UINT64_MAX, .lr = 0.1 / 3, .schedule = BG_CONSTANT, .clip = -1 };
    bg_settings_defaults(&r.settings);
    strcpy(r.pairs, "abc+mid");
    strcpy(r.isa, "portable");
    CHECK_OK(bg_recipe_paths(&r, data, 2, data, 1, "start.safetensors", &err), err);
    CHECK_OK(bg_meta_set(&r.metadata, "licence", "CC0", &err), err);
    write_again(&r, first);
    bg_recipe_close(&r);
    bg_recipe_open(&r, bg_sys_default());
    CHECK_OK(bg_recipe_read(&r, first, strlen(first), "here", &err), err);
    assert_true(r.settings.seed == UINT64_MAX && r.settings.lr == 0.1 / 3 && r.settings.clip == 0);
    assert_int_equal(r.settings.schedule, BG_CONSTANT);
    write_again(&r, second);
    assert_string_equal(first, second);
    bg_recipe_close(&r);
}

/* Settings of a run begun before there were convolutions and a rate of queries and keys: it goes on as it began. */
static void test_recipe_older(void **state)
{
    static const char *const newer[] = { "conv", "qk_lr" };
    char text[8192];
    bg_error err;
    bg_recipe r;
    bg_recipe_open(&r, bg_sys_default());
    bg_settings_defaults(&r.settings);
    write_again(&r, text);
    bg_recipe_close(&r);
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++) {
        char key[32];
        snprintf(key, sizeof key, "\"%s\": ", newer[i]);
        char *at = strstr(text, key);
        assert_non_null(at);
        const char *behind = strchr(at + strlen(key), '"'); /* the next key */
        assert_non_null(behind);
        memmove(at, behind, strlen(behind) + 1);
    }
    bg_recipe_open(&r, bg_sys_default());
    CHECK_OK(bg_recipe_read(&r, text, strlen(text), "here", &err), err);
    assert_true(r.settings.config.conv == 0 && r.settings.qk_lr == 1);
    bg_recipe_close(&r);
}

static void test_recipe_wrong(void **state)
{
    static const struct { const char *text, *part; } wrong[] = {
        { "", "not the settings" }, { "[]", "not the settings" }, { "{\"lr\": \"fast\"}", "\"lr\"" },
        { "{\"speed\": 3}", "\"speed\"" }, { "{\"schedule\": \"linear\"}", "\"schedule\"" },
        { "{\"batch\": 99999999999}", "\"batch\"" }, { "{\"data\": [1]}", "here: byte" }, { "{\"lr\": 0.1", "here: byte" },
        { "{\"lr\": 0.1}", "hidden is 0" }, { "{} x", "here: byte" },
    };
    bg_error err;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bg_recipe r;
        bg_recipe_open(&r, bg_sys_default());
        CHECK_FAILS(bg_recipe_read(&r, wrong[i].text, strlen(wrong[i].text), "here", &err), BG_ERR_FORMAT, wrong[i].part, err);
        bg_recipe_close(&r);
    }
}

static void test_checksum(void **state)
{
    unsigned char data[100];
    char first[BG_SUM_TEXT], other[BG_SUM_TEXT];
    bg_sum s;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7);
    bg_sum_open(&s);
    bg_sum_add(&s, data, sizeof data);
    bg_sum_text(&s, first);
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        bg_sum_open(&s);
        bg_sum_add(&s, data, sizeof data);
        bg_sum_text(&s, other);
        assert_string_not_equal(first, other);
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

/* --- against the reference ------------------------------------------------------------------ */

/* Losses of a log; returns their number. */
static size_t read_losses(const char *path, double *loss, double *rate, size_t most)
{
    char line[1024];
    size_t n = 0;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        json_error_t why;
        json_t *j = json_loads(line, 0, &why);
        if (!j)
            fail_msg("%s: %s: %s", path, why.text, line);
        assert_true(n < most);
        loss[n] = json_number_value(json_object_get(j, "loss"));
        rate[n++] = json_number_value(json_object_get(j, "lr"));
        json_decref(j);
    }
    fclose(f);
    return n;
}

/* Ten steps of the published code with warm-up, cosine and clipping, through
 * the whole training loop: the batch is all five files, in any order. */
static void test_reference_run(void **state)
{
    static const double want[] = { 3.4851574897766113, 3.4851574897766113, 3.22037410736084, 2.8898744583129883, 2.715289831161499,
                                   2.580414295196533, 2.447000503540039, 2.33573579788208, 2.265760898590088, 2.231865167617798 };
    static const char *const names[] = { "empty.txt", "exact.bin", "note.averyveryverylongextension", "one.b", "p4031.abc" };
    const char *source = getenv("BGPT_SOURCE");
    char init[1024], files[5][1024];
    const char *paths[5];
    double loss[16], rate[16];
    run_setup r;
    run_prepare(&r, folder, "reference");
    snprintf(init, sizeof init, "%s/tests/fixtures/micro/model.safetensors", source ? source : ".");
    for (size_t i = 0; i < 5; i++) {
        snprintf(files[i], sizeof files[i], "%s/tests/fixtures/micro/files/%s", source ? source : ".", names[i]);
        paths[i] = files[i];
    }
    r.train.data = (bgpt_data){ .paths = paths, .count = 5 };
    r.train.init = init;
    r.train.batch = 5;
    r.train.steps = 10;
    r.train.warmup = 4;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_equal(read_losses(in("reference/log.jsonl"), loss, rate, 16), 10);
    for (size_t i = 0; i < 10; i++) {
        if (!(fabs(loss[i] - want[i]) <= 1e-4 * want[i]))
            fail_msg("step %zu: loss %.9g, the reference has %.9g", i, loss[i], want[i]);
        if (!(fabs(rate[i] - ten[i]) <= 1e-9 * ten[i]))
            fail_msg("step %zu: rate %.9g, the reference has %.9g", i, rate[i], ten[i]);
    }
}

/* --- runs --------------------------------------------------------------------------------------- */

/* An epoch is every file once, however it is cut into batches. */
static void test_epoch(void **state)
{
    static const uint32_t batch[] = { 1, 2, 4, 1, 2 }, accumulate[] = { 1, 1, 1, 4, 2 };
    char out[32];
    run_setup r;
    for (size_t i = 0; i < 5; i++) {
        snprintf(out, sizeof out, "epoch%zu", i);
        run_prepare(&r, folder, out);
        snprintf(r.paths[0], sizeof r.paths[0], "%s/pairs", folder);
        r.train.steps = 0;
        r.train.epochs = 3;
        r.train.batch = batch[i];
        r.train.accumulate = accumulate[i];
        assert_true(run_train(&r, BGPT_OK, NULL));
        assert_int_equal(r.steps_seen, 12 / (batch[i] * accumulate[i]));
        assert_true(r.last_bytes == 3 * (16 + 16 + 15 + 15));
    }
}

/* With one file and weights that hardly move, only dropout makes steps differ. */
static void test_dropout_differs_by_step(void **state)
{
    double loss[16], rate[16];
    run_setup r;
    for (int dropout = 0; dropout < 2; dropout++) {
        run_prepare(&r, folder, dropout ? "dropout" : "no-dropout");
        snprintf(r.paths[0], sizeof r.paths[0], "%s/pairs/t.aa", folder);
        r.train.dropout = dropout * 0.5;
        r.train.lr = 1e-30;
        assert_true(run_train(&r, BGPT_OK, NULL));
        const size_t n = read_losses(dropout ? in("dropout/log.jsonl") : in("no-dropout/log.jsonl"), loss, rate, 16);
        for (size_t i = 1; i < n; i++)
            assert_true((loss[i] != loss[i - 1]) == dropout);
    }
}

static void test_divergence(void **state)
{
    run_setup r;
    bgpt_error err;
    run_prepare(&r, folder, "diverged");
    r.train.lr = 1e6;
    r.train.steps = 200;
    r.train.warmup = -1;
    r.train.save_every = 1e-9;
    assert_true(run_train(&r, BGPT_ERR_FAILED, &err));
    if (!strstr(err.text, "training diverged at step "))
        fail_msg("%s", err.text);
    assert_true(r.steps_seen > 0 && isfinite(r.last_loss));
    bgpt_model *m;
    if (bgpt_open(&m, in("diverged/model.safetensors"), &r.options, &err) != BGPT_OK) /* refuses what is not finite */
        fail_msg("%s", err.text);
    bgpt_close(m);
}

static void test_no_allocation_in_a_step(void **state)
{
    run_setup r;
    fault_sys f;
    fault_open(&f);
    bgpt_hooks hooks = run_hooks(&f);
    run_prepare_long(&r, folder, "quiet");
    r.options.hooks = &hooks;
    r.options.threads = 2;
    r.count = &f;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(r.steps_counted >= 7);
    if (r.counted)
        fail_msg("%d allocations in %d steps", (int)r.counted, (int)r.steps_counted);
    assert_true(fault_clean(&f));
}

static void test_time_limit(void **state)
{
    run_setup r;
    run_prepare(&r, folder, "timed");
    r.train.validation = (bgpt_data){ .paths = r.validation, .count = 1 };
    r.train.steps = 0;
    r.train.seconds = 1.5; /* long enough for two steps under an emulator */
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(r.steps_seen > 1);
    r.train.resume = 1; /* the time counts for a resumed run, so nothing is left of it */
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_int_equal(r.steps_seen, 0);
    assert_non_null(strstr(r.notices, "is finished"));
}

static void test_bad_wishes(void **state)
{
    run_setup r;
    bgpt_error err;
    run_prepare(&r, folder, "never");
    r.train.config.hidden = 100;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    assert_non_null(strstr(err.text, "100"));
    run_prepare(&r, folder, "never");
    r.train.data.count = 0;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    run_prepare(&r, folder, "never");
    r.train.out = NULL;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    run_prepare(&r, folder, "never");
    r.options.threads = 10000;
    assert_true(run_train(&r, BGPT_ERR_ARGUMENT, &err));
    run_prepare(&r, folder, "never");
    r.data[0] = "/nowhere/at/all";
    assert_true(run_train(&r, BGPT_ERR_NOT_FOUND, &err));
    run_prepare(&r, folder, "never");
    r.train.init = in("data/long.abc");
    assert_true(run_train(&r, BGPT_ERR_FORMAT, &err));
    assert_int_equal(access(in("never"), F_OK), -1); /* none of them left a trace */
}

/* --- kinds of training ------------------------------------------------------------------------ */

static void test_pairs_and_init(void **state)
{
    run_setup r;
    run_prepare(&r, folder, "pairs1");
    snprintf(r.paths[0], sizeof r.paths[0], "%s/pairs", folder);
    r.train.data.pairs = "aa+bb";
    r.train.loss_target = 1;
    assert_true(run_train(&r, BGPT_OK, NULL));
    const double from_scratch = r.last_loss;
    char init[512];
    snprintf(init, sizeof init, "%s", in("pairs1/model.safetensors"));
    run_prepare(&r, folder, "pairs2");
    snprintf(r.paths[0], sizeof r.paths[0], "%s/pairs", folder);
    r.train.data.pairs = "aa+bb";
    r.train.loss_target = 1;
    r.train.init = init;
    r.train.config = (bgpt_config){ 0 }; /* the shape is init's */
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(r.last_loss < from_scratch);
}

static void test_classifier_and_back(void **state)
{
    char model[512];
    run_setup r;
    run_prepare(&r, folder, "generative");
    assert_true(run_train(&r, BGPT_OK, NULL));
    snprintf(model, sizeof model, "%s", in("generative/model.safetensors"));
    run_prepare(&r, folder, "classifier");
    snprintf(r.paths[0], sizeof r.paths[0], "%s/classes", folder);
    r.train.classify = 1;
    r.train.init = model;
    r.train.steps = 40;
    r.train.validation = (bgpt_data){ .paths = r.data, .count = 1 };
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(r.last_loss < 0.2); /* two kinds of files that share no byte */
    snprintf(model, sizeof model, "%s", in("classifier/model.safetensors"));
    run_prepare(&r, folder, "back");
    r.train.init = model;
    assert_true(run_train(&r, BGPT_OK, NULL));
    assert_true(r.last_loss > 1); /* the byte decoder is new */
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_schedule_reference), TEST(test_schedule_other), TEST(test_defaults), TEST(test_steps),
        TEST(test_recipe_round_trip), TEST(test_recipe_older), TEST(test_recipe_wrong), TEST(test_checksum), TEST(test_reference_run),
        TEST(test_epoch), TEST(test_dropout_differs_by_step), TEST(test_divergence), TEST(test_no_allocation_in_a_step), TEST(test_time_limit), TEST(test_bad_wishes),
        TEST(test_pairs_and_init), TEST(test_classifier_and_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
