/* Calls of the music programs.  Each gets a folder of its own, which is removed
 * behind it; none is trusted to say by its exit code whether it made anything. */
#include "cli/music.h"
#include "cli/output.h"
#include "cli/paths.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A tune of a few kilobytes takes them milliseconds, fluidsynth a second for a minute of sound. */
static const double tool_seconds = 10, sound_seconds = 60;
static const uint64_t tool_limit = UINT64_C(4) << 20, sound_limit = UINT64_C(128) << 20; /* 128 MiB are 12 minutes */

static const char *const fonts[] = {
    "/usr/share/sounds/sf2/TimGM6mb.sf2", "/usr/share/sounds/sf2/default-GM.sf2", "/usr/share/sounds/sf2/FluidR3_GM.sf2",
};

bool is_midi(const char *extension) { return strcmp(extension, "mid") == 0 || strcmp(extension, "midi") == 0; }
bool is_music(const char *extension) { return is_midi(extension) || strcmp(extension, "abc") == 0; }

static const char *font(void)
{
    for (size_t i = 0; i < sizeof fonts / sizeof *fonts; i++)
        if (access(fonts[i], R_OK) == 0)
            return fonts[i];
    return NULL;
}

static void no_font(char why[CHILD_WHY])
{
    snprintf(why, CHILD_WHY, "there is no sound font (Debian package timgm6mb-soundfont): %s", fonts[0]);
}

enum { WORDS = 16 }; /* of a command line, the NULL behind it counted */

/* One tool: a file that it is given, a file that it makes. */
typedef struct tool tool;
struct tool {
    const char *in, *out; /* names in its folder */
    const char *const *(*argv)(const tool *t, const char *in, const char *out, const char *words[WORDS]);
    const char *package;
    double seconds;
    uint64_t limit;
    const char *fault;   /* a line of its talk that begins so is a failure; NULL: none is */
    const char *steps;   /* semitones to transpose by */
};

enum { TALK = 256 };

/* The first line of a file that begins with `word`. */
static bool find_line(const char *path, const char *word, char line[TALK])
{
    FILE *f = fopen(path, "r");
    bool found = false;
    while (f != NULL && !found && fgets(line, TALK, f) != NULL)
        found = strncmp(line, word, strlen(word)) == 0;
    if (f != NULL)
        fclose(f);
    line[found ? strcspn(line, "\r\n") : 0] = '\0';
    return found;
}

static child_end run_in(const tool *t, const child_folder *folder, const uint8_t *data, size_t size, music_file *made, const bgpt_options *o, char why[CHILD_WHY])
{
    char in[CHILD_PATH], out_path[CHILD_PATH], talk[CHILD_PATH];
    const char *words[WORDS];
    bgpt_error error = { 0 };
    if (bgpt_write_file(child_file(folder, t->in, in), data, size, 0, o, &error) != BGPT_OK) {
        snprintf(why, CHILD_WHY, "%s", error.text);
        return CHILD_FAILED;
    }
    const child c = { .argv = t->argv(t, in, child_file(folder, t->out, out_path), words), .package = t->package, .seconds = t->seconds,
                      .file_size = t->limit, .talk = child_file(folder, "talk", talk) };
    const child_end end = child_run(&c, why);
    if (end != CHILD_GOOD)
        return end;
    char line[TALK];
    if (t->fault != NULL && find_line(talk, t->fault, line)) {
        snprintf(why, CHILD_WHY, "%s: %s", c.argv[0], line);
        return CHILD_FAILED;
    }
    if (access(out_path, R_OK) != 0) {
        snprintf(why, CHILD_WHY, "%s makes nothing of it", c.argv[0]);
        return CHILD_FAILED;
    }
    if (bgpt_read_file(out_path, t->limit, &made->data, &made->size, o, &error) != BGPT_OK) {
        snprintf(why, CHILD_WHY, "%s", error.text);
        return CHILD_FAILED;
    }
    return CHILD_GOOD;
}

static child_end run(const tool *t, const uint8_t *data, size_t size, music_file *made, const bgpt_options *o, char why[CHILD_WHY])
{
    child_folder folder;
    *made = (music_file){ 0 };
    if (!child_folder_open(&folder, why))
        return CHILD_FAILED;
    const child_end end = run_in(t, &folder, data, size, made, o, why);
    child_folder_close(&folder);
    return end;
}

static const char *const *fill(const char *words[WORDS], const char *const *from)
{
    size_t i = 0;
    for (; from[i] != NULL; i++) {
        assert(i + 1 < WORDS);
        words[i] = from[i];
    }
    words[i] = NULL;
    return words;
}

static const char *const *abc2midi(const tool *t, const char *in, const char *made, const char *words[WORDS])
{
    return fill(words, (const char *const[]){ "abc2midi", in, "-o", made, NULL });
}

static const char *const *abc2abc(const tool *t, const char *in, const char *made, const char *words[WORDS])
{
    return fill(words, (const char *const[]){ "abc2abc", in, "-e", "-t", t->steps, NULL });
}

