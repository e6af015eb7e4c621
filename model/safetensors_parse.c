/* The header of a safetensors file, taken apart and checked.
 *
 * Trusts nothing.  Refuses: JSON that is not strict, fields that are missing,
 * twice or unknown, names that occur twice, element types not in the table,
 * shapes whose product overflows, a place whose length is not the shape's,
 * and tensors that do not fill the file behind the header exactly: no
 * overlap, no gap, no bytes left over.  Memory is taken entry by entry as the
 * header is read, so it stays within a small multiple of the header. */
#include "model/safetensors.h"

#include <string.h>

/* Longest name of a tensor or key of the metadata; the reference's have up to 70. */
enum { MAX_NAME = 512 };

/* One entry of the header, while it is read. */
typedef struct entry {
    char dtype[16];
    uint32_t dims;
    uint64_t shape[BG_ST_DIMS];
    uint64_t begin, end; /* behind the header */
    int seen_dtype, seen_shape, seen_offsets;
} entry;

static bg_status fail_json(const bg_st_file *f, const bg_json *j, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "%s: the header is not a valid safetensors header: %s at character %zu", f->path,
                   j->why ? j->why : "unexpected text", j->at);
}

static bg_status fail_tensor(const bg_st_file *f, const char *name, const char *what, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "%s: %s: %s", f->path, name, what);
}

/* --- metadata ------------------------------------------------------------ */

/* A string of any length in memory of its own; NULL: out of memory. */
static char *take_string(const bg_sys *sys, const char *raw, size_t raw_size, int *has_zero)
{
    char *s = bg_alloc(sys, raw_size + 1, 1);
    if (!s)
        return NULL;
    const size_t n = bg_json_unescape(s, raw, raw_size);
    s[n] = 0;
    *has_zero = strlen(s) != n;
    return s;
}

static bg_status parse_metadata(bg_st_file *f, bg_json *j, bg_error *err)
{
    char key[MAX_NAME];
    const char *raw;
    size_t raw_size;
    if (!bg_json_enter(j, '{'))
        return fail_json(f, j, err);
    while (bg_json_key(j, key, sizeof key)) {
        int has_zero = 0;
        if (bg_json_peek(j) != '"')
            return fail_tensor(f, "__metadata__", "a value is not a string", err);
        if (!bg_json_raw_string(j, &raw, &raw_size))
            return fail_json(f, j, err);
        char *value = take_string(f->sys, raw, raw_size, &has_zero);
        BG_TRY(bg_meta_add(&f->meta, bg_strdup(f->sys, key), value, err));
        if (has_zero)
            return fail_tensor(f, "__metadata__", "a value holds a zero character", err);
    }
    return j->failed ? fail_json(f, j, err) : BG_OK;
}

/* --- a tensor's entry ------------------------------------------------------ */

static bg_status parse_shape(const bg_st_file *f, bg_json *j, const char *name, entry *e, bg_error *err)
{
    if (!bg_json_enter(j, '['))
        return fail_json(f, j, err);
    while (bg_json_item(j)) {
        if (e->dims == BG_ST_DIMS)
            return bg_fail(err, BG_ERR_FORMAT, "%s: %s: more than %d dimensions", f->path, name, BG_ST_DIMS);
        if (!bg_json_u64(j, &e->shape[e->dims++]))
            return fail_json(f, j, err);
    }
    return j->failed ? fail_json(f, j, err) : BG_OK;
}

static bg_status parse_offsets(const bg_st_file *f, bg_json *j, const char *name, entry *e, bg_error *err)
{
    uint64_t at[2] = { 0, 0 };
    size_t n = 0;
    if (!bg_json_enter(j, '['))
        return fail_json(f, j, err);
    while (bg_json_item(j)) {
        if (n == 2)
            return fail_tensor(f, name, "data_offsets has more than two numbers", err);
        if (!bg_json_u64(j, &at[n++]))
            return fail_json(f, j, err);
    }
    if (j->failed)
        return fail_json(f, j, err);
    if (n < 2)
        return fail_tensor(f, name, "data_offsets has fewer than two numbers", err);
    e->begin = at[0];
    e->end = at[1];
    return BG_OK;
}

static bg_status parse_field(const bg_st_file *f, bg_json *j, const char *name, const char *field, entry *e, bg_error *err)
{
    if (strcmp(field, "dtype") == 0 && !e->seen_dtype++)
        return bg_json_string(j, e->dtype, sizeof e->dtype) ? BG_OK : fail_json(f, j, err);
    if (strcmp(field, "shape") == 0 && !e->seen_shape++)
        return parse_shape(f, j, name, e, err);
    if (strcmp(field, "data_offsets") == 0 && !e->seen_offsets++)
        return parse_offsets(f, j, name, e, err);
    return bg_fail(err, BG_ERR_FORMAT, "%s: %s: field \"%.64s\" is unknown or stands twice", f->path, name, field);
}

