/* The restricted pickle reader on pickles written by hand: what torch.save()
 * writes is taken, everything that could run code, read outside or use up
 * memory is refused, whatever is cut off or flipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/pickle.h"
#include "tests/support_check.h"
#include "tests/support_every.h"

#define P2 "\x80\2"
#define STRING(length, text) "X" length "\0\0\0" text
#define STORAGE_OF(class, key, numel) "(" STRING("\7", "storage") "ctorch\n" class "\n" STRING("\1", key) STRING("\3", "cpu") numel "tQ"
#define STORAGE(numel) STORAGE_OF("FloatStorage", "0", numel)
#define ORDERED "ccollections\nOrderedDict\n)R"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"
/* 2 x 3 elements behind the first two of twelve */
#define TENSOR REBUILD "(" STORAGE("K\14") "K\2K\2K\3\x86" "K\3K\1\x86" "\x89" ORDERED "tR"

static bg_status read_bytes(const bg_sys *sys, const char *bytes, size_t size, bg_error *err)
{
    bg_pickle p;
    char *copy = malloc(size ? size : 1); /* its own block: a read past the end shows under ASan */
    memcpy(copy, bytes, size);
    const bg_status s = bg_pickle_read(&p, sys, "m.pth", (const uint8_t *)copy, size, err);
    bg_pickle_close(&p);
    free(copy);
    return s;
}

/* --- refused ------------------------------------------------------------------- */

typedef struct row {
    const char *bytes;
    size_t size;
    const char *part; /* of the sentence */
} row;

#define ROW(bytes, part) { bytes, sizeof(bytes) - 1, part }

