/* Programs as text, both ways, and state files as text.
 *
 * Assembly: an instruction a line ("ADD A B C", "LOADI 7", "INC"), letters in
 * any case, blanks or commas between operands, comments from ';' or '#' on.
 * Two directives: ".start ACC=5 A=1" sets fields of the state at start (all 0
 * without it), ".byte 1 2 3 4" is an instruction by its bytes, legal or not.
 * Memory behind the last instruction is 0, which is HLT. */
#ifndef BG_SIMCPU_ASSEMBLY_H
#define BG_SIMCPU_ASSEMBLY_H

#include "base/json.h"
#include "simcpu/machine.h"

/* `image` gets memory and the state at start.  Errors name file and line.  The
 * text needs no zero behind it and may hold any bytes. */
bg_status bg_sim_assemble(const char *text, size_t size, const char *name, uint8_t image[BG_SIM_IMAGE], bg_error *err);

/* An instruction as text.  1 and its assembly when it is legal; 0 and "?" with
 * its four bytes when not. */
enum { BG_SIM_TEXT = 32 };
int bg_sim_instruction(const uint8_t code[BG_SIM_CODE], char text[BG_SIM_TEXT]);

typedef enum bg_sim_style {
    BG_SIM_TABLE,    /* a line per state */
    BG_SIM_LISTING,  /* assembly that gives the same memory and start, then the table as comments */
    BG_SIM_REFERENCE /* byte for byte what the published program writes */
} bg_sim_style;

/* The text of a state file of a size that bg_sim_check_size accepts.  Only
 * BG_SIM_REFERENCE can fail other than for memory: at an instruction that the
 * published program has no word for. */
bg_status bg_sim_text(bg_text *t, const uint8_t *data, size_t size, const char *name, bg_sim_style style, bg_error *err);

#endif
