/* What is drawn: held-out figures as points joined by lines; the loss of
 * training as a thin line, averaged so that a long run has as many points as
 * can be seen. */
#include "cli/plot_script.h"
#include "cli/csv.h"
#include "cli/gnuplot.h"
#include "cli/output.h"
#include <math.h>
#include <string.h>

enum { SEEN = 400 }; /* points of a training curve */

static const struct axis { const char *label; int value; double scale; } x_axes[] = {
    [PLOT_STEPS] = { "step", LOG_STEP, 1 },
    [PLOT_BYTES] = { "MB of content trained on", LOG_BYTES, 1e-6 },
    [PLOT_TIME] = { "minutes", LOG_SECONDS, 1.0 / 60 },
};

/* Of training (dense) and of held-out data (sparse); -1: none. */
static const struct curve { const char *label; int dense, sparse; } curves[] = {
    [PLOT_LOSS] = { "loss, nats per symbol", LOG_LOSS, LOG_VAL_LOSS },
    [PLOT_BITS] = { "held-out bits per byte", -1, LOG_VAL_BITS },
    [PLOT_ACCURACY] = { "held-out accuracy", -1, LOG_VAL_ACCURACY },
    [PLOT_LR] = { "learning rate", LOG_LR, -1 },
};

static size_t points(const run_log *r, int value)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count && value >= 0; i++)
        n += isfinite(r->lines[i].value[value]);
    return n;
}

bool plot_has_points(const plot *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (points(&p->runs[i], curves[p->y].dense) + points(&p->runs[i], curves[p->y].sparse) > 0)
            return true;
    return false;
}

/* A block of "x y" lines, the mean of every `each` points. */
static void write_block(FILE *f, const plot *p, size_t run, char kind, int value)
{
    const run_log *r = &p->runs[run];
    const size_t n = points(r, value), each = 1 + n / SEEN;
    const struct axis *x = &x_axes[p->x];
    double sum_x = 0, sum_y = 0;
    size_t held = 0, seen = 0;
    if (n == 0)
        return;
    fprintf(f, "$%c%zu << END\n", kind, run);
    for (size_t i = 0; i < r->count; i++) {
        const double y = r->lines[i].value[value];
        if (!isfinite(y))
            continue;
        sum_x += r->lines[i].value[x->value] * x->scale;
        sum_y += y;
        seen++;
        if (++held == each || seen == n) {
            fprintf(f, "%.9g %.9g\n", sum_x / (double)held, sum_y / (double)held);
            sum_x = sum_y = 0;
            held = 0;
        }
    }
    fputs("END\n", f);
}

static void write_plot(FILE *f, const plot *p)
{
    const struct curve *c = &curves[p->y];
    const char *before = "plot ";
    for (size_t i = 0; i < p->count; i++) {
        const bool sparse = points(&p->runs[i], c->sparse) > 0;
        if (points(&p->runs[i], c->dense) > 0) {
            fprintf(f, "%s$t%zu with lines linecolor %zu linewidth 1 ", before, i, i + 1);
            if (sparse) {
                fputs("notitle", f);
            } else {
                fputs("title ", f);
                gnuplot_text(f, p->runs[i].name);
            }
            before = ", \\\n     ";
        }
        if (sparse) {
            fprintf(f, "%s$v%zu with linespoints linecolor %zu linewidth 2 pointtype 7 pointsize 0.5 title ", before, i, i + 1);
            gnuplot_text(f, p->runs[i].name);
            before = ", \\\n     ";
        }
    }
    fputc('\n', f);
}

void plot_write_script(FILE *f, const plot *p)
{
    gnuplot_begin(f, "bgpt plot", p->terminal, p->output);
    fprintf(f, "set xlabel \"%s\" noenhanced\nset ylabel \"%s\" noenhanced\nset key noenhanced\nset grid\n", x_axes[p->x].label, curves[p->y].label);
    if (p->log_x)
        fputs("set logscale x\n", f);
    if (p->log_y)
        fputs("set logscale y\n", f);
    for (size_t i = 0; i < p->count; i++) {
        write_block(f, p, i, 't', curves[p->y].dense);
        write_block(f, p, i, 'v', curves[p->y].sparse);
    }
    write_plot(f, p);
}

void plot_write_csv(FILE *f, const run_log *runs, size_t count)
{
    fputs("run", f);
    for (int k = 0; k < LOG_VALUES; k++)
        fprintf(f, ",%s", log_keys[k]);
    fputc('\n', f);
    for (size_t i = 0; i < count; i++)
        for (size_t line = 0; line < runs[i].count; line++) {
            csv_field(f, runs[i].name);
            for (int k = 0; k < LOG_VALUES; k++) {
                const double v = runs[i].lines[line].value[k];
                if (isfinite(v))
                    fprintf(f, ",%.9g", v);
                else
                    fputc(',', f);
            }
            fputc('\n', f);
        }
}

static json_t *line_json(const log_line *line)
{
    json_t *o = json_object();
    for (int k = 0; k < LOG_VALUES; k++)
        if (isfinite(line->value[k]))
            json_object_set_new(o, log_keys[k], k == LOG_STEP || k == LOG_BYTES ? json_count((uint64_t)line->value[k]) : json_number(line->value[k]));
    return o;
}

json_t *plot_json(const run_log *runs, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *lines = json_array();
        for (size_t line = 0; line < runs[i].count; line++)
            json_array_append_new(lines, line_json(&runs[i].lines[line]));
        json_array_append_new(list, json_pack("{s:o, s:o}", "run", json_text(runs[i].name), "lines", lines));
    }
    return json_pack("{s:o}", "runs", list);
}
