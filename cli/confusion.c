/* The confusion matrix: as aligned text, as JSON, as macro F1. */
#include "cli/confusion.h"
#include "cli/output.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PRINTED_CLASSES = 40 }; /* a wider matrix cannot be read in a terminal; JSON has it */

const char *label_text(const bgpt_model *m, uint32_t i, char number[LABEL_NUMBER])
{
    const char *label = bgpt_label(m, i);
    if (label == NULL)
        snprintf(number, LABEL_NUMBER, "%u", i);
    return label != NULL ? label : number;
}

json_t *labels_json(const bgpt_model *m, uint32_t classes)
{
    json_t *labels = json_array();
    char number[LABEL_NUMBER];
    for (uint32_t i = 0; i < classes; i++)
        json_array_append_new(labels, json_text(label_text(m, i, number)));
    return labels;
}

uint64_t confusion_cell(const confusion *c, uint32_t truth, uint32_t predicted)
{
    return c->counts[(size_t)truth * c->classes + predicted];
}

/* Files of label i, files predicted as i, and both. */
static void sums(const confusion *c, uint32_t i, uint64_t *truth, uint64_t *predicted, uint64_t *both)
{
    *truth = *predicted = 0;
    for (uint32_t k = 0; k < c->classes; k++) {
        *truth += confusion_cell(c, i, k);
        *predicted += confusion_cell(c, k, i);
    }
    *both = confusion_cell(c, i, i);
}

double macro_f1(const confusion *c)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->classes; i++) {
        uint64_t truth, predicted, both;
        sums(c, i, &truth, &predicted, &both);
        if (truth + predicted == 0)
            continue;
        sum += 2.0 * (double)both / (double)(truth + predicted);
        n++;
    }
    return n > 0 ? sum / n : NAN;
}

static json_t *matrix_json(const confusion *c)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < c->classes; i++) {
        json_t *row = json_array();
        for (uint32_t k = 0; k < c->classes; k++)
            json_array_append_new(row, json_count(confusion_cell(c, i, k)));
        json_array_append_new(rows, row);
    }
    return rows;
}

void confusion_json(const confusion *c, json_t *object)
{
    json_object_set_new(object, "accuracy", json_number(c->accuracy));
    json_object_set_new(object, "macro_f1", json_number(macro_f1(c)));
    json_object_set_new(object, "labels", labels_json(c->model, c->classes));
    json_object_set_new(object, "confusion", matrix_json(c));
    calibration_json(c->calibration, object);
}

static int longest_label(const confusion *c)
{
    size_t n = 5;
    char number[LABEL_NUMBER];
    for (uint32_t i = 0; i < c->classes; i++) {
        size_t length = strlen(label_text(c->model, i, number));
        n = length > n ? length : n;
    }
    return n > 30 ? 30 : (int)n;
}

/* Digits of the largest number in a column, at least those of the column's index. */
static int cell_width(const confusion *c)
{
    char text[32];
    uint64_t largest = c->classes;
    for (size_t i = 0; i < (size_t)c->classes * c->classes; i++)
        largest = c->counts[i] > largest ? c->counts[i] : largest;
    return snprintf(text, sizeof text, "%llu", (unsigned long long)largest) + 1;
}

static void print_matrix(const confusion *c, int label_width)
{
    int width = cell_width(c);
    char number[LABEL_NUMBER];
    out("\nconfusion (a row per true label, a column per predicted one)\n%*s", label_width + 5, "");
    for (uint32_t k = 0; k < c->classes; k++)
        out("%*u", width, k);
    for (uint32_t i = 0; i < c->classes; i++) {
        out("\n%3u  %-*.*s", i, label_width, label_width, plain(label_text(c->model, i, number)));
        for (uint32_t k = 0; k < c->classes; k++)
            out("%*llu", width, (unsigned long long)confusion_cell(c, i, k));
    }
    out("\n");
}

/* part/whole in a column; "-" where there is nothing to have a share of. */
static void print_share(int width, uint64_t part, uint64_t whole)
{
    if (whole > 0)
        out("  %*.4f", width, (double)part / (double)whole);
    else
        out("  %*s", width, "-");
}

void confusion_print(const confusion *c)
{
    int label_width = longest_label(c);
    char number[LABEL_NUMBER];
    out("\n     %-*s  files  recall  precision\n", label_width, "label");
    for (uint32_t i = 0; i < c->classes; i++) {
        uint64_t truth, predicted, both;
        sums(c, i, &truth, &predicted, &both);
        out("%3u  %-*.*s  %5llu", i, label_width, label_width, plain(label_text(c->model, i, number)), (unsigned long long)truth);
        print_share(6, both, truth);
        print_share(9, both, predicted);
        out("\n");
    }
    if (c->classes <= PRINTED_CLASSES)
        print_matrix(c, label_width);
    calibration_print(c->calibration);
    out("accuracy %.4f, macro F1 %.4f\n", c->accuracy, macro_f1(c));
}
