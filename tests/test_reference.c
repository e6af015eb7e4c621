/* Agreement with the published Python code: the fixtures hold weights, files,
 * losses, features, logits, gradients, optimiser trajectories and generated
 * bytes that it wrote in float64.  Every instruction-set level of the machine
 * is compared; a level or fixture that is missing is a counted skip.
 * BGPT_TEST_FILTER=PATTERN runs the tests whose names match: "*, micro, *" is
 * what a slow machine has time for. */
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

#include "bgpt.h"
#include "model/file.h"

/* The bounds that bgpt promises in fp32. */
#define BOUND_LOSS 1e-5       /* relative */
#define BOUND_VALUE 1e-4      /* absolute: logits, features, classifier logits */
#define BOUND_GRADIENT 1e-4   /* of the tensor's norm */
#define BOUND_TRAJECTORY 1e-4 /* relative, each step's loss */

typedef struct fixture {
    char folder[1024];
    const char *name;
    json_t *expected;
    bg_st_file tensors;
    bg_pool *pool;
    bg_backend *be;
    bg_model *model;
    bg_batch batch;
} fixture;

typedef struct level_case { bg_isa isa; const char *fixture; } level_case;

static void worst(const fixture *f, const char *what, double value, double bound)
{
    print_message("  %-9s %-6s %-22s worst %.3g (bound %.0g)\n", bg_isa_name(f->be->isa), f->name, what, value, bound);
    if (!(value <= bound))
        fail_msg("%s on %s: %s differs by %.6g, bound %.6g", bg_isa_name(f->be->isa), f->name, what, value, bound);
}

static const char *in_folder(const fixture *f, const char *name)
{
    static char path[2048];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

static double number(json_t *j)
{
    assert_true(json_is_number(j));
    return json_number_value(j);
}

/* A whole file's bytes; the caller frees. */
static uint8_t *slurp(const char *path, size_t *size)
{
    bg_error err;
    uint8_t *data;
    if (bg_read_file(bg_sys_default(), path, 1 << 30, &data, size, &err) != BG_OK)
        fail_msg("%s", err.text);
    return data;
}

static const char *extension_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : "";
}

/* Patches of a file: start, content and, when asked, end; returns their number. */
static uint32_t patches_of(const fixture *f, const char *name, int end, uint16_t *out)
{
    char path[64];
    snprintf(path, sizeof path, "files/%s", name);
    const uint32_t P = bg_model_config(f->model)->patch_size;
    size_t size;
    uint8_t *data = slurp(in_folder(f, path), &size);
    uint32_t n = 0;
    bg_patch_start(out, extension_of(name), P);
    n++;
    for (size_t at = 0; at < size; at += P, n++)
        bg_patch_fill(out + n * P, data + at, size - at < P ? size - at : P, P);
    if (end)
        bg_patch_fill(out + n++ * P, data, 0, P);
    bg_free(bg_sys_default(), data);
    return n;
}

static uint16_t symbols[1 << 16];

/* Append a file, cut to the first N patches as the reference does. */
static void add_file(fixture *f, const char *name)
{
    const uint32_t N = bg_model_config(f->model)->patches;
    uint32_t n = patches_of(f, name, 1, symbols);
    assert_int_equal(bg_batch_add(&f->batch, symbols, n < N ? n : N, 1, 0), 0);
}

static void add_batch(fixture *f)
{
    json_t *files = json_object_get(f->expected, "batch_files");
    bg_batch_clear(&f->batch);
    for (size_t i = 0; i < json_array_size(files); i++)
        add_file(f, json_string_value(json_array_get(files, i)));
}

static double mean_loss(fixture *f)
{
    double nats[64], sum = 0;
    bg_model_eval(f->model, &f->batch, nats);
    for (uint32_t i = 0; i < f->batch.files; i++)
        sum += nats[i];
    return sum / ((double)f->batch.targets * f->batch.P);
}

static int open_folder(fixture *f, const char *name)
{
    const char *source = getenv("BGPT_SOURCE");
    const char *const roots[] = { "tests/fixtures", "../shared/reference" };
    f->name = name;
    for (size_t i = 0; i < 2; i++) {
        snprintf(f->folder, sizeof f->folder, "%s/%s/%s", source ? source : ".", roots[i], name);
        if (bg_exists(bg_sys_default(), in_folder(f, "expected.json")))
            return 1;
    }
    return 0;
}

