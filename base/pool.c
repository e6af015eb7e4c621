/* Threads that run numbered tasks.  Refuses to nest and to queue: one run at a
 * time, started and ended by the owner of the pool.
 *
 * How a run works.  Every thread has a share of neighbouring tasks, the same of every run of so many
 * tasks: what it read or wrote last time is in its own caches.  Whoever has finished his share takes
 * from the others'.  A share is one 64-bit word: the number of the run (high half)
 * and the tasks nobody has claimed yet (low half).  A claim takes one off the low half by
 * compare-and-swap and can only succeed in the run it was read in, so a thread that wakes
 * up late does no harm and the owner need not wait for sleepers: it waits until `unfinished` is zero, and
 * a claimed task is unfinished until it has been run.
 *
 * A run of an op with a few rows takes microseconds, so what counts is how many cache lines must travel
 * from one processor to another and back: one with the share and all that belongs to it, one
 * with the count of what is finished, taken down once for all tasks a thread has run of a share. */
#define _GNU_SOURCE
#include "base/pool.h"

#include "base/rescue.h"

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

/* Of a thread; the first is the owner's. */
typedef struct worker {
    /* a cache line that the owner writes and the thread (or a thief) takes from */
    _Alignas(64) _Atomic uint64_t share; /* run << 32 | unclaimed tasks */
    bg_task *fn;                         /* these are stable while a task of the share is unfinished */
    void *arg;
    size_t end;                          /* behind the last task of the share */
    _Atomic int asleep;                  /* waits for `wake` */
    _Atomic int claims;                  /* has a task begun, or is about to */

    /* and what only the thread reads */
    _Alignas(64) bg_pool *pool;
    pthread_t thread;
    unsigned number;
    pthread_cond_t wake;

    /* the owner's */
    int kept_off; /* 1 + the processor that the thread was told not to use, because the owner does; 0: none */
} worker;

struct bg_pool {
    const bg_sys *sys;
    unsigned threads, started; /* threads counts the caller, started does not */
    worker *workers; /* (threads) */
    uint32_t run;    /* the last one's number; the owner's */
    int rescues;     /* has one thread ever been rescued?  The owner's. */
    bg_processors processors; /* that its opener might use, and so its threads may */

    /* on a cache line of its own: all write it */
    _Alignas(64) _Atomic uint64_t unfinished;
    _Alignas(64) _Atomic int owner_sleeps;
    _Atomic int stop;