static const row refused[] = {
    /* names and calls */
    ROW(P2 "cos\nsystem\nX\2\0\0\0ls\x85R.", "names os.system"),
    ROW(P2 "cposix\nsystem\nX\2\0\0\0ls\x85R.", "names posix.system"),
    ROW(P2 "c__builtin__\neval\n)R.", "names __builtin__.eval"),
    ROW(P2 "cbuiltins\nexec\n)R.", "names builtins.exec"),
    ROW("\x80\4\x8c\2os\x8c\6system\x93\x8c\2ls\x85R.", "names os.system"),
    ROW("\x80\4K\1\x8c\6system\x93.", "a name is not a string"),
    ROW(P2 "ctorch\nFloatStorageX\n.", "names torch.FloatStorageX"),
    ROW(P2 "ctorch\nload\n.", "names torch.load"),
    ROW(P2 "ctorch.\nFloatStorage\n.", "names torch..FloatStorage"),
    ROW(P2 "ccollections\nOrderedDict.__init__\n.", "names collections.OrderedDict.__init__"),
    ROW(P2 "c\x1b[2J\n\xff\xff\n.", "names ?[2J.??"),
    ROW(P2 "ctorch._utils\n_rebuild_tensor_v2\n)R.", "a tensor is made from other things"),
    ROW(P2 "ctorch._utils\n_rebuild_parameter\n)R.", "a parameter is made from something other"),
    ROW(P2 "ctorch._utils\n_rebuild_parameter\nNNN\x87R.", "a parameter is made from something other"),
    ROW(P2 "ctorch\nFloatStorage\n)R.", "a storage class is called"),
    ROW(P2 "K\1)R.", "something is called that is not a function"),
    ROW(P2 "}X\1\0\0\0a\x85R.", "something is called that is not a function"),
    ROW(P2 "ccollections\nOrderedDict\n]R.", "something is called that is not a function"),
    ROW(P2 "ccollections\nOrderedDict\n]\x85R.", "OrderedDict is called with arguments"),
    ROW(P2 "}K\1b.", "attributes are set"),
    ROW(P2 "K\1}b.", "attributes are set"),
    ROW(P2 TENSOR "}b.", "attributes are set"),
    /* opcodes */
    ROW(P2 "ccollections\nOrderedDict\n)\x81.", "opcode 0x81 at byte 28"),
    ROW(P2 "(ios\nsystem\n.", "opcode 0x69"),
    ROW(P2 "(cos\nsystem\no.", "names os.system"),
    ROW(P2 "\x82\1.", "opcode 0x82"),
    ROW(P2 "N0.", "opcode 0x30"),
    ROW(P2 "N2.", "opcode 0x32"),
    ROW(P2 "(1.", "opcode 0x31"),
    ROW(P2 "I1\n.", "opcode 0x49"),
    ROW(P2 "P1\n.", "opcode 0x50"),
    ROW(P2 "S'a'\n.", "opcode 0x53"),
    ROW(P2 "\xff.", "opcode 0xff"),
    ROW(P2 P2 "N.", "opcode 0x80 at byte 2"),
    /* protocol, end */
    ROW("", "truncated"),
    ROW("N.", "does not begin with its protocol"),
    ROW("\x80", "truncated"),
    ROW("\x80\1N.", "protocol other"),
    ROW("\x80\5N.", "protocol other"),
    ROW(P2 "N", "truncated"),
    ROW(P2 "N.N", "bytes follow"),
    ROW(P2 "N.\n", "bytes follow"),
    ROW(P2 ".", "missing on the stack"),
    ROW(P2 "NN.", "values are left over"),
    ROW(P2 "(.", "missing on the stack"),
    ROW(P2 "(N.", "values are left over"),
    ROW(P2 "N(.", "missing on the stack"),
    ROW("\x80\4\x95\377\377\377\377\377\377\377\377N.", "truncated"),
    ROW("\x80\4\x95\3\0\0\0\0\0\0\0N.", "truncated"),
    /* memo */
    ROW(P2 "h\0.", "memo number is out of range"),
    ROW(P2 "Nq\0h\1.", "memo number is out of range"),
    ROW(P2 "Nq\2h\1\x86.", "memo number is out of range"),
    ROW(P2 "Nr\377\377\377\377.", "memo number is out of range"),
    ROW(P2 "j\377\377\377\377.", "memo number is out of range"),
    ROW(P2 "q\0N.", "missing on the stack"),
    ROW(P2 "\x94N.", "missing on the stack"),
    /* stack */
    ROW(P2 "\x85.", "missing on the stack"),
    ROW(P2 "N\x86.", "missing on the stack"),
    ROW(P2 "N(N\x86.", "missing on the stack"),
    ROW(P2 "t.", "mark is missing"),
    ROW(P2 "]e.", "mark is missing"),
    ROW(P2 "}u.", "mark is missing"),
    ROW(P2 "(e.", "missing on the stack"),
    ROW(P2 "](a.", "missing on the stack"),
    ROW(P2 "Na.", "missing on the stack"),
    ROW(P2 "NNa.", "cannot hold them"),
    ROW(P2 "}Na.", "cannot hold them"),
    ROW(P2 "]NNs.", "cannot hold them"),
    ROW(P2 ")(Ne.", "cannot hold them"),
    ROW(P2 "}(NNNu.", "cannot hold them"),
    ROW(P2 "R.", "missing on the stack"),
    ROW(P2 "NR.", "missing on the stack"),
    ROW(P2 "b.", "missing on the stack"),
    ROW(P2 "Q.", "missing on the stack"),
    ROW("\x80\4\x93.", "missing on the stack"),
    /* values */
    ROW(P2 "J\1\2\3", "truncated"),
    ROW(P2 "G\1\2\3\4\5\6\7", "truncated"),
    ROW(P2 "X\377\377\377\377ab.", "truncated"),
    ROW(P2 "X\3\0\0\0ab.", "truncated"),
    ROW("\x80\4\x8d\377\377\377\377\377\377\377\377ab.", "truncated"),
    ROW(P2 "X\2\0\0\0a\377.", "not UTF-8"),
    ROW(P2 "X\2\0\0\0a\0.", "zero character"),
    ROW(P2 "\x8a\11\1\1\1\1\1\1\1\1\1.", "more than 64 bits"),
    ROW(P2 "\x8a\4\1.", "truncated"),
    ROW(P2 "cos\nsystem", "truncated"),
    ROW(P2 "cos", "truncated"),
    /* storages */
    ROW(P2 "NQ.", "not a storage"),
    ROW(P2 ")Q.", "not a storage"),
    ROW(P2 "X\1\0\0\0aQ.", "not a storage"),
    ROW(P2 "(" STRING("\7", "storage") "ctorch\nFloatStorage\n" STRING("\1", "0") STRING("\3", "cpu") "tQ.", "not a storage"),
    ROW(P2 "(" STRING("\6", "module") "ctorch\nFloatStorage\n" STRING("\1", "0") STRING("\3", "cpu") "K\1tQ.", "not a storage"),
    ROW(P2 "(" STRING("\7", "storage") "NX\1\0\0\0" "0" STRING("\3", "cpu") "K\1tQ.", "kind that is not known"),
    ROW(P2 "(" STRING("\7", "storage") "ccollections\nOrderedDict\n" STRING("\1", "0") STRING("\3", "cpu") "K\1tQ.", "kind that is not known"),
    ROW(P2 STORAGE_OF("FloatStorage", "a", "K\1") ".", "is not a number"),
    ROW(P2 STORAGE_OF("FloatStorage", "/", "K\1") ".", "is not a number"),
    ROW(P2 STORAGE_OF("FloatStorage", "0", "J\377\377\377\377") ".", "is not a number"),
    ROW(P2 STORAGE_OF("FloatStorage", "0", "N") ".", "is not a number"),
    ROW(P2 STORAGE_OF("FloatStorage", "0", "\x88") ".", "is not a number"),
    ROW(P2 STORAGE_OF("ComplexFloatStorage", "0", "K\1") ".", "names torch.ComplexFloatStorage"),
    /* tensors */
    ROW(P2 REBUILD "(NK\2K\2K\3\x86" "K\3K\1\x86" "\x89" ORDERED "tR.", "other things than a storage"),
    ROW(P2 REBUILD "(" STORAGE("K\14") "NK\2K\3\x86" "K\3K\1\x86" "\x89" ORDERED "tR.", "other things than a storage"),
    ROW(P2 REBUILD "(" STORAGE("K\14") "K\2NK\3\x85" "\x89" ORDERED "tR.", "shape is no tuple"),
    ROW(P2 REBUILD "(" STORAGE("K\14") "K\2K\2N\x86" "K\3K\1\x86" "\x89" ORDERED "tR.", "other than whole numbers"),
    ROW(P2 REBUILD "(" STORAGE("K\14") "K\2K\2J\377\377\377\377\x86" "K\3K\1\x86" "\x89" ORDERED "tR.", "other than whole numbers"),
    ROW(P2 REBUILD "(" STORAGE("K\14") "K\2(K\1K\1K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1K\1K\1t\x89" ORDERED "tR.", "too many dimensions"),
    ROW(P2 REBUILD "(" STORAGE("K\7") "K\2K\2K\3\x86" "K\3K\1\x86" "\x89" ORDERED "tR.", "outside its storage"),
    ROW(P2 REBUILD "(" STORAGE("K\14") "K\7K\2K\3\x86" "K\3K\1\x86" "\x89" ORDERED "tR.", "outside its storage"),
    ROW(P2 REBUILD "(" STORAGE("K\14") "K\2K\2K\3\x86" "K\11K\1\x86" "\x89" ORDERED "tR.", "outside its storage"),
    ROW(P2 REBUILD "(" STORAGE("K\14") "K\2K\2K\3\x86" "K\1\x85" "\x89" ORDERED "tR.", "outside its storage"),
    ROW(P2 REBUILD "(" STORAGE("K\0") "K\1K\0\x85" "K\1\x85" "\x89" ORDERED "tR.", "outside its storage"),
    ROW(P2 REBUILD "(" STORAGE("K\14") "K\2\x8a\10\0\0\0\0\0\0\0\x40\x8a\10\0\0\0\0\0\0\0\x40\x86" "K\0K\0\x86" "\x89" ORDERED "tR.",
        "outside its storage"),
    ROW(P2 REBUILD "(" STORAGE("K\14") "K\2K\2K\3\x86" "\x8a\10\377\377\377\377\377\377\377\177\x8a\10\377\377\377\377\377\377\377\177\x86" "\x89"
        ORDERED "tR.", "outside its storage"),
};

