/* Files of any kind made into files that a byte model learns well: one form, one size, labels in
 * their names, and a list of where each came from.
 *
 * A preparer turns one source into no, one or many outputs; the frame (frame.c) gives it the sources in
 * parallel, names the outputs, writes them whole, and keeps a journal from which a killed run goes on.  The same outputs for
 * any number of threads.  Wrong input is a line of the manifest and stops nothing. */
#ifndef BG_PREPARE_PREPARE_H
#define BG_PREPARE_PREPARE_H

#include "base/pool.h"
#include "base/sys.h"

typedef struct prepare_source {
    const char *path;
    const char *label; /* "" when there is none */
    const char *stem;  /* of the outputs' names, unlike any other source's */
    uint64_t number;   /* in the order of the paths: the stream of random numbers it may use */
} prepare_source;

/* Where a preparer's outputs go. */
typedef struct prepare_sink prepare_sink;

/* One output; label: NULL, the source's.  Outputs are numbered in their names from the second on, or, with
 * `many` of the preparer, from the first. */
bg_status prepare_put(prepare_sink *sink, const char *label, const void *data, size_t size, bg_error *err);

typedef struct prepare_tool {
    const char *extension; /* of the outputs */
    int many;              /* a source is expected to give many */
    /* BG_ERR_FORMAT: this source is left out, for the reason in err.  Other failures end the run. */
    bg_status (*make)(const void *settings, const prepare_source *s, prepare_sink *sink, bg_error *err);
    const void *settings;
    const char *described; /* the settings in words: a journal with others is not gone on with */
} prepare_tool;

typedef enum prepare_labels { PREPARE_LABELS_NONE, PREPARE_LABELS_FOLDERS, PREPARE_LABELS_FILE } prepare_labels;

typedef struct prepare_job {
    const char *const *inputs; /* files, folders (walked), "@list.txt" */
    size_t input_count;
    const char *out;           /* folder */
    const char *licence;       /* for the manifest; "" */
    prepare_labels labels;
    const char *label_file;    /* lines "NAME<TAB>LABEL"; NAME: the end of a path, whole parts of it */
    int overwrite;
    int (*progress)(void *ctx, uint64_t done, uint64_t all); /* non-zero: stop */
    void (*notice)(void *ctx, const char *sentence);
    void *ctx;
} prepare_job;

typedef struct prepare_totals {
    uint64_t sources, resumed, written, left_out; /* resumed: sources that an earlier run had done */
    uint64_t bytes;
} prepare_totals;

/* Makes out/NAME for every output and out/manifest.tsv.  BG_ERR_ARGUMENT: the folder holds something else;
 * BG_ERR_INTERRUPTED: the same call goes on. */
bg_status prepare_run(const prepare_job *j, const prepare_tool *t, unsigned threads, const bg_sys *sys, prepare_totals *totals, bg_error *err);

/* --- tools ------------------------------------------------------------------ */

typedef enum prepare_long { PREPARE_LONG_CUT, PREPARE_LONG_LOUDEST, PREPARE_LONG_FIRST } prepare_long;

typedef struct prepare_audio {
    double seconds;
    uint32_t rate, bits; /* samples a second; 8 or 16 */
    prepare_long longer;
    int skip_short;      /* else silence is added */
    int dither;
    uint64_t seed;
} prepare_audio;

/* WAV, FLAC, OGG, MP3, AIFF, whatever libsndfile reads -> canonical mono WAV.  *why: NULL, or the sentence that says what
 * this build lacks. */
prepare_tool prepare_audio_tool(const prepare_audio *a, const char **why);

typedef enum prepare_split { PREPARE_SPLIT_NONE, PREPARE_SPLIT_LINE, PREPARE_SPLIT_BLANK, PREPARE_SPLIT_TEXT, PREPARE_SPLIT_COLUMN } prepare_split;

typedef struct prepare_text {
    prepare_split split;
    const char *separator;    /* of PREPARE_SPLIT_TEXT: a line that is exactly this */
    const char *column, *label_column; /* a number from 1 on, or a name of the first line; label_column may be NULL */
    int csv;                  /* columns are parted by commas and may be quoted; else by tabs */
    const char *from;         /* NULL: UTF-8, checked; else a character set that iconv knows */
    const char *extension;
} prepare_text;

prepare_tool prepare_text_tool(const prepare_text *t);

#endif
