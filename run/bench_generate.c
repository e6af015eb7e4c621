/* Generation, timed: files from the start patch until the context is full,
 * with all that `bgpt generate` does for a byte but handing it out.
 *
 * A whole file of a large model takes minutes.  Then every s-th patch is
 * generated and the ones between are put in as a prompt is, which is not
 * timed: short and long contexts keep their equal shares.
 * The end symbol is given no chance: an ended file would make the figure depend on the weights. */
#include "run/bench_job.h"

#include "run/sampling.h"
#include "run/trainer.h"

#include <math.h>

enum { FEWEST_STOPS = 8 }; /* patches generated of a file, at the least */

typedef struct generation {
    bg_bench_state *b;
    bg_decoder *decoder;
    uint32_t n, N, P;   /* sequences; patches and bytes of a patch */
    uint32_t stride;    /* s above; 1: whole files */
    bg_rng rng;
    uint32_t *slot;     /* (max(n, N)) */
    uint16_t *prompt;   /* (N,P) random symbols */
    uint16_t *patch;    /* (n,P) being made */
    uint16_t *symbol;   /* (n) */
    float *logits;      /* (n,257) */
} generation;

/* Content patches of a file that are generated: numbers stride/2, stride/2 + stride, ... */
static uint32_t stops(const generation *g) { return (g->N - 2 - g->stride / 2 + g->stride - 1) / g->stride; }

/* --- memory --------------------------------------------------------------------------- */

static void close_generation(generation *g)
{
    const bg_sys *sys = g->b->machine.sys;
    if (g->decoder)
        bg_decoder_close(g->decoder);
    bg_free(sys, g->slot);
    bg_free(sys, g->prompt);
    bg_free(sys, g->patch);
    bg_free(sys, g->symbol);
    bg_free(sys, g->logits);
}

static bg_status open_generation(generation *g, bg_bench_state *b, bg_model *m, uint32_t n, bg_error *err)
{
    const bg_sys *sys = b->machine.sys;
    const bg_config *c = &b->settings.config;
    *g = (generation){ .b = b, .n = n, .N = c->patches, .P = c->patch_size, .stride = 1 };
    g->slot = bg_alloc(sys, n > g->N ? n : g->N, sizeof *g->slot);
    g->prompt = bg_alloc(sys, (size_t)g->N * g->P, sizeof *g->prompt);
    g->patch = bg_alloc(sys, (size_t)n * g->P, sizeof *g->patch);
    g->symbol = bg_alloc(sys, n, sizeof *g->symbol);
    g->logits = bg_alloc(sys, (size_t)n * BG_VOCAB, sizeof *g->logits);
    if (!g->slot || !g->prompt || !g->patch || !g->symbol || !g->logits)
        return bg_fail_memory(err, "the tables of generation", (uint64_t)n * BG_VOCAB * sizeof *g->logits);
    bg_rng_open(&g->rng, b->settings.seed, BG_STREAM_USER, UINT32_MAX);
    bg_patch_start(g->prompt, "bin", g->P);
    for (size_t i = g->P; i < (size_t)g->N * g->P; i++)
        g->prompt[i] = (uint16_t)bg_rng_below(&g->rng, 256);
    return bg_decoder_open(&g->decoder, m, n, err);
}

/* --- a file ----------------------------------------------------------------------------- */

/* Ready patches [first, first + count) of the prompt into every sequence. */
static void put_prompt(generation *g, uint32_t first, uint32_t count)
{
    for (uint32_t s = 0; s < g->n && count > 0; s++) {
        for (uint32_t i = 0; i < count; i++)
            g->slot[i] = s;
        bg_decoder_patches(g->decoder, g->slot, g->prompt + (size_t)first * g->P, count);
    }
}

/* The symbols at `position` of every sequence's patch, from the logits. */
static bg_status draw(generation *g, uint32_t position, bg_error *err)
{
    static const bg_sampling plain = { .greedy = 0 };
    for (uint32_t s = 0; s < g->n; s++) {
        float *logits = g->logits + (size_t)s * BG_VOCAB;
        logits[BG_SPECIAL] = -1e30f;
        const int symbol = bg_sampling_draw(logits, &plain, &g->rng);
        if (symbol < 0)
            return bg_fail(err, BG_ERR_FAILED, "the model's output is not finite");
        g->patch[(size_t)s * g->P + position] = (uint16_t)symbol;
    }
    return BG_OK;
}

/* A patch of every sequence, byte by byte, and then its row in the patch decoder. */
static bg_status make_patch(generation *g, bg_error *err)
{
    for (uint32_t s = 0; s < g->n; s++)
        g->slot[s] = s;
    for (uint32_t position = 0; position < g->P; position++) {
        for (uint32_t s = 0; s < g->n; s++)
            g->symbol[s] = position ? g->patch[(size_t)s * g->P + position - 1] : 0;
        bg_decoder_bytes(g->decoder, g->slot, g->symbol, g->n, g->logits);
        BG_TRY(draw(g, position, err));
    }
    bg_decoder_patches(g->decoder, g->slot, g->patch, g->n);
    return BG_OK;
}

