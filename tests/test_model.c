/* The model by itself: the parameter walk, backward against finite
 * differences in a direction (with a byte width of its own, dropout and a
 * classifier), and the bit promises: threads, batch mates, chunks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "ops/cpu/cpu.h"
#include "model/model.h"

typedef struct machine { bg_pool *pool; bg_backend *be; bg_model *model; } machine;

static const bg_config plain = { 64, 2, 2, 64, 12, 8, 0, 0, 0, 0, 0, 0, 0 };
static const bg_config wide_bytes = { 64, 2, 2, 128, 12, 8, 0, 0, 0, 0, 0, 0, 0 };
static const bg_config column = { 64, 2, 2, 128, 12, 8, 0, BG_PREVIOUS_COLUMN, 0, 0, 0, 0, 0 };
static const bg_config keys = { 64, 2, 2, 128, 12, 8, 0, BG_PREVIOUS_KEYS, 0, 0, 0, 0, 0 };
static const bg_config grams = { 64, 2, 2, 128, 12, 8, 0, 0, 500, 0, 0, 0, 0 };
static const bg_config patch_grams = { 64, 2, 2, 128, 12, 8, 0, 0, 0, 0, 500, 0, 0 };
static const bg_config rotary = { 64, 2, 2, 128, 12, 8, 0, 0, 0, 0, 0, 1, 0 };
static const bg_config conv = { 64, 2, 2, 128, 12, 8, 0, 0, 0, 0, 0, 0, 5 };
static const bg_config match = { 64, 2, 2, 128, 12, 8, 0, 0, 0, 1, 0, 0, 0 };
static const bg_config front = { 64, 2, 2, 128, 12, 8, 0, BG_PREVIOUS_PATCH, 0, 0, 0, 0, 0 };
static const bg_config front_one = { 64, 1, 1, 64, 12, 8, 0, BG_PREVIOUS_PATCH, 0, 0, 0, 0, 0 }; /* a front of one layer: nothing but queries */
static const bg_config all = { 64, 2, 2, 128, 12, 8, 0, BG_PREVIOUS_BOTH, 77, 1, 50, 1, 3 }; /* tables of all kinds */
static const bg_config classifier = { 64, 2, 0, 0, 12, 8, 5, 0, 0, 0, 40, 1, 2 };

static void ok(bg_status s, const bg_error *err)
{
    if (s != BG_OK)
        fail_msg("%s", err->text);
}

/* Levels of kernels: fp32, what --precision fast takes instead where there is something, and (not where
 * there is no such machine) the latter in plain C. */
enum {
    FAST = BG_ISA_COUNT, PLAIN = 2 * BG_ISA_COUNT,
#if defined(__x86_64__)
    LEVELS = PLAIN + 3
#else
    LEVELS = PLAIN
#endif
};

static const bg_cpu_level *const plain_levels[] = { &bg_cpu_pairs_bf16, &bg_cpu_pairs_fp16, &bg_cpu_tiles };

static bg_isa level_isa(int level) { return level < PLAIN ? (bg_isa)(level % BG_ISA_COUNT) : BG_ISA_PORTABLE; }

static int level_present(int level)
{
    const int fp32_only = level_isa(level) <= BG_ISA_AVX512;
    return level >= PLAIN || (bg_isa_present(level_isa(level)) && fp32_only == (level < FAST));
}

static const char *level_name(int level)
{
    static char name[64];
    const char *isa = bg_isa_name(level < PLAIN ? level_isa(level) : plain_levels[level - PLAIN]->isa);
    snprintf(name, sizeof name, "%s, %s", isa, level >= PLAIN ? "in plain C" : level >= FAST ? "fast" : "fp32");
    return name;
}

