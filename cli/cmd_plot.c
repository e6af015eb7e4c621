/* bgpt plot: learning curves of runs.  Gnuplot draws them; CSV needs no
 * gnuplot.  Writes nothing but the picture, and the script beside it. */
#include "cli/gnuplot.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/plot_script.h"
#include <stdlib.h>
#include <string.h>

typedef struct plot_arguments {
    common common;
    const char *output;
    int x, y; /* plot_x, plot_y */
    bool log_x, log_y, force;
} plot_arguments;

static const option plot_options[] = {
    { "output", 'o', OPTION_TEXT, offsetof(plot_arguments, output), 0, 0, NULL, "FILE",
      "FILE.svg or FILE.png: a picture, with gnuplot's script beside it as FILE.gp; FILE.csv: the numbers; without it the terminal is drawn on" },
    { "x", 0, OPTION_CHOICE, offsetof(plot_arguments, x), 0, 0, "steps", "steps|bytes|time", "against what: steps, bytes trained on, or time" },
    { "y", 0, OPTION_CHOICE, offsetof(plot_arguments, y), 0, 0, "loss", "loss|bits|accuracy|lr",
      "loss: nats per symbol, of training (thin) and held out; bits: held-out bits per byte; accuracy: of a classifier; lr: the learning rate" },
    { "log-x", 0, OPTION_FLAG, offsetof(plot_arguments, log_x), 0, 0, NULL, NULL, "logarithmic scale across" },
    { "log-y", 0, OPTION_FLAG, offsetof(plot_arguments, log_y), 0, 0, NULL, NULL, "logarithmic scale upwards" },
    { "force", 'f', OPTION_FLAG, offsetof(plot_arguments, force), 0, 0, NULL, NULL, "overwrite existing files" },
};

static int draw(const plot_arguments *a, const plot *p, const bgpt_options *o)
{
    made_text script;
    const int code = text_begin(&script);
    if (code != 0)
        return code;
    plot_write_script(script.f, p);
    return gnuplot_draw(&script, a->output, a->force, "; -o FILE.csv writes the numbers without it", o);
}

static int write_csv(const plot_arguments *a, const plot *p, const bgpt_options *o)
{
    made_text table;
    const int code = text_begin(&table);
    if (code != 0)
        return code;
    plot_write_csv(table.f, p->runs, p->count);
    return text_save(&table, a->output, a->force, o);
}

/* --- the command ---------------------------------------------------------------------------- */

static int check_output(const plot_arguments *a)
{
    if (a->output == NULL)
        return 0;
    if (strcmp(path_extension(a->output), "csv") != 0 && gnuplot_terminal(a->output) == NULL)
        return usage_error("-o: %s: expected a name that ends in .svg, .png or .csv", a->output);
    for (size_t i = 0; i < a->common.operand_count; i++)
        if (refuse_same(a->output, a->common.operands[i], "run's log") != 0)
            return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    return refuse_existing(a->output, a->force);
}

static int show(const plot_arguments *a, const run_log *runs, const bgpt_options *o)
{
    plot p = { .runs = runs, .count = a->common.operand_count, .x = (plot_x)a->x, .y = (plot_y)a->y, .log_x = a->log_x, .log_y = a->log_y,
               .terminal = "dumb size 100,30 ansi", .output = a->output };
    if (a->output != NULL && strcmp(path_extension(a->output), "csv") == 0)
        return write_csv(a, &p, o);
    if (!plot_has_points(&p))
        return fail(BGPT_ERR_FORMAT, "%s: nothing of that kind was logged; --y chooses another", a->common.operands[0]);
    if (a->output != NULL)
        p.terminal = gnuplot_terminal(a->output);
    else if (!out_colour())
        p.terminal = "dumb size 100,30 mono";
    return draw(a, &p, o);
}

static int run_plot(void *arguments)
{
    const plot_arguments *a = arguments;
    const size_t count = a->common.operand_count;
    bgpt_options o = machine_options(&a->common);
    int code = check_output(a);
    run_log *runs = calloc(count, sizeof *runs);
    if (runs == NULL)
        code = fail(BGPT_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < count && code == 0; i++)
        code = run_log_read(&runs[i], a->common.operands[i], &o);
    if (code == 0 && (a->output != NULL || !a->common.json))
        code = show(a, runs, &o);
    if (code == 0 && a->common.json)
        out_json(plot_json(runs, count));
    for (size_t i = 0; i < count && runs != NULL; i++)
        run_log_free(&runs[i]);
    free(runs);
    return code;
}

const command command_plot = {
    .name = "plot",
    .summary = "learning curves of runs: bgpt plot RUN... -o curves.svg",
    .usage = "RUN... [-o FILE.svg|FILE.png|FILE.csv] [options]",
    .details = "Draws what the runs logged, several in one picture. RUN is a run's folder or a log.jsonl. Held-out figures are points on a thick line; the loss of "
               "training is a thin line, averaged to a few hundred points. gnuplot draws (Debian package gnuplot-nox); its script, numbers included, stays beside the picture, to be changed by hand. "
               "With --format=json the numbers go to standard output.",
    .examples = "bgpt plot run\nbgpt plot --x time --y bits run-a run-b -o bits.svg\nbgpt plot run -o run.csv",
    ROWS_OF(plot_options),
    .arguments_size = sizeof(plot_arguments),
    .min_operands = 1,
    .max_operands = 1000,
    .operand_name = "RUN",
    .run = run_plot,
};