static void open_model(fixture *f, bg_isa isa, const char *file)
{
    bg_error err;
    bg_st_file st;
    bg_config c;
    if (bg_st_open(&st, bg_sys_default(), in_folder(f, file), &err) != BG_OK || bg_file_config(&c, &st, &err) != BG_OK)
        fail_msg("%s", err.text);
    bg_st_close(&st);
    const bg_limits limits = bg_config_limits(&c);
    if (bg_pool_open(&f->pool, bg_sys_default(), 2, &err) != BG_OK ||
        bg_cpu_open(&f->be, bg_sys_default(), f->pool, isa, 0, &limits, &err) != BG_OK ||
        bg_model_load(&f->model, in_folder(f, file), f->be, 1, NULL, &err) != BG_OK ||
        bg_batch_open(&f->batch, bg_sys_default(), c.patch_size, 16, 16 * c.patches, &err) != BG_OK ||
        bg_model_reserve(f->model, 16 * c.patches, 16, 48, &err) != BG_OK)
        fail_msg("%s", err.text);
}

static void close_model(fixture *f)
{
    bg_batch_close(&f->batch);
    bg_model_close(f->model);
    bg_backend_close(f->be);
    bg_pool_close(f->pool);
}

static void close_fixture(fixture *f)
{
    close_model(f);
    bg_st_close(&f->tensors);
    json_decref(f->expected);
}

static void open_fixture(fixture *f, const level_case *c)
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
    f->expected = json_load_file(in_folder(f, "expected.json"), 0, &why);
    assert_non_null(f->expected);
    if (bg_st_open(&f->tensors, bg_sys_default(), in_folder(f, "expected.safetensors"), &err) != BG_OK)
        fail_msg("%s", err.text);
    open_model(f, c->isa, "model.safetensors");
    if (f->be->isa != c->isa) {
        print_message("  SKIP: fp32 at %s is that of %s\n", bg_isa_name(c->isa), bg_isa_name(f->be->isa));
        close_fixture(f);
        skip();
    }
}

/* An expected tensor's values; NULL when the fixture does not hold it. */
static float *expected_tensor(fixture *f, const char *prefix, const char *name, uint64_t *count)
{
    char full[256];
    bg_error err;
    *count = 0;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const bg_st_tensor *t = bg_st_find(&f->tensors, full);
    if (!t)
        return NULL;
    float *x = malloc(t->count * sizeof *x);
    if (bg_st_read(&f->tensors, t, 0, x, t->count, &err) != BG_OK)
        fail_msg("%s", err.text);
    *count = t->count;
    return x;
}

static double largest_difference(const float *a, const float *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= most))
            most = d; /* NaN stays and fails the bound */
    }
    return most;
}

static double relative(double a, double b)
{
    return fabs(a - b) / fabs(b);
}

static void test_losses(void **state)
{
    fixture f;
    open_fixture(&f, *state);
    add_batch(&f);
    double most = relative(mean_loss(&f), number(json_object_get(f.expected, "batch_loss")));
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(f.expected, "file_loss"), name, value) {
        bg_batch_clear(&f.batch);
        add_file(&f, name);
        const double d = relative(mean_loss(&f), number(value));
        most = d <= most ? most : d;
    }
    json_t *pair = json_object_get(f.expected, "pair_files");
    if (pair) {
        const uint32_t P = f.batch.P, N = bg_model_config(f.model)->patches;
        uint32_t n = patches_of(&f, json_string_value(json_array_get(pair, 0)), 0, symbols);
        n += patches_of(&f, json_string_value(json_array_get(pair, 1)), 1, symbols + n * P);
        bg_batch_clear(&f.batch);
        bg_batch_add(&f.batch, symbols, n < N ? n : N, 1, 0);
        const double d = relative(mean_loss(&f), number(json_object_get(f.expected, "pair_loss")));
        most = d <= most ? most : d;
    }
    worst(&f, "loss, relative", most, BOUND_LOSS);
    close_fixture(&f);
}

