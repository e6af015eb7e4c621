/* Ctrl-C, SIGTERM and a lost terminal: the first one asks the work to end well, the second one
 * ends the program at once. */
#ifndef BGPT_CLI_SIGNALS_H
#define BGPT_CLI_SIGNALS_H

#include <stdbool.h>

/* From now on; `sentence` (static) is written to standard error by the first signal, NULL: nothing. */
void signals_catch(const char *sentence);
/* The default again: a signal ends the program at once. */
void signals_release(void);
bool signals_stop(void);
/* For the library's stop callbacks; ctx is unused. */
int stop_hook(void *ctx);

#endif
