/* Measuring peaks.  All threads run the same loop for the same time; the rate
 * is the work of all over the time from the first start to the last end, and
 * the best of a few tries counts, because a peak is what is possible at most.
 *
 * A bandwidth needs a buffer that lies in the wanted memory and in no nearer
 * one.  Refuses to name a level that the threads' buffers cannot be kept apart for. */
#include "run/bench_peak.h"

#include "run/bench_rates.h"
#include "run/trainer.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TRIES = 5,        /* of which the best counts */
    MIB = 1 << 20,
    CHUNK = 4 * MIB,  /* read between two looks at the clock: a tenth of a millisecond and more */
    PAGE = 4096
};

const char *bg_memory_name(bg_memory m)
{
    static const char *const names[] = { "L2", "L3", "DRAM" };
    return names[m];
}

/* --- all threads at once ------------------------------------------------------------ */

typedef struct meter {
    bg_rates rates;
    const bg_flop_rate *flop; /* NULL: read */
    float *buffer;            /* (threads, floats) */
    size_t floats;
    double seconds;           /* that each thread works at least */
    double begin[BG_MAX_THREADS], end[BG_MAX_THREADS], work[BG_MAX_THREADS];
} meter;

static double work_once(const meter *m, size_t task, float *sink, const float *in)
{
    if (m->flop) {
        m->flop->run(sink, in);
        return m->flop->flop;
    }
    const size_t bytes = m->floats * sizeof *m->buffer, times = bytes < CHUNK ? CHUNK / bytes : 1;
    for (size_t i = 0; i < times; i++)
        m->rates.read(sink, m->buffer + task * m->floats, m->floats);
    return (double)(bytes * times);
}

/* 0x3800 is 0.5 as fp16 and 3e-5 as bf16, twice of it 3e-5 as fp32: no sum of them overflows or becomes denormal. */
static void fill(float *x, size_t n)
{
    const uint32_t bits = 0x38003800;
    for (size_t i = 0; i < n; i++)
        memcpy(x + i, &bits, sizeof bits);
}

static void work_task(void *arg, size_t task, unsigned thread)
{
    meter *m = arg;
    float sink[BG_RATE_FLOATS], in[BG_RATE_FLOATS];
    fill(in, BG_RATE_FLOATS);
    double now = m->begin[task] = bg_clock();
    for (m->work[task] = 0; now - m->begin[task] < m->seconds; now = bg_clock())
        m->work[task] += work_once(m, task, sink, in);
    m->end[task] = now;
}

static double rate_once(meter *m, bg_pool *pool)
{
    const unsigned threads = bg_pool_threads(pool);
    double begin = INFINITY, end = 0, work = 0;
    bg_pool_run(pool, work_task, m, threads);
    for (unsigned i = 0; i < threads; i++) {
        begin = fmin(begin, m->begin[i]);
        end = fmax(end, m->end[i]);
        work += m->work[i];
    }
    return work / (end - begin);
}

static double best_rate(meter *m, bg_pool *pool)
{
    double best = 0;
    for (int i = 0; i < TRIES; i++)
        best = fmax(best, rate_once(m, pool));
    return best;
}

/* --- sizes of caches ------------------------------------------------------------------ */

typedef struct cache {
    uint64_t bytes;  /* of one */
    unsigned shared; /* processors that share it */
} cache;

