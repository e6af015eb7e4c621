/* State files as text: a table, a listing that can be assembled again, and the
 * published program's layout.  Takes what is in the file as it is: whether a
 * state follows from the one before is not asked here (simcpu/states.h). */
#include "simcpu/assembly.h"

#include <stdio.h>
#include <string.h>

/* --- one instruction ---------------------------------------------------------- */

/* The published program's words: opcode and operands with one blank between
 * each, missing ones as nothing, blanks at the end cut.  0 when it has none. */
static int words_of(const uint8_t code[BG_SIM_CODE], char text[BG_SIM_TEXT])
{
    if (code[0] >= BG_SIM_OPS)
        return 0;
    int n = snprintf(text, BG_SIM_TEXT, "%s", bg_sim_ops[code[0]].name);
    int seen = n;
    for (int i = 1; i < BG_SIM_CODE; i++) {
        text[n++] = ' ';
        if (i == 1 && code[0] == BG_SIM_LOADI)
            n += snprintf(text + n, 4, "%u", code[1]);
        else if (code[i] > BG_SIM_REGISTERS)
            return 0;
        else if (code[i])
            text[n++] = bg_sim_fields[BG_SIM_A - 1 + code[i]][0];
        if (text[n - 1] != ' ')
            seen = n;
    }
    text[seen] = 0;
    return 1;
}

int bg_sim_instruction(const uint8_t code[BG_SIM_CODE], char text[BG_SIM_TEXT])
{
    if (bg_sim_legal(code, NULL))
        return words_of(code, text);
    snprintf(text, BG_SIM_TEXT, "? %u %u %u %u", code[0], code[1], code[2], code[3]);
    return 0;
}

/* --- the table ------------------------------------------------------------------ */

static void table_row(bg_text *t, const uint8_t *state, size_t step)
{
    static const uint8_t nothing[BG_SIM_CODE];
    char text[BG_SIM_TEXT];
    bg_sim_instruction(&state[BG_SIM_IR], text);
    int fresh = step == 0 && memcmp(&state[BG_SIM_IR], nothing, BG_SIM_CODE) == 0;
    bg_text_add(t, "%4zu  %3u  %3u  %-17s", step, state[BG_SIM_PC], state[BG_SIM_ACC], fresh ? "(start)" : text);
    for (int r = 0; r < BG_SIM_REGISTERS; r++)
        bg_text_add(t, " %3u", state[BG_SIM_A + r]);
    bg_text_raw(t, "\n", 1);
}

static void table(bg_text *t, const uint8_t *states, size_t count, const char *prefix)
{
    if (count == 0)
        return;
    bg_text_add(t, "%sstep   PC  ACC  %-17s", prefix, "to be run");
    for (int r = 0; r < BG_SIM_REGISTERS; r++)
        bg_text_add(t, " %3s", bg_sim_fields[BG_SIM_A + r]);
    bg_text_raw(t, "\n", 1);
    for (size_t i = 0; i < count; i++) {
        bg_text_add(t, "%s", prefix);
        table_row(t, states + i * BG_SIM_STATE, i);
    }
}

/* --- the listing ------------------------------------------------------------------ */

/* Instructions that must be written for the same memory: to the last byte that
 * is not 0, and the HLT behind it. */
static size_t slots_used(const uint8_t *memory)
{
    size_t bytes = BG_SIM_MEMORY;
    while (bytes > 0 && memory[bytes - 1] == 0)
        bytes--;
    size_t slots = (bytes + BG_SIM_CODE - 1) / BG_SIM_CODE + 1;
    return slots < BG_SIM_SLOTS ? slots : BG_SIM_SLOTS;
}

static void start_line(bg_text *t, const uint8_t *state)
{
    bg_text_add(t, ".start");
    for (int i = 0; i < BG_SIM_STATE; i++)
        if (state[i] || i == BG_SIM_ACC || i >= BG_SIM_A) /* PC and IR are 0 in any ordinary start */
            bg_text_add(t, " %s=%u", bg_sim_fields[i], state[i]);
    bg_text_raw(t, "\n", 1);
}

static void listing(bg_text *t, const uint8_t *data, size_t states)
{
    char text[BG_SIM_TEXT];
    if (states)
        start_line(t, data + BG_SIM_MEMORY);
    for (size_t i = 0, n = slots_used(data); i < n; i++) {
        const uint8_t *code = data + i * BG_SIM_CODE;
        if (bg_sim_instruction(code, text))
            bg_text_add(t, "%s\n", text);
        else
            bg_text_add(t, ".byte %u %u %u %u\n", code[0], code[1], code[2], code[3]);
    }
    if (states)
        bg_text_raw(t, "\n", 1);
    table(t, data + BG_SIM_MEMORY, states, "; ");
}

/* --- the published layout ------------------------------------------------------------ */

static bg_status no_word(const uint8_t *data, const uint8_t *code, const char *name, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "%s: byte %zu: the reference has no word for the instruction %u %u %u %u", name,
                   (size_t)(code - data), code[0], code[1], code[2], code[3]);
}

static bg_status reference_program(bg_text *t, const uint8_t *data, const char *name, bg_error *err)
{
    char text[BG_SIM_TEXT] = "";
    bg_text_add(t, "Program: [");
    for (size_t i = 0; i < BG_SIM_SLOTS && strcmp(text, "HLT") != 0; i++) {
        if (!words_of(data + i * BG_SIM_CODE, text))
            return no_word(data, data + i * BG_SIM_CODE, name, err);
        bg_text_add(t, "%s'%s'", i ? ", " : "", text);
    }
    bg_text_add(t, "]\n\n");
    return BG_OK;
}

static bg_status reference(bg_text *t, const uint8_t *data, size_t states, const char *name, bg_error *err)
{
    char text[BG_SIM_TEXT];
    BG_TRY(reference_program(t, data, name, err));
    for (size_t i = 0; i < states; i++) {
        const uint8_t *s = data + BG_SIM_MEMORY + i * BG_SIM_STATE;
        if (!words_of(&s[BG_SIM_IR], text))
            return no_word(data, &s[BG_SIM_IR], name, err);
        bg_text_add(t, "State at step %zu:\nPC: %u\nACC: %u\nIR: %s\nRegisters: {", i, s[BG_SIM_PC], s[BG_SIM_ACC], text);
        for (int r = 0; r < BG_SIM_REGISTERS; r++)
            bg_text_add(t, "%s'%s': %u", r ? ", " : "", bg_sim_fields[BG_SIM_A + r], s[BG_SIM_A + r]);
        bg_text_add(t, "}\n\n");
    }
    return BG_OK;
}

bg_status bg_sim_text(bg_text *t, const uint8_t *data, size_t size, const char *name, bg_sim_style style, bg_error *err)
{
    size_t states = (size - BG_SIM_MEMORY) / BG_SIM_STATE;
    if (style == BG_SIM_REFERENCE)
        BG_TRY(reference(t, data, states, name, err));
    else if (style == BG_SIM_LISTING)
        listing(t, data, states);
    else
        table(t, data + BG_SIM_MEMORY, states, "");
    return t->failed ? bg_fail_memory(err, name, t->size) : BG_OK;
}
