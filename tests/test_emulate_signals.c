/* What lies beneath the emulated instructions: registers that a signal's frame does not
 * store, several threads at once, what is refused as the bare machine would, and the
 * handler of SIGILL put in place and taken away.  As test_emulate.c, it checks the
 * processor where that has the instructions, and is skipped without AVX-512. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support_emulate_check.h"
#include "support_emulate_tiles.h"

#if defined(__x86_64__) && defined(__linux__)

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"
#include "support_check.h"

/* Registers in their initial state are not stored in the frame, and must be all the same. */
static void initial_state(void **state)
{
    bench x;
    NEEDS_EMULATOR;
    memset(&x, 0x55, sizeof x);
    __asm__ volatile("vzeroall; vaddph %%ymm2, %%ymm3, %%ymm1; vmovdqu64 %%zmm1, 200(%0); vzeroupper"
                     : : "r"(&x) : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    for (int i = 0; i < 32; i++)
        fp16_same("zeros", i, &x, 0);
    /* one component comes to life by emulation alone */
    __asm__ volatile("vzeroall; vmovw (%0), %%xmm7; vmovdqu64 %%zmm7, 200(%0); vzeroupper"
                     : : "r"(&x) : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    for (int i = 0; i < 32; i++)
        fp16_same("a word", i, &x, i ? 0 : 0x5555);
}

typedef struct product {
    uint8_t a[ROWS * BYTES], b[ROWS * BYTES], c[ROWS * BYTES];
} product;

static void multiply(void *arg, size_t task, unsigned thread)
{
    product *p = (product *)arg + task;
    bench x;
    tile_configure_alike(ROWS, BYTES);
    LOAD(1, p->a, BYTES);
    LOAD(2, p->b, BYTES);
    for (int i = 0; i < 50; i++) { /* long enough for the threads to meet; the tiles must stay theirs */
        __asm__ volatile("tilezero %%tmm0; nop; tdpbf16ps %%tmm2, %%tmm1, %%tmm0" : :);
        memcpy(x.a, p->a, sizeof x.a);
        memcpy(x.b, p->b, sizeof x.b);
        memcpy(x.d, p->c, sizeof x.d);
        LOW(&x, "vfmadd231ph");
    }
    memcpy(p->c, x.out, sizeof x.out); /* into the first row; the others below */
    STORE(0, p->b, BYTES);
    tile_release();
}

static void workers(void **state)
{
    enum { TASKS = 12 };
    static product p[TASKS], q[TASKS];
    bg_pool *pool;
    bg_error err;
    NEEDS_EMULATOR;
    emulate_reseed();
    for (int t = 0; t < TASKS; t++) {
        tile_random(p[t].a, sizeof p[t].a, 2, 3, 6);
        tile_random(p[t].b, sizeof p[t].b, 2, 3, 6);
        tile_random(p[t].c, sizeof p[t].c, 2, 3, 6);
    }
    memcpy(q, p, sizeof p);
    CHECK_OK(bg_pool_open(&pool, bg_sys_default(), 4, &err), err);
    bg_pool_run(pool, multiply, p, TASKS);
    bg_pool_close(pool);
    for (int t = 0; t < TASKS; t++) {
        uint8_t want[ROWS * BYTES] = { 0 };
        tile_dot_reference(want, q[t].a, q[t].b, 16, 16, 16);
        assert_memory_equal(p[t].b, want, sizeof want);
        for (int i = 0; i < 32; i++) {
            uint16_t a, b, d, got;
            memcpy(&a, q[t].a + 2 * i, 2);
            memcpy(&b, q[t].b + 2 * i, 2);
            memcpy(&d, q[t].c + 2 * i, 2);
            memcpy(&got, p[t].c + 2 * i, 2);
            assert_int_equal(got, fp16_fma(a, b, d));
        }
    }
}

/* The signal that ends a child doing this, or 0; what it wrote to stderr in `text`. */
static int ending_of(void (*act)(void), char *text, size_t size)
{
    int pipes[2], status;
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 2);
        close(pipes[0]);
        act();
        _exit(0);
    }
    close(pipes[1]);
    const ssize_t n = read(pipes[0], text, size - 1);
    text[n > 0 ? n : 0] = 0;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void undefined(void) { __asm__ volatile("ud2"); }
static void sent(void) { raise(SIGILL); }
static void unconfigured(void) { __asm__ volatile("tilerelease; tilezero %%tmm0" : :); }

static void equal_tiles(void)
{
    tile_configure_alike(ROWS, BYTES);
    __asm__ volatile(".byte 0xC4, 0xE2, 0x7A, 0x5C, 0xC1"); /* tdpbf16ps tmm0 += tmm1 tmm0, which no assembler takes */
}

static void wrong_shape(void)
{
    tile_configure_alike(8, BYTES); /* 16 pairs of a, 8 rows of b */
    __asm__ volatile("tdpbf16ps %%tmm2, %%tmm1, %%tmm0" : :);
}

static void seventeen_rows(void) { tile_configure_alike(17, BYTES); }

static void known_then_unknown(void)
{
    tile_configure_alike(ROWS, BYTES);
    __asm__ volatile("tilezero %%tmm0; tilezero %%tmm1; ud2" : :);
}

/* What the bare machine refuses is refused. */
static void refusals(void **state)
{
    char text[256];
    NEEDS_EMULATOR;
    assert_int_equal(ending_of(undefined, text, sizeof text), SIGILL);
    assert_non_null(strstr(text, ": 0f 0b"));
    assert_int_equal(ending_of(known_then_unknown, text, sizeof text), SIGILL);
    assert_non_null(strstr(text, ": 0f 0b"));
    assert_int_equal(ending_of(sent, text, sizeof text), SIGILL);
    assert_int_equal(ending_of(unconfigured, text, sizeof text), SIGILL);
    assert_int_equal(ending_of(equal_tiles, text, sizeof text), SIGILL);
    assert_int_equal(ending_of(wrong_shape, text, sizeof text), SIGILL);
    assert_int_not_equal(ending_of(seventeen_rows, text, sizeof text), 0); /* the processor: SIGSEGV */
}

static volatile sig_atomic_t seen;
static void on_illegal(int number) { seen++; }

static void begin_and_end(void **state)
{
    struct sigaction mine, old;
    NEEDS_EMULATOR;
    emulate_end();
    memset(&mine, 0, sizeof mine);
    mine.sa_handler = on_illegal;
    sigaction(SIGILL, &mine, &old);
    assert_int_equal(emulate_begin(), 1);
    assert_int_equal(emulate_begin(), 1);
    const unsigned long count = emulate_count();
    tile_release();
    if (!bg_isa_present(BG_ISA_AMX))
        assert_int_equal(emulate_count(), count + 1);
    emulate_end();
    emulate_end();
    assert_int_equal(seen, 0);
    raise(SIGILL);
    assert_int_equal(seen, 1);
    sigaction(SIGILL, &old, NULL);
}

static void counts(void **state)
{
    NEEDS_EMULATOR;
    if (!bg_isa_present(BG_ISA_AMX) || !bg_isa_present(BG_ISA_AVX512FP16))
        assert_true(emulate_count() > 0);
    print_message("  %lu instructions were done in software\n", emulate_count());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_state), cmocka_unit_test(workers), cmocka_unit_test(refusals), cmocka_unit_test(begin_and_end),
        cmocka_unit_test(counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) { return emulate_not_here(); }

#endif
