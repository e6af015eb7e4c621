/* Generation with key/value caches, several sequences side by side.
 *
 * Work goes patch by patch: all sequences that run append their last patch,
 * then take P byte steps together; a sequence that ends leaves its slot to
 * the next request at the following patch.  A prompt's last, unfinished patch is
 * fed through the same byte steps, its symbols given instead of drawn.  What a
 * sequence gets depends on its own rows and its own random stream alone, so
 * the bytes are the same for any number side by side.
 * Refuses prompts and inputs that leave no room in the context; never cuts them. */
#include "run/generate.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef struct stream {
    bg_request *request;          /* NULL: the slot is free */
    bg_rng rng;
    uint16_t patch[BG_MAX_PATCH]; /* the patch that is being made */
    uint32_t given;               /* its first symbols, from the prompt */
    uint32_t fill;                /* symbols of it that are there */
    int ended;                    /* nothing more to come; `patch` up to fill is to be handed out */
} stream;

typedef struct generator {
    bg_model *m;
    bg_decoder *decoder;
    const bg_sys *sys;
    const bg_sampling *sampling;
    uint32_t P, N, slots;
    stream *streams;    /* (slots) */
    uint16_t *tokens;   /* (max(N,slots),P) patches to append */
    uint32_t *slot;     /* (max(N,slots)) */
    uint16_t *symbol;   /* (slots) */
    float *logits;      /* (slots,257) */
} generator;

static void close_generator(generator *g)
{
    bg_decoder_close(g->decoder);
    bg_free(g->sys, g->streams);
    bg_free(g->sys, g->tokens);
    bg_free(g->sys, g->slot);
    bg_free(g->sys, g->symbol);
    bg_free(g->sys, g->logits);
}

static bg_status open_generator(generator *g, bg_model *m, const bg_sampling *s, uint32_t slots, bg_error *err)
{
    const bg_config *c = bg_model_config(m);
    const bg_sys *sys = bg_model_backend(m)->sys;
    size_t rows = c->patches > slots ? c->patches : slots;
    *g = (generator){ .m = m, .sys = sys, .sampling = s, .P = c->patch_size, .N = c->patches, .slots = slots };
    g->streams = bg_alloc_zero(sys, slots, sizeof *g->streams);
    g->tokens = bg_alloc(sys, rows * g->P, sizeof *g->tokens);
    g->slot = bg_alloc(sys, rows, sizeof *g->slot);
    g->symbol = bg_alloc(sys, slots, sizeof *g->symbol);
    g->logits = bg_alloc(sys, (size_t)slots * BG_VOCAB, sizeof *g->logits);
    bg_status status = g->streams && g->tokens && g->slot && g->symbol && g->logits
                           ? bg_decoder_open(&g->decoder, m, slots, err)
                           : bg_fail_memory(err, "the tables of generation", rows * g->P * sizeof *g->tokens);
    if (status != BG_OK)
        close_generator(g);
    return status;
}

/* --- starting a sequence ------------------------------------------------------------ */

/* Whole patches before the first that is to be made, or 0 with the request's
 * error when the context has no room for it. */
static uint32_t prefix_patches(const generator *g, bg_request *r)
{
    uint64_t room = (uint64_t)g->N * g->P;
    uint64_t input = r->convert ? 1 + (r->input_size + g->P - 1) / g->P : 0;
    uint64_t patches = input + 1 + r->prompt_size / g->P;
    if (patches < g->N)
        return (uint32_t)patches;
    const char *what = r->convert ? "the input" : "the prompt";
    size_t size = r->convert ? r->input_size : r->prompt_size;
    r->status = bg_fail(&r->error, BG_ERR_FORMAT, "%s of %zu bytes leaves no room in the model's context of %u patches (%llu bytes)", what, size,
                        g->N, (unsigned long long)room);
    return 0;
}

static uint16_t *put_bytes(const generator *g, uint16_t *at, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += g->P, at += g->P)
        bg_patch_fill(at, bytes + i, n - i < g->P ? n - i : g->P, g->P);
    return at;
}

static const char *text(const char *s) { return s ? s : ""; }

static void start(generator *g, uint32_t slot, bg_request *r, uint32_t prefix)
{
    stream *s = &g->streams[slot];
    uint16_t *at = g->tokens;
    if (r->convert) {
        bg_patch_start(at, text(r->input_extension), g->P);
        at = put_bytes(g, at + g->P, r->input, r->input_size);
    }
    bg_patch_start(at, text(r->extension), g->P);
    size_t whole = r->prompt_size / g->P * g->P;
    at = put_bytes(g, at + g->P, r->prompt, whole);
    assert(at == g->tokens + (size_t)prefix * g->P);

    *s = (stream){ .request = r };
    s->given = (uint32_t)(r->prompt_size - whole);
    for (uint32_t i = 0; i < s->given; i++)
        s->patch[i] = r->prompt[whole + i];
    bg_rng_open(&s->rng, g->sampling->seed, BG_STREAM_GENERATE, r->stream);
    const uint64_t wanted = r->max_bytes && r->max_bytes < UINT32_MAX ? (s->given + r->max_bytes) / g->P + 2 : g->N;
    bg_decoder_reset(g->decoder, slot, wanted < g->N - prefix ? prefix + (uint32_t)wanted : g->N);
    for (uint32_t i = 0; i < prefix; i++)
        g->slot[i] = slot;
    bg_decoder_patches(g->decoder, g->slot, g->tokens, prefix);
}

