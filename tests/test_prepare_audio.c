/* Preparing sounds: forms of WAV written here, cut, padded, mixed and resampled, their headers byte for byte. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/sys.h"
#include "prepare/prepare.h"
#include "prepare/wave.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

static const double pi = 3.14159265358979323846;

/* A sine of 440 Hz, 16 bits, twice as loud from `loud_from` seconds on. */
static void write_sine(const char *path, uint32_t rate, uint32_t channels, double seconds, double loud_from)
{
    const size_t frames = (size_t)(rate * seconds + 0.5), size = frames * channels * 2;
    uint8_t *file = malloc(WAVE_HEADER + size);
    wave_header(file, rate, channels, 16, (uint32_t)size);
    for (size_t i = 0; i < frames; i++)
        for (size_t k = 0; k < channels; k++) {
            const double t = (double)i / rate, v = (t >= loud_from ? 16000 : 8000) * sin(2 * pi * 440 * t);
            bg_little_put(file + WAVE_HEADER + 2 * (i * channels + k), (uint32_t)(int32_t)lrint(v), 2);
        }
    fs_write(path, file, WAVE_HEADER + size);
    free(file);
}

static bg_status run(const prepare_audio *a, const char *in, const char *out, prepare_totals *totals, bg_error *err)
{
    const char *why, *inputs[] = { in };
    prepare_tool tool = prepare_audio_tool(a, &why);
    assert_null(why);
    tool.described = "audio";
    const prepare_job job = { .inputs = inputs, .input_count = 1, .out = out, .licence = "" };
    return prepare_run(&job, &tool, 2, bg_sys_default(), totals, err);
}

/* The canonical header of a second at 8 kHz in 8 bits, as in the published examples. */
static const uint8_t canonical[WAVE_HEADER] = {
    'R', 'I', 'F', 'F', 0x64, 0x1f, 0, 0, 'W', 'A', 'V', 'E', 'f', 'm', 't', ' ', 16, 0, 0, 0, 1, 0, 1, 0,
    0x40, 0x1f, 0, 0, 0x40, 0x1f, 0, 0, 1, 0, 8, 0, 'd', 'a', 't', 'a', 0x40, 0x1f, 0, 0,
};

static const prepare_audio plain = { .seconds = 1, .rate = 8000, .bits = 8, .longer = PREPARE_LONG_CUT, .dither = 0 };

static uint8_t *prepared(const char *folder, const char *name, size_t *size)
{
    uint8_t *data = fs_read(fs_path(folder, name), size);
    if (!data)
        fail_msg("%s/%s is not there", folder, name);
    return data;
}

static void cut_and_padded(void **state)
{
    char *folder = fs_make_folder();
    prepare_totals totals;
    bg_error err = { 0 };
    size_t size;
    (void)state;
    write_sine(fs_path(folder, "in/long.wav"), 8000, 1, 2.6, 9);  /* two whole pieces and one of 0.6 seconds */
    write_sine(fs_path(folder, "in/short.wav"), 8000, 1, 0.25, 9);
    CHECK_OK(run(&plain, fs_path(folder, "in"), fs_path(folder, "out"), &totals, &err), err);
    assert_int_equal(totals.written, 4);
    for (int i = 1; i <= 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "long-%06d.wav", i);
        uint8_t *data = prepared(fs_path(folder, "out"), name, &size);
        assert_int_equal(size, WAVE_HEADER + 8000);
        assert_memory_equal(data, canonical, WAVE_HEADER);
        /* the samples are those of the sine, to the step */
        for (size_t k = 0; k < 8000; k++) {
            const double t = (i - 1) + (double)k / 8000, v = t < 2.6 - 1e-9 ? 8000 * sin(2 * pi * 440 * t) / 256 : 0;
            assert_true(fabs(data[WAVE_HEADER + k] - 128 - v) < 0.51);
        }
        free(data);
    }
    uint8_t *data = prepared(fs_path(folder, "out"), "short-000001.wav", &size);
    assert_int_equal(size, WAVE_HEADER + 8000);
    for (size_t k = 2000; k < 8000; k++)
        assert_int_equal(data[WAVE_HEADER + k], 128);
    /* prepared once more, it stays what it is */
    CHECK_OK(run(&plain, fs_path(folder, "out/short-000001.wav"), fs_path(folder, "again"), &totals, &err), err);
    assert_true(fs_holds(fs_path(folder, "again/short-000001-000001.wav"), data, size));
    free(data);
    fs_remove_folder(folder);
}

