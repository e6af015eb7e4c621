/* See journal.h. */
#include "prepare/journal.h"

#include "base/file.h"
#include "prepare/prepare.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL_LIMIT ((uint64_t)4 << 30)
#define HEADER "# file\tlabel\tbytes\tsha256\tsource\tlicence\twhy it was left out\n"

/* --- text ------------------------------------------------------------------------------------ */

void prepare_add(prepare_buffer *b, const char *text, size_t length)
{
    void *grown = b->text;
    if (b->failed || bg_grow(b->sys, &grown, &b->capacity, b->length + length + 1, 1, NULL) != BG_OK) {
        b->failed = 1;
        return;
    }
    b->text = grown;
    memcpy(b->text + b->length, text, length);
    b->length += length;
    b->text[b->length] = 0;
}

void prepare_cell(prepare_buffer *b, const char *text, char end)
{
    for (; *text; text++) {
        const char c = *text, escaped[2] = { '\\', c == '\t' ? 't' : c == '\n' ? 'n' : '\\' };
        if (c == '\t' || c == '\n' || c == '\\')
            prepare_add(b, escaped, 2);
        else
            prepare_add(b, &c, 1);
    }
    prepare_add(b, &end, 1);
}

void prepare_buffer_free(prepare_buffer *b)
{
    bg_free(b->sys, b->text);
    b->text = NULL;
    b->length = b->capacity = 0;
}

/* In place; the result is no longer. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *c = text; *c; c++) {
        if (*c == '\\' && c[1]) {
            c++;
            *to++ = *c == 't' ? '\t' : *c == 'n' ? '\n' : *c;
        } else {
            *to++ = *c;
        }
    }
    *to = 0;
}

/* --- an earlier run -------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bg_status add_done(prepare_journal *j, const char *line, size_t length, bg_error *err)
{
    void *done = j->done;
    bg_status s = bg_grow(j->sys, &done, &j->done_capacity, j->done_count + 1, sizeof *j->done, err);
    j->done = done;
    if (s != BG_OK)
        return s;
    char *path = bg_asprintf(j->sys, "%.*s", (int)length, line);
    if (!path)
        return bg_fail_memory(err, j->part, length);
    unescape(path);
    j->done[j->done_count++] = path;
    return BG_OK;
}

/* Lines up to the last "=" count; a source that was interrupted is made again. */
static bg_status take_lines(prepare_journal *j, char *text, char *end, bg_error *err)
{
    char *kept = text;
    for (char *line = text, *stop; line < end && (stop = memchr(line, '\n', (size_t)(end - line))); line = stop + 1) {
        if (line[0] != '=' || line[1] != '\t')
            continue;
        BG_TRY(add_done(j, line + 2, (size_t)(stop - line - 2), err));
        prepare_add(&j->lines, kept, (size_t)(stop + 1 - kept));
        kept = stop + 1;
    }
    if (j->lines.failed)
        return bg_fail_memory(err, j->part, (size_t)(end - text));
    if (j->done_count)
        qsort(j->done, j->done_count, sizeof *j->done, compare_texts);
    return BG_OK;
}

/* Only what lies inside the folder. */
static int is_inside(const char *name)
{
    const size_t n = strlen(name);
    return n && name[0] != '/' && strcmp(name, "-") != 0 && strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0 && !strstr(name, "/../") &&
           !(n > 2 && strcmp(name + n - 3, "/..") == 0);
}

/* The outputs that lines of a manifest name. */
static void remove_outputs(prepare_journal *j, char *text, const char *end)
{
    const size_t folder = strlen(j->part) - strlen("manifest.part");
    for (char *line = text, *stop; line < end && (stop = memchr(line, '\n', (size_t)(end - line))); line = stop + 1) {
        *stop = 0;
        char *tab = strchr(line, '\t');
        if (!tab || line[0] == '#' || line[0] == '=')
            continue;
        *tab = 0;
        unescape(line);
        char *path = is_inside(line) ? bg_asprintf(j->sys, "%.*s%s", (int)folder, j->part, line) : NULL;
        if (path)
            j->sys->unlink(j->sys->ctx, path);
        bg_free(j->sys, path);
    }
}

static bg_status remove_finished(prepare_journal *j, bg_error *err)
{
    uint8_t *data;
    size_t size;
    BG_TRY(bg_read_file(j->sys, j->manifest, JOURNAL_LIMIT, &data, &size, err));
    remove_outputs(j, (char *)data, (char *)data + size);
    bg_free(j->sys, data);
    return j->sys->unlink(j->sys->ctx, j->manifest) == 0 ? BG_OK : bg_fail_errno(err, 0, "cannot remove %s", j->manifest);
}

static bg_status go_on(prepare_journal *j, const char *settings, int overwrite, bg_error *err)
{
    uint8_t *data;
    size_t size, length = strlen(settings);
    BG_TRY(bg_read_file(j->sys, j->part, JOURNAL_LIMIT, &data, &size, err));
    const int same = size > length && memcmp(data, settings, length) == 0 && data[length] == '\n';
    bg_status s = BG_OK;
    j->resumed = same;
    if (same)
        s = take_lines(j, (char *)data + length + 1, (char *)data + size, err);
    else if (overwrite)
        remove_outputs(j, (char *)data, (char *)data + size);
    else if (size)
        s = bg_fail(err, BG_ERR_ARGUMENT, "%s is of a preparation with other settings that was not finished; -f takes that away first", j->part);
    bg_free(j->sys, data);
    return s;
}

/* --- a journal ------------------------------------------------------------------------------- */

