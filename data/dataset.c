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

/* Items of a set of programs are alike but for their size. */
const bg_item *bg_dataset_item(const bg_dataset *d, size_t i) { return &d->items[d->made ? 0 : i]; }

static uint64_t first_size(const bg_dataset *d, size_t i)
{
    uint8_t file[BG_SIM_FILE];
    size_t size;
    if (!d->made)
        return d->files[d->items[i].a].size;
    bg_programs_make(&d->programs, i, file, &size);
    return size;
}

uint64_t bg_item_patches(const bg_dataset *d, size_t i)
{
    const bg_item *it = bg_dataset_item(d, i);
    uint64_t n = bg_file_patches(first_size(d, i), d->options.P);
    if (it->b != UINT32_MAX)
        n += bg_file_patches(d->files[it->b].size, d->options.P) - 1; /* a has no end patch */
    return n;
}

uint64_t bg_item_bytes(const bg_dataset *d, size_t i)
{
    const bg_item *it = bg_dataset_item(d, i);
    uint64_t a = first_size(d, i);
    if (it->b == UINT32_MAX)
        return a > bg_dataset_given(d) ? a - bg_dataset_given(d) : 0;
    return d->files[it->b].size + (d->options.loss_target ? 0 : a);
}

uint64_t bg_dataset_given(const bg_dataset *d)
{
    const uint32_t P = d->options.P;
    return d->made && d->options.loss_target ? (BG_SIM_IMAGE + P - 1) / P * P : 0;
}

uint64_t bg_dataset_longest_item(const bg_dataset *d)
{
    uint64_t longest = 1;
    if (d->made)
        return bg_file_patches(bg_programs_largest(&d->programs), d->options.P);
    for (size_t i = 0; i < d->item_count; i++) {
        uint64_t n = bg_item_patches(d, i);
        longest = n > longest ? n : longest;
    }
    return longest;
}

char *bg_item_name(const bg_dataset *d, size_t i)
{
    const bg_item *it = bg_dataset_item(d, i);
    if (d->made)
        return bg_asprintf(d->sys, "%s, program %zu", d->files[0].path, i);
    if (it->b == UINT32_MAX)
        return bg_strdup(d->sys, d->files[it->a].path);
    return bg_asprintf(d->sys, "%s -> %s", d->files[it->a].path, d->files[it->b].path);
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
    }
    return BG_OK;
}

/* One file and one item, which stand for all programs. */
static bg_status make_programs(bg_dataset *d, const char *const *paths, size_t count, bg_error *err)
{
    bg_programs *p = &d->programs;
    BG_TRY(bg_programs_parse(p, paths[0], err));
    if (count > 1)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: programs cannot be mixed with %s: a data set is one or the other", paths[0], paths[1]);
    if (d->options.pairs || d->options.labelled)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: programs have neither pairs nor labels", paths[0]);
    if (!d->options.training && p->count == 0)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: an evaluation needs to know how many programs, as in cpu:%llu:1000", paths[0], (unsigned long long)p->seed);
    d->made = 1;
    p->first = d->options.training ? 0 : BG_SIM_TEST;
    p->now = d->options.training ? 0 : p->ranges - 1;
    d->item_count = p->count ? (size_t)p->count : SIZE_MAX;
    d->files = bg_alloc_zero(d->sys, 1, sizeof *d->files);
    d->items = bg_alloc_zero(d->sys, 1, sizeof *d->items);
    d->image = bg_alloc(d->sys, BG_SIM_FILE, 1);
    if (!d->files || !d->items || !d->image)
        return bg_fail_memory(err, "the set of programs", BG_SIM_FILE);
    d->file_count = 1;
    d->items[0].b = UINT32_MAX;
    d->files[0].extension = "bin";
    d->files[0].path = bg_strdup(d->sys, paths[0]);
    return d->files[0].path ? BG_OK : bg_fail_memory(err, paths[0], strlen(paths[0]) + 1);
}

/* The buffer holds one context as symbols, then as bytes, then room to change them. */
static bg_status reserve(bg_dataset *d, bg_error *err)
{
    size_t unit = (size_t)d->options.P * (sizeof(uint16_t) + 2);
    const int endless = d->item_count == SIZE_MAX;
    d->order = endless ? NULL : bg_alloc(d->sys, d->item_count, sizeof *d->order);
    d->buffer = bg_alloc(d->sys, d->options.N, unit);
    if ((!endless && !d->order) || !d->buffer)
        return bg_fail_memory(err, "the data set", d->item_count * sizeof *d->order + d->options.N * unit);
    d->order_epoch = UINT64_MAX; /* no epoch has that number */
    return BG_OK;
}

static bg_status fill(bg_dataset *d, const char *const *paths, size_t count, bg_error *err)
{
    BG_TRY(check_options(&d->options, err));
    for (size_t i = 0; i < count; i++)
        if (bg_programs_named(paths[i])) {
            const char *const swapped[2] = { paths[i], paths[i ? 0 : count > 1] };
            BG_TRY(make_programs(d, swapped, count, err));
            return reserve(d, err);
        }
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
    bg_free(d->sys, d->image);
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

void bg_dataset_progress(bg_dataset *d, double share)
{
    const bg_programs *p = &d->programs;
    if (d->made)
        d->programs.now = share < 1 ? (uint32_t)(share * p->ranges) : p->ranges - 1;
}

size_t bg_dataset_index(bg_dataset *d, uint64_t seed, uint64_t counter)
{
    if (!d->order)
        return (size_t)counter; /* every one is new */
    uint64_t epoch = counter / d->item_count;
    if (epoch != d->order_epoch || seed != d->order_seed)
        shuffle(d, seed, epoch);
    return d->order[counter % d->item_count];
}
