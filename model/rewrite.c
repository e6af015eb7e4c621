/* Model files made of model files: one with its weights in half as many bytes (fp16, rounded to nearest even, which keeps eleven
 * bits of each), or several averaged.  File to file, a chunk at a time; read back and compared before it takes its name. */
#include "model/file.h"

#include <string.h>

enum { CHUNK = 4096 };

/* What is read: the first file's tensors, each value the sum over all files by their shares. */
typedef struct sources {
    bg_st_file *files;
    const double *shares; /* of 1, one a file */
    size_t count;
} sources;

static bg_status read_chunk(const sources *s, const bg_st_tensor *t, uint64_t done, float x[CHUNK], uint64_t *n, bg_error *err)
{
    double sum[CHUNK];
    *n = t->count - done < CHUNK ? t->count - done : CHUNK;
    for (size_t k = 0; k < s->count; k++) {
        const bg_st_tensor *from = k ? bg_st_find(&s->files[k], t->name) : t;
        if (!from || from->count != t->count)
            return bg_fail(err, BG_ERR_FORMAT, "%s has no %s as %s has", s->files[k].path, t->name, s->files[0].path);
        BG_TRY(bg_st_read(&s->files[k], from, done, x, *n, err));
        for (uint64_t i = 0; i < *n; i++)
            sum[i] = (k ? sum[i] : -0.0) + s->shares[k] * x[i]; /* -0: of one file each value stays as it is, its sign too */
    }
    for (uint64_t i = 0; i < *n; i++)
        x[i] = (float)sum[i];
    return BG_OK;
}

static bg_status write_tensor(const sources *s, const bg_st_tensor *t, bg_st_writer *w, bg_error *err)
{
    float x[CHUNK];
    for (uint64_t done = 0, n; done < t->count; done += n) {
        BG_TRY(read_chunk(s, t, done, x, &n, err));
        const size_t bad = w->dtype == BG_F16 ? bg_first_beyond_half(x, (size_t)n) : (size_t)n;
        if (bad < n)
            return bg_fail(err, BG_ERR_FAILED, "%s: value %llu of %s is %g, beyond what 16 bits hold", s->files[0].path, (unsigned long long)(done + bad), t->name, (double)x[bad]);
        BG_TRY(bg_st_data(w, x, n, err));
    }
    return BG_OK;
}

static bg_status compare_tensor(const sources *s, const bg_st_tensor *t, bg_st_file *made, bg_dtype dtype, bg_error *err)
{
    const bg_st_tensor *other = bg_st_find(made, t->name);
    float x[CHUNK], y[CHUNK];
    uint16_t half[CHUNK];
    if (!other || other->count != t->count)
        return bg_fail(err, BG_ERR_IO, "%s is not in the file", t->name);
    for (uint64_t done = 0, n; done < t->count; done += n) {
        BG_TRY(read_chunk(s, t, done, x, &n, err));
        BG_TRY(bg_st_read(made, other, done, y, n, err));
        if (dtype == BG_F16) {
            bg_to_half(half, x, (size_t)n);
            bg_dtype_convert(x, half, BG_F16, (size_t)n);
        }
        if (memcmp(x, y, (size_t)n * sizeof *x) != 0)
            return bg_fail(err, BG_ERR_IO, "%s is not in the file as it was given", t->name);
    }
    return BG_OK;
}

static bg_status read_back(const sources *s, const char *temp, bg_dtype dtype, const char *path, bg_error *err)
{
    const bg_st_file *first = &s->files[0];
    bg_st_file made;
    bg_error why = { 0 };
    bg_status status = bg_st_open(&made, first->sys, temp, &why);
    if (status == BG_OK) {
        for (size_t i = 0; i < first->count && status == BG_OK; i++)
            if (!bg_file_of_run(first->tensors[i].name))
                status = compare_tensor(s, &first->tensors[i], &made, dtype, &why);
        bg_st_close(&made);
    }
    return status == BG_OK ? BG_OK
                           : bg_fail(err, status == BG_ERR_MEMORY ? status : BG_ERR_IO, "%s: it could not be read back and was not saved: %.300s", path, why.text);
}

static bg_status write_all(const sources *s, bg_st_writer *w, const char *path, bg_error *err)
{
    const bg_st_file *first = &s->files[0];
    const char *temp = NULL;
    for (size_t i = 0; i < first->count; i++)
        if (!bg_file_of_run(first->tensors[i].name))
            BG_TRY(bg_st_declare(w, first->tensors[i].name, first->tensors[i].dims, first->tensors[i].shape, err));
    BG_TRY(bg_st_begin_data(w, err));
    for (size_t i = 0; i < first->count; i++)
        if (!bg_file_of_run(first->tensors[i].name))
            BG_TRY(write_tensor(s, &first->tensors[i], w, err));
    BG_TRY(bg_st_flush(w, &temp, err));
    if (temp)
        BG_TRY(read_back(s, temp, w->dtype, path, err));
    return bg_st_commit(w, err);
}

