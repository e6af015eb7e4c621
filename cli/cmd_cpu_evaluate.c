/* bgpt cpu evaluate: how right state files are, or a model that is given their
 * memory and first state.  All files count: a file that is not right does not
 * stop the others. */
#include "cli/models.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/simcpu.h"
#include "cli/simcpu_figures.h"
#include "cli/simcpu_guess.h"
#include "cli/simcpu_plot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct evaluate_arguments {
    common common;
    const char *model, *plot;
    int weights;           /* a bgpt_weights */
    uint64_t streams, count, min, max;
    bool force;
} evaluate_arguments;

static const option evaluate_options[] = {
    { "model", 'm', OPTION_TEXT, offsetof(evaluate_arguments, model), 0, 0, NULL, "MODEL",
      "judge what this model makes of each file's memory and first state, not the file's own states" },
    WEIGHTS_ROW(evaluate_arguments),
    { "streams", 0, OPTION_COUNT, offsetof(evaluate_arguments, streams), 1, 256, "16", "N", "programs that the model runs side by side; the bytes do not depend on it" },
    { "count", 'n', OPTION_COUNT, offsetof(evaluate_arguments, count), 1, 1e9, NULL, "N",
      "instead of files: with -m, the N programs that bgpt cpu generate of the same --seed, --min and --max would put into FOLDER/test" },
    { "min", 0, OPTION_COUNT, offsetof(evaluate_arguments, min), 1, 256, "1", "A", "with --count: instructions of the shortest programs, HLT counted" },
    { "max", 0, OPTION_COUNT, offsetof(evaluate_arguments, max), 1, 256, "255", "B", "with --count: instructions of the longest programs" },
    { "plot", 0, OPTION_TEXT, offsetof(evaluate_arguments, plot), 0, 0, NULL, "FILE",
      "with -m, FILE.svg or FILE.png: accuracy by length of program and by field, drawn by gnuplot; its script stays beside the picture as FILE.gp" },
    { "force", 'f', OPTION_FLAG, offsetof(evaluate_arguments, force), 0, 0, NULL, NULL, "overwrite an existing picture" },
};

typedef struct work {
    const evaluate_arguments *arguments;
    const bgpt_options *machine;
    bgpt_cpu_score sum;
    uint64_t refused;
    bool only_bin; /* inside a folder, files of other kinds are none of ours */
    json_t *wrong; /* array, or NULL */
    int code;
    /* with a model: programs that wait for their turn */
    bgpt_model *model;
    guess *guesses; /* (streams) */
    size_t waiting;
    bool stopped;   /* the model cannot go on: no more files */
    cpu_figures figures;
} work;

static void value_text(const uint8_t *state, unsigned at, char *text, size_t size)
{
    char instruction[BGPT_CPU_TEXT];
    bgpt_cpu_instruction(state + 2, instruction);
    if (at >= 2 && at < 6)
        snprintf(text, size, "IR %s", instruction);
    else
        snprintf(text, size, "%u", state[at]);
}

/* "ACC 3 instead of 5", of the first byte that differs. */
static void difference_text(const bgpt_cpu_score *s, char *text, size_t size)
{
    char found[64], expected[64];
    const char *name = "";
    unsigned at = 0;
    while (at + 1 < BGPT_CPU_STATE && s->expected[at] == s->found[at])
        at++;
    for (int i = 0; i < STATE_VALUES; i++)
        name = state_values[i].at == at ? state_values[i].name : name;
    value_text(s->found, at, found, sizeof found);
    value_text(s->expected, at, expected, sizeof expected);
    snprintf(text, size, "%s%s%s instead of %s", name, *name != '\0' ? " " : "", found, expected);
}

static void report_wrong(work *w, const char *path)
{
    const bgpt_cpu_score *s = &w->sum;
    char text[160] = "the states end here";
    if (s->verdict == BGPT_CPU_WRONG)
        difference_text(s, text, sizeof text);
    else if (s->verdict == BGPT_CPU_SURPLUS)
        snprintf(text, sizeof text, "goes on after HLT");
    detail("%s: step %llu: %s", path, (unsigned long long)s->step, text);
    if (w->wrong != NULL)
        json_array_append_new(w->wrong, json_pack("{s:o, s:o, s:s}", "file", json_text(path), "step", json_count(s->step), "what", text));
}

static int evaluate_file(work *w, const char *path)
{
    uint8_t *data = NULL;
    size_t size;
    bgpt_error error = { 0 };
    int code = read_program(path, w->machine, &data, &size);
    if (code == 0 && bgpt_cpu_evaluate(&w->sum, data, size, path, &error) != BGPT_OK)
        code = fail_with(&error);
    bgpt_free_data(data, w->machine);
    if (code == 0 && w->sum.verdict != BGPT_CPU_EXACT)
        report_wrong(w, path);
    return code;
}

