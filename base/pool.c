/* Threads that run numbered tasks.  Refuses to nest and to queue: one run at a
 * time, started and ended by the owner of the pool.
 *
 * How a run works.  One 64-bit word holds the number of the run (high half)
 * and the tasks nobody has claimed yet (low half).  Whoever wants work
 * takes one off the low half by compare-and-swap; a claim can only succeed in
 * the run it was read in, so a thread that wakes up late does no harm and the
 * owner need not wait for sleepers: it waits until `unfinished` is zero, and
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

typedef struct worker {
    bg_pool *pool;
    pthread_t thread;
    unsigned number;
} worker;

struct bg_pool {
    const bg_sys *sys;
    unsigned threads, started; /* threads counts the caller, started does not */
    worker *workers;

    /* written by the owner before `work` is published, stable while a task is unfinished */
    bg_task *fn;
    void *arg;
    size_t tasks;

    /* each on a cache line of its own: they are written by different threads */
    _Alignas(64) _Atomic uint64_t work;      /* run << 32 | unclaimed tasks */
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

static int has_work(bg_pool *p)
{
    return (uint32_t)atomic_load(&p->work) != 0 || atomic_load(&p->stop);
}

static int is_done(bg_pool *p) { return atomic_load(&p->unfinished) == 0; }

/* 1 when the condition came true within the spinning time. */
static int spin(bg_pool *p, int (*condition)(bg_pool *))
{
    int64_t end = now() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
            if (condition(p))
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

/* Claim and run tasks until none is left. */
static void work_off(bg_pool *p, unsigned number)
{
    uint64_t word = atomic_load(&p->work);
    while ((uint32_t)word != 0) {
        if (!atomic_compare_exchange_weak(&p->work, &word, word - 1))
            continue;
        p->fn(p->arg, p->tasks - (uint32_t)word, number);
        finish_task(p);
        word = atomic_load(&p->work);
    }
}

static void sleep_until_work(bg_pool *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (!has_work(p))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    bg_pool *p = w->pool;
    while (!atomic_load(&p->stop)) {
        work_off(p, w->number);
        if (!spin(p, has_work))
            sleep_until_work(p);
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
    if (spin(p, is_done))
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->owner_sleeps, 1);
    while (!is_done(p))
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
    assert(is_done(p)); /* a task must not start another run */
    p->fn = fn;
    p->arg = arg;
    p->tasks = tasks;
    atomic_store(&p->unfinished, tasks);
    uint64_t run = (atomic_load(&p->work) >> 32) + 1;
    atomic_store(&p->work, run << 32 | tasks);
    wake_sleepers(p, tasks - 1);
    work_off(p, 0);
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
    for (unsigned i = 0; i + 1 < p->threads && error == 0; i++) {
        worker *w = &p->workers[i];
        w->pool = p;
        w->number = i + 1;
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
    for (unsigned i = 0; i < p->started; i++)
        pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    bg_free(p->sys, p->workers);
    bg_free(p->sys, p);
}

unsigned bg_pool_threads(const bg_pool *p) { return p->threads; }
