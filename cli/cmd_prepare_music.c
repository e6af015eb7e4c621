/* bgpt prepare music: tunebooks as tunes of one form, a file each, with their MIDI. */
#include "cli/music.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct music_arguments {
    common common;
    prepare_arguments prepare;
    const char *unit, *transpose, *excerpts;
    double validation;
    uint64_t least_notes;
    int midi, doubles; /* positions in their choices */
} music_arguments;

static const option music_options[] = {
    { "unit", 0, OPTION_TEXT, offsetof(music_arguments, unit), 0, 0, "1/8", "1/N|keep", "lengths of notes count in this (L:)" },
    { "transpose", 0, OPTION_TEXT, offsetof(music_arguments, transpose), 0, 0, NULL, "all|LOW:HIGH",
      "training tunes in other keys too, so many semitones up or down; all: -5:6, each key once" },
    { "excerpts", 0, OPTION_TEXT, offsetof(music_arguments, excerpts), 0, 0, NULL, "LOW:HIGH",
      "of each training tune, in each of its keys, LOW to HIGH bars as well, from anywhere in it, half of them with repeats of their own: FOLDER/excerpts, on which a model learns sooner to follow a score" },
    { "validation", 0, OPTION_REAL, offsetof(music_arguments, validation), 0, 100, "1", "PERCENT", "share of the tunes for validation; tunes that are alike stay on one side" },
    { "min-notes", 0, OPTION_COUNT, offsetof(music_arguments, least_notes), 0, 1000000, "16", "N", "leave out tunes of fewer notes" },
    { "doubles", 0, OPTION_CHOICE, offsetof(music_arguments, doubles), 0, 0, "drop", "drop|keep", "tunes with the melody of another one, in whatever key" },
    { "midi", 0, OPTION_CHOICE, offsetof(music_arguments, midi), 0, 0, "on", "on|off", "a MIDI file beside each tune, by abc2midi; tunes in which it finds errors are left out" },
    PREPARE_ROWS(music_arguments),
};

/* --- other programs ------------------------------------------------------------------------------ */

static bg_status outcome(child_end end, const char *why, music_file *f, uint8_t **made, size_t *size, const bgpt_options *o, bg_error *err)
{
    bg_status s = BG_OK;
    if (end == CHILD_GOOD) {
        *made = bg_alloc(bg_sys_default(), f->size + 1, 1);
        *size = f->size;
        if (*made)
            memcpy(*made, f->data, f->size);
        else
            s = bg_fail_memory(err, "a tune", f->size);
    } else {
        const bg_status code = end == CHILD_MISSING ? BG_ERR_FAILED : end == CHILD_STOPPED ? BG_ERR_INTERRUPTED : BG_ERR_FORMAT;
        s = bg_fail(err, code, "%s", why);
    }
    bgpt_free_data(f->data, o);
    return s;
}

static bg_status to_midi(void *ctx, const char *abc, size_t size, uint8_t **made, size_t *made_size, bg_error *err)
{
    char why[CHILD_WHY];
    music_file f = { 0 };
    const child_end end = abc_to_midi_strictly((const uint8_t *)abc, size, &f, ctx, why);
    return outcome(end, why, &f, made, made_size, ctx, err);
}

static bg_status transposed(void *ctx, const char *abc, size_t size, int semitones, uint8_t **made, size_t *made_size, bg_error *err)
{
    char why[CHILD_WHY];
    music_file f = { 0 };
    const child_end end = abc_transposed((const uint8_t *)abc, size, semitones, &f, ctx, why);
    return outcome(end, why, &f, made, made_size, ctx, err);
}

/* MIDI, or a score by way of MIDI. */
static bg_status to_abc(void *ctx, const char *path, const uint8_t *data, size_t size, uint8_t **made, size_t *made_size, bg_error *err)
{
    const char *extension = path_extension(path);
    const bool score = strcmp(extension, "xml") == 0 || strcmp(extension, "musicxml") == 0 || strcmp(extension, "mxl") == 0;
    char why[CHILD_WHY], named[CHILD_WHY + 128];
    music_file midi = { 0 }, abc = { 0 };
    if (!score && !is_midi(extension))
        return bg_fail(err, BG_ERR_FORMAT, "%s: is neither ABC, MIDI nor MusicXML by its name", path);
    bgpt_error wrong = { 0 };
    child_end end = score ? score_to_midi(data, size, extension, &midi, ctx, why) : CHILD_GOOD;
    const uint8_t *from = score ? midi.data : data;
    const size_t from_size = score ? midi.size : size;
    if (end == CHILD_GOOD && bgpt_midi_check(from, from_size, &wrong) != BGPT_OK) {
        snprintf(why, sizeof why, "%.400s", wrong.text);
        end = CHILD_FAILED;
    }
    if (end == CHILD_MISSING)
        end = CHILD_FAILED; /* other files may not need it */
    if (end == CHILD_GOOD)
        end = midi_to_abc(from, from_size, &abc, ctx, why);
    bgpt_free_data(midi.data, ctx);
    snprintf(named, sizeof named, "%.100s: %s", path, why);
    return outcome(end, named, &abc, made, made_size, ctx, err);
}

