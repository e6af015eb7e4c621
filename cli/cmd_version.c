/* bgpt version: which library, and what it would compute with here. */
#include "cli/options.h"
#include "cli/output.h"

typedef struct version_arguments {
    common common;
} version_arguments;

static int run_version(void *arguments)
{
    const common *c = arguments;
    bgpt_options o = machine_options(c);
    const char *isa, *precision;
    unsigned threads;
    bgpt_error error = { 0 };
    if (bgpt_machine(&o, &isa, &precision, &threads, &error) != BGPT_OK)
        return fail_with(&error);
    if (c->json) {
        out_json(json_pack("{s:s, s:s, s:s, s:i}", "version", bgpt_version(), "isa", isa, "precision", precision, "threads", (int)threads));
    } else {
        out("bgpt %s\n", bgpt_version());
        if (!c->quiet)
            out("computes with %s, %s, %u thread%s\n", isa, precision, threads, threads == 1 ? "" : "s");
    }
    return 0;
}

const command command_version = {
    .name = "version",
    .summary = "the version, and what this machine computes with",
    .usage = "[options]",
    .details = "Prints the version of the program, then the instruction-set level, the arithmetic and the number of threads "
               "that the other commands would use on this machine with the same options.",
    .examples = "bgpt version\nBGPT_ISA=portable bgpt version",
    .arguments_size = sizeof(version_arguments),
    .run = run_version,
};
