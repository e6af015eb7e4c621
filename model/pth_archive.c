/* The zip archive of a PyTorch checkpoint: see pth_archive.h. */
#include "model/pth_archive.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* An archive may unpack to this many times its size, and this much besides
 * (for small files full of zeros that a program compressed). */
#define MAX_RATIO 16u
#define ALLOWANCE (16u << 20)

static bg_status fail(const bg_pth_archive *a, const char *why, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "%s: not a .pth checkpoint that can be read: %s", a->path, why);
}

/* A failed hook gives its own sentence; else libzip's reason is told. */
static bg_status fail_zip(const bg_pth_archive *a, const char *what, zip_error_t *e, bg_error *err)
{
    if (a->status != BG_OK) {
        if (err)
            *err = a->why;
        return a->status;
    }
    if (zip_error_code_zip(e) == ZIP_ER_MEMORY)
        return bg_fail(err, BG_ERR_MEMORY, "%s: out of memory in the zip archive", a->path);
    return bg_fail(err, BG_ERR_FORMAT, "%s: not a .pth checkpoint that can be read: %s: %s", a->path, what, zip_error_strerror(e));
}

/* --- libzip's input ---------------------------------------------------------- */

static zip_int64_t source_read(bg_pth_archive *a, void *data, zip_uint64_t n)
{
    size_t got = 0;
    a->status = bg_pread_full(a->sys, a->path, a->fd, data, (size_t)n, a->at, &got, &a->why);
    if (a->status != BG_OK) {
        zip_error_set(&a->zip_error, ZIP_ER_READ, 0);
        return -1;
    }
    a->at += got;
    return (zip_int64_t)got;
}

static zip_int64_t source_stat(bg_pth_archive *a, void *data)
{
    zip_stat_t *s = data;
    zip_stat_init(s);
    s->size = a->size;
    s->valid |= ZIP_STAT_SIZE;
    return sizeof *s;
}

static zip_int64_t source_seek(bg_pth_archive *a, void *data, zip_uint64_t n)
{
    const zip_int64_t at = zip_source_seek_compute_offset(a->at, a->size, data, n, &a->zip_error);
    if (at < 0)
        return -1;
    a->at = (uint64_t)at;
    return 0;
}

