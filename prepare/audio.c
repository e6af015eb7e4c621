/* Sounds: decoded by libsndfile, mixed to one channel, resampled by libsamplerate (a windowed sinc, 121 dB), and written as
 * WAV with the plain header of 44 bytes.  A block at a time: an hour takes no more memory than a second. */
#include "prepare/prepare.h"

#include "base/rng.h"
#include "prepare/wave.h"

#include <stdio.h>
#include <string.h>

#ifdef BGPT_HAVE_AUDIO
#include <math.h>
#include <samplerate.h>
#include <sndfile.h>

enum {
    BLOCK = 4096,        /* samples read or written at once, channels together */
    MAX_CHANNELS = 256,
    HOPS = 20,           /* the loudest piece is looked for in steps of a twentieth */
    LEAD = 10            /* and the first tenth of it does not count: what is loud begins softly */
};
#define AS_LOUD 0.995    /* of two pieces as loud as this the later: in it a short sound stands near the begin, as in a file that was cut to it */
#define SILENCE 0.01     /* of full scale, a step of 8 bits and a bit more: nothing softer is made louder */

/* What is being cut into pieces: the last `length` samples, and the loudest piece so far. */
typedef struct cutter {
    const prepare_audio *a;
    const prepare_source *source;
    prepare_sink *sink;
    float *piece, *best;     /* (length) each; piece is a ring once it is full */
    size_t length, fill, at; /* at: where the ring's next sample goes */
    size_t since;            /* samples since the loudness was last looked at */
    size_t added, silent;    /* samples of silence that were put behind the sound so far, and of them in best */
    double loudness;         /* the most of any piece so far; negative: none yet */
    uint8_t *file;           /* WAVE_HEADER + samples */
    uint64_t pieces;
    int full;                /* nothing more is wanted */
    int more;                /* the ring has lost samples: the sound is longer than a piece */
} cutter;

