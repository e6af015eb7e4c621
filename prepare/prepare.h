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
    int unlabelled;    /* labels come from a file that does not name it: it is left out */
} prepare_source;

/* Where a preparer's outputs go. */
typedef struct prepare_sink prepare_sink;

/* One output; label: NULL, the source's.  Outputs are numbered in their names from the second on, or, with
 * `many` of the preparer, from the first. */
bg_status prepare_put(prepare_sink *sink, const char *label, const void *data, size_t size, bg_error *err);

/* An output whose name the preparer composes: FOLDER/LABEL_STEM-NUMBERVARIANT.EXTENSION. */
typedef struct prepare_output {
    const char *label;     /* NULL: the source's */
    const char *folder;    /* one of the tool's folders; NULL: none */
    uint64_t number;       /* 0: none */
    const char *variant;   /* NULL: none */
    const char *extension; /* NULL: the tool's */
} prepare_output;
bg_status prepare_put_as(prepare_sink *sink, const prepare_output *o, const void *data, size_t size, bg_error *err);
/* A part of the source gives nothing: a line of the manifest says why. */
void prepare_leave_out(prepare_sink *sink, const char *why);
/* A source's bytes (bg_free).  BG_ERR_FORMAT: it cannot be read, or is longer than `limit`, which is no reason to end a run. */
bg_status prepare_read(const bg_sys *sys, const char *path, uint64_t limit, uint8_t **data, size_t *size, bg_error *err);
/* Bytes of UTF-8's byte order mark at the begin of a text, which are no text: 3 or 0. */
size_t prepare_mark(const uint8_t *data, size_t size);
/* Which of the source's parts is to be made, from 0 on. */
uint64_t prepare_part(const prepare_sink *sink);

typedef struct prepare_tool {
    const char *extension; /* of the outputs */
    int many;              /* a source is expected to give many */
    const char *const *folders; /* for outputs inside the output folder, up to a NULL; NULL: none */
    /* NULL, or: looks at all sources before the first is made; sources[i].number is i. */
    bg_status (*survey)(const void *settings, const prepare_source *sources, size_t count, bg_pool *pool, bg_error *err);
    /* NULL: one; else into how many parts, at least one, a source falls, each made by a call of `make` of its own. */
    uint64_t (*parts)(const void *settings, const prepare_source *s);
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
    uint64_t sources, resumed, written; /* resumed: sources that an earlier run had done */
    uint64_t left_out;                  /* sources and parts of sources */
    uint64_t bytes;
} prepare_totals;

/* Makes out/NAME for every output and out/manifest.tsv.  BG_ERR_ARGUMENT: a source lies in the folder, or the folder holds
 * another preparation or a file of an output's name; with `overwrite` what an earlier preparation made there is removed first,
 * and files of the same names are replaced.  BG_ERR_INTERRUPTED: the same call goes on. */
bg_status prepare_run(const prepare_job *j, const prepare_tool *t, unsigned threads, const bg_sys *sys, prepare_totals *totals, bg_error *err);

/* The first output of one file, in memory (the caller's, bg_free of bg_sys_default()).  BG_ERR_FORMAT: nothing can be made of it. */
bg_status prepare_first(const prepare_tool *t, const char *path, uint8_t **data, size_t *size, bg_error *err);

/* --- settings in words, as a manifest's first line and a model's metadata have them -------------- */

enum { PREPARE_WORDS = 256 };
#define PREPARE_MARK "# bgpt prepare "

/* The words of the preparation that a folder is the result of, or those of the folders in which all files of an @list lie; "": of
 * none, or not of the same. */
bg_status prepare_words_of(const char *data, char words[PREPARE_WORDS], bg_error *err);
/* One file prepared as the words say (sounds and pictures): of a long sound the loudest piece.  BG_ERR_ARGUMENT: unknown words. */
bg_status prepare_once(const char *words, const char *path, uint8_t **data, size_t *size, const char **extension, bg_error *err);

/* --- tools ------------------------------------------------------------------ */

typedef enum prepare_long { PREPARE_LONG_CUT, PREPARE_LONG_LOUDEST, PREPARE_LONG_FIRST } prepare_long;

typedef struct prepare_audio {
    double seconds;
    uint32_t rate, bits; /* samples a second; 8 or 16 */
    prepare_long longer;
    int skip_short;      /* else silence is added */
    int dither;
    double peak;         /* the loudest sample of each file written is brought to this share of full scale, unless it is silence; 0: left as it is */
    uint64_t seed;
} prepare_audio;

void prepare_audio_words(const prepare_audio *a, char words[PREPARE_WORDS]);
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

typedef enum prepare_shape { PREPARE_SHAPE_CROP, PREPARE_SHAPE_FIT, PREPARE_SHAPE_STRETCH } prepare_shape;

enum { PREPARE_IMAGE_MOST = 1024 }; /* points of a side */

typedef struct prepare_image {
    uint32_t width, height;
    prepare_shape shape;   /* of pictures of another: cut at the edges, put on a ground, or distorted */
    uint32_t background;   /* 0xRRGGBB: the ground, and what transparent points lie on */
} prepare_image;

void prepare_image_words(const prepare_image *m, char words[PREPARE_WORDS]);
/* BMP, PNM, PNG, and with libvips whatever it reads -> BMP of 24 bits.  *why: NULL, or the sentence that says why there is no
 * libvips. */
prepare_tool prepare_image_tool(const prepare_image *a, const char **why);

/* What other programs do; made: the caller's, bg_free of bg_sys_default().  BG_ERR_FORMAT: they could make nothing of it. */
typedef struct prepare_music_programs {
    bg_status (*to_abc)(void *ctx, const char *path, const uint8_t *data, size_t size, uint8_t **made, size_t *made_size, bg_error *err);
    bg_status (*to_midi)(void *ctx, const char *abc, size_t size, uint8_t **made, size_t *made_size, bg_error *err);
    bg_status (*transpose)(void *ctx, const char *abc, size_t size, int semitones, uint8_t **made, size_t *made_size, bg_error *err);
    void *ctx;
} prepare_music_programs;

typedef struct prepare_music {
    unsigned unit;        /* lengths count in 1/unit; 0: as in each tune */
    int lowest, highest;  /* training tunes in this many other keys, in semitones; 0, 0: none */
    double validation;    /* share of the groups of tunes that goes there, 0 to 1 */
    size_t least_notes;
    int keep_doubles;     /* tunes of the same melody stay */
    int midi;             /* a MIDI file beside each tune */
    unsigned fewest_bars, most_bars; /* of an excerpt of each training tune in each of its keys, in a folder of their own; 0, 0: none */
    uint64_t seed;        /* which groups are for validation */
    prepare_music_programs programs;
} prepare_music;

/* Tunebooks in ABC, and what `to_abc` can read -> train/, validation/ and excerpts/.  m outlives the tool. */
bg_status prepare_music_open(prepare_tool *tool, const prepare_music *m, bg_error *err);
void prepare_music_close(prepare_tool *tool);

#endif
