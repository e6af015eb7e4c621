/* Scoring files side by side, long ones window after window.
 *
 * A file's sums are those of its own rows, so what it is batched with does
 * not show.  A classifier sees a file's first N patches and nothing else.
 * Refuses to score with figures that are not finite. */
#include "run/evaluate.h"

#include <assert.h>
#include <math.h>
#include <string.h>

uint32_t bg_dataset_longest(const bg_dataset *d)
{
    const uint64_t longest = bg_dataset_longest_item(d);
    return longest < d->options.N ? (uint32_t)longest : d->options.N;
}

bg_status bg_evaluator_open(bg_evaluator *e, bg_model *model, bg_dataset *data, uint32_t files, bg_error *err)
{
    memset(e, 0, sizeof *e);
    const bg_config *c = bg_model_config(model);
    e->sys = bg_model_backend(model)->sys;
    e->model = model;
    e->data = data;
    bg_status s = bg_batch_open(&e->batch, e->sys, c->patch_size, files, files * bg_dataset_longest(data), err);
    e->item = bg_alloc(e->sys, files, sizeof *e->item);
    e->nats = bg_alloc(e->sys, files, sizeof *e->nats);
    e->logits = c->classes ? bg_alloc(e->sys, (size_t)files * c->classes, sizeof *e->logits) : NULL;
    if (s == BG_OK && (!e->item || !e->nats || (c->classes && !e->logits)))
        s = bg_fail_memory(err, "the tables of an evaluation", files * (sizeof *e->item + sizeof *e->nats));
    if (s != BG_OK)
        bg_evaluator_close(e);
    return s;
}

void bg_evaluator_close(bg_evaluator *e)
{
    if (!e->sys)
        return;
    bg_batch_close(&e->batch);
    bg_free(e->sys, e->item);
    bg_free(e->sys, e->nats);
    bg_free(e->sys, e->logits);
    bg_free(e->sys, e->losses);
    memset(e, 0, sizeof *e);
}

/* Of no file yet. */
static const bg_score no_score = { .label = -1, .predicted = -1, .confidence = NAN };

/* --- figures -------------------------------------------------------------------- */

static void finish_score(bg_score *s, int classifier)
{
    s->nats_per_symbol = s->symbols ? s->nats / (double)s->symbols : NAN;
    s->reference_bpb = classifier ? NAN : s->nats_per_symbol / M_LN2;
    s->bits_per_byte = classifier || s->bytes == 0 ? NAN : s->nats / M_LN2 / (double)s->bytes;
}

/* Cross-entropy of one file's logits, the decision and its probability. */
static double label_nats(const float *logits, uint32_t classes, uint32_t label, int *predicted, double *confidence)
{
    uint32_t best = 0;
    double sum = 0;
    for (uint32_t i = 1; i < classes; i++)
        if (logits[i] > logits[best])
            best = i;
    for (uint32_t i = 0; i < classes; i++)
        sum += exp((double)logits[i] - logits[best]);
    *predicted = (int)best;
    *confidence = 1 / sum;
    return log(sum) - ((double)logits[label] - logits[best]);
}

/* --- one pass over the set ---------------------------------------------------------- */

typedef struct pass {
    bg_evaluator *e;
    const bg_evaluation *how;
    bg_totals *out;
    int classifier;
    size_t files;              /* to be scored */
    size_t next;               /* file whose window is added next ... */
    uint32_t next_window;      /* ... and that window */
    size_t done;               /* files scored */
    uint64_t correct;
    bg_score current;          /* of the file whose windows are coming in */
    uint32_t current_windows;
} pass;

/* The items to be scored lie evenly over the set, so that a limit sees all kinds. */
static size_t item_of(const pass *p, size_t file)
{
    return (size_t)((double)file * ((double)p->e->data->item_count / (double)p->files));
}

static uint32_t windows_of(const pass *p, size_t item) { return p->classifier ? 1 : bg_item_windows(p->e->data, item); }

static bg_status fill(pass *p, bg_error *err)
{
    bg_evaluator *e = p->e;
    bg_batch_clear(&e->batch);
    while (p->next < p->files && e->batch.files < e->batch.max_files) {
        size_t item = item_of(p, p->next);
        e->item[e->batch.files] = item;
        BG_TRY(bg_dataset_add_window(e->data, &e->batch, item, p->next_window, err));
        if (++p->next_window == windows_of(p, item)) {
            p->next++;
            p->next_window = 0;
        }
    }
    return BG_OK;
}

