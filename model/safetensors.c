/* safetensors files: element types, metadata, opening, finding and reading
 * tensors.  The header is taken apart in safetensors_parse.c, files are
 * written in safetensors_write.c.
 *
 * Refuses anything that is not one of the eight element types, and hands out
 * no value that is not finite: a model with NaN in it gives NaN everywhere,
 * and the cause is best named where it comes in. */
#include "model/safetensors.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

/* Values are copied between file and memory as they are. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors files are little-endian, and so must the machine be");

/* The official library's limit; a header is about 100 bytes a tensor. */
#define MAX_HEADER 100000000u

/* Bytes converted at a time: small enough for any thread's stack. */
enum { CHUNK = 16384 };

static const struct {
    const char *name;
    size_t size;
    int is_float;
} dtypes[BG_DTYPE_COUNT] = {
    [BG_F32] = { "F32", 4, 1 },  [BG_F16] = { "F16", 2, 1 }, [BG_BF16] = { "BF16", 2, 1 }, [BG_F64] = { "F64", 8, 1 },
    [BG_I64] = { "I64", 8, 0 },  [BG_I32] = { "I32", 4, 0 }, [BG_U8] = { "U8", 1, 0 },     [BG_BOOL] = { "BOOL", 1, 0 },
};

size_t bg_dtype_size(bg_dtype t) { return dtypes[t].size; }
const char *bg_dtype_name(bg_dtype t) { return dtypes[t].name; }
int bg_dtype_is_float(bg_dtype t) { return dtypes[t].is_float; }

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static float half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    const uint32_t exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31)
        return from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) { /* zero and subnormals: fraction * 2^-24, exact in fp32 */
        const float f = (float)fraction * 0x1p-24f;
        return sign ? -f : f;
    }
    return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static uint16_t float_to_half(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits >= 0x477ff000) /* from 65520 on, infinite, not a number */
        return (uint16_t)(sign | (bits > 0x7f800000 ? 0x7e00 : 0x7c00));
    if (bits < 0x38800000) { /* below 2^-14: a multiple of 2^-24, rounded by the addition of 1/2 */
        const float sum = fabsf(x) + 0.5f;
        memcpy(&bits, &sum, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000));
    }
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | ((bits >> 13) - (112 << 10)));
}

void bg_to_half(uint16_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = float_to_half(x[i]);
}

size_t bg_first_beyond_half(const float *x, size_t n)
{
    size_t i = 0;
    while (i < n && fabsf(x[i]) < 65520)
        i++;
    return i;
}

