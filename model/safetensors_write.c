/* Writing safetensors files: tensors of fp32 or fp16, one after another, behind a header
 * that is padded with spaces so that the data begins at a multiple of 8.
 *
 * The file is written aside and renamed (base/file.h).  Giving more or less
 * data than was declared is a broken precondition, not an error. */
#include "model/safetensors.h"

#include <assert.h>
#include <string.h>

enum { DECLARING, GIVING_DATA };

/* Alignment of the data, as the official library writes it. */
enum { ALIGN = 8 };

static bg_status check_text(const bg_text *t, bg_error *err)
{
    return t->failed ? bg_fail_memory(err, "the header of a model file", t->size) : BG_OK;
}

static void write_meta(bg_text *t, const bg_meta *meta)
{
    bg_text_add(t, "\"__metadata__\":{");
    for (size_t i = 0; i < meta->count; i++) {
        bg_text_add(t, i ? "," : "");
        bg_text_json(t, meta->keys[i]);
        bg_text_add(t, ":");
        bg_text_json(t, meta->values[i]);
    }
    bg_text_add(t, "}");
}

bg_status bg_st_create(bg_st_writer *w, const bg_sys *sys, const char *path, int replace, const bg_meta *meta, bg_error *err)
{
    memset(w, 0, sizeof *w);
    bg_text_open(&w->header, sys);
    BG_TRY(bg_writer_begin(&w->out, sys, path, replace, err));
    bg_text_add(&w->header, "{");
    if (meta && meta->count)
        write_meta(&w->header, meta);
    return check_text(&w->header, err);
}

bg_status bg_st_declare(bg_st_writer *w, const char *name, uint32_t dims, const uint64_t *shape, bg_error *err)
{
    bg_text *t = &w->header;
    uint64_t count = 1;
    assert(w->state == DECLARING);
    bg_text_add(t, t->size > 1 ? "," : "");
    bg_text_json(t, name);
    bg_text_add(t, ":{\"dtype\":\"%s\",\"shape\":[", bg_dtype_name(w->dtype));
    for (uint32_t i = 0; i < dims; i++) {
        bg_text_add(t, "%s%llu", i ? "," : "", (unsigned long long)shape[i]);
        count *= shape[i];
    }
    const uint64_t end = w->offset + count * bg_dtype_size(w->dtype);
    bg_text_add(t, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)w->offset, (unsigned long long)end);
    w->offset = end;
    return check_text(t, err);
}

bg_status bg_st_begin_data(bg_st_writer *w, bg_error *err)
{
    assert(w->state == DECLARING);
    bg_text_add(&w->header, "}");
    while (w->header.size % ALIGN != 0 && !w->header.failed)
        bg_text_add(&w->header, " ");
    BG_TRY(check_text(&w->header, err));
    const uint64_t size = w->header.size;
    BG_TRY(bg_writer_put(&w->out, &size, sizeof size, err));
    BG_TRY(bg_writer_put(&w->out, w->header.data, w->header.size, err));
    w->data_at = sizeof size + size;
    w->state = GIVING_DATA;
    return BG_OK;
}

bg_status bg_st_data(bg_st_writer *w, const float *values, uint64_t n, bg_error *err)
{
    uint16_t half[1024];
    assert(w->state == GIVING_DATA);
    if (w->dtype == BG_F32)
        return bg_writer_put(&w->out, values, n * sizeof *values, err);
    for (uint64_t i = 0, part; i < n; i += part) {
        part = n - i < 1024 ? n - i : 1024;
        bg_to_half(half, values + i, (size_t)part);
        BG_TRY(bg_writer_put(&w->out, half, part * sizeof *half, err));
    }
    return BG_OK;
}

bg_status bg_st_flush(bg_st_writer *w, const char **path, bg_error *err)
{
    assert(w->state == GIVING_DATA && w->out.written == w->data_at + w->offset);
    *path = w->out.temp;
    return bg_writer_flush(&w->out, err);
}

bg_status bg_st_commit(bg_st_writer *w, bg_error *err)
{
    assert(w->state == GIVING_DATA && w->out.written == w->data_at + w->offset);
    BG_TRY(bg_writer_commit(&w->out, err));
    bg_text_close(&w->header);
    return BG_OK;
}

void bg_st_abandon(bg_st_writer *w)
{
    bg_writer_abandon(&w->out);
    if (w->header.sys)
        bg_text_close(&w->header);
    memset(w, 0, sizeof *w);
}
