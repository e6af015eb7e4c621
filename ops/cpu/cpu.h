/* Private to ops/cpu: the open CPU back end and the levels it chooses from.
 *
 * A level is one translation unit, level_NAME.c, compiled for one instruction
 * set.  It sets the vector width VW, includes the kernels (*.inl, written once
 * with GNU vectors) and exports one const bg_cpu_level.  Everything a level
 * compiles is static, so no instruction of one level can be linked into code
 * that runs on a machine without it.  A further level (bf16 tiles, fp16) is a
 * further such file, with kernels of its own where the shared ones don't fit. */
#ifndef BG_OPS_CPU_CPU_H
#define BG_OPS_CPU_CPU_H

#include "ops/ops.h"

enum {
    /* sum_squares adds doubles over blocks of this many floats (16 KiB: in L1) ... */
    BG_CPU_SUM_BLOCK = 4096,
    /* ... and keeps the sums of at most so many blocks before adding them up */
    BG_CPU_SUM_SLOTS = 1024
};

typedef struct bg_cpu {
    bg_backend base;      /* first: a bg_backend * is a bg_cpu * */
    bg_limits limits;
    size_t scratch_floats; /* of each thread */
    float *scratch;        /* (threads, scratch_floats) */
    float *shared;         /* (shared_floats) of all threads, NULL when a level needs none */
    double *sums;          /* (BG_CPU_SUM_SLOTS) */
    int byte_dots;         /* AVX-512 VNNI is there */
} bg_cpu;

typedef struct bg_cpu_level {
    bg_ops ops;
    bg_isa isa;
    const char *precision;
    int loss_scaling; /* see bg_backend */
    /* floats of scratch a thread needs for calls within these limits */
    size_t (*scratch_floats)(const bg_limits *limits);
    /* and all of them together */
    size_t (*shared_floats)(const bg_limits *limits);
} bg_cpu_level;

extern const bg_cpu_level bg_cpu_portable;
#if defined(__x86_64__)
extern const bg_cpu_level bg_cpu_avx2, bg_cpu_avx512, bg_cpu_avx512bf16, bg_cpu_avx512fp16, bg_cpu_amx;
#endif
/* bg_cpu_amx, bg_cpu_avx512bf16 and bg_cpu_avx512fp16 in plain C, for tests */
extern const bg_cpu_level bg_cpu_tiles, bg_cpu_pairs_bf16, bg_cpu_pairs_fp16;

/* bg_cpu_open with the level already chosen. */
bg_status bg_cpu_open_level(bg_backend **out, const bg_sys *sys, bg_pool *pool, const bg_cpu_level *level, const bg_limits *limits, bg_error *err);

/* Are bf16 dot products faster than fp32 multiply-adds here?  They are on AMD's processors, and
 * slower on Intel's.  Measured; only to be asked where BG_ISA_AVX512BF16 is present. */
int bg_cpu_bf16_pays(void);

/* A hint to the system for a block not touched yet (memory.c). */
void bg_cpu_huge_pages(void *p, size_t bytes);

/* Ops that are the same at every level (memory.c). */
void *bg_cpu_alloc(bg_backend *be, size_t bytes);
void bg_cpu_free(bg_backend *be, void *p);
void bg_cpu_zero(bg_backend *be, void *p, size_t bytes);
void bg_cpu_copy(bg_backend *be, void *dst, const void *src, size_t bytes);
bg_status bg_cpu_sync(bg_backend *be, bg_error *err);
void bg_cpu_segment_sums(bg_backend *be, double *host, const float *loss, const uint32_t *start, size_t S);

#endif