static void refuses(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        fault_sys sys;
        bg_error err;
        fault_open(&sys);
        CHECK_FAILS(read_bytes(&sys.sys, refused[i].bytes, refused[i].size, &err), BG_ERR_FORMAT, refused[i].part, err);
        if (!strstr(err.text, "m.pth"))
            fail_msg("\"%s\" does not name the file", err.text);
        if (!fault_clean(&sys))
            fail_msg("leak in row %zu (%s)", i, refused[i].part);
    }
}

static void refuses_nesting_and_size(void **state)
{
    enum { DEEP = 300000 };
    bg_error err;
    char *text = calloc(BG_PICKLE_LIMIT + 1, 1);
    memcpy(text, P2, 2);
    memset(text + 2, '(', DEEP);
    CHECK_FAILS(read_bytes(bg_sys_default(), text, DEEP, &err), BG_ERR_FORMAT, "nested too deeply", err);
    CHECK_FAILS(read_bytes(bg_sys_default(), text, BG_PICKLE_LIMIT + 1, &err), BG_ERR_FORMAT, "at most", err);
    /* lists in lists in lists: no recursion anywhere, so depth alone does no harm */
    memset(text + 2, ']', DEEP);
    memset(text + 2 + DEEP, 'a', DEEP - 1);
    text[2 + 2 * DEEP - 1] = '.';
    CHECK_OK(read_bytes(bg_sys_default(), text, 2 + 2 * DEEP, &err), err);
    free(text);
}

/* --- taken --------------------------------------------------------------------- */

#define MODEL                                                                                          \
    P2 "}q\0(" STRING("\5", "model") ORDERED "q\1(" STRING("\1", "w") TENSOR "r\2\0\0\0u}" STRING("\1", "m") "Nsb" \
    STRING("\1", "e") "J\376\377\377\377" STRING("\1", "l") "G\x3f\xf4\0\0\0\0\0\0" STRING("\1", "n") "\x8a\2\0\x80" \
    STRING("\1", "x") "\x88" STRING("\1", "t") "(NN](K\1M\1\1eh\1tu."