static void open_machine(machine *m, const bg_config *c, int level, unsigned threads, uint32_t chunk)
{
    bg_error err;
    const bg_limits limits = bg_config_limits(c);
    ok(bg_pool_open(&m->pool, bg_sys_default(), threads, &err), &err);
    if (level >= PLAIN)
        ok(bg_cpu_open_level(&m->be, bg_sys_default(), m->pool, plain_levels[level - PLAIN], &limits, &err), &err);
    else
        ok(bg_cpu_open(&m->be, bg_sys_default(), m->pool, level_isa(level), level >= FAST, &limits, &err), &err);
    ok(bg_model_open(&m->model, c, m->be, 1, &err), &err);
    ok(bg_model_reserve(m->model, 64, 8, chunk, &err), &err);
    const bg_params *p = bg_model_params(m->model);
    bg_params_init(p, bg_model_weights(m->model), 7, BG_EMBEDDING_NORMAL);
    /* move biases and norms off 0 and 1, so that an error in any of them shows */
    bg_rng r;
    bg_rng_open(&r, 7, BG_STREAM_USER, 0);
    for (size_t i = 0; i < p->floats; i++)
        bg_model_weights(m->model)[i] += 0.05f * (float)bg_rng_normal(&r);
    bg_model_changed(m->model);
}

static void close_machine(machine *m)
{
    bg_model_close(m->model);
    bg_backend_close(m->be);
    bg_pool_close(m->pool);
}

/* Sequence i of the test batch: (3 + 2i) random patches. */
static void add_sequence(bg_batch *b, uint32_t i)
{
    uint16_t s[16 * 8];
    bg_rng r;
    bg_rng_open(&r, 11, BG_STREAM_USER, i + 1);
    const uint32_t rows = 3 + 2 * i;
    for (uint32_t k = 0; k < rows * b->P; k++) /* now and then what stood there 13 symbols earlier, for the table of matches */
        s[k] = k / 13 % 2 ? s[k - 13] : (uint16_t)bg_rng_below(&r, BG_VOCAB);
    assert_int_equal(bg_batch_add(b, s, rows, 1 + i % 2, (uint16_t)(i % 5)), 0);
}

static void make_batch(bg_batch *b, uint32_t files)
{
    bg_error err;
    ok(bg_batch_open(b, bg_sys_default(), 8, 8, 64, &err), &err);
    for (uint32_t i = 0; i < files; i++)
        add_sequence(b, i);
}

static double total(const double *x, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* Summed loss; the gradient too, of that sum. */
static double loss_of(machine *m, const bg_batch *b, const bg_noise *noise)
{
    double nats[8];
    bg_model_zero_grads(m->model);
    if (bg_model_config(m->model)->classes)
        bg_model_train_classifier(m->model, b, 1.0f, noise, nats, NULL);
    else
        bg_model_train(m->model, b, 1.0f, noise, nats);
    return total(nats, b->files);
}

/* (loss(w + h d) - loss(w - h d)) / 2h against the gradient's product with d.
 * h: truncation falls with h^2 and rounding (1e-6 of a loss near 10^3) grows with 1/h. */
static void check_direction(machine *m, const bg_batch *b, const bg_noise *noise, const float *d, double norm, const char *what)
{
    const size_t n = bg_model_params(m->model)->trained;
    float *w = bg_model_weights(m->model), *kept = malloc(n * sizeof *kept);
    const double h = 0.01 / norm;
    double product = 0, loss[2];
    memcpy(kept, w, n * sizeof *kept);
    loss_of(m, b, noise);
    for (size_t i = 0; i < n; i++)
        product += (double)bg_model_grads(m->model)[i] * d[i];
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++)
            w[i] = kept[i] + (float)((side ? -h : h) * d[i]);
        bg_model_changed(m->model);
        loss[side] = loss_of(m, b, noise);
    }
    memcpy(w, kept, n * sizeof *kept);
    bg_model_changed(m->model);
    free(kept);
    const double slope = (loss[0] - loss[1]) / (2 * h), error = fabs(slope - product) / fabs(slope);
    print_message("  %s: slope %.6g, gradient %.6g\n", what, slope, product);
    if (!(error < 3e-3))
        fail_msg("%s: finite difference %.8g, gradient %.8g", what, slope, product);
}

