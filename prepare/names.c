/* Names of sources and outputs.  An output is called LABEL_STEM.EXT: a file's label is what stands before the first '_'
 * (SPEC: labels come from file names), so neither part may hold one where it would be read as another label. */
#include "prepare/names.h"

#include "base/file.h"
#include "data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_FILE_LIMIT = 1 << 28, LONGEST_STEM = 120, LONGEST_LABEL = 100 };

char *prepare_label(const bg_sys *sys, const char *text, size_t length)
{
    if (length > LONGEST_LABEL)
        for (length = LONGEST_LABEL; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80; length--) /* not inside a character */
            ;
    char *label = bg_asprintf(sys, "%.*s", (int)length, text);
    for (char *c = label; c && *c; c++)
        if (*c == '_' || *c == '/' || *c == '.' || (unsigned char)*c <= ' ' || *c == 127)
            *c = '-';
    return label;
}

/* --- labels from a file --------------------------------------------------------------------- */

typedef struct label_line { const char *name, *label; size_t name_length, label_length; } label_line;
typedef struct label_table {
    uint8_t *text;
    label_line *lines; /* sorted by name */
    size_t count;
} label_table;

static int compare_lines(const void *a, const void *b)
{
    const label_line *x = a, *y = b;
    const size_t n = x->name_length < y->name_length ? x->name_length : y->name_length;
    const int order = memcmp(x->name, y->name, n);
    return order ? order : (x->name_length > y->name_length) - (x->name_length < y->name_length);
}

static bg_status read_labels(label_table *t, const char *path, const bg_sys *sys, bg_error *err)
{
    size_t size, capacity = 0;
    BG_TRY(bg_read_file(sys, path, LABEL_FILE_LIMIT, &t->text, &size, err));
    size_t number = 0;
    const size_t mark = prepare_mark(t->text, size);
    for (char *line = (char *)t->text + mark, *end = (char *)t->text + size; line < end;) {
        char *stop = memchr(line, '\n', (size_t)(end - line)), *last = stop ? stop : end, *tab;
        number++;
        if (last > line && last[-1] == '\r')
            last--;
        if (last > line) {
            tab = memchr(line, '\t', (size_t)(last - line));
            if (!tab)
                return bg_fail(err, BG_ERR_FORMAT, "%s: line %zu has no tab between name and label", path, number);
            if (memchr(tab + 1, '\t', (size_t)(last - tab - 1)))
                return bg_fail(err, BG_ERR_FORMAT, "%s: line %zu has more than a name, a tab and a label", path, number);
            void *lines = t->lines;
            bg_status s = bg_grow(sys, &lines, &capacity, t->count + 1, sizeof *t->lines, err);
            t->lines = lines;
            if (s != BG_OK)
                return s;
            t->lines[t->count++] = (label_line){ line, tab + 1, (size_t)(tab - line), (size_t)(last - tab - 1) };
        }
        line = (stop ? stop : end) + 1;
    }
    if (t->count)
        qsort(t->lines, t->count, sizeof *t->lines, compare_lines);
    for (size_t i = 1; i < t->count; i++) {
        const label_line *a = &t->lines[i - 1], *b = &t->lines[i];
        if (compare_lines(a, b) == 0 && !(a->label_length == b->label_length && memcmp(a->label, b->label, a->label_length) == 0))
            return bg_fail(err, BG_ERR_FORMAT, "%s: %.*s has two labels", path, (int)a->name_length, a->name);
    }
    return BG_OK;
}

/* The label of the longest end of a path that the file names: a/b/c.wav, b/c.wav, c.wav. */
static const label_line *find_label(const label_table *t, const char *path)
{
    for (const char *end = path; end && t->count;) {
        const label_line wanted = { .name = end, .name_length = strlen(end) };
        const label_line *found = bsearch(&wanted, t->lines, t->count, sizeof *t->lines, compare_lines);
        if (found)
            return found;
        end = strchr(end, '/');
        end = end ? end + 1 : NULL;
    }
    return NULL;
}

