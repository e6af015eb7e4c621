/* All generated files in one, to look at or to listen to: the pictures of BMP
 * files on one sheet, sounds and tunes one after another. */
#ifndef BGPT_CLI_SHOW_H
#define BGPT_CLI_SHOW_H

#include "cli/wave.h"

/* The --show option, for the rows of a command. */
#define SHOW_ROW(type) \
    { "show", 0, OPTION_TEXT, offsetof(type, show), 0, 0, NULL, "FILE", \
      "all files in one as well: of bmp, FILE.png with every picture, those that cannot be read crossed out; of wav, FILE.wav with every sound; of abc and mid, FILE.wav " \
      "with every tune, played by fluidsynth (Debian packages fluidsynth, timgm6mb-soundfont, abcmidi)" }

typedef enum show_kind { SHOW_NOTHING, SHOW_SHEET, SHOW_SOUNDS, SHOW_TUNES } show_kind;

typedef struct show {
    show_kind kind;
    const char *path;
    bool force;
    const bgpt_options *machine;
    struct show_tile { unsigned width, height; uint8_t *rgb; } *tiles; /* rgb NULL: it could not be read */
    size_t count, capacity, points; /* files seen; points: of all tiles */
    wave sound;
    size_t broken, left_out;        /* files that could not be read; that there was no room for */
    bool dead;                      /* a program is missing: said once, nothing more is tried */
    int code;
} show;

/* path NULL: nothing is shown, and the calls below do nothing.  0; or the exit code after a sentence: this format cannot be shown in such a
 * file, one is in the way, or a program is missing.  show_close is due in both cases. */
int show_open(show *s, const char *path, const char *extension, bool force, const bgpt_options *machine);
/* A file of the extension; what is wrong with it is said.  name: for the sentence, and refused when it is the shown file itself. */
void show_add(show *s, const char *name, const char *extension, const uint8_t *file, size_t size);
/* Writes it, frees all.  The exit code: 0, or that of what went wrong, files that could not be read left aside. */
int show_close(show *s);

#endif