/* --- the command --------------------------------------------------------------------------------- */

static int read_unit(const char *text, unsigned *unit)
{
    char *end = NULL;
    if (strcmp(text, "keep") == 0)
        return *unit = 0, 0;
    const unsigned long n = strncmp(text, "1/", 2) == 0 ? strtoul(text + 2, &end, 10) : 0;
    if (n < 1 || n > 64 || *end != 0)
        return usage_error("--unit: '%s' is neither 1/N, N from 1 to 64, nor keep", text);
    *unit = (unsigned)n;
    return 0;
}

/* Is it LOW:HIGH, both from least to most? */
static bool read_range(const char *text, long least, long most, long *low, long *high)
{
    char *end;
    *low = strtol(text, &end, 10); /* what is too long for it stays out of the range */
    if (end == text || *end != ':' || text[strspn(text, "0123456789:-")] != 0)
        return false;
    text = end + 1;
    *high = strtol(text, &end, 10);
    return end != text && *end == 0 && least <= *low && *low <= *high && *high <= most;
}

static int read_keys(const char *text, int *lowest, int *highest)
{
    long low, high;
    *lowest = *highest = 0;
    if (text == NULL)
        return 0;
    if (strcmp(text, "all") == 0)
        return *lowest = -5, *highest = 6, 0;
    if (!read_range(text, -24, 24, &low, &high))
        return usage_error("--transpose: '%s' is neither all nor LOW:HIGH, semitones from -24 to 24", text);
    *lowest = (int)low;
    *highest = (int)high;
    return 0;
}

static int read_bars(const char *text, unsigned *low, unsigned *high)
{
    long fewest, most;
    if (text == NULL)
        return 0;
    if (!read_range(text, 1, 1000, &fewest, &most))
        return usage_error("--excerpts: '%s' is not LOW:HIGH, bars from 1 to 1000", text);
    *low = (unsigned)fewest;
    *high = (unsigned)most;
    return 0;
}

static int run_music(void *arguments)
{
    music_arguments *a = arguments;
    bgpt_options machine = machine_options(&a->common);
    prepare_music settings = { .validation = a->validation / 100, .least_notes = (size_t)a->least_notes, .keep_doubles = a->doubles, .midi = !a->midi,
                               .seed = a->common.seed, .programs = { to_abc, to_midi, transposed, &machine } };
    prepare_tool tool;
    bg_error err = { 0 };
    char text[200];
    int code = read_unit(a->unit, &settings.unit);
    if (code == 0)
        code = read_keys(a->transpose, &settings.lowest, &settings.highest);
    if (code == 0)
        code = read_bars(a->excerpts, &settings.fewest_bars, &settings.most_bars);
    if (code == 0 && (settings.midi || a->transpose != NULL))
        code = music_programs(true, false);
    if (code != 0)
        return code;
    setenv("QT_QPA_PLATFORM", "offscreen", 0); /* for musescore3; nothing of ours runs beside it yet */
    if (prepare_music_open(&tool, &settings, &err) != BG_OK)
        return fail((bgpt_status)err.code, "%s", err.text);
    snprintf(text, sizeof text, "music unit=%u transpose=%d:%d validation=%.9g min-notes=%zu doubles=%d midi=%d excerpts=%u:%u seed=%llu", settings.unit, settings.lowest, settings.highest,
             a->validation, settings.least_notes, settings.keep_doubles, settings.midi, settings.fewest_bars, settings.most_bars, (unsigned long long)settings.seed);
    code = prepare_command(&a->common, &a->prepare, &tool, text);
    prepare_music_close(&tool);
    return code;
}

const command command_prepare_music = {
    .name = "prepare music",
    .summary = "tunebooks to tunes of one form with their MIDI: bgpt prepare music tunes.abc -o FOLDER",
    .usage = "INPUT... -o FOLDER [options]",
    .details = "Reads tunebooks in ABC notation; MIDI through midi2abc and MusicXML through musescore3, where they are installed. Each tune becomes a file of one form: X: is 1; words (titles, lyrics, "
               "sources, comments, annotations) are taken out; lengths count in one unit, blanks and line ends are set anew, four bars to a line. Tunes that break the notation are left out, as are "
               "tunes whose melody another one has, in any key. FOLDER/train and FOLDER/validation are parted by groups of tunes that are alike, so that none has a sibling on the other side.\n\n" PREPARE_DETAILS,
    .examples = "bgpt prepare music tunebook.abc -o tunes\n"
                "bgpt prepare music books/ --transpose all --licence CC0 -o tunes",
    ROWS_OF(music_options),
    .arguments_size = sizeof(music_arguments),
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operand_name = "INPUT",
    .run = run_music,
};
