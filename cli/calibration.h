/* Is a classifier as often right as it is sure? */
#ifndef BGPT_CLI_CALIBRATION_H
#define BGPT_CLI_CALIBRATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { CALIBRATION_BINS = 10 };

/* By the probability of the predicted label: bin i holds those above i/10 up to (i+1)/10. */
typedef struct calibration {
    struct calibration_bin { uint64_t files, right; double confidence; } bin[CALIBRATION_BINS]; /* confidence: summed */
} calibration;

void calibration_add(calibration *c, double confidence, bool right);
/* Mean over the files; NaN without any. */
double mean_confidence(const calibration *c);
/* Expected calibration error: |accuracy - mean confidence| of each bin, weighted by its files. */
double calibration_error(const calibration *c);

void calibration_print(const calibration *c);
/* Adds "mean_confidence", "calibration_error" and "calibration" (a list of the bins) to the object. */
void calibration_json(const calibration *c, json_t *object);

#endif
