/* The JSON reader against a table, against Jansson on mutated texts, and its
 * values one by one; the writer by reading back what it wrote. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/json.h"
#include "base/rng.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

/* Whole text accepted?  Copied to a block of its very size, so that
 * AddressSanitizer sees a read beyond the end. */
static int accepts(const char *text, size_t size)
{
    bg_json j;
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    bg_json_open(&j, copy, size);
    int ok = bg_json_skip(&j) && bg_json_end(&j);
    if (ok == j.failed || (j.failed && !j.why) || j.at > size)
        fail_msg("inconsistent state after \"%.*s\"", (int)size, text);
    free(copy);
    return ok;
}

static const char *const good[] = {
    "0", "-0", "1", "10", "-12.5e+3", "1E-2", "0.0", "0e0", "18446744073709551616", " \t\r\n true ", "false", "null",
    "\"\"", "\"a\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0041\\uD83D\\uDE00\\u0000\"", "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"",
    "\"\x7F\"", "\"\xED\x9F\xBF\xEE\x80\x80\"", "\"\xF4\x8F\xBF\xBF\"",
    "[]", "[ ]", "[1]", "[1,2]", "[[],{}]", "{}", "{ }", "{\"a\":1}", "{\"a\" : [ 1 , {\"b\":null} ] , \"c\":\"\"}", "{\"\":0}",
    "{\"a\":1,\"a\":2}", "[\"[\",\"{\"]", "{\"{\":\"{\"}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", /* 32 deep */
};

static const char *const bad[] = {
    "", " ", "+1", "01", "-", "-01", "1.", ".5", "1.e3", "1e", "1e+", "0x10", "1 2", "Infinity", "NaN", "-Infinity", "--1",
    "tru", "truex", "True", "nul", "\"", "\"a", "a\"", "'a'", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\U0041\"",
    "\"\\uD83D\"", "\"\\uD83D\\u0041\"", "\"\\uDE00\"", "\"\\uD83Dx\"", "\"\\uD83D\\", "\"\n\"", "\"\x01\"", "\"\x1F\"",
    "\"\x80\"", "\"\xC3\"", "\"\xC0\x80\"", "\"\xE0\x80\x80\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"", "\"\xF8\x88\x80\x80\x80\"", "\"\xFF\"", "\"\xE2\x82\"",
    "[", "]", "[1", "[1,", "[,", "[,1]", "[1,]", "[1 2]", "[1}", "[1,,2]", "{", "}", "{]", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}",
    "{\"a\" 1}", "{a:1}", "{1:1}", "{\"a\":1 \"b\":2}", "{\"a\":1]", "{\"a\":1,\"b\"}", "{\"a\":,}", "[]]", "{}}", "[] x", "// x\n1", "1 // x", "/**/1",
    "\xEF\xBB\xBF" "1", "\xC2\xA0" "1", "\v1", "[1]\x0C",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", /* 33 deep */
};

