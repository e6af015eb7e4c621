/* bgpt convert: files of one format into another, by a model trained on pairs.
 * No input and no model is ever overwritten; an existing output only with -f. */
#include "cli/conversion_check.h"
#include "cli/jobs.h"
#include "cli/models.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/show.h"
#include <stdlib.h>
#include <string.h>

typedef struct convert_arguments {
    common common;
    const char *model, *from, *to, *show;
    bool check;
    sampling_arguments sampling;
    int weights;           /* a bgpt_weights */
} convert_arguments;

static const option convert_options[] = {
    { NULL, 0, OPTION_HEADING, 0, 0, 0, NULL, NULL, "Files" },
    MODEL_ROW(convert_arguments),
    WEIGHTS_ROW(convert_arguments),
    { "to", 0, OPTION_TEXT, offsetof(convert_arguments, to), 0, 0, NULL, "EXT",
      "the format to write; needed where OUT is a folder or -" },
    { "from", 0, OPTION_TEXT, offsetof(convert_arguments, from), 0, 0, NULL, "EXT",
      "the format of the inputs, without it that of each file's name; of a folder, only files of this format are taken" },
    { "check", 0, OPTION_FLAG, offsetof(convert_arguments, check), 0, 0, NULL, NULL,
      "of abc and mid: compare what was made with abc2midi's and midi2abc's work (Debian package abcmidi), bar by bar" },
    REPAIR_ROW(convert_arguments),
    SHOW_ROW(convert_arguments),
    { "force", 'f', OPTION_FLAG, offsetof(convert_arguments, sampling.force), 0, 0, NULL, NULL,
      "overwrite existing files; print any format on a terminal" },
    SAMPLING_ROWS(convert_arguments),
};

/* What is to be done, while it is being put together. */
typedef struct plan {
    const convert_arguments *arguments;
    const char *out, *to;
    const char *operand; /* whose files are being listed */
    bool many;           /* OUT is a folder */
    job_list list;
    int code;            /* of an error that ends everything */
    int worst;           /* of inputs that are left out */
    size_t usable;       /* of the list, at its front, once the model is open */
    size_t skipped;      /* files of a folder that are in another format */
    json_t *files;       /* with --format=json, what became of each input */
    conversion_check check; /* with --check */
    show shown;             /* with --show */
    bool tried;          /* nothing that concerns all inputs kept them from being converted */
} plan;

static int no_memory(void)
{
    return fail(BGPT_ERR_MEMORY, "out of memory");
}

/* In a folder, files keep their place below the operand they were found
 * under, so that equal names in different folders do not meet. */
static const char *name_below(const char *operand, const char *path)
{
    size_t length = strlen(operand);
    while (length > 0 && operand[length - 1] == '/')
        length--;
    if (length > 0 && strncmp(path, operand, length) == 0 && path[length] == '/')
        return path + length + strspn(path + length, "/");
    return path_base(path);
}

static char *output_of(const plan *p, const char *input)
{
    char *name, *path;
    if (!p->many)
        return strdup(p->out);
    name = path_with_extension(name_below(p->operand, input), p->to);
    path = name != NULL ? path_join(p->out, name) : NULL;
    free(name);
    return path;
}

static int add_job(plan *p, const char *input)
{
    const convert_arguments *a = p->arguments;
    job *j = jobs_add(&p->list);
    if (j == NULL)
        return no_memory();
    j->request.stream = p->list.count - 1;
    j->request.extension = p->to;
    j->input_path = strdup(input);
    if (j->input_path == NULL)
        return no_memory();
    j->request.input_extension = a->from != NULL ? plain_extension(a->from) : path_extension(j->input_path);
    if (*j->request.input_extension == '\0')
        return usage_error("%s: the name does not tell the format: give --from EXT", input);
    if (is_dash(p->out))
        return 0;
    j->output_path = output_of(p, input);
    if (j->output_path == NULL)
        return no_memory();
    int code = refuse_same(j->output_path, a->model, "model");
    if (code != 0 || is_same_file(input, j->output_path))
        return code; /* an input is refused with all of its kind, in words that say more */
    return refuse_existing(j->output_path, a->sampling.force);
}

static void add_file(void *ctx, const char *path)
{
    plan *p = ctx;
    if (p->code == 0)
        p->code = add_job(p, path);
}

/* A folder of pairs holds both formats: files in the format to be made, or in
 * another one than --from, are not meant. */
static void add_file_of_folder(void *ctx, const char *path)
{
    plan *p = ctx;
    const char *from = p->arguments->from, *extension = path_extension(path);
    bool meant = from != NULL ? strcmp(extension, plain_extension(from)) == 0 : strcmp(extension, p->to) != 0;
    if (meant)
        add_file(p, path);
    else
        p->skipped++;
}