/* --- a model's states ---------------------------------------------------------------------- */

static int judge_guess(work *w, guess *g)
{
    bgpt_error error = { 0 };
    if (bgpt_cpu_evaluate(&w->sum, g->found, g->found_size, g->path, &error) != BGPT_OK)
        return fail_with(&error);
    figures_add(&w->figures, g->truth, g->truth_size, g->found, g->found_size);
    if (w->sum.verdict != BGPT_CPU_EXACT)
        report_wrong(w, g->path);
    return 0;
}

/* Run and judge the programs that wait. */
static void run_waiting(work *w)
{
    int code = w->waiting > 0 && !w->stopped ? guess_states(w->model, w->guesses, w->waiting) : 0;
    w->stopped = w->stopped || code != 0;
    for (size_t i = 0; i < w->waiting; i++) {
        if (!w->stopped)
            code = worse(code, judge_guess(w, &w->guesses[i]));
        free(w->guesses[i].path);
    }
    w->waiting = 0;
    w->code = worse(w->code, code);
}

/* The program whose truth stands behind those that wait joins them. */
static int line_up(work *w, const char *name)
{
    guess *g = &w->guesses[w->waiting];
    g->path = strdup(name);
    if (g->path == NULL)
        return fail(BGPT_ERR_MEMORY, "out of memory");
    w->waiting++;
    if (w->waiting == w->arguments->streams)
        run_waiting(w);
    return 0;
}

/* A program of a file; its states in the file, if any, are not looked at. */
static int line_up_file(work *w, const char *path)
{
    guess *g = &w->guesses[w->waiting];
    int code = run_program(path, w->machine, g->truth, &g->truth_size);
    return code == 0 ? line_up(w, path) : code;
}

static int line_up_made(work *w, uint64_t index)
{
    const evaluate_arguments *a = w->arguments;
    guess *g = &w->guesses[w->waiting];
    bgpt_error error = { 0 };
    char name[48];
    if (bgpt_cpu_program(a->common.seed, index, 1, (uint32_t)a->min, (uint32_t)a->max, g->truth, &g->truth_size, &error) != BGPT_OK)
        return fail_with(&error);
    snprintf(name, sizeof name, "program %llu", (unsigned long long)index + 1);
    return line_up(w, name);
}

static void show_progress(const work *w)
{
    char text[64];
    if (!progress_due())
        return;
    snprintf(text, sizeof text, "%llu files", (unsigned long long)w->sum.files);
    progress_show(text);
}

static void on_file(void *ctx, const char *path)
{
    work *w = ctx;
    if (w->only_bin && strcmp(path_extension(path), "bin") != 0)
        return;
    if (w->stopped)
        return;
    int code = w->model != NULL ? line_up_file(w, path) : evaluate_file(w, path);
    w->refused += code != 0;
    w->code = worse(w->code, code);
    show_progress(w);
}

static void evaluate_made(work *w)
{
    for (uint64_t i = 0; i < w->arguments->count && !w->stopped && w->code == 0; i++) {
        w->code = line_up_made(w, i);
        show_progress(w);
    }
}

/* Each operand by itself, so that a missing one does not stop the others. */
static void evaluate_all(work *w)
{
    const common *c = &w->arguments->common;
    for (size_t i = 0; i < c->operand_count; i++) {
        bgpt_data data = { .paths = &c->operands[i], .count = 1 };
        bgpt_error error = { 0 };
        w->only_bin = is_folder(c->operands[i]);
        if (bgpt_list_files(&data, on_file, w, w->machine, &error) != BGPT_OK) {
            w->code = worse(w->code, fail_with(&error));
            w->refused++;
        }
    }
}

static double share(uint64_t part, uint64_t all)
{
    return (double)part / (double)all;
}

static void report(const work *w)
{
    const bgpt_cpu_score *s = &w->sum;
    double bytes = share(s->bytes_right, s->bytes), states = share(s->states_right, s->states), files = share(s->files_right, s->files);
    double trivial = share(s->trivial_right, s->bytes);
    if (w->arguments->common.json) {
        json_t *o = json_pack("{s:o, s:f, s:f, s:f, s:f, s:o, s:o, s:o}", "files", json_count(s->files), "byte_accuracy", bytes, "state_exact", states,
                              "file_exact", files, "trivial_byte_accuracy", trivial, "bytes", json_count(s->bytes), "states", json_count(s->states),
                              "refused", json_count(w->refused));
        if (w->wrong != NULL)
            json_object_set(o, "wrong", w->wrong);
        if (w->model != NULL)
            json_object_update_new(o, figures_json(&w->figures));
        out_json(o);
        return;
    }
    out("byte accuracy %9.4f %%  (%llu of %llu bytes; the trivial rule: %.4f %%)\n", 100 * bytes, (unsigned long long)s->bytes_right,
        (unsigned long long)s->bytes, 100 * trivial);
    out("states exact  %9.4f %%  (%llu of %llu)\n", 100 * states, (unsigned long long)s->states_right, (unsigned long long)s->states);
    out("files exact   %9.4f %%  (%llu of %llu)\n", 100 * files, (unsigned long long)s->files_right, (unsigned long long)s->files);
    if (w->model != NULL)
        figures_print(&w->figures);
}

