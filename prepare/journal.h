/* The manifest of a preparation and the journal it grows from.
 *
 * manifest.part: a line that holds the settings, then, round by round, every output's line and a line "=<TAB>SOURCE" behind
 * the last of a source.  It is flushed to disk before the next round begins, after the outputs it names, so that a source
 * whose "=" is there is done.  manifest.tsv is the same lines without these, written when all is done.
 *
 * Names may hold anything: tab, line feed and backslash stand as \t, \n and \\. */
#ifndef BG_PREPARE_JOURNAL_H
#define BG_PREPARE_JOURNAL_H

#include "base/sys.h"

/* Text that grows; `failed` is kept so that only the end must be asked. */
typedef struct prepare_buffer {
    const bg_sys *sys;
    char *text;
    size_t length, capacity;
    int failed;
} prepare_buffer;

void prepare_add(prepare_buffer *b, const char *text, size_t length);
/* One cell of a line, escaped, and the character behind it. */
void prepare_cell(prepare_buffer *b, const char *text, char end);
void prepare_buffer_free(prepare_buffer *b);

typedef struct prepare_journal {
    const bg_sys *sys;
    char *part, *manifest;   /* paths */
    int fd;
    int resumed;             /* an unfinished run with these settings is gone on with */
    prepare_buffer lines;    /* all lines of done sources so far */
    char **done;             /* their paths, sorted; from an earlier run */
    size_t done_count, done_capacity;
} prepare_journal;

/* Begin, or go on with, the journal of a folder (which exists).  BG_ERR_ARGUMENT: one with other settings, or a finished
 * manifest, is in the way, unless `overwrite`: then the files that it names are removed, so that none is left among the new. */
bg_status prepare_journal_open(prepare_journal *j, const char *folder, const char *settings, int overwrite, const bg_sys *sys, bg_error *err);
int prepare_journal_has(const prepare_journal *j, const char *source);
/* Lines of sources that are done; `last` of a round: with all before them, to disk. */
bg_status prepare_journal_put(prepare_journal *j, const prepare_buffer *lines, int last, bg_error *err);
/* Write the manifest, the settings first, its lines sorted, and take the journal away. */
bg_status prepare_journal_finish(prepare_journal *j, const char *settings, bg_error *err);
void prepare_journal_close(prepare_journal *j);

#endif
