/* See rescue.h.  The scheduler itself does not bring a waiting thread to a processor that has just become idle when such
 * pauses are short, as they are between ops: so a thread that shares its processor with another program would
 * make all others wait for a time slice in almost every op. */
#define _GNU_SOURCE
#include "base/rescue.h"

#include <stdint.h>

#if defined(__linux__)
#include <sched.h>
#include <time.h>
#include <unistd.h>

enum { WATCH_NANOSECONDS = 20000 };

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec : -1;
}

int bg_is_held_up(pthread_t thread)
{
    clockid_t clock;
    if (pthread_getcpuclockid(thread, &clock) != 0)
        return 0;
    const int64_t used = read_clock(clock), end = read_clock(CLOCK_MONOTONIC) + WATCH_NANOSECONDS;
    while (read_clock(CLOCK_MONOTONIC) < end)
        continue;
    return used >= 0 && read_clock(clock) == used;
}

int bg_this_processor(void) { return sched_getcpu(); }

int bg_bring_here(pthread_t thread)
{
    cpu_set_t here;
    const int processor = sched_getcpu();
    if (processor < 0 || processor >= CPU_SETSIZE)
        return -1;
    CPU_ZERO(&here);
    CPU_SET(processor, &here);
    return pthread_setaffinity_np(thread, sizeof here, &here) == 0 ? 0 : -1;
}

void bg_leave(int but)
{
    cpu_set_t others;
    if (sched_getaffinity(getpid(), sizeof others, &others) != 0) /* the first thread's, which is never moved */
        return;
    if (but >= 0 && but < CPU_SETSIZE && CPU_COUNT(&others) > 1)
        CPU_CLR(but, &others);
    sched_setaffinity(0, sizeof others, &others);
}

#else

int bg_is_held_up(pthread_t thread) { return thread == pthread_self() && 0; }
int bg_this_processor(void) { return -1; }
int bg_bring_here(pthread_t thread) { return thread == pthread_self() ? 0 : -1; }
void bg_leave(int but) { (void)but; }

#endif
