/* bgpt cpu evaluate: how right state files are.  All files count: a file that
 * is not right does not stop the others. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/simcpu.h"
#include <stdio.h>
#include <string.h>

typedef struct evaluate_arguments {
    common common;
} evaluate_arguments;

typedef struct work {
    const evaluate_arguments *arguments;
    const bgpt_options *machine;
    bgpt_cpu_score sum;
    uint64_t refused;
    bool only_bin; /* inside a folder, files of other kinds are none of ours */
    json_t *wrong; /* array, or NULL */
    int code;
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

static void on_file(void *ctx, const char *path)
{
    work *w = ctx;
    char text[64];
    if (w->only_bin && strcmp(path_extension(path), "bin") != 0)
        return;
    int code = evaluate_file(w, path);
    w->refused += code != 0;
    w->code = worse(w->code, code);
    if (progress_due()) {
        snprintf(text, sizeof text, "%llu files", (unsigned long long)w->sum.files);
        progress_show(text);
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
        out_json(o);
        return;
    }
    out("byte accuracy %9.4f %%  (%llu of %llu bytes; the trivial rule: %.4f %%)\n", 100 * bytes, (unsigned long long)s->bytes_right,
        (unsigned long long)s->bytes, 100 * trivial);
    out("states exact  %9.4f %%  (%llu of %llu)\n", 100 * states, (unsigned long long)s->states_right, (unsigned long long)s->states);
    out("files exact   %9.4f %%  (%llu of %llu)\n", 100 * files, (unsigned long long)s->files_right, (unsigned long long)s->files);
}

static int run_evaluate(void *arguments)
{
    const evaluate_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    work w = { .arguments = a, .machine = &o };
    w.wrong = a->common.json && a->common.verbose ? json_array() : NULL;
    evaluate_all(&w);
    progress_clear();
    if (w.sum.files > 0)
        report(&w);
    else if (w.refused == 0)
        w.code = fail(BGPT_ERR_NOT_FOUND, "%s: no .bin file in it", a->common.operands[0]);
    if (w.sum.files > 0 && w.refused > 0)
        notice("%llu files could not be judged and are not in these figures", (unsigned long long)w.refused);
    json_decref(w.wrong);
    return w.code;
}

const command command_cpu_evaluate = {
    .name = "cpu evaluate",
    .summary = "how right state files are: bgpt cpu evaluate FOLDER",
    .usage = "FOLDER|FILE... [options]",
    .details = "Runs each file's memory from its first state and compares the file's other states with the machine's: the share of bytes, of whole states, "
               "and of whole files that are right, over all files (a folder's .bin files, at any depth). What a file lacks is wrong; a file that goes on after HLT is not exact. "
               "-v names each file's first wrong step.\n\n"
               "Beside it stands what the trivial rule gets without any arithmetic: from each true state the next PC and the instruction there, "
               "nothing else changed.",
    .examples = "bgpt cpu evaluate programs/test\nbgpt cpu evaluate -v guessed/*.bin",
    .arguments_size = sizeof(evaluate_arguments),
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operand_name = "FOLDER",
    .run = run_evaluate,
};
