/* bgpt generate: new files of a format, from nothing or after a prompt.
 * Nothing is overwritten without -f, the model and the prompt not with it
 * either, and a file appears whole or not at all. */
#include "cli/jobs.h"
#include "cli/models.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/show.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct generate_arguments {
    common common;
    const char *model, *extension, *output, *prompt, *show;
    uint64_t count;
    sampling_arguments sampling;
    int weights;           /* a bgpt_weights */
} generate_arguments;

static const option generate_options[] = {
    { NULL, 0, OPTION_HEADING, 0, 0, 0, NULL, NULL, "Files" },
    MODEL_ROW(generate_arguments),
    WEIGHTS_ROW(generate_arguments),
    { "ext", 0, OPTION_TEXT, offsetof(generate_arguments, extension), 0, 0, NULL, "EXT",
      "the format to write, as a file-name extension; without it, that of -o or of the prompt" },
    { "output", 'o', OPTION_TEXT, offsetof(generate_arguments, output), 0, 0, "-", "FILE",
      "the file to write; - is standard output, byte by byte; with -n a folder, made if missing" },
    { "count", 'n', OPTION_COUNT, offsetof(generate_arguments, count), 1, 1e6, "1", "K",
      "write K files, 0001.EXT and so on, into the folder given with -o" },
    { "prompt", 0, OPTION_TEXT, offsetof(generate_arguments, prompt), 0, 0, NULL, "FILE",
      "begin with the bytes of this file (- is standard input); it may end anywhere" },
    REPAIR_ROW(generate_arguments),
    SHOW_ROW(generate_arguments),
    { "force", 'f', OPTION_FLAG, offsetof(generate_arguments, sampling.force), 0, 0, NULL, NULL,
      "overwrite existing files; print any format on a terminal" },
    SAMPLING_ROWS(generate_arguments),
};

static const char *wanted_extension(const generate_arguments *a)
{
    const char *extension = "";
    if (a->extension != NULL)
        return plain_extension(a->extension);
    if (a->count == 1 && !is_folder(a->output))
        extension = path_extension(a->output);
    if (*extension == '\0' && a->prompt != NULL)
        extension = path_extension(a->prompt);
    return extension;
}

static bool into_folder(const generate_arguments *a)
{
    return GIVEN(a, count) || is_folder(a->output);
}

/* Before any work: is everything there, and would nothing be lost? */
static int check_arguments(const generate_arguments *a, const char *extension)
{
    if (a->model == NULL)
        return usage_error("-m MODEL is missing");
    if (*extension == '\0')
        return usage_error("--ext EXT is missing: which format shall be written?");
    if (strchr(extension, '/') != NULL)
        return usage_error("--ext: not a file-name extension: %s", extension);
    if (*a->output == '\0')
        return usage_error("-o FILE is empty");
    if (GIVEN(a, count) && is_dash(a->output))
        return usage_error("-n writes files: give their folder with -o FOLDER");
    if (a->common.json && is_dash(a->output))
        return usage_error("--format=json needs standard output for itself: give -o FILE");
    if (repair_check(&a->sampling, extension, a->output) != 0)
        return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    if (is_dash(a->output) && check_terminal(extension, a->sampling.force) != 0)
        return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    return sampling_check(&a->common, &a->sampling, offsetof(generate_arguments, sampling));
}

/* The output path of file i; NULL: out of memory. */
static char *file_path(const generate_arguments *a, const char *extension, uint64_t i)
{
    char name[64];
    if (!into_folder(a))
        return strdup(a->output);
    snprintf(name, sizeof name, "%04llu.%.32s", (unsigned long long)i + 1, extension);
    return path_join(a->output, name);
}

static int plan_file(const generate_arguments *a, const char *extension, uint64_t i, job_list *list)
{
    job *j = jobs_add(list);
    if (j == NULL)
        return fail(BGPT_ERR_MEMORY, "out of memory");
    j->request.extension = extension;
    j->request.stream = i;
    if (is_dash(a->output))
        return 0;
    j->output_path = file_path(a, extension, i);
    if (j->output_path == NULL)
        return fail(BGPT_ERR_MEMORY, "out of memory");
    int code = refuse_same(j->output_path, a->model, "model");
    if (code == 0)
        code = refuse_same(j->output_path, a->prompt, "prompt");
    return code != 0 ? code : refuse_existing(j->output_path, a->sampling.force);
}

