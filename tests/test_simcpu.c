/* The simulated processor: each instruction, whole runs against the published
 * program's files, assembly both ways, judging state files, and random
 * instances against the distributions they are meant to have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>

#include "simcpu/assembly.h"
#include "simcpu/generate.h"
#include "simcpu/states.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

/* --- instructions ------------------------------------------------------------- */

/* ACC, A, B, C before and after one instruction. */
typedef struct op_case {
    const char *text;
    uint8_t before[4], after[4];
} op_case;

static const op_case op_cases[] = {
    { "HLT", { 1, 2, 3, 4 }, { 1, 2, 3, 4 } },
    { "CLR", { 9, 2, 3, 4 }, { 0, 2, 3, 4 } },
    { "CLR A", { 9, 2, 3, 4 }, { 9, 0, 3, 4 } },
    { "INC", { 9, 2, 3, 4 }, { 10, 2, 3, 4 } },
    { "INC", { 255, 2, 3, 4 }, { 255, 2, 3, 4 } },
    { "INC B", { 9, 2, 254, 4 }, { 9, 2, 255, 4 } },
    { "INC B", { 9, 2, 255, 4 }, { 9, 2, 255, 4 } },
    { "DEC", { 0, 2, 3, 4 }, { 0, 2, 3, 4 } },
    { "DEC C", { 9, 2, 3, 4 }, { 9, 2, 3, 3 } },
    { "SHL", { 0xC1, 2, 3, 4 }, { 0x82, 2, 3, 4 } },
    { "SHL A", { 9, 0x80, 3, 4 }, { 9, 0, 3, 4 } },
    { "SHR", { 0xC1, 2, 3, 4 }, { 0x60, 2, 3, 4 } },
    { "SHR A", { 9, 1, 3, 4 }, { 9, 0, 3, 4 } },
    { "ROL", { 0xC1, 2, 3, 4 }, { 0x83, 2, 3, 4 } },
    { "ROL B", { 9, 2, 0x80, 4 }, { 9, 2, 1, 4 } },
    { "ROR", { 0xC1, 2, 3, 4 }, { 0xE0, 2, 3, 4 } },
    { "ROR B", { 9, 2, 1, 4 }, { 9, 2, 0x80, 4 } },
    { "NOT", { 0x0F, 2, 3, 4 }, { 0xF0, 2, 3, 4 } },
    { "NOT C", { 9, 2, 3, 0 }, { 9, 2, 3, 255 } },
    { "PUSH B", { 9, 2, 3, 4 }, { 3, 2, 3, 4 } },
    { "POP B", { 9, 2, 3, 4 }, { 9, 2, 9, 4 } },
    { "LOADI 0", { 9, 2, 3, 4 }, { 0, 2, 3, 4 } },
    { "LOADI 255", { 9, 2, 3, 4 }, { 255, 2, 3, 4 } },
    { "SWAP A", { 9, 2, 3, 4 }, { 2, 9, 3, 4 } },
    { "SWAP A C", { 9, 2, 3, 4 }, { 9, 4, 3, 2 } },
    { "SWAP A A", { 9, 2, 3, 4 }, { 9, 2, 3, 4 } },
    { "ADD A", { 9, 2, 3, 4 }, { 11, 2, 3, 4 } },
    { "ADD A B", { 9, 200, 55, 4 }, { 9, 255, 55, 4 } },
    { "ADD A B C", { 9, 200, 56, 4 }, { 9, 200, 56, 255 } },
    { "SUB A", { 9, 10, 3, 4 }, { 0, 10, 3, 4 } },
    { "SUB A B", { 9, 10, 3, 4 }, { 9, 7, 3, 4 } },
    { "SUB A B C", { 9, 3, 10, 4 }, { 9, 3, 10, 0 } },
    { "MUL A", { 16, 16, 3, 4 }, { 255, 16, 3, 4 } },
    { "MUL A B", { 9, 5, 51, 4 }, { 9, 255, 51, 4 } },
    { "MUL A B C", { 9, 5, 50, 4 }, { 9, 5, 50, 250 } },
    { "DIV A", { 9, 0, 3, 4 }, { 255, 0, 3, 4 } },
    { "DIV A B", { 9, 7, 2, 4 }, { 9, 3, 2, 4 } },
    { "DIV A B C", { 9, 0, 0, 4 }, { 9, 0, 0, 255 } },
    { "DIV A A", { 9, 0, 0, 4 }, { 9, 255, 0, 4 } },
    { "AND A", { 0x3C, 0x0F, 3, 4 }, { 0x0C, 0x0F, 3, 4 } },
    { "AND A B", { 9, 0x3C, 0x0F, 4 }, { 9, 0x0C, 0x0F, 4 } },
    { "AND A B C", { 9, 0x3C, 0x0F, 4 }, { 9, 0x3C, 0x0F, 0x0C } },
    { "OR A", { 0x30, 0x0F, 3, 4 }, { 0x3F, 0x0F, 3, 4 } },
    { "OR A B", { 9, 0x30, 0x0F, 4 }, { 9, 0x3F, 0x0F, 4 } },
    { "OR A B C", { 9, 0x30, 0x0F, 4 }, { 9, 0x30, 0x0F, 0x3F } },
    { "XOR A", { 0x3C, 0x0F, 3, 4 }, { 0x33, 0x0F, 3, 4 } },
    { "XOR A B", { 9, 0x3C, 0x0F, 4 }, { 9, 0x33, 0x0F, 4 } },
    { "XOR A A A", { 9, 0x3C, 0x0F, 4 }, { 9, 0, 0x0F, 4 } },
    { "XOR A B C", { 9, 0x3C, 0x0F, 4 }, { 9, 0x3C, 0x0F, 0x33 } },
    { "MOV A C", { 9, 2, 3, 4 }, { 9, 4, 3, 4 } },
};