static bg_status find_dtype(const bg_st_file *f, const char *name, const char *dtype, bg_dtype *out, bg_error *err)
{
    for (int i = 0; i < BG_DTYPE_COUNT; i++)
        if (strcmp(dtype, bg_dtype_name((bg_dtype)i)) == 0) {
            *out = (bg_dtype)i;
            return BG_OK;
        }
    return bg_fail(err, BG_ERR_FORMAT, "%s: %s: element type \"%s\" is not known", f->path, name, dtype);
}

/* Shape and place must say the same number of bytes, all inside the file. */
static bg_status place_tensor(const bg_st_file *f, bg_st_tensor *t, const entry *e, uint64_t data_at, bg_error *err)
{
    uint64_t count = 1, bytes = 0;
    for (uint32_t i = 0; i < e->dims; i++)
        if (__builtin_mul_overflow(count, e->shape[i], &count))
            return fail_tensor(f, t->name, "the shape is too large", err);
    if (__builtin_mul_overflow(count, (uint64_t)bg_dtype_size(t->dtype), &bytes))
        return fail_tensor(f, t->name, "the shape is too large", err);
    if (e->begin > e->end || e->end - e->begin != bytes)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: the shape needs %llu bytes, data_offsets are %llu and %llu", f->path,
                       t->name, (unsigned long long)bytes, (unsigned long long)e->begin, (unsigned long long)e->end);
    if (e->end > f->size - data_at)
        return bg_fail(err, BG_ERR_FORMAT, "%s: truncated: %s ends at byte %llu of the data, the file has %llu", f->path,
                       t->name, (unsigned long long)e->end, (unsigned long long)(f->size - data_at));
    t->dims = e->dims;
    memcpy(t->shape, e->shape, sizeof t->shape);
    t->count = count;
    t->begin = data_at + e->begin;
    t->bytes = bytes;
    return BG_OK;
}

static bg_status parse_entry(bg_st_file *f, bg_json *j, bg_st_tensor *t, uint64_t data_at, bg_error *err)
{
    char field[64];
    entry e;
    memset(&e, 0, sizeof e);
    if (!bg_json_enter(j, '{'))
        return fail_json(f, j, err);
    while (bg_json_key(j, field, sizeof field))
        BG_TRY(parse_field(f, j, t->name, field, &e, err));
    if (j->failed)
        return fail_json(f, j, err);
    if (!e.seen_dtype || !e.seen_shape || !e.seen_offsets)
        return fail_tensor(f, t->name, "dtype, shape or data_offsets is missing", err);
    BG_TRY(find_dtype(f, t->name, e.dtype, &t->dtype, err));
    return place_tensor(f, t, &e, data_at, err);
}

static bg_status parse_tensor(bg_st_file *f, bg_json *j, const char *name, size_t *capacity, uint64_t data_at, bg_error *err)
{
    BG_TRY(bg_grow(f->sys, (void **)&f->tensors, capacity, f->count + 1, sizeof *f->tensors, err));
    bg_st_tensor *t = &f->tensors[f->count];
    memset(t, 0, sizeof *t);
    t->name = bg_strdup(f->sys, name);
    if (!t->name)
        return bg_fail_memory(err, "a tensor's name", strlen(name) + 1);
    f->count++; /* from here on bg_st_close() releases the name */
    return parse_entry(f, j, t, data_at, err);
}

/* --- all tensors together ---------------------------------------------------- */

typedef int less_fn(const void *items, size_t a, size_t b);

static int by_place(const void *items, size_t a, size_t b)
{
    const bg_st_tensor *t = items;
    if (t[a].begin != t[b].begin)
        return t[a].begin < t[b].begin;
    return t[a].bytes < t[b].bytes; /* an empty tensor stands before the one that begins where it is */
}

static int by_tensor_name(const void *items, size_t a, size_t b)
{
    const bg_st_tensor *t = items;
    return strcmp(t[a].name, t[b].name) < 0;
}

static int by_key(const void *items, size_t a, size_t b)
{
    char *const *keys = items;
    return strcmp(keys[a], keys[b]) < 0;
}

static void sift_down(size_t *index, size_t at, size_t n, less_fn *less, const void *items)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && less(items, index[child], index[child + 1]))
            child++;
        if (!less(items, index[at], index[child]))
            return;
        const size_t swap = index[at];
        index[at] = index[child];
        index[child] = swap;
    }
}