/* Append the patches that were just completed. */
static void append_patches(generator *g)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->slots; i++) {
        stream *s = &g->streams[i];
        if (!s->request)
            continue;
        memcpy(g->tokens + (size_t)n * g->P, s->patch, g->P * sizeof *s->patch);
        g->slot[n++] = i;
        s->given = s->fill = 0;
    }
    if (n)
        bg_decoder_patches(g->decoder, g->slot, g->tokens, n);
}

static void fill_slots(generator *g, bg_request *requests, size_t count, size_t *next)
{
    for (uint32_t i = 0; i < g->slots && *next < count; i++) {
        while (!g->streams[i].request && *next < count) {
            bg_request *r = &requests[(*next)++];
            uint32_t prefix = prefix_patches(g, r);
            if (prefix)
                start(g, i, r, prefix);
        }
    }
}

/* --- one patch ------------------------------------------------------------------------- */

/* A new symbol of a sequence: does it go on? */
static void take(stream *s, int symbol)
{
    bg_request *r = s->request;
    if (symbol < 0) {
        r->status = bg_fail(&r->error, BG_ERR_FAILED, "the model's output after %llu bytes is not finite", (unsigned long long)r->made);
        s->ended = 1;
    } else if (symbol == BG_SPECIAL) {
        r->end = BG_END_SYMBOL;
        s->ended = 1;
    } else {
        s->patch[s->fill++] = (uint16_t)symbol;
        if (++r->made == r->max_bytes) {
            r->end = BG_END_LIMIT;
            s->ended = 1;
        }
    }
}

/* One byte step of all sequences that still want one; 0 when none does. */
static int byte_step(generator *g, uint32_t position)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->slots; i++) {
        stream *s = &g->streams[i];
        if (!s->request || s->ended)
            continue;
        g->symbol[n] = position ? s->patch[position - 1] : 0;
        g->slot[n++] = i;
    }
    if (n == 0)
        return 0;
    bg_decoder_bytes(g->decoder, g->slot, g->symbol, n, g->logits);
    for (uint32_t i = 0; i < n; i++) {
        stream *s = &g->streams[g->slot[i]];
        if (position < s->given)
            s->fill++;
        else
            take(s, bg_sampling_draw(g->logits + (size_t)i * BG_VOCAB, g->sampling, &s->rng));
    }
    return 1;
}

/* Hand out what was made of a patch, and free the slot of a sequence that is over. */
static void finish_patch(generator *g, uint32_t slot)
{
    stream *s = &g->streams[slot];
    bg_request *r = s->request;
    uint8_t bytes[BG_MAX_PATCH];
    uint32_t n = 0;
    for (uint32_t i = s->given; i < s->fill; i++)
        bytes[n++] = (uint8_t)s->patch[i];
    /* the patch just made has the index `length`; is there room for one behind it? */
    if (!s->ended && bg_decoder_length(g->decoder, slot) + 1 >= g->N) {
        r->end = BG_END_CONTEXT;
        s->ended = 1;
    }
    /* a stop that comes with the last bytes stops nothing: the sequence is whole */
    if (n && r->bytes && r->bytes(r->ctx, bytes, n) != 0 && !s->ended) {
        r->end = BG_END_STOPPED;
        s->ended = 1;
    }
    if (s->ended)
        s->request = NULL;
}

static int running(const generator *g)
{
    for (uint32_t i = 0; i < g->slots; i++)
        if (g->streams[i].request)
            return 1;
    return 0;
}

bg_status bg_generate(bg_model *m, bg_request *requests, size_t count, const bg_sampling *s, uint32_t streams, bg_error *err)
{
    generator g;
    size_t next = 0;
    BG_TRY(bg_sampling_check(s, err));
    if (bg_model_config(m)->classes)
        return bg_fail(err, BG_ERR_ARGUMENT, "the model is a classifier of %u classes and cannot generate", bg_model_config(m)->classes);
    for (size_t i = 0; i < count; i++) {
        requests[i].made = 0;
        requests[i].end = BG_END_SYMBOL;
        requests[i].status = BG_OK;
        requests[i].error = (bg_error){ BG_OK, "" };
    }
    if (count == 0)
        return BG_OK;
    BG_TRY(open_generator(&g, m, s, count < streams ? (uint32_t)count : streams, err));
    fill_slots(&g, requests, count, &next);
    while (running(&g)) {
        for (uint32_t i = 0; i < g.P && byte_step(&g, i); i++)
            ;
        for (uint32_t i = 0; i < g.slots; i++)
            if (g.streams[i].request)
                finish_patch(&g, i);
        append_patches(&g);
        fill_slots(&g, requests, count, &next);
    }
    close_generator(&g);
    return BG_OK;
}