static void test_features_and_logits(void **state)
{
    fixture f;
    open_fixture(&f, *state);
    add_batch(&f);
    const size_t H = bg_model_config(f.model)->hidden, P = f.batch.P;
    float *features = malloc(f.batch.rows * H * sizeof *features);
    float *logits = malloc(f.batch.targets * P * BG_VOCAB * sizeof *logits);
    bg_model_forward(f.model, &f.batch, features, logits);
    uint64_t n;
    float *want = expected_tensor(&f, "batch.", "features", &n);
    const size_t T = n / f.batch.files / H; /* the reference pads all files to T patches */
    double most = 0;
    for (uint32_t b = 0; b < f.batch.files; b++) {
        const size_t rows = f.batch.row_start[b + 1] - f.batch.row_start[b];
        const double d = largest_difference(features + f.batch.row_start[b] * H, want + b * T * H, rows * H);
        most = d <= most ? most : d;
    }
    worst(&f, "features", most, BOUND_VALUE);
    free(want);
    if ((want = expected_tensor(&f, "batch.", "logits", &n))) {
        assert_int_equal(n, f.batch.targets * P * BG_VOCAB);
        worst(&f, "logits", largest_difference(logits, want, n), BOUND_VALUE);
        free(want);
    }
    free(features);
    free(logits);
    close_fixture(&f);
}

/* Element (r,c) of a tensor as the file has it, from the flat buffer. */
static float element(const float *flat, const bg_tensor *t, size_t i)
{
    if (!t->transposed)
        return flat[t->offset + i];
    const size_t r = i / t->shape[1], c = i % t->shape[1];
    return flat[t->offset + c * t->shape[0] + r];
}

static double tensor_error(const float *flat, const bg_tensor *t, const float *want)
{
    double norm = 0, error = 0;
    for (size_t i = 0; i < t->count; i++) {
        const double d = (double)element(flat, t, i) - (double)want[i];
        error += d * d;
        norm += (double)want[i] * (double)want[i];
    }
    return sqrt(error) / sqrt(norm);
}

static void forward_backward(fixture *f)
{
    double nats[64];
    bg_model_zero_grads(f->model);
    bg_model_train(f->model, &f->batch, 1.0f / (float)(f->batch.targets * f->batch.P), NULL, nats);
}

static void test_gradients(void **state)
{
    fixture f;
    open_fixture(&f, *state);
    add_batch(&f);
    forward_backward(&f);
    const bg_params *p = bg_model_params(f.model);
    double most = 0;
    uint32_t compared = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        uint64_t n;
        float *want = expected_tensor(&f, "grad.", p->tensors[i].name, &n);
        if (!want)
            continue;
        assert_int_equal(n, p->tensors[i].count);
        const double d = tensor_error(bg_model_grads(f.model), &p->tensors[i], want);
        if (!(d <= most))
            most = d;
        free(want);
        compared++;
    }
    assert_int_equal(compared, p->count - 1); /* all but the unused wte */
    worst(&f, "gradients, of the norm", most, BOUND_GRADIENT);
    close_fixture(&f);
}

static void run_trajectory(fixture *f, const char *tag)
{
    json_t *run = json_object_get(f->expected, tag), *clip = json_object_get(run, "clip");
    json_t *lrs = json_object_get(run, "lr"), *losses = json_object_get(run, "loss");
    const bg_params *p = bg_model_params(f->model);
    const bg_ops *op = f->be->ops;
    float *m = op->alloc(f->be, p->floats * sizeof *m), *v = op->alloc(f->be, p->floats * sizeof *v);
    double most = 0;
    for (size_t step = 0; step < json_array_size(lrs); step++) {
        const double d = relative(mean_loss(f), number(json_array_get(losses, step)));
        if (!(d <= most))
            most = d;
        forward_backward(f);
        bg_adamw o = { .lr = (float)number(json_array_get(lrs, step)), .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f,
                       .weight_decay = 0.01f, .grad_scale = 1.0f, .step = step + 1 };
        if (json_is_number(clip)) {
            const double norm = sqrt(op->sum_squares(f->be, bg_model_grads(f->model), p->trained));
            const double scale = number(clip) / (norm + 1e-6);
            o.grad_scale = scale < 1 ? (float)scale : 1.0f;
        }
        op->adamw(f->be, bg_model_weights(f->model), bg_model_grads(f->model), m, v, p->trained, &o);
        bg_model_changed(f->model);
    }
    worst(f, tag, most, BOUND_TRAJECTORY);
    op->free(f->be, m);
    op->free(f->be, v);
}

static void test_trajectories(void **state)
{
    static const char *const tags[] = { "adamw", "adamw_cosine_clip" };
    for (size_t i = 0; i < 2; i++) {
        fixture f;
        open_fixture(&f, *state);
        add_batch(&f);
        run_trajectory(&f, tags[i]);
        close_fixture(&f);
    }
}

