/* The thread pool: every task once, whatever the number of threads; sleeping
 * and waking; signals; a busy neighbour; failing to start.  Run under ThreadSanitizer too. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/pool.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

enum { TASKS = 100000 };
static const unsigned counts[] = { 1, 2, 3, 7 };
#define COUNTS (sizeof counts / sizeof *counts)

/* Plain, not atomic, on purpose: each task is run by one thread, and the end
 * of a run makes its writes visible, or ThreadSanitizer complains. */
typedef struct record {
    unsigned char ran[TASKS];
    unsigned threads;
    atomic_int wrong_thread;
    uint64_t per_thread[BG_MAX_THREADS];
} record;

static record r;

static void mark(void *arg, size_t task, unsigned thread)
{
    record *x = arg;
    if (thread >= x->threads)
        atomic_store(&x->wrong_thread, 1);
    else
        x->per_thread[thread]++;
    x->ran[task]++;
}

static void every_task_once(void **state)
{
    for (size_t c = 0; c < COUNTS; c++) {
        bg_pool *p;
        bg_error err;
        memset(&r, 0, sizeof r);
        r.threads = counts[c];
        CHECK_OK(bg_pool_open(&p, bg_sys_default(), counts[c], &err), err);
        assert_int_equal(bg_pool_threads(p), counts[c]);
        bg_pool_run(p, mark, &r, TASKS);
        uint64_t total = 0;
        for (size_t i = 0; i < TASKS; i++)
            if (r.ran[i] != 1)
                fail_msg("%u threads: task %zu ran %d times", counts[c], i, r.ran[i]);
        for (unsigned t = 0; t < counts[c]; t++)
            total += r.per_thread[t];
        assert_int_equal(total, TASKS);
        assert_false(r.wrong_thread);
        bg_pool_close(p);
    }
}

/* Many short runs: late workers meet a run that is over or the next one. */
static void many_runs(void **state)
{
    for (size_t c = 0; c < COUNTS; c++) {
        bg_pool *p;
        bg_error err;
        CHECK_OK(bg_pool_open(&p, bg_sys_default(), counts[c], &err), err);
        memset(&r, 0, sizeof r);
        r.threads = counts[c];
        for (size_t run = 0; run < 3000; run++) {
            size_t tasks = run % 23;
            bg_pool_run(p, mark, &r, tasks);
            for (size_t i = 0; i < 23; i++) {
                if (r.ran[i] != (i < tasks))
                    fail_msg("%u threads, run %zu: task %zu ran %d times", counts[c], run, i, r.ran[i]);
                r.ran[i] = 0;
            }
            if (run % 300 == 299)
                usleep(300); /* long enough for the workers to fall asleep */
        }
        bg_pool_close(p);
    }
}

/* One task waits for another: only true threads get through, and the owner,
 * which waits longer than it spins, is woken. */
static void meet(void *arg, size_t task, unsigned thread)
{
    atomic_int *arrived = arg;
    atomic_fetch_add(arrived, 1);
    while (atomic_load(arrived) < 3)
        usleep(50);
    if (task == 1)
        usleep(1000);
}

static void threads_run_side_by_side(void **state)
{
    bg_pool *p;
    bg_error err;
    CHECK_OK(bg_pool_open(&p, bg_sys_default(), 3, &err), err);
    for (int i = 0; i < 20; i++) {
        atomic_int arrived = 0;
        bg_pool_run(p, meet, &arrived, 3);
        assert_int_equal(arrived, 3);
        usleep(i % 2 ? 200 : 0);
    }
    bg_pool_close(p);
}

/* Open and close without a run, and as many at once as one likes. */
static void open_and_close(void **state)
{
    bg_pool *p[3];
    bg_error err;
    for (int i = 0; i < 20; i++) {
        for (unsigned k = 0; k < 3; k++)
            CHECK_OK(bg_pool_open(&p[k], bg_sys_default(), k + 1, &err), err);
        for (unsigned k = 0; k < 3; k++)
            bg_pool_close(p[k]);
    }
    bg_pool_close(NULL);
    CHECK_OK(bg_pool_open(&p[0], bg_sys_default(), 0, &err), err);
    assert_true(bg_pool_threads(p[0]) >= 1 && bg_pool_threads(p[0]) <= BG_MAX_THREADS);
    printf("processors: %u\n", bg_pool_threads(p[0]));
    bg_pool_close(p[0]);
    CHECK_FAILS(bg_pool_open(&p[0], bg_sys_default(), 10000, &err), BG_ERR_ARGUMENT, "10000", err);
    assert_null(p[0]);
}