static const char *const *musescore(const tool *t, const char *in, const char *made, const char *words[WORDS])
{
    return fill(words, (const char *const[]){ "musescore3", "-o", made, in, NULL });
}

static const char *const *midi2abc(const tool *t, const char *in, const char *made, const char *words[WORDS])
{
    return fill(words, (const char *const[]){ "midi2abc", in, "-o", made, NULL });
}

static const char *const *fluidsynth(const tool *t, const char *in, const char *made, const char *words[WORDS])
{
    return fill(words, (const char *const[]){ "fluidsynth", "-ni", "-g", "1", "-r", "44100", "-O", "s16", "-F", made, font(), in, NULL });
}

/* fault: as in tool. */
static child_end make_midi(const uint8_t *abc, size_t size, const char *fault, music_file *midi, const bgpt_options *o, char why[CHILD_WHY])
{
    const tool t = { .in = "tune.abc", .out = "tune.mid", .argv = abc2midi, .package = "abcmidi", .seconds = tool_seconds, .limit = tool_limit, .fault = fault };
    return run(&t, abc, size, midi, o, why);
}

child_end abc_to_midi(const uint8_t *abc, size_t size, music_file *midi, const bgpt_options *o, char why[CHILD_WHY])
{
    return make_midi(abc, size, NULL, midi, o, why);
}

child_end abc_to_midi_strictly(const uint8_t *abc, size_t size, music_file *midi, const bgpt_options *o, char why[CHILD_WHY])
{
    return make_midi(abc, size, "Error", midi, o, why);
}

/* What it makes is what it says. */
child_end abc_transposed(const uint8_t *abc, size_t size, int semitones, music_file *made, const bgpt_options *o, char why[CHILD_WHY])
{
    char steps[16];
    snprintf(steps, sizeof steps, "%d", semitones);
    const tool t = { .in = "tune.abc", .out = "talk", .argv = abc2abc, .package = "abcmidi", .seconds = tool_seconds, .limit = tool_limit, .steps = steps };
    return run(&t, abc, size, made, o, why);
}

child_end score_to_midi(const uint8_t *score, size_t size, const char *extension, music_file *midi, const bgpt_options *o, char why[CHILD_WHY])
{
    char name[32];
    snprintf(name, sizeof name, "score.%.20s", extension);
    const tool t = { .in = name, .out = "score.mid", .argv = musescore, .package = "musescore3", .seconds = sound_seconds, .limit = tool_limit };
    return run(&t, score, size, midi, o, why);
}

child_end midi_to_abc(const uint8_t *midi, size_t size, music_file *abc, const bgpt_options *o, char why[CHILD_WHY])
{
    const tool t = { .in = "tune.mid", .out = "tune.abc", .argv = midi2abc, .package = "abcmidi", .seconds = tool_seconds, .limit = tool_limit };
    return run(&t, midi, size, abc, o, why);
}

/* fluidsynth looks for a sound device even when it writes a file, and finding one leaves a folder of PulseAudio's behind. */
static void without_device(void) { setenv("SDL_AUDIODRIVER", "dummy", 0); }

static child_end midi_to_wave(const uint8_t *midi, size_t size, music_file *sound, const bgpt_options *o, char why[CHILD_WHY])
{
    const tool t = { .in = "tune.mid", .out = "tune.wav", .argv = fluidsynth, .package = "fluidsynth", .seconds = sound_seconds, .limit = sound_limit };
    bgpt_error error = { 0 };
    if (font() == NULL) {
        no_font(why);
        return CHILD_MISSING;
    }
    if (bgpt_midi_check(midi, size, &error) != BGPT_OK) { /* a player of files that are wrong has been the end of many */
        snprintf(why, CHILD_WHY, "no MIDI file that could be played: %.400s", error.text);
        return CHILD_FAILED;
    }
    without_device();
    return run(&t, midi, size, sound, o, why);
}

child_end music_to_wave(const uint8_t *file, size_t size, const char *extension, music_file *sound, const bgpt_options *o, char why[CHILD_WHY])
{
    music_file midi;
    *sound = (music_file){ 0 };
    if (is_midi(extension))
        return midi_to_wave(file, size, sound, o, why);
    child_end end = abc_to_midi(file, size, &midi, o, why);
    if (end == CHILD_GOOD)
        end = midi_to_wave(midi.data, midi.size, sound, o, why);
    bgpt_free_data(midi.data, o);
    return end;
}

/* 1: it is there. */
static bool present(const char *name, const char *question, const char *package, char why[CHILD_WHY])
{
    const char *const argv[] = { name, question, NULL };
    const child c = { .argv = argv, .package = package, .talk = "/dev/null", .seconds = 10 };
    return child_run(&c, why) != CHILD_MISSING;
}

int music_programs(bool abc, bool sound)
{
    char why[CHILD_WHY];
    without_device();
    bool all = !abc || present("abc2midi", "-ver", "abcmidi", why);
    if (all && sound)
        all = present("fluidsynth", "--version", "fluidsynth", why);
    if (all && sound && font() == NULL) {
        no_font(why);
        all = false;
    }
    return all ? 0 : fail(BGPT_ERR_FAILED, "%s", why);
}