static void mixed_and_resampled(void **state)
{
    char *folder = fs_make_folder();
    prepare_audio a = plain;
    prepare_totals totals;
    bg_error err = { 0 };
    size_t size;
    double worst = 0;
    (void)state;
    a.bits = 16;
    write_sine(fs_path(folder, "in/cd.wav"), 44100, 2, 1, 9);
    CHECK_OK(run(&a, fs_path(folder, "in"), fs_path(folder, "out"), &totals, &err), err);
    uint8_t *data = prepared(fs_path(folder, "out"), "cd-000001.wav", &size);
    assert_int_equal(size, WAVE_HEADER + 16000);
    for (size_t k = 100; k < 7900; k++) { /* its ends ring */
        const int16_t got = (int16_t)(data[WAVE_HEADER + 2 * k] | data[WAVE_HEADER + 2 * k + 1] << 8);
        const double difference = fabs(got - 8000 * sin(2 * pi * 440 * (double)k / 8000));
        worst = difference > worst ? difference : worst;
    }
    assert_true(worst < 8000 * 1e-3); /* 60 dB */
    free(data);
    fs_remove_folder(folder);
}

static void loudest_first_skipped(void **state)
{
    char *folder = fs_make_folder();
    prepare_audio a = plain;
    prepare_totals totals;
    bg_error err = { 0 };
    size_t size;
    int top = 0;
    (void)state;
    write_sine(fs_path(folder, "in/grows.wav"), 8000, 1, 3, 1.5);
    write_sine(fs_path(folder, "in/short.wav"), 8000, 1, 0.25, 9);
    a.longer = PREPARE_LONG_LOUDEST;
    a.skip_short = 1;
    CHECK_OK(run(&a, fs_path(folder, "in"), fs_path(folder, "loud"), &totals, &err), err);
    assert_int_equal(totals.written, 1);
    assert_int_equal(totals.left_out, 1);
    uint8_t *data = prepared(fs_path(folder, "loud"), "grows.wav", &size);
    for (size_t k = 0; k < 400; k++) /* loud from its begin on */
        top = data[WAVE_HEADER + k] > top ? data[WAVE_HEADER + k] : top;
    assert_true(top > 128 + 55);
    free(data);
    a.longer = PREPARE_LONG_FIRST;
    a.skip_short = 0;
    CHECK_OK(run(&a, fs_path(folder, "in"), fs_path(folder, "first"), &totals, &err), err);
    assert_int_equal(totals.written, 2);
    data = prepared(fs_path(folder, "first"), "grows.wav", &size);
    for (size_t k = 0; k < 8000; k++)
        assert_true(data[WAVE_HEADER + k] < 128 + 33);
    free(data);
    fs_remove_folder(folder);
}

/* The first sample that is not silence, and how far from silence the loudest is. */
static void measure(const uint8_t *data, size_t *first, int *top)
{
    *first = SIZE_MAX, *top = 0;
    for (size_t k = 0; k < 8000; k++) {
        const int v = abs(data[WAVE_HEADER + k] - 128);
        *first = v > 1 && *first == SIZE_MAX ? k : *first;
        *top = v > *top ? v : *top;
    }
}

/* A short sound anywhere in a longer recording, at its very end too, begins within the first tenth and a step of the search. */
static void found_and_raised(void **state)
{
    static const struct { double at, length; } cases[] = { { 0, 0.05 }, { 0.3, 0.3 }, { 1.31, 0.3 }, { 2.7, 0.3 } }; /* seconds, of three */
    char *folder = fs_make_folder();
    prepare_audio a = plain;
    prepare_totals totals;
    bg_error err = { 0 };
    size_t size, first;
    int top;
    (void)state;
    uint8_t *sound = calloc(WAVE_HEADER + 3 * 16000, 1);
    a.longer = PREPARE_LONG_LOUDEST;
    a.dither = 1;
    a.peak = 0.8;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char in[32], out[32];
        snprintf(in, sizeof in, "in%zu/x.wav", k);
        snprintf(out, sizeof out, "out%zu", k);
        memset(sound, 0, WAVE_HEADER + 3 * 16000);
        wave_header(sound, 8000, 1, 16, 3 * 16000);
        for (size_t i = 0; i < (size_t)(cases[k].length * 8000); i++) /* as soft as a fiftieth of full scale */
            bg_little_put(sound + WAVE_HEADER + 2 * ((size_t)(cases[k].at * 8000) + i), (uint32_t)(int32_t)lrint(655 * sin(2 * pi * 440 * (double)i / 8000)), 2);
        fs_write(fs_path(folder, in), sound, WAVE_HEADER + 3 * 16000);
        in[3] = 0; /* the folder alone */
        CHECK_OK(run(&a, fs_path(folder, in), fs_path(folder, out), &totals, &err), err);
        uint8_t *data = prepared(fs_path(folder, out), "x.wav", &size);
        measure(data, &first, &top);
        assert_in_range(first, 0, 800 + 400);
        assert_in_range(top, 101, 103); /* 0.8 of 128 */
        free(data);
    }
    /* silence, and what is as good as silence, is not raised */
    memset(sound, 0, WAVE_HEADER + 16000);
    wave_header(sound, 8000, 1, 16, 16000);
    bg_little_put(sound + WAVE_HEADER + 400, 30, 2);
    fs_write(fs_path(folder, "still/x.wav"), sound, WAVE_HEADER + 16000);
    memset(sound + WAVE_HEADER, 127, 8000); /* what 8 bits often have as silence: half a step below the middle */
    wave_header(sound, 8000, 1, 8, 8000);
    fs_write(fs_path(folder, "still/y.wav"), sound, WAVE_HEADER + 8000);
    CHECK_OK(run(&a, fs_path(folder, "still"), fs_path(folder, "silent"), &totals, &err), err);
    for (int k = 0; k < 2; k++) {
        uint8_t *data = prepared(fs_path(folder, "silent"), k ? "y.wav" : "x.wav", &size);
        measure(data, &first, &top);
        assert_in_range(top, 0, 2); /* a step of dither, one of y.wav */
        free(data);
    }
    free(sound);
    fs_remove_folder(folder);
}

