/* Which sequences there are and in which order they come.  Refuses to hold
 * file contents or open descriptors: sets of millions of files stay small. */
#include "data/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MIN_CONTEXT = 2 }; /* a start patch and one to be predicted */

void bg_dataset_notice(const bg_dataset *d, const char *format, ...)
{
    char sentence[BG_ERROR_TEXT];
    va_list args;
    if (!d->options.notice)
        return;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    d->options.notice(d->options.ctx, sentence);
}

/* --- sizes ------------------------------------------------------------------ */

uint64_t bg_item_patches(const bg_dataset *d, size_t i)
{
    const bg_item *it = &d->items[i];
    uint64_t n = bg_file_patches(d->files[it->a].size, d->options.P);
    if (it->b != UINT32_MAX)
        n += bg_file_patches(d->files[it->b].size, d->options.P) - 1; /* a has no end patch */
    return n;
}

uint64_t bg_item_bytes(const bg_dataset *d, size_t i)
{
    const bg_item *it = &d->items[i];
    uint64_t a = d->files[it->a].size;
    if (it->b == UINT32_MAX)
        return a;
    return d->files[it->b].size + (d->options.loss_target ? 0 : a);
}

/* --- opening ------------------------------------------------------------------ */

static bg_status check_options(const bg_dataset_options *o, bg_error *err)
{
    if (o->P < 1 || o->P > BG_MAX_PATCH)
        return bg_fail(err, BG_ERR_ARGUMENT, "a patch of %u bytes: expected 1 to %d", o->P, BG_MAX_PATCH);
    if (o->N < MIN_CONTEXT)
        return bg_fail(err, BG_ERR_ARGUMENT, "a context of %u patches: expected at least %d", o->N, MIN_CONTEXT);
    if (o->pairs && o->labelled)
        return bg_fail(err, BG_ERR_ARGUMENT, "pairs have no labels: a data set is for conversion or for classification");
    return BG_OK;
}

/* Take the files over from a list. */
static bg_status list_files(bg_dataset *d, const char *const *paths, size_t count, bg_error *err)
{
    bg_list l;
    BG_TRY(bg_list_open(&l, d->sys, paths, count, d->options.exclude, err));
    d->files = l.files;
    d->file_count = l.count;
    if (l.skipped > 0)
        bg_dataset_notice(d, "%llu entries were left out, being no files (the first is %s)", (unsigned long long)l.skipped, l.skipped_path);
    l.files = NULL;
    l.count = 0;
    bg_list_close(&l);
    if (d->file_count >= UINT32_MAX / 2) /* pairs both ways must be countable in 32 bits */
        return bg_fail(err, BG_ERR_FORMAT, "%zu files are too many", d->file_count);
    return BG_OK;
}

static bg_status make_items(bg_dataset *d, bg_error *err)
{
    if (d->options.pairs)
        return bg_pairs_make(d, err);
    d->items = bg_alloc(d->sys, d->file_count, sizeof *d->items);
    if (!d->items)
        return bg_fail_memory(err, "the list of files", d->file_count * sizeof *d->items);
    for (size_t i = 0; i < d->file_count; i++)
        d->items[i] = (bg_item){ (uint32_t)i, UINT32_MAX, 0 };
    d->item_count = d->file_count;
    return d->options.labelled ? bg_labels_make(d, err) : BG_OK;
}

/* Windows are counted in 32 bits. */
static bg_status check_sizes(bg_dataset *d, bg_error *err)
{
    for (size_t i = 0; i < d->item_count; i++) {
        if (bg_item_patches(d, i) / (d->options.N / 2) >= UINT32_MAX - 1)
            return bg_fail(err, BG_ERR_FORMAT, "%s: %llu bytes are too many", d->files[d->items[i].a].path, (unsigned long long)bg_item_bytes(d, i));
        d->bytes += bg_item_bytes(d, i);
    }
    return BG_OK;
}

/* The buffer holds one context as symbols, then as bytes. */
static bg_status reserve(bg_dataset *d, bg_error *err)
{
    size_t unit = (size_t)d->options.P * (sizeof(uint16_t) + 1);
    d->order = bg_alloc(d->sys, d->item_count, sizeof *d->order);
    d->buffer = bg_alloc(d->sys, d->options.N, unit);
    if (!d->order || !d->buffer)
        return bg_fail_memory(err, "the data set", d->item_count * sizeof *d->order + d->options.N * unit);
    d->order_epoch = UINT64_MAX; /* no epoch has that number */
    return BG_OK;
}

static bg_status fill(bg_dataset *d, const char *const *paths, size_t count, bg_error *err)
{
    BG_TRY(check_options(&d->options, err));
    BG_TRY(list_files(d, paths, count, err));
    BG_TRY(make_items(d, err));
    BG_TRY(check_sizes(d, err));
    return reserve(d, err);
}

bg_status bg_dataset_open(bg_dataset *d, const bg_sys *sys, const char *const *paths, size_t count, const bg_dataset_options *o, bg_error *err)
{
    memset(d, 0, sizeof *d);
    d->sys = sys;
    d->options = *o;
    bg_status status = fill(d, paths, count, err);
    if (status != BG_OK)
        bg_dataset_close(d);
    d->options.pairs = NULL; /* both were the caller's, for the time of this call */
    d->options.labels = NULL;
    return status;
}

void bg_dataset_close(bg_dataset *d)
{
    if (!d->sys)
        return;
    bg_sources_free(d->sys, d->files, d->file_count);
    bg_labels_free(d->sys, &d->labels);
    bg_free(d->sys, d->items);
    bg_free(d->sys, d->order);
    bg_free(d->sys, d->buffer);
    memset(d, 0, sizeof *d);
}

/* --- order --------------------------------------------------------------------- */

/* Fisher and Yates, from the identity each time: epoch e does not depend on
 * whether the epochs before it were made, which is what a resume needs. */
static void shuffle(bg_dataset *d, uint64_t seed, uint64_t epoch)
{
    bg_rng rng;
    bg_rng_open(&rng, seed, BG_STREAM_ORDER, epoch);
    for (size_t i = 0; i < d->item_count; i++)
        d->order[i] = (uint32_t)i;
    for (size_t i = d->item_count; i > 1; i--) {
        size_t k = (size_t)bg_rng_below(&rng, i);
        uint32_t swap = d->order[i - 1];
        d->order[i - 1] = d->order[k];
        d->order[k] = swap;
    }
    d->order_seed = seed;
    d->order_epoch = epoch;
}

size_t bg_dataset_index(bg_dataset *d, uint64_t seed, uint64_t counter)
{
    uint64_t epoch = counter / d->item_count;
    if (epoch != d->order_epoch || seed != d->order_seed)
        shuffle(d, seed, epoch);
    return d->order[counter % d->item_count];
}
