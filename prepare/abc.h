/* Tunes in ABC notation (abcnotation.com/wiki/abc:standard:v2.1) brought to one form.
 *
 * What is kept: X: (always 1), L:, Q:, M:, P:, V:, K: and the music with its chord symbols and decorations.  What words say
 * (titles, lyrics, sources, comments, annotations) goes.  Lengths count in one unit, blanks stand only between notes, a line
 * ends behind its fourth bar. */
#ifndef BG_PREPARE_ABC_H
#define BG_PREPARE_ABC_H

#include "prepare/journal.h"

typedef struct abc_note {
    int16_t step;             /* letter and octave: C is 0, D 1, c 7 */
    uint16_t top, bottom;     /* its length: top/bottom units */
} abc_note;

typedef struct abc_tune {
    prepare_buffer text;      /* in the one form */
    abc_note *notes;          /* as they come; of a chord the first; no grace notes */
    size_t note_count, note_capacity;
} abc_tune;

/* The next tune of a tunebook: from its X: line to an empty line, the next X: or the end; *at moves behind it.  0: none is left. */
int abc_next(const char **at, const char *end, const char **begin, const char **stop);

/* unit: L is 1/unit in the result; 0: as it is in the tune.  t is released by abc_tune_free also after a failure.
 * BG_ERR_FORMAT: err says what is wrong, in "line N: ...", N counting from the tune's first line. */
bg_status abc_normalize(const char *text, size_t size, unsigned unit, abc_tune *t, const bg_sys *sys, bg_error *err);
void abc_tune_free(abc_tune *t);

/* --- between abc.c, which reads fields, and abc_music.c, which reads what stands between them ------ */

typedef struct abc_writer {
    abc_tune *t;
    size_t line;                   /* of the source, for messages */
    unsigned length_n, length_d;   /* a note's length as written times this is its length in the result */
    unsigned source_n, source_d;   /* L: of the source as it is now */
    unsigned unit;
    char voice[32];                /* of the last V: */
    int voices, unit_changes;      /* several have been seen; L: stood in the middle */
    int space, newline;            /* owed before the next token */
    int empty;                     /* nothing stands on this line of the result yet */
    int after_bar, after_tuplet, bars;
    int lone_mark;                 /* the line is a letter that stands for a decoration, and nothing else yet */
    int grace;                     /* inside braces */
} abc_writer;

/* One line of music without its comment. */
bg_status abc_music_line(abc_writer *w, const char *p, const char *end, bg_error *err);
/* A field, its letter and value without blanks at either end; in_line: it stands in brackets between notes. */
bg_status abc_field(abc_writer *w, char letter, const char *value, size_t n, int in_line, bg_error *err);
enum { ABC_BARS_A_LINE = 4 };

/* Does a bar line begin at p, which is before end? */
int abc_is_bar(const char *p, const char *end);
/* Behind the numbers of an ending, as "1", "1,3" or "2-4"; p where there are none. */
const char *abc_skip_numbers(const char *p, const char *end);
/* A piece of music: what is owed goes in front. */
void abc_emit(abc_writer *w, const char *text, size_t n);
void abc_end_line(abc_writer *w);

#endif