static void test_classifier(void **state)
{
    fixture f;
    open_fixture(&f, *state);
    close_model(&f);
    open_model(&f, ((const level_case *)*state)->isa, "classifier.safetensors");
    const uint32_t classes = bg_model_config(f.model)->classes;
    const char *name;
    json_t *want;
    double most = 0;
    json_object_foreach(json_object_get(f.expected, "classifier"), name, want) {
        float got[64];
        bg_batch_clear(&f.batch);
        add_file(&f, name);
        bg_model_classify(f.model, &f.batch, got);
        for (uint32_t i = 0; i < classes; i++) {
            const double d = fabs((double)got[i] - number(json_array_get(want, i)));
            if (!(d <= most))
                most = d;
        }
    }
    worst(&f, "classifier logits", most, BOUND_VALUE);
    close_fixture(&f);
}

/* --- generated bytes ----------------------------------------------------- */

typedef struct collected { uint8_t data[8192]; size_t size; } collected;

static int collect(void *ctx, const uint8_t *data, size_t n)
{
    collected *c = ctx;
    assert_true(c->size + n <= sizeof c->data);
    memcpy(c->data + c->size, data, n);
    c->size += n;
    return 0;
}

static void same_bytes(const fixture *f, const char *what, const uint8_t *got, size_t n, const uint8_t *want, size_t want_n)
{
    size_t i = 0;
    while (i < n && i < want_n && got[i] == want[i])
        i++;
    if (n != want_n || i < n)
        fail_msg("%s on %s: %s: %zu bytes made, %zu expected, first difference at %zu", bg_isa_name(f->be->isa), f->name, what,
                 n, want_n, i);
}

/* Greedy bytes without any cache: the whole sequence again for every symbol. */
static size_t generate_uncached(fixture *f, uint16_t *s, size_t known, uint8_t *out, size_t limit)
{
    const uint32_t P = f->batch.P, N = bg_model_config(f->model)->patches;
    float *logits = malloc((size_t)N * P * BG_VOCAB * sizeof *logits);
    size_t made = 0;
    while (made < limit && known < (size_t)N * P) {
        const uint32_t rows = (uint32_t)(known / P) + 1;
        for (size_t i = known; i < (size_t)rows * P; i++)
            s[i] = BG_SPECIAL; /* symbols not yet known have no influence on earlier ones */
        bg_batch_clear(&f->batch);
        assert_int_equal(bg_batch_add(&f->batch, s, rows, rows - 1, 0), 0);
        bg_model_forward(f->model, &f->batch, NULL, logits);
        const float *l = logits + known % P * BG_VOCAB;
        uint16_t best = 0;
        for (uint16_t k = 1; k < BG_VOCAB; k++)
            if (l[k] > l[best])
                best = k;
        if (best == BG_SPECIAL)
            break;
        s[known++] = best;
        out[made++] = (uint8_t)best;
    }
    free(logits);
    return made;
}

typedef struct generation {
    bgpt_request request;
    collected got;
    uint8_t *want, *prompt, *input;
    size_t want_size;
} generation;

static void expected_bytes(const fixture *f, generation *g, json_t *entry)
{
    g->want = slurp(in_folder(f, json_string_value(json_object_get(entry, "out"))), &g->want_size);
    g->request.bytes = collect;
    g->request.ctx = &g->got;
}

static size_t list_generations(const fixture *f, generation *g)
{
    json_t *list = json_object_get(f->expected, "generate"), *convert = json_object_get(f->expected, "convert");
    size_t n = 0;
    char path[128];
    for (; n < json_array_size(list); n++) {
        json_t *entry = json_array_get(list, n), *prompt = json_object_get(entry, "prompt");
        expected_bytes(f, &g[n], entry);
        g[n].request.extension = "abc";
        if (json_is_string(prompt)) {
            snprintf(path, sizeof path, "files/%s", json_string_value(prompt));
            g[n].request.prompt = g[n].prompt = slurp(in_folder(f, path), &g[n].request.prompt_size);
        }
    }
    if (convert) {
        const char *input = json_string_value(json_object_get(convert, "input"));
        expected_bytes(f, &g[n], convert);
        snprintf(path, sizeof path, "files/%s", input);
        g[n].request.input = g[n].input = slurp(in_folder(f, path), &g[n].request.input_size);
        g[n].request.input_extension = extension_of(input);
        g[n].request.extension = json_string_value(json_object_get(convert, "to"));
        n++;
    }
    return n;
}

/* The fixtures stopped at 60 patches in all (conversion: 60 after the prefix);
 * where that, and not an end symbol or the context's end, was the reason, the
 * request gets the same limit. */
