/* Running gnuplot.  It draws what its script says and reads nothing else. */
#include "cli/gnuplot.h"
#include "cli/child.h"
#include "cli/output.h"
#include "cli/paths.h"
#include <stdlib.h>
#include <string.h>

static const struct kind { const char *extension, *terminal; } kinds[] = {
    { "svg", "svg size 800,500 background rgb 'white' font 'sans,13'" },
    { "png", "pngcairo size 1600,1000 font 'sans,22'" },
};

const char *gnuplot_terminal(const char *path)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(path_extension(path), kinds[i].extension) == 0)
            return kinds[i].terminal;
    return NULL;
}

/* A backslash and a quote need a backslash, and a control character has no place in a line. */
void gnuplot_text(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', f);
        fputc((unsigned char)*text < ' ' ? '?' : *text, f);
    }
    fputc('"', f);
}

void gnuplot_begin(FILE *f, const char *maker, const char *terminal, const char *output)
{
    fprintf(f, "# made by %s; gnuplot draws the picture again\nset terminal %s\n", maker, terminal);
    if (output != NULL) {
        fputs("set output ", f);
        gnuplot_text(f, output);
        fputc('\n', f);
    }
}

static int run(const char *script, const char *advice)
{
    const char *const argv[] = { "gnuplot", script, NULL };
    const child c = { .argv = argv, .package = "gnuplot-nox", .advice = advice };
    char why[CHILD_WHY];
    return child_run(&c, why) == CHILD_GOOD ? 0 : fail(BGPT_ERR_FAILED, "%s", why);
}

/* The script on its way to gnuplot when no file of it is wanted. */
static int draw_here(made_text *script, const char *advice, const bgpt_options *o)
{
    child_folder folder;
    char path[CHILD_PATH];
    char why[CHILD_WHY];
    if (!child_folder_open(&folder, why)) {
        text_end(script);
        text_free(script);
        return fail(BGPT_ERR_IO, "%s", why);
    }
    int code = text_save(script, child_file(&folder, "script.gp", path), false, o);
    if (code == 0)
        code = run(path, advice);
    child_folder_close(&folder);
    return code;
}

static int draw_beside(made_text *script, const char *output, bool force, const char *advice, const bgpt_options *o)
{
    char *path = path_with_extension(output, "gp");
    int code = text_end(script);
    bgpt_error error = { 0 };
    if (code == 0)
        code = path == NULL ? fail(BGPT_ERR_MEMORY, "out of memory") : refuse_existing(path, force);
    if (code == 0 && bgpt_write_file(path, script->text, script->size, force, o, &error) != BGPT_OK)
        code = fail_with(&error);
    text_free(script);
    if (code == 0)
        code = run(path, advice);
    if (code == 0)
        notice("%s and %s", output, path);
    free(path);
    return code;
}

int gnuplot_draw(made_text *script, const char *output, bool force, const char *advice, const bgpt_options *o)
{
    return output == NULL ? draw_here(script, advice, o) : draw_beside(script, output, force, advice, o);
}
