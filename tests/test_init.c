/* First weights: deviations, what the kinds of embeddings share, that with
 * BG_EMBEDDING_BITS a bit of a number moves its row the same way in all, and
 * that with BG_EMBEDDING_LEVELS neighbours are alike. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "data/batch.h"
#include "model/params.h"
#include "tests/support_check.h"

enum { PATCHES = 130 }; /* 129 numbers, 8 bits */

static const bg_config shape = { .hidden = 128, .patch_layers = 1, .byte_layers = 1, .byte_hidden = 128, .patches = PATCHES, .patch_size = 4,
                                 .previous = BG_PREVIOUS_BOTH };

typedef struct weights {
    bg_params p;
    float *normal, *bits, *levels;
} weights;

static void open_weights(weights *w)
{
    bg_error err;
    CHECK_OK(bg_params_build(&w->p, &shape, bg_sys_default(), &err), err);
    assert_non_null(w->normal = malloc(w->p.floats * sizeof(float)));
    assert_non_null(w->bits = malloc(w->p.floats * sizeof(float)));
    bg_params_init(&w->p, w->normal, 5, BG_EMBEDDING_NORMAL);
    bg_params_init(&w->p, w->bits, 5, BG_EMBEDDING_BITS);
    assert_non_null(w->levels = malloc(w->p.floats * sizeof(float)));
    bg_params_init(&w->p, w->levels, 5, BG_EMBEDDING_LEVELS);
}

static void close_weights(weights *w)
{
    free(w->normal);
    free(w->bits);
    free(w->levels);
    bg_params_free(&w->p, bg_sys_default());
}

static double deviation(const float *w, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)w[i] * w[i];
    return sqrt(sum / (double)n);
}

/* Correlation of (row a + 1 - row a) with (row b + 1 - row b). */
static double step_correlation(const float *w, size_t columns, size_t a, size_t b)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t k = 0; k < columns; k++) {
        const double x = w[(a + 1) * columns + k] - w[a * columns + k], y = w[(b + 1) * columns + k] - w[b * columns + k];
        ab += x * y, aa += x * x, bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

/* Two even numbers and their successors differ in bit 0 alone: of a row's variance 3/4 are bits, spread over them; a step of
 * one bit changes 4 * 3/4 / bits of it, and the noise of two rows 2 * 1/4. */
static void check_table(const weights *w, const char *name, size_t from, int bits)
{
    const bg_tensor *t = bg_params_find(&w->p, name);
    assert_non_null(t);
    const size_t columns = t->transposed ? t->shape[0] : t->shape[1];
    const float *normal = w->normal + t->offset + from * columns, *coded = w->bits + t->offset + from * columns;
    const double step = 3.0 / bits, wanted = step / (step + 0.5);
    double mean = 0, unrelated = 0, other = 0;
    for (size_t i = 0; i < 16; i++) {
        mean += step_correlation(coded, columns, 2 * i, 2 * i + 64) / 16;
        unrelated += step_correlation(normal, columns, 2 * i, 2 * i + 64) / 16;
        other += step_correlation(coded, columns, 2 * i, 8 * i + 1) / 16; /* bit 0 against bit 1 with bit 0 the other way */
    }
    if (fabs(mean - wanted) > 0.1 || fabs(unrelated) > 0.1 || other > wanted - 0.2)
        fail_msg("%s: steps of bit 0 correlate by %.3f instead of %.3f, unrelated rows by %.3f, steps of other bits by %.3f", name, mean, wanted, unrelated, other);
}

static void numbers_share_their_bits(void **state)
{
    weights w;
    (void)state;
    open_weights(&w);
    for (size_t column = 0; column < shape.patch_size; column++)
        check_table(&w, "patch_level_decoder.patch_embedding.weight", column * BG_VOCAB, 8);
    check_table(&w, "patch_level_decoder.base.wpe.weight", 1, 8);
    check_table(&w, "byte_level_decoder.base.transformer.wte.weight", 0, 8);
    check_table(&w, "byte_level_decoder.previous.weight", 0, 8);
    check_table(&w, "byte_level_decoder.previous_keys.0.symbols", 0, 8);
    close_weights(&w);
}

static double correlation(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t k = 0; k < n; k++)
        ab += (double)a[k] * b[k], aa += (double)a[k] * a[k], bb += (double)b[k] * b[k];
    return ab / sqrt(aa * bb);
}

