/* The emulator's decoder and signal handler; see support_emulate.h.
 * VEX and EVEX after Intel's Software Developer's Manual, volume 2, chapter 2.
 * The handler calls nothing that is unsafe in one: memcpy and write(2). */
#define _GNU_SOURCE
#include "support_emulate.h"
#include "support_emulate_parts.h"

#if defined(__x86_64__) && defined(__linux__)

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* --- the decoder ------------------------------------------------------------------- */

/* Bits beyond the three of ModRM and SIB, already turned the right way up. */
typedef struct extension {
    unsigned r, r_high, x, b;
} extension;

static unsigned take(insn *i) { return *i->next++; }

static int take_signed(insn *i, int bytes)
{
    int8_t narrow;
    int32_t wide;
    if (bytes == 1) {
        memcpy(&narrow, i->next, 1);
        wide = narrow;
    } else
        memcpy(&wide, i->next, 4);
    i->next += bytes;
    return wide;
}

static int take_prefix(insn *i, extension *e)
{
    const unsigned first = take(i);
    if (first != 0xC4 && first != 0x62)
        return 0;
    const unsigned p0 = take(i), p1 = take(i);
    i->evex = first == 0x62;
    e->r = ~p0 >> 7 & 1;
    e->x = ~p0 >> 6 & 1;
    e->b = ~p0 >> 5 & 1;
    i->wide = p1 >> 7;
    i->first = ~p1 >> 3 & 15;
    i->prefix = p1 & 3;
    if (!i->evex) {
        i->map = p0 & 31;
        i->length = p1 >> 2 & 1;
        return i->length == 0; /* of the VEX instructions only those on tiles are known */
    }
    const unsigned p2 = take(i);
    e->r_high = ~p0 >> 4 & 1;
    i->map = p0 & 7;
    i->zeroing = p2 >> 7;
    i->length = p2 >> 5 & 3;
    i->broadcast = p2 >> 4 & 1;
    i->first |= (~p2 >> 3 & 1) << 4;
    i->mask = p2 & 7;
    return !(p0 & 8) && (p1 & 4) && (i->mask || !i->zeroing);
}

/* Bytes that an 8-bit displacement counts in. */
static int displacement_unit(const insn *i)
{
    switch (i->what->tuple) {
    case FULL_16:
        return i->broadcast ? 2 : (int)i->length;
    case FULL_32:
        return i->broadcast ? 4 : (int)i->length;
    case HALF_WIDE:
        return i->broadcast ? 2 : (int)i->length / 2;
    case WORD:
        return 2;
    default:
        return 1;
    }
}

/* L'L and b: with registers b means a static rounding mode (or none) at full length. */
static int set_length(insn *i, const frame *f)
{
    i->mode = f->mode;
    if (i->broadcast && !i->memory) {
        if (i->what->rounding)
            i->mode = (int)i->length;
        i->length = ZMM_BYTES;
        i->broadcast = 0;
        return i->what->tuple != WORD;
    }
    if (i->length == 3)
        return 0;
    i->length = 16u << i->length;
    return 1;
}

/* ModRM.rm as memory: base + index x scale + displacement. */
static void take_address(insn *i, const frame *f, const extension *e, unsigned mod, unsigned rm)
{
    unsigned base = rm | e->b << 3;
    int without_base = mod == 0 && rm == 5, relative = without_base;
    if (rm == 4) {
        const unsigned sib = take(i), index = (sib >> 3 & 7) | e->x << 3;
        i->has_sib = 1;
        base = (sib & 7) | e->b << 3;
        without_base = mod == 0 && (sib & 7) == 5;
        relative = 0;
        if (index != 4)
            i->stride = (uint64_t)*frame_general(f, index) << (sib >> 6);
    }
    i->address = without_base ? 0 : (uint64_t)*frame_general(f, base);
    if (mod == 1)
        i->address += (uint64_t)((int64_t)take_signed(i, 1) * displacement_unit(i));
    else if (mod == 2 || without_base)
        i->address += (uint64_t)(int64_t)take_signed(i, 4);
    if (relative)
        i->address += (uint64_t)(uintptr_t)i->next + i->what->immediate; /* counts from the end of the instruction */
    else if (i->what->evex)
        i->address += i->stride;
}

