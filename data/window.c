/* From an item to rows of a batch: which patches, read from the files when they
 * are wanted.  Refuses files that changed since they were listed: the counts
 * made then would no longer hold. */
#include "data/internal.h"

#include <assert.h>
#include <string.h>

#include "base/file.h"
#include "data/augment.h"

/* --- reading ----------------------------------------------------------------- */

static bg_status changed(const bg_source *f, uint64_t size, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "%s changed while in use: it had %llu bytes, now %llu", f->path, (unsigned long long)f->size, (unsigned long long)size);
}

/* Bytes [from, from + n) of a file that must still have its listed size. */
static bg_status read_range(const bg_dataset *d, const bg_source *f, uint64_t from, uint8_t *out, size_t n, bg_error *err)
{
    const bg_sys *sys = d->sys;
    uint64_t size;
    size_t got = 0;
    int fd;
    if (d->made) {
        memcpy(out, d->image + from, n);
        return BG_OK;
    }
    BG_TRY(bg_open_read(sys, f->path, &fd, &size, err));
    bg_status status = size == f->size ? bg_pread_full(sys, f->path, fd, out, n, from, &got, err) : changed(f, size, err);
    if (status == BG_OK && got < n)
        status = changed(f, from + got, err);
    sys->close(sys->ctx, fd);
    return status;
}

/* Where the content bytes of patches [first, first + rows) begin and end:
 * patch p > 0 holds bytes (p-1)P to pP, the start patch none. */
static uint64_t content_begin(uint64_t first, uint32_t P) { return first > 0 ? (first - 1) * P : 0; }

static uint64_t content_end(const bg_source *f, uint64_t first, uint32_t rows, uint32_t P)
{
    uint64_t last = first + rows - 1; /* its number is also the count of content patches up to it */
    return last < bg_file_patches(f->size, P) - 2 ? last * P : f->size;
}

/* Write patches [first, first + rows) of a file as symbols; its start patch is
 * number 0, its end patch the last.  change: NULL, or the numbers by which a whole
 * file is changed. */
static bg_status write_patches(bg_dataset *d, const bg_source *f, uint64_t first, uint32_t rows, uint16_t *symbols, bg_rng *change, bg_error *err)
{
    uint32_t P = d->options.P;
    uint8_t *bytes = d->buffer + (size_t)d->options.N * P * sizeof(uint16_t);
    uint64_t begin = content_begin(first, P), end = content_end(f, first, rows, P);
    if (end > begin)
        BG_TRY(read_range(d, f, begin, bytes, (size_t)(end - begin), err));
    if (change && begin == 0 && end == f->size)
        bg_augment(bytes, (size_t)end, bytes + (size_t)d->options.N * P, change);
    for (uint32_t r = 0; r < rows; r++, symbols += P) {
        uint64_t at = content_begin(first + r, P);
        if (first + r == 0)
            bg_patch_start(symbols, f->extension, P);
        else if (at >= end)
            bg_patch_fill(symbols, NULL, 0, P);
        else
            bg_patch_fill(symbols, bytes + (at - begin), end - at < P ? (size_t)(end - at) : P, P);
    }
    return BG_OK;
}

/* --- adding -------------------------------------------------------------------- */

static bg_status add_rows(const bg_dataset *d, bg_batch *b, size_t i, uint32_t rows, uint32_t first_target, bg_error *err)
{
    const bg_item *it = bg_dataset_item(d, i);
    if (bg_batch_add(b, (const uint16_t *)(const void *)d->buffer, rows, first_target, it->label) != 0)
        return bg_fail(err, BG_ERR_FAILED, "the batch has no room for the %u patches of %s: %u of %u are taken", rows, d->files[it->a].path, b->rows, b->max_rows);
    return BG_OK;
}

/* Start patch and all patches that hold what is given. */
static uint64_t given_patches(const bg_dataset *d) { return 1 + bg_dataset_given(d) / d->options.P; }

/* Patches [first, first + rows) of a single file or program.  What is given carries no loss. */
static bg_status add_part(bg_dataset *d, bg_batch *b, size_t i, uint64_t first, uint32_t rows, uint32_t first_target, bg_rng *change, bg_error *err)
{
    const bg_source *f = &d->files[bg_dataset_item(d, i)->a];
    const uint64_t given = given_patches(d);
    if (given > first + first_target)
        first_target = given - first < rows ? (uint32_t)(given - first) : rows;
    BG_TRY(write_patches(d, f, first, rows, (uint16_t *)(void *)d->buffer, change, err));
    return add_rows(d, b, i, rows, first_target, err);
}

/* a without its end patch, then b whole.  With loss on the target alone it
 * begins behind b's start patch, which a conversion is given. */