static const unsigned case_places[4] = { BG_SIM_ACC, BG_SIM_A, BG_SIM_A + 1, BG_SIM_A + 2 };

static void test_instructions(void **state)
{
    bg_error err;
    for (size_t i = 0; i < sizeof op_cases / sizeof *op_cases; i++) {
        const op_case *c = &op_cases[i];
        uint8_t image[BG_SIM_IMAGE], *s = image + BG_SIM_MEMORY, expected[BG_SIM_STATE];
        CHECK_OK(bg_sim_assemble(c->text, strlen(c->text), "case", image, &err), err);
        for (int r = 0; r < BG_SIM_REGISTERS; r++)
            s[BG_SIM_A + r] = (uint8_t)(100 + r); /* D to J must keep these */
        for (int k = 0; k < 4; k++)
            s[case_places[k]] = c->before[k];
        bg_sim_fetch(s, image);
        memcpy(expected, s, BG_SIM_STATE);
        for (int k = 0; k < 4; k++)
            expected[case_places[k]] = c->after[k];
        bg_sim_execute(s);
        for (int k = 0; k < BG_SIM_STATE; k++)
            if (s[k] != expected[k])
                fail_msg("%s: %s is %u, wanted %u", c->text, bg_sim_fields[k], s[k], expected[k]);
    }
}

/* Each pair of values, against arithmetic on doubles. */
static double exact(int op, double x, double y)
{
    double r = op == 13 ? x + y : op == 14 ? x - y : op == 15 ? x * y : y == 0 ? 255 : floor(x / y);
    return r < 0 ? 0 : r > 255 ? 255 : r;
}

static void test_arithmetic(void **state)
{
    for (int op = 13; op <= 16; op++)
        for (int x = 0; x < 256; x++)
            for (int y = 0; y < 256; y++) {
                uint8_t s[BG_SIM_STATE] = { 0, 0, (uint8_t)op, 1, 2, 3, (uint8_t)x, (uint8_t)y };
                bg_sim_execute(s);
                if (s[BG_SIM_A + 2] != exact(op, x, y) || s[BG_SIM_A] != x || s[BG_SIM_A + 1] != y)
                    fail_msg("%s: %d and %d gave %u", bg_sim_ops[op].name, x, y, s[BG_SIM_A + 2]);
            }
}

