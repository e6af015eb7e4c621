/* Between music.c, which reads all tunes and compares them, and music_write.c, which makes the files of one. */
#ifndef BG_PREPARE_MUSIC_H
#define BG_PREPARE_MUSIC_H

#include "prepare/melody.h"
#include "prepare/prepare.h"

#include <stdatomic.h>

typedef struct tune {
    char *text, *why;   /* in the one form; or why there is none */
    size_t length;
    melody melody;      /* empty without a text */
} tune;

typedef struct book {
    tune *tunes;
    size_t count, capacity;
    char *why;          /* it gives no tunes at all */
    bg_status status;   /* a failure that ends the run */
    bg_error error;
} book;

typedef struct music_tool {
    const prepare_music *m;
    const bg_sys *sys;
    const prepare_source *sources;
    book *books;        /* (book_count) */
    size_t book_count;
    size_t *first;      /* (book_count) number of each one's first tune among all */
    size_t *twin;       /* (tunes) the first of those of the same melody */
    size_t *next;       /* (tunes) the next of them; 0: none */
    atomic_uchar *judged; /* (tunes) of those that have doubles */
    uint64_t *group;    /* (tunes) */
} music_tool;

/* The files of the tune that prepare_part() names (a preparer's `make`). */
bg_status music_make_tune(const void *settings, const prepare_source *s, prepare_sink *sink, bg_error *err);

#endif