static void allocations(void **state)
{
    bg_error err;
    bg_pool *p;
    uint64_t n = 0, failed = 1;
    for (; failed; n++) {
        fault_sys f;
        fault_open(&f);
        fault_fail(&f, FAULT_ALLOC, n, 0);
        bg_status status = bg_pool_open(&p, &f.sys, 3, &err);
        failed = f.failed[FAULT_ALLOC];
        assert_int_equal(status, failed ? BG_ERR_MEMORY : BG_OK);
        if (status == BG_OK) {
            uint64_t before = f.calls[FAULT_ALLOC];
            memset(&r, 0, sizeof r);
            r.threads = 3;
            bg_pool_run(p, mark, &r, 1000);
            assert_int_equal(f.calls[FAULT_ALLOC], before);
        }
        bg_pool_close(p);
        assert_true(fault_clean(&f));
    }
    assert_int_equal(n, 3);
}

/* The host's handlers run in the host's threads.  The owner blocks the signal
 * too, so it stays pending unless a worker takes it. */
static volatile sig_atomic_t handled;

static void on_signal(int number) { handled++; }

static void signals_stay_outside(void **state)
{
    bg_pool *p;
    bg_error err;
    struct sigaction action, old_action;
    sigset_t before, after, one, pending;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, &old_action);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    CHECK_OK(bg_pool_open(&p, bg_sys_default(), 4, &err), err);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int i = 1; i < 32; i++) /* the owner's own mask is as before */
        assert_int_equal(sigismember(&after, i), sigismember(&before, i));
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    kill(getpid(), SIGUSR1);
    usleep(20000);
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGUSR1));
    assert_int_equal(handled, 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL); /* now it arrives, here */
    assert_int_equal(handled, 1);
    bg_pool_close(p);
    sigaction(SIGUSR1, &old_action, NULL);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__linux__)
static _Atomic int neighbours_stop;

/* Another program on processor *arg. */
static void *neighbour(void *arg)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(*(int *)arg, &one);
    sched_setaffinity(0, sizeof one, &one);
    while (!atomic_load(&neighbours_stop))
        continue;
    return NULL;
}

static void spend(void *arg, size_t task, unsigned thread)
{
    volatile double x = 1;
    for (int i = 0; i < 100000; i++)
        x = x * 1.0000001 + (double)task;
    atomic_fetch_add((_Atomic size_t *)arg, 1);
}

/* Beside a neighbour that keeps a processor busy, threads are put aside in the middle of tasks and moved: each
 * task is run once all the same, and the owner stays free to run anywhere. */
static void busy_neighbour(void **state)
{
    pthread_t thread;
    cpu_set_t all, now;
    bg_error err;
    bg_pool *p;
    int last = 0;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    for (int i = 0; i < CPU_SETSIZE; i++)
        last = CPU_ISSET(i, &all) ? i : last;
    atomic_store(&neighbours_stop, 0);
    assert_int_equal(pthread_create(&thread, NULL, neighbour, &last), 0);
    assert_int_equal(bg_pool_open(&p, bg_sys_default(), 3, &err), BG_OK);
    for (int run = 0; run < 300; run++) {
        _Atomic size_t done = 0;
        bg_pool_run(p, spend, &done, 7);
        assert_int_equal(atomic_load(&done), 7);
    }
    atomic_store(&neighbours_stop, 1);
    pthread_join(thread, NULL);
    bg_pool_close(p);
    assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
    assert_true(CPU_EQUAL(&all, &now));
}
#endif

/* Threads beyond what the address space holds: in a child, whose space is cut
 * to what it has and a little more.  Sanitizers reserve too much for that. */
static void starting_fails(void **state)
{
#ifdef SANITIZED
    skip();
#endif
    pid_t child = fork();
    if (child == 0) {
        unsigned long pages = 0;
        FILE *f = fopen("/proc/self/statm", "r");
        if (!f || fscanf(f, "%lu", &pages) != 1)
            _exit(77);
        fclose(f);
        rlim_t bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)128 << 20);
        struct rlimit limit = { bytes, bytes };
        /* emulators of other processors take the limit and do not keep it */
        if (setrlimit(RLIMIT_AS, &limit) != 0 || mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
            _exit(77);
        bg_pool *p;
        bg_error err = { BG_OK, "" };
        bg_status status = bg_pool_open(&p, bg_sys_default(), BG_MAX_THREADS, &err);
        int right = status == BG_ERR_MEMORY && !p && strstr(err.text, "cannot start thread") && strstr(err.text, "of 256");
        bg_pool_close(p);
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_once), cmocka_unit_test(many_runs),
        cmocka_unit_test(threads_run_side_by_side), cmocka_unit_test(open_and_close),
        cmocka_unit_test(allocations), cmocka_unit_test(signals_stay_outside), cmocka_unit_test(starting_fails),
#if defined(__linux__)
        cmocka_unit_test(busy_neighbour),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