/* The model and room for its programs. */
static int open_model(work *w, bgpt_options *o)
{
    const evaluate_arguments *a = w->arguments;
    int code = guess_open(&w->model, a->model, a->weights, a->streams, o);
    if (code == 0 && (w->guesses = calloc(a->streams, sizeof *w->guesses)) == NULL)
        code = fail(BGPT_ERR_MEMORY, "out of memory");
    return code;
}

static int check_arguments(const evaluate_arguments *a)
{
    const bool made = GIVEN(a, count);
    if (made && a->common.operand_count > 0)
        return usage_error("--count makes programs: no files can be given beside it");
    if (!made && a->common.operand_count == 0)
        return usage_error("FOLDER is missing, or --count N with -m MODEL");
    if (a->model == NULL && (made || a->plot != NULL))
        return usage_error("--%s is about a model: -m MODEL is missing", made ? "count" : "plot");
    if (!made && (GIVEN(a, min) || GIVEN(a, max)))
        return usage_error("--min and --max are about programs that are made: --count is missing");
    if (a->min > a->max)
        return usage_error("--min: %llu is more than --max, %llu", (unsigned long long)a->min, (unsigned long long)a->max);
    if (a->plot != NULL && refuse_same(a->plot, a->model, "model") != 0)
        return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    return a->plot != NULL ? figures_plot_check(a->plot, a->force) : 0;
}

static int run_evaluate(void *arguments)
{
    const evaluate_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    work w = { .arguments = a, .machine = &o };
    int code = check_arguments(a);
    if (code != 0)
        return code;
    w.wrong = a->common.json && a->common.verbose ? json_array() : NULL;
    if (a->model != NULL)
        w.code = open_model(&w, &o);
    if (w.code == 0) {
        if (a->count > 0)
            evaluate_made(&w);
        else
            evaluate_all(&w);
        run_waiting(&w);
        progress_clear();
    } else {
        w.refused++;
    }
    if (w.sum.files > 0)
        report(&w);
    else if (w.code == 0)
        w.code = fail(BGPT_ERR_NOT_FOUND, "%s: no .bin file in it", a->common.operands[0]);
    if (w.sum.files > 0 && w.refused > 0)
        notice("%llu files could not be judged and are not in these figures", (unsigned long long)w.refused);
    if (w.sum.files > 0 && a->plot != NULL)
        w.code = worse(w.code, figures_plot(&w.figures, a->model, a->plot, a->force, &o));
    json_decref(w.wrong);
    free(w.guesses);
    bgpt_close(w.model);
    return w.code;
}

const command command_cpu_evaluate = {
    .name = "cpu evaluate",
    .summary = "how right state files are, or a model: bgpt cpu evaluate [-m MODEL] FOLDER",
    .usage = "[-m MODEL] FOLDER|FILE... [options]\n       bgpt cpu evaluate -m MODEL --count N [options]",
    .details = "Runs each file's memory from its first state and compares the file's other states with the machine's: the share of bytes, of whole states, "
               "and of whole files that are right, over all files (a folder's .bin files, at any depth). What a file lacks is wrong; a file that goes on after HLT is not exact. "
               "-v names each file's first wrong step.\n\n"
               "Beside it stands what the trivial rule gets without any arithmetic: from each true state the next PC and the instruction there, "
               "nothing else changed.\n\n"
               "With -m a model is judged: it is given each program's memory and first state (of a state file, or of assembly, which is assembled first) and makes the rest by "
               "itself, always the most likely byte. Further figures say what it gets right by field, by length of program and by instruction; changed and kept are "
               "meant from the machine's one state to its next. With --count the programs are made on the fly, from the seed, and are never ones that train cpu:SEED sees.",
    .examples = "bgpt cpu evaluate programs/test\nbgpt cpu evaluate -v guessed/*.bin\nbgpt cpu evaluate -m run/model.safetensors programs/test\n"
                "bgpt cpu evaluate -m run/model.safetensors --count 1000 --seed 7 --max 64 --plot accuracy.svg",
    ROWS_OF(evaluate_options),
    .arguments_size = sizeof(evaluate_arguments),
    .max_operands = SIZE_MAX,
    .operand_name = "FOLDER",
    .run = run_evaluate,
};
