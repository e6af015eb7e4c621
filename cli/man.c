/* Man pages, made from the same rows as the help.  The build runs the
 * program once per command (bgpt --man COMMAND), so that no page can differ
 * from the program it describes. */
#include "cli/help.h"
#include "cli/options.h"
#include "cli/output.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Text into roff: a backslash and a leading dot or quote would be commands,
 * a plain '-' would become a hyphen that cannot be searched or copied. */
static void roff_text(const char *text, size_t size)
{
    bool line_start = true;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (line_start && (c == '.' || c == '\''))
            out("\\&");
        if (c == '\\')
            out("\\e");
        else if (c == '-')
            out("\\-");
        else
            out("%c", c);
        line_start = c == '\n';
    }
}

static void roff(const char *text)
{
    roff_text(text, strlen(text));
}

/* Paragraphs parted by empty lines. */
static void roff_paragraphs(const char *text)
{
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        size_t length = end != NULL ? (size_t)(end - text) : strlen(text);
        out(".PP\n");
        roff_text(text, length);
        out("\n");
        text += length;
        text += strspn(text, "\n");
    }
}

static void roff_option(const option *o)
{
    if (o->type == OPTION_HEADING) {
        out(".SS ");
        roff(o->help);
        out("\n");
        return;
    }
    out(".TP\n");
    if (o->letter != 0)
        out("\\fB\\-%c\\fR, ", o->letter);
    out("\\fB\\-\\-");
    roff(o->name);
    out("\\fR");
    if (o->argument != NULL) {
        out(" \\fI");
        roff(o->argument);
        out("\\fR");
    }
    out("\n");
    roff(o->help);
    out(".\n");
    if (o->standard != NULL)
        out("Default: %s.\n", o->standard);
    if (option_range_is_worth_showing(o))
        out("From %.15g to %.15g.\n", o->min, o->max);
}

static void roff_examples(const char *lines)
{
    out(".SH EXAMPLES\n.EX\n");
    roff(lines);
    out("\n.EE\n");
}

static void roff_exit_codes(void)
{
    static const struct { const char *code, *meaning; } rows[] = {
        { "0", "All went well." },
        { "1", "The work could not be done or was interrupted." },
        { "2", "The command line is wrong, or an output exists and \\fB\\-f\\fR was not given." },
        { "3", "An input file or the model is missing or wrong." },
        { "5", "Out of memory, or an output could not be written." },
        { "75", "Training was interrupted and everything is saved." },
    };
    out(".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        out(".TP\n.B %s\n%s\n", rows[i].code, rows[i].meaning);
}

static void roff_environment(void)
{
    out(".SH ENVIRONMENT\n"
        ".TP\n.B BGPT_ISA\nForces an instruction-set level (as \\fBportable\\fR) where the program would take the best one.\n"
        ".TP\n.B NO_COLOR\nNo colours in messages.\n");
}

/* "BGPT-TRAIN" for the page's head. */
static void page_title(const command *c, char *title, size_t size)
{
    snprintf(title, size, c != NULL ? "BGPT-%s" : "BGPT", c != NULL ? c->name : "");
    for (char *at = title; *at != '\0'; at++)
        *at = *at == ' ' ? '-' : (char)toupper((unsigned char)*at);
}

static void roff_program(void)
{
    out(".SH NAME\nbgpt \\- byte models: learn from files, then write, translate, score and sort files\n"
        ".SH SYNOPSIS\n\\fBbgpt\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n"
        ".SH DESCRIPTION\nA byte model reads any file as bytes and predicts the next byte.\n"
        "Each command has a page of its own, as \\fBbgpt\\-train\\fR(1).\n"
        ".SH COMMANDS\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        out(".TP\n\\fB");
        roff(commands[i]->name);
        out("\\fR\n");
        roff(commands[i]->summary);
        out("\n");
    }
    out(".SH OPTIONS\n");
    for (size_t i = 0; i < common_option_count; i++)
        roff_option(&common_options[i]);
}

/* "cpu generate" is the page bgpt-cpu-generate. */
static void roff_name(const command *c)
{
    for (const char *at = c->name; *at != '\0'; at++)
        roff_text(*at == ' ' ? "-" : at, 1);
}

static void roff_command(const command *c)
{
    const option *o;
    const char *example = strstr(c->summary, ": bgpt"); /* the list of commands has it; this page has better ones */
    out(".SH NAME\nbgpt\\-");
    roff_name(c);
    out(" \\- ");
    roff_text(c->summary, example != NULL ? (size_t)(example - c->summary) : strlen(c->summary));
    out("\n.SH SYNOPSIS\n\\fBbgpt ");
    roff(c->name);
    out("\\fR ");
    roff(c->usage);
    out("\n.SH DESCRIPTION\n");
    roff_paragraphs(c->details);
    out(".SH OPTIONS\n");
    for (size_t i = 0; (o = option_row(c, i)) != NULL; i++)
        roff_option(o);
    if (c->examples != NULL)
        roff_examples(c->examples);
}

void man_page(const command *c)
{
    char title[64];
    page_title(c, title, sizeof title);
    out(".TH \"%s\" 1 \"\" \"bgpt %s\" \"bgpt\"\n.nh\n", title, bgpt_version());
    if (c != NULL)
        roff_command(c);
    else
        roff_program();
    roff_exit_codes();
    roff_environment();
    out(".SH SEE ALSO\n\\fBbgpt\\fR(1)\n");
}