static void test_operand_counts(void **state)
{
    for (unsigned op = 0; op < 256; op++)
        for (unsigned count = 0; count < 4; count++) {
            uint8_t code[BG_SIM_CODE] = { (uint8_t)op };
            for (unsigned i = 1; i <= count; i++)
                code[i] = (uint8_t)(i + 7);
            int wanted = op < BG_SIM_OPS && count >= bg_sim_ops[op].least && count <= bg_sim_ops[op].most;
            if (op == BG_SIM_LOADI && count == 0)
                wanted = 1; /* LOADI 0 */
            if (bg_sim_legal(code, NULL) != wanted)
                fail_msg("opcode %u with %u operands", op, count);
        }
    static const uint8_t wrong[][BG_SIM_CODE] = { { 2, 11 }, { 13, 1, 0, 2 }, { 13, 0, 1 }, { 20, 1, 255 }, { 11, 5, 1 }, { 0, 1 } };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(bg_sim_legal(wrong[i], NULL));
}

/* --- runs ------------------------------------------------------------------------ */

static void test_run(void **state)
{
    uint8_t memory[BG_SIM_MEMORY], start[BG_SIM_STATE] = { 0 }, states[BG_SIM_STATES * BG_SIM_STATE];
    size_t count;
    bg_error err;
    for (int i = 0; i < BG_SIM_SLOTS; i++)
        memcpy(memory + 4 * i, (uint8_t[4]){ 2, 1 }, 4); /* INC A */
    CHECK_FAILS(bg_sim_run(memory, start, "loop", states, &count, &err), BG_ERR_FORMAT, "loop: never halts", err);
    memset(memory + 4 * 255, 0, 4);
    CHECK_OK(bg_sim_run(memory, start, "full", states, &count, &err), err);
    assert_int_equal(count, BG_SIM_STATES);
    const uint8_t *last = states + 256 * BG_SIM_STATE;
    assert_int_equal(last[BG_SIM_PC], 255);
    assert_int_equal(last[BG_SIM_PC - BG_SIM_STATE], 255);
    assert_int_equal(last[BG_SIM_A], 255);
    assert_int_equal(last[BG_SIM_IR], BG_SIM_HLT);
    start[BG_SIM_PC] = 254;
    CHECK_OK(bg_sim_run(memory, start, "late", states, &count, &err), err);
    assert_int_equal(count, 3);
    start[BG_SIM_PC] = 0;
    memory[4] = 21;
    CHECK_FAILS(bg_sim_run(memory, start, "x.bin", states, &count, &err), BG_ERR_FORMAT, "x.bin: instruction 1 (byte 4): opcode 21", err);
    memory[4] = 9, memory[5] = 0;
    CHECK_FAILS(bg_sim_run(memory, start, "x.bin", states, &count, &err), BG_ERR_FORMAT, "PUSH takes 1 operand, not 0", err);
}

/* --- the published program's files -------------------------------------------------- */

/* A translated file: the text is the published one, its listing assembles to
 * the same memory and start, and running gives the same bytes. */
static void check_reference(const char *folder, const char *stem)
{
    char path[1024], text_path[1024];
    size_t size, count;
    bg_error err;
    bg_text t;
    uint8_t image[BG_SIM_IMAGE], states[BG_SIM_STATES * BG_SIM_STATE];
    snprintf(path, sizeof path, "%s/%s.bin", folder, stem);
    snprintf(text_path, sizeof text_path, "%s/%s.txt", folder, stem);
    uint8_t *file = fs_read(path, &size);
    CHECK_OK(bg_sim_check_size(size, path, &err), err);
    bg_text_open(&t, bg_sys_default());
    CHECK_OK(bg_sim_text(&t, file, size, path, BG_SIM_REFERENCE, &err), err);
    assert_true(fs_holds(text_path, t.data, t.size));
    bg_text_close(&t);
    bg_text_open(&t, bg_sys_default());
    CHECK_OK(bg_sim_text(&t, file, size, path, BG_SIM_LISTING, &err), err);
    CHECK_OK(bg_sim_assemble(t.data, t.size, path, image, &err), err);
    bg_text_close(&t);
    assert_memory_equal(image, file, BG_SIM_IMAGE);
    CHECK_OK(bg_sim_run(image, image + BG_SIM_MEMORY, path, states, &count, &err), err);
    assert_int_equal(BG_SIM_MEMORY + count * BG_SIM_STATE, size);
    assert_memory_equal(states, file + BG_SIM_MEMORY, count * BG_SIM_STATE);
    free(file);
}

