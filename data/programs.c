/* The names of generated data sets, and their programs.
 * Refuses what bg_sim_instance() could not make. */
#include "data/programs.h"

#include <string.h>

#define FORM "cpu:SEED[:COUNT[:MIN-MAX[,MIN-MAX...][:OP[,OP...]]]]"

static const char prefix[] = "cpu:";

int bg_programs_named(const char *path) { return strncmp(path, prefix, sizeof prefix - 1) == 0; }

/* Digits at *at; 0 where there are none, or more than 64 bits. */
static int read_number(const char **at, uint64_t *out)
{
    const char *begin = *at;
    uint64_t n = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        const uint64_t digit = (uint64_t)(**at - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return 0;
        n = n * 10 + digit;
    }
    *out = n;
    return *at != begin;
}

static int take(const char **at, char c)
{
    if (**at != c)
        return 0;
    (*at)++;
    return 1;
}

static bg_status read_range(bg_programs *p, const char **at, const char *name, bg_error *err)
{
    uint64_t least, most;
    if (!read_number(at, &least) || !take(at, '-') || !read_number(at, &most))
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: character %d: expected numbers of instructions as MIN-MAX", name, (int)(*at - name) + 1);
    if (least < 1 || least > most || most > BG_SIM_SLOTS)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: %llu-%llu instructions: expected MIN-MAX from 1-1 to %d-%d", name, (unsigned long long)least,
                       (unsigned long long)most, BG_SIM_SLOTS, BG_SIM_SLOTS);
    if (p->ranges == BG_PROGRAM_RANGES)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: more than %d ranges of instructions", name, BG_PROGRAM_RANGES);
    p->range[p->ranges++] = (bg_sim_draw){ (unsigned)least, (unsigned)most, 0 };
    return BG_OK;
}

static bg_status read_ranges(bg_programs *p, const char **at, const char *name, bg_error *err)
{
    do
        BG_TRY(read_range(p, at, name, err));
    while (take(at, ','));
    return BG_OK;
}

static bg_status read_operation(uint32_t *often, const char **at, const char *name, bg_error *err)
{
    const size_t length = strcspn(*at, ",:");
    for (int op = BG_SIM_HLT + 1; op < BG_SIM_OPS; op++)
        if (strlen(bg_sim_ops[op].name) == length && strncmp(bg_sim_ops[op].name, *at, length) == 0) {
            *often |= 1u << op;
            *at += length;
            return BG_OK;
        }
    return bg_fail(err, BG_ERR_ARGUMENT, "%s: character %d: expected operations as ADD,SUB, of those that programs are made of", name, (int)(*at - name) + 1);
}

static bg_status read_operations(bg_programs *p, const char **at, const char *name, bg_error *err)
{
    uint32_t often = 0;
    do
        BG_TRY(read_operation(&often, at, name, err));
    while (take(at, ','));
    for (uint32_t i = 0; i < p->ranges; i++)
        p->range[i].often = often;
    return BG_OK;
}

static bg_status read_count(bg_programs *p, const char **at, const char *name, bg_error *err)
{
    if (**at == ':' || **at == '\0')
        return BG_OK; /* none: endless */
    const char *begin = *at;
    if (!read_number(at, &p->count) || p->count == 0 || p->count >= UINT32_MAX)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: character %d: expected a number of programs from 1 to %u, or nothing", name, (int)(begin - name) + 1, UINT32_MAX - 1);
    return BG_OK;
}

bg_status bg_programs_parse(bg_programs *p, const char *name, bg_error *err)
{
    const char *at = name + sizeof prefix - 1;
    memset(p, 0, sizeof *p);
    if (!read_number(&at, &p->seed))
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: expected " FORM ", with a number below 2^64 as SEED", name);
    if (take(&at, ':'))
        BG_TRY(read_count(p, &at, name, err));
    if (take(&at, ':'))
        BG_TRY(read_ranges(p, &at, name, err));
    if (p->ranges && take(&at, ':'))
        BG_TRY(read_operations(p, &at, name, err));
    if (*at)
        return bg_fail(err, BG_ERR_ARGUMENT, "%s: character %d: '%s' is not understood; expected " FORM, name,
                       (int)(at - name) + 1, at);
    if (p->ranges == 0) { /* the paper's */
        p->ranges = 1;
        p->range[0].least = 1;
        p->range[0].most = BG_SIM_SLOTS - 1;
    }
    return BG_OK;
}

void bg_programs_make(const bg_programs *p, uint64_t i, uint8_t *file, size_t *size)
{
    bg_sim_instance(p->seed, p->first + i, &p->range[p->now], file, size);
}

uint64_t bg_programs_largest(const bg_programs *p)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < p->ranges; i++)
        most = p->range[i].most > most ? p->range[i].most : most;
    return BG_SIM_MEMORY + (1 + most) * BG_SIM_STATE; /* the start, then a state for each fetch */
}