static void table(void **state)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!accepts(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (accepts(bad[i], strlen(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    assert_false(accepts("1\0", 2));
    assert_false(accepts("\0" "1", 2));
    assert_false(accepts("[\0]", 3));
    assert_false(accepts("\"a\0b\"", 5));
}

/* Every beginning of a good text (but for numbers and trailing space) is bad. */
static void truncated(void **state)
{
    static const char text[] = "{\"a\":[1,-2.5e3,\"\\uD83D\\uDE00\\n\",true,null,{\"b\":{}}],\"c\":\"\xE2\x82\xAC\"}";
    assert_true(accepts(text, sizeof text - 1));
    for (size_t n = 0; n < sizeof text - 1; n++)
        if (accepts(text, n))
            fail_msg("accepted the first %zu bytes", n);
}

static int jansson_accepts(const char *text, size_t size)
{
    json_error_t e;
    json_t *v = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &e);
    int range = !v && json_error_code(&e) == json_error_numeric_overflow;
    json_decref(v);
    return range ? -1 : v != NULL;
}

/* One to three random edits with characters that matter (not the zero byte,
 * which Jansson takes for the end). */
static size_t mutate(char *out, const char *text, bg_rng *r)
{
    static const char special[] = "{}[]\",:\\u0019-+.eEtfn \n\x01\x80\xC3\xA4\xED\xF0\xFF/";
    size_t n = strlen(text);
    memcpy(out, text, n);
    for (uint64_t edits = 1 + bg_rng_below(r, 3); edits > 0; edits--) {
        size_t at = (size_t)bg_rng_below(r, n + 1);
        char c = special[bg_rng_below(r, sizeof special - 1)];
        switch (bg_rng_below(r, 3)) {
        case 0: /* insert */
            memmove(out + at + 1, out + at, n - at);
            out[at] = c;
            n++;
            break;
        case 1: /* replace */
            if (at < n)
                out[at] = c;
            break;
        default: /* remove */
            if (at < n)
                memmove(out + at, out + at + 1, --n - at);
        }
    }
    return n;
}

static void agrees_with_jansson(void **state)
{
    bg_rng r;
    char text[256];
    uint64_t accepted = 0;
    bg_rng_open(&r, 1, BG_STREAM_USER, 0);
    for (int i = 0; i < 60000; i++) {
        size_t which = (size_t)bg_rng_below(&r, sizeof good / sizeof *good - 1); /* not the deepest */
        size_t n = mutate(text, good[which], &r);
        int theirs = jansson_accepts(text, n), ours = accepts(text, n);
        if (theirs >= 0 && ours != theirs)
            fail_msg("\"%.*s\" (%zu bytes): ours %d, Jansson's %d", (int)n, text, n, ours, theirs);
        accepted += ours;
    }
    assert_true(accepted > 1000 && accepted < 50000); /* both outcomes were met */
}

/* --- values ------------------------------------------------------------------ */

static void numbers(void **state)
{
    static const struct { const char *text; int ok; uint64_t value; } whole[] = {
        { "0", 1, 0 }, { " 42", 1, 42 }, { "18446744073709551615", 1, UINT64_MAX }, { "18446744073709551616", 0, 0 },
        { "99999999999999999999999", 0, 0 }, { "-1", 0, 0 }, { "-0", 0, 0 }, { "1.0", 0, 0 }, { "1e3", 0, 0 }, { "01", 0, 0 }, { "\"1\"", 0, 0 }, { "", 0, 0 },
    };
    static const struct { const char *text; int ok; double value; } real[] = {
        { "0", 1, 0 }, { "-0.0", 1, 0 }, { "12.5e3", 1, 12500 }, { "12.5E-1", 1, 1.25 }, { "0.1", 1, 0.1 }, { "1e-400", 1, 0 }, { "0e99999999999", 1, 0 },
        { "1.7976931348623157e308", 1, 1.7976931348623157e308 }, { "4.9e-324", 1, 4.9e-324 }, { "123456789.987654321e+2", 1, 12345678998.7654321 },
        { "1e309", 0, 0 }, { "-1e999999999999", 0, 0 }, { "1e", 0, 0 }, { "x", 0, 0 },
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        bg_json j;
        uint64_t x;
        bg_json_open(&j, whole[i].text, strlen(whole[i].text));
        if (bg_json_u64(&j, &x) != whole[i].ok || x != whole[i].value)
            fail_msg("%s gave %llu", whole[i].text, (unsigned long long)x);
    }
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        bg_json j;
        double x;
        char *copy = malloc(strlen(real[i].text)); /* no zero behind it */
        memcpy(copy, real[i].text, strlen(real[i].text));
        bg_json_open(&j, copy, strlen(real[i].text));
        if (bg_json_double(&j, &x) != real[i].ok || !(x == real[i].value))
            fail_msg("%s gave %.17g", real[i].text, x);
        free(copy);
    }
    bg_json j;
    double x;
    char digits[200];
    memset(digits, '1', sizeof digits);
    bg_json_open(&j, digits, sizeof digits);
    assert_false(bg_json_double(&j, &x));
}

static void strings(void **state)
{
    static const struct { const char *text; size_t room; const char *value; } rows[] = {
        { "\"abc\"", 4, "abc" }, { "\"abc\"", 3, NULL }, { "\"\"", 1, "" }, { "\"\\u0041\\u00e4\\u20AC\\ud83d\\ude00\"", 11, "A\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80" },
        { "\"\\u0041\\u00e4\\u20AC\\ud83d\\ude00\"", 10, NULL }, { "\"a\\u0000b\"", 99, NULL }, { "\"\\n\\/\\\\\\\"\"", 99, "\n/\\\"" }, { "7", 99, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bg_json j;
        char *buf = malloc(rows[i].room);
        bg_json_open(&j, rows[i].text, strlen(rows[i].text));
        assert_int_equal(bg_json_string(&j, buf, rows[i].room), rows[i].value != NULL);
        assert_string_equal(buf, rows[i].value ? rows[i].value : "");
        free(buf);
    }
    bg_json j;
    const char *raw, text[] = "\"a\\u0000b\"";
    char out[16];
    size_t n;
    bg_json_open(&j, text, sizeof text - 1);
    assert_true(bg_json_raw_string(&j, &raw, &n));
    assert_int_equal(n, 8);
    assert_int_equal(bg_json_unescape(out, raw, n), 3);
    assert_memory_equal(out, "a\0b", 4);
}

static void walking(void **state)
{
    static const char text[] = " {\"n\" : [ 1, 2,3 ], \"t\":true, \"f\":false , \"s\":\"x\", \"o\":{\"p\":[]}, \"z\":null} ";
    bg_json j;
    char key[8], seen[16] = "", s[4];
    uint64_t x, sum = 0;
    int t = 0, f = 1;
    bg_json_open(&j, text, sizeof text - 1);
    assert_int_equal(bg_json_peek(&j), '{');
    if (bg_json_enter(&j, '{'))
        while (bg_json_key(&j, key, sizeof key)) {
            strcat(seen, key);
            if (*key == 'n' && bg_json_enter(&j, '[')) {
                while (bg_json_item(&j)) {
                    assert_int_equal(bg_json_peek(&j), '0');
                    assert_true(bg_json_u64(&j, &x));
                    sum = sum * 10 + x;
                }
            } else if (*key == 't') {
                assert_true(bg_json_bool(&j, &t));
            } else if (*key == 'f') {
                assert_true(bg_json_bool(&j, &f));
            } else if (*key == 's') {
                assert_true(bg_json_string(&j, s, sizeof s));
            } else {
                assert_true(bg_json_skip(&j));
            }
        }
    assert_true(bg_json_end(&j));
    assert_string_equal(seen, "ntfsoz");
    assert_int_equal(sum, 123);
    assert_true(t == 1 && f == 0);
    assert_string_equal(s, "x");
}

/* A caller that expects something else gets a failure, and nothing after it. */
static void wrong_expectations(void **state)
{
    bg_json j;
    char key[2];
    uint64_t x;
    int b;
    bg_json_open(&j, "[1]", 3);
    assert_false(bg_json_enter(&j, '{'));
    assert_string_equal(j.why, "expected an object");
    assert_false(bg_json_enter(&j, '['));
    assert_int_equal(bg_json_peek(&j), 0);
    assert_false(bg_json_skip(&j));
    assert_false(bg_json_end(&j));
    bg_json_open(&j, "{\"long\":1}", 10);
    assert_true(bg_json_enter(&j, '{'));
    assert_false(bg_json_key(&j, key, sizeof key));
    assert_string_equal(j.why, "string too long");
    bg_json_open(&j, "[true]", 6);
    assert_true(bg_json_enter(&j, '['));
    assert_false(bg_json_key(&j, key, sizeof key));
    bg_json_open(&j, "{\"a\":1}", 7);
    assert_true(bg_json_enter(&j, '{'));
    assert_false(bg_json_item(&j) && bg_json_u64(&j, &x));
    bg_json_open(&j, "]", 1);
    assert_false(bg_json_item(&j));
    assert_false(bg_json_end(&j));
    bg_json_open(&j, "1", 1);
    assert_false(bg_json_bool(&j, &b));
    bg_json_open(&j, "[1", 2);
    assert_true(bg_json_enter(&j, '['));
    assert_false(bg_json_end(&j));
}

/* --- writing ------------------------------------------------------------------- */

static void written_text(void **state)
{
    fault_sys f;
    bg_text t;
    fault_open(&f);
    bg_text_open(&t, &f.sys);
    assert_null(t.data);
    bg_text_add(&t, "{%s:", "\"a\"");
    bg_text_json(&t, "q\"\\\n\t\r\b\f\x01\x7F \xC3\xA4\xE2\x82\xAC \x80 \xE2\x82");
    bg_text_raw(&t, "}", 1);
    for (int i = 0; i < 1000; i++)
        bg_text_add(&t, "%s", " ");
    assert_false(t.failed);
    assert_int_equal(strlen(t.data), t.size);
    json_error_t e;
    json_t *v = json_loads(t.data, 0, &e);
    if (!v)
        fail_msg("%s: %s", t.data, e.text);
    assert_string_equal(json_string_value(json_object_get(v, "a")),
                        "q\"\\\n\t\r\b\f\x01\x7F \xC3\xA4\xE2\x82\xAC \xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD");
    json_decref(v);
    bg_text_close(&t);
    assert_true(fault_clean(&f));
}

static void written_numbers(void **state)
{
    static const struct { double x; const char *text; } rows[] = {
        { 0, "0" }, { 1, "1" }, { -2.5, "-2.5" }, { 0.1, "0.1" }, { 1e22, "1e+22" }, { 1.0 / 3, "0.3333333333333333" }, { 5e-324, "4.94065645841247e-324" },
    };
    bg_text t;
    bg_rng r;
    bg_rng_open(&r, 2, BG_STREAM_USER, 0);
    bg_text_open(&t, bg_sys_default());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        t.size = 0;
        bg_text_double(&t, rows[i].x);
        assert_string_equal(t.data, rows[i].text);
    }
    for (int i = 0; i < 2000; i++) {
        bg_json j;
        double back, x = ldexp(bg_rng_double(&r) - 0.5, (int)bg_rng_below(&r, 200) - 100);
        t.size = 0;
        bg_text_double(&t, x);
        bg_json_open(&j, t.data, t.size);
        assert_true(bg_json_double(&j, &back) && bg_json_end(&j));
        if (!(back == x))
            fail_msg("%a came back as %a from %s", x, back, t.data);
    }
    t.size = 0;
    bg_text_double(&t, NAN);
    bg_text_double(&t, -INFINITY);
    assert_string_equal(t.data, "nullnull");
    bg_text_close(&t);
}

/* A host that writes 1,5 does not change the files. */
static void locale_does_not_matter(void **state)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "fr_FR", "ru_RU.UTF-8" };
    size_t i = 0;
    while (i < sizeof names / sizeof *names && !setlocale(LC_NUMERIC, names[i]))
        i++;
    if (i == sizeof names / sizeof *names)
        skip();
    bg_json j;
    double x;
    bg_text t;
    bg_json_open(&j, "1.5", 3);
    int read = bg_json_double(&j, &x);
    bg_text_open(&t, bg_sys_default());
    bg_text_double(&t, 1.5);
    setlocale(LC_NUMERIC, "C");
    assert_true(read && x == 1.5);
    assert_string_equal(t.data, "1.5");
    bg_text_close(&t);
}

static void text_without_memory(void **state)
{
    fault_sys f;
    bg_text t;
    fault_open(&f);
    bg_text_open(&t, &f.sys);
    bg_text_add(&t, "%s", "kept");
    fault_fail(&f, FAULT_ALLOC, 0, 0);
    for (int i = 0; i < 1000; i++)
        bg_text_add(&t, "%d", i);
    assert_true(t.failed);
    assert_int_equal(strncmp(t.data, "kept0123", 8), 0);
    assert_int_equal(strlen(t.data), t.size);
    bg_text_close(&t);
    assert_true(fault_clean(&f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table), cmocka_unit_test(truncated), cmocka_unit_test(agrees_with_jansson),
        cmocka_unit_test(numbers), cmocka_unit_test(strings), cmocka_unit_test(walking),
        cmocka_unit_test(wrong_expectations), cmocka_unit_test(written_text), cmocka_unit_test(written_numbers),
        cmocka_unit_test(locale_does_not_matter), cmocka_unit_test(text_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
