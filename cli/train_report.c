/* The progress line, the evaluations and the summary of a training run. */
#include "cli/train_report.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull; /* for %llu */

/* Appends; a line that is too long is cut. */
static void PRINTF_LIKE(4, 5) add(char *text, size_t size, size_t *used, const char *format, ...)
{
    va_list ap;
    if (*used >= size)
        return;
    va_start(ap, format);
    int n = vsnprintf(text + *used, size - *used, format, ap);
    va_end(ap);
    *used += n > 0 ? (size_t)n : 0;
}

/* The one figure of an evaluation that people compare; only a classifier has an accuracy. */
static void figure_text(const bgpt_progress *e, char *text, size_t size)
{
    if (!isnan(e->val_accuracy))
        snprintf(text, size, "held-out accuracy %.2f %%", 100 * e->val_accuracy);
    else
        snprintf(text, size, "held-out %.4f bits/byte", e->val_bits_per_byte);
}

static void show_line(const train_report *r, const bgpt_progress *p)
{
    char text[256], figure[64], rate[32], left[32];
    size_t used = 0;
    add(text, sizeof text, &used, "step %llu", (ull)p->step);
    if (p->steps > 0)
        add(text, sizeof text, &used, "/%llu", (ull)p->steps);
    add(text, sizeof text, &used, "  loss %.4f", p->loss);
    if (r->evaluation.evaluated) {
        figure_text(&r->evaluation, figure, sizeof figure);
        add(text, sizeof text, &used, "  %s", figure);
    }
    bytes_text(p->bytes_per_second, rate, sizeof rate);
    clock_text(p->seconds_left, left, sizeof left);
    add(text, sizeof text, &used, "  %s/s  %s left", rate, left);
    progress_show(text);
}

int report_progress(void *ctx, const bgpt_progress *p)
{
    train_report *r = ctx;
    char figure[64];
    r->last = *p;
    r->stepped = true;
    if (p->evaluated) {
        r->evaluation = *p;
        if (p->best || !r->best.evaluated)
            r->best = *p;
        figure_text(p, figure, sizeof figure);
        notice("step %llu: %s, loss %.4f%s", (ull)p->step, figure, p->val_loss, p->best ? " (best so far)" : "");
    }
    if (p->saved)
        detail("step %llu: checkpoint saved", (ull)p->step);
    if (progress_due())
        show_line(r, p);
    return signals_stop();
}

/* --- the end ------------------------------------------------------------------- */

static json_t *evaluation_json(const bgpt_progress *e)
{
    if (!e->evaluated)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o}", "step", json_count(e->step), "loss", json_number(e->val_loss),
                     "bits_per_byte", json_number(e->val_bits_per_byte), "accuracy", json_number(e->val_accuracy));
}

static json_t *summary_json(const train_report *r)
{
    const bgpt_progress *p = &r->last;
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o}", "run", json_text(r->run), "model", json_text(r->model),
                          "step", r->stepped ? json_count(p->step) : json_null(), "epoch", json_number(p->epoch), "bytes", json_count((uint64_t)p->bytes));
    json_object_set_new(o, "seconds", json_number(p->seconds));
    json_object_set_new(o, "loss", json_number(r->stepped ? p->loss : NAN));
    json_object_set_new(o, "validation", evaluation_json(&r->evaluation));
    json_object_set_new(o, "best", evaluation_json(&r->best));
    return o;
}

static void print_summary(const train_report *r)
{
    const bgpt_progress *p = &r->last;
    char bytes[32], seconds[32], figure[64];
    bytes_text(p->bytes, bytes, sizeof bytes);
    clock_text(p->seconds, seconds, sizeof seconds);
    if (r->stepped)
        out("trained    %llu steps, %s in %s\n", (ull)p->step, bytes, seconds);
    if (r->best.evaluated) {
        figure_text(&r->best, figure, sizeof figure);
        out("best       %s, at step %llu\n", figure, (ull)r->best.step);
    } else if (r->stepped) {
        out("loss       %.4f nats per symbol in the last step\n", p->loss);
    }
    out("model      %s\n", r->model);
}

/* What the run is for stands in its config.json: a resumed run was typed
 * without it.  Without the file there is only general advice. */
static void next_commands(const train_report *r)
{
    char *path = path_join(r->run, "config.json");
    json_t *config = path != NULL ? json_load_file(path, 0, NULL) : NULL;
    const char *pairs = json_string_value(json_object_get(config, "pairs"));
    const size_t from = pairs != NULL ? strcspn(pairs, ":+") : 0;
    const char *to = from > 0 ? pairs + from + (pairs[from] != '\0') : "";
    notice("next:");
    if (json_integer_value(json_object_get(config, "classify")) != 0) {
        notice("  bgpt classify -m %s FILE...", r->model);
    } else if (from > 0) {
        notice("  bgpt convert -m %s FILE.%.*s FILE.%s", r->model, (int)from, pairs, to);
    } else {
        notice("  bgpt generate -m %s --ext EXT -o FILE", r->model);
    }
    if (from > 0)
        notice("  bgpt eval -m %s --pairs %.*s:%s DATA...", r->model, (int)from, pairs, to);
    else
        notice("  bgpt eval -m %s DATA...", r->model);
    json_decref(config);
    free(path);
}

void report_summary(const train_report *r, bool json)
{
    if (json)
        out_json(summary_json(r));
    else
        print_summary(r);
    next_commands(r);
}
