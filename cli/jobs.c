/* Running generation jobs.  An interrupted or failed job leaves no file; the
 * others are written all the same. */
#include "cli/jobs.h"
#include "cli/music.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* Jobs of one library call: many more than run side by side, so that
     * streams rarely stand idle at its end; few enough that inputs and results
     * fit memory and an interruption loses little. */
    GROUP = 256,
    FIRST_CAPACITY = 4096
};

/* No context holds more than 65536 patches of a few dozen bytes; a longer
 * input would be refused by the model in any case. */
static const uint64_t input_limit = UINT64_C(64) << 20;

static struct { /* of the running call, for its progress line */
    uint64_t bytes, files, done, stopped;
} totals;

job *jobs_add(job_list *list)
{
    if ((list->count & (list->count - 1)) == 0) { /* full at powers of two */
        job *more = realloc(list->items, (list->count ? 2 * list->count : 1) * sizeof *more);
        if (more == NULL)
            return NULL;
        list->items = more;
    }
    job *j = &list->items[list->count++];
    memset(j, 0, sizeof *j);
    return j;
}

void jobs_free(job_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].input_path);
        free(list->items[i].output_path);
        free(list->items[i].made);
    }
    free(list->items);
}

int sampling_check(const common *c, const sampling_arguments *a, size_t base)
{
    static const struct { const char *name; size_t at; } random[] = {
        { "top-k", offsetof(sampling_arguments, top_k) },
        { "top-p", offsetof(sampling_arguments, top_p) },
        { "temperature", offsetof(sampling_arguments, temperature) },
    };
    for (size_t i = 0; a->greedy && i < sizeof random / sizeof *random; i++) {
        if (option_given(c, base + random[i].at))
            return usage_error("--greedy takes the most likely byte: --%s cannot be given as well", random[i].name);
    }
    return 0;
}

int repair_check(const sampling_arguments *a, const char *extension, const char *out)
{
    if (a->repair && !is_midi(extension))
        return usage_error("--repair is about MIDI files, not about .%s", extension);
    if (a->repair && is_dash(out))
        return usage_error("--repair changes the begin of a file when its end is known: name a file to write");
    return 0;
}

int read_context_file(const char *path, const bgpt_options *o, uint8_t **data, size_t *size)
{
    bgpt_error error = { 0 };
    *data = NULL;
    return bgpt_read_file(path, input_limit, data, size, o, &error) == BGPT_OK ? 0 : fail_with(&error);
}

bgpt_sampling sampling_of(const sampling_arguments *a, uint64_t seed)
{
    return (bgpt_sampling){ .greedy = a->greedy, .top_k = (uint32_t)a->top_k, .top_p = a->top_p,
                            .temperature = a->temperature, .seed = seed };
}

int check_terminal(const char *extension, bool force)
{
    static const char *const text[] = { "abc", "c", "cpp", "css", "csv", "h", "htm", "html", "java", "js", "json",
                                        "log", "md", "py", "rs", "sh", "svg", "tex", "tsv", "txt", "xml", "yaml" };
    if (force || !isatty(STDOUT_FILENO))
        return 0;
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        if (strcmp(text[i], extension) == 0)
            return 0;
    }
    return usage_error(".%s bytes do not belong on a terminal: give -o FILE, or -f to print them all the same", extension);
}

/* --- while it runs ---------------------------------------------------------- */

static bool keep_bytes(job *j, const uint8_t *data, size_t n)
{
    if (j->size + n > j->capacity) {
        size_t capacity = j->capacity ? 2 * j->capacity : FIRST_CAPACITY;
        while (capacity < j->size + n)
            capacity *= 2;
        uint8_t *more = realloc(j->made, capacity);
        if (more == NULL)
            return false;
        j->made = more;
        j->capacity = capacity;
    }
    memcpy(j->made + j->size, data, n);
    j->size += n;
    return true;
}

static void show_progress(void)
{
    char text[128], bytes[32];
    if (!progress_due())
        return;
    bytes_text((double)totals.bytes, bytes, sizeof bytes);
    if (totals.files > 1)
        snprintf(text, sizeof text, "%llu files: %s made", (unsigned long long)totals.files, bytes);
    else
        snprintf(text, sizeof text, "%s made", bytes);
    progress_show(text);
}

/* The prompt goes to standard output with the first bytes behind it and not
 * before: the library may refuse it. */
static bool begin_stream(job *j)
{
    bool first = !j->begun;
    j->begun = true;
    return !first || out_bytes(j->request.prompt, j->request.prompt_size);
}