static bg_status report(pass *p, size_t item, bg_error *err)
{
    if (!p->how->file)
        return BG_OK;
    char *name = bg_item_name(p->e->data, item);
    if (!name)
        return bg_fail_memory(err, "the name of a file", 0);
    p->current.file = name;
    p->how->file(p->how->ctx, &p->current);
    bg_free(p->e->sys, name);
    return BG_OK;
}

static bg_status fail_loss(const pass *p, size_t item, bg_error *err)
{
    char *name = bg_item_name(p->e->data, item);
    bg_fail(err, BG_ERR_FAILED, "%s: the model's loss on it is %g", name ? name : "a file", p->current.nats);
    bg_free(p->e->sys, name);
    return BG_ERR_FAILED;
}

/* All windows of a file are in: its figures, and the sums over files. */
static bg_status close_file(pass *p, size_t item, bg_error *err)
{
    bg_score *s = &p->current, *total = &p->out->score;
    const bg_dataset *d = p->e->data;
    s->bytes = bg_item_bytes(d, item);
    s->patches = bg_item_patches(d, item);
    if (!isfinite(s->nats))
        return fail_loss(p, item, err);
    finish_score(s, p->classifier);
    BG_TRY(report(p, item, err));
    total->bytes += s->bytes;
    total->symbols += s->symbols;
    total->nats += s->nats;
    if (p->classifier) {
        p->correct += s->label == s->predicted;
        if (p->out->confusion)
            p->out->confusion[(size_t)s->label * bg_model_config(p->e->model)->classes + (size_t)s->predicted]++;
    }
    p->done++;
    *s = no_score;
    p->current_windows = 0;
    return BG_OK;
}

/* The predicted patches of sequence f. */
static void give_symbols(const pass *p, uint32_t f)
{
    const bg_batch *b = &p->e->batch;
    for (uint32_t t = b->target_start[f]; t < b->target_start[f + 1] && p->how->symbols; t++)
        p->how->symbols(p->how->ctx, b->tokens + (size_t)b->target[t] * b->P, p->e->losses + (size_t)t * b->P, b->P);
}

static bg_status collect(pass *p, bg_error *err)
{
    bg_evaluator *e = p->e;
    const bg_batch *b = &e->batch;
    uint32_t classes = bg_model_config(e->model)->classes;
    for (uint32_t f = 0; f < b->files; f++) {
        bg_score *s = &p->current;
        if (p->classifier) {
            s->label = b->label[f];
            s->nats = label_nats(e->logits + (size_t)f * classes, classes, b->label[f], &s->predicted, &s->confidence);
            s->symbols = 1;
        } else {
            s->nats += e->nats[f];
            give_symbols(p, f);
            s->symbols += (uint64_t)(b->target_start[f + 1] - b->target_start[f]) * b->P;
        }
        if (++p->current_windows == windows_of(p, e->item[f]))
            BG_TRY(close_file(p, e->item[f], err));
    }
    return BG_OK;
}

bg_status bg_evaluator_run(bg_evaluator *e, const bg_evaluation *how, bg_totals *out, bg_error *err)
{
    size_t count = e->data->item_count;
    pass p = { .e = e, .how = how, .out = out, .current = no_score };
    p.classifier = bg_model_config(e->model)->classes > 0;
    p.files = how->limit && how->limit < count ? how->limit : count;
    out->score = no_score;
    const size_t symbols = (size_t)e->batch.max_rows * e->batch.P;
    if (how->symbols && !e->losses && !(e->losses = bg_alloc(e->sys, symbols, sizeof *e->losses)))
        return bg_fail_memory(err, "the losses of symbols", symbols * sizeof *e->losses);
    while (p.next < p.files) {
        if (how->stop && how->stop(how->ctx))
            return bg_fail(err, BG_ERR_INTERRUPTED, "stopped after %zu of %zu files", p.done, p.files);
        BG_TRY(fill(&p, err));
        if (p.classifier)
            bg_model_classify(e->model, &e->batch, e->logits);
        else
            bg_model_eval(e->model, &e->batch, e->nats);
        if (how->symbols && !p.classifier)
            bg_model_losses(e->model, &e->batch, e->losses);
        BG_TRY(collect(&p, err));
    }
    assert(p.done == p.files);
    finish_score(&out->score, p.classifier);
    out->accuracy = p.classifier && p.files ? (double)p.correct / (double)p.files : NAN;
    return BG_OK;
}
