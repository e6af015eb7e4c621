/* Choosing symbols: agreement with the reference's package, and the edges it
 * does not have. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "run/sampling.h"
#include "tests/support_check.h"

#define BOUND 1e-6 /* absolute, of every probability */

static json_t *read_cases(void)
{
    char path[1024];
    json_error_t err;
    const char *source = getenv("BGPT_SOURCE");
    snprintf(path, sizeof path, "%s/tests/fixtures/sampling.json", source ? source : ".");
    json_t *cases = json_load_file(path, 0, &err);
    if (!cases)
        fail_msg("%s: %s", path, err.text);
    return cases;
}

static void read_logits(float logits[BG_VOCAB], const json_t *list)
{
    assert_int_equal(json_array_size(list), BG_VOCAB);
    for (size_t i = 0; i < BG_VOCAB; i++)
        logits[i] = (float)json_number_value(json_array_get(list, i));
}

static void test_reference(void **state)
{
    json_t *cases = read_cases(), *c;
    size_t n;
    double worst = 0;
    json_array_foreach(cases, n, c) {
        float logits[BG_VOCAB];
        double probs[BG_VOCAB];
        bg_sampling s = { .top_k = (uint32_t)json_integer_value(json_object_get(c, "top_k")) };
        s.top_p = json_number_value(json_object_get(c, "top_p"));
        s.temperature = json_number_value(json_object_get(c, "temperature"));
        read_logits(logits, json_object_get(c, "logits"));
        assert_int_equal(bg_sampling_probabilities(probs, logits, &s), 0);
        for (size_t i = 0; i < BG_VOCAB; i++) {
            double want = json_number_value(json_array_get(json_object_get(c, "probs"), i));
            double d = fabs(probs[i] - want);
            if (!(d <= BOUND))
                fail_msg("case %zu, symbol %zu: %.9g, the reference has %.9g", n, i, probs[i], want);
            worst = fmax(worst, d);
        }
    }
    print_message("  worst of %zu cases: %.3g\n", n, worst);
    assert_true(n >= 10);
    json_decref(cases);
}

static void spread(float logits[BG_VOCAB])
{
    for (int i = 0; i < BG_VOCAB; i++)
        logits[i] = (float)((i * 37) % 101) / 10;
}

static void test_k_is_clamped(void **state)
{
    float logits[BG_VOCAB];
    double all[BG_VOCAB], many[BG_VOCAB];
    spread(logits);
    assert_int_equal(bg_sampling_probabilities(all, logits, &(bg_sampling){ 0 }), 0);
    assert_int_equal(bg_sampling_probabilities(many, logits, &(bg_sampling){ .top_k = 1000 }), 0);
    assert_memory_equal(all, many, sizeof all);
}

static void test_ties_take_the_lowest(void **state)
{
    float logits[BG_VOCAB] = { 0 };
    double probs[BG_VOCAB];
    bg_rng r;
    bg_rng_open(&r, 1, BG_STREAM_USER, 0);
    logits[90] = logits[40] = logits[200] = 3;
    assert_int_equal(bg_sampling_draw(logits, &(bg_sampling){ .greedy = 1 }, &r), 40);
    bg_sampling_probabilities(probs, logits, &(bg_sampling){ .top_k = 2 });
    assert_true(probs[40] == 0.5 && probs[90] == 0.5 && probs[200] == 0);
}

static void test_extreme_logits(void **state)
{
    float logits[BG_VOCAB];
    double probs[BG_VOCAB], sum = 0;
    for (int i = 0; i < BG_VOCAB; i++)
        logits[i] = i == 7 ? 3e38f : -3e38f;
    assert_int_equal(bg_sampling_probabilities(probs, logits, &(bg_sampling){ .top_p = 0.9, .temperature = 0.001 }), 0);
    assert_true(probs[7] == 1);
    spread(logits);
    assert_int_equal(bg_sampling_probabilities(probs, logits, &(bg_sampling){ .temperature = 0.0001 }), 0);
    for (int i = 0; i < BG_VOCAB; i++)
        sum += probs[i];
    assert_true(fabs(sum - 1) < 1e-12);
}

static void test_not_finite(void **state)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    float logits[BG_VOCAB];
    bg_rng r;
    bg_rng_open(&r, 1, BG_STREAM_USER, 0);
    for (size_t i = 0; i < 3; i++) {
        spread(logits);
        logits[256] = bad[i];
        assert_int_equal(bg_sampling_draw(logits, &(bg_sampling){ 0 }, &r), -1);
        assert_int_equal(bg_sampling_draw(logits, &(bg_sampling){ .greedy = 1 }, &r), -1);
    }
}

static void test_frequencies(void **state)
{
    enum { DRAWS = 20000 };
    float logits[BG_VOCAB];
    double probs[BG_VOCAB];
    int seen[BG_VOCAB] = { 0 };
    bg_sampling s = { .top_k = 12, .temperature = 2 };
    bg_rng r;
    bg_rng_open(&r, 5, BG_STREAM_GENERATE, 0);
    spread(logits);
    bg_sampling_probabilities(probs, logits, &s);
    for (int i = 0; i < DRAWS; i++)
        seen[bg_sampling_draw(logits, &s, &r)]++;
    for (int i = 0; i < BG_VOCAB; i++) {
        double want = probs[i] * DRAWS, sigma = sqrt(want * (1 - probs[i]));
        if (!(fabs(seen[i] - want) <= 5 * sigma)) /* a symbol that was cut off has sigma 0 */
            fail_msg("symbol %d was drawn %d times, expected %.1f", i, seen[i], want);
    }
}

static void test_one_double_a_symbol(void **state)
{
    float logits[BG_VOCAB];
    bg_rng a, b;
    bg_rng_open(&a, 5, BG_STREAM_GENERATE, 3);
    bg_rng_open(&b, 5, BG_STREAM_GENERATE, 3);
    spread(logits);
    for (int i = 0; i < 5; i++) {
        bg_sampling_draw(logits, &(bg_sampling){ .top_p = 0.5 }, &a);
        bg_rng_double(&b);
    }
    assert_true(bg_rng_double(&a) == bg_rng_double(&b));
}

static void test_settings(void **state)
{
    bg_error err;
    CHECK_OK(bg_sampling_check(&(bg_sampling){ 0 }, &err), err);
    CHECK_FAILS(bg_sampling_check(&(bg_sampling){ .top_p = 1.5 }, &err), BG_ERR_ARGUMENT, "1.5", err);
    CHECK_FAILS(bg_sampling_check(&(bg_sampling){ .top_p = NAN }, &err), BG_ERR_ARGUMENT, "top-p", err);
    CHECK_FAILS(bg_sampling_check(&(bg_sampling){ .temperature = -1 }, &err), BG_ERR_ARGUMENT, "-1", err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference), cmocka_unit_test(test_k_is_clamped), cmocka_unit_test(test_ties_take_the_lowest),
        cmocka_unit_test(test_extreme_logits), cmocka_unit_test(test_not_finite), cmocka_unit_test(test_frequencies),
        cmocka_unit_test(test_one_double_a_symbol), cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
