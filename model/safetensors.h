/* Reading and writing safetensors files (github.com/huggingface/safetensors,
 * README "Format"): u64 header length, JSON header, tensor bytes.
 *
 * The reader trusts nothing: header length against file length and a limit of
 * 100 MB, names unique, shapes and offsets consistent, no overlap, no gap, no
 * trailing bytes, and every sum checked for overflow. */
#ifndef BG_MODEL_SAFETENSORS_H
#define BG_MODEL_SAFETENSORS_H

#include "base/file.h"
#include "base/json.h"

typedef enum bg_dtype { BG_F32, BG_F16, BG_BF16, BG_F64, BG_I64, BG_I32, BG_U8, BG_BOOL, BG_DTYPE_COUNT } bg_dtype;
size_t bg_dtype_size(bg_dtype t);
const char *bg_dtype_name(bg_dtype t); /* "F32", ... */
int bg_dtype_is_float(bg_dtype t);     /* F32, F16, BF16, F64 */
/* n values of a float type, as they stand in a file, to fp32; out may be in, for F32 only. */
void bg_dtype_convert(float *out, const void *in, bg_dtype t, size_t n);
/* To fp16, rounded to nearest even; beyond its range infinite. */
void bg_to_half(uint16_t *out, const float *x, size_t n);
/* Index of the first value that fp16 would make infinite, n when there is none. */
size_t bg_first_beyond_half(const float *x, size_t n);
/* Index of the first value that is not finite, n when all are. */
size_t bg_first_not_finite(const float *x, size_t n);

enum { BG_ST_DIMS = 8 };

typedef struct bg_st_tensor {
    char *name;
    bg_dtype dtype;
    uint32_t dims;
    uint64_t shape[BG_ST_DIMS];
    uint64_t count;          /* elements */
    uint64_t begin, bytes;   /* place in the file, absolute */
} bg_st_tensor;

/* Strings of __metadata__, in file order. */
typedef struct bg_meta {
    const bg_sys *sys;
    char **keys, **values;
    size_t count, capacity;
} bg_meta;

void bg_meta_open(bg_meta *m, const bg_sys *sys);
void bg_meta_close(bg_meta *m);
const char *bg_meta_get(const bg_meta *m, const char *key); /* NULL when absent */
bg_status bg_meta_set(bg_meta *m, const char *key, const char *value, bg_error *err); /* replaces */
/* Takes over both strings (from bg_alloc; NULL: out of memory), also on failure; does not look for the key. */
bg_status bg_meta_add(bg_meta *m, char *key, char *value, bg_error *err);
bg_status bg_meta_copy(bg_meta *to, const bg_meta *from, bg_error *err); /* adds all */

typedef struct bg_st_file {
    const bg_sys *sys;
    char *path;
    int fd;
    uint64_t size;
    bg_st_tensor *tensors; /* in file order */
    size_t *by_name;       /* indices of tensors, names ascending: bg_st_find() stays quick on a hostile header */
    size_t count;
    bg_meta meta;
} bg_st_file;

bg_status bg_st_open(bg_st_file *f, const bg_sys *sys, const char *path, bg_error *err);
void bg_st_close(bg_st_file *f); /* safe on a zeroed struct */
/* Parse a header held in memory (what bg_st_open and the fuzzer call).
 * f->sys, f->path (freed by bg_st_close) and f->fd (-1: none) are set before,
 * the rest is zero; on failure bg_st_close() is still due. */
bg_status bg_st_parse(bg_st_file *f, const char *header, size_t header_size, uint64_t file_size, bg_error *err);
/* Order f->tensors by place and fill by_name; a name that stands twice is
 * BG_ERR_FORMAT.  Called by bg_st_parse, and for tables made otherwise (.pth). */
bg_status bg_st_index(bg_st_file *f, bg_error *err);
const bg_st_tensor *bg_st_find(const bg_st_file *f, const char *name);
/* Elements [first, first+n) as fp32 (F32, F16, BF16 and F64 are converted).
 * A value that is not finite is BG_ERR_FORMAT. */
bg_status bg_st_read(bg_st_file *f, const bg_st_tensor *t, uint64_t first, float *out, uint64_t n, bg_error *err);

/* Writing: declare all tensors, then give their data in the same order.
 * Order of calls: create, declare..., begin_data, data..., then commit or
 * abandon.  After a failure only abandon may follow. */
typedef struct bg_st_writer {
    bg_writer out;
    bg_text header;
    uint64_t offset;  /* of the next declared tensor = data bytes declared so far */
    uint64_t data_at; /* where the data begins in the file */
    int state;
    bg_dtype dtype;   /* of the file's tensors: BG_F32 unless set to BG_F16 before the first is declared */
} bg_st_writer;

bg_status bg_st_create(bg_st_writer *w, const bg_sys *sys, const char *path, int replace, const bg_meta *meta, bg_error *err);
bg_status bg_st_declare(bg_st_writer *w, const char *name, uint32_t dims, const uint64_t *shape, bg_error *err);
bg_status bg_st_begin_data(bg_st_writer *w, bg_error *err);
bg_status bg_st_data(bg_st_writer *w, const float *values, uint64_t n, bg_error *err);
/* Everything given so far is in the file aside afterwards; *path is its name
 * (NULL: written directly to a device), for reading it back before the rename. */
bg_status bg_st_flush(bg_st_writer *w, const char **path, bg_error *err);
bg_status bg_st_commit(bg_st_writer *w, bg_error *err);
void bg_st_abandon(bg_st_writer *w);

#endif