/* --- would anything be lost? -------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int find_twice(const char **paths, size_t n)
{
    qsort(paths, n, sizeof *paths, by_text);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(paths[i - 1], paths[i]) == 0)
            return usage_error("%s would be written twice: two inputs differ in their formats only", paths[i]);
    }
    return 0;
}

static int by_identity(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(file_identity));
}

/* No output may be an input of this call, under whatever name. */
static int find_input_as_output(const job_list *list)
{
    file_identity *inputs = calloc(list->count + 1, sizeof *inputs), id;
    int code = inputs == NULL ? no_memory() : 0;
    for (size_t i = 0; i < list->count && code == 0; i++)
        identify_input(list->items[i].input_path, &inputs[i]); /* a missing one stays zero */
    if (code == 0)
        qsort(inputs, list->count, sizeof *inputs, by_identity);
    for (size_t i = 0; i < list->count && code == 0; i++) {
        const char *output = list->items[i].output_path;
        if (identify(output, &id) && bsearch(&id, inputs, list->count, sizeof id, by_identity) != NULL)
            code = usage_error("%s: the output would replace an input", output);
    }
    free(inputs);
    return code;
}

static int check_losses(const job_list *list)
{
    int code = find_input_as_output(list);
    const char **paths = code == 0 ? calloc(list->count + 1, sizeof *paths) : NULL;
    if (code == 0 && paths == NULL)
        code = no_memory();
    for (size_t i = 0; i < list->count && code == 0; i++)
        paths[i] = list->items[i].output_path;
    if (code == 0)
        code = find_twice(paths, list->count);
    free(paths);
    return code;
}

/* An input that will not be converted; the sentence has just been said. */
static void leave_out(plan *p, const char *input, const char *output, int code)
{
    p->worst = worse(p->worst, code);
    jobs_not_made(p->files, input, output, code, failure_text());
}

/* An operand that is missing does not keep the others from being converted. */
static void plan_operand(plan *p, const char *const *operand)
{
    bgpt_options o = machine_options(&p->arguments->common);
    bgpt_data data = { .paths = operand, .count = 1 };
    bgpt_error error = { 0 };
    p->operand = *operand;
    if (is_dash(*operand))
        add_file(p, *operand);
    else if (bgpt_list_files(&data, is_folder(*operand) ? add_file_of_folder : add_file, p, &o, &error) != BGPT_OK)
        leave_out(p, *operand, NULL, fail_with(&error));
}

static int plan_inputs(plan *p)
{
    const common *c = &p->arguments->common;
    for (size_t i = 0; i + 1 < c->operand_count && p->code == 0; i++)
        plan_operand(p, &c->operands[i]);
    if (p->skipped > 0)
        notice("left out: %zu file%s of another format", p->skipped, p->skipped == 1 ? "" : "s");
    if (p->code == 0 && p->list.count == 0 && p->worst == 0)
        p->code = fail(BGPT_ERR_NOT_FOUND, "%s: no file to convert", c->operands[0]);
    if (p->code == 0 && !is_dash(p->out))
        p->code = check_losses(&p->list);
    return p->code;
}

/* One file into one file, or many into a folder? */
static int plan_output(plan *p)
{
    const convert_arguments *a = p->arguments;
    const char *first = a->common.operands[0];
    size_t inputs = a->common.operand_count - 1;
    bool several = inputs > 1 || is_folder(first) || first[0] == '@';
    p->out = a->common.operands[inputs];
    size_t length = strlen(p->out);
    if (length == 0)
        return usage_error("OUT is empty");
    p->many = several || is_folder(p->out) || p->out[length - 1] == '/';
    p->to = a->to != NULL ? plain_extension(a->to) : p->many ? "" : path_extension(p->out);
    if (several && is_dash(p->out))
        return usage_error("standard output takes one file only: name a folder for many");
    if (several && is_file(p->out))
        return usage_error("%s is a file: many inputs need a folder as OUT", p->out);
    if (*p->to == '\0' && p->many)
        return usage_error("--to EXT is missing: which format shall be written into %s?", p->out);
    if (*p->to == '\0')
        return usage_error("%s: the name does not tell the format: give --to EXT", p->out);
    if (strchr(p->to, '/') != NULL)
        return usage_error("--to: not a file-name extension: %s", p->to);
    if (repair_check(&a->sampling, p->to, p->out) != 0)
        return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    if (is_dash(p->out) && a->common.json)
        return usage_error("--format=json needs standard output for itself: name a file as OUT");
    return is_dash(p->out) ? check_terminal(p->to, a->sampling.force) : 0;
}

/* --- the work --------------------------------------------------------------------- */

/* A conversion has one right answer: greedy, unless sampling was asked for. */
static bgpt_sampling convert_sampling(const convert_arguments *a)
{
    bgpt_sampling s = sampling_of(&a->sampling, a->common.seed);
    s.greedy = s.greedy || !(GIVEN(a, sampling.top_k) || GIVEN(a, sampling.top_p) || GIVEN(a, sampling.temperature));
    return s;
}

/* Leave out the inputs whose format the model does not know. */
static void drop_unknown_formats(const bgpt_model *m, plan *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->list.count; i++) {
        job j = p->list.items[i];
        int code = model_check_extension(m, j.input_path, j.request.input_extension);
        if (code == 0)
            code = model_check_pair(m, j.input_path, j.request.input_extension, j.request.extension);
        if (code != 0)
            leave_out(p, j.input_path, j.output_path, code);
        p->list.items[i] = p->list.items[kept]; /* swapped, so that the list still owns both */
        p->list.items[kept] = j;
        kept += code == 0;
    }
    p->usable = kept;
}

