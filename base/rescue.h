/* A thread that another program holds up in the middle of its work, seen and brought to
 * a processor that is free.  Where the system has no means for it nothing is done. */
#ifndef BG_BASE_RESCUE_H
#define BG_BASE_RESCUE_H

#include <pthread.h>

/* The processors a thread may use. */
typedef struct bg_processors {
    unsigned long bits[16];
    int known; /* 0: they could not be asked for, and nothing is to be changed */
} bg_processors;

/* Of the calling thread. */
void bg_processors_read(bg_processors *p);

/* Did the thread get no processor time within a few microseconds?  0 also when that cannot be told. */
int bg_is_held_up(pthread_t thread);

/* Processor that the caller runs on; -1: unknown. */
int bg_this_processor(void);

/* The thread may use the processor that the caller runs on, and no other. */
void bg_bring_here(pthread_t thread);

/* The thread may use all of p, or (but >= 0) all others than `but` where there are any. */
void bg_keep_off(pthread_t thread, const bg_processors *p, int but);

#endif
