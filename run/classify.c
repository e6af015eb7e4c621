/* One file through a classifier.
 * Refuses models that are not classifiers. */
#include "run/classify.h"

bg_status bg_classify(bg_model *m, const uint8_t *data, size_t size, const char *extension, float *logits, int *cut, bg_error *err)
{
    const bg_config *c = bg_model_config(m);
    const bg_sys *sys = bg_model_backend(m)->sys;
    if (c->classes == 0)
        return bg_fail(err, BG_ERR_ARGUMENT, "the model is not a classifier");
    const uint32_t P = c->patch_size;
    const uint64_t whole = bg_file_patches(size, P);
    const uint32_t rows = whole < c->patches ? (uint32_t)whole : c->patches;
    if (cut)
        *cut = whole > c->patches;

    uint16_t *symbols = bg_alloc(sys, (size_t)rows * P, sizeof *symbols);
    bg_batch batch;
    if (!symbols)
        return bg_fail_memory(err, "the symbols of a file", (uint64_t)rows * P * sizeof *symbols);
    bg_status s = bg_batch_open(&batch, sys, P, 1, rows, err);
    if (s != BG_OK) {
        bg_free(sys, symbols);
        return s;
    }
    bg_patch_start(symbols, extension ? extension : "", P);
    for (uint32_t row = 1; row < rows; row++) {
        size_t at = (size_t)(row - 1) * P, left = at < size ? size - at : 0; /* nothing left: the end patch */
        bg_patch_fill(symbols + (size_t)row * P, left ? data + at : NULL, left < P ? left : P, P);
    }
    bg_batch_add(&batch, symbols, rows, 1, 0);
    bg_model_classify(m, &batch, logits);
    bg_batch_close(&batch);
    bg_free(sys, symbols);
    return BG_OK;
}