static int plan(const generate_arguments *a, const char *extension, job_list *list)
{
    int code = 0;
    for (uint64_t i = 0; i < a->count && code == 0; i++)
        code = plan_file(a, extension, i, list);
    if (code == 0 && into_folder(a))
        code = make_folder(a->output);
    return code;
}

static void on_made(void *ctx, const job *j, const uint8_t *file, size_t size, json_t *object)
{
    show_add(ctx, job_name(j), j->request.extension, file, size);
}

/* With the model open and the prompt read. */
static int generate(const generate_arguments *a, bgpt_model *m, const bgpt_options *o, job_list *list, show *shown, json_t *files)
{
    uint8_t *prompt = NULL;
    size_t size = 0;
    int code = a->prompt != NULL ? read_context_file(a->prompt, o, &prompt, &size) : 0;
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].request.prompt = prompt;
        list->items[i].request.prompt_size = size;
    }
    if (code == 0) {
        job_setup setup = { .model = m, .machine = o, .sampling = sampling_of(&a->sampling, a->common.seed), .max_bytes = a->sampling.max_bytes,
                            .overwrite = a->sampling.force, .repair = a->sampling.repair, .made = on_made, .ctx = shown, .files = files };
        code = jobs_run(&setup, list);
    }
    if (prompt != NULL)
        bgpt_free_data(prompt, o);
    return code;
}

static int run_with_model(const generate_arguments *a, const char *extension, job_list *list)
{
    bgpt_options o = machine_options(&a->common);
    o.weights = (bgpt_weights)a->weights;
    bgpt_model *m = NULL;
    json_t *files = a->common.json ? json_array() : NULL;
    show shown;
    int code = show_open(&shown, a->show, extension, a->sampling.force, &o);
    if (code == 0 && a->show != NULL)
        code = refuse_same(a->show, a->model, "model");
    if (code == 0 && a->show != NULL)
        code = refuse_same(a->show, a->prompt, "prompt");
    if (code == 0)
        code = machine_announce(&o, NULL, NULL);
    o.max_streams = (unsigned)(list->count < a->sampling.streams ? list->count : a->sampling.streams);
    if (code == 0)
        code = model_open(&m, a->model, &o);
    if (code == 0)
        code = model_check_extension(m, a->model, extension);
    if (code == 0 && a->prompt == NULL)
        model_notice_pairs(m, a->model);
    if (code == 0)
        code = generate(a, m, &o, list, &shown, files);
    else
        shown.dead = true; /* one sentence is enough */
    code = worse(code, show_close(&shown));
    if (files != NULL && json_array_size(files) > 0)
        out_json(json_pack("{s:O, s:o}", "files", files, "seed", json_count(a->common.seed)));
    json_decref(files);
    bgpt_close(m);
    return code;
}

static int run_generate(void *arguments)
{
    const generate_arguments *a = arguments;
    const char *extension = wanted_extension(a);
    job_list list = { 0 };
    int code = check_arguments(a, extension);
    if (code == 0)
        code = plan(a, extension, &list);
    if (code == 0)
        code = run_with_model(a, extension, &list);
    jobs_free(&list);
    return code;
}

const command command_generate = {
    .name = "generate",
    .summary = "write new files: bgpt generate -m MODEL --ext abc -o tune.abc",
    .usage = "-m MODEL --ext EXT [-o FILE | -n K -o FOLDER] [options]",
    .details = "Writes files of the wanted format, byte after byte, until the model ends the file, --max-bytes are made, or the "
               "context is full; standard error says which it was. With --prompt the file begins with the prompt's bytes (which --repair may change).\n\n"
               "The same seed and options give the same bytes, on any number of threads and however many files are written "
               "together. MIDI files are checked, and the verdict is printed. With --show all of them can be seen or heard at once; the "
               "programs that play tunes run with limits of time, memory and size.",
    .examples = "bgpt generate -m run/model.safetensors --ext abc --top-p 0.9 -o tune.abc\n"
                "bgpt generate -m run/model.safetensors --ext mid -n 16 -o tunes\n"
                "bgpt generate -m run/model.safetensors --ext bmp -n 64 -o images --show images.png\n"
                "bgpt generate -m run/model.safetensors --prompt start.abc --greedy",
    ROWS_OF(generate_options),
    .arguments_size = sizeof(generate_arguments),
    .run = run_generate,
};
