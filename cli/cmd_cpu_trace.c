/* bgpt cpu trace: a program step by step, with what each instruction changed.
 * Unlike the state table, a line shows the values after its instruction. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/simcpu.h"
#include <stdio.h>
#include <unistd.h>

typedef struct trace_arguments {
    common common;
    uint64_t steps;
    bool pause;
} trace_arguments;

static const option trace_options[] = {
    { "steps", 's', OPTION_COUNT, offsetof(trace_arguments, steps), 1, 1e9, NULL, "N", "instructions to run at most; without it until HLT" },
    { "pause", 'p', OPTION_FLAG, offsetof(trace_arguments, pause), 0, 0, NULL, NULL, "on a terminal, wait for Enter after each instruction (q ends)" },
};

/* The instruction of step k stands in state k; what it did, in state k + 1.
 * The last one is HLT, which does nothing. */
typedef struct step {
    size_t number;
    const uint8_t *before, *after;
    char instruction[BGPT_CPU_TEXT];
} step;

static step step_of(const uint8_t *file, size_t states, size_t k)
{
    step s = { .number = k, .before = state_at(file, k), .after = state_at(file, k + 1 < states ? k + 1 : k) };
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

/* " *12" where there are no colours, so that a change is seen on paper too. */
static void print_value(unsigned value, bool is_changed, bool colour)
{
    char text[8];
    snprintf(text, sizeof text, "%s%u", is_changed && !colour ? "*" : "", value);
    if (is_changed && colour)
        out(" \033[1;33m%4s\033[0m", text);
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
        print_value(start[state_values[i].at], false, colour);
    out("\n");
}

/* `at`: the fetch has moved PC on, but not beyond the last instruction. */
static void print_step(const step *s, unsigned at, bool colour)
{
    out("%4zu %3u  %-17s", s->number, at, s->instruction);
    for (int i = FIRST_SHOWN; i < STATE_VALUES; i++)
        print_value(s->after[state_values[i].at], changed(s, i), colour);
    out("\n");
}

static json_t *step_json(const step *s, unsigned at)
{
    json_t *changes = json_object();
    for (int i = FIRST_SHOWN; i < STATE_VALUES; i++) {
        unsigned place = state_values[i].at;
        if (changed(s, i))
            json_object_set_new(changes, state_values[i].name, json_pack("[i, i]", s->before[place], s->after[place]));
    }
    return json_pack("{s:o, s:i, s:s, s:o}", "step", json_count(s->number), "at", at, "instruction", s->instruction, "changed", changes);
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

static void trace(const trace_arguments *a, const uint8_t *file, size_t size)
{
    size_t states = state_count(size), last = a->steps != 0 && a->steps < states - 1 ? (size_t)a->steps : states - 1;
    bool colour = out_colour(), pause = a->pause && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO), more = true;
    json_t *list = a->common.json ? json_array() : NULL;
    if (list == NULL)
        print_head(state_at(file, 0), colour);
    for (size_t k = 1; k <= last && more; k++) {
        step s = step_of(file, states, k);
        unsigned at = state_at(file, k - 1)[0]; /* the PC that the fetch used */
        if (list != NULL) {
            json_array_append_new(list, step_json(&s, at));
            continue;
        }
        print_step(&s, at, colour);
        more = !pause || k == last || wait_for_enter();
    }
    if (list != NULL)
        out_json(json_pack("{s:o, s:o, s:o}", "file", json_text(a->common.operands[0]), "start", state_json(state_at(file, 0), 0), "steps", list));
    else if (more && last < states - 1)
        notice("%zu of %zu instructions shown", last, states - 1);
}

static int run_trace(void *arguments)
{
    const trace_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    uint8_t file[BGPT_CPU_FILE];
    size_t size;
    int code = run_program(a->common.operands[0], &o, file, &size);
    if (code == 0)
        trace(a, file, size);
    return code;
}

const command command_cpu_trace = {
    .name = "cpu trace",
    .summary = "a program step by step: bgpt cpu trace PROGRAM.asm",
    .usage = "PROGRAM.asm|FILE.bin [--steps N] [options]",
    .details = "Runs a program as bgpt cpu run does and prints a line per instruction: where it stands, what it is, and accumulator and registers after "
               "it. What it changed is highlighted on a terminal (NO_COLOR is respected) and marked with * elsewhere.",
    .examples = "bgpt cpu trace sum.asm\nbgpt cpu trace --steps 10 programs/test/0a1b.bin",
    ROWS_OF(trace_options),
    .arguments_size = sizeof(trace_arguments),
    .min_operands = 1,
    .max_operands = 1,
    .operand_name = "PROGRAM",
    .run = run_trace,
};
