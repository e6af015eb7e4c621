/* See rescue.h.  The scheduler itself does not bring a waiting thread to a processor that has just become idle when such
 * pauses are short, as they are between ops: so a thread that shares its processor with another program would
 * make all others wait for a time slice in almost every op. */
#define _GNU_SOURCE
#include "base/rescue.h"

#include <stdint.h>
#include <string.h>

#if defined(__linux__)
#include <sched.h>
#include <time.h>

_Static_assert(sizeof(cpu_set_t) <= sizeof((bg_processors){ { 0 }, 0 }.bits), "the set of processors must fit");

enum { WATCH_NANOSECONDS = 20000 };

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec : -1;
}

void bg_processors_read(bg_processors *p)
{
    cpu_set_t set;
    p->known = sched_getaffinity(0, sizeof set, &set) == 0;
    memcpy(p->bits, &set, sizeof set);
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

static void move(pthread_t thread, const cpu_set_t *to) { pthread_setaffinity_np(thread, sizeof *to, to); }

void bg_bring_here(pthread_t thread)
{
    cpu_set_t here;
    const int processor = sched_getcpu();
    if (processor < 0 || processor >= CPU_SETSIZE)
        return;
    CPU_ZERO(&here);
    CPU_SET(processor, &here);
    move(thread, &here);
}

void bg_keep_off(pthread_t thread, const bg_processors *p, int but)
{
    cpu_set_t set;
    if (!p->known)
        return;
    memcpy(&set, p->bits, sizeof set);
    if (but >= 0 && but < CPU_SETSIZE && CPU_COUNT(&set) > 1)
        CPU_CLR(but, &set);
    move(thread, &set);
}

#else

void bg_processors_read(bg_processors *p) { memset(p, 0, sizeof *p); }
int bg_is_held_up(pthread_t thread) { (void)thread; return 0; }
int bg_this_processor(void) { return -1; }
void bg_bring_here(pthread_t thread) { (void)thread; }
void bg_keep_off(pthread_t thread, const bg_processors *p, int but) { (void)thread, (void)p, (void)but; }

#endif