static bg_status add_pair(bg_dataset *d, bg_batch *b, size_t i, bg_error *err)
{
    const bg_source *from = &d->files[d->items[i].a], *to = &d->files[d->items[i].b];
    uint32_t P = d->options.P;
    uint32_t head = (uint32_t)bg_file_patches(from->size, P) - 1, tail = (uint32_t)bg_file_patches(to->size, P);
    uint16_t *symbols = (uint16_t *)(void *)d->buffer;
    BG_TRY(write_patches(d, from, 0, head, symbols, NULL, err));
    BG_TRY(write_patches(d, to, 0, tail, symbols + (size_t)head * P, NULL, err));
    return add_rows(d, b, i, head + tail, d->options.loss_target ? head + 1 : 1, err);
}

static int is_pair(const bg_dataset *d, size_t i) { return bg_dataset_item(d, i)->b != UINT32_MAX; }

/* Make the program that the next parts are taken from. */
static void make_item(bg_dataset *d, size_t i)
{
    size_t size;
    if (!d->made)
        return;
    bg_programs_make(&d->programs, i, d->image, &size);
    d->files[0].size = size;
}

/* Head, tail or anything between, a third each, so that starts and ends of
 * files are seen often enough however long the files are.  Where the head is given, the first
 * window that reaches beyond it stands for it. */
static uint64_t choose_window(uint64_t patches, uint32_t N, uint64_t given, uint64_t seed, uint64_t counter)
{
    uint64_t last = patches - N; /* first patch of the tail window */
    uint64_t head = given < N ? 0 : given + 1 - N;
    bg_rng rng;
    if (head > last)
        head = last;
    bg_rng_open(&rng, seed, BG_STREAM_WINDOW, counter);
    switch (bg_rng_below(&rng, last - head > 1 ? 3 : 2)) {
    case 0:
        return head;
    case 1:
        return last;
    default:
        return head + 1 + bg_rng_below(&rng, last - head - 1);
    }
}

/* Of the program that was just added whole: patches of memory behind the last that is fetched from. */
static void skip_empty(const bg_dataset *d, bg_batch *b, uint64_t seed, uint64_t counter)
{
    const uint64_t fetched = (d->files[0].size - BG_SIM_MEMORY) / BG_SIM_STATE - 1, P = d->options.P;
    const uint64_t used = (fetched * BG_SIM_CODE + P - 1) / P, memory = BG_SIM_MEMORY / P;
    bg_rng rng;
    bg_rng_open(&rng, seed, BG_STREAM_SKIP, counter);
    if (used < memory && bg_rng_double(&rng) < d->options.skip_empty)
        bg_batch_skip(b, (uint32_t)(1 + used), (uint32_t)(memory - used));
}

bg_status bg_dataset_add(bg_dataset *d, bg_batch *b, size_t i, uint64_t seed, uint64_t counter, uint64_t *bytes, bg_error *err)
{
    assert(b->P == d->options.P && i < d->item_count);
    uint64_t patches = bg_item_patches(d, i), first = 0;
    uint32_t N = d->options.N;
    make_item(d, i);
    *bytes = bg_item_bytes(d, i);
    if (is_pair(d, i))
        return add_pair(d, b, i, err);
    if (patches <= N) {
        bg_rng change;
        bg_rng_open(&change, seed, BG_STREAM_AUGMENT, counter);
        BG_TRY(add_part(d, b, i, 0, (uint32_t)patches, 1, d->options.augment ? &change : NULL, err));
        if (d->made && d->options.loss_target && d->options.skip_empty > 0)
            skip_empty(d, b, seed, counter);
        return BG_OK;
    }
    first = choose_window(patches, N, given_patches(d), seed, counter);
    /* the first patch of a window carries no loss, be it start patch or content */
    uint64_t begin = content_begin(first + 1, b->P), end = content_end(&d->files[bg_dataset_item(d, i)->a], first, N, b->P);
    if (begin < bg_dataset_given(d))
        begin = bg_dataset_given(d);
    *bytes = end > begin ? end - begin : 0;
    return add_part(d, b, i, first, N, 1, NULL, err);
}

/* --- evaluation ------------------------------------------------------------------ */

uint32_t bg_item_windows(const bg_dataset *d, size_t i)
{
    uint64_t patches = bg_item_patches(d, i);
    uint32_t N = d->options.N, hop = N / 2;
    return patches <= N ? 1 : (uint32_t)(1 + (patches - N + hop - 1) / hop);
}

bg_status bg_dataset_add_window(bg_dataset *d, bg_batch *b, size_t i, uint32_t w, bg_error *err)
{
    assert(b->P == d->options.P && i < d->item_count && w < bg_item_windows(d, i));
    if (is_pair(d, i))
        return add_pair(d, b, i, err);
    make_item(d, i);
    uint64_t patches = bg_item_patches(d, i);
    uint32_t N = d->options.N, hop = N / 2;
    uint64_t first = (uint64_t)w * hop, left = patches - first;
    /* the window before ended at patch first + N - hop */
    return add_part(d, b, i, first, left < N ? (uint32_t)left : N, w == 0 ? 1 : N - hop, NULL, err);
}
