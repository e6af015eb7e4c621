/* Figures of a classifier: the matrix of true and predicted labels, and what
 * follows from it. */
#ifndef BGPT_CLI_CONFUSION_H
#define BGPT_CLI_CONFUSION_H

#include "cli/calibration.h"
#include "include/bgpt.h"
#include <jansson.h>

typedef struct confusion {
    const bgpt_model *model;  /* for the labels */
    uint32_t classes;
    const uint64_t *counts;   /* (classes, classes) [true][predicted] */
    double accuracy;
    const calibration *calibration;
} confusion;

/* The label, or its number where the model (a bare file of tensors) has no
 * names; `number` is room for it. */
enum { LABEL_NUMBER = 16 };
const char *label_text(const bgpt_model *m, uint32_t i, char number[LABEL_NUMBER]);
/* All labels of a classifier as an array. */
json_t *labels_json(const bgpt_model *m, uint32_t classes);

uint64_t confusion_cell(const confusion *c, uint32_t truth, uint32_t predicted);

/* Mean of the labels' F1 scores, over those that occur or are predicted. */
double macro_f1(const confusion *c);
/* Adds "accuracy", "macro_f1", "labels", "confusion" and what calibration_json adds to the object. */
void confusion_json(const confusion *c, json_t *object);
void confusion_print(const confusion *c);

/* The sentence about a name that ends neither in .csv nor .png, or a file that is in the way; 0 when all is well. */
int confusion_file_check(const char *path, bool force);
/* FILE.csv: the labels, then a line for each true label; FILE.png: a picture with labelled rows and columns. */
int confusion_save(const confusion *c, const char *path, bool force, const bgpt_options *o);

#endif
