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
#include <string.h>
#include <unistd.h>

typedef struct trace_arguments {
    common common;
    const char *model;
    uint64_t steps;
    bool pause;
} trace_arguments;

static const option trace_options[] = {
    { "model", 'm', OPTION_TEXT, offsetof(trace_arguments, model), 0, 0, NULL, "MODEL",
      "let this model run the program from memory and first state, by itself, and mark what the machine does otherwise" },
    { "steps", 's', OPTION_COUNT, offsetof(trace_arguments, steps), 1, 1e9, NULL, "N", "instructions to run at most; without it until HLT" },
    { "pause", 'p', OPTION_FLAG, offsetof(trace_arguments, pause), 0, 0, NULL, NULL, "on a terminal, wait for Enter after each instruction (q ends)" },
};

/* The instruction of step k stands in state k; what it did, in state k + 1.
 * The last one is HLT, which does nothing. */
typedef struct step {
    size_t number;
    unsigned at;                   /* the PC that the fetch used: PC moves on, but not beyond the last instruction */
    const uint8_t *before, *after;
    const uint8_t *fetched, *true_after; /* the machine's, NULL where the states are the machine's own */
    char instruction[BGPT_CPU_TEXT];
} step;

/* What is run: states, and beside those of a model the machine's. */
typedef struct run {
    const uint8_t *file, *truth; /* truth: or NULL */
    size_t states, true_states;
} run;

static step step_of(const run *r, size_t k)
{
    step s = { .number = k, .at = state_at(r->file, k - 1)[0], .before = state_at(r->file, k), .after = state_at(r->file, k + 1 < r->states ? k + 1 : k) };
    if (r->truth != NULL) {
        s.fetched = state_at(r->truth, k < r->true_states ? k : r->true_states - 1) + 2;
        s.true_after = state_at(r->truth, k + 1 < r->true_states ? k + 1 : r->true_states - 1);
    }
    bgpt_cpu_instruction(s.before + 2, s.instruction);
    return s;
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
    return s->true_after != NULL && s->true_after[at] != s->after[at];
}

static bool wrong_instruction(const step *s) { return s->fetched != NULL && memcmp(s->fetched, s->before + 2, 4) != 0; }

/* " *12" and " !12" where there are no colours, so that a change or a fault is seen on paper too. */
static void print_value(unsigned value, bool is_changed, bool is_wrong, bool colour)
{
    char text[8];
    snprintf(text, sizeof text, "%s%u", colour ? "" : is_wrong ? "!" : is_changed ? "*" : "", value);
    if (colour && (is_wrong || is_changed))
        out(" \033[1;%dm%4s\033[0m", is_wrong ? 31 : 33, text);
    else
        out(" %4s", text);
}

static void print_head(const uint8_t *start, bool colour)
{
    out("step  at  %-17s", "instruction");
    for (int i = FIRST_SHOWN; i < STATE_VALUES; i++)
        out(" %4s", state_values[i].name);
    out("\n   0      %-17s", "(start)");
    for (int i = FIRST_SHOWN; i < STATE_VALUES; i++)
        print_value(start[state_values[i].at], false, false, colour);
    out("\n");
}

static void print_step(const step *s, bool colour)
{
    char text[BGPT_CPU_TEXT + 1];
    snprintf(text, sizeof text, "%s%s", wrong_instruction(s) ? "!" : "", s->instruction);
    out("%4zu %3u  %-17s", s->number, s->at, text);
    for (int i = FIRST_SHOWN; i < STATE_VALUES; i++)
        print_value(s->after[state_values[i].at], changed(s, i), wrong(s, i), colour);
    out("\n");
}

static json_t *step_json(const step *s)
{
    json_t *changes = json_object(), *faults = json_object();
    for (int i = FIRST_SHOWN; i < STATE_VALUES; i++) {
        unsigned place = state_values[i].at;
        if (changed(s, i))
            json_object_set_new(changes, state_values[i].name, json_pack("[i, i]", s->before[place], s->after[place]));
        if (wrong(s, i))
            json_object_set_new(faults, state_values[i].name, json_pack("[i, i]", s->after[place], s->true_after[place]));
    }
    json_t *o = json_pack("{s:o, s:i, s:s, s:o}", "step", json_count(s->number), "at", s->at, "instruction", s->instruction, "changed", changes);
    if (s->fetched != NULL)
        json_object_set(o, "wrong", faults);
    json_decref(faults);
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

/* Of the states that the program has, how many the model made as the machine does. */
static size_t right_states(const run *r)
{
    size_t right = 0;
    for (size_t k = 1; k < r->states && k < r->true_states; k++)
        right += memcmp(state_at(r->file, k), state_at(r->truth, k), BGPT_CPU_STATE) == 0;
    return right;
}

static void print_verdict(const run *r)
{
    const size_t right = right_states(r), all = r->true_states - 1;
    if (r->states < r->true_states)
        out("the model ends the program here, %zu steps early\n", r->true_states - r->states);
    if (r->states > r->true_states)
        out("the model goes on after HLT\n");
    out("%zu of %zu states are the machine's%s\n", right, all, right < all ? "; what differs is marked" : "");
}

static void trace(const trace_arguments *a, const run *r)
{
    /* a model that goes on behind HLT is not followed there */
    const size_t all = (r->truth != NULL && r->states > r->true_states ? r->true_states : r->states) - 1;
    const size_t last = a->steps != 0 && a->steps < all ? (size_t)a->steps : all;
    bool colour = out_colour(), pause = a->pause && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO), more = true;
    json_t *list = a->common.json ? json_array() : NULL;
    if (list == NULL)
        print_head(state_at(r->file, 0), colour);
    for (size_t k = 1; k <= last && more; k++) {
        step s = step_of(r, k);
        if (list != NULL) {
            json_array_append_new(list, step_json(&s));
            continue;
        }
        print_step(&s, colour);
        more = !pause || k == last || wait_for_enter();
    }
    if (list != NULL) {
        json_t *o = json_pack("{s:o, s:o, s:o}", "file", json_text(a->common.operands[0]), "start", state_json(state_at(r->file, 0), 0), "steps", list);
        if (r->truth != NULL)
            json_object_update_new(o, json_pack("{s:o, s:o}", "states", json_count(r->true_states - 1), "states_right", json_count(right_states(r))));
        out_json(o);
    } else if (more && last < all) {
        notice("%zu of %zu instructions shown", last, all);
    } else if (more && r->truth != NULL) {
        print_verdict(r);
    }
}

/* The model's states beside the machine's, which are in g->truth. */
static int trace_model(const trace_arguments *a, bgpt_options *o, guess *g)
{
    bgpt_model *m = NULL;
    o->max_streams = 1;
    int code = machine_announce(o, NULL, NULL);
    if (code == 0)
        code = model_open(&m, a->model, o);
    if (code == 0)
        code = model_check_extension(m, a->model, "bin");
    signals_catch(NULL);
    if (code == 0)
        code = guess_states(m, g, 1);
    bgpt_close(m);
    if (code == 0)
        trace(a, &(run){ g->found, g->truth, state_count(g->found_size), state_count(g->truth_size) });
    return code;
}

static int run_trace(void *arguments)
{
    const trace_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    char path[] = "the program";
    guess g = { .path = path };
    int code = run_program(a->common.operands[0], &o, g.truth, &g.truth_size);
    if (code == 0 && a->model != NULL)
        code = trace_model(a, &o, &g);
    else if (code == 0)
        trace(a, &(run){ .file = g.truth, .states = state_count(g.truth_size) });
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
