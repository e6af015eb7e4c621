/* Rotary positions and convolutions as docs/FORMAT.md defines them: the features of a patch decoder against loops in double
 * precision, with places left out; and the base that a file must hold.  The feed-forward
 * products are set to nothing: what is tested is attention. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "model/file.h"
#include "model/model.h"
#include "ops/cpu/cpu.h"
#include "support_check.h"
#include "support_fs.h"
#include "support_machine.h"

enum { H = 128, HEADS = H / 64, LAYERS = 2, P = 4, ROWS = 90, PLACES = 300 };

static const bg_config shape = { H, LAYERS, 1, 64, PLACES, P, 0, 0, 0, 0, 0, 1, 3 };

static float *tensor(const machine *m, const char *name, uint32_t layer)
{
    char full[BG_TENSOR_NAME];
    const int prefix = snprintf(full, sizeof full, "patch_level_decoder.");
    snprintf(full + prefix, sizeof full - (size_t)prefix, name, (unsigned)layer);
    const bg_tensor *t = bg_params_find(bg_model_params(m->model), full);
    assert_non_null(t);
    return bg_model_weights(m->model) + t->offset;
}

/* Weights large enough for attention to be far from even. */
static void open_rotary(machine *m, bg_isa isa)
{
    bg_error err;
    const bg_limits limits = bg_config_limits(&shape);
    bg_rng r;
    CHECK_OK(bg_pool_open(&m->pool, bg_sys_default(), 1, &err), err);
    CHECK_OK(bg_cpu_open(&m->be, bg_sys_default(), m->pool, isa, 0, &limits, &err), err);
    CHECK_OK(bg_model_open(&m->model, &shape, m->be, BG_WEIGHTS_TRAIN, &err), err);
    CHECK_OK(bg_model_reserve(m->model, ROWS, 1, 0, &err), err);
    const bg_params *p = bg_model_params(m->model);
    float *w = bg_model_weights(m->model);
    bg_params_init(p, w, 3, BG_EMBEDDING_NORMAL);
    bg_rng_open(&r, 3, BG_STREAM_USER, 0);
    for (size_t i = 0; i < p->trained; i++)
        w[i] += 0.1f * (float)bg_rng_normal(&r);
    for (uint32_t layer = 0; layer < LAYERS; layer++) {
        memset(tensor(m, "base.h.%u.mlp.c_proj.weight", layer), 0, 4 * H * H * sizeof *w);
        memset(tensor(m, "base.h.%u.mlp.c_proj.bias", layer), 0, H * sizeof *w);
    }
    bg_model_changed(m->model);
}

/* --- the definition ------------------------------------------------------------------ */

static void normalise(double *y, const double *x, const float *g, const float *b)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < H; i++)
        mean += x[i] / H;
    for (int i = 0; i < H; i++)
        variance += (x[i] - mean) * (x[i] - mean) / H;
    for (int i = 0; i < H; i++)
        y[i] = (x[i] - mean) / sqrt(variance + 1e-5) * g[i] + b[i];
}

static void product(double *y, const double *x, const float *w, const float *b, int columns)
{
    for (int n = 0; n < columns; n++) {
        y[n] = b[n];
        for (int k = 0; k < H; k++)
            y[n] += x[k] * w[k * columns + n];
    }
}

/* The heads of queries or of keys x (H), of the patch at `place`. */
static void turn(double *x, uint32_t place)
{
    for (int head = 0; head < HEADS; head++)
        for (int d = 0; d < 32; d++) {
            double *at = x + head * 64 + d, a = at[0], b = at[32];
            const double angle = place * pow(1024, -d / 32.0);
            at[0] = a * cos(angle) - b * sin(angle);
            at[32] = a * sin(angle) + b * cos(angle);
        }
}

static void attend(double *out, double (*qkv)[3 * H], int row, int head)
{
    const double *q = qkv[row] + head * 64;
    double share[ROWS], sum = 0;
    for (int j = 0; j <= row; j++) {
        share[j] = 0;
        for (int d = 0; d < 64; d++)
            share[j] += q[d] * qkv[j][H + head * 64 + d] / 8;
        sum += share[j] = exp(share[j]);
    }
    for (int d = 0; d < 64; d++) {
        out[head * 64 + d] = 0;
        for (int j = 0; j <= row; j++)
            out[head * 64 + d] += share[j] / sum * qkv[j][2 * H + head * 64 + d];
    }
}

/* What the definition leaves out, to see that it is noticed. */
typedef enum omission { NOTHING, TURNS, CONVOLUTIONS } omission;

