/* The configuration that a file's tensors imply, and every way in which they
 * can contradict each other: headers made from the walk with one change each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "model/file.h"
#include "tests/support_check.h"

static const bg_config plain = { 64, 1, 1, 64, 5, 2, 0, 0, 0, 0, 0, 0, 0 };
static const bg_config conv = { 64, 2, 1, 64, 5, 2, 0, 0, 0, 0, 0, 0, 4 };
static const bg_config rotary = { 64, 1, 1, 64, 5, 2, 0, 0, 0, 0, 0, 1, 0 };
static const bg_config wide_bytes = { 64, 1, 2, 128, 5, 3, 0, 0, 0, 0, 0, 0, 0 };
static const bg_config classifier = { 64, 2, 0, 64, 5, 2, 7, 0, 0, 0, 0, 0, 0 };

/* One change to the header of a model of `config`. */
typedef struct change {
    const bg_config *config;
    const char *tensor;   /* which is changed or added */
    const char *entry;    /* NULL: left out; else dtype and shape, "F32 2 3" */
    const char *part;     /* of the sentence; NULL: taken */
} change;

static void add_entry(bg_text *t, const char *name, const char *dtype, uint32_t dims, const uint64_t *shape, uint64_t *at)
{
    uint64_t bytes = dtype[0] == 'B' ? 1 : dtype[1] == '1' ? 2 : 4;
    bg_text_add(t, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->size > 1 ? "," : "", name, dtype);
    for (uint32_t i = 0; i < dims; i++) {
        bg_text_add(t, "%s%llu", i ? "," : "", (unsigned long long)shape[i]);
        bytes *= shape[i];
    }
    bg_text_add(t, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)*at, (unsigned long long)(*at + bytes));
    *at += bytes;
}

static void add_change(bg_text *t, const change *c, uint64_t *at)
{
    char dtype[8];
    uint64_t shape[4] = { 0 };
    unsigned long long d[4];
    if (!c->entry)
        return;
    const int n = sscanf(c->entry, "%7s %llu %llu %llu %llu", dtype, &d[0], &d[1], &d[2], &d[3]);
    for (int i = 0; i + 1 < n; i++)
        shape[i] = d[i];
    add_entry(t, c->tensor, dtype, (uint32_t)n - 1, shape, at);
}

static bg_status changed_config(const change *c, bg_config *out, bg_error *err)
{
    bg_params p;
    bg_text t;
    bg_st_file f = { .fd = -1, .sys = bg_sys_default(), .path = bg_strdup(bg_sys_default(), "m.safetensors") };
    uint64_t at = 0;
    CHECK_OK(bg_params_build(&p, c->config, f.sys, err), *err);
    bg_text_open(&t, f.sys);
    bg_text_add(&t, "{");
    for (uint32_t i = 0; i < p.count; i++)
        if (!c->tensor || strcmp(p.tensors[i].name, c->tensor) != 0)
            add_entry(&t, p.tensors[i].name, "F32", p.tensors[i].dims, p.tensors[i].shape, &at);
    if (c->tensor)
        add_change(&t, c, &at);
    bg_text_add(&t, "}");
    CHECK_OK(bg_st_parse(&f, t.data, t.size, 8 + t.size + at, err), *err);
    const bg_status s = bg_file_config(out, &f, err);
    bg_st_close(&f);
    bg_text_close(&t);
    bg_params_free(&p, bg_sys_default());
    return s;
}

#define PATCH "patch_level_decoder."
#define BYTE "byte_level_decoder."

