/* A thread that another program holds up in the middle of its work, seen and brought to
 * a processor that is free.  Where the system has no means for it nothing is done. */
#ifndef BG_BASE_RESCUE_H
#define BG_BASE_RESCUE_H

#include <pthread.h>

/* Did the thread get no processor time within a few microseconds?  0 also when that cannot be told. */
int bg_is_held_up(pthread_t thread);

/* Move the thread to the processor that the caller runs on, and to no other.  0, or -1 when it cannot be. */
int bg_bring_here(pthread_t thread);

/* The caller may use all processors of the process again but `but`. */
void bg_leave(int but);

/* Processor that the caller runs on, -1: unknown. */
int bg_this_processor(void);

#endif