static void check_gradient(const bg_config *c, const bg_noise *noise, const char *what)
{
    machine m;
    bg_batch b;
    open_machine(&m, c, BG_ISA_PORTABLE, 2, 3);
    make_batch(&b, 4);
    const bg_params *p = bg_model_params(m.model);
    float *d = calloc(p->floats, sizeof *d);
    /* along the gradient, then along random signs with each tensor at its own scale */
    loss_of(&m, &b, noise);
    double norm = 0;
    for (size_t i = 0; i < p->trained; i++) {
        d[i] = bg_model_grads(m.model)[i];
        norm += (double)d[i] * d[i];
    }
    check_direction(&m, &b, noise, d, sqrt(norm), what);
    norm = 0;
    for (uint32_t t = 0; t < p->count; t++) {
        double size = 0;
        const bg_tensor *x = &p->tensors[t];
        for (size_t i = 0; i < x->count; i++)
            size += fabs(bg_model_grads(m.model)[x->offset + i]) / (double)x->count;
        for (size_t i = 0; i < x->count; i++) { /* mostly uphill, so that the slope does not cancel */
            const float g = bg_model_grads(m.model)[x->offset + i];
            d[x->offset + i] = (float)size * (g > 0 ? 1.0f : g < 0 ? -1.0f : 0.0f) * (i % 3 ? 1.0f : 0.2f);
            norm += (double)d[x->offset + i] * d[x->offset + i];
        }
    }
    check_direction(&m, &b, noise, d, sqrt(norm), what);
    free(d);
    bg_batch_close(&b);
    close_machine(&m);
}

static void test_gradients(void **state)
{
    const bg_noise noise = { 0.1f, 5, 3 };
    check_gradient(&plain, NULL, "plain");
    check_gradient(&wide_bytes, NULL, "byte width of its own");
    check_gradient(&column, NULL, "previous column");
    check_gradient(&keys, NULL, "previous keys");
    check_gradient(&front, NULL, "previous patch");
    check_gradient(&front_one, NULL, "previous patch, one layer");
    check_gradient(&grams, NULL, "n-grams");
    check_gradient(&patch_grams, NULL, "n-grams of patches");
    check_gradient(&match, NULL, "matches");
    check_gradient(&rotary, NULL, "rotary positions");
    check_gradient(&conv, NULL, "convolutions");
    check_gradient(&all, &noise, "every extension, dropout");
    check_gradient(&classifier, NULL, "classifier");
    check_gradient(&plain, &noise, "plain, dropout");
    check_gradient(&wide_bytes, &noise, "byte width of its own, dropout");
    check_gradient(&classifier, &noise, "classifier, dropout");
}

/* The gradient of a narrow level points where fp32's does.  Each of the few
 * layers rounds its activations and their gradients, about 2^-9 (bf16) of them each time. */
static void test_narrow_gradients(void **state)
{
    machine m;
    bg_batch b;
    float *want = NULL;
    make_batch(&b, 4);
    for (int level = BG_ISA_PORTABLE; level < LEVELS; level = level == BG_ISA_PORTABLE ? FAST : level + 1) {
        double nats[8], along = 0, size = 0, wanted = 0;
        if (!level_present(level))
            continue;
        open_machine(&m, &plain, level, 2, 3);
        const size_t n = bg_model_params(m.model)->trained;
        /* as training does it; the scale that fp16 needs is a power of two, which changes nothing elsewhere */
        const float loss_scale = 1024;
        bg_model_zero_grads(m.model);
        bg_model_train(m.model, &b, loss_scale / 1000, NULL, nats);
        const float *g = bg_model_grads(m.model);
        if (!want) {
            want = malloc(n * sizeof *want);
            memcpy(want, g, n * sizeof *want);
        }
        for (size_t i = 0; i < n; i++) {
            along += (double)g[i] * want[i];
            size += (double)g[i] * g[i];
            wanted += (double)want[i] * want[i];
        }
        const double cosine = along / sqrt(size * wanted), ratio = sqrt(size / wanted);
        print_message("  %s: cosine with fp32 1 - %.2g, norm %.5f of it\n", level_name(level), 1 - cosine, ratio);
        if (!(cosine > 0.9995 && fabs(ratio - 1) < 0.01))
            fail_msg("%s: cosine %.6f, norm %.5f of fp32's", level_name(level), cosine, ratio);
        close_machine(&m);
    }
    free(want);
    bg_batch_close(&b);
}

