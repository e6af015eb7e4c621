/* bgpt, the program: finds the command, hands it its parsed arguments, and
 * turns what it returns into the exit code.  Knows the library by its public
 * header only. */
#include "cli/command.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/output.h"
#include <stdio.h>
#include <string.h>

const command *const commands[] = {
    &command_train,  &command_eval,   &command_generate, &command_convert, &command_classify,
    &command_inspect, &command_prepare_audio, &command_prepare_image, &command_prepare_music, &command_prepare_text, &command_info, &command_import, &command_export,
    &command_average,
    &command_cpu_generate, &command_cpu_run, &command_cpu_assemble, &command_cpu_translate, &command_cpu_trace, &command_cpu_evaluate,
    &command_plot,   &command_bench,  &command_version, NULL,
};

/* The command that argv[1..] begins with, of one or two words; *words is how
 * many it took. */
static const command *find_command(int argc, const char **argv, int *words)
{
    char two[64];
    snprintf(two, sizeof two, "%s %s", argv[1], argc > 2 ? argv[2] : "");
    for (size_t i = 0; commands[i] != NULL; i++) {
        bool one = strcmp(commands[i]->name, argv[1]) == 0;
        if (one || strcmp(commands[i]->name, two) == 0) {
            *words = one ? 1 : 2;
            return commands[i];
        }
    }
    return NULL;
}

static const char *command_name(const void *ctx, size_t i)
{
    return commands[i] != NULL ? commands[i]->name : NULL;
}

/* "bgpt cpu": the first word of commands of two.  Lists the second ones;
 * false when there are none. */
static bool second_words(const char *word, char *list, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; commands[i] != NULL; i++) {
        const char *second = second_word(commands[i], word);
        if (second != NULL && used < size)
            used += (size_t)snprintf(list + used, size - used, "%s%s", used ? ", " : "", second);
    }
    return used > 0;
}

static int unknown_command(const char *word)
{
    char list[128];
    if (second_words(word, list, sizeof list))
        return usage_error("%s needs one of these behind it: %s (bgpt %s WORD -h explains one)", word, list, word);
    const char *guess = nearest(word, command_name, NULL);
    if (guess != NULL)
        return usage_error("%s: no such command; did you mean bgpt %s?", word, guess);
    return usage_error("%s: no such command (bgpt help lists all)", word);
}

static int run_command(const command *c, int argc, const char **argv)
{
    parsed p;
    int code = options_parse(&p, c, argc, argv);
    const common *shared = p.arguments;
    if (code == 0 && shared->help) {
        help_command(c);
    } else if (code == 0) {
        output_levels(shared->quiet, shared->verbose);
        print_settings(shared);
        code = c->run(p.arguments);
    }
    options_free(&p);
    return code;
}

static bool is(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static bool asks_for_help(const char *word) { return is(word, "-h", "--help"); }

/* help COMMAND and --man COMMAND: a text about a command, or about all. */
static int describe(int argc, const char **argv, bool man)
{
    int words;
    const command *c = NULL;
    if (argc > 1 && !man && asks_for_help(argv[1]))
        argc = 1; /* bgpt help -h */
    if (argc > 1 && (c = find_command(argc, argv, &words)) == NULL)
        return !man && argc == 2 && help_group(argv[1]) ? 0 : unknown_command(argv[1]);
    if (man)
        man_page(c);
    else if (c != NULL)
        help_command(c);
    else
        help_all(false);
    return 0;
}

static int dispatch(int argc, const char **argv)
{
    int words;
    if (argc < 2) {
        help_all(true);
        return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    }
    if (strcmp(argv[1], "help") == 0 || asks_for_help(argv[1]))
        return describe(argc - 1, argv + 1, false);
    if (strcmp(argv[1], "--man") == 0) /* for the build; in no list */
        return describe(argc - 1, argv + 1, true);
    if (is(argv[1], "--version", "-V"))
        argv[1] = "version";
    const command *c = find_command(argc, argv, &words);
    if (c != NULL)
        return run_command(c, argc - words, argv + words);
    return argc == 3 && asks_for_help(argv[2]) && help_group(argv[1]) ? 0 : unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    output_open();
    return out_finish(dispatch(argc, (const char **)argv));
}
