/* bgpt prepare audio: sounds of any kind as short WAV files of one form. */
#include "cli/output.h"
#include "cli/prepare.h"

typedef struct audio_arguments {
    common common;
    prepare_arguments prepare;
    double seconds, peak;
    uint64_t rate;
    int bits, longer, shorter, dither; /* positions in their choices */
} audio_arguments;

static const option audio_options[] = {
    { "seconds", 0, OPTION_REAL, offsetof(audio_arguments, seconds), 0.001, 600, "1", "X", "length of each file" },
    { "rate", 0, OPTION_COUNT, offsetof(audio_arguments, rate), 100, 384000, "8000", "HZ", "samples a second" },
    { "bits", 0, OPTION_CHOICE, offsetof(audio_arguments, bits), 0, 0, "8", "8|16", "of a sample" },
    { "long", 0, OPTION_CHOICE, offsetof(audio_arguments, longer), 0, 0, "cut", "cut|loudest|first",
      "of longer sounds: cut them into pieces (a last one of less than half is left out), or take the first piece, or the loudest, placed so that a short sound begins within the first fifth of it; what is no longer is left as it is" },
    { "short", 0, OPTION_CHOICE, offsetof(audio_arguments, shorter), 0, 0, "pad", "pad|skip", "of shorter sounds: add silence, or leave them out" },
    { "dither", 0, OPTION_CHOICE, offsetof(audio_arguments, dither), 0, 0, "on", "on|off", "noise of one step, which keeps rounding from following the sound; off: quieter files that a model predicts better" },
    { "peak", 0, OPTION_REAL, offsetof(audio_arguments, peak), 0, 1, "0", "X", "make each written file louder or softer until its loudest sample is at this share of full scale; silence, up to 0.01 of it, stays; 0: leave all" },
    PREPARE_ROWS(audio_arguments),
};

static int run_audio(void *arguments)
{
    audio_arguments *a = arguments;
    const prepare_audio settings = { .seconds = a->seconds, .rate = (uint32_t)a->rate, .bits = a->bits ? 16 : 8, .longer = (prepare_long)a->longer,
                                     .skip_short = a->shorter, .dither = !a->dither, .peak = a->peak, .seed = a->common.seed };
    const char *why;
    char text[PREPARE_WORDS];
    prepare_tool tool = prepare_audio_tool(&settings, &why);
    if (why)
        return fail(BGPT_ERR_FAILED, "%s", why);
    if (a->seconds * (double)a->rate < 1)
        return usage_error("--seconds: %g at %llu samples a second are less than one sample", a->seconds, (unsigned long long)a->rate);
    prepare_audio_words(&settings, text);
    return prepare_command(&a->common, &a->prepare, &tool, text);
}

const command command_prepare_audio = {
    .name = "prepare audio",
    .summary = "sounds to short WAV files of one form: bgpt prepare audio sounds/ -o FOLDER",
    .usage = "INPUT... -o FOLDER [options]",
    .details = "Reads WAV, FLAC, OGG, MP3, AIFF and whatever else libsndfile knows, mixes to one channel, resamples, and writes WAV files with the plain header of 44 bytes, all of one length: "
               "by default one second at 8 kHz in 8 bits, as bGPT was trained on.\n\n" PREPARE_DETAILS,
    .examples = "bgpt prepare audio recordings/ -o seconds\n"
                "bgpt prepare audio @train.txt --labels words.tsv --long loudest -o words",
    ROWS_OF(audio_options),
    .arguments_size = sizeof(audio_arguments),
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operand_name = "INPUT",
    .run = run_audio,
};