static const change changes[] = {
    { &plain, NULL, NULL, NULL },
    { &wide_bytes, NULL, NULL, NULL },
    { &classifier, NULL, NULL, NULL },
    { &rotary, NULL, NULL, NULL },
    { &conv, NULL, NULL, NULL },
    { &conv, PATCH "conv_2.1.weight", "F32 3 64", "conv_2.1.weight: dimension 0 is 3 in the file, 4 by" },
    { &conv, PATCH "conv_1.0.weight", "F32 17 64", "reach of convolutions 17" },
    { &conv, PATCH "conv_2.1.weight", NULL, "conv_2.1.weight is missing" },
    { &plain, PATCH "base.ln_f.bias", "F16 64", NULL },
    { &plain, PATCH "base.h.0.attn.bias", "BOOL 1 1 5 5", NULL },
    { &plain, PATCH "base.h.0.attn.masked_bias", "F32", NULL },
    { &plain, BYTE "base.lm_head.weight", "F32 257 64", NULL },
    { &plain, "optimizer.m." PATCH "base.ln_f.bias", "F32 64", NULL },
    { &plain, BYTE "base.lm_head.weight", "F32 257 65", "lm_head.weight: dimension 1 is 65" },
    { &rotary, PATCH "rotary.base", "F32 2", "rotary.base: dimension 0 is 2 in the file, 1 by" },
    { &plain, "something.else", "F32 4", "tensor something.else does not belong" },
    { &plain, "classifier.weight", "F32 3 64", "classifier.bias is missing" },
    { &plain, PATCH "base.h.2.ln_1.weight", "F32 64", "h.2.ln_1.weight does not belong" },
    { &plain, PATCH "base.h.1.ln_1.weight", "F32 64", "h.1.ln_1.bias is missing" },
    { &plain, PATCH "patch_embedding.weight", NULL, "patch_embedding.weight is missing" },
    { &plain, PATCH "base.wpe.weight", NULL, "base.wpe.weight is missing" },
    { &plain, PATCH "base.h.0.mlp.c_fc.bias", NULL, "mlp.c_fc.bias is missing" },
    { &plain, PATCH "base.h.0.ln_1.weight", NULL, "number of patch layers 0" },
    { &plain, BYTE "base.transformer.wte.weight", NULL, "wte.weight is missing" },
    { &plain, BYTE "base.transformer.h.0.ln_1.weight", NULL, "number of byte layers 0" },
    { &plain, PATCH "patch_embedding.weight", "F32 64 513", "width 513 is not a multiple of 257" },
    { &plain, PATCH "patch_embedding.weight", "F32 64 0", "patch size 0" },
    { &plain, PATCH "patch_embedding.weight", "F32 63 514", "hidden width 63" },
    { &plain, PATCH "patch_embedding.weight", "F32 0 514", "hidden width 0" },
    { &plain, PATCH "patch_embedding.weight", "F32 64000 514", "hidden width 64000" },
    { &plain, PATCH "patch_embedding.weight", "F32 4294967296 514", "absurd" },
    { &plain, PATCH "patch_embedding.weight", "F32 32896", "1 dimensions where 2" },
    { &plain, PATCH "patch_embedding.weight", "F32 64 257", "wpe.weight: dimension 0 is 3 in the file, 2 by" },
    { &plain, PATCH "base.wpe.weight", "F32 70000 64", "context in patches 70000" },
    { &plain, PATCH "base.wpe.weight", "F32 1 64", "context in patches 1" },
    { &plain, PATCH "base.wpe.weight", "F32 5 128", "wpe.weight: dimension 1 is 128 in the file, 64 by" },
    { &plain, PATCH "base.wpe.weight", "F32 5 64 1", "3 dimensions where 2" },
    { &plain, PATCH "base.ln_f.bias", "F32 1 64", "ln_f.bias: 2 dimensions where 1" },
    { &plain, PATCH "base.ln_f.bias", "F32 63", "dimension 0 is 63 in the file, 64 by" },
    { &plain, PATCH "base.ln_f.bias", "I32 64", "type I32 cannot be weights" },
    { &plain, BYTE "base.transformer.wte.weight", "F32 257 192", "feature.weight is missing" },
    { &plain, BYTE "base.transformer.wte.weight", "F32 256 64", "wte.weight: dimension 0 is 256" },
    { &plain, BYTE "base.transformer.wte.weight", "F32 257 100", "byte width 100" },
    { &wide_bytes, BYTE "feature.bias", NULL, "feature.bias is missing" },
    { &classifier, "classifier.weight", "F32 70000 64", "number of classes 70000" },
    { &classifier, "classifier.weight", "F32 7 65", "classifier.weight: dimension 1 is 65" },
    { &classifier, "classifier.bias", "F32 6", "classifier.bias: dimension 0 is 6" },
};

static void configuration(void **state)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        bg_config c;
        bg_error err = { 0 };
        if (changes[i].part) {
            CHECK_FAILS(changed_config(&changes[i], &c, &err), BG_ERR_FORMAT, changes[i].part, err);
            if (!strstr(err.text, "m.safetensors"))
                fail_msg("\"%s\" does not name the file", err.text);
        } else {
            CHECK_OK(changed_config(&changes[i], &c, &err), err);
            assert_memory_equal(&c, changes[i].config, sizeof c);
        }
    }
}

static void too_many_layers(void **state)
{
    bg_config many = plain, c;
    many.patch_layers = BG_MAX_LAYERS + 1;
    const change row = { &many, NULL, NULL, NULL };
    bg_error err;
    CHECK_FAILS(changed_config(&row, &c, &err), BG_ERR_FORMAT, "number of patch layers 257", err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configuration),
        cmocka_unit_test(too_many_layers),
    };
    return cmocka_run_group_tests_name("model configuration", tests, NULL, NULL);
}
