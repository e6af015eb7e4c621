/* The public calls on one small trained model: what they answer, and that how
 * work is batched and threaded does not show. */
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

#include "data/dataset.h"
#include "model/file.h"
#include "run/machine.h"
#include "tests/support_check.h"
#include "tests/support_run.h"

#define API_OK(call, err)                                                      \
    do {                                                                       \
        bgpt_status api_status_ = (call);                                      \
        if (api_status_ != BGPT_OK)                                            \
            fail_msg("%s gave %d: %s", #call, (int)api_status_, (err).text);   \
    } while (0)

#define API_FAILS(call, wanted, part, err)                                     \
    do {                                                                       \
        (err).text[0] = 0;                                                     \
        bgpt_status api_status_ = (call);                                      \
        if (api_status_ != (wanted) || (err).code != (wanted) || !strstr((err).text, (part))) \
            fail_msg("%s gave %d \"%s\", wanted %d and \"%s\"", #call, (int)api_status_, (err).text, (int)(wanted), (part)); \
    } while (0)

static char *folder;
static char model_path[512], classifier_path[512];
static const bgpt_options plain = { .threads = 1, .precision = BGPT_FP32 };

static const char *in(const char *name) { return fs_path(folder, name); }

static int set_up(void **state)
{
    static const char *const metadata[] = { "licence", "CC0-1.0", NULL };
    static run_setup r;
    folder = fs_make_folder();
    run_write_data(folder);
    run_prepare(&r, folder, "run");
    r.train.steps = 150; /* enough that files end and that not everything is one byte */
    r.train.lr = 3e-3;
    r.train.batch = 4;
    r.train.metadata = metadata;
    if (!run_train(&r, BGPT_OK, NULL))
        return -1;
    snprintf(model_path, sizeof model_path, "%s", in("run/model.safetensors"));
    run_prepare(&r, folder, "classifier");
    snprintf(r.paths[0], sizeof r.paths[0], "%s/classes", folder);
    r.train.classify = 1;
    r.train.steps = 40;
    if (!run_train(&r, BGPT_OK, NULL))
        return -1;
    snprintf(classifier_path, sizeof classifier_path, "%s", in("classifier/model.safetensors"));
    return 0;
}

static int tear_down(void **state)
{
    fs_remove_folder(folder);
    return 0;
}

static bgpt_model *open_model(const char *path, const bgpt_options *opt)
{
    bgpt_model *m;
    bgpt_error err;
    API_OK(bgpt_open(&m, path, opt, &err), err);
    return m;
}

/* --- small calls ------------------------------------------------------------------------ */

static void test_version_and_codes(void **state)
{
    static const int codes[] = { 0, 1, 2, 3, 3, 5, 5, 75 };
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", BGPT_VERSION_MAJOR, BGPT_VERSION_MINOR, BGPT_VERSION_PATCH);
    assert_string_equal(bgpt_version(), version);
    for (int s = 0; s < 8; s++)
        assert_int_equal(bgpt_exit_code((bgpt_status)s), codes[s]);
}

static void test_machine(void **state)
{
    bgpt_options opt = { .threads = 3, .isa = "portable", .precision = BGPT_FP32 };
    const char *isa = NULL, *precision = NULL;
    unsigned threads = 0;
    bgpt_error err;
    API_OK(bgpt_machine(&opt, &isa, &precision, &threads, &err), err);
    assert_string_equal(isa, "portable");
    assert_string_equal(precision, "fp32");
    assert_int_equal(threads, 3);
    opt.isa = "pdp11";
    API_FAILS(bgpt_machine(&opt, &isa, &precision, &threads, &err), BGPT_ERR_ARGUMENT, "pdp11", err);
    setenv("BGPT_ISA", "portable", 1);
    API_OK(bgpt_machine(NULL, &isa, NULL, NULL, &err), err);
    assert_string_equal(isa, "portable");
    unsetenv("BGPT_ISA");
}

static void test_sizes(void **state)
{
    bgpt_config c = { 0 };
    bgpt_error err;
    uint64_t before = 0;
    for (size_t i = 0; bgpt_size_name(i); i++) {
        c = (bgpt_config){ 0 };
        API_OK(bgpt_size(bgpt_size_name(i), &c, &err), err);
        uint64_t n = bgpt_count_parameters(&c);
        assert_true(n > before);
        double told = atof(bgpt_size_about(i)) * 1e6; /* each line begins with the millions */
        if (!(fabs(told - (double)n) < 0.05 * (double)n))
            fail_msg("%s: \"%s\", but it has %llu", bgpt_size_name(i), bgpt_size_about(i), (unsigned long long)n);
        before = n;
    }
    assert_int_equal(before, 110084352); /* the published model */
    API_FAILS(bgpt_size("huge", &c, &err), BGPT_ERR_ARGUMENT, "nano", err);
    assert_null(bgpt_size_about(1000));
    c = (bgpt_config){ .hidden = 100 };
    assert_int_equal(bgpt_count_parameters(&c), 0);
}

static void test_info(void **state)
{
    bgpt_model *m = open_model(model_path, &plain);
    const char *key, *value, *licence = NULL, *extensions = NULL, *steps = NULL;
    bgpt_tensor_info t;
    bgpt_error err;
    uint64_t values = 0;
    bgpt_config c = bgpt_get_config(m);
    assert_int_equal(c.hidden, 64);
    assert_int_equal(c.patches, 16);
    for (size_t i = 0; bgpt_metadata(m, i, &key, &value); i++) {
        licence = strcmp(key, "licence") ? licence : value;
        extensions = strcmp(key, "extensions") ? extensions : value;
        steps = strcmp(key, "trained_steps") ? steps : value;
    }
    assert_non_null(licence);
    assert_non_null(extensions);
    assert_non_null(steps);
    assert_string_equal(licence, "CC0-1.0");
    assert_non_null(strstr(extensions, "\"abc\""));
    assert_string_equal(steps, "150");
    for (size_t i = 0; bgpt_tensor(m, i, &t); i++) {
        API_OK(bgpt_tensor_check(m, i, &t, &err), err);
        assert_true(t.min <= t.mean && t.mean <= t.max && t.std >= 0);
        values += t.shape[0] * t.shape[1];
    }
    assert_int_equal(values, bgpt_parameters(m));
    API_FAILS(bgpt_tensor_check(m, 10000, &t, &err), BGPT_ERR_ARGUMENT, "10000", err);
    bgpt_close(m);
}

static void test_open_wrong(void **state)
{
    bgpt_model *m = (bgpt_model *)(uintptr_t)1;
    bgpt_error err;
    API_FAILS(bgpt_open(&m, "/no/such/model", &plain, &err), BGPT_ERR_NOT_FOUND, "/no/such/model", err);
    assert_null(m);
    API_FAILS(bgpt_open(&m, in("data/long.abc"), &plain, &err), BGPT_ERR_FORMAT, "long.abc", err);
    API_FAILS(bgpt_open(&m, model_path, &(bgpt_options){ .threads = 10000 }, &err), BGPT_ERR_ARGUMENT, "10000", err);
    API_FAILS(bgpt_open(&m, model_path, &(bgpt_options){ .max_streams = 1000000 }, &err), BGPT_ERR_ARGUMENT, "1000000", err);
    assert_int_equal(bgpt_open(&m, "/no/such/model", &plain, NULL), BGPT_ERR_NOT_FOUND);
}

static void test_files(void **state)
{
    char path[512];
    uint8_t *data;
    size_t size;
    bgpt_error err;
    snprintf(path, sizeof path, "%s", in("written"));
    API_OK(bgpt_write_file(path, "one", 3, 0, NULL, &err), err);
    assert_int_not_equal(bgpt_write_file(path, "two", 3, 0, NULL, &err), BGPT_OK);
    assert_true(fs_holds(path, "one", 3));
    API_OK(bgpt_write_file(path, "two", 3, 1, NULL, &err), err);
    API_OK(bgpt_read_file(path, 0, &data, &size, NULL, &err), err);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "two", 3);
    bgpt_free_data(data, NULL);
    API_FAILS(bgpt_read_file(path, 2, &data, &size, NULL, &err), BGPT_ERR_FORMAT, "written", err);
}

/* --- evaluation --------------------------------------------------------------------------- */

enum { MOST = 32 };
typedef struct scores { bgpt_score s[MOST]; size_t n, stop_after; } scores;

static void add_score(void *ctx, const bgpt_score *s)
{
    scores *list = ctx;
    assert_true(list->n < MOST);
    list->s[list->n] = *s;
    list->s[list->n++].file = NULL; /* valid during the call only */
}

static int stop_scores(void *ctx)
{
    const scores *list = ctx;
    return list->stop_after && list->n >= list->stop_after;
}

static bgpt_score evaluate(const char *path, const char *sub, const char *pairs, const bgpt_options *opt, scores *list)
{
    const char *data[1] = { in(sub) };
    bgpt_eval e = { .data = { .paths = data, .count = 1, .pairs = pairs }, .file = add_score, .ctx = list };
    bgpt_score total;
    double accuracy;
    bgpt_error err;
    memset(list, 0, sizeof *list);
    bgpt_model *m = open_model(path, opt);
    API_OK(bgpt_evaluate(m, &e, &total, &accuracy, NULL, &err), err);
    bgpt_close(m);
    return total;
}

static void test_evaluate(void **state)
{
    scores one, many;
    bgpt_options opt = plain;
    opt.batch = 1;
    const bgpt_score alone = evaluate(model_path, "data", NULL, &opt, &one);
    double nats = 0;
    uint64_t bytes = 0, symbols = 0;
    assert_int_equal(one.n, 9);
    for (size_t i = 0; i < one.n; i++) {
        const bgpt_score *s = &one.s[i];
        nats += s->nats;
        bytes += s->bytes;
        symbols += s->symbols;
        assert_true(s->nats > 0 && s->nats_per_symbol == s->nats / (double)s->symbols);
        assert_true(fabs(s->reference_bpb - s->nats_per_symbol / log(2)) < 1e-12);
        assert_true(s->bytes == 0 ? isnan(s->bits_per_byte) : fabs(s->bits_per_byte - s->nats / log(2) / (double)s->bytes) < 1e-12);
        assert_int_equal(s->symbols, ((s->bytes + 7) / 8 + 1) * 8); /* each symbol once, windows or not */
        assert_true(s->label == -1 && s->predicted == -1);
    }
    assert_true(alone.nats == nats && alone.bytes == bytes && alone.symbols == symbols);
    for (unsigned batch = 2; batch <= 16; batch *= 2) {
        opt.batch = batch;
        opt.threads = batch / 2;
        const bgpt_score total = evaluate(model_path, "data", NULL, &opt, &many);
        assert_true(total.nats == alone.nats);
        assert_int_equal(many.n, one.n);
        for (size_t i = 0; i < one.n; i++)
            if (many.s[i].nats != one.s[i].nats)
                fail_msg("file %zu: %.17g in a batch of %u, %.17g alone", i, many.s[i].nats, batch, one.s[i].nats);
    }
}

/* The sums over a long file's windows, made here one window at a time. */
static void test_evaluate_windows(void **state)
{
    const bg_machine_options options = { .threads = 1, .fp32 = 1 };
    const bg_config shape = { 64, 1, 1, 64, 16, 8, 0, 0, 0, 0, 0, 0, 0 };
    const char *path = in("data/long.abc");
    const bg_dataset_options how = { .P = 8, .N = 16 };
    scores list;
    bg_machine machine;
    bg_model *m;
    bg_dataset data;
    bg_batch batch;
    bg_error err;
    double want = 0, nats = 0;
    CHECK_OK(bg_machine_open(&machine, &options, &shape, &err), err);
    CHECK_OK(bg_model_load(&m, model_path, machine.be, 0, NULL, &err), err);
    CHECK_OK(bg_model_reserve(m, 16, 1, 0, &err), err);
    CHECK_OK(bg_dataset_open(&data, bg_sys_default(), &path, 1, &how, &err), err);
    CHECK_OK(bg_batch_open(&batch, bg_sys_default(), 8, 1, 16, &err), err);
    assert_int_equal(bg_item_windows(&data, 0), 8);
    for (uint32_t w = 0; w < 8; w++, want += nats) {
        bg_batch_clear(&batch);
        CHECK_OK(bg_dataset_add_window(&data, &batch, 0, w, &err), err);
        bg_model_eval(m, &batch, &nats);
    }
    bg_batch_close(&batch);
    bg_dataset_close(&data);
    bg_model_close(m);
    bg_machine_close(&machine);
    evaluate(model_path, "data/long.abc", NULL, &plain, &list);
    assert_true(list.n == 1 && list.s[0].nats == want);
}

static void test_evaluate_pairs(void **state)
{
    scores list;
    evaluate(model_path, "pairs", "aa:bb", &plain, &list);
    assert_int_equal(list.n, 2);
    assert_int_equal(list.s[0].bytes, 16); /* the target's */
    assert_int_equal(list.s[0].symbols, 24); /* two patches and the end */
    evaluate(model_path, "pairs", "aa+bb", &plain, &list);
    assert_int_equal(list.n, 4);
}

static void test_evaluate_stopped(void **state)
{
    const char *data[1] = { in("data") };
    scores list = { .stop_after = 3 };
    bgpt_eval e = { .data = { .paths = data, .count = 1 }, .file = add_score, .stop = stop_scores, .ctx = &list };
    bgpt_options opt = plain;
    bgpt_error err;
    opt.batch = 1;
    bgpt_model *m = open_model(model_path, &opt);
    API_FAILS(bgpt_evaluate(m, &e, NULL, NULL, NULL, &err), BGPT_ERR_INTERRUPTED, "3 of 9", err);
    bgpt_close(m);
}

static void test_classifier(void **state)
{
    const char *data[1] = { in("classes") };
    scores list = { 0 };
    bgpt_eval e = { .data = { .paths = data, .count = 1 }, .file = add_score, .ctx = &list };
    bgpt_score total;
    bgpt_error err;
    uint64_t confusion[4];
    double accuracy = 0;
    float logits[2];
    int cut = 1;
    bgpt_model *m = open_model(classifier_path, &plain);
    assert_string_equal(bgpt_label(m, 0), "high.txt");
    assert_string_equal(bgpt_label(m, 1), "low.txt");
    assert_null(bgpt_label(m, 2));
    API_OK(bgpt_evaluate(m, &e, &total, &accuracy, confusion, &err), err);
    assert_true(accuracy == 1);
    assert_true(confusion[0] == 2 && confusion[1] == 0 && confusion[2] == 0 && confusion[3] == 2);
    assert_true(total.symbols == 4 && isnan(total.bits_per_byte));
    API_OK(bgpt_classify(m, (const uint8_t *)"ababab", 6, "txt", logits, &cut, &err), err);
    assert_true(logits[1] > logits[0] && cut == 0);
    char text[400];
    memset(text, 'y', sizeof text);
    API_OK(bgpt_classify(m, (const uint8_t *)text, sizeof text, "txt", logits, &cut, &err), err);
    assert_true(logits[0] > logits[1] && cut == 1);
    API_OK(bgpt_classify(m, NULL, 0, NULL, logits, &cut, &err), err);
    assert_true(isfinite(logits[0]) && cut == 0);
    data[0] = in("data"); /* labels that the model has not seen */
    API_FAILS(bgpt_evaluate(m, &e, &total, &accuracy, confusion, &err), BGPT_ERR_FORMAT, "data/", err);
    bgpt_request r = { .extension = "txt" };
    API_FAILS(bgpt_generate(m, &r, 1, &(bgpt_sampling){ 0 }, &err), BGPT_ERR_ARGUMENT, "classifier", err);
    bgpt_close(m);
    m = open_model(model_path, &plain);
    API_FAILS(bgpt_classify(m, NULL, 0, "txt", logits, NULL, &err), BGPT_ERR_ARGUMENT, "not a classifier", err);
    bgpt_close(m);
}

/* --- generation ------------------------------------------------------------------------------ */

enum { REQUESTS = 11, ROOM = 256 };
typedef struct output { uint8_t data[ROOM]; size_t n, stop_at; } output;

static int collect(void *ctx, const uint8_t *data, size_t n)
{
    output *o = ctx;
    assert_true(o->n + n <= ROOM);
    memcpy(o->data + o->n, data, n);
    o->n += n;
    return o->stop_at && o->n >= o->stop_at;
}

/* Every kind of request: plain, prompts that end inside and at the end of a
 * patch, conversions, limits, some that cannot be. */
static void make_requests(bgpt_request r[REQUESTS], output out[REQUESTS])
{
    static const char text[] = "do re mi do re mi do re mi do re mi do re mi do re mi do re mi do re mi do re mi do re mi do re mi do re mi do re mi do re mi do re mi";
    const uint8_t *bytes = (const uint8_t *)text;
    memset(r, 0, REQUESTS * sizeof *r);
    memset(out, 0, REQUESTS * sizeof *out);
    r[0] = (bgpt_request){ .extension = "txt" };
    r[1] = (bgpt_request){ .extension = "abc" };
    r[2] = (bgpt_request){ .extension = "txt", .prompt = bytes, .prompt_size = 3 };
    r[3] = (bgpt_request){ .extension = "txt", .prompt = bytes, .prompt_size = 8 };
    r[4] = (bgpt_request){ .extension = "txt", .prompt = bytes, .prompt_size = 21 };
    r[5] = (bgpt_request){ .extension = "bb", .input = bytes, .input_size = 30, .input_extension = "aa" };
    r[6] = (bgpt_request){ .extension = "bb", .input_extension = "aa" }; /* an empty input */
    r[7] = (bgpt_request){ .extension = "abc", .max_bytes = 5 };
    r[8] = (bgpt_request){ .extension = "txt", .prompt = bytes, .prompt_size = 120 }; /* no room left */
    r[9] = (bgpt_request){ .extension = "txt", .prompt = bytes, .prompt_size = 119 }; /* room for one byte */
    r[10] = (bgpt_request){ .extension = "bb", .input = bytes, .input_size = 105, .input_extension = "aa" }; /* no room */
    for (size_t i = 0; i < REQUESTS; i++) {
        r[i].stream = i;
        r[i].bytes = collect;
        r[i].ctx = &out[i];
    }
}

static void generate(const bgpt_options *opt, const bgpt_sampling *s, bgpt_request *r, size_t n)
{
    bgpt_error err;
    bgpt_model *m = open_model(model_path, opt);
    API_OK(bgpt_generate(m, r, n, s, &err), err);
    bgpt_close(m);
}

static void compare(const bgpt_request *a, const output *x, const bgpt_request *b, const output *y, const char *how)
{
    for (size_t i = 0; i < REQUESTS; i++)
        if (a[i].made != b[i].made || a[i].end != b[i].end || a[i].status != b[i].status || x[i].n != y[i].n || memcmp(x[i].data, y[i].data, x[i].n))
            fail_msg("request %zu %s: %d bytes (%.40s), end %d, status %d; alone %d bytes (%.40s), end %d, status %d", i, how, (int)b[i].made,
                     y[i].data, (int)b[i].end, (int)b[i].status, (int)a[i].made, x[i].data, (int)a[i].end, (int)a[i].status);
}

static void check_batching(const bgpt_sampling *s)
{
    static const unsigned threads[] = { 1, 2, 3, 4, 7 }, streams[] = { 1, 2, 3, 5, 16 };
    static output alone_out[REQUESTS], out[REQUESTS];
    bgpt_request alone[REQUESTS], r[REQUESTS];
    char how[64];
    make_requests(alone, alone_out);
    for (size_t i = 0; i < REQUESTS; i++)
        generate(&plain, s, &alone[i], 1);
    for (size_t i = 0; i < 5; i++) {
        bgpt_options opt = plain;
        opt.max_streams = streams[i];
        opt.threads = threads[i];
        make_requests(r, out);
        generate(&opt, s, r, REQUESTS);
        snprintf(how, sizeof how, "in %u streams with %u threads", streams[i], threads[i]);
        compare(alone, alone_out, r, out, how);
    }
}

static void test_batched_is_single(void **state)
{
    check_batching(&(bgpt_sampling){ .greedy = 1 });
    check_batching(&(bgpt_sampling){ .seed = 3 });
    check_batching(&(bgpt_sampling){ .seed = 3, .top_k = 20, .top_p = 0.9, .temperature = 1.2 });
}

static void test_ends(void **state)
{
    static output out[REQUESTS];
    bgpt_request r[REQUESTS];
    uint64_t seed = 0;
    do { /* noise: an end symbol comes now and then, so more than one seed may be needed */
        make_requests(r, out);
        out[1].stop_at = 8;
        generate(&plain, &(bgpt_sampling){ .temperature = 50, .seed = ++seed }, r, REQUESTS);
    } while (seed < 200 && (!r[0].end || !r[1].end || !r[4].end || !r[5].end || !r[7].end || !r[9].end));
    for (size_t i = 0; i < REQUESTS; i++)
        assert_int_equal(r[i].made, out[i].n);
    assert_int_equal(r[0].end, BGPT_END_CONTEXT);
    assert_int_equal(r[0].made, 15 * 8);
    assert_int_equal(r[1].end, BGPT_END_STOPPED);
    assert_int_equal(r[1].made, 8);
    assert_int_equal(r[4].made, 15 * 8 - 21);
    assert_int_equal(r[5].made, 16 * 8 - 6 * 8); /* start, four patches of input, start */
    assert_int_equal(r[7].end, BGPT_END_LIMIT);
    assert_int_equal(r[7].made, 5);
    assert_int_equal(r[8].status, BGPT_ERR_FORMAT);
    assert_non_null(strstr(r[8].error.text, "120 bytes"));
    assert_int_equal(r[9].made, 1);
    assert_int_equal(r[10].status, BGPT_ERR_FORMAT);
    assert_non_null(strstr(r[10].error.text, "105 bytes"));
    make_requests(r, out);
    generate(&plain, &(bgpt_sampling){ .greedy = 1 }, r, REQUESTS);
    assert_int_equal(r[2].end, BGPT_END_SYMBOL);
}

static void test_streams_differ(void **state)
{
    static output out[REQUESTS];
    bgpt_request r[REQUESTS];
    make_requests(r, out);
    for (size_t i = 0; i < 2; i++)
        r[i].extension = "txt";
    generate(&plain, &(bgpt_sampling){ .temperature = 2 }, r, 2);
    assert_true(out[0].n != out[1].n || memcmp(out[0].data, out[1].data, out[0].n) != 0);
}

static void test_generate_nothing(void **state)
{
    bgpt_error err;
    bgpt_model *m = open_model(model_path, &plain);
    API_OK(bgpt_generate(m, NULL, 0, &(bgpt_sampling){ 0 }, &err), err);
    bgpt_request r = { .extension = "txt" };
    API_FAILS(bgpt_generate(m, &r, 1, &(bgpt_sampling){ .top_p = 2 }, &err), BGPT_ERR_ARGUMENT, "top-p", err);
    bgpt_close(m);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_version_and_codes), TEST(test_machine), TEST(test_sizes), TEST(test_info), TEST(test_open_wrong),
        TEST(test_files), TEST(test_evaluate), TEST(test_evaluate_windows), TEST(test_evaluate_pairs), TEST(test_evaluate_stopped),
        TEST(test_classifier), TEST(test_batched_is_single), TEST(test_ends), TEST(test_streams_differ),
        TEST(test_generate_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