static zip_int64_t source(void *arg, void *data, zip_uint64_t n, zip_source_cmd_t command)
{
    bg_pth_archive *a = arg;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        a->at = 0;
        return 0;
    case ZIP_SOURCE_READ: return source_read(a, data, n);
    case ZIP_SOURCE_STAT: return source_stat(a, data);
    case ZIP_SOURCE_SEEK: return source_seek(a, data, n);
    case ZIP_SOURCE_TELL: return (zip_int64_t)a->at;
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE: return 0;
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&a->zip_error, data, n);
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                              ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL,
                                              ZIP_SOURCE_SUPPORTS, -1);
    default:
        zip_error_set(&a->zip_error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* --- opening ------------------------------------------------------------------- */

/* What the file begins with tells a zip archive from PyTorch's older formats. */
static bg_status check_start(const bg_pth_archive *a, bg_error *err)
{
    /* protocol 2 and the 10-byte number 0x1950a86a20f9469cfc6c */
    static const uint8_t legacy[] = { 0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19 };
    uint8_t b[sizeof legacy] = { 0 };
    size_t got = 0;
    BG_TRY(bg_pread_full(a->sys, a->path, a->fd, b, sizeof b, 0, &got, err));
    if (got == sizeof legacy && memcmp(b, legacy, sizeof legacy) == 0)
        return fail(a, "it is in the format of PyTorch before 1.6; load it with PyTorch and save it again", err);
    if (got < 4 || memcmp(b, "PK\3\4", 4) != 0)
        return fail(a, "it is no zip archive", err);
    return BG_OK;
}

static bg_status open_zip(bg_pth_archive *a, bg_error *err)
{
    zip_error_t e;
    zip_error_init(&e);
    zip_source_t *from = zip_source_function_create(source, a, &e);
    /* CHECKCONS: the two tables of a zip archive must agree, and no name stand twice. */
    if (from && !(a->zip = zip_open_from_source(from, ZIP_RDONLY | ZIP_CHECKCONS, &e)))
        zip_source_free(from);
    const bg_status s = a->zip ? BG_OK : fail_zip(a, "the archive is damaged", &e, err);
    zip_error_fini(&e);
    return s;
}

/* The one entry FOLDER/data.pkl says which folder all others are in. */
static bg_status find_prefix(bg_pth_archive *a, bg_error *err)
{
    static const char pickle[] = "/data.pkl";
    const zip_int64_t entries = zip_get_num_entries(a->zip, 0);
    for (zip_int64_t i = 0; i < entries; i++) {
        const char *name = zip_get_name(a->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        const char *slash = name ? strchr(name, '/') : NULL;
        if (!slash || strcmp(slash, pickle) != 0)
            continue;
        if (a->prefix)
            return fail(a, "it holds more than one data.pkl", err);
        a->prefix = bg_asprintf(a->sys, "%.*s/", (int)(slash - name), name);
        if (!a->prefix)
            return bg_fail_memory(err, "the names of an archive", (uint64_t)(slash - name) + 2);
    }
    return a->prefix ? BG_OK : fail(a, "it holds no data.pkl", err);
}

static bg_status check_byte_order(bg_pth_archive *a, bg_error *err)
{
    bg_pth_entry e;
    char text[8] = { 0 };
    int found = 0;
    BG_TRY(bg_pth_entry_open(&e, a, "byteorder", &found, err));
    if (!found) /* PyTorch before 2.1 wrote none, and little-endian */
        return BG_OK;
    const bg_status s = e.size < sizeof text ? bg_pth_entry_read(&e, text, e.size, err) : BG_OK;
    bg_pth_entry_close(&e);
    BG_TRY(s);
    return strcmp(text, "little") == 0 ? BG_OK : fail(a, "its byte order is not \"little\"", err);
}

bg_status bg_pth_archive_open(bg_pth_archive *a, const bg_sys *sys, const char *path, bg_error *err)
{
    memset(a, 0, sizeof *a);
    a->sys = sys;
    a->path = path;
    zip_error_init(&a->zip_error);
    bg_status s = bg_open_read(sys, path, &a->fd, &a->size, err);
    if (s != BG_OK)
        a->fd = -1;
    if (s == BG_OK)
        s = check_start(a, err);
    if (s == BG_OK)
        s = open_zip(a, err);
    if (s == BG_OK)
        s = find_prefix(a, err);
    if (s == BG_OK)
        s = check_byte_order(a, err);
    if (s != BG_OK)
        bg_pth_archive_close(a);
    return s;
}

void bg_pth_archive_close(bg_pth_archive *a)
{
    if (!a->sys)
        return;
    if (a->zip)
        zip_discard(a->zip);
    if (a->fd >= 0)
        a->sys->close(a->sys->ctx, a->fd);
    bg_free(a->sys, a->prefix);
    zip_error_fini(&a->zip_error);
    memset(a, 0, sizeof *a);
}

bg_status bg_pth_archive_spend(bg_pth_archive *a, uint64_t n, bg_error *err)
{
    const uint64_t limit = a->size * MAX_RATIO + ALLOWANCE;
    if (n > limit || a->unpacked > limit - n)
        return bg_fail(err, BG_ERR_FORMAT, "%s: it unpacks to more than %llu bytes, far beyond what %llu bytes of weights can hold",
                       a->path, (unsigned long long)limit, (unsigned long long)a->size);
    a->unpacked += n;
    return BG_OK;
}

/* --- entries --------------------------------------------------------------------- */

static bg_status check_stat(const bg_pth_archive *a, const zip_stat_t *s, const char *name, bg_error *err)
{
    const zip_uint64_t want = ZIP_STAT_INDEX | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((s->valid & want) != want || s->encryption_method != ZIP_EM_NONE)
        return bg_fail(err, BG_ERR_FORMAT, "%s: entry %s is encrypted or incomplete", a->path, name);
    if (s->comp_method != ZIP_CM_STORE && s->comp_method != ZIP_CM_DEFLATE)
        return bg_fail(err, BG_ERR_FORMAT, "%s: entry %s is compressed in a way that is not supported (method %u)", a->path, name,
                       (unsigned)s->comp_method);
    if (s->comp_size > a->size || (s->comp_method == ZIP_CM_STORE && s->size != s->comp_size))
        return bg_fail(err, BG_ERR_FORMAT, "%s: entry %s claims %llu bytes, the file has %llu", a->path, name,
                       (unsigned long long)s->size, (unsigned long long)a->size);
    return BG_OK;
}

bg_status bg_pth_entry_open(bg_pth_entry *e, bg_pth_archive *a, const char *name, int *found, bg_error *err)
{
    zip_stat_t s;
    memset(e, 0, sizeof *e);
    e->archive = a;
    snprintf(e->name, sizeof e->name, "%s", name);
    char *whole = bg_asprintf(a->sys, "%s%s", a->prefix, name);
    if (!whole)
        return bg_fail_memory(err, "the names of an archive", strlen(a->prefix) + strlen(name) + 1);
    zip_stat_init(&s);
    const int missing = zip_stat(a->zip, whole, ZIP_FL_ENC_RAW, &s) != 0;
    bg_free(a->sys, whole);
    if (found)
        *found = !missing;
    if (missing)
        return found ? BG_OK : bg_fail(err, BG_ERR_FORMAT, "%s: entry %s is missing", a->path, name);
    BG_TRY(check_stat(a, &s, name, err));
    e->size = s.size;
    e->stored = s.comp_method == ZIP_CM_STORE;
    e->file = zip_fopen_index(a->zip, s.index, 0);
    return e->file ? BG_OK : fail_zip(a, name, zip_get_error(a->zip), err);
}

void bg_pth_entry_close(bg_pth_entry *e)
{
    if (e->file)
        zip_fclose(e->file);
    e->file = NULL;
}

bg_status bg_pth_entry_read(bg_pth_entry *e, void *buf, uint64_t n, bg_error *err)
{
    uint8_t *to = buf;
    BG_TRY(bg_pth_archive_spend(e->archive, n, err));
    while (n > 0) {
        const zip_int64_t got = zip_fread(e->file, to, n);
        if (got < 0)
            return fail_zip(e->archive, e->name, zip_file_get_error(e->file), err);
        if (got == 0)
            return bg_fail(err, BG_ERR_FORMAT, "%s: entry %s is shorter than it claims", e->archive->path, e->name);
        to += got;
        n -= (uint64_t)got;
    }
    return BG_OK;
}

bg_status bg_pth_entry_skip(bg_pth_entry *e, uint64_t n, bg_error *err)
{
    uint8_t chunk[4096];
    if (n == 0)
        return BG_OK;
    if (e->stored && n <= INT64_MAX) {
        if (zip_fseek(e->file, (zip_int64_t)n, SEEK_CUR) != 0)
            return fail_zip(e->archive, e->name, zip_file_get_error(e->file), err);
        return BG_OK;
    }
    while (n > 0) {
        const uint64_t part = n < sizeof chunk ? n : sizeof chunk;
        BG_TRY(bg_pth_entry_read(e, chunk, part, err));
        n -= part;
    }
    return BG_OK;
}

/* libzip compares the CRC when it meets the end. */
bg_status bg_pth_entry_end(bg_pth_entry *e, bg_error *err)
{
    uint8_t one;
    const zip_int64_t got = zip_fread(e->file, &one, 1);
    if (got < 0)
        return fail_zip(e->archive, e->name, zip_file_get_error(e->file), err);
    if (got > 0)
        return bg_fail(err, BG_ERR_FORMAT, "%s: entry %s is longer than it claims", e->archive->path, e->name);
    return BG_OK;
}

static bg_status load(bg_pth_entry *e, uint8_t **data, bg_error *err)
{
    const bg_sys *sys = e->archive->sys;
    *data = bg_alloc(sys, (size_t)e->size + 1, 1);
    if (!*data)
        return bg_fail_memory(err, e->name, e->size);
    bg_status s = bg_pth_entry_read(e, *data, e->size, err);
    if (s == BG_OK)
        s = bg_pth_entry_end(e, err);
    if (s != BG_OK) {
        bg_free(sys, *data);
        *data = NULL;
    }
    return s;
}

bg_status bg_pth_entry_load(bg_pth_archive *a, const char *name, uint64_t limit, uint8_t **data, size_t *size, bg_error *err)
{
    bg_pth_entry e;
    *data = NULL;
    BG_TRY(bg_pth_entry_open(&e, a, name, NULL, err));
    *size = (size_t)e.size;
    const bg_status s = e.size > limit ? bg_fail(err, BG_ERR_FORMAT, "%s: entry %s has %llu bytes, at most %llu are read", a->path, name,
                                                 (unsigned long long)e.size, (unsigned long long)limit)
                                       : load(&e, data, err);
    bg_pth_entry_close(&e);
    return s;
}
