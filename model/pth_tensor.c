/* Values of a checkpoint's tensors: see pth_tensor.h.  Shapes and strides were
 * checked against the storage by the pickle reader; here the storage is
 * checked against the archive's entry. */
#include "model/pth_tensor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Elements converted at a time. */
enum { CHUNK = 2048, MAX_ELEMENT = 8 };

typedef struct stream {
    const bg_py_tensor *t;
    const char *path, *name;
    bg_pth_sink *sink;
    void *arg;
    uint64_t done; /* values given so far */
} stream;

/* n elements as they stand in the file. */
static bg_status give(stream *s, const void *raw, size_t n, bg_error *err)
{
    float values[CHUNK];
    bg_dtype_convert(values, raw, s->t->dtype, n);
    const size_t bad = bg_first_not_finite(values, n);
    if (bad < n)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: value %llu is not a finite number", s->path, s->name,
                       (unsigned long long)(s->done + bad));
    s->done += n;
    return s->sink(s->arg, values, n, err);
}

/* Row-major without gaps; the stride of a dimension of one element means nothing. */
static int is_contiguous(const bg_py_tensor *t)
{
    uint64_t step = 1;
    for (uint32_t i = t->dims; i-- > 0;) {
        if (t->shape[i] != 1 && t->stride[i] != step)
            return 0;
        step *= t->shape[i];
    }
    return 1;
}

static bg_status stream_contiguous(stream *s, bg_pth_entry *e, bg_error *err)
{
    uint8_t raw[CHUNK * MAX_ELEMENT];
    const size_t size = bg_dtype_size(s->t->dtype);
    while (s->done < s->t->count) {
        const uint64_t left = s->t->count - s->done;
        const size_t n = left < CHUNK ? (size_t)left : CHUNK;
        BG_TRY(bg_pth_entry_read(e, raw, n * size, err));
        BG_TRY(give(s, raw, n, err));
    }
    /* Only what was read from end to end can be compared with the archive's CRC. */
    return s->t->offset == 0 && s->t->count == s->t->storage ? bg_pth_entry_end(e, err) : BG_OK;
}

/* The next index in row-major order; *at is its place in the span. */
static void advance(const bg_py_tensor *t, uint64_t index[BG_ST_DIMS], uint64_t *at)
{
    for (uint32_t i = t->dims; i-- > 0;) {
        *at += t->stride[i];
        if (++index[i] < t->shape[i])
            return;
        *at -= t->shape[i] * t->stride[i];
        index[i] = 0;
    }
}

static bg_status give_strided(stream *s, const uint8_t *span, bg_error *err)
{
    uint8_t raw[CHUNK * MAX_ELEMENT];
    uint64_t index[BG_ST_DIMS] = { 0 }, at = 0;
    const size_t size = bg_dtype_size(s->t->dtype);
    while (s->done < s->t->count) {
        const uint64_t left = s->t->count - s->done;
        const size_t n = left < CHUNK ? (size_t)left : CHUNK;
        for (size_t i = 0; i < n; i++) {
            memcpy(raw + i * size, span + at * size, size);
            advance(s->t, index, &at);
        }
        BG_TRY(give(s, raw, n, err));
    }
    return BG_OK;
}

static bg_status stream_strided(stream *s, bg_pth_entry *e, bg_error *err)
{
    const bg_sys *sys = e->archive->sys;
    const size_t size = bg_dtype_size(s->t->dtype);
    uint64_t bytes;
    /* Strides that come back to the same element make much out of little. */
    if (__builtin_mul_overflow(s->t->count, (uint64_t)size, &bytes))
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: the shape is too large", s->path, s->name);
    BG_TRY(bg_pth_archive_spend(e->archive, bytes, err));
    uint8_t *span = bg_alloc(sys, (size_t)s->t->span, size);
    if (!span)
        return bg_fail_memory(err, s->name, s->t->span * size);
    bg_status status = bg_pth_entry_read(e, span, s->t->span * size, err);
    if (status == BG_OK)
        status = give_strided(s, span, err);
    bg_free(sys, span);
    return status;
}

/* The entry must hold the whole storage, to the byte. */
static bg_status stream_entry(stream *s, bg_pth_entry *e, bg_error *err)
{
    const uint64_t size = bg_dtype_size(s->t->dtype);
    uint64_t bytes;
    if (__builtin_mul_overflow(s->t->storage, size, &bytes) || bytes != e->size)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: its storage should have %llu elements of %llu bytes, entry %s has %llu bytes",
                       s->path, s->name, (unsigned long long)s->t->storage, (unsigned long long)size, e->name,
                       (unsigned long long)e->size);
    BG_TRY(bg_pth_entry_skip(e, s->t->offset * size, err));
    return is_contiguous(s->t) ? stream_contiguous(s, e, err) : stream_strided(s, e, err);
}

bg_status bg_pth_stream(bg_pth_archive *a, const bg_pickle *p, const bg_py_tensor *t, const char *name, bg_pth_sink *sink,
                        void *arg, bg_error *err)
{
    bg_pth_entry e;
    stream s = { t, a->path, name, sink, arg, 0 };
    char entry[32];
    const bg_py_value *key = &p->values[t->key];
    if (!bg_dtype_is_float(t->dtype))
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: elements of type %s cannot be weights", a->path, name, bg_dtype_name(t->dtype));
    snprintf(entry, sizeof entry, "data/%.*s", (int)key->u.string.size, (const char *)p->data + key->u.string.at);
    BG_TRY(bg_pth_entry_open(&e, a, entry, NULL, err));
    const bg_status status = stream_entry(&s, &e, err);
    bg_pth_entry_close(&e);
    return status;
}