/* Heap sort: libc's qsort() takes memory of its own, past bg_sys. */
static void sort_index(size_t *index, size_t n, less_fn *less, const void *items)
{
    for (size_t i = 0; i < n; i++)
        index[i] = i;
    for (size_t i = n / 2; i-- > 0;)
        sift_down(index, i, n, less, items);
    for (size_t end = n; end-- > 1;) {
        const size_t swap = index[0];
        index[0] = index[end];
        index[end] = swap;
        sift_down(index, 0, end, less, items);
    }
}

static bg_status new_index(const bg_st_file *f, size_t n, size_t **index, bg_error *err)
{
    *index = bg_alloc(f->sys, n ? n : 1, sizeof **index);
    return *index ? BG_OK : bg_fail_memory(err, "the order of tensors", (uint64_t)n * sizeof **index);
}

static bg_status check_keys(const bg_st_file *f, bg_error *err)
{
    size_t *index;
    bg_status s = new_index(f, f->meta.count, &index, err);
    if (s != BG_OK)
        return s;
    sort_index(index, f->meta.count, by_key, f->meta.keys);
    for (size_t i = 1; i < f->meta.count && s == BG_OK; i++)
        if (strcmp(f->meta.keys[index[i - 1]], f->meta.keys[index[i]]) == 0)
            s = bg_fail(err, BG_ERR_FORMAT, "%s: __metadata__: key \"%s\" stands twice", f->path, f->meta.keys[index[i]]);
    bg_free(f->sys, index);
    return s;
}

/* Bring the tensors into file order. */
static bg_status order_by_place(bg_st_file *f, bg_error *err)
{
    size_t *index;
    BG_TRY(new_index(f, f->count, &index, err));
    bg_st_tensor *sorted = bg_alloc(f->sys, f->count ? f->count : 1, sizeof *sorted);
    if (!sorted) {
        bg_free(f->sys, index);
        return bg_fail_memory(err, "the table of tensors", (uint64_t)f->count * sizeof *sorted);
    }
    sort_index(index, f->count, by_place, f->tensors);
    for (size_t i = 0; i < f->count; i++)
        sorted[i] = f->tensors[index[i]];
    bg_free(f->sys, index);
    bg_free(f->sys, f->tensors);
    f->tensors = sorted;
    return BG_OK;
}

static bg_status check_places(const bg_st_file *f, uint64_t data_at, bg_error *err)
{
    uint64_t at = data_at;
    for (size_t i = 0; i < f->count; i++) {
        const bg_st_tensor *t = &f->tensors[i];
        if (t->begin != at)
            return bg_fail(err, BG_ERR_FORMAT, "%s: %s: %s at byte %llu of the data", f->path, t->name,
                           t->begin < at ? "overlaps another tensor" : "stands behind a gap",
                           (unsigned long long)(t->begin - data_at));
        at += t->bytes;
    }
    if (at != f->size)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %llu bytes stand behind the last tensor", f->path,
                       (unsigned long long)(f->size - at));
    return BG_OK;
}

static bg_status check_names(bg_st_file *f, bg_error *err)
{
    BG_TRY(new_index(f, f->count, &f->by_name, err));
    sort_index(f->by_name, f->count, by_tensor_name, f->tensors);
    for (size_t i = 1; i < f->count; i++)
        if (strcmp(f->tensors[f->by_name[i - 1]].name, f->tensors[f->by_name[i]].name) == 0)
            return fail_tensor(f, f->tensors[f->by_name[i]].name, "the tensor stands twice", err);
    return BG_OK;
}

bg_status bg_st_index(bg_st_file *f, bg_error *err)
{
    BG_TRY(order_by_place(f, err));
    return check_names(f, err);
}

bg_status bg_st_parse(bg_st_file *f, const char *header, size_t header_size, uint64_t file_size, bg_error *err)
{
    bg_json j;
    char name[MAX_NAME];
    size_t capacity = 0;
    int seen_metadata = 0;
    f->size = file_size;
    bg_meta_open(&f->meta, f->sys);
    if (file_size < 8 || file_size - 8 < header_size)
        return bg_fail(err, BG_ERR_FORMAT, "%s: truncated inside the header", f->path);
    const uint64_t data_at = 8 + (uint64_t)header_size;
    bg_json_open(&j, header, header_size);
    if (!bg_json_enter(&j, '{'))
        return fail_json(f, &j, err);
    while (bg_json_key(&j, name, sizeof name)) {
        const int metadata = strcmp(name, "__metadata__") == 0;
        if (metadata && seen_metadata++)
            return fail_tensor(f, name, "the metadata stand twice", err);
        BG_TRY(metadata ? parse_metadata(f, &j, err) : parse_tensor(f, &j, name, &capacity, data_at, err));
    }
    if (j.failed || !bg_json_end(&j))
        return fail_json(f, &j, err);
    BG_TRY(check_keys(f, err));
    BG_TRY(bg_st_index(f, err));
    return check_places(f, data_at, err);
}
