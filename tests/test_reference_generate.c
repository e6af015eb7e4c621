/* Agreement with the published Python code: the bytes that it generated and
 * converted greedily, made one request at a time, all at once, and without any
 * cache.  Levels, fixtures and BGPT_TEST_FILTER are as in test_reference.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bgpt.h"
#include "tests/support_fixture.h"

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
    g->want = fixture_slurp(fixture_path(f, json_string_value(json_object_get(entry, "out"))), &g->want_size);
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
            g[n].request.prompt = g[n].prompt = fixture_slurp(fixture_path(f, path), &g[n].request.prompt_size);
        }
    }
    if (convert) {
        const char *input = json_string_value(json_object_get(convert, "input"));
        expected_bytes(f, &g[n], convert);
        snprintf(path, sizeof path, "files/%s", input);
        g[n].request.input = g[n].input = fixture_slurp(fixture_path(f, path), &g[n].request.input_size);
        g[n].request.input_extension = fixture_extension(input);
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
    const fixture_case *c = *state;
    fixture_open(&f, c);
    memset(g, 0, sizeof g);
    const size_t n = list_generations(&f, g);
    bgpt_options opt = { .threads = 2, .precision = BGPT_FP32, .isa = bg_isa_name(c->isa) };
    const bgpt_sampling greedy = { .greedy = 1 };
    bgpt_model *m;
    bgpt_error err;
    if (bgpt_open(&m, fixture_path(&f, "model.safetensors"), &opt, &err) != BGPT_OK)
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
    fixture_close(&f);
}

int main(void)
{
    static const fixture_check checks[] = { { "generation", test_generation } };
    return fixture_run("reference, generation", checks, 1);
}
