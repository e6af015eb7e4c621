/* Memory of the CPU back end, which is the host's, and the ops on it that no
 * instruction set makes quicker.  Refuses to know shapes. */
#define _DEFAULT_SOURCE /* madvise */
#include "ops/cpu/cpu.h"

#include <string.h>
#include <sys/mman.h>

/* Ask for huge pages behind a large block before it is first touched: rows lie kilobytes
 * apart, and with 4 KiB pages the products spend 3 to 5 % on address translation
 * (measured).  A hint; what it answers does not matter. */
void bg_cpu_huge_pages(void *p, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
    const uintptr_t page = (uintptr_t)2 << 20;
    uintptr_t begin = ((uintptr_t)p + page - 1) & ~(page - 1), end = ((uintptr_t)p + bytes) & ~(page - 1);
    if (end > begin)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#endif
}

void *bg_cpu_alloc(bg_backend *be, size_t bytes)
{
    void *p = bg_alloc(be->sys, 1, bytes);
    if (p) {
        bg_cpu_huge_pages(p, bytes);
        bg_cpu_zero(be, p, bytes);
    }
    return p;
}

void bg_cpu_free(bg_backend *be, void *p) { bg_free(be->sys, p); }

/* One core does not reach the memory bandwidth of two; 1 MiB is large against
 * the cost of handing out a task. */
enum { CLEAR_BYTES = 1 << 20 };

typedef struct clearing {
    char *p;
    size_t bytes;
} clearing;

static void clear_task(void *arg, size_t task, unsigned thread)
{
    clearing *c = arg;
    size_t at = task * CLEAR_BYTES, left = c->bytes - at;
    memset(c->p + at, 0, left < CLEAR_BYTES ? left : CLEAR_BYTES);
}

void bg_cpu_zero(bg_backend *be, void *p, size_t bytes)
{
    clearing c = { p, bytes };
    bg_pool_run(be->pool, clear_task, &c, (bytes + CLEAR_BYTES - 1) / CLEAR_BYTES);
}

void bg_cpu_copy(bg_backend *be, void *dst, const void *src, size_t bytes)
{
    if (bytes)
        memcpy(dst, src, bytes);
}

/* Ops have finished when they return, and nothing of them can fail. */
bg_status bg_cpu_sync(bg_backend *be, bg_error *err) { return BG_OK; }

void bg_cpu_segment_sums(bg_backend *be, double *host, const float *loss, const uint32_t *start, size_t S)
{
    for (size_t s = 0; s < S; s++) {
        double sum = 0;
        for (uint32_t r = start[s]; r < start[s + 1]; r++)
            sum += (double)loss[r];
        host[s] = sum;
    }
}