static void layer_of(const machine *m, uint32_t layer, double (*x)[H], const bg_batch *b, omission without)
{
    static double normal[ROWS][H], qkv[ROWS][3 * H];
    double y[H], mixed[H];
    const float *w = tensor(m, "conv_1.%u.weight", layer);
    for (uint32_t r = 0; r < b->rows; r++) {
        normalise(normal[r], x[r], tensor(m, "base.h.%u.ln_1.weight", layer), tensor(m, "base.h.%u.ln_1.bias", layer));
        memcpy(y, normal[r], sizeof y);
        for (uint32_t other = 0; without != CONVOLUTIONS && other < r; other++) {
            const uint32_t distance = b->position[r] - b->position[other];
            for (int i = 0; distance <= shape.conv && i < H; i++)
                y[i] += w[(distance - 1) * H + i] * normal[other][i];
        }
        product(qkv[r], y, tensor(m, "base.h.%u.attn.c_attn.weight", layer), tensor(m, "base.h.%u.attn.c_attn.bias", layer), 3 * H);
        for (int part = 0; without != TURNS && part < 2; part++)
            turn(qkv[r] + part * H, b->position[r]);
    }
    for (uint32_t r = 0; r < b->rows; r++) {
        for (int head = 0; head < HEADS; head++)
            attend(mixed, qkv, (int)r, head);
        product(y, mixed, tensor(m, "base.h.%u.attn.c_proj.weight", layer), tensor(m, "base.h.%u.attn.c_proj.bias", layer), H);
        for (int i = 0; i < H; i++)
            x[r][i] += y[i];
    }
}

/* features (rows,H) */
static void define(const machine *m, double (*features)[H], const bg_batch *b, omission without)
{
    static double x[ROWS][H];
    const float *embed = tensor(m, "patch_embedding.weight", 0), *bias = tensor(m, "patch_embedding.bias", 0), *places = tensor(m, "base.wpe.weight", 0);
    for (uint32_t r = 0; r < b->rows; r++)
        for (int i = 0; i < H; i++) {
            x[r][i] = bias[i] + places[b->position[r] * H + i];
            for (int k = 0; k < P; k++) /* held transposed in memory */
                x[r][i] += embed[(k * BG_VOCAB + b->tokens[r * P + k]) * H + i];
        }
    for (uint32_t layer = 0; layer < LAYERS; layer++)
        layer_of(m, layer, x, b, without);
    for (uint32_t r = 0; r < b->rows; r++)
        normalise(features[r], x[r], tensor(m, "base.ln_f.weight", 0), tensor(m, "base.ln_f.bias", 0));
}

/* --- tests ---------------------------------------------------------------------------- */

/* A sequence of 130 patches of which 40 are left out. */
static void make_batch(bg_batch *b)
{
    uint16_t symbols[130 * P];
    bg_error err;
    bg_rng r;
    bg_rng_open(&r, 4, BG_STREAM_USER, 0);
    for (int i = 0; i < 130 * P; i++)
        symbols[i] = (uint16_t)bg_rng_below(&r, BG_VOCAB);
    CHECK_OK(bg_batch_open(b, bg_sys_default(), P, 1, 130, &err), err);
    assert_int_equal(bg_batch_add(b, symbols, 130, 110, 0), 0);
    bg_batch_skip(b, 30, 40);
    assert_int_equal(b->rows, ROWS);
    assert_int_equal(b->position[ROWS - 1], 129);
}

/* Relative difference of the features from the definition. */
static double difference(const float *got, double (*want)[H], uint32_t rows)
{
    double square = 0, size = 0;
    for (uint32_t i = 0; i < rows * H; i++) {
        const double w = want[i / H][i % H];
        square += (got[i] - w) * (got[i] - w);
        size += w * w;
    }
    return sqrt(square / size);
}

static void features_as_defined(void **state)
{
    static double want[ROWS][H], poorer[ROWS][H];
    static float got[ROWS * H];
    bg_batch b;
    make_batch(&b);
    for (int isa = BG_ISA_PORTABLE; isa <= BG_ISA_AVX512; isa++) {
        machine m;
        if (!bg_isa_present((bg_isa)isa))
            continue;
        open_rotary(&m, (bg_isa)isa);
        define(&m, want, &b, NOTHING);
        bg_model_forward(m.model, &b, got, NULL);
        assert_true(difference(got, want, b.rows) < 1e-5);
        for (omission without = TURNS; without <= CONVOLUTIONS; without++) {
            define(&m, poorer, &b, without);
            assert_true(difference(got, poorer, b.rows) > 1e-2);
        }
        close_machine(&m);
    }
    bg_batch_close(&b);
}

static void another_base_is_refused(void **state)
{
    static const float bases[] = { 512, 0, -1024 };
    char *folder = fs_make_folder();
    const char *path = fs_path(folder, "model.safetensors");
    for (int i = 0; i < 3; i++) {
        machine m;
        bg_error err;
        bg_model *other;
        open_rotary(&m, BG_ISA_PORTABLE);
        CHECK_OK(bg_model_save(m.model, path, 1, NULL, NULL, 0, &err), err);
        CHECK_OK(bg_model_load(&other, path, m.be, BG_WEIGHTS_RUN, NULL, &err), err);
        bg_model_close(other);
        *tensor(&m, "rotary.base", 0) = bases[i];
        CHECK_OK(bg_model_save(m.model, path, 1, NULL, NULL, 0, &err), err);
        CHECK_FAILS(bg_model_load(&other, path, m.be, BG_WEIGHTS_RUN, NULL, &err), BG_ERR_FORMAT, "only 1024", err);
        assert_null(other);
        close_machine(&m);
    }
    fs_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(features_as_defined), cmocka_unit_test(another_base_is_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
