/* bgpt cpu trace: a program step by step, with what each instruction changed,
 * as the machine runs it or as a model does, held against the machine.
 * Unlike the state table, a line shows the values after its instruction. */
#include "cli/models.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/simcpu.h"
#include "cli/simcpu_guess.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct trace_arguments {
    common common;
    const char *model;
    int weights; /* a bgpt_weights */
    uint64_t steps;
    bool pause;
} trace_arguments;

static const option trace_options[] = {
    { "model", 'm', OPTION_TEXT, offsetof(trace_arguments, model), 0, 0, NULL, "MODEL",
      "let this model run the program from memory and first state, by itself, and mark what the machine does otherwise" },
    WEIGHTS_ROW(trace_arguments),
    { "steps", 's', OPTION_COUNT, offsetof(trace_arguments, steps), 1, 1e9, NULL, "N", "instructions to show at most; without it until HLT" },
    { "pause", 'p', OPTION_FLAG, offsetof(trace_arguments, pause), 0, 0, NULL, NULL, "on a terminal, wait for Enter after each instruction (q ends)" },
};

/* What is shown: the states of the machine, or those of a model beside the machine's. */
typedef struct run {
    const uint8_t *file, *truth; /* truth: NULL where the file is the machine's own */
    size_t states;               /* that both have: a model that goes on behind HLT is not followed there */
} run;

/* The instruction of step k stands in state k; what it did, in state k + 1.
 * The last one does nothing: it is HLT, or the model has no more. */
typedef struct step {
    size_t number;                            /* 0: the start, of which the first fetch leaves all but PC and IR as it is */
    const uint8_t *fetched_from, *before, *after; /* PC moves on, but not beyond the last instruction: the fetch used the PC of the state before */
    const uint8_t *true_from, *true_before, *true_after; /* the machine's: the same three where there is no model */
} step;

static step step_of(const run *r, size_t k)
{
    const uint8_t *truth = r->truth != NULL ? r->truth : r->file;
    const size_t from = k > 0 ? k - 1 : 0, next = k + 1 < r->states ? k + 1 : k;
    return (step){ .number = k, .fetched_from = state_at(r->file, from), .before = state_at(r->file, k), .after = state_at(r->file, next),
                   .true_from = state_at(truth, from), .true_before = state_at(truth, k), .true_after = state_at(truth, next) };
}

/* PC is the instruction's own here, and moves in every step: no change to show. */
enum { FIRST_SHOWN = 1 };

static bool changed(const step *s, int value)
{
    unsigned at = state_values[value].at;
    return s->before[at] != s->after[at];
}

static bool wrong(const step *s, int value)
{
    unsigned at = state_values[value].at;
    return s->true_after[at] != s->after[at];
}

static bool wrong_place(const step *s) { return s->true_from[0] != s->fetched_from[0]; }
static bool wrong_instruction(const step *s) { return s->number > 0 && memcmp(s->true_before + 2, s->before + 2, 4) != 0; }

/* Changes ('*') and faults ('!') are coloured, or carry their mark, so that they are seen on paper too; mark 0: neither. */
static void print_cell(const char *text, int width, char mark, bool colour)
{
    if (mark == 0)
        out("%*s", width, text);
    else if (colour)
        out("\033[1;%dm%*s\033[0m", mark == '!' ? 31 : 33, width, text);
    else {
        char marked[BGPT_CPU_TEXT + 1];
        snprintf(marked, sizeof marked, "%c%s", mark, text);
        out("%*s", width, marked);
    }
}

static void print_head(void)
{
    out("step  at  %-17s", "instruction");
    for (int i = FIRST_SHOWN; i < STATE_VALUES; i++)
        out(" %4s", state_values[i].name);
    out("\n");
}

static void print_step(const step *s, bool colour)
{
    char text[BGPT_CPU_TEXT] = "";
    if (s->number > 0)
        snprintf(text, sizeof text, "%u", s->fetched_from[0]);
    out("%4zu", s->number);
    print_cell(text, 4, wrong_place(s) ? '!' : 0, colour);
    out("  ");
    snprintf(text, sizeof text, "(start)");
    if (s->number > 0)
        bgpt_cpu_instruction(s->before + 2, text);
    print_cell(text, -17, wrong_instruction(s) ? '!' : 0, colour);
    for (int i = FIRST_SHOWN; i < STATE_VALUES; i++) {
        snprintf(text, sizeof text, "%u", s->after[state_values[i].at]);
        out(" ");
        print_cell(text, 4, wrong(s, i) ? '!' : changed(s, i) ? '*' : 0, colour);
    }
    out("\n");
}

/* {"A": [found, expected], ...} of what is not the machine's. */
static json_t *faults_json(const step *s)
{
    char found[BGPT_CPU_TEXT], expected[BGPT_CPU_TEXT];
    json_t *o = json_object();
    if (wrong_place(s))
        json_object_set_new(o, "at", json_pack("[i, i]", s->fetched_from[0], s->true_from[0]));
    if (wrong_instruction(s)) {
        bgpt_cpu_instruction(s->before + 2, found);
        bgpt_cpu_instruction(s->true_before + 2, expected);
        json_object_set_new(o, "instruction", json_pack("[s, s]", found, expected));
    }
    for (int i = FIRST_SHOWN; i < STATE_VALUES; i++)
        if (wrong(s, i))
            json_object_set_new(o, state_values[i].name, json_pack("[i, i]", s->after[state_values[i].at], s->true_after[state_values[i].at]));
    return o;
}

