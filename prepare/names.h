/* Sources of a preparation: which, under what names, with what labels. */
#ifndef BG_PREPARE_NAMES_H
#define BG_PREPARE_NAMES_H

#include "prepare/prepare.h"

typedef struct prepare_sources {
    const bg_sys *sys;
    prepare_source *items;
    size_t count;
    char **owned;       /* (3*count) path, label, stem */
} prepare_sources;

bg_status prepare_sources_open(prepare_sources *s, const prepare_job *j, const bg_sys *sys, bg_error *err);
void prepare_sources_close(prepare_sources *s);

/* A text as a label: what would end a label or a name early, or is no letter to look at, becomes '-'.  The caller's, bg_free. */
char *prepare_label(const bg_sys *sys, const char *text, size_t length);

#endif
