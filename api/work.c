/* Evaluation, generation and classification with an open model. */
#include "api/api.h"

#include "run/classify.h"
#include "run/folder.h"
#include "run/generate.h"

#include <string.h>

/* --- evaluation -------------------------------------------------------------------- */

static void relay_score(void *ctx, const bg_score *s)
{
    const bgpt_eval *e = ctx;
    const bgpt_score out = bg_api_public_score(s);
    if (e->file)
        e->file(e->ctx, &out);
}

static void relay_symbols(void *ctx, const uint16_t *symbols, const float *nats, size_t n)
{
    const bgpt_eval *e = ctx;
    e->symbols(e->ctx, symbols, nats, n);
}

static int relay_stop(void *ctx)
{
    const bgpt_eval *e = ctx;
    return e->stop ? e->stop(e->ctx) : 0;
}

static bg_status evaluate(bgpt_model *m, const bgpt_eval *e, bg_totals *out, uint64_t *left_out, bg_error *err)
{
    const bg_config *c = bg_model_config(m->model);
    const bg_dataset_options o = {
        .pairs = e->data.pairs, .P = c->patch_size, .N = c->patches, .labelled = c->classes > 0,
        .labels = m->labels.count ? &m->labels : NULL, .loss_target = 1, .notice = e->notice, .ctx = e->ctx,
    };
    if (c->classes && m->labels.count == 0)
        return bg_fail(err, BG_ERR_FORMAT, "%s: is a classifier without names of its classes, so files cannot be judged", m->path);
    bg_dataset data = { 0 };
    bg_evaluator v = { 0 };
    BG_TRY(bg_api_reserve(m, m->batch, err));
    BG_TRY(bg_dataset_open(&data, m->sys, e->data.paths, e->data.count, &o, err));
    bg_status s = bg_evaluator_open(&v, m->model, &data, m->batch, err);
    const bg_evaluation how = { .file = relay_score, .symbols = e->symbols ? relay_symbols : NULL, .stop = relay_stop, .ctx = (void *)(uintptr_t)e };
    if (s == BG_OK)
        s = bg_evaluator_run(&v, &how, out, err);
    bg_evaluator_close(&v);
    *left_out = data.too_long;
    bg_dataset_close(&data);
    return s;
}

bgpt_status bgpt_evaluate(bgpt_model *m, const bgpt_eval *e, bgpt_score *total, double *accuracy, uint64_t *confusion, bgpt_error *err)
{
    const uint32_t classes = bg_model_config(m->model)->classes;
    bg_totals out = { .confusion = confusion };
    bg_error why;
    uint64_t left_out = 0;
    if (confusion)
        memset(confusion, 0, (size_t)classes * classes * sizeof *confusion);
    bg_status s = evaluate(m, e, &out, &left_out, &why);
    if (s == BG_OK && total) {
        *total = bg_api_public_score(&out.score);
        total->left_out = left_out;
    }
    if (s == BG_OK && accuracy)
        *accuracy = out.accuracy;
    return bg_api_return(err, s, &why);
}

/* --- generation ----------------------------------------------------------------------- */

_Static_assert((int)BGPT_END_SYMBOL == (int)BG_END_SYMBOL && (int)BGPT_END_LIMIT == (int)BG_END_LIMIT &&
                   (int)BGPT_END_CONTEXT == (int)BG_END_CONTEXT && (int)BGPT_END_STOPPED == (int)BG_END_STOPPED,
               "both kinds of ends must have the same values");

static void give_results(bgpt_request *to, const bg_request *from)
{
    to->made = from->made;
    to->end = (bgpt_end)from->end;
    bg_api_return(&to->error, from->status, &from->error);
    to->status = (bgpt_status)from->status;
}

static bg_status generate(bgpt_model *m, bgpt_request *requests, size_t count, const bgpt_sampling *s, bg_error *err)
{
    const bg_sampling how = { s->greedy, s->top_k, s->top_p, s->temperature, s->seed };
    bg_request *own = bg_alloc_zero(m->sys, count ? count : 1, sizeof *own);
    if (!own)
        return bg_fail_memory(err, "the requests", (uint64_t)count * sizeof *own);
    for (size_t i = 0; i < count; i++) {
        const bgpt_request *r = &requests[i];
        own[i] = (bg_request){
            .extension = r->extension, .prompt = r->prompt, .prompt_size = r->prompt ? r->prompt_size : 0,
            .convert = r->input || r->input_extension, /* an empty input may be NULL */
            .input = r->input, .input_size = r->input ? r->input_size : 0, .input_extension = r->input_extension,
            .stream = r->stream, .max_bytes = r->max_bytes, .bytes = r->bytes, .ctx = r->ctx,
        };
    }
    bg_status status = bg_generate(m->model, own, count, &how, m->streams, err);
    for (size_t i = 0; status == BG_OK && i < count; i++)
        give_results(&requests[i], &own[i]);
    bg_free(m->sys, own);
    return status;
}

bgpt_status bgpt_generate(bgpt_model *m, bgpt_request *requests, size_t count, const bgpt_sampling *s, bgpt_error *err)
{
    bg_error e;
    return bg_api_return(err, generate(m, requests, count, s, &e), &e);
}

/* --- classification --------------------------------------------------------------------- */

bgpt_status bgpt_classify(bgpt_model *m, const uint8_t *data, size_t size, const char *extension, float *logits, int *cut, bgpt_error *err)
{
    bg_error e;
    bg_status s = bg_api_reserve(m, 1, &e);
    if (s == BG_OK)
        s = bg_classify(m->model, data, size, extension, logits, cut, &e);
    return bg_api_return(err, s, &e);
}