static bg_status append(prepare_journal *j, const char *text, size_t length, int last, bg_error *err)
{
    BG_TRY(bg_write_full(j->sys, j->part, j->fd, text, length, err));
    return !last || j->sys->fsync(j->sys->ctx, j->fd) == 0 ? BG_OK : bg_fail_errno(err, 0, "cannot write %s", j->part);
}

/* The file is written anew: a torn end goes away. */
static bg_status begin(prepare_journal *j, const char *settings, bg_error *err)
{
    prepare_buffer b = { .sys = j->sys };
    prepare_add(&b, settings, strlen(settings));
    prepare_add(&b, "\n", 1);
    prepare_add(&b, j->lines.text ? j->lines.text : "", j->lines.length);
    bg_status s = b.failed ? bg_fail_memory(err, j->part, j->lines.length) : bg_write_file(j->sys, j->part, b.text, b.length, 1, err);
    prepare_buffer_free(&b);
    if (s == BG_OK && (j->fd = j->sys->open(j->sys->ctx, j->part, O_WRONLY | O_APPEND, 0)) < 0)
        s = bg_fail_errno(err, 0, "cannot write %s", j->part);
    return s;
}

bg_status prepare_journal_open(prepare_journal *j, const char *folder, const char *settings, int overwrite, const bg_sys *sys, bg_error *err)
{
    memset(j, 0, sizeof *j);
    j->sys = j->lines.sys = sys;
    j->fd = -1;
    j->part = bg_asprintf(sys, "%s/manifest.part", folder);
    j->manifest = bg_asprintf(sys, "%s/manifest.tsv", folder);
    bg_status s = j->part && j->manifest ? BG_OK : bg_fail_memory(err, folder, strlen(folder));
    if (s == BG_OK && !overwrite && bg_exists(sys, j->manifest))
        s = bg_fail(err, BG_ERR_ARGUMENT, "%s is there: the folder holds a finished preparation; -f takes that away first", j->manifest);
    if (s == BG_OK && bg_exists(sys, j->manifest))
        s = remove_finished(j, err);
    if (s == BG_OK && bg_exists(sys, j->part))
        s = go_on(j, settings, overwrite, err);
    if (s == BG_OK)
        s = begin(j, settings, err);
    if (s != BG_OK)
        prepare_journal_close(j);
    return s;
}

int prepare_journal_has(const prepare_journal *j, const char *source)
{
    return j->done_count && bsearch(&source, j->done, j->done_count, sizeof *j->done, compare_texts) != NULL;
}

bg_status prepare_journal_put(prepare_journal *j, const prepare_buffer *lines, int last, bg_error *err)
{
    if (lines->failed)
        return bg_fail_memory(err, j->part, lines->length);
    if (lines->length == 0)
        return BG_OK;
    prepare_add(&j->lines, lines->text, lines->length);
    if (j->lines.failed)
        return bg_fail_memory(err, j->part, j->lines.length);
    return append(j, lines->text, lines->length, last, err);
}

static bg_status write_manifest(prepare_journal *j, const char *settings, char **lines, size_t count, bg_error *err)
{
    bg_writer w = { 0 };
    const char *labels = strstr(settings, " labels="); /* say nothing about a file's form */
    qsort(lines, count, sizeof *lines, compare_texts);
    bg_status s = bg_writer_begin(&w, j->sys, j->manifest, 1, err);
    if (s == BG_OK)
        s = bg_writer_put(&w, PREPARE_MARK, sizeof PREPARE_MARK - 1, err);
    if (s == BG_OK)
        s = bg_writer_put(&w, settings, labels ? (size_t)(labels - settings) : strlen(settings), err);
    if (s == BG_OK)
        s = bg_writer_put(&w, "\n" HEADER, sizeof "\n" HEADER - 1, err);
    for (size_t i = 0; i < count && s == BG_OK; i++) {
        s = bg_writer_put(&w, lines[i], strlen(lines[i]), err);
        if (s == BG_OK)
            s = bg_writer_put(&w, "\n", 1, err);
    }
    if (s == BG_OK)
        s = bg_writer_commit(&w, err);
    bg_writer_abandon(&w);
    return s;
}

bg_status prepare_journal_finish(prepare_journal *j, const char *settings, bg_error *err)
{
    char *text = j->lines.text, *end = text + j->lines.length;
    size_t all = 0, count = 0;
    for (char *c = text; c < end; c++)
        all += *c == '\n';
    char **lines = bg_alloc(j->sys, all + 1, sizeof *lines);
    if (!lines)
        return bg_fail_memory(err, j->manifest, all * sizeof *lines);
    for (char *line = text, *stop; line < end && (stop = memchr(line, '\n', (size_t)(end - line))); line = stop + 1) {
        *stop = 0;
        if (line[0] != '=' || line[1] != '\t')
            lines[count++] = line;
    }
    const bg_status s = write_manifest(j, settings, lines, count, err);
    bg_free(j->sys, lines);
    if (s == BG_OK)
        j->sys->unlink(j->sys->ctx, j->part);
    return s;
}

void prepare_journal_close(prepare_journal *j)
{
    if (j->fd >= 0)
        j->sys->close(j->sys->ctx, j->fd);
    for (size_t i = 0; i < j->done_count; i++)
        bg_free(j->sys, j->done[i]);
    bg_free(j->sys, j->done);
    bg_free(j->sys, j->part);
    bg_free(j->sys, j->manifest);
    prepare_buffer_free(&j->lines);
    memset(j, 0, sizeof *j);
    j->fd = -1;
}