/* --- stems ----------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The folder's own name, also when the path says "." or "..", or nothing. */
static char *folder_label(const bg_sys *sys, const char *path)
{
    const char *name = base_name(path);
    char *folder = name > path ? bg_asprintf(sys, "%.*s", (int)(name - path), path) : bg_strdup(sys, ".");
    char *whole = folder ? realpath(folder, NULL) : NULL; /* the C library's memory */
    char *label = NULL;
    if (folder) {
        const char *last = base_name(whole ? whole : "");
        label = prepare_label(sys, last, strlen(last));
    }
    free(whole);
    bg_free(sys, folder);
    return label;
}

static char *label_of(const prepare_job *j, const label_table *t, const char *path, int *unlabelled, const bg_sys *sys)
{
    *unlabelled = 0;
    if (j->labels == PREPARE_LABELS_FOLDERS)
        return folder_label(sys, path);
    const label_line *line = j->labels == PREPARE_LABELS_FILE ? find_label(t, path) : NULL;
    *unlabelled = j->labels == PREPARE_LABELS_FILE && !line;
    return prepare_label(sys, line ? line->label : "", line ? line->label_length : 0);
}

/* The base name without its extension, and without dots in front, which would hide the output.  Without a label it keeps
 * its '_': then it may hold a label itself. */
static char *stem_of(const bg_sys *sys, const char *path, const char *label)
{
    const char *name = base_name(path), *extension = bg_path_extension(path);
    while (*name == '.' && name[1] && name + 1 != extension)
        name++;
    size_t length = *extension ? (size_t)(extension - 1 - name) : strlen(name);
    if (length > LONGEST_STEM)
        length = LONGEST_STEM;
    char *stem = bg_asprintf(sys, "%.*s", (int)length, name);
    for (char *c = stem; c && *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127 || (*label && *c == '_'))
            *c = '-';
    return stem;
}

/* What the names of its outputs begin with: LABEL_STEM. */
typedef struct source_key { char *text; uint64_t number; } source_key;

