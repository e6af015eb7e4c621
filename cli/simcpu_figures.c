/* Sums of right bytes and states, and their two forms of print.  A state's
 * fields are compared with the machine's own states: a model that went wrong
 * once and goes on from there is wrong as long as it shows. */
#include "cli/simcpu_figures.h"
#include "cli/output.h"
#include "cli/simcpu.h"
#include <stdio.h>
#include <string.h>

enum { AT_PC = 0, AT_ACC = 1, AT_IR = 2, AT_REGISTERS = 6 };

const char *const figure_fields[FIELDS] = { "PC", "ACC changed", "ACC kept", "IR", "registers changed", "registers kept" };

/* Programs of up to so many instructions. */
static const struct length_group { size_t most; const char *name; } lengths[FIGURE_LENGTHS] = {
    { 16, "1-16" }, { 64, "17-64" }, { 128, "65-128" }, { 192, "129-192" }, { SIZE_MAX, "193-256" },
};

static void count(share_of *s, bool right, bool trivial)
{
    s->right += right;
    s->trivial += trivial;
    s->all++;
}

/* What the trivial rule makes of a state. */
static void trivial_state(uint8_t *state, const uint8_t *memory, const uint8_t *before)
{
    memcpy(state, before, BGPT_CPU_STATE);
    memcpy(state + AT_IR, memory + 4 * before[AT_PC], 4);
    state[AT_PC] = (uint8_t)(before[AT_PC] < 255 ? before[AT_PC] + 1 : 255);
}

static int field_of(unsigned at, bool changed)
{
    if (at == AT_PC)
        return FIELD_PC;
    if (at == AT_ACC)
        return changed ? FIELD_ACC_CHANGED : FIELD_ACC_KEPT;
    if (at < AT_REGISTERS)
        return FIELD_IR;
    return changed ? FIELD_CHANGED : FIELD_KEPT;
}

/* The state after `before`; found NULL: it is missing. */
static void add_state(cpu_figures *f, share_of *length[2], const uint8_t *before, const uint8_t *truth, const uint8_t *found, const uint8_t *trivial)
{
    for (unsigned at = 0; at < BGPT_CPU_STATE; at++) {
        const bool right = found != NULL && found[at] == truth[at], easy = trivial[at] == truth[at];
        count(&f->field[field_of(at, truth[at] != before[at])], right, easy);
        count(length[0], right, easy);
        count(length[1], right, easy);
    }
}

static bool equal(const uint8_t *a, const uint8_t *b) { return b != NULL && memcmp(a, b, BGPT_CPU_STATE) == 0; }

static void add_opcode(cpu_figures *f, const uint8_t *instruction, bool right, bool trivial)
{
    const unsigned opcode = instruction[0];
    char text[BGPT_CPU_TEXT];
    if (opcode >= FIGURE_OPCODES)
        return;
    count(&f->opcode[opcode], right, trivial);
    if (f->name[opcode][0] == '\0' && bgpt_cpu_instruction(instruction, text)) {
        text[strcspn(text, " ")] = '\0';
        memcpy(f->name[opcode], text, sizeof text);
    }
}

void figures_add(cpu_figures *f, const uint8_t *truth, size_t truth_size, const uint8_t *found, size_t found_size)
{
    const size_t states = state_count(truth_size), there = state_count(found_size);
    int group = 0;
    while (states - 1 > lengths[group].most)
        group++;
    share_of *length[2] = { &f->length[group], &f->program[states - 1] };
    for (size_t i = 1; i < states; i++) {
        const uint8_t *before = state_at(truth, i - 1), *after = state_at(truth, i), *made = i < there ? state_at(found, i) : NULL;
        uint8_t trivial[BGPT_CPU_STATE];
        trivial_state(trivial, truth, before);
        add_state(f, length, before, after, made, trivial);
        if (i > 1) /* the start has fetched nothing */
            add_opcode(f, before + AT_IR, equal(after, made), equal(after, trivial));
    }
}

static void print_share(const char *name, const share_of *s)
{
    if (s->all > 0)
        out("  %-18s %9.4f %%  (%llu of %llu; the trivial rule: %.4f %%)\n", name, 100 * (double)s->right / (double)s->all, (unsigned long long)s->right,
            (unsigned long long)s->all, 100 * (double)s->trivial / (double)s->all);
}

void figures_print(const cpu_figures *f)
{
    out("bytes right, by field\n");
    for (int i = 0; i < FIELDS; i++)
        print_share(figure_fields[i], &f->field[i]);
    out("bytes right, by instructions of the program\n");
    for (int i = 0; i < FIGURE_LENGTHS; i++)
        print_share(lengths[i].name, &f->length[i]);
    out("states whole, by the instruction carried out\n");
    for (int i = 0; i < FIGURE_OPCODES; i++)
        print_share(f->name[i], &f->opcode[i]);
}

static json_t *share_json(const share_of *s, bool trivial)
{
    return s->all > 0 ? json_real((double)(trivial ? s->trivial : s->right) / (double)s->all) : json_null();
}

static json_t *shares_json(const cpu_figures *f, bool trivial)
{
    json_t *fields = json_object(), *groups = json_object(), *opcodes = json_object();
    for (int i = 0; i < FIELDS; i++)
        json_object_set_new(fields, figure_fields[i], share_json(&f->field[i], trivial));
    for (int i = 0; i < FIGURE_LENGTHS; i++)
        json_object_set_new(groups, lengths[i].name, share_json(&f->length[i], trivial));
    for (int i = 0; i < FIGURE_OPCODES; i++)
        if (f->opcode[i].all > 0)
            json_object_set_new(opcodes, f->name[i], share_json(&f->opcode[i], trivial));
    return json_pack("{s:o, s:o, s:o}", "fields", fields, "lengths", groups, "opcodes", opcodes);
}

json_t *figures_json(const cpu_figures *f)
{
    json_t *o = shares_json(f, false);
    json_object_set_new(o, "trivial", shares_json(f, true));
    return o;
}