/* Mean correlation of the rows of v and of v + apart, v = 0, 7, 14, ... */
static double alike(const float *table, size_t columns, size_t numbers, size_t apart)
{
    double sum = 0;
    size_t n = 0;
    for (size_t v = 0; v + apart < numbers; v += 7, n++)
        sum += correlation(table + v * columns, table + (v + apart) * columns, columns);
    return sum / (double)n;
}

/* Half of the numbers apart, a sum of cosines that has no mean is opposed more often than not. */
static void neighbours_are_alike(void **state)
{
    weights w;
    (void)state;
    open_weights(&w);
    for (uint32_t i = 0; i < w.p.count; i++) {
        const bg_tensor *t = &w.p.tensors[i];
        const bg_numbered *n = &t->numbered;
        if (!n->numbers || n->places)
            continue;
        const size_t columns = t->transposed ? t->shape[0] : t->shape[1];
        const float *levels = w.levels + t->offset + n->first * columns, *normal = w.normal + t->offset + n->first * columns;
        const double next = alike(levels, columns, n->numbers, 1), near = alike(levels, columns, n->numbers, n->numbers / 8);
        const double far = alike(levels, columns, n->numbers, n->numbers / 2);
        if (next < 0.99 || near > next - 0.02 || near < 0.5 || far > 0)
            fail_msg("%s: neighbours correlate by %.3f, an eighth of the numbers apart by %.3f, half of them apart by %.3f", t->name, next, near, far);
        assert_true(fabs(alike(normal, columns, n->numbers, 1)) < 0.1);
    }
    close_weights(&w);
}

/* Each position of a patch has directions of its own. */
static void columns_are_apart(void **state)
{
    weights w;
    (void)state;
    open_weights(&w);
    const bg_tensor *t = bg_params_find(&w.p, "patch_level_decoder.patch_embedding.weight");
    assert_true(fabs(step_correlation(w.bits + t->offset, t->shape[0], 0, BG_VOCAB)) < 0.3);
    const float *levels = w.levels + t->offset;
    assert_true(fabs(correlation(levels, levels + BG_VOCAB * t->shape[0], t->shape[0])) < 0.3);
    close_weights(&w);
}

static void check_rest(const weights *w, const float *changed, int places_too)
{
    for (uint32_t i = 0; i < w->p.count; i++) {
        const bg_tensor *t = &w->p.tensors[i];
        const float *a = w->normal + t->offset, *b = changed + t->offset;
        if (!t->numbered.numbers || (t->numbered.places && !places_too)) {
            assert_memory_equal(a, b, t->count * sizeof *a);
            continue;
        }
        /* deviations: of few numbers, so within a tenth */
        if (fabs(deviation(b, t->count) / deviation(a, t->count) - 1) > 0.1)
            fail_msg("%s: deviation %.5f instead of %.5f", t->name, deviation(b, t->count), deviation(a, t->count));
        const size_t columns = t->transposed ? t->shape[0] : t->shape[1];
        const size_t alone = i == w->p.at[BG_PATCH_WPE] ? 0 : 256; /* the start patch; the symbol of padding and end */
        assert_memory_equal(a + alone * columns, b + alone * columns, columns * sizeof *a);
    }
}

static void the_rest_is_the_same(void **state)
{
    weights w;
    (void)state;
    open_weights(&w);
    check_rest(&w, w.bits, 1);
    check_rest(&w, w.levels, 0);
    close_weights(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_share_their_bits),
        cmocka_unit_test(neighbours_are_alike),
        cmocka_unit_test(columns_are_apart),
        cmocka_unit_test(the_rest_is_the_same),
    };
    return cmocka_run_group_tests_name("first weights", tests, NULL, NULL);
}