    pthread_mutex_t lock;
    pthread_cond_t done;
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

static int has_work(worker *w) { return (uint32_t)atomic_load(&w->share) != 0 || atomic_load_explicit(&w->pool->stop, memory_order_relaxed); }

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
static void finish_tasks(bg_pool *p, uint64_t n)
{
    if (n == 0 || atomic_fetch_sub(&p->unfinished, n) != n)
        return;
    if (atomic_load(&p->owner_sleeps)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
}

/* Claim and run tasks of a share until none is left.  It may become that of the next run in
 * between, but not before those that were run are said to be finished. */
static void work_off_share(worker *w, worker *of)
{
    uint64_t word = atomic_load(&of->share), run = word >> 32, finished = 0;
    if ((uint32_t)word == 0)
        return;
    atomic_store_explicit(&w->claims, 1, memory_order_relaxed);
    while ((uint32_t)word != 0 && word >> 32 == run) {
        if (!atomic_compare_exchange_weak(&of->share, &word, word - 1))
            continue;
        of->fn(of->arg, of->end - (uint32_t)word, w->number);
        finished++;
        word = atomic_load(&of->share);
    }
    atomic_store_explicit(&w->claims, 0, memory_order_relaxed);
    finish_tasks(w->pool, finished);
}

/* The own share, then the others'. */
static void work_off(worker *w)
{
    bg_pool *p = w->pool;
    for (unsigned i = 0; i < p->threads; i++)
        work_off_share(w, &p->workers[(w->number + i) % p->threads]);
}

/* The owner looks for sleepers after it has published the shares, and a thread looks at its share after it has said
 * that it sleeps: one of the two sees the other. */
static void sleep_until_work(worker *w)
{
    bg_pool *p = w->pool;
    pthread_mutex_lock(&p->lock);
    atomic_store(&w->asleep, 1);
    while (!has_work(w))
        pthread_cond_wait(&w->wake, &p->lock);
    atomic_store(&w->asleep, 0);
    pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    bg_pool *p = w->pool;
    while (!atomic_load(&p->stop)) {
        if (!spin(w, has_work))
            sleep_until_work(w);
        work_off(w);
    }
    return NULL;
}

static void wake(worker *w)
{
    pthread_mutex_lock(&w->pool->lock);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->pool->lock);
}

/* All tasks are claimed and one takes long.  If that is because its thread was put aside for another program, it may
 * finish here, where nothing else is to be done. */
static void rescue(bg_pool *p)
{
    for (unsigned i = 1; i <= p->started && !is_done(&p->workers[0]); i++) {
        worker *w = &p->workers[i];
        if (!atomic_load(&w->claims) || !bg_is_held_up(w->thread) || is_done(&p->workers[0]))
            continue;
        p->rescues = 1;
        w->kept_off = 0;
        bg_bring_here(w->thread);
    }
}

/* Once there was a neighbour, the threads keep off the processor of the owner, who works there again: there they would wait for
 * him.  The system may move the owner: looked at before every run. */
static void keep_off(bg_pool *p)
{
    const int here = 1 + bg_this_processor();
    for (unsigned i = 1; i <= p->started; i++)
        if (p->workers[i].kept_off != here) {
            bg_keep_off(p->workers[i].thread, &p->processors, here - 1);
            p->workers[i].kept_off = here;
        }
}

static void wait_until_done(bg_pool *p)
{
    worker *owner = &p->workers[0];
    if (spin(owner, is_done))
        return;
    rescue(p);
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

/* The share of a thread: tasks [end - its tasks, end). */
static void give_share(worker *w, bg_task *fn, void *arg, uint32_t tasks, uint32_t run)
{
    const uint32_t each = tasks / w->pool->threads, more = tasks % w->pool->threads, n = w->number, own = each + (n < more);
    w->fn = fn;
    w->arg = arg;
    w->end = (size_t)each * (n + 1) + (n < more ? n + 1 : more);
    atomic_store_explicit(&w->share, (uint64_t)run << 32 | own, memory_order_release);
}

static void run_parallel(bg_pool *p, bg_task *fn, void *arg, uint32_t tasks)
{
    const unsigned sharing = tasks < p->threads ? tasks : p->threads;
    assert(is_done(&p->workers[0])); /* a task must not start another run */
    atomic_store_explicit(&p->unfinished, tasks, memory_order_relaxed);
    p->run++;
    if (p->rescues)
        keep_off(p);
    for (unsigned i = sharing; i-- > 0;)
        give_share(&p->workers[i], fn, arg, tasks, p->run);
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 1; i < sharing; i++)
        if (atomic_load_explicit(&p->workers[i].asleep, memory_order_relaxed))
            wake(&p->workers[i]);
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
        pthread_cond_init(&p->workers[i].wake, NULL);
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
    bg_processors_read(&p->processors);
    pthread_mutex_init(&p->lock, NULL);
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
    for (unsigned i = 1; i <= p->started; i++)
        pthread_cond_signal(&p->workers[i].wake);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 1; i <= p->started; i++)
        pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    for (unsigned i = 0; i < p->threads; i++)
        pthread_cond_destroy(&p->workers[i].wake);
    pthread_mutex_destroy(&p->lock);
    bg_free(p->sys, p->workers);
    bg_free(p->sys, p);
}

unsigned bg_pool_threads(const bg_pool *p) { return p->threads; }
