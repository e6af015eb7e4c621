/* Packed rows of patches, and the patch format itself.  Refuses to grow: a
 * batch is as large as it was opened. */
#include "data/batch.h"

#include <assert.h>
#include <string.h>

#include "data/dataset.h"

/* --- memory -------------------------------------------------------------- */

/* Give an array its place behind the ones before it, on a cache line of its
 * own; with base NULL only the size is added up. */
static void *place(char *base, size_t *used, size_t n, size_t size)
{
    size_t at = *used, bytes;
    if (bg_mul_size(&bytes, n, size) || bg_add_size(&bytes, bytes, 63) || bg_add_size(used, at, bytes / 64 * 64))
        *used = SIZE_MAX / 64 * 64; /* more than any allocation gives */
    return base ? base + at : NULL;
}

static size_t place_all(bg_batch *b, char *base)
{
    size_t used = 0, symbols;
    size_t B = b->max_files, rows = b->max_rows;
    if (bg_mul_size(&symbols, rows, b->P))
        symbols = SIZE_MAX;
    b->row_start = place(base, &used, B + 1, sizeof *b->row_start);
    b->target_start = place(base, &used, B + 1, sizeof *b->target_start);
    b->label = place(base, &used, B, sizeof *b->label);
    b->position = place(base, &used, rows, sizeof *b->position);
    b->target = place(base, &used, rows, sizeof *b->target);
    b->source = place(base, &used, rows, sizeof *b->source);
    b->tokens = place(base, &used, symbols, sizeof *b->tokens);
    return used;
}

bg_status bg_batch_open(bg_batch *b, const bg_sys *sys, uint32_t P, uint32_t max_files, uint32_t max_rows, bg_error *err)
{
    assert(P >= 1 && P <= BG_MAX_PATCH);
    memset(b, 0, sizeof *b);
    b->sys = sys;
    b->P = P;
    b->max_files = max_files;
    b->max_rows = max_rows;
    size_t bytes = place_all(b, NULL);
    b->memory = bg_alloc_zero(sys, bytes, 1);
    if (!b->memory) {
        memset(b, 0, sizeof *b);
        return bg_fail_memory(err, "a batch", bytes);
    }
    place_all(b, b->memory);
    return BG_OK;
}

void bg_batch_close(bg_batch *b)
{
    if (b->sys)
        bg_free(b->sys, b->memory);
    memset(b, 0, sizeof *b);
}

void bg_batch_clear(bg_batch *b)
{
    b->files = b->rows = b->targets = 0;
    b->row_start[0] = b->target_start[0] = 0;
}

/* --- patches ------------------------------------------------------------- */

uint64_t bg_file_patches(uint64_t size, uint32_t P)
{
    return size / P + (size % P != 0) + 2;
}

void bg_patch_fill(uint16_t *patch, const uint8_t *bytes, size_t n, uint32_t P)
{
    assert(n <= P);
    for (size_t i = 0; i < P; i++)
        patch[i] = i < n ? bytes[i] : BG_SPECIAL;
}

void bg_patch_start(uint16_t *patch, const char *extension, uint32_t P)
{
    size_t n = strlen(extension);
    bg_patch_fill(patch, (const uint8_t *)extension, n < P ? n : P, P);
}

/* --- sequences ----------------------------------------------------------- */

int bg_batch_add(bg_batch *b, const uint16_t *symbols, uint32_t rows, uint32_t first_target, uint16_t label)
{
    assert(first_target >= 1); /* nothing stands before row 0 to predict it from */
    if (b->files == b->max_files || rows > b->max_rows - b->rows)
        return -1;
    memcpy(b->tokens + (size_t)b->rows * b->P, symbols, (size_t)rows * b->P * sizeof *symbols);
    for (uint32_t r = 0; r < rows; r++)
        b->position[b->rows + r] = r;
    for (uint32_t r = first_target; r < rows; r++) {
        b->target[b->targets] = b->rows + r;
        b->source[b->targets++] = b->rows + r - 1;
    }
    b->rows += rows;
    b->label[b->files++] = label;
    b->row_start[b->files] = b->rows;
    b->target_start[b->files] = b->targets;
    return 0;
}

void bg_batch_skip(bg_batch *b, uint32_t from, uint32_t n)
{
    assert(b->files > 0 && from >= 1);
    const uint32_t first = b->row_start[b->files - 1] + from, behind = b->rows - first - n;
    assert(first + n <= b->rows);
    memmove(b->tokens + (size_t)first * b->P, b->tokens + (size_t)(first + n) * b->P, (size_t)behind * b->P * sizeof *b->tokens);
    memmove(b->position + first, b->position + first + n, behind * sizeof *b->position);
    for (uint32_t i = b->target_start[b->files - 1]; i < b->targets; i++) {
        assert(b->target[i] < first || b->source[i] >= first + n);
        const uint32_t down = b->target[i] < first ? 0 : n;
        b->target[i] -= down;
        b->source[i] -= down;
    }
    b->rows -= n;
    b->row_start[b->files] = b->rows;
}

/* Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm
 * S): each target is kept with the probability still needed over still left, so
 * exactly k remain, every subset is equally likely, and the order stays. */
void bg_batch_sample(bg_batch *b, uint32_t k, uint64_t seed, uint64_t step)
{
    if (k >= b->targets)
        return;
    bg_rng rng;
    bg_rng_open(&rng, seed, BG_STREAM_SAMPLING, step);
    uint32_t kept = 0, i = 0;
    for (uint32_t f = 0; f < b->files; f++) {
        uint32_t end = b->target_start[f + 1];
        for (; i < end; i++) {
            if (bg_rng_below(&rng, b->targets - i) >= k - kept)
                continue;
            b->target[kept] = b->target[i];
            b->source[kept++] = b->source[i];
        }
        b->target_start[f + 1] = kept;
    }
    b->targets = kept;
}