/* Settings as a model keeps them, those of an older one too, which end before the peak; out of range they are no settings. */
static void settings_in_words(void **state)
{
    prepare_audio a = plain;
    char words[PREPARE_WORDS], *folder = fs_make_folder();
    const char *extension;
    uint8_t *data;
    size_t size, first;
    int top;
    bg_error err = { 0 };
    (void)state;
    write_sine(fs_path(folder, "x.wav"), 8000, 1, 0.5, 9); /* a quarter of full scale */
    a.peak = 0.5;
    prepare_audio_words(&a, words);
    CHECK_OK(prepare_once(words, fs_path(folder, "x.wav"), &data, &size, &extension, &err), err);
    measure(data, &first, &top);
    assert_in_range(top, 63, 65);
    bg_free(bg_sys_default(), data);
    CHECK_OK(prepare_once("audio seconds=1 rate=8000 bits=8 long=0 short=0 dither=0 seed=0", fs_path(folder, "x.wav"), &data, &size, &extension, &err), err);
    measure(data, &first, &top);
    assert_in_range(top, 30, 32);
    bg_free(bg_sys_default(), data);
    const char *wrong[] = { "1.5", "-1", "nan", "inf" };
    for (size_t k = 0; k < 4; k++) {
        snprintf(words, sizeof words, "audio seconds=1 rate=8000 bits=8 long=0 short=0 dither=0 seed=0 peak=%s", wrong[k]);
        assert_int_equal(prepare_once(words, fs_path(folder, "x.wav"), &data, &size, &extension, &err), BG_ERR_ARGUMENT);
    }
    fs_remove_folder(folder);
}

/* A truncated file gives what is there or a reason; never a failure of the run. */
static void damaged(void **state)
{
    char *folder = fs_make_folder();
    prepare_totals totals;
    bg_error err = { 0 };
    size_t size;
    (void)state;
    write_sine(fs_path(folder, "whole.wav"), 8000, 1, 0.05, 9);
    unsigned char *data = fs_read(fs_path(folder, "whole.wav"), &size);
    for (size_t n = 0; n < 64; n++) {
        char name[32];
        snprintf(name, sizeof name, "in/%02zu.wav", n);
        fs_write(fs_path(folder, name), data, n);
    }
    free(data);
    fs_write_text(fs_path(folder, "in/text.wav"), "this is no sound, whatever its name says");
    CHECK_OK(run(&plain, fs_path(folder, "in"), fs_path(folder, "out"), &totals, &err), err);
    assert_int_equal(totals.sources, 65);
    assert_int_equal(totals.written + totals.left_out, 65);
    assert_true(totals.left_out >= 45); /* all without a sample */
    fs_remove_folder(folder);
}

static void built_without(void **state)
{
    const char *why;
    (void)state;
    prepare_audio_tool(&plain, &why);
#ifdef BGPT_HAVE_AUDIO
    assert_null(why);
#else
    assert_non_null(strstr(why, "libsndfile1-dev"));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_without),
#ifdef BGPT_HAVE_AUDIO
        cmocka_unit_test(cut_and_padded),
        cmocka_unit_test(mixed_and_resampled),
        cmocka_unit_test(loudest_first_skipped),
        cmocka_unit_test(found_and_raised),
        cmocka_unit_test(settings_in_words),
        cmocka_unit_test(damaged),
#endif
    };
    (void)cut_and_padded;
    (void)mixed_and_resampled;
    (void)loudest_first_skipped;
    (void)found_and_raised;
    (void)settings_in_words;
    (void)damaged;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
