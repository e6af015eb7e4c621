/* bgpt cpu generate: random programs of the simulated processor with their
 * states, as files. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include <stdio.h>

typedef struct generate_arguments {
    common common;
    const char *out;
    uint64_t count, test, min, max;
    bool force;
} generate_arguments;

static const option generate_options[] = {
    { "out", 'o', OPTION_TEXT, offsetof(generate_arguments, out), 0, 0, NULL, "FOLDER", "where the files go: FOLDER/train and FOLDER/test (required)" },
    { "count", 'n', OPTION_COUNT, offsetof(generate_arguments, count), 1, 1e9, "1000", "N", "files in all" },
    { "test", 0, OPTION_COUNT, offsetof(generate_arguments, test), 0, 1e9, NULL, "K", "test files among them; without it one in a hundred, rounded" },
    { "min", 0, OPTION_COUNT, offsetof(generate_arguments, min), 1, 256, "1", "A", "instructions of the shortest programs, HLT counted" },
    { "max", 0, OPTION_COUNT, offsetof(generate_arguments, max), 1, 256, "255", "B", "instructions of the longest programs" },
    { "force", 'f', OPTION_FLAG, offsetof(generate_arguments, force), 0, 0, NULL, NULL,
      "the folder may hold files already; those of the same names are written anew, the others stay" },
};

static int on_progress(void *ctx, uint64_t done)
{
    const generate_arguments *a = ctx;
    char text[64];
    if (progress_due()) {
        snprintf(text, sizeof text, "%llu of %llu files", (unsigned long long)done, (unsigned long long)a->count);
        progress_show(text);
    }
    return signals_stop();
}

static void report(const generate_arguments *a, uint64_t train)
{
    if (a->common.json)
        out_json(json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "out", json_text(a->out), "train", json_count(train), "test", json_count(a->test),
                           "seed", json_count(a->common.seed), "min", json_count(a->min), "max", json_count(a->max)));
    else
        out("%s/train: %llu files\n%s/test: %llu files\n", a->out, (unsigned long long)train, a->out, (unsigned long long)a->test);
}

static int run_generate(void *arguments)
{
    generate_arguments *a = arguments;
    bgpt_options o = machine_options(&a->common);
    bgpt_error error = { 0 };
    if (refuse_no_folder(a->out, "FOLDER") != 0)
        return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    if (!GIVEN(a, test))
        a->test = (a->count + 50) / 100;
    if (a->test > a->count)
        return usage_error("--test: %llu is more than --count, %llu", (unsigned long long)a->test, (unsigned long long)a->count);
    if (a->min > a->max)
        return usage_error("--min: %llu is more than --max, %llu", (unsigned long long)a->min, (unsigned long long)a->max);
    const bgpt_cpu_folder f = { .out = a->out, .seed = a->common.seed, .train = a->count - a->test, .test = a->test, .min = (uint32_t)a->min,
                                .max = (uint32_t)a->max, .overwrite = a->force, .progress = on_progress, .ctx = a };
    signals_catch(NULL);
    bgpt_status status = bgpt_cpu_generate(&f, &o, &error);
    progress_clear();
    if (status == BGPT_ERR_ARGUMENT)
        return usage_error("%s; -f writes into it all the same", error.text);
    if (status == BGPT_ERR_INTERRUPTED) /* 75 would promise that it can go on */
        return fail(BGPT_ERR_FAILED, "%s", error.text);
    if (status != BGPT_OK)
        return fail_with(&error);
    report(a, f.train);
    return 0;
}

const command command_cpu_generate = {
    .name = "cpu generate",
    .summary = "random programs with their states: bgpt cpu generate --count 1000 --out FOLDER",
    .usage = "--count N --out FOLDER [options]",
    .details = "The simulated processor has a memory of 256 instructions, a program counter, an accumulator and registers A to J. Each file is one "
               "random program: its memory, then the state before each instruction until HLT. Its name is the MD5 of its bytes. A program "
               "has A to B instructions, each drawn evenly from the twenty that are not HLT, then from its numbers of operands, then from the registers; "
               "accumulator and registers start anywhere.\n\n"
               "Of the N files one in a hundred goes to FOLDER/test (or K with --test), the others to FOLDER/train. The same seed gives the same "
               "files on any number of threads; more files with the same seed are the same files and some more, and the test files do not depend on how many training files there are.",
    .examples = "bgpt cpu generate --count 100000 --seed 7 --out programs\n"
                "bgpt cpu generate --count 2000 --test 1000 --max 16 --out short",
    ROWS_OF(generate_options),
    .arguments_size = sizeof(generate_arguments),
    .run = run_generate,
};
