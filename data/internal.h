/* Between the files of data/ that make a data set.  Not for other layers. */
#ifndef BG_DATA_INTERNAL_H
#define BG_DATA_INTERNAL_H

#include "data/dataset.h"

/* The last part of a path. */
const char *bg_path_name(const char *path);

/* --- list.c -------------------------------------------------------------- */

typedef struct bg_list {
    const bg_sys *sys;
    bg_source *files; /* sorted by path bytes, no duplicates */
    size_t count, capacity;
    uint64_t skipped;   /* entries of folders that are neither file nor folder */
    char *skipped_path; /* the first of them */
    int excludes;         /* there is a folder that is not walked, ... */
    bg_file_stat exclude; /* ... this one */
} bg_list;

/* On failure nothing is left to be freed. */
/* exclude: NULL, or a folder to be left out of walks (it need not exist). */
bg_status bg_list_open(bg_list *l, const bg_sys *sys, const char *const *paths, size_t count, const char *exclude, bg_error *err);
void bg_list_close(bg_list *l);
void bg_sources_free(const bg_sys *sys, bg_source *files, size_t count);

/* --- dataset.c ----------------------------------------------------------- */

const bg_item *bg_dataset_item(const bg_dataset *d, size_t i);
/* Content bytes at the beginning of an item that carry no loss: whole patches. */
uint64_t bg_dataset_given(const bg_dataset *d);

/* Give the caller's notice function a sentence, if there is one. */
void bg_dataset_notice(const bg_dataset *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- pairs.c, labels.c: fill d->items, d->labels from d->files ------------- */

bg_status bg_pairs_make(bg_dataset *d, bg_error *err);
bg_status bg_labels_make(bg_dataset *d, bg_error *err);
void bg_labels_free(const bg_sys *sys, bg_labels *l);

#endif
