/* Opening a model for a command, and what its metadata says to people. */
#ifndef BGPT_CLI_MODELS_H
#define BGPT_CLI_MODELS_H

#include "cli/command.h"

/* The -m option, for the rows of a command. */
#define MODEL_ROW(type) \
    { "model", 'm', OPTION_TEXT, offsetof(type, model), 0, 0, NULL, "MODEL", "the model file (required)" }

/* The --weights option, for commands that use a model without training it; an int. */
#define WEIGHTS_ROW(type) \
    { "weights", 0, OPTION_CHOICE, offsetof(type, weights), 0, 0, "full", "full|int8", \
      "int8: weights of linear layers in 8 bits, a scale for each output: faster where memory is the limit; eval says what it costs" }

/* 0 and the model, to be closed; or the exit code after a sentence.  path may
 * be NULL: the option was forgotten. */
int model_open(bgpt_model **m, const char *path, const bgpt_options *o);

/* The metadata value of a key, or NULL. */
const char *model_fact(const bgpt_model *m, const char *key);

/* Refuse a format that the model has not been trained on, with a sentence that
 * lists those it knows.  A model that does not say takes any. */
int model_check_extension(const bgpt_model *m, const char *path, const char *extension);

/* Say of a model that converts that it is asked for something else: a file with nothing given. */
void model_notice_pairs(const bgpt_model *m, const char *path);

/* Refuse a conversion that the model was not trained for.  A model that bgpt did not train says
 * nothing about itself and takes any. */
int model_check_pair(const bgpt_model *m, const char *path, const char *from, const char *to);

#endif