static int check_folder(const char *part)
{
    char folder[512], stem[256];
    const char *source = getenv("BGPT_SOURCE");
    int checked = 0;
    snprintf(folder, sizeof folder, "%s/%s", source ? source : ".", part);
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (sscanf(e->d_name, "%32[0-9a-f].bin", stem) != 1 || !strstr(e->d_name, ".bin"))
            continue;
        check_reference(folder, stem);
        checked++;
    }
    if (dir)
        closedir(dir);
    return checked;
}

static void test_reference_fixtures(void **state) { assert_int_equal(check_folder("tests/fixtures/cpu"), 3); }

static void test_reference_all(void **state)
{
    int checked = check_folder("../shared/reference/cpu");
    if (!checked)
        skip();
    assert_int_equal(checked, 30);
}

/* --- assembly ---------------------------------------------------------------------- */

static void test_assembler(void **state)
{
    static const char text[] = "; a comment\n\n.start acc=253, j=7 PC=0\r\n  add a,b C # and one\n\tLoadI 007\n.BYTE 200 0 0 255\nhlt";
    static const uint8_t memory[] = { 13, 1, 2, 3, 11, 7, 0, 0, 200, 0, 0, 255, 0, 0, 0, 0 };
    uint8_t image[BG_SIM_IMAGE];
    bg_error err;
    CHECK_OK(bg_sim_assemble(text, sizeof text - 1, "t", image, &err), err);
    assert_memory_equal(image, memory, sizeof memory);
    assert_int_equal(image[BG_SIM_MEMORY + BG_SIM_ACC], 253);
    assert_int_equal(image[BG_SIM_IMAGE - 1], 7);
}

static void test_assembler_refuses(void **state)
{
    static const struct { const char *text, *part; } cases[] = {
        { "INC\nFOO A\n", "t:2: FOO is no instruction" },
        { "INC K", "t:1: K is no register" },
        { "INC 1", "t:1: 1 is no register" },
        { "INC A B", "INC takes 0 to 1 registers, not 2" },
        { "PUSH", "PUSH takes 1 register, not 0" },
        { "MOV A", "MOV takes 2 registers, not 1" },
        { "ADD A B C D", "ADD takes 1 to 3 registers, not 4" },
        { "HLT A", "HLT takes 0 register" },
        { "LOADI", "LOADI takes 1 number, not 0" },
        { "LOADI 256", "LOADI takes a number from 0 to 255, not 256" },
        { "LOADI -1", "not -1" },
        { "LOADI 0000000000000000000000000000000000000000000000000000000000000000000000000000001", "LOADI takes a number" },
        { ".byte 1 2 3", ".byte wants 4 numbers, not 3" },
        { ".byte 1 2 3 x", "x is not a number" },
        { ".start K=1\nINC", "K is no field" },
        { ".start ACC=256\nINC", "ACC=256: not a number from 0 to 255" },
        { ".start ACC\nINC", ".start wants FIELD=NUMBER" },
        { "A A A A A A A A A A A A A A A A A A A A A A", "words in a line" },
        { "", "t: no instruction in it" },
        { "; nothing\n\n", "t: no instruction in it" },
    };
    uint8_t image[BG_SIM_IMAGE];
    bg_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_FAILS(bg_sim_assemble(cases[i].text, strlen(cases[i].text), "t", image, &err), BG_ERR_FORMAT, cases[i].part, err);
    char many[257 * 4 + 1] = "";
    for (int i = 0; i < 257; i++)
        memcpy(many + 4 * i, "INC\n", 4);
    CHECK_OK(bg_sim_assemble(many, 256 * 4, "t", image, &err), err);
    CHECK_FAILS(bg_sim_assemble(many, 257 * 4, "t", image, &err), BG_ERR_FORMAT, "t:257: more than 256 instructions", err);
}