static int compare_keys(const void *a, const void *b)
{
    const source_key *x = a, *y = b;
    const int order = strcmp(x->text, y->text);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

typedef struct key_text { const char *text; size_t length; } key_text;

static int compare_text(const void *a, const void *b)
{
    const key_text *x = a;
    const source_key *y = b;
    const int order = strncmp(x->text, y->text, x->length);
    return order ? order : y->text[x->length] ? -1 : 0;
}

/* Is it some source's key? */
static int is_key(const source_key *keys, size_t count, const char *text, size_t length)
{
    const key_text wanted = { text, length };
    return bsearch(&wanted, keys, count, sizeof *keys, compare_text) != NULL;
}

/* "a-000001" and "a-000001+3" could be outputs of a source "a", if there is one. */
static int looks_like_output(const source_key *keys, size_t count, const char *text)
{
    for (size_t n = strlen(text); n > 0;) {
        const size_t end = n;
        while (n > 0 && text[n - 1] >= '0' && text[n - 1] <= '9')
            n--;
        if (n == end || n == 0 || (text[n - 1] != '-' && text[n - 1] != '+'))
            return 0;
        if (is_key(keys, count, text, --n))
            return 1;
    }
    return 0;
}

static char *key_of(const prepare_sources *s, const prepare_source *source, const char *stem)
{
    return bg_asprintf(s->sys, "%s%s%s", source->label, *source->label ? "_" : "", stem);
}

/* The source's number in the list into its stem, and a '~' more while another has that name. */
static bg_status rename_stem(prepare_sources *s, prepare_source *b, const source_key *keys, bg_error *err)
{
    char *stem = bg_asprintf(s->sys, "%s~%llu", b->stem, (unsigned long long)b->number), *key = stem ? key_of(s, b, stem) : NULL;
    while (key && is_key(keys, s->count, key, strlen(key))) {
        char *longer = bg_asprintf(s->sys, "%s~", stem);
        bg_free(s->sys, stem);
        bg_free(s->sys, key);
        stem = longer;
        key = stem ? key_of(s, b, stem) : NULL;
    }
    if (!key) {
        bg_free(s->sys, stem);
        return bg_fail_memory(err, b->path, strlen(b->stem));
    }
    bg_free(s->sys, key);
    bg_free(s->sys, s->owned[3 * b->number + 2]);
    b->stem = s->owned[3 * b->number + 2] = stem;
    return BG_OK;
}

/* Of sources of the same name the later ones are renamed, and those whose name another's output could have. */
static bg_status part_stems(prepare_sources *s, bg_error *err)
{
    source_key *keys = bg_alloc_zero(s->sys, s->count, sizeof *keys);
    bg_status status = keys ? BG_OK : bg_fail_memory(err, "the order of names", s->count * sizeof *keys);
    for (size_t i = 0; i < s->count && status == BG_OK; i++) {
        keys[i] = (source_key){ key_of(s, &s->items[i], s->items[i].stem), i };
        if (!keys[i].text)
            status = bg_fail_memory(err, s->items[i].path, strlen(s->items[i].stem));
    }
    if (status == BG_OK)
        qsort(keys, s->count, sizeof *keys, compare_keys);
    for (size_t i = 0; i < s->count && status == BG_OK; i++)
        if ((i > 0 && strcmp(keys[i - 1].text, keys[i].text) == 0) || looks_like_output(keys, s->count, keys[i].text))
            status = rename_stem(s, &s->items[keys[i].number], keys, err);
    for (size_t i = 0; keys && i < s->count; i++)
        bg_free(s->sys, keys[i].text);
    bg_free(s->sys, keys);
    return status;
}

/* --- the list -------------------------------------------------------------------------------- */

typedef struct taking {
    prepare_sources *s;
    const prepare_job *job;
    const label_table *labels;
    size_t items, owned; /* capacities */
    bg_error *err;
    bg_status status;
} taking;

static bg_status take(taking *t, const char *path)
{
    prepare_sources *s = t->s;
    void *items = s->items, *owned = s->owned;
    bg_status status = bg_grow(s->sys, &items, &t->items, s->count + 1, sizeof *s->items, t->err);
    s->items = items;
    if (status == BG_OK)
        status = bg_grow(s->sys, &owned, &t->owned, 3 * s->count + 3, sizeof *s->owned, t->err);
    s->owned = owned;
    if (status != BG_OK)
        return status;
    char **o = s->owned + 3 * s->count;
    o[0] = bg_strdup(s->sys, path);
    int unlabelled;
    o[1] = label_of(t->job, t->labels, path, &unlabelled, s->sys);
    o[2] = o[1] ? stem_of(s->sys, path, o[1]) : NULL;
    s->items[s->count] = (prepare_source){ o[0], o[1], o[2], s->count, unlabelled };
    s->count++;
    return o[0] && o[1] && o[2] ? BG_OK : bg_fail_memory(t->err, path, strlen(path));
}

static void take_file(void *ctx, const char *path)
{
    taking *t = ctx;
    if (t->status == BG_OK)
        t->status = take(t, path);
}

bg_status prepare_sources_open(prepare_sources *s, const prepare_job *j, const bg_sys *sys, bg_error *err)
{
    label_table labels = { NULL, NULL, 0 };
    memset(s, 0, sizeof *s);
    s->sys = sys;
    bg_status status = j->labels == PREPARE_LABELS_FILE ? read_labels(&labels, j->label_file, sys, err) : BG_OK;
    taking t = { .s = s, .job = j, .labels = &labels, .err = err, .status = BG_OK };
    if (status == BG_OK)
        status = bg_list_files(sys, j->inputs, j->input_count, j->out, take_file, &t, err);
    if (status == BG_OK)
        status = t.status;
    if (status == BG_OK && s->count)
        status = part_stems(s, err);
    bg_free(sys, labels.text);
    bg_free(sys, labels.lines);
    if (status != BG_OK)
        prepare_sources_close(s);
    return status;
}

void prepare_sources_close(prepare_sources *s)
{
    for (size_t i = 0; s->owned && i < 3 * s->count; i++)
        bg_free(s->sys, s->owned[i]);
    bg_free(s->sys, s->owned);
    bg_free(s->sys, s->items);
    memset(s, 0, sizeof *s);
}