static int on_bytes(void *ctx, const uint8_t *data, size_t n)
{
    job *j = ctx;
    totals.bytes += n;
    if (!keep_bytes(j, data, n)) {
        j->no_memory = true;
        return 1;
    }
    if (j->output_path == NULL)
        return !begin_stream(j) || !out_bytes(data, n) || signals_stop();
    show_progress();
    return signals_stop();
}

/* --- afterwards -------------------------------------------------------------- */

static const char *end_sentence(bgpt_end end)
{
    switch (end) {
    case BGPT_END_SYMBOL: return "ended by itself";
    case BGPT_END_LIMIT: return "stopped at --max-bytes";
    case BGPT_END_CONTEXT: return "stopped at the end of the context";
    default: return "interrupted";
    }
}

static const char *end_word(bgpt_end end)
{
    static const char *const words[] = { "symbol", "limit", "context", "stopped" };
    return words[end <= BGPT_END_STOPPED ? end : BGPT_END_STOPPED];
}

void jobs_not_made(json_t *files, const char *input, const char *output, int code, const char *why)
{
    if (files == NULL)
        return;
    json_t *o = json_pack("{s:o, s:i}", "error", json_text(why), "status", code);
    if (input != NULL)
        json_object_set_new(o, "input", json_text(input));
    if (output != NULL)
        json_object_set_new(o, "file", json_text(output));
    json_array_append_new(files, o);
}

const char *job_name(const job *j)
{
    return j->output_path != NULL ? j->output_path : "standard output";
}

/* The whole file: what was given, then what was made, and room behind it. */
static int whole_file(const job *j, size_t room, uint8_t **file, size_t *size)
{
    *size = j->request.prompt_size + j->size;
    *file = malloc(*size + room + 1); /* never of size 0 */
    if (*file == NULL)
        return fail(BGPT_ERR_MEMORY, "%s: out of memory", job_name(j));
    if (j->request.prompt_size > 0)
        memcpy(*file, j->request.prompt, j->request.prompt_size);
    if (j->size > 0)
        memcpy(*file + j->request.prompt_size, j->made, j->size);
    return 0;
}

/* What the model made, as MIDI, before and after a repair; none of another format. */
typedef struct midi_verdict {
    bgpt_error error;
    const char *made;  /* NULL: it is none */
    char repaired[64]; /* empty: it was not tried */
} midi_verdict;

static void judge_midi(midi_verdict *v, bool repair, uint8_t *file, size_t *size)
{
    bgpt_error error = { 0 };
    size_t cut = 0;
    v->made = bgpt_midi_check(file, *size, &v->error) == BGPT_OK ? "well-formed" : v->error.text;
    if (!repair || v->error.code == BGPT_OK)
        return;
    if (bgpt_midi_repair(file, size, *size + BGPT_MIDI_REPAIR_ROOM, &cut, &error) != BGPT_OK)
        snprintf(v->repaired, sizeof v->repaired, "beyond repair");
    else if (cut > 0)
        snprintf(v->repaired, sizeof v->repaired, "repaired, without %zu bytes that fit nowhere", cut);
    else
        snprintf(v->repaired, sizeof v->repaired, "repaired");
}

static void describe(const job_setup *s, const job *j, const uint8_t *file, size_t size, const midi_verdict *v)
{
    const char *midi = v->made;
    notice("%s: %zu bytes, %s%s%s%s%s", job_name(j), size, end_sentence(j->request.end), midi != NULL ? "; as MIDI: " : "", midi != NULL ? midi : "",
           *v->repaired ? "; " : "", v->repaired);
    json_t *o = NULL;
    if (s->files != NULL) {
        o = json_pack("{s:o, s:o, s:o, s:s, s:i}", "file", json_text(job_name(j)), "bytes", json_count(size),
                              "made", json_count(j->request.made), "end", end_word(j->request.end), "status", 0);
        if (j->input_path != NULL)
            json_object_set_new(o, "input", json_text(j->input_path));
        if (midi != NULL)
            json_object_set_new(o, "midi", json_text(midi));
        if (*v->repaired)
            json_object_set_new(o, "repair", json_text(v->repaired));
        json_array_append_new(s->files, o);
    }
    if (s->made != NULL)
        s->made(s->ctx, j, file, size, o);
}

