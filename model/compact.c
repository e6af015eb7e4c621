/* A model file with its weights in half as many bytes: fp16, rounded to nearest even, which keeps eleven bits of each.  File to
 * file, a chunk at a time; read back and compared before it takes its name. */
#include "model/file.h"

#include <string.h>

enum { CHUNK = 4096 };

static bg_status read_chunk(bg_st_file *f, const bg_st_tensor *t, uint64_t done, float x[CHUNK], uint64_t *n, bg_error *err)
{
    *n = t->count - done < CHUNK ? t->count - done : CHUNK;
    return bg_st_read(f, t, done, x, *n, err);
}

static bg_status write_tensor(bg_st_file *from, const bg_st_tensor *t, bg_st_writer *w, bg_error *err)
{
    float x[CHUNK];
    for (uint64_t done = 0, n; done < t->count; done += n) {
        BG_TRY(read_chunk(from, t, done, x, &n, err));
        const size_t bad = bg_first_beyond_half(x, (size_t)n);
        if (bad < n)
            return bg_fail(err, BG_ERR_FAILED, "%s: value %llu of %s is %g, beyond what 16 bits hold", from->path, (unsigned long long)(done + bad), t->name, (double)x[bad]);
        BG_TRY(bg_st_data(w, x, n, err));
    }
    return BG_OK;
}

static bg_status compare_tensor(bg_st_file *from, const bg_st_tensor *t, bg_st_file *made, bg_error *err)
{
    const bg_st_tensor *other = bg_st_find(made, t->name);
    float x[CHUNK], y[CHUNK];
    uint16_t half[CHUNK];
    if (!other || other->count != t->count)
        return bg_fail(err, BG_ERR_IO, "%s is not in the file", t->name);
    for (uint64_t done = 0, n; done < t->count; done += n) {
        BG_TRY(read_chunk(from, t, done, x, &n, err));
        BG_TRY(bg_st_read(made, other, done, y, n, err));
        bg_to_half(half, x, (size_t)n);
        bg_dtype_convert(x, half, BG_F16, (size_t)n);
        if (memcmp(x, y, (size_t)n * sizeof *x) != 0)
            return bg_fail(err, BG_ERR_IO, "%s is not in the file as it was given", t->name);
    }
    return BG_OK;
}

static bg_status read_back(bg_st_file *from, const char *temp, const char *path, bg_error *err)
{
    bg_st_file made;
    bg_error why = { 0 };
    bg_status s = bg_st_open(&made, from->sys, temp, &why);
    if (s == BG_OK) {
        for (size_t i = 0; i < from->count && s == BG_OK; i++)
            if (!bg_file_of_run(from->tensors[i].name))
                s = compare_tensor(from, &from->tensors[i], &made, &why);
        bg_st_close(&made);
    }
    return s == BG_OK ? BG_OK : bg_fail(err, s == BG_ERR_MEMORY ? s : BG_ERR_IO, "%s: it could not be read back and was not saved: %.300s", path, why.text);
}

static bg_status write_all(bg_st_file *from, bg_st_writer *w, const char *path, bg_error *err)
{
    const char *temp = NULL;
    w->dtype = BG_F16;
    for (size_t i = 0; i < from->count; i++)
        if (!bg_file_of_run(from->tensors[i].name))
            BG_TRY(bg_st_declare(w, from->tensors[i].name, from->tensors[i].dims, from->tensors[i].shape, err));
    BG_TRY(bg_st_begin_data(w, err));
    for (size_t i = 0; i < from->count; i++)
        if (!bg_file_of_run(from->tensors[i].name))
            BG_TRY(write_tensor(from, &from->tensors[i], w, err));
    BG_TRY(bg_st_flush(w, &temp, err));
    if (temp)
        BG_TRY(read_back(from, temp, path, err));
    return bg_st_commit(w, err);
}

bg_status bg_model_compact(const bg_sys *sys, const char *from, const char *to, int replace, bg_error *err)
{
    bg_st_file f;
    bg_st_writer w;
    bg_config c;
    BG_TRY(bg_st_open(&f, sys, from, err));
    bg_status s = bg_file_config(&c, &f, err); /* a model, and no other file of tensors */
    if (s == BG_OK) {
        s = bg_st_create(&w, sys, to, replace, &f.meta, err);
        if (s == BG_OK)
            s = write_all(&f, &w, to, err);
        if (s != BG_OK)
            bg_st_abandon(&w);
    }
    bg_st_close(&f);
    return s;
}