static void on_made(void *ctx, const job *j, const uint8_t *file, size_t size, json_t *object)
{
    plan *p = ctx;
    if (p->arguments->check)
        check_add(&p->check, &j->request, job_name(j), file, size, object);
    show_add(&p->shown, job_name(j), j->request.extension, file, size);
}

/* What --check and --show ask for, before long work. */
static int open_views(plan *p, const bgpt_options *o)
{
    const convert_arguments *a = p->arguments;
    int code = show_open(&p->shown, a->show, p->to, a->sampling.force, o);
    if (code == 0 && a->show != NULL)
        code = refuse_same(a->show, a->model, "model");
    for (size_t i = 0; i < p->list.count && a->show != NULL && code == 0; i++)
        code = refuse_same(a->show, p->list.items[i].input_path, "input");
    if (code == 0 && a->check && is_dash(p->out))
        code = usage_error("--check needs standard output for itself: name a file as OUT");
    return code == 0 && a->check ? check_open(&p->check, p->to, a->common.json, o) : code;
}

static int convert(plan *p)
{
    const convert_arguments *a = p->arguments;
    bgpt_options o = machine_options(&a->common);
    o.weights = (bgpt_weights)a->weights;
    bgpt_model *m = NULL;
    job_setup setup = { .machine = &o, .sampling = convert_sampling(a), .max_bytes = a->sampling.max_bytes,
                        .overwrite = a->sampling.force, .repair = a->sampling.repair, .make_folders = p->many, .made = on_made, .ctx = p, .files = p->files };
    int code = open_views(p, &o);
    if (code == 0)
        code = machine_announce(&o, NULL, NULL);
    o.max_streams = (unsigned)(p->list.count < a->sampling.streams ? p->list.count : a->sampling.streams);
    if (code == 0)
        code = model_open(&m, a->model, &o);
    if (code == 0)
        code = model_check_extension(m, a->model, p->to);
    if (code == 0) {
        drop_unknown_formats(m, p);
        setup.model = m;
        p->tried = true;
        code = jobs_run(&setup, &(job_list){ p->list.items, p->usable });
    }
    if (!p->tried)
        p->shown.dead = true; /* one sentence is enough */
    if (a->check && !a->common.json)
        check_print(&p->check);
    code = worse(worse(code, p->check.code), show_close(&p->shown));
    bgpt_close(m);
    return code;
}

static int run_convert(void *arguments)
{
    const convert_arguments *a = arguments;
    plan p = { .arguments = a, .files = a->common.json ? json_array() : NULL };
    int code = a->model == NULL ? usage_error("-m MODEL is missing") : 0;
    if (code == 0)
        code = sampling_check(&a->common, &a->sampling, offsetof(convert_arguments, sampling));
    if (code == 0)
        code = plan_output(&p);
    if (code == 0)
        code = plan_inputs(&p);
    if (code == 0 && p.list.count > 0)
        code = convert(&p);
    else
        p.tried = code == 0; /* all inputs are missing */
    if (p.tried && p.files != NULL) {
        json_t *o = json_pack("{s:O, s:o}", "files", p.files, "seed", json_count(a->common.seed));
        if (a->check)
            json_object_set_new(o, "check", check_json(&p.check));
        out_json(o);
    }
    json_decref(p.files);
    code = worse(code, p.worst);
    jobs_free(&p.list);
    return code;
}

const command command_convert = {
    .name = "convert",
    .summary = "translate files: bgpt convert -m MODEL tune.abc tune.mid",
    .usage = "-m MODEL IN... OUT [options]",
    .details = "Translates each input into another format, which the model must have learnt from pairs (train --pairs). One file "
               "into one file: the formats are those of the names. Many files, folders or an @list into a folder: --to EXT says "
               "the format; the folder is made if missing. - as IN or OUT is standard input or output.\n\n"
               "The most likely byte is taken each time, unless --top-k, --top-p or --temperature is given. Inputs that are too "
               "long for the context or cannot be read are reported; the others are converted all the same. MIDI files are "
               "checked, and the verdict is printed.\n\n"
               "With --check what was made is compared with what the rules say. MIDI: with abc2midi's of the same input. ABC: abc2midi makes MIDI of it, which is "
               "compared with the input; beside that stands how many bars survive in midi2abc's ABC. Bars that differ are listed: a note is right when start, length, key and channel "
               "are, wrong when it begins where one should but is another; loudness does not count. The programs run with limits of time, memory and size.",
    .examples = "bgpt convert -m run/model.safetensors tune.abc tune.mid\n"
                "bgpt convert -m run/model.safetensors tunes/ out --to mid --check\n"
                "bgpt convert -m run/model.safetensors --from abc --to mid - - <tune.abc >tune.mid",
    ROWS_OF(convert_options),
    .arguments_size = sizeof(convert_arguments),
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .operand_name = "IN or OUT",
    .run = run_convert,
};