void bg_dtype_convert(float *out, const void *in, bg_dtype t, size_t n)
{
    const uint8_t *bytes = in;
    uint16_t u16;
    double f64;
    assert(bg_dtype_is_float(t));
    if (t == BG_F32) {
        memmove(out, in, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        switch (t) {
        case BG_F16:
            memcpy(&u16, bytes + 2 * i, 2);
            out[i] = half_to_float(u16);
            break;
        case BG_BF16:
            memcpy(&u16, bytes + 2 * i, 2);
            out[i] = from_bits((uint32_t)u16 << 16);
            break;
        default:
            memcpy(&f64, bytes + 8 * i, 8);
            /* beyond fp32's range the cast is undefined; the infinity is refused by the caller */
            out[i] = fabs(f64) > (double)FLT_MAX ? INFINITY : (float)f64;
        }
}

size_t bg_first_not_finite(const float *x, size_t n)
{
    size_t i = 0;
    while (i < n && isfinite(x[i]))
        i++;
    return i;
}

/* --- metadata ------------------------------------------------------------ */

void bg_meta_open(bg_meta *m, const bg_sys *sys)
{
    memset(m, 0, sizeof *m);
    m->sys = sys;
}

void bg_meta_close(bg_meta *m)
{
    for (size_t i = 0; i < m->count; i++) {
        bg_free(m->sys, m->keys[i]);
        bg_free(m->sys, m->values[i]);
    }
    if (m->sys) {
        bg_free(m->sys, m->keys);
        bg_free(m->sys, m->values);
    }
    memset(m, 0, sizeof *m);
}

static size_t meta_index(const bg_meta *m, const char *key)
{
    size_t i = 0;
    while (i < m->count && strcmp(m->keys[i], key) != 0)
        i++;
    return i;
}

const char *bg_meta_get(const bg_meta *m, const char *key)
{
    const size_t i = meta_index(m, key);
    return i < m->count ? m->values[i] : NULL;
}

/* Room for one more entry in both arrays; the smaller capacity counts. */
static bg_status meta_room(bg_meta *m, bg_error *err)
{
    size_t keys = m->capacity, values = m->capacity;
    BG_TRY(bg_grow(m->sys, (void **)&m->keys, &keys, m->count + 1, sizeof *m->keys, err));
    BG_TRY(bg_grow(m->sys, (void **)&m->values, &values, m->count + 1, sizeof *m->values, err));
    m->capacity = keys < values ? keys : values;
    return BG_OK;
}

bg_status bg_meta_add(bg_meta *m, char *key, char *value, bg_error *err)
{
    const bg_status s = key && value ? meta_room(m, err) : bg_fail_memory(err, "metadata", 0);
    if (s != BG_OK) {
        bg_free(m->sys, key);
        bg_free(m->sys, value);
        return s;
    }
    m->keys[m->count] = key;
    m->values[m->count++] = value;
    return BG_OK;
}

bg_status bg_meta_set(bg_meta *m, const char *key, const char *value, bg_error *err)
{
    const size_t i = meta_index(m, key);
    char *copy = bg_strdup(m->sys, value);
    if (i == m->count)
        return bg_meta_add(m, bg_strdup(m->sys, key), copy, err);
    if (!copy)
        return bg_fail_memory(err, "metadata", strlen(value) + 1);
    bg_free(m->sys, m->values[i]);
    m->values[i] = copy;
    return BG_OK;
}

bg_status bg_meta_copy(bg_meta *to, const bg_meta *from, bg_error *err)
{
    for (size_t i = 0; i < from->count; i++)
        BG_TRY(bg_meta_set(to, from->keys[i], from->values[i], err));
    return BG_OK;
}

/* --- files ----------------------------------------------------------------- */

void bg_st_close(bg_st_file *f)
{
    for (size_t i = 0; i < f->count; i++)
        bg_free(f->sys, f->tensors[i].name);
    if (f->sys) {
        bg_free(f->sys, f->tensors);
        bg_free(f->sys, f->by_name);
        bg_free(f->sys, f->path);
        bg_meta_close(&f->meta);
        if (f->fd >= 0)
            f->sys->close(f->sys->ctx, f->fd);
    }
    memset(f, 0, sizeof *f);
    f->fd = -1;
}

/* The header's length, checked against the file's: what is claimed is never
 * allocated unless it is there. */
static bg_status header_size(const bg_st_file *f, uint64_t *size, bg_error *err)
{
    uint8_t b[8] = { 0 };
    size_t got = 0;
    BG_TRY(bg_pread_full(f->sys, f->path, f->fd, b, sizeof b, 0, &got, err));
    if (got < sizeof b)
        return bg_fail(err, BG_ERR_FORMAT, "%s: not a safetensors file: it has only %llu bytes", f->path,
                       (unsigned long long)f->size);
    memcpy(size, b, sizeof b);
    if (*size > MAX_HEADER)
        return bg_fail(err, BG_ERR_FORMAT, "%s: not a safetensors file: a header of %llu bytes is claimed, the limit is %u",
                       f->path, (unsigned long long)*size, MAX_HEADER);
    if (*size > f->size - sizeof b)
        return bg_fail(err, BG_ERR_FORMAT, "%s: truncated: a header of %llu bytes is claimed, the file has %llu", f->path,
                       (unsigned long long)*size, (unsigned long long)f->size);
    return BG_OK;
}

static bg_status read_header(bg_st_file *f, bg_error *err)
{
    uint64_t size = 0;
    size_t got = 0;
    BG_TRY(header_size(f, &size, err));
    char *text = bg_alloc(f->sys, size + 1, 1);
    if (!text)
        return bg_fail_memory(err, "the header of a model file", size);
    bg_status s = bg_pread_full(f->sys, f->path, f->fd, text, size, 8, &got, err);
    if (s == BG_OK && got < size)
        s = bg_fail(err, BG_ERR_FORMAT, "%s: truncated inside the header", f->path);
    if (s == BG_OK)
        s = bg_st_parse(f, text, size, f->size, err);
    bg_free(f->sys, text);
    return s;
}

bg_status bg_st_open(bg_st_file *f, const bg_sys *sys, const char *path, bg_error *err)
{
    memset(f, 0, sizeof *f);
    f->fd = -1;
    f->sys = sys;
    f->path = bg_strdup(sys, path);
    bg_status s = f->path ? bg_open_read(sys, path, &f->fd, &f->size, err) : bg_fail_memory(err, path, strlen(path) + 1);
    if (s == BG_OK)
        s = read_header(f, err);
    if (s != BG_OK)
        bg_st_close(f);
    return s;
}

const bg_st_tensor *bg_st_find(const bg_st_file *f, const char *name)
{
    size_t low = 0, high = f->count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const bg_st_tensor *t = &f->tensors[f->by_name[mid]];
        const int order = strcmp(t->name, name);
        if (order == 0)
            return t;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static bg_status read_exact(bg_st_file *f, const bg_st_tensor *t, void *buf, size_t n, uint64_t offset, bg_error *err)
{
    size_t got = 0;
    BG_TRY(bg_pread_full(f->sys, f->path, f->fd, buf, n, offset, &got, err));
    if (got < n)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: the file has become shorter while it was read", f->path, t->name);
    return BG_OK;
}

bg_status bg_st_read(bg_st_file *f, const bg_st_tensor *t, uint64_t first, float *out, uint64_t n, bg_error *err)
{
    const size_t size = bg_dtype_size(t->dtype);
    uint8_t chunk[CHUNK];
    assert(first <= t->count && n <= t->count - first);
    if (!bg_dtype_is_float(t->dtype))
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s: elements of type %s cannot be read as numbers", f->path, t->name,
                       bg_dtype_name(t->dtype));
    for (uint64_t done = 0; done < n;) {
        const size_t left = (size_t)(n - done), part = t->dtype == BG_F32 || left < CHUNK / size ? left : CHUNK / size;
        void *to = t->dtype == BG_F32 ? (void *)(out + done) : chunk;
        BG_TRY(read_exact(f, t, to, part * size, t->begin + (first + done) * size, err));
        bg_dtype_convert(out + done, to, t->dtype, part);
        const size_t bad = bg_first_not_finite(out + done, part);
        if (bad < part)
            return bg_fail(err, BG_ERR_FORMAT, "%s: %s: value %llu is not a finite number", f->path, t->name,
                           (unsigned long long)(first + done + bad));
        done += part;
    }
    return BG_OK;
}