static void takes_a_checkpoint(void **state)
{
    static const char bytes[] = MODEL;
    bg_pickle p;
    bg_error err;
    CHECK_OK(bg_pickle_read(&p, bg_sys_default(), "m.pth", (const uint8_t *)bytes, sizeof bytes - 1, &err), err);
    const uint32_t model = bg_py_find(&p, p.root, "model"), w = bg_py_find(&p, model, "w"), t = bg_py_find(&p, p.root, "t");
    assert_int_equal(bg_py_kind_of(&p, model), BG_PY_DICT);
    assert_int_equal(bg_py_kind_of(&p, w), BG_PY_TENSOR);
    const bg_py_tensor *x = &p.tensors[p.values[w].u.integer];
    assert_int_equal(x->dtype, BG_F32);
    assert_int_equal(x->dims, 2);
    assert_int_equal(x->count, 6);
    assert_int_equal(x->offset, 2);
    assert_int_equal(x->span, 6);
    assert_int_equal(x->storage, 12);
    assert_true(bg_py_is(&p, x->key, "0"));
    assert_int_equal(p.values[bg_py_find(&p, p.root, "e")].u.integer, -2);
    assert_true(p.values[bg_py_find(&p, p.root, "l")].u.real == 1.25);
    assert_int_equal(p.values[bg_py_find(&p, p.root, "n")].u.integer, -32768);
    assert_int_equal(p.values[bg_py_find(&p, p.root, "x")].u.integer, 1);
    assert_int_equal(p.values[t].u.count, 4);
    assert_int_equal(bg_py_element(&p, t, 3), model);
    assert_int_equal(bg_py_element(&p, t, 4), 0);
    assert_int_equal(p.values[bg_py_element(&p, bg_py_element(&p, t, 2), 1)].u.integer, 257);
    assert_int_equal(bg_py_find(&p, p.root, "none"), 0);
    bg_pickle_close(&p);
}

/* Frames, short strings, STACK_GLOBAL and MEMOIZE of protocol 4. */
static void takes_protocol_4(void **state)
{
    static const char bytes[] = "\x80\4\x95\x41\0\0\0\0\0\0\0}\x94(\x8c\1a\x94\x8c\13collections\x94\x8c\13OrderedDict\x94\x93\x94)R\x94\x8c\1b\x94h\1"
                                "\x8c\1c\x8d\1\0\0\0\0\0\0\0d\x8c\1eh\5u.";
    bg_pickle p;
    bg_error err;
    CHECK_OK(bg_pickle_read(&p, bg_sys_default(), "m.pth", (const uint8_t *)bytes, sizeof bytes - 1, &err), err);
    assert_int_equal(bg_py_kind_of(&p, bg_py_find(&p, p.root, "a")), BG_PY_DICT);
    assert_int_equal(bg_py_find(&p, p.root, "a"), bg_py_find(&p, p.root, "e"));
    assert_true(bg_py_is(&p, bg_py_find(&p, p.root, "b"), "a"));
    assert_true(bg_py_is(&p, bg_py_find(&p, p.root, "c"), "d"));
    bg_pickle_close(&p);
}

/* --- cut, flipped, failing ------------------------------------------------------- */

static void cut_and_flipped(void **state)
{
    static const char bytes[] = MODEL;
    const size_t size = sizeof bytes - 1;
    char copy[sizeof bytes];
    bg_error err;
    for (size_t n = 0; n < size; n++)
        CHECK_FAILS(read_bytes(bg_sys_default(), bytes, n, &err), BG_ERR_FORMAT, "m.pth", err);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        fault_sys sys;
        memcpy(copy, bytes, size);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        fault_open(&sys);
        memset(&err, 0, sizeof err);
        if (read_bytes(&sys.sys, copy, size, &err) != BG_OK && !strstr(err.text, "m.pth"))
            fail_msg("bit %zu: \"%s\"", bit, err.text);
        assert_true(fault_clean(&sys));
    }
}

static bg_status read_job(const bg_sys *sys, void *ctx, bg_error *err) { return read_bytes(sys, MODEL, sizeof MODEL - 1, err); }

static void faults(void **state)
{
    assert_true(every_call_fails(NULL, FAULT_ALLOC, read_job, NULL, NULL) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_nesting_and_size),
        cmocka_unit_test(takes_a_checkpoint),
        cmocka_unit_test(takes_protocol_4),
        cmocka_unit_test(cut_and_flipped),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests_name("pickle", tests, NULL, NULL);
}
