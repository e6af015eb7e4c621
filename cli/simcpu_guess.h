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

/* Run `count` of them, of which path and truth are set.  The most likely byte is taken, until the model ends
 * the file or has made a state more than there are.  0, or the exit code after a sentence. */
int guess_states(bgpt_model *m, guess *guesses, size_t count);

#endif
