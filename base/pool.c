/* Threads that run numbered tasks.  Refuses to nest and to queue: one run at a
 * time, started and ended by the owner of the pool.
 *
 * How a run works.  Every thread has a share of neighbouring tasks, the same of every run of so many
 * tasks: what it read or wrote last time is in its own caches.  Whoever has finished his share takes
 * from the others'.  A share is one 64-bit word: the number of the run (high half)
 * and the tasks nobody has claimed yet (low half).  A claim takes one off the low half by
 * compare-and-swap and can only succeed in the run it was read in, so a thread that wakes
 * up late does no harm and the owner need not wait for sleepers: it waits until `unfinished` is zero, and
 * a claimed task is unfinished until it has been run. */
#define _GNU_SOURCE
#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Waking a sleeping thread costs tens of microseconds; ops of one training step follow each
 * other closer than that. */
enum { SPIN_NANOSECONDS = 50000, SPINS_PER_CLOCK = 32 };

/* Of a thread; the first is the owner's.  On a cache line of its own: others write theirs. */
typedef struct worker {
    _Alignas(64) _Atomic uint64_t share; /* run << 32 | unclaimed tasks */
    bg_pool *pool;
    pthread_t thread;
    unsigned number;
    uint32_t seen; /* the last run whose tasks it looked for */
} worker;

struct bg_pool {
    const bg_sys *sys;
    unsigned threads, started; /* threads counts the caller, started does not */
    worker *workers; /* (threads) */

    /* written by the owner before the shares are published, stable while a task is unfinished */
    bg_task *fn;
    void *arg;
    size_t tasks;

    /* each on a cache line of its own: they are written by different threads */
    _Alignas(64) _Atomic uint32_t run;       /* its number: changed when all shares are there */
    _Alignas(64) _Atomic uint64_t unfinished;
    _Alignas(64) _Atomic unsigned sleepers;  /* workers inside the wait for `wake` */
    _Atomic int owner_sleeps, stop;

    pthread_mutex_t lock;
    pthread_cond_t wake, done;
};

/* More tasks than the low half can hold are run in slices. */
#define SLICE 0x80000000u

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int has_work(worker *w) { return atomic_load(&w->pool->run) != w->seen || atomic_load(&w->pool->stop); }

static int is_done(worker *w) { return atomic_load(&w->pool->unfinished) == 0; }

/* 1 when the condition came true within the spinning time. */
static int spin(worker *w, int (*condition)(worker *))
{
    int64_t end = now() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
            if (condition(w))
                return 1;
            pause_briefly();
        }
    } while (now() < end);
    return 0;
}

/* The last task of a run wakes the owner.  The owner announces its sleep
 * before it looks at `unfinished` for the last time, and this side looks at
 * the announcement after the decrement (both sequentially consistent), so one
 * of the two sees the other. */
