/* Two drawings side by side: shares of bytes by length of program, averaged to
 * a few dozen points, and by field of a state. */
#include "cli/simcpu_plot.h"
#include "cli/gnuplot.h"
#include "cli/output.h"
#include "cli/paths.h"
#include <stdlib.h>

enum { SEEN = 32 }; /* points by length */

int figures_plot_check(const char *path, bool force)
{
    if (gnuplot_terminal(path) == NULL)
        return usage_error("--plot: %s: expected a name that ends in .svg or .png", path);
    return refuse_existing(path, force);
}

static double percent(uint64_t part, uint64_t all) { return 100 * (double)part / (double)all; }

static size_t longest(const cpu_figures *f)
{
    size_t n = FIGURE_PROGRAM - 1;
    while (n > 1 && f->program[n].all == 0)
        n--;
    return n;
}

/* "length right trivial" lines: means over `each` neighbouring lengths. */
static void write_lengths(FILE *f, const cpu_figures *c)
{
    const size_t most = longest(c), each = (most + SEEN - 1) / SEEN;
    fputs("$lengths << END\n", f);
    for (size_t at = 1; at <= most; at += each) {
        share_of sum = { 0 };
        double lengths = 0;
        for (size_t n = at; n < at + each && n <= most; n++) {
            sum.right += c->program[n].right;
            sum.trivial += c->program[n].trivial;
            sum.all += c->program[n].all;
            lengths += (double)n * (double)c->program[n].all;
        }
        if (sum.all > 0)
            fprintf(f, "%.4g %.9g %.9g\n", lengths / (double)sum.all, percent(sum.right, sum.all), percent(sum.trivial, sum.all));
    }
    fputs("END\n", f);
}

static void write_fields(FILE *f, const cpu_figures *c)
{
    fputs("$fields << END\n", f);
    for (int i = 0; i < FIELDS; i++) {
        const share_of *s = &c->field[i];
        gnuplot_text(f, figure_fields[i]);
        if (s->all > 0)
            fprintf(f, " %.9g %.9g\n", percent(s->right, s->all), percent(s->trivial, s->all));
        else
            fputs(" NaN NaN\n", f);
    }
    fputs("END\n", f);
}

static void write_script(FILE *f, const cpu_figures *c, const char *model, const char *path)
{
    gnuplot_begin(f, "bgpt cpu evaluate", gnuplot_terminal(path), path);
    write_lengths(f, c);
    write_fields(f, c);
    fputs("model = ", f);
    gnuplot_text(f, model);
    fputs("\nset multiplot layout 1,2 title model noenhanced\nset key noenhanced bottom left\nset grid\nset ylabel \"bytes right, %\"\nset yrange [0:100]\n"
          "set xlabel \"instructions of the program\"\n"
          "plot $lengths using 1:2 with linespoints linewidth 2 pointtype 7 pointsize 0.5 title \"the model\", \\\n"
          "     $lengths using 1:3 with lines linewidth 2 dashtype 2 title \"trivial rule\"\n"
          "set xlabel \"field\"\nset style data histograms\nset style histogram clustered gap 1\nset style fill solid 0.6\n"
          "set xtics rotate by -35 noenhanced\nset yrange [0:100]\nset key top left outside horizontal\n"
          "plot $fields using 2:xtic(1) title \"the model\", $fields using 3 title \"trivial rule\"\nunset multiplot\n", f);
}

int figures_plot(const cpu_figures *c, const char *model, const char *path, bool force, const bgpt_options *o)
{
    made_text script;
    const int code = text_begin(&script);
    if (code != 0)
        return code;
    write_script(script.f, c, model, path);
    return gnuplot_draw(&script, path, force, NULL, o);
}