/* What Linux tells of processor 0's cache; 0 when it does not. */
static int read_fact(char text[64], const bg_sys *sys, int index, const char *fact)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, fact);
    int fd = sys->open(sys->ctx, path, O_RDONLY, 0);
    if (fd < 0)
        return 0;
    ssize_t n = sys->read(sys->ctx, fd, text, 63);
    sys->close(sys->ctx, fd);
    text[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* "0-7,64-71" is 16. */
static unsigned count_list(const char *text)
{
    unsigned n = 0;
    while (*text >= '0' && *text <= '9') {
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        n += last >= first ? (unsigned)(last - first + 1) : 0;
        text = end + (*end == ',');
    }
    return n;
}

/* The C library's answer is the second choice: it takes all caches of a socket for one. */
static cache find_cache(const bg_sys *sys, int level, long fallback)
{
    char text[64], end;
    unsigned long long kib;
    cache c = { fallback > 0 ? (uint64_t)fallback : level == 2 ? 1 * MIB : 16 * MIB, 1 };
    for (int index = 0; index < 8 && read_fact(text, sys, index, "level"); index++) {
        if (atoi(text) != level || !read_fact(text, sys, index, "size") || sscanf(text, "%llu%c", &kib, &end) != 2 || end != 'K' || kib == 0)
            continue;
        c.bytes = kib * 1024;
        if (read_fact(text, sys, index, "shared_cpu_list") && count_list(text) > 0)
            c.shared = count_list(text);
        break;
    }
    return c;
}

static long library_size(int level)
{
#if defined(_SC_LEVEL2_CACHE_SIZE) && defined(_SC_LEVEL3_CACHE_SIZE)
    return sysconf(level == 2 ? _SC_LEVEL2_CACHE_SIZE : _SC_LEVEL3_CACHE_SIZE);
#else
    return 0;
#endif
}

/* --- bandwidths ------------------------------------------------------------------------- */

/* Bytes that each of the threads gets of a cache, when those that share it work too. */
static uint64_t share_of(const cache *c, unsigned threads)
{
    return c->bytes / (c->shared < threads ? c->shared : threads);
}

/* Buffers of each thread.  Half of its share is safe from others; an L3 buffer must be twice the L2 for its lines
 * to have left that before they are read again.  0: no such buffer. */
static void plan_buffers(uint64_t size[BG_MEMORIES], bg_peaks *p, const bg_sys *sys, unsigned threads)
{
    const cache l2 = find_cache(sys, 2, library_size(2)), l3 = find_cache(sys, 3, library_size(3));
    const uint64_t near = share_of(&l2, threads), far = share_of(&l3, threads);
    const uint64_t most = (uint64_t)512 * MIB, dram = 4 * far * threads;
    p->memory[BG_MEMORY_L2].capacity = near * threads;
    p->memory[BG_MEMORY_L3].capacity = far * threads;
    size[BG_MEMORY_L2] = near / 2;
    size[BG_MEMORY_L3] = far / 2 >= 2 * near ? far / 2 : far / 4 * 3 >= 2 * near ? 2 * near : 0;
    size[BG_MEMORY_DRAM] = (dram < most ? dram : most) / threads;
    for (int i = 0; i < BG_MEMORIES; i++)
        size[i] = size[i] / PAGE * PAGE;
}

static bg_status read_memory(bg_peaks *p, bg_memory which, meter *m, bg_backend *be, uint64_t bytes, bg_error *err)
{
    const unsigned threads = bg_pool_threads(be->pool);
    if (bytes == 0)
        return BG_OK;
    m->floats = bytes / sizeof *m->buffer;
    m->buffer = be->ops->alloc(be, bytes * threads);
    if (!m->buffer)
        return bg_fail_memory(err, "the buffers to measure bandwidth with", bytes * threads);
    fill(m->buffer, m->floats * threads);
    p->memory[which].bytes_per_second = best_rate(m, be->pool);
    be->ops->free(be, m->buffer);
    return BG_OK;
}

/* --- all of it ----------------------------------------------------------------------------- */

bg_status bg_peaks_measure(bg_peaks *p, bg_backend *be, double seconds, int (*stop)(void *ctx), void *ctx, bg_error *err)
{
    uint64_t size[BG_MEMORIES];
    meter m = { .rates = bg_rates_of(be->isa, be->precision), .seconds = seconds / TRIES };
    plan_buffers(size, p, be->sys, bg_pool_threads(be->pool));
    m.flop = &m.rates.fp32;
    p->fp32_flops = p->product_flops = best_rate(&m, be->pool);
    if (m.rates.product.run != m.rates.fp32.run) {
        m.flop = &m.rates.product;
        p->product_flops = best_rate(&m, be->pool);
    }
    m.flop = NULL;
    for (int i = 0; i < BG_MEMORIES; i++) {
        p->memory[i].bytes_per_second = NAN;
        if (stop && stop(ctx))
            return bg_fail(err, BG_ERR_INTERRUPTED, "interrupted while the peaks were measured");
        BG_TRY(read_memory(p, (bg_memory)i, &m, be, size[i], err));
    }
    return BG_OK;
}
