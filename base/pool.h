/* A pool of threads that runs numbered tasks.
 *
 * Which thread runs a task is not fixed (an atomic counter hands them out, so
 * a busy neighbour costs only its share); callers therefore cut work into
 * tasks independently of the number of threads and never split a sum over
 * tasks: that is how the same bits come out for any number of threads. */
#ifndef BG_BASE_POOL_H
#define BG_BASE_POOL_H

#include "base/sys.h"

typedef struct bg_pool bg_pool;

enum { BG_MAX_THREADS = 256 };

/* threads 0 = as many as the process may run on (affinity mask); more than
 * BG_MAX_THREADS is BG_ERR_ARGUMENT. */
bg_status bg_pool_open(bg_pool **out, const bg_sys *sys, unsigned threads, bg_error *err);
void bg_pool_close(bg_pool *p);
unsigned bg_pool_threads(const bg_pool *p);

/* task in [0,tasks), thread in [0,bg_pool_threads) for private scratch. */
typedef void bg_task(void *arg, size_t task, unsigned thread);

/* Run all tasks and return when the last is done.  The caller works too.
 * Not reentrant.  Idle workers spin for a short while (about 50 us), then
 * sleep.  Allocates nothing. */
void bg_pool_run(bg_pool *p, bg_task *fn, void *arg, size_t tasks);

#endif
