/* Pairs of files for conversion: the same path but for the extension.  Refuses
 * pairs longer than the context: cutting one would leave its halves unrelated. */
#include "data/internal.h"

#include <stdlib.h>
#include <string.h>

/* "abc:mid" in parts. */
typedef struct rule {
    const char *a, *b;
    size_t a_size, b_size;
    int both; /* b -> a too */
} rule;

/* One side of a pair, found again by its path without the extension. */
typedef struct side {
    const char *path;
    size_t stem; /* bytes of path up to the dot, the dot included: so the order is that of the paths */
    uint32_t file;
} side;

static bg_status parse_rule(rule *r, const char *text, bg_error *err)
{
    size_t at = strcspn(text, ":+");
    *r = (rule){ text, text + at + 1, at, 0, text[at] == '+' };
    if (text[at])
        r->b_size = strlen(r->b);
    if (r->a_size == 0 || r->b_size == 0 || strpbrk(text, "/.") || strpbrk(r->b, ":+"))
        return bg_fail(err, BG_ERR_ARGUMENT, "pairs '%s': expected two extensions, like abc:mid (one way) or abc+mid (both)", text);
    if (r->a_size == r->b_size && memcmp(r->a, r->b, r->a_size) == 0)
        return bg_fail(err, BG_ERR_ARGUMENT, "pairs '%s': the two extensions are the same", text);
    return BG_OK;
}

static int by_stem(const void *x, const void *y)
{
    const side *s = x, *t = y;
    int c = memcmp(s->path, t->path, s->stem < t->stem ? s->stem : t->stem);
    return c ? c : (s->stem > t->stem) - (s->stem < t->stem);
}

/* The files with this extension, sorted by stem; n of them at most. */
static size_t collect(const bg_dataset *d, side *out, const char *extension, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < d->file_count; i++) {
        const bg_source *f = &d->files[i];
        if (strlen(f->extension) == size && memcmp(f->extension, extension, size) == 0)
            out[n++] = (side){ f->path, (size_t)(f->extension - f->path), (uint32_t)i };
    }
    if (n > 1)
        qsort(out, n, sizeof *out, by_stem);
    return n;
}

static void add_item(bg_dataset *d, uint32_t a, uint32_t b)
{
    d->items[d->item_count++] = (bg_item){ a, b, 0 };
}

/* Merge the two sorted sides.  Returns the number of pairs met. */
static size_t join(bg_dataset *d, const side *a, size_t na, const side *b, size_t nb, int both)
{
    size_t met = 0;
    for (size_t i = 0, k = 0; i < na && k < nb;) {
        int c = by_stem(&a[i], &b[k]);
        if (c == 0) {
            met++;
            add_item(d, a[i].file, b[k].file);
            if (bg_item_patches(d, d->item_count - 1) > d->options.N) {
                d->item_count--;
                d->too_long++;
            } else if (both) {
                add_item(d, b[k].file, a[i].file);
            }
        }
        i += c <= 0;
        k += c >= 0;
    }
    return met;
}

static bg_status report(bg_dataset *d, const rule *r, size_t met, bg_error *err)
{
    size_t alone = d->file_count - 2 * met;
    if (met == 0)
        return bg_fail(err, BG_ERR_NOT_FOUND, "no pair: none of the %zu files (the first is %s) is there both as .%.*s and as .%s",
                       d->file_count, d->files[0].path, (int)r->a_size, r->a, r->b);
    if (d->item_count == 0)
        return bg_fail(err, BG_ERR_NOT_FOUND, "no pair fits: all %zu are longer than the context of %u patches of %u bytes", met, d->options.N, d->options.P);
    if (alone > 0)
        bg_dataset_notice(d, "%zu files that belong to no pair were left out", alone);
    if (d->too_long > 0)
        bg_dataset_notice(d, "%llu of %zu pairs were left out: longer than the context of %u patches of %u bytes",
                          (unsigned long long)d->too_long, met, d->options.N, d->options.P);
    return BG_OK;
}

bg_status bg_pairs_make(bg_dataset *d, bg_error *err)
{
    rule r;
    BG_TRY(parse_rule(&r, d->options.pairs, err));
    side *sides = bg_alloc(d->sys, 2 * d->file_count, sizeof *sides);
    d->items = bg_alloc(d->sys, 2 * d->file_count, sizeof *d->items);
    bg_status status;
    if (!sides || !d->items) {
        status = bg_fail_memory(err, "the list of pairs", d->file_count * sizeof *sides * 2);
    } else {
        side *b = sides + d->file_count;
        size_t na = collect(d, sides, r.a, r.a_size), nb = collect(d, b, r.b, r.b_size);
        status = report(d, &r, join(d, sides, na, b, nb, r.both), err);
    }
    bg_free(d->sys, sides);
    return status;
}
