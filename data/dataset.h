/* A data set: which sequences there are, in which order they are trained, and
 * how each is cut to the context.  Bytes are read from the files when a batch
 * is made; nothing but names and sizes is held.  A set of programs (see
 * programs.h) has one file and one item, which stand for all of them. */
#ifndef BG_DATA_DATASET_H
#define BG_DATA_DATASET_H

#include "base/rng.h"
#include "data/batch.h"
#include "data/programs.h"

typedef struct bg_item {
    uint32_t a, b;      /* indices into files; b = UINT32_MAX when not a pair */
    uint16_t label;     /* class, when the set has labels */
} bg_item;

typedef struct bg_source {
    char *path;
    const char *extension; /* inside path, "" when there is none */
    uint64_t size;
} bg_source;

/* Label map, SPEC 7: text before the first '_' of the file name plus the
 * extension ("Business_1.txt" -> "Business.txt"); sorted by bytes. */
typedef struct bg_labels { char **names; size_t count; } bg_labels;

typedef struct bg_dataset_options {
    const char *pairs;        /* NULL, "abc:mid" or "abc+mid" (each pair becomes two items, one per direction) */
    uint32_t P, N;            /* patch size, context in patches */
    int training;             /* pairs too long for the context are left out and counted (evaluation keeps
                                 them out as well: a pair cannot be scored in windows) */
    int labelled;             /* make labels: from `labels` when not NULL (a name it lacks is BG_ERR_FORMAT
                                 naming the file), else a new map */
    const bg_labels *labels;
    const char *exclude;      /* NULL, or a folder that a walk leaves out: the run's own, below its data */
    int loss_target;          /* pairs: only the target file's patches carry loss, from the one behind its
                                 start patch on (a conversion is given that); programs: only the states
                                 behind the first one, which a simulation is given with the memory */
    int augment;              /* sounds and pictures change a little each time they are added (augment.h) */
    double skip_empty;        /* programs: of this share of them the memory that no instruction is fetched from, whose bytes
                                 are 0, is left out of the training (bg_batch_skip) */
    void (*notice)(void *ctx, const char *sentence); /* NULL or: files left out, with counts */
    void *ctx;
} bg_dataset_options;         /* strings and labels are read by bg_dataset_open() only */

typedef struct bg_dataset {
    const bg_sys *sys;
    bg_dataset_options options;
    bg_source *files;
    size_t file_count;
    bg_item *items;
    size_t item_count;        /* SIZE_MAX: endless */
    int made;                 /* from `programs`, not from files */
    bg_programs programs;
    uint64_t too_long;        /* pairs left out */
    bg_labels labels;
    uint32_t *order;          /* (item_count) permutation of `epoch`, made by bg_dataset_index; NULL when endless */
    uint64_t order_epoch, order_seed;
    uint8_t *buffer;          /* for reading: symbols of one context, then its bytes, then as many to work with */
    uint8_t *image;           /* (BG_SIM_FILE) the program that is being added; NULL for files */
} bg_dataset;

/* Expand DATA (files, folders walked without following links to folders or
 * looking at names that begin with a dot, nor at manifest.tsv of bgpt prepare,
 * "@list.txt" with a path a line),
 * sorted by path bytes, duplicates dropped; or one name of programs, alone.  Programs
 * of an evaluation are never among those of a training set of the same seed.  Nothing found, a missing path, an
 * unreadable folder, no pair: BG_ERR_NOT_FOUND with the name. */
bg_status bg_dataset_open(bg_dataset *d, const bg_sys *sys, const char *const *paths, size_t count, const bg_dataset_options *o, bg_error *err);
void bg_dataset_close(bg_dataset *d); /* safe on a zeroed struct */

/* What follows the last dot of the file's name (inside path); "" when there is
 * no dot, or none but one that begins the name. */
const char *bg_path_extension(const char *path);

/* Only the expansion: calls file for each path in order.  exclude: NULL, or a folder that walks leave out. */
bg_status bg_list_files(const bg_sys *sys, const char *const *paths, size_t count, const char *exclude, void (*file)(void *ctx, const char *path), void *ctx, bg_error *err);

/* Training order: item number `counter` of an endless stream in which every
 * epoch is a fresh permutation keyed by (seed, epoch). */
size_t bg_dataset_index(bg_dataset *d, uint64_t seed, uint64_t counter);

/* How far the run is, from 0 to 1: which part of a curriculum holds. */
void bg_dataset_progress(bg_dataset *d, double share);

/* Most patches that any item has. */
uint64_t bg_dataset_longest_item(const bg_dataset *d);

/* What item i is called, for people: the caller's to free; NULL without memory. */
char *bg_item_name(const bg_dataset *d, size_t i);

/* Patches of item i when whole (pair: a without end patch, then b whole). */
uint64_t bg_item_patches(const bg_dataset *d, size_t i);
/* Content bytes of item i that carry loss (whole file; with loss_target those of a pair's
 * target, or of a program's states behind the first). */
uint64_t bg_item_bytes(const bg_dataset *d, size_t i);

/* Append item i to the batch for training.  Longer than N: one window of N patches - its head,
 * its tail or a random middle, chosen by (seed, counter).  *bytes gets the content bytes that
 * carry loss.  BG_ERR_FAILED with a sentence when the batch has no room
 * (callers size batches for N rows a file). */
bg_status bg_dataset_add(bg_dataset *d, bg_batch *b, size_t i, uint64_t seed, uint64_t counter, uint64_t *bytes, bg_error *err);

/* Evaluation: item i has bg_item_windows windows; window w starts N/2 patches
 * after window w-1, and of every window but the first only the later half
 * carries loss, so each symbol is scored once with at least N/2 - 1 patches before it. */
uint32_t bg_item_windows(const bg_dataset *d, size_t i);
bg_status bg_dataset_add_window(bg_dataset *d, bg_batch *b, size_t i, uint32_t w, bg_error *err);

/* Keep loss on `k` target patches of the batch, chosen by (seed, step); k >=
 * targets keeps all. */
void bg_batch_sample(bg_batch *b, uint32_t k, uint64_t seed, uint64_t step);

#endif