static int write_result(const job_setup *s, job *j)
{
    bgpt_error error = { 0 };
    uint8_t *file;
    size_t size;
    int code = whole_file(j, s->repair ? BGPT_MIDI_REPAIR_ROOM : 0, &file, &size);
    if (code != 0)
        return code;
    midi_verdict verdict = { .made = NULL };
    if (is_midi(j->request.extension))
        judge_midi(&verdict, s->repair, file, &size);
    if (j->output_path == NULL) {
        begin_stream(j); /* the model may have ended it at once */
    } else {
        code = s->make_folders ? make_folder_of(j->output_path) : 0;
        if (code == 0 && bgpt_write_file(j->output_path, file, size, s->overwrite, s->machine, &error) != BGPT_OK)
            code = fail_with(&error);
    }
    if (code == 0)
        describe(s, j, file, size, &verdict);
    free(file);
    return code;
}

static int not_made(const job_setup *s, const job *j, int code, const char *why)
{
    jobs_not_made(s->files, j->input_path, j->output_path, code, why);
    return code;
}

static int stopped(const job_setup *s, const job *j)
{
    totals.stopped++;
    return not_made(s, j, bgpt_exit_code(BGPT_ERR_FAILED), "interrupted"); /* said once, at the end */
}

static int finish_job(const job_setup *s, job *j)
{
    const bgpt_request *r = &j->request;
    int code;
    if (j->no_memory)
        code = fail(BGPT_ERR_MEMORY, "%s: out of memory", job_name(j));
    else if (r->status != BGPT_OK)
        code = fail(r->status, "%s: %s", j->input_path != NULL ? j->input_path : job_name(j), r->error.text);
    else if (r->end == BGPT_END_STOPPED)
        return stopped(s, j);
    else
        code = write_result(s, j);
    totals.done += code == 0;
    return code == 0 ? 0 : not_made(s, j, code, failure_text());
}

/* --- groups -------------------------------------------------------------------- */

static int read_input(const job_setup *s, job *j)
{
    int code = 0;
    if (j->input_path != NULL)
        code = read_context_file(j->input_path, s->machine, &j->input, &j->request.input_size);
    j->request.input = j->input;
    return code;
}

/* The jobs whose input could be read, packed to the front of `group`. */
static size_t open_group(const job_setup *s, job *jobs, size_t n, job **group, int *code)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        int one = read_input(s, &jobs[i]);
        *code = worse(*code, one);
        if (one == 0)
            group[used++] = &jobs[i];
        else
            not_made(s, &jobs[i], one, failure_text());
    }
    return used;
}

static int run_group(const job_setup *s, job *jobs, size_t n)
{
    job *group[GROUP];
    bgpt_request *requests = calloc(n, sizeof *requests);
    bgpt_error error = { 0 };
    int code = 0;
    if (requests == NULL)
        return fail(BGPT_ERR_MEMORY, "out of memory");
    size_t used = open_group(s, jobs, n, group, &code);
    for (size_t i = 0; i < used; i++) {
        requests[i] = group[i]->request;
        requests[i].max_bytes = s->max_bytes;
        requests[i].bytes = on_bytes;
        requests[i].ctx = group[i];
    }
    if (used > 0 && bgpt_generate(s->model, requests, used, &s->sampling, &error) != BGPT_OK) {
        code = worse(code, fail_with(&error));
        for (size_t i = 0; i < used; i++)
            not_made(s, group[i], bgpt_exit_code(error.code), failure_text());
    } else {
        for (size_t i = 0; i < used; i++) {
            group[i]->request = requests[i];
            code = worse(code, finish_job(s, group[i]));
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (jobs[i].input != NULL)
            bgpt_free_data(jobs[i].input, s->machine);
        free(jobs[i].made);
        jobs[i].input = jobs[i].made = NULL;
    }
    free(requests);
    return code;
}

int jobs_run(const job_setup *s, job_list *list)
{
    int code = 0;
    size_t next = 0;
    totals.files = list->count;
    signals_catch(NULL);
    while (next < list->count && !signals_stop()) {
        size_t n = list->count - next < GROUP ? list->count - next : GROUP;
        code = worse(code, run_group(s, list->items + next, n));
        next += n;
    }
    while (next < list->count)
        code = worse(code, stopped(s, &list->items[next++]));
    if (signals_stop() && totals.stopped > 0)
        code = worse(code, fail(BGPT_ERR_FAILED, "interrupted: %llu of %llu files are complete", (unsigned long long)totals.done, (unsigned long long)totals.files));
    return code;
}