static json_t *step_json(const step *s, bool judged)
{
    char instruction[BGPT_CPU_TEXT];
    json_t *changes = json_object();
    for (int i = FIRST_SHOWN; i < STATE_VALUES; i++) {
        unsigned place = state_values[i].at;
        if (changed(s, i))
            json_object_set_new(changes, state_values[i].name, json_pack("[i, i]", s->before[place], s->after[place]));
    }
    bgpt_cpu_instruction(s->before + 2, instruction);
    json_t *o = json_pack("{s:o, s:i, s:s, s:o}", "step", json_count(s->number), "at", s->fetched_from[0], "instruction", instruction, "changed", changes);
    if (judged)
        json_object_set_new(o, "wrong", faults_json(s));
    return o;
}

/* false: the reader has had enough. */
static bool wait_for_enter(void)
{
    for (int c = getchar(); c != '\n'; c = getchar()) {
        if (c == 'q' || c == 'Q' || c == EOF)
            return false;
    }
    return true;
}

/* false: the reader has had enough. */
static bool print_steps(const trace_arguments *a, const run *r, size_t last)
{
    const bool colour = out_colour(), pause = a->pause && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    print_head();
    for (size_t k = 0; k <= last; k++) {
        const step s = step_of(r, k);
        print_step(&s, colour);
        if (pause && k > 0 && k < last && !wait_for_enter())
            return false;
    }
    return true;
}

/* Step 0 is the start, of which only a model can make something else. */
static json_t *steps_json(const trace_arguments *a, const run *r, size_t last)
{
    json_t *list = json_array();
    for (size_t k = r->truth != NULL ? 0 : 1; k <= last; k++) {
        const step s = step_of(r, k);
        json_array_append_new(list, step_json(&s, r->truth != NULL));
    }
    return json_pack("{s:o, s:o, s:o}", "file", json_text(a->common.operands[0]), "start", state_json(state_at(r->file, 0), 0), "steps", list);
}

static size_t last_step(const trace_arguments *a, const run *r)
{
    return a->steps != 0 && a->steps < r->states - 1 ? (size_t)a->steps : r->states - 1;
}

/* Shown whole? */
static bool show_steps(const trace_arguments *a, const run *r)
{
    const size_t last = last_step(a, r);
    if (!print_steps(a, r, last))
        return false;
    if (last < r->states - 1)
        notice("%zu of %zu instructions shown", last, r->states - 1);
    return last == r->states - 1;
}

static void trace_machine(const trace_arguments *a, const uint8_t *file, size_t size)
{
    const run r = { .file = file, .states = state_count(size) };
    if (a->common.json)
        out_json(steps_json(a, &r, last_step(a, &r)));
    else
        show_steps(a, &r);
}

static void print_verdict(const bgpt_cpu_score *score, size_t made, size_t true_states)
{
    if (made < true_states)
        out("the model's states end here; the machine's go on, %zu more\n", true_states - made);
    if (made > true_states)
        out("the model goes on where the machine halts\n");
    out("%llu of %llu states are the machine's\n", (unsigned long long)score->states_right, (unsigned long long)score->states);
}

static int judge(const trace_arguments *a, const guess *g)
{
    const size_t made = state_count(g->found_size), true_states = state_count(g->truth_size);
    const run r = { g->found, g->truth, made < true_states ? made : true_states };
    bgpt_cpu_score score = { 0 };
    bgpt_error error = { 0 };
    if (bgpt_cpu_evaluate(&score, g->found, g->found_size, g->path, &error) != BGPT_OK)
        return fail_with(&error);
    if (a->common.json) {
        json_t *o = steps_json(a, &r, last_step(a, &r));
        json_object_update_new(o, json_pack("{s:o, s:o, s:o}", "states", json_count(score.states), "states_made", json_count(made - 1), "states_right",
                                            json_count(score.states_right)));
        out_json(o);
    } else if (show_steps(a, &r)) {
        print_verdict(&score, made, true_states);
    }
    return 0;
}

/* The model's states beside the machine's, which are in g->truth. */
static int trace_model(const trace_arguments *a, bgpt_options *o, guess *g)
{
    bgpt_model *m = NULL;
    int code = guess_open(&m, a->model, a->weights, 1, o);
    if (code == 0)
        code = guess_states(m, g, 1);
    bgpt_close(m);
    signals_release();
    return code == 0 ? judge(a, g) : code;
}

static int run_trace(void *arguments)
{
    const trace_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    guess g = { 0 };
    int code = run_program(a->common.operands[0], &o, g.truth, &g.truth_size);
    if (code != 0)
        return code;
    if (a->model == NULL) {
        trace_machine(a, g.truth, g.truth_size);
        return 0;
    }
    g.path = strdup(a->common.operands[0]);
    code = g.path != NULL ? trace_model(a, &o, &g) : fail(BGPT_ERR_MEMORY, "out of memory");
    free(g.path);
    return code;
}

const command command_cpu_trace = {
    .name = "cpu trace",
    .summary = "a program step by step: bgpt cpu trace PROGRAM.asm",
    .usage = "[-m MODEL] PROGRAM.asm|FILE.bin [--steps N] [options]",
    .details = "Runs a program as bgpt cpu run does and prints a line per instruction: where it stands, what it is, and accumulator and registers after "
               "it. What it changed is highlighted on a terminal (NO_COLOR is respected) and marked with * elsewhere.\n\n"
               "With -m MODEL it is the model that runs the program, from memory and first state on, always taking the most likely byte; what differs from the "
               "machine's run is shown in red, or marked with !.",
    .examples = "bgpt cpu trace sum.asm\nbgpt cpu trace -m models/cpu.safetensors sum.asm\nbgpt cpu trace --steps 10 programs/test/0a1b.bin",
    ROWS_OF(trace_options),
    .arguments_size = sizeof(trace_arguments),
    .min_operands = 1,
    .max_operands = 1,
    .operand_name = "PROGRAM",
    .run = run_trace,
};