static void limit_requests(generation *g, size_t n, uint32_t P)
{
    enum { FIXTURE_PATCHES = 60 };
    for (size_t i = 0; i < n; i++) {
        const size_t start = g[i].input ? 0 : P + g[i].request.prompt_size;
        const int stopped = start + g[i].want_size == (size_t)FIXTURE_PATCHES * P;
        g[i].request.max_bytes = stopped ? g[i].want_size : 0;
        g[i].got.size = 0;
    }
}

static void check_uncached(fixture *f, const generation *g)
{
    static uint16_t s[1 << 16];
    uint8_t out[8192];
    const uint32_t P = f->batch.P;
    size_t known = P;
    bg_patch_start(s, g->request.extension, P);
    if (g->input) {
        bg_patch_start(s, g->request.input_extension, P);
        for (size_t at = 0; at < g->request.input_size; at += P, known += P)
            bg_patch_fill(s + known, g->input + at, g->request.input_size - at < P ? g->request.input_size - at : P, P);
        bg_patch_start(s + known, g->request.extension, P);
        known += P;
    }
    for (size_t i = 0; i < g->request.prompt_size; i++)
        s[known++] = g->prompt[i];
    const size_t limit = g->request.max_bytes ? g->request.max_bytes : sizeof out;
    const size_t made = generate_uncached(f, s, known, out, limit);
    same_bytes(f, "uncached bytes", out, made, g->want, g->want_size);
}

static void test_generation(void **state)
{
    fixture f;
    generation g[8];
    const level_case *c = *state;
    open_fixture(&f, c);
    memset(g, 0, sizeof g);
    const size_t n = list_generations(&f, g);
    bgpt_options opt = { .threads = 2, .precision = BGPT_FP32, .isa = bg_isa_name(c->isa) };
    const bgpt_sampling greedy = { .greedy = 1 };
    bgpt_model *m;
    bgpt_error err;
    if (bgpt_open(&m, in_folder(&f, "model.safetensors"), &opt, &err) != BGPT_OK)
        fail_msg("%s", err.text);
    limit_requests(g, n, f.batch.P);
    for (size_t i = 0; i < n; i++) {
        if (bgpt_generate(m, &g[i].request, 1, &greedy, &err) != BGPT_OK)
            fail_msg("%s", err.text);
        same_bytes(&f, "one at a time", g[i].got.data, g[i].got.size, g[i].want, g[i].want_size);
        check_uncached(&f, &g[i]);
    }
    limit_requests(g, n, f.batch.P);
    bgpt_request all[8];
    for (size_t i = 0; i < n; i++)
        all[i] = g[i].request;
    assert_int_equal(bgpt_generate(m, all, n, &greedy, &err), BGPT_OK);
    for (size_t i = 0; i < n; i++) {
        same_bytes(&f, "all at once", g[i].got.data, g[i].got.size, g[i].want, g[i].want_size);
        bg_free(bg_sys_default(), g[i].want);
        bg_free(bg_sys_default(), g[i].prompt);
        bg_free(bg_sys_default(), g[i].input);
    }
    bgpt_close(m);
    close_fixture(&f);
}

int main(void)
{
    static const char *const fixtures[] = { "micro", "tiny", "small" };
    static const struct { const char *name; CMUnitTestFunction run; } checks[] = {
        { "losses", test_losses }, { "features and logits", test_features_and_logits }, { "gradients", test_gradients },
        { "trajectories", test_trajectories }, { "classifier", test_classifier }, { "generation", test_generation },
    };
    enum { FIXTURES = 3, CHECKS = sizeof checks / sizeof *checks };
    static level_case cases[BG_ISA_COUNT * FIXTURES];
    static struct CMUnitTest tests[BG_ISA_COUNT * FIXTURES * CHECKS];
    static char names[BG_ISA_COUNT * FIXTURES * CHECKS][64];
    size_t n = 0;
    for (int isa = 0; isa < BG_ISA_COUNT; isa++)
        for (size_t i = 0; i < FIXTURES; i++) {
            level_case *c = &cases[isa * FIXTURES + i];
            *c = (level_case){ (bg_isa)isa, fixtures[i] };
            for (size_t k = 0; k < CHECKS; k++, n++) {
                snprintf(names[n], sizeof names[n], "%s, %s, %s", bg_isa_name((bg_isa)isa), fixtures[i], checks[k].name);
                tests[n] = (struct CMUnitTest){ names[n], checks[k].run, NULL, NULL, c };
            }
        }
    cmocka_set_test_filter(getenv("BGPT_TEST_FILTER"));
    return _cmocka_run_group_tests("reference", tests, n, NULL, NULL);
}
