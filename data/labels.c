/* Classes from file names (SPEC of the project, section 7): the text before the
 * first '_' plus the extension.  Refuses a class that a given map lacks: a model
 * cannot learn or be scored on a class it has no output for. */
#include "data/internal.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define RULE "the label is the file name up to the first '_', plus the extension"

enum { MAX_CLASSES = 65535 }; /* labels are 16 bits wide everywhere */

/* A name and its class. */
typedef struct entry {
    char *name;
    size_t class;
} entry;

/* "dir/Business_1.txt" -> "Business.txt"; without '_' the whole name. */
static char *label_of(const bg_sys *sys, const bg_source *f)
{
    const char *name = bg_path_name(f->path);
    size_t stem = *f->extension ? (size_t)(f->extension - 1 - name) : strlen(name);
    const char *cut = memchr(name, '_', stem);
    if (cut)
        stem = (size_t)(cut - name);
    return bg_asprintf(sys, "%.*s%s%s", (int)stem, name, *f->extension ? "." : "", f->extension);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

static void entries_free(const bg_sys *sys, entry *e, size_t n)
{
    for (size_t i = 0; e && i < n; i++)
        bg_free(sys, e[i].name);
    bg_free(sys, e);
}

/* The label of every file, class = number of the file; NULL: no memory. */
static entry *name_files(const bg_dataset *d, bg_error *err)
{
    entry *e = bg_alloc_zero(d->sys, d->file_count, sizeof *e);
    for (size_t i = 0; e && i < d->file_count; i++) {
        e[i] = (entry){ label_of(d->sys, &d->files[i]), i };
        if (!e[i].name) {
            entries_free(d->sys, e, i);
            e = NULL;
        }
    }
    if (!e)
        bg_fail_memory(err, "the labels", d->file_count * sizeof *e);
    return e;
}

/* A model stores its labels as JSON, which is UTF-8. */
static bg_status copy_name(bg_dataset *d, const char *name, bg_error *err)
{
    for (size_t at = 0, step; name[at]; at += step)
        if ((step = bg_utf8_length(name + at, strlen(name + at))) == 0)
            return bg_fail(err, BG_ERR_FORMAT, "the label %s is not UTF-8, so a model could not store it", name);
    char *copy = bg_strdup(d->sys, name);
    if (!copy)
        return bg_fail_memory(err, "the labels", strlen(name) + 1);
    d->labels.names[d->labels.count++] = copy;
    return BG_OK;
}

static bg_status reserve_names(bg_dataset *d, size_t n, bg_error *err)
{
    d->labels.names = bg_alloc_zero(d->sys, n, sizeof *d->labels.names);
    return d->labels.names ? BG_OK : bg_fail_memory(err, "the labels", n * sizeof *d->labels.names);
}

/* A new map: the different names, sorted.  `e` is sorted. */
static bg_status collect_names(bg_dataset *d, const entry *e, bg_error *err)
{
    size_t different = 0;
    for (size_t i = 0; i < d->file_count; i++)
        different += i == 0 || strcmp(e[i - 1].name, e[i].name) != 0;
    if (different > MAX_CLASSES)
        return bg_fail(err, BG_ERR_FORMAT, "%zu different labels are too many, at most %d: " RULE, different, MAX_CLASSES);
    BG_TRY(reserve_names(d, different, err));
    for (size_t i = 0; i < d->file_count; i++)
        if (i == 0 || strcmp(e[i - 1].name, e[i].name) != 0)
            BG_TRY(copy_name(d, e[i].name, err));
    if (different == d->file_count && different > 2)
        bg_dataset_notice(d, "each of the %zu files has a label of its own, %s for one: " RULE, different, e[0].name);
    return BG_OK;
}

/* The given map, in its own order: that is the order of the model's outputs. */
static bg_status copy_names(bg_dataset *d, const bg_labels *from, bg_error *err)
{
    if (from->count > MAX_CLASSES)
        return bg_fail(err, BG_ERR_FORMAT, "%zu labels are too many: at most %d", from->count, MAX_CLASSES);
    BG_TRY(reserve_names(d, from->count, err));
    for (size_t i = 0; i < from->count; i++)
        BG_TRY(copy_name(d, from->names[i], err));
    return BG_OK;
}

/* Find each file's class: both lists are sorted by name and walked together. */
static bg_status assign(bg_dataset *d, const entry *files, bg_error *err)
{
    size_t n = d->labels.count;
    entry *map = bg_alloc(d->sys, n, sizeof *map);
    if (!map)
        return bg_fail_memory(err, "the labels", n * sizeof *map);
    for (size_t i = 0; i < n; i++)
        map[i] = (entry){ d->labels.names[i], i };
    if (n > 1)
        qsort(map, n, sizeof *map, by_name);
    bg_status status = BG_OK;
    for (size_t i = 0, k = 0; i < d->file_count && status == BG_OK; i++) {
        while (k < n && strcmp(map[k].name, files[i].name) < 0)
            k++;
        if (k < n && strcmp(map[k].name, files[i].name) == 0)
            d->items[files[i].class].label = (uint16_t)map[k].class;
        else
            status = bg_fail(err, BG_ERR_FORMAT, "%s: its label '%s' is not among the model's %zu labels", d->files[files[i].class].path, files[i].name, n);
    }
    bg_free(d->sys, map);
    return status;
}

bg_status bg_labels_make(bg_dataset *d, bg_error *err)
{
    entry *files = name_files(d, err);
    if (!files)
        return BG_ERR_MEMORY;
    if (d->file_count > 1)
        qsort(files, d->file_count, sizeof *files, by_name);
    bg_status status = d->options.labels ? copy_names(d, d->options.labels, err) : collect_names(d, files, err);
    if (status == BG_OK)
        status = assign(d, files, err);
    entries_free(d->sys, files, d->file_count);
    return status;
}

void bg_labels_free(const bg_sys *sys, bg_labels *l)
{
    for (size_t i = 0; i < l->count; i++)
        bg_free(sys, l->names[i]);
    bg_free(sys, l->names);
    *l = (bg_labels){ NULL, 0 };
}
