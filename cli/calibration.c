/* Calibration in ten bins of equal width, as it is customary (Guo et al. 2017). */
#include "cli/calibration.h"
#include "cli/output.h"
#include <math.h>

void calibration_add(calibration *c, double confidence, bool right)
{
    int i = (int)ceil(confidence * CALIBRATION_BINS) - 1;
    i = i < 0 ? 0 : i >= CALIBRATION_BINS ? CALIBRATION_BINS - 1 : i;
    c->bin[i].files++;
    c->bin[i].right += right;
    c->bin[i].confidence += confidence;
}

static uint64_t all_files(const calibration *c)
{
    uint64_t n = 0;
    for (int i = 0; i < CALIBRATION_BINS; i++)
        n += c->bin[i].files;
    return n;
}

double mean_confidence(const calibration *c)
{
    double sum = 0;
    for (int i = 0; i < CALIBRATION_BINS; i++)
        sum += c->bin[i].confidence;
    return sum / (double)all_files(c); /* 0/0 is NaN */
}

double calibration_error(const calibration *c)
{
    double sum = 0;
    for (int i = 0; i < CALIBRATION_BINS; i++)
        sum += fabs((double)c->bin[i].right - c->bin[i].confidence);
    return sum / (double)all_files(c);
}

void calibration_print(const calibration *c)
{
    out("\ncalibration (files by the probability of the predicted label)\n  probability  files  mean probability  accuracy\n");
    for (int i = 0; i < CALIBRATION_BINS; i++) {
        const struct calibration_bin *b = &c->bin[i];
        if (b->files > 0)
            out("   %.1f to %.1f  %5llu  %16.4f  %8.4f\n", (double)i / CALIBRATION_BINS, (i + 1.0) / CALIBRATION_BINS, (unsigned long long)b->files,
                b->confidence / (double)b->files, (double)b->right / (double)b->files);
    }
    out("\nmean confidence %.4f, expected calibration error %.4f\n", mean_confidence(c), calibration_error(c));
}

void calibration_json(const calibration *c, json_t *object)
{
    json_t *bins = json_array();
    for (int i = 0; i < CALIBRATION_BINS; i++) {
        const struct calibration_bin *b = &c->bin[i];
        json_array_append_new(bins, json_pack("{s:o, s:o, s:o, s:o}", "to", json_number((i + 1.0) / CALIBRATION_BINS), "files", json_count(b->files),
                                              "mean_confidence", json_number(b->confidence / (double)b->files),
                                              "accuracy", json_number((double)b->right / (double)b->files)));
    }
    json_object_set_new(object, "mean_confidence", json_number(mean_confidence(c)));
    json_object_set_new(object, "calibration_error", json_number(calibration_error(c)));
    json_object_set_new(object, "calibration", bins);
}