static int same_text(const sources *s, size_t k, const char *key)
{
    const char *a = bg_meta_get(&s->files[0].meta, key), *b = bg_meta_get(&s->files[k].meta, key);
    return (a == NULL) == (b == NULL) && (!a || strcmp(a, b) == 0);
}

/* Are all of one shape, do their classes mean the same, and are their inputs made in one way? */
static bg_status check_alike(const sources *s, bg_error *err)
{
    bg_config first, c;
    BG_TRY(bg_file_config(&first, &s->files[0], err)); /* a model, and no other file of tensors */
    for (size_t k = 1; k < s->count; k++) {
        BG_TRY(bg_file_config(&c, &s->files[k], err));
        if (memcmp(&c, &first, sizeof c) != 0)
            return bg_fail(err, BG_ERR_ARGUMENT, "%s is of another shape than %s", s->files[k].path, s->files[0].path);
        if (!same_text(s, k, "labels"))
            return bg_fail(err, BG_ERR_ARGUMENT, "%s has other labels than %s", s->files[k].path, s->files[0].path);
        if (!same_text(s, k, "prepare"))
            return bg_fail(err, BG_ERR_ARGUMENT, "the files of %s are prepared in another way than those of %s", s->files[k].path, s->files[0].path);
    }
    return BG_OK;
}

/* What the first file says of itself and is still true: no state of a run, of a mean no scores. */
static bg_status copy_meta(const sources *s, bg_meta *to, bg_error *err)
{
    const bg_meta *from = &s->files[0].meta;
    for (size_t i = 0; i < from->count; i++)
        if (strncmp(from->keys[i], "run.", 4) != 0 && (s->count == 1 || strncmp(from->keys[i], "val_", 4) != 0))
            BG_TRY(bg_meta_set(to, from->keys[i], from->values[i], err));
    return BG_OK;
}

static bg_status rewrite(const sources *s, const bg_sys *sys, const char *to, bg_dtype dtype, int replace, bg_error *err)
{
    bg_st_writer w = { 0 };
    bg_meta meta;
    BG_TRY(check_alike(s, err));
    bg_meta_open(&meta, sys);
    bg_status status = copy_meta(s, &meta, err);
    if (status == BG_OK) {
        status = bg_st_create(&w, sys, to, replace, &meta, err);
        if (status == BG_OK) {
            w.dtype = dtype;
            status = write_all(s, &w, to, err);
        }
        if (status != BG_OK)
            bg_st_abandon(&w);
    }
    bg_meta_close(&meta);
    return status;
}

bg_status bg_model_compact(const bg_sys *sys, const char *from, const char *to, int replace, bg_error *err)
{
    bg_st_file f;
    BG_TRY(bg_st_open(&f, sys, from, err));
    bg_status s = rewrite(&(sources){ &f, (const double[]){ 1 }, 1 }, sys, to, BG_F16, replace, err);
    bg_st_close(&f);
    return s;
}

/* Shares as given, made to add up to 1; all the same where none are given. */
static bg_status read_shares(const double *given, size_t count, double *shares, bg_error *err)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++) {
        shares[k] = given ? given[k] : 1;
        if (!(shares[k] >= 0 && shares[k] <= 1e9))
            return bg_fail(err, BG_ERR_ARGUMENT, "a share of %g: expected a number from 0 to 1e9", shares[k]);
        sum += shares[k];
    }
    for (size_t k = 0; k < count && sum > 0; k++)
        shares[k] /= sum;
    return sum > 0 ? BG_OK : bg_fail(err, BG_ERR_ARGUMENT, "the shares of all models are 0");
}

bg_status bg_model_average(const bg_sys *sys, const char *const *from, const double *shares, size_t count, const char *to, int replace, bg_error *err)
{
    if (count < 1)
        return bg_fail(err, BG_ERR_ARGUMENT, "there are no models to be averaged");
    bg_st_file *files = bg_alloc_zero(sys, count, sizeof *files);
    double *of_one = bg_alloc(sys, count, sizeof *of_one);
    bg_status s = files && of_one ? read_shares(shares, count, of_one, err) : bg_fail_memory(err, "a list of models", count * sizeof *files);
    for (size_t k = 0; k < count && s == BG_OK; k++)
        s = bg_st_open(&files[k], sys, from[k], err);
    if (s == BG_OK)
        s = rewrite(&(sources){ files, of_one, count }, sys, to, BG_F32, replace, err);
    for (size_t k = 0; k < count && files; k++)
        bg_st_close(&files[k]);
    bg_free(sys, files);
    bg_free(sys, of_one);
    return s;
}
