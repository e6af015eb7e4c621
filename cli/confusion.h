/* Figures of a classifier: the matrix of true and predicted labels, and what
 * follows from it. */
#ifndef BGPT_CLI_CONFUSION_H
#define BGPT_CLI_CONFUSION_H

#include "include/bgpt.h"
#include <jansson.h>

typedef struct confusion {
    const bgpt_model *model;  /* for the labels */
    uint32_t classes;
    const uint64_t *counts;   /* (classes, classes) [true][predicted] */
    double accuracy;
} confusion;

/* The label, or its number where the model (a bare file of tensors) has no
 * names; `number` is room for it. */
enum { LABEL_NUMBER = 16 };
const char *label_text(const bgpt_model *m, uint32_t i, char number[LABEL_NUMBER]);
/* All labels of a classifier as an array. */
json_t *labels_json(const bgpt_model *m, uint32_t classes);

/* Mean of the labels' F1 scores, over those that occur or are predicted. */
double macro_f1(const confusion *c);
/* Adds "accuracy", "macro_f1", "labels" and "confusion" to the object. */
void confusion_json(const confusion *c, json_t *object);
void confusion_print(const confusion *c);

#endif