/* Shapes whose bits are compared: with all tables, and with whole patches in front. */
static const bg_config *const shapes[] = { &all, &front };
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void same_bits(const float *a, const float *b, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0)
            fail_msg("%s: element %zu of %zu is %.9g, expected %.9g", what, i, n, (double)a[i], (double)b[i]);
}

/* Gradients have the same bits for any number of threads, at every level. */
static void test_threads(void **state)
{
    static const unsigned threads[] = { 1, 2, 3, 4, 7 };
    const bg_noise noise = { 0.1f, 5, 3 };
    for (int i = 0; i < SHAPES * LEVELS; i++) {
        const int level = i % LEVELS;
        if (!level_present(level))
            continue;
        float *first = NULL;
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            machine m;
            bg_batch b;
            open_machine(&m, shapes[i / LEVELS], level, threads[t], 3);
            make_batch(&b, 5);
            loss_of(&m, &b, &noise);
            const size_t n = bg_model_params(m.model)->trained;
            if (!first) {
                first = malloc(n * sizeof *first);
                memcpy(first, bg_model_grads(m.model), n * sizeof *first);
            }
            same_bits(bg_model_grads(m.model), first, n, level_name(level));
            bg_batch_close(&b);
            close_machine(&m);
        }
        free(first);
    }
}

/* A sequence's loss does not depend on its batch mates or on the chunks. */
static void test_batch_mates(void **state)
{
    static const uint32_t chunks[] = { 1, 3, 64 };
    for (int k = 0; k < SHAPES * LEVELS; k++) {
        const int level = k % LEVELS;
        if (!level_present(level))
            continue;
        double alone[5], together[5];
        for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
            machine m;
            bg_batch b;
            open_machine(&m, shapes[k / LEVELS], level, 2, chunks[c]);
            make_batch(&b, 5);
            bg_model_eval(m.model, &b, together);
            for (uint32_t i = 0; i < 5; i++) {
                bg_batch_clear(&b);
                add_sequence(&b, i);
                double nats;
                bg_model_eval(m.model, &b, &nats);
                if (c == 0)
                    alone[i] = nats;
                if (memcmp(&nats, &alone[i], sizeof nats) || memcmp(&together[i], &alone[i], sizeof nats))
                    fail_msg("%s, chunk %u: sequence %u has %.17g alone, %.17g together, expected %.17g",
                             level_name(level), (unsigned)chunks[c], (unsigned)i, nats, together[i], alone[i]);
            }
            bg_batch_close(&b);
            close_machine(&m);
        }
    }
}