/* Only bytes that belong to the instruction are read.  0: not a known one. */
static int decode(insn *i, const frame *f, const uint8_t *at)
{
    extension e = { 0, 0, 0, 0 };
    memset(i, 0, sizeof *i);
    i->at = i->next = at;
    if (!take_prefix(i, &e))
        return 0;
    i->opcode = take(i);
    i->what = known_find(i);
    if (!i->what)
        return 0;
    const unsigned modrm = take(i), mod = modrm >> 6, rm = modrm & 7;
    i->reg = (modrm >> 3 & 7) | e.r << 3 | e.r_high << 4;
    i->memory = mod != 3;
    if (!set_length(i, f))
        return 0;
    if (i->memory)
        take_address(i, f, &e, mod, rm);
    else
        i->rm = rm | e.b << 3 | (i->evex ? e.x << 4 : 0);
    if (i->what->immediate)
        i->immediate = take(i);
    return 1;
}

/* --- the handler ----------------------------------------------------------------------- */

static _Atomic unsigned long done;
static struct sigaction before;

/* Up to 15 bytes, none of them beyond the page. */
static void print_bytes(const char *why, const uint8_t *at)
{
    static const char digits[] = "0123456789abcdef";
    char text[160];
    size_t n = strlen(why);
    memcpy(text, why, n);
    for (int k = 0; k < 15 && (k == 0 || ((uintptr_t)(at + k) & 4095)); k++) {
        text[n++] = ' ';
        text[n++] = digits[at[k] >> 4];
        text[n++] = digits[at[k] & 15];
    }
    text[n++] = '\n';
    if (write(2, text, n) < 0)
        return; /* nothing is left to be told */
}

static void on_illegal(int number, siginfo_t *info, void *context)
{
    frame f;
    insn i;
    greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    unsigned long steps = 0;
    const uint8_t *at = (const uint8_t *)*rip;
    if (info->si_code > 0 && frame_open(&f, context))
        while (decode(&i, &f, at) && i.what->run(&f, &i)) {
            at = i.next;
            steps++;
        }
    *rip = (greg_t)(uintptr_t)at;
    atomic_fetch_add_explicit(&done, steps, memory_order_relaxed);
    if (steps)
        return;
    print_bytes("emulate: an instruction that is not known, or not with these operands:", at);
    signal(SIGILL, SIG_DFL);
    if (info->si_code <= 0)
        raise(SIGILL); /* sent by a process: it would not come again by itself */
}

/* Does a frame hold what is needed?  Only a signal can tell. */
static volatile sig_atomic_t frame_is_good;

static void on_probe(int number, siginfo_t *info, void *context)
{
    frame f;
    frame_is_good = frame_open(&f, context);
}

static int is_installed(void)
{
    struct sigaction now;
    return sigaction(SIGILL, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_illegal;
}

int emulate_begin(void)
{
    struct sigaction action;
    sigset_t illegal;
    if (is_installed())
        return 1;
    if (!frame_prepare())
        return 0;
    sigemptyset(&illegal);
    sigaddset(&illegal, SIGILL);
    pthread_sigmask(SIG_UNBLOCK, &illegal, NULL);
    memset(&action, 0, sizeof action);
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    action.sa_sigaction = on_probe;
    frame_is_good = 0;
    if (sigaction(SIGILL, &action, &before) != 0)
        return 0;
    raise(SIGILL);
    action.sa_sigaction = on_illegal;
    sigaction(SIGILL, frame_is_good ? &action : &before, NULL);
    return frame_is_good;
}

void emulate_end(void)
{
    if (is_installed())
        sigaction(SIGILL, &before, NULL);
}

unsigned long emulate_count(void) { return atomic_load(&done); }

#else

int emulate_begin(void) { return 0; }
void emulate_end(void) { }
unsigned long emulate_count(void) { return 0; }

#endif