/* Any 1040 bytes come back through the listing, legal instructions or not. */
static void test_round_trip(void **state)
{
    uint8_t file[BG_SIM_FILE], image[BG_SIM_IMAGE];
    size_t size;
    bg_error err;
    for (uint64_t i = 0; i < 500; i++) {
        bg_text t;
        bg_sim_instance(3, i, &(bg_sim_draw){ 1, 256, 0 }, file, &size);
        for (uint64_t k = 0; k < i % 4 * 20; k++) /* three of four with damage */
            file[(k * 7919 + i * 31) % BG_SIM_IMAGE] = (uint8_t)(k * 37 + i);
        bg_text_open(&t, bg_sys_default());
        CHECK_OK(bg_sim_text(&t, file, size, "file", BG_SIM_LISTING, &err), err);
        CHECK_OK(bg_sim_assemble(t.data, t.size, "listing", image, &err), err);
        bg_text_close(&t);
        assert_memory_equal(image, file, BG_SIM_IMAGE);
    }
}

/* --- judging ------------------------------------------------------------------------- */

static void test_evaluate(void **state)
{
    uint8_t file[BG_SIM_FILE + BG_SIM_STATE];
    size_t size;
    bg_error err;
    bg_sim_score s = { 0 };
    bg_sim_instance(5, 0, &(bg_sim_draw){ 20, 20, 0 }, file, &size);
    assert_int_equal(size, BG_SIM_MEMORY + 21 * BG_SIM_STATE);
    CHECK_OK(bg_sim_evaluate(&s, file, size, "f", &err), err);
    assert_int_equal(s.verdict, BG_SIM_EXACT);
    assert_int_equal(s.bytes, 20 * BG_SIM_STATE);
    assert_int_equal(s.bytes_right, s.bytes);
    assert_true(s.trivial_right > s.bytes * 8 / 10 && s.trivial_right < s.bytes);
    file[BG_SIM_MEMORY + 7 * BG_SIM_STATE + 3] ^= 1;
    CHECK_OK(bg_sim_evaluate(&s, file, size - 2 * BG_SIM_STATE, "f", &err), err);
    assert_int_equal(s.verdict, BG_SIM_WRONG);
    assert_int_equal(s.step, 7);
    assert_int_equal(s.files, 2);
    assert_int_equal(s.files_right, 1);
    assert_int_equal(s.states, 40);
    assert_int_equal(s.states_right, 20 + 17);
    assert_int_equal(s.bytes_right, 40 * BG_SIM_STATE - 2 * BG_SIM_STATE - 1);
    file[BG_SIM_MEMORY + 7 * BG_SIM_STATE + 3] ^= 1;
    CHECK_OK(bg_sim_evaluate(&s, file, size - BG_SIM_STATE, "f", &err), err);
    assert_int_equal(s.verdict, BG_SIM_MISSING);
    assert_int_equal(s.step, 20);
    memset(file + size, 0, BG_SIM_STATE);
    CHECK_OK(bg_sim_evaluate(&s, file, size + BG_SIM_STATE, "f", &err), err);
    assert_int_equal(s.verdict, BG_SIM_SURPLUS);
    assert_int_equal(s.files_right, 1);
    CHECK_FAILS(bg_sim_evaluate(&s, file, size - 1, "f", &err), BG_ERR_FORMAT, "15 too many", err);
    CHECK_FAILS(bg_sim_evaluate(&s, file, 1000, "f", &err), BG_ERR_FORMAT, "1000 bytes", err);
    CHECK_FAILS(bg_sim_evaluate(&s, file, BG_SIM_MEMORY, "f", &err), BG_ERR_FORMAT, "without a state", err);
    file[0] = 99;
    CHECK_FAILS(bg_sim_evaluate(&s, file, size, "f", &err), BG_ERR_FORMAT, "opcode 99", err);
    assert_int_equal(s.files, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instructions),       cmocka_unit_test(test_arithmetic),    cmocka_unit_test(test_operand_counts),
        cmocka_unit_test(test_run),                cmocka_unit_test(test_reference_fixtures), cmocka_unit_test(test_reference_all),
        cmocka_unit_test(test_assembler),          cmocka_unit_test(test_assembler_refuses),  cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_evaluate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
