/* Help for people at a terminal, made from the command rows. */
#include "cli/help.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/values.h"
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 80,  /* of help text; wider lines are harder to read */
    INDENT = 28  /* where the explanation of an option starts */
};

/* Print text from column `at` on, wrapped at WIDTH, following lines indented. */
static void wrap(const char *text, size_t indent, size_t at)
{
    while (*text != '\0') {
        size_t word = strcspn(text, " \n");
        if (at > indent && at + 1 + word > WIDTH) {
            out("\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            out(" ");
            at++;
        }
        out("%.*s", (int)word, text);
        at += word;
        text += word;
        text += strspn(text, " ");
        if (text[0] == '\n') { /* an empty line parts paragraphs */
            out("\n\n%*s", (int)indent, "");
            at = indent;
            text += strspn(text, "\n");
        }
    }
    out("\n");
}

/* " (default X; A to B)", as far as the row has them. */
static void limits_text(const option *o, char *text, size_t size)
{
    char range[64] = "", standard[64] = "";
    if (option_range_is_worth_showing(o))
        snprintf(range, sizeof range, "%.15g to %.15g", o->min, o->max);
    if (o->standard != NULL)
        snprintf(standard, sizeof standard, "default %s", o->standard);
    if (*range != '\0' || *standard != '\0')
        snprintf(text, size, " (%s%s%s)", standard, *range && *standard ? "; " : "", range);
    else
        *text = '\0';
}

static void help_option(const option *o)
{
    char head[64], text[512], limits[160];
    int length;
    if (o->type == OPTION_HEADING) {
        out("\n%s:\n", o->help);
        return;
    }
    if (o->letter != 0)
        length = snprintf(head, sizeof head, "  -%c, --%s", o->letter, o->name);
    else
        length = snprintf(head, sizeof head, "      --%s", o->name);
    if (o->argument != NULL)
        length += snprintf(head + length, sizeof head - (size_t)length, " %s", o->argument);
    limits_text(o, limits, sizeof limits);
    snprintf(text, sizeof text, "%s%s", o->help, limits);
    if (length + 2 > INDENT)
        out("%s\n%*s", head, INDENT, "");
    else
        out("%-*s", INDENT, head);
    wrap(text, INDENT, INDENT);
}

static void help_examples(const char *lines)
{
    out("\nExamples:\n");
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        out("  %.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

void help_command(const command *c)
{
    const option *o;
    out("usage: bgpt %s %s\n\n", c->name, c->usage);
    wrap(c->details, 0, 0);
    if (c->examples != NULL)
        help_examples(c->examples);
    for (size_t i = 0; (o = option_row(c, i)) != NULL; i++)
        help_option(o);
}

static void help_summary(FILE *f, const command *c) { fprintf(f, "  %-14s %s\n", c->name, c->summary); }

const char *second_word(const command *c, const char *word)
{
    const size_t length = strlen(word);
    return strncmp(c->name, word, length) == 0 && c->name[length] == ' ' ? c->name + length + 1 : NULL;
}

bool help_group(const char *word)
{
    bool any = false;
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (second_word(commands[i], word) == NULL)
            continue;
        if (!any)
            out("usage: bgpt %s WORD [options]\n\n", word);
        any = true;
        help_summary(stdout, commands[i]);
    }
    if (any)
        out("\n`bgpt %s WORD -h` explains one.\n", word);
    return any;
}

void help_all(bool to_stderr)
{
    FILE *f = to_stderr ? stderr : stdout;
    fprintf(f, "usage: bgpt COMMAND [options]\n\n"
               "Byte models: learn from files, then write, translate, score and sort files.\n\n");
    for (size_t i = 0; commands[i] != NULL; i++)
        help_summary(f, commands[i]);
    fprintf(f, "  %-14s %s\n\n`bgpt COMMAND -h` explains a command and its options.\n", "help [COMMAND]", "this list, or a command's help");
}

void print_settings(const common *arguments)
{
    const option *o;
    char text[512];
    for (size_t i = 0; (o = option_row(arguments->command, i)) != NULL; i++) {
        if (o->type == OPTION_HEADING || strcmp(o->name, "help") == 0)
            continue;
        bool unset = o->standard == NULL && o->type != OPTION_FLAG && !option_given(arguments, o->target);
        value_print(arguments, o, text, sizeof text);
        detail("%s = %s", o->name, unset ? "(not given)" : text);
    }
}