static bg_status timed_patch(generation *g, bg_profile *profile, double *seconds, bg_error *err)
{
    if (profile)
        bg_profile_on(profile);
    const double begin = bg_clock();
    bg_status s = make_patch(g, err);
    *seconds += bg_clock() - begin;
    if (profile)
        bg_profile_off(profile);
    return s;
}

static bg_status file_pass(void *ctx, bg_profile *profile, double *seconds, bg_error *err)
{
    generation *g = ctx;
    uint32_t held = 0; /* patches that every sequence has */
    *seconds = 0;
    for (uint32_t s = 0; s < g->n; s++)
        bg_decoder_reset(g->decoder, s, g->N);
    for (uint32_t at = 1 + g->stride / 2; at < g->N - 1; at += g->stride) {
        BG_TRY(bg_bench_go_on(g->b, err));
        put_prompt(g, held, at - held);
        BG_TRY(timed_patch(g, profile, seconds, err));
        held = at + 1;
    }
    return g->b->machine.be->ops->sync(g->b->machine.be, err);
}

/* Warm up with a few patches, and choose how many of a file fit into a third of the time. */
static bg_status choose_stride(generation *g, bg_error *err)
{
    const uint32_t content = g->N - 2, widest = content > FEWEST_STOPS ? content / FEWEST_STOPS : 1;
    double seconds;
    g->stride = widest;
    BG_TRY(file_pass(g, NULL, &seconds, err));
    const double stride = ceil(seconds / stops(g) * content / (g->b->seconds / 3));
    g->stride = stride < 1 ? 1 : stride > widest ? widest : (uint32_t)stride;
    return BG_OK;
}

/* --- how near to what the memory gives ------------------------------------------------------ */

/* The nearest memory that holds so much and whose bandwidth is known. */
static bg_memory memory_of(const bg_peaks *p, double bytes)
{
    for (int i = 0; i < BG_MEMORY_DRAM; i++)
        if (bytes <= (double)p->memory[i].capacity && !isnan(p->memory[i].bytes_per_second))
            return (bg_memory)i;
    return BG_MEMORY_DRAM;
}

/* A byte step reads all weights of the byte decoder and of the head, a patch step those of the patch decoder: that
 * is most of the work of generating one sequence; more of them share it.  Between two byte steps nothing else is
 * read, between two patch steps everything: so lie the byte decoder's weights where they alone fit, and the
 * patch decoder's where all fit.  The result is the least time for one byte of each sequence. */
static double streaming_seconds(bg_bench_result *out, size_t weight_size)
{
    const bg_config *c = &out->config;
    const double byte = bg_bench_byte_weights(c) * (double)weight_size, patch = bg_bench_patch_weights(c) * (double)weight_size;
    out->weight_bytes = byte + patch / c->patch_size;
    out->byte_memory = memory_of(&out->peaks, byte);
    out->patch_memory = memory_of(&out->peaks, byte + patch);
    return byte / out->peaks.memory[out->byte_memory].bytes_per_second +
           patch / c->patch_size / out->peaks.memory[out->patch_memory].bytes_per_second;
}

static bg_status measure(generation *g, bg_bench_job job, bg_error *err)
{
    bg_bench_result *out = g->b->out;
    BG_TRY(choose_stride(g, err));
    const double steps = (double)stops(g) * g->P;
    const bg_bench_work w = { job, file_pass, g, steps * g->n, steps };
    BG_TRY(bg_bench_measure(g->b, &w, err));
    bg_bench_figure *f = &out->figures[job];
    f->flops = f->median * bg_bench_generate_flop(&out->config);
    const double streaming = streaming_seconds(out, g->b->what->weights == BG_WEIGHTS_INT8 ? 1 : g->b->machine.be->act_size) * f->median / g->n;
    f->share = fmax(streaming, f->flops / out->peaks.product_flops);
    return BG_OK;
}

static bg_status generate(bg_bench_state *b, bg_model *m, bg_bench_job job, uint32_t n, bg_error *err)
{
    generation g;
    bg_status s = open_generation(&g, b, m, n, err);
    if (s == BG_OK)
        s = measure(&g, job, err);
    close_generation(&g);
    return s;
}

bg_status bg_bench_generation(bg_bench_state *b, bg_model *m, bg_error *err)
{
    bg_bench_stage(b, "generation of one sequence");
    BG_TRY(generate(b, m, BG_BENCH_GENERATE, 1, err));
    bg_bench_stage(b, "generation of several sequences");
    return generate(b, m, BG_BENCH_GENERATE_BATCH, b->streams, err);
}