/* Cached logits have the bits of the whole pass. */
static void test_cached(void **state)
{
    for (int k = 0; k < SHAPES * LEVELS; k++) {
        const int level = k % LEVELS;
        if (!level_present(level))
            continue;
        machine m;
        bg_batch b;
        bg_error err;
        bg_decoder *d;
        open_machine(&m, shapes[k / LEVELS], level, 2, 3);
        make_batch(&b, 5);
        const uint32_t P = b.P;
        float *whole = malloc((size_t)b.rows * P * BG_VOCAB * sizeof *whole), *step = malloc(3 * BG_VOCAB * sizeof *step);
        ok(bg_decoder_open(&d, m.model, 3, &err), &err);
        for (uint32_t f = 0; f < 5; f++) {
            bg_model_forward(m.model, &b, NULL, whole);
            const uint32_t slot = f % 3, end = b.target_start[f + 1];
            bg_decoder_reset(d, slot, b.row_start[f + 1] - b.row_start[f]);
            uint32_t slots[16], done = b.row_start[f];
            for (uint32_t i = 0; i < 16; i++)
                slots[i] = slot;
            assert_true(end - b.target_start[f] >= 2);
            for (uint32_t target = end - 2; target < end; target++) { /* its last two patches, of which the first is cut short once */
                const uint32_t row = b.target[target], symbols = target + 1 == end || f ? P : P / 2;
                bg_decoder_patches(d, slots, b.tokens + done * P, row - done);
                done = row;
                assert_int_equal(bg_decoder_length(d, slot), row - b.row_start[f]);
                for (uint32_t i = 0; i < symbols; i++) {
                    const uint16_t before = i ? b.tokens[row * P + i - 1] : 0;
                    bg_decoder_bytes(d, &slot, &before, 1, step);
                    same_bits(step, whole + ((size_t)target * P + i) * BG_VOCAB, BG_VOCAB, level_name(level));
                }
            }
        }
        free(whole);
        free(step);
        bg_decoder_close(d);
        bg_batch_close(&b);
        close_machine(&m);
    }
}

static void test_walk(void **state)
{
    const bg_config published = { 768, 12, 3, 768, 512, 16, 0, 0, 0, 0, 0, 0, 0 };
    bg_params p;
    bg_error err;
    ok(bg_params_build(&p, &published, bg_sys_default(), &err), &err);
    assert_int_equal(p.parameters, 110084352);
    size_t end = 0;
    for (uint32_t i = 0; i < p.count; i++) {
        const bg_tensor *t = &p.tensors[i];
        assert_ptr_equal(bg_params_find(&p, t->name), t); /* names are unique */
        assert_int_equal(t->offset % 16, 0);
        assert_true(t->offset + t->count <= p.floats);
        for (uint32_t k = 0; k < i; k++)
            assert_true(t->offset >= p.tensors[k].offset + p.tensors[k].count || p.tensors[k].offset >= t->offset + t->count);
        end += t->count;
    }
    assert_int_equal(end, p.parameters);
    assert_int_equal(p.tensors[p.at[BG_PATCH_WTE]].offset, p.trained);
    assert_null(bg_params_find(&p, "lm_head.weight"));
    bg_params_free(&p, bg_sys_default());
}

static void test_config(void **state)
{
    const bg_config bad[] = { { 100, 1, 1, 100, 12, 8, 0, 0, 0, 0, 0, 0, 0 }, { 64, 0, 1, 64, 12, 8, 0, 0, 0, 0, 0, 0, 0 }, { 64, 1, 0, 64, 12, 8, 0, 0, 0, 0, 0, 0, 0 },
                              { 64, 1, 1, 65, 12, 8, 0, 0, 0, 0, 0, 0, 0 }, { 64, 1, 1, 64, 1, 8, 0, 0, 0, 0, 0, 0, 0 }, { 64, 1, 1, 64, 12, 0, 0, 0, 0, 0, 0, 0, 0 },
                              { 64, 1, 1, 64, 12, 65, 0, 0, 0, 0, 0, 0, 0 }, { 1u << 31, 1, 1, 64, 12, 8, 0, 0, 0, 0, 0, 0, 0 }, { 64, 1, 1, 64, 12, 8, 70000, 0, 0, 0, 0, 0, 0 } };
    bg_error err;
    assert_int_equal(bg_config_check(&plain, "m", &err), BG_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (bg_config_check(&bad[i], "m", &err) != BG_ERR_FORMAT)
            fail_msg("configuration %zu was accepted", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk), cmocka_unit_test(test_config), cmocka_unit_test(test_gradients), cmocka_unit_test(test_narrow_gradients),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_batch_mates), cmocka_unit_test(test_cached),
    };
    cmocka_set_skip_filter(getenv("BGPT_MODEL_SKIP")); /* a pattern of names, for an emulator; NULL: none */
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
