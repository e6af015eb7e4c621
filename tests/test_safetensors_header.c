/* The header of a safetensors file by itself: what is taken, everything that is
 * refused, and every bit of one flipped.  test_safetensors.c tests whole files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "model/safetensors.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

/* Parse a header as if it stood in front of `data` bytes. */
static bg_status parse(bg_st_file *f, const bg_sys *sys, const char *header, size_t size, uint64_t data, bg_error *err)
{
    memset(f, 0, sizeof *f);
    f->fd = -1;
    f->sys = sys;
    f->path = bg_strdup(sys, "m.safetensors");
    return bg_st_parse(f, header, size, 8 + size + data, err);
}

/* --- refused --------------------------------------------------------------- */

#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define A "\"a\":" T("F32", "[2]", "[0,8]")

static const struct {
    const char *header;
    uint64_t data;
    const char *part; /* of the sentence */
} refused[] = {
    { "", 0, "not a valid safetensors header" },
    { "[]", 0, "not a valid safetensors header" },
    { "{", 0, "not a valid safetensors header" },
    { "{}}", 0, "not a valid safetensors header" },
    { "{} x", 0, "not a valid safetensors header" },
    { "{" A ",}", 8, "not a valid safetensors header" },
    { "{" A " " A "}", 8, "not a valid safetensors header" },
    { "{\"a\":1}", 0, "not a valid safetensors header" },
    { "{\"a\":[]}", 0, "not a valid safetensors header" },
    { "{\"a\":{\"b\":{\"c\":{}}}}", 0, "\"b\" is unknown" },
    { "{\"\xff\":" T("F32", "[2]", "[0,8]") "}", 8, "UTF-8" },
    { "{\"a\\u0000b\":" T("F32", "[2]", "[0,8]") "}", 8, "zero character" },
    { "{" A "," A "}", 8, "a: the tensor stands twice" },
    { "{" A ",\"\\u0061\":" T("F32", "[0]", "[8,8]") "}", 8, "a: the tensor stands twice" },
    { "{" A ",\"b\":" T("F32", "[2]", "[4,12]") "}", 12, "b: overlaps" },
    { "{" A ",\"b\":" T("F32", "[2]", "[0,8]") "}", 8, "overlaps" },
    { "{" A ",\"b\":" T("F32", "[2]", "[12,20]") "}", 20, "b: stands behind a gap" },
    { "{\"a\":" T("F32", "[2]", "[4,12]") "}", 12, "a: stands behind a gap" },
    { "{" A "}", 9, "1 bytes stand behind the last tensor" },
    { "{}", 3, "3 bytes stand behind" },
    { "{" A "}", 7, "truncated: a ends at byte 8" },
    { "{\"a\":" T("F32", "[2]", "[8,0]") "}", 8, "data_offsets are 8 and 0" },
    { "{\"a\":" T("F32", "[2]", "[0,4]") "}", 4, "needs 8 bytes" },
    { "{\"a\":" T("F32", "[2]", "[0]") "}", 8, "fewer than two" },
    { "{\"a\":" T("F32", "[2]", "[0,8,16]") "}", 8, "more than two" },
    { "{\"a\":" T("F32", "[2]", "[0,18446744073709551616]") "}", 8, "out of range" },
    { "{\"a\":" T("F32", "[2]", "[18446744073709551608,18446744073709551615]") "}", 8, "needs 8 bytes" },
    { "{\"a\":" T("U8", "[18446744073709551615]", "[0,18446744073709551615]") "}", 8, "truncated" },
    { "{\"a\":" T("F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "shape is too large" },
    { "{\"a\":" T("F32", "[4611686018427387905]", "[0,4]") "}", 4, "shape is too large" },
    { "{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "more than 8 dimensions" },
    { "{\"a\":" T("F32", "[-2]", "[0,8]") "}", 8, "not negative" },
    { "{\"a\":" T("F32", "[2.0]", "[0,8]") "}", 8, "whole number" },
    { "{\"a\":" T("F32", "[2e0]", "[0,8]") "}", 8, "whole number" },
    { "{\"a\":" T("F32", "[02]", "[0,8]") "}", 8, "leading zero" },
    { "{\"a\":" T("F32", "[\"2\"]", "[0,8]") "}", 8, "expected a number" },
    { "{\"a\":" T("F32", "2", "[0,8]") "}", 8, "expected an array" },
    { "{\"a\":" T("F32", "[2]", "{}") "}", 8, "expected an array" },
    { "{\"a\":" T("F31", "[2]", "[0,8]") "}", 8, "element type \"F31\"" },
    { "{\"a\":" T("f32", "[2]", "[0,8]") "}", 8, "element type \"f32\"" },
    { "{\"a\":" T("F8_E4M3_and_much_more_text", "[2]", "[0,8]") "}", 8, "too long" },
    { "{\"a\":{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "expected a string" },
    { "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "missing" },
    { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "missing" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "missing" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "\"shape\" is unknown or stands twice" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8, "\"x\" is unknown" },
    { "{\"__metadata__\":{\"k\":1}}", 0, "not a string" },
    { "{\"__metadata__\":{\"k\":{\"l\":\"v\"}}}", 0, "not a string" },
    { "{\"__metadata__\":[]}", 0, "expected an object" },
    { "{\"__metadata__\":{\"k\":\"a\\u0000b\"}}", 0, "zero character" },
    { "{\"__metadata__\":{\"k\":\"v\",\"k\":\"w\"}}", 0, "key \"k\" stands twice" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "metadata stand twice" },
};

static void refuses(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        fault_sys sys;
        bg_st_file f;
        bg_error err;
        fault_open(&sys);
        CHECK_FAILS(parse(&f, &sys.sys, refused[i].header, strlen(refused[i].header), refused[i].data, &err), BG_ERR_FORMAT,
                    refused[i].part, err);
        if (!strstr(err.text, "m.safetensors"))
            fail_msg("\"%s\" does not name the file", err.text);
        bg_st_close(&f);
        if (!fault_clean(&sys))
            fail_msg("leak after %s", refused[i].header);
    }
}

static void refuses_deep_nesting(void **state)
{
    static char text[20000];
    bg_st_file f;
    bg_error err;
    memset(text, '[', sizeof text - 1);
    memcpy(text, "{\"a\":{\"x\":", 10);
    CHECK_FAILS(parse(&f, bg_sys_default(), text, sizeof text - 1, 0, &err), BG_ERR_FORMAT, "unknown", err);
    bg_st_close(&f);
}

/* --- taken ------------------------------------------------------------------ */

static void takes_any_order(void **state)
{
    static const char header[] = " {\"b\":" T("F32", "[2,1]", "[8,16]") ", \"empty\" : " T("F16", "[3,0]", "[8,8]")
        ",\n\"__metadata__\":{\"format\":\"pt\",\"\\u00e4\":\"\\\"\\n\"}," A ",\"scalar\":" T("I64", "[]", "[16,24]") "}   \n ";
    bg_st_file f;
    bg_error err;
    CHECK_OK(parse(&f, bg_sys_default(), header, strlen(header), 24, &err), err);
    assert_int_equal(f.count, 4);
    assert_string_equal(f.tensors[0].name, "a");
    assert_string_equal(f.tensors[1].name, "empty");
    assert_string_equal(f.tensors[2].name, "b");
    assert_string_equal(f.tensors[3].name, "scalar");
    assert_int_equal(f.tensors[2].begin, 8 + strlen(header) + 8);
    assert_int_equal(f.tensors[2].count, 2);
    assert_int_equal(f.tensors[3].count, 1);
    assert_int_equal(f.tensors[3].dims, 0);
    assert_ptr_equal(bg_st_find(&f, "empty"), &f.tensors[1]);
    assert_ptr_equal(bg_st_find(&f, "scalar"), &f.tensors[3]);
    assert_null(bg_st_find(&f, "c"));
    assert_null(bg_st_find(&f, ""));
    assert_string_equal(bg_meta_get(&f.meta, "format"), "pt");
    assert_string_equal(bg_meta_get(&f.meta, "\xc3\xa4"), "\"\n");
    assert_null(bg_meta_get(&f.meta, "none"));
    bg_st_close(&f);
    bg_st_close(&f); /* closing twice is harmless */
}

/* Many tensors in reverse: sorting and finding. */
static void takes_many(void **state)
{
    enum { MANY = 3000 };
    bg_text t;
    bg_st_file f;
    bg_error err;
    char name[32];
    bg_text_open(&t, bg_sys_default());
    for (int i = MANY; i-- > 0;)
        bg_text_add(&t, "%s\"t%d\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[%d,%d]}", i == MANY - 1 ? "{" : ",", i, 2 * i, 2 * i + 2);
    bg_text_add(&t, "}");
    CHECK_OK(parse(&f, bg_sys_default(), t.data, t.size, 2 * MANY, &err), err);
    assert_int_equal(f.count, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "t%d", i);
        assert_ptr_equal(bg_st_find(&f, name), &f.tensors[i]);
    }
    bg_st_close(&f);
    bg_text_close(&t);
}

/* A flipped bit is refused with a sentence, or gives tensors inside the file. */
static void flipped_header_bits(void **state)
{
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"}," A ",\"b\":" T("F16", "[2,3]", "[8,20]") "}  ";
    char text[sizeof header];
    const size_t n = strlen(header);
    size_t taken = 0;
    for (size_t bit = 0; bit < 8 * n; bit++) {
        fault_sys sys;
        bg_st_file f;
        bg_error err = { 0 };
        memcpy(text, header, n);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        fault_open(&sys);
        if (parse(&f, &sys.sys, text, n, 20, &err) == BG_OK) {
            taken++;
            uint64_t end = 8 + n;
            for (size_t i = 0; i < f.count; i++) {
                assert_int_equal(f.tensors[i].begin, end);
                end += f.tensors[i].bytes;
            }
            assert_int_equal(end, 8 + n + 20);
        } else if (!strstr(err.text, "m.safetensors")) {
            fail_msg("bit %zu: \"%s\"", bit, err.text);
        }
        bg_st_close(&f);
        assert_true(fault_clean(&sys));
    }
    assert_true(taken < 8 * n / 4); /* only letters of names and values may change */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_deep_nesting),
        cmocka_unit_test(takes_any_order),
        cmocka_unit_test(takes_many),
        cmocka_unit_test(flipped_header_bits),
    };
    return cmocka_run_group_tests_name("safetensors header", tests, NULL, NULL);
}