/* What brings the loudest of these samples of a ring to the peak that is asked for.  A constant is no sound. */
static double gain(const prepare_audio *a, const float *x, size_t length, size_t begin, size_t sounding)
{
    if (a->peak == 0)
        return 1;
    double low = x[begin], high = low;
    for (size_t i = 1; i < sounding; i++) {
        const double v = x[(begin + i) % length];
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    return high - low > 2 * SILENCE ? a->peak / (high > -low ? high : -low) : 1;
}

/* Triangular dither of one step to either side (Lipshitz, Wannamaker, Vanderkooy 1992): the error no longer depends on the
 * signal.  Silence that was added stays silence. */
static void quantize(cutter *c, const float *x, size_t begin, size_t sounding)
{
    const prepare_audio *a = c->a;
    const double full = a->bits == 8 ? 128 : 32768; /* as libsndfile has it: what is in this form already stays as it is */
    const double step = full * gain(a, x, c->length, begin, sounding);
    uint8_t *to = c->file + WAVE_HEADER;
    bg_rng r;
    bg_rng_open(&r, a->seed ^ c->pieces << 32, BG_STREAM_PREPARE, c->source->number);
    for (size_t i = 0; i < c->length; i++) {
        double v = i < sounding ? x[(begin + i) % c->length] * step : 0;
        if (a->dither && i < sounding)
            v += bg_rng_double(&r) - bg_rng_double(&r);
        v = floor(v + 0.5);
        const int32_t q = (int32_t)(v > full - 1 ? full - 1 : v < -full ? -full : v);
        if (a->bits == 8)
            *to++ = (uint8_t)(q + 128);
        else
            bg_little_put(to, (uint32_t)q, 2), to += 2;
    }
}

static bg_status put_piece(cutter *c, const float *x, size_t begin, size_t sounding, bg_error *err)
{
    quantize(c, x, begin, sounding);
    c->pieces++;
    return prepare_put(c->sink, NULL, c->file, WAVE_HEADER + c->length * c->a->bits / 8, err);
}

/* The ring holds a whole piece: is it the loudest?  Of the first piece all counts. */
static void compare(cutter *c)
{
    const size_t lead = c->loudness < 0 ? 0 : c->length / LEAD;
    double sum = 0, squares = 0;
    for (size_t i = lead; i < c->length; i++) {
        const double v = c->piece[(c->at + i) % c->length];
        sum += v;
        squares += v * v;
    }
    const double loudness = fmax(squares - sum * sum / (double)(c->length - lead), 0);
    c->since = 0;
    if (loudness < AS_LOUD * c->loudness)
        return;
    c->loudness = loudness > c->loudness ? loudness : c->loudness;
    c->silent = c->added;
    memcpy(c->best, c->piece + c->at, (c->length - c->at) * sizeof *c->best);
    memcpy(c->best + c->length - c->at, c->piece, c->at * sizeof *c->best);
}

static bg_status take_samples(cutter *c, const float *x, size_t n, bg_error *err)
{
    for (size_t i = 0; i < n && !c->full; i++) {
        c->piece[c->at] = isfinite(x[i]) ? x[i] : 0;
        c->at = (c->at + 1) % c->length;
        c->more = c->fill == c->length;
        c->fill += c->fill < c->length;
        if (c->fill < c->length)
            continue;
        if (c->a->longer == PREPARE_LONG_LOUDEST) {
            if (++c->since * HOPS >= c->length || c->loudness < 0)
                compare(c);
            continue;
        }
        BG_TRY(put_piece(c, c->piece, 0, c->length, err));
        c->fill = c->at = 0;
        c->full = c->a->longer == PREPARE_LONG_FIRST;
    }
    return BG_OK;
}

/* What is left: of a short sound all there is, of a long one its last part if that is half a piece. */
static bg_status end_samples(cutter *c, bg_error *err)
{
    if (c->a->longer == PREPARE_LONG_LOUDEST && c->fill == c->length) {
        /* a sound at the very end may begin its piece too: silence goes on behind it */
        const float silence = 0;
        while (c->more && c->added < c->length - c->length / LEAD) {
            c->added++;
            BG_TRY(take_samples(c, &silence, 1, err));
        }
        if (c->since)
            compare(c);
        return put_piece(c, c->best, 0, c->length - c->silent, err);
    }
    if (c->full || c->fill == 0 || (c->pieces && 2 * c->fill < c->length))
        return BG_OK;
    if (c->a->skip_short)
        return c->pieces ? BG_OK : bg_fail(err, BG_ERR_FORMAT, "%s: %.2f seconds are too short", c->source->path, (double)c->fill / c->a->rate);
    return put_piece(c, c->piece, 0, c->fill, err);
}

/* --- decoding -------------------------------------------------------------------------------- */

typedef struct decoder {
    SNDFILE *file;
    SF_INFO info;
    SRC_STATE *converter; /* NULL: the rate is right already */
    double ratio;
    float *read, *mono, *converted; /* (BLOCK) each */
} decoder;

static bg_status open_sound(decoder *d, const prepare_audio *a, const char *path, bg_error *err)
{
    int code = 0;
    d->file = sf_open(path, SFM_READ, &d->info);
    if (!d->file)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s", path, sf_strerror(NULL));
    if (d->info.channels < 1 || d->info.channels > MAX_CHANNELS || d->info.samplerate < 1)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %d channels at %d samples a second", path, d->info.channels, d->info.samplerate);
    d->ratio = (double)a->rate / d->info.samplerate;
    if ((uint32_t)d->info.samplerate == a->rate)
        return BG_OK;
    if (!src_is_valid_ratio(d->ratio))
        return bg_fail(err, BG_ERR_FORMAT, "%s: %d samples a second are too far from %u", path, d->info.samplerate, (unsigned)a->rate);
    d->converter = src_new(SRC_SINC_MEDIUM_QUALITY, 1, &code);
    return d->converter ? BG_OK : bg_fail(err, BG_ERR_MEMORY, "%s: %s", path, src_strerror(code));
}

static void close_sound(decoder *d, const bg_sys *sys)
{
    if (d->converter)
        src_delete(d->converter);
    if (d->file)
        sf_close(d->file);
    bg_free(sys, d->read);
    bg_free(sys, d->mono);
    bg_free(sys, d->converted);
}

static void mix(decoder *d, size_t frames)
{
    const int channels = d->info.channels;
    for (size_t i = 0; i < frames; i++) {
        float sum = 0;
        for (int k = 0; k < channels; k++)
            sum += d->read[i * (size_t)channels + (size_t)k];
        d->mono[i] = sum / (float)channels;
    }
}

static bg_status convert(decoder *d, cutter *c, size_t frames, int end, bg_error *err)
{
    if (!d->converter)
        return take_samples(c, d->mono, frames, err);
    SRC_DATA block = { .data_in = d->mono, .input_frames = (long)frames, .end_of_input = end, .src_ratio = d->ratio, .data_out = d->converted, .output_frames = BLOCK };
    do {
        const int code = src_process(d->converter, &block);
        if (code)
            return bg_fail(err, BG_ERR_FORMAT, "%s: %s", c->source->path, src_strerror(code));
        BG_TRY(take_samples(c, d->converted, (size_t)block.output_frames_gen, err));
        block.data_in += block.input_frames_used;
        block.input_frames -= block.input_frames_used;
    } while (!c->full && (block.input_frames > 0 || block.output_frames_gen > 0));
    return BG_OK;
}

static bg_status decode(decoder *d, cutter *c, bg_error *err)
{
    const size_t most = BLOCK / (size_t)d->info.channels ? BLOCK / (size_t)d->info.channels : 1;
    uint64_t all = 0;
    for (sf_count_t got; !c->full && (got = sf_readf_float(d->file, d->read, (sf_count_t)most)) > 0; all += (uint64_t)got) {
        mix(d, (size_t)got);
        BG_TRY(convert(d, c, (size_t)got, 0, err));
    }
    if (all == 0)
        return bg_fail(err, BG_ERR_FORMAT, "%s: holds no sound%s%s", c->source->path, sf_error(d->file) ? ": " : "", sf_error(d->file) ? sf_strerror(d->file) : "");
    if (!c->full)
        BG_TRY(convert(d, c, 0, 1, err));
    return end_samples(c, err);
}

static bg_status make_audio(const void *settings, const prepare_source *s, prepare_sink *sink, bg_error *err)
{
    const prepare_audio *a = settings;
    const bg_sys *sys = bg_sys_default();
    cutter c = { .a = a, .source = s, .sink = sink, .length = (size_t)(a->seconds * a->rate + 0.5), .loudness = -1 };
    decoder d = { .file = NULL };
    c.piece = bg_alloc_zero(sys, c.length, sizeof *c.piece);
    c.best = a->longer == PREPARE_LONG_LOUDEST ? bg_alloc_zero(sys, c.length, sizeof *c.best) : NULL;
    c.file = bg_alloc_zero(sys, WAVE_HEADER + c.length * 2, 1);
    d.read = bg_alloc(sys, BLOCK, sizeof *d.read);
    d.mono = bg_alloc(sys, BLOCK, sizeof *d.mono);
    d.converted = bg_alloc(sys, BLOCK, sizeof *d.converted);
    bg_status status = c.piece && (c.best || a->longer != PREPARE_LONG_LOUDEST) && c.file && d.read && d.mono && d.converted
                           ? open_sound(&d, a, s->path, err)
                           : bg_fail_memory(err, s->path, c.length * sizeof *c.piece);
    if (status == BG_OK) {
        wave_header(c.file, a->rate, 1, a->bits, (uint32_t)(c.length * a->bits / 8));
        status = decode(&d, &c, err);
    }
    close_sound(&d, sys);
    bg_free(sys, c.piece);
    bg_free(sys, c.best);
    bg_free(sys, c.file);
    return status;
}

prepare_tool prepare_audio_tool(const prepare_audio *a, const char **why)
{
    *why = NULL;
    return (prepare_tool){ .extension = "wav", .many = a->longer == PREPARE_LONG_CUT, .make = make_audio, .settings = a };
}

#else

prepare_tool prepare_audio_tool(const prepare_audio *a, const char **why)
{
    *why = "this bgpt was built without libsndfile and libsamplerate (Debian packages libsndfile1-dev, libsamplerate0-dev)";
    return (prepare_tool){ .extension = "wav", .settings = a };
}

#endif
