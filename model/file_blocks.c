/* Blocks of parameter tensors between device and host: see file_blocks.h. */
#include "model/file_blocks.h"

#include <assert.h>
#include <string.h>

/* Floats of a block (16 MiB).  The transposed tensor costs a small copy for
 * each of its memory rows and blocks; at this size the published model's is one block. */
enum { BLOCK = 1 << 22 };

bg_status bg_blocks_open(bg_blocks *b, bg_backend *be, const bg_params *p, bg_error *err)
{
    size_t largest = 1, line = 1;
    memset(b, 0, sizeof *b);
    b->be = be;
    for (uint32_t i = 0; i < p->count; i++) {
        const bg_tensor *t = &p->tensors[i];
        assert(t->shape[1] <= BLOCK);
        largest = t->count > largest ? t->count : largest;
        if (t->transposed && t->shape[0] > line)
            line = (size_t)t->shape[0];
    }
    b->floats = largest < BLOCK ? largest : BLOCK;
    b->rows = bg_alloc(be->sys, b->floats, sizeof *b->rows);
    b->line = bg_alloc(be->sys, line, sizeof *b->line);
    if (b->rows && b->line)
        return BG_OK;
    bg_blocks_close(b);
    return bg_fail_memory(err, "copying a model's tensors", (uint64_t)(b->floats + line) * sizeof(float));
}

void bg_blocks_close(bg_blocks *b)
{
    if (b->be) {
        bg_free(b->be->sys, b->rows);
        bg_free(b->be->sys, b->line);
    }
    b->be = NULL;
    b->rows = b->line = NULL;
}

uint64_t bg_blocks_next(const bg_blocks *b, const bg_tensor *t, uint64_t first)
{
    const uint64_t room = b->floats / t->shape[1], left = t->shape[0] - first;
    return left < room ? left : room;
}

/* Where file row `first` begins in memory row r of a transposed tensor. */
static size_t transposed_at(const bg_tensor *t, uint64_t r, uint64_t first)
{
    return t->offset + (size_t)(r * t->shape[0] + first);
}

void bg_blocks_get(bg_blocks *b, const float *flat, const bg_tensor *t, uint64_t first, uint64_t n)
{
    const uint64_t C = t->shape[1];
    const bg_ops *ops = b->be->ops;
    if (!t->transposed) {
        ops->read(b->be, b->rows, flat + t->offset + first * C, (size_t)(n * C) * sizeof *flat);
        return;
    }
    for (uint64_t r = 0; r < C; r++) {
        ops->read(b->be, b->line, flat + transposed_at(t, r, first), (size_t)n * sizeof *flat);
        for (uint64_t i = 0; i < n; i++)
            b->rows[i * C + r] = b->line[i];
    }
}

void bg_blocks_put(bg_blocks *b, float *flat, const bg_tensor *t, uint64_t first, uint64_t n)
{
    const uint64_t C = t->shape[1];
    const bg_ops *ops = b->be->ops;
    if (!t->transposed) {
        ops->write(b->be, flat + t->offset + first * C, b->rows, (size_t)(n * C) * sizeof *flat);
        return;
    }
    for (uint64_t r = 0; r < C; r++) {
        for (uint64_t i = 0; i < n; i++)
            b->line[i] = b->rows[i * C + r];
        ops->write(b->be, flat + transposed_at(t, r, first), b->line, (size_t)n * sizeof *flat);
    }
}
