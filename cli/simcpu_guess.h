/* State files as a model makes them: it is given memory and the first state
 * and runs free from there. */
#ifndef BGPT_CLI_SIMCPU_GUESS_H
#define BGPT_CLI_SIMCPU_GUESS_H

#include "cli/command.h"

/* Room for a model that goes on after HLT. */
enum { GUESS_SIZE = BGPT_CPU_FILE + BGPT_CPU_STATE };

/* Programs that are run side by side. */
typedef struct guess {
    char *path;
    uint8_t truth[BGPT_CPU_FILE];
    size_t truth_size;
    uint8_t found[GUESS_SIZE]; /* memory, first state, what the model made */
    size_t found_size;         /* cut to whole states */
} guess;

/* A model that knows state files, to run at most `streams` programs side by side; says what it computes with, and
 * from here on the first Ctrl-C ends the run well.  0, or the exit code after a sentence. */
int guess_open(bgpt_model **m, const char *path, int weights, uint64_t streams, bgpt_options *o);

/* Run `count` of them, of which path and truth are set.  The most likely byte is taken, until the model ends
 * the file or has made a state more than there are.  0, or the exit code after a sentence. */
int guess_states(bgpt_model *m, guess *guesses, size_t count);

#endif