static void finish_task(bg_pool *p)
{
    if (atomic_fetch_sub(&p->unfinished, 1) != 1)
        return;
    if (atomic_load(&p->owner_sleeps)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
}

/* Tasks before those of a thread's share. */
static size_t share_begin(const bg_pool *p, unsigned number) { return (size_t)((uint64_t)p->tasks * number / p->threads); }

/* Claim and run tasks of a share until none is left. */
static void work_off_share(bg_pool *p, unsigned number, worker *of)
{
    uint64_t word = atomic_load(&of->share);
    while ((uint32_t)word != 0) {
        if (!atomic_compare_exchange_weak(&of->share, &word, word - 1))
            continue;
        p->fn(p->arg, share_begin(p, of->number + 1) - (uint32_t)word, number);
        finish_task(p);
        word = atomic_load(&of->share);
    }
}

/* The own share, then the others'. */
static void work_off(worker *w)
{
    bg_pool *p = w->pool;
    for (unsigned i = 0; i < p->threads; i++)
        work_off_share(p, w->number, &p->workers[(w->number + i) % p->threads]);
}

static void sleep_until_work(worker *w)
{
    bg_pool *p = w->pool;
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (!has_work(w))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    bg_pool *p = w->pool;
    while (!atomic_load(&p->stop)) {
        if (!spin(w, has_work))
            sleep_until_work(w);
        w->seen = atomic_load(&p->run);
        work_off(w);
    }
    return NULL;
}

/* Wake as many sleepers as there is work for. */
static void wake_sleepers(bg_pool *p, size_t wanted)
{
    unsigned asleep = atomic_load(&p->sleepers);
    if (asleep == 0)
        return;
    pthread_mutex_lock(&p->lock);
    if (wanted >= asleep)
        pthread_cond_broadcast(&p->wake);
    else
        for (size_t i = 0; i < wanted; i++)
            pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void wait_until_done(bg_pool *p)
{
    worker *owner = &p->workers[0];
    if (spin(owner, is_done))
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->owner_sleeps, 1);
    while (!is_done(owner))
        pthread_cond_wait(&p->done, &p->lock);
    atomic_store(&p->owner_sleeps, 0);
    pthread_mutex_unlock(&p->lock);
}

typedef struct slice {
    bg_task *fn;
    void *arg;
    size_t first;
} slice;

static void run_slice_task(void *arg, size_t task, unsigned thread)
{
    slice *s = arg;
    s->fn(s->arg, s->first + task, thread);
}

static void run_parallel(bg_pool *p, bg_task *fn, void *arg, uint32_t tasks)
{
    assert(is_done(&p->workers[0])); /* a task must not start another run */
    p->fn = fn;
    p->arg = arg;
    p->tasks = tasks;
    atomic_store(&p->unfinished, tasks);
    const uint32_t run = atomic_load_explicit(&p->run, memory_order_relaxed) + 1;
    for (unsigned i = 0; i < p->threads; i++)
        atomic_store_explicit(&p->workers[i].share, (uint64_t)run << 32 | (share_begin(p, i + 1) - share_begin(p, i)), memory_order_release);
    atomic_store(&p->run, run);
    wake_sleepers(p, tasks - 1);
    work_off(&p->workers[0]);
    wait_until_done(p);
}

void bg_pool_run(bg_pool *p, bg_task *fn, void *arg, size_t tasks)
{
    if (p->threads == 1 || tasks <= 1) {
        for (size_t i = 0; i < tasks; i++)
            fn(arg, i, 0);
        return;
    }
    if (tasks <= SLICE) {
        run_parallel(p, fn, arg, (uint32_t)tasks);
        return;
    }
    slice s = { fn, arg, 0 };
    for (; s.first < tasks; s.first += SLICE)
        run_parallel(p, run_slice_task, &s, (uint32_t)(tasks - s.first < SLICE ? tasks - s.first : SLICE));
}

/* Processors this process may run on: the affinity mask, which containers and
 * batch systems set, not what the machine has. */
static unsigned usable_processors(void)
{
    long n = 0;
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
#endif
    if (n < 1)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > BG_MAX_THREADS ? BG_MAX_THREADS : (unsigned)n;
}

/* Workers are born with signals blocked, so that the host's handlers run in the
 * host's own threads.  Not the four that an instruction of the worker itself raises: they
 * can't go to another thread, and blocked they would kill the process past the host's handler
 * (a crash reporter, a sanitizer, the tests' emulator). */
static bg_status start_workers(bg_pool *p, bg_error *err)
{
    static const int own[] = { SIGILL, SIGSEGV, SIGBUS, SIGFPE };
    sigset_t blocked, old;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    int error = 0;
    for (unsigned i = 0; i < p->threads; i++) {
        p->workers[i].pool = p;
        p->workers[i].number = i;
    }
    for (unsigned i = 1; i < p->threads && error == 0; i++) {
        worker *w = &p->workers[i];
        error = pthread_create(&w->thread, NULL, worker_main, w);
        if (error == 0)
            p->started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return bg_fail(err, BG_ERR_MEMORY, "cannot start thread %u of %u: %s", p->started + 2, p->threads, strerror(error));
    return BG_OK;
}

bg_status bg_pool_open(bg_pool **out, const bg_sys *sys, unsigned threads, bg_error *err)
{
    *out = NULL;
    if (threads > BG_MAX_THREADS)
        return bg_fail(err, BG_ERR_ARGUMENT, "%u threads are too many: at most %d", threads, BG_MAX_THREADS);
    if (threads == 0)
        threads = usable_processors();
    bg_pool *p = bg_alloc_zero(sys, 1, sizeof *p);
    worker *workers = bg_alloc_zero(sys, threads, sizeof *workers);
    if (!p || !workers) {
        bg_free(sys, p);
        bg_free(sys, workers);
        return bg_fail_memory(err, "the thread pool", sizeof *p + threads * sizeof *workers);
    }
    p->sys = sys;
    p->threads = threads;
    p->workers = workers;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    bg_status status = start_workers(p, err);
    if (status == BG_OK)
        *out = p;
    else
        bg_pool_close(p);
    return status;
}

void bg_pool_close(bg_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, 1);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 1; i <= p->started; i++)
        pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    bg_free(p->sys, p->workers);
    bg_free(p->sys, p);
}

unsigned bg_pool_threads(const bg_pool *p) { return p->threads; }
