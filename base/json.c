/* The JSON reader.  Refuses everything that RFC 8259 does not allow, texts
 * nested deeper than 32, and names or values with a zero character where a C
 * string is wanted.  Never allocates.
 *
 * No stack of open brackets is kept: whether a comma is due follows from the
 * character just before (an opening bracket or not), because every function
 * leaves `at` right behind what it consumed. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32, MAX_NUMBER = 100 };

/* --- reader ------------------------------------------------------------------ */

void bg_json_open(bg_json *j, const char *text, size_t size)
{
    memset(j, 0, sizeof *j);
    j->text = text;
    j->size = size;
}

static int fail(bg_json *j, const char *why)
{
    if (!j->failed) {
        j->failed = 1;
        j->why = why;
    }
    return 0;
}

static size_t skip_space(const bg_json *j)
{
    size_t at = j->at;
    while (at < j->size && (j->text[at] == ' ' || j->text[at] == '\t' || j->text[at] == '\n' || j->text[at] == '\r'))
        at++;
    return at;
}

/* The next character that is not white space, 0 at the end (and for a zero
 * byte, which is wrong everywhere outside a value's text too). */
static char next_char(const bg_json *j)
{
    size_t at = skip_space(j);
    return at < j->size ? j->text[at] : 0;
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }

int bg_json_peek(bg_json *j)
{
    char c = j->failed ? 0 : next_char(j);
    if (c == '-' || is_digit(c))
        return '0';
    return c && strchr("{[\"tfn", c) ? c : 0;
}

int bg_json_enter(bg_json *j, char open)
{
    if (j->failed)
        return 0;
    if (next_char(j) != open)
        return fail(j, open == '{' ? "expected an object" : "expected an array");
    if (j->depth == MAX_DEPTH)
        return fail(j, "nested too deep");
    j->at = skip_space(j) + 1;
    j->depth++;
    return 1;
}

/* Stand in front of the next element: 1; or consume the closing bracket: 0. */
static int next_element(bg_json *j, char open, char close)
{
    if (j->failed)
        return 0;
    if (j->depth == 0)
        return fail(j, "nothing is open");
    int first = j->at > 0 && j->text[j->at - 1] == open;
    char c = next_char(j);
    if (c == close) {
        j->at = skip_space(j) + 1;
        j->depth--;
        return 0;
    }
    if (first)
        return 1;
    if (c != ',')
        return fail(j, "expected a comma or a closing bracket");
    j->at = skip_space(j) + 1;
    return 1;
}

int bg_json_item(bg_json *j)
{
    if (!next_element(j, '[', ']'))
        return 0;
    if (!bg_json_peek(j))
        return fail(j, "expected a value");
    return 1;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four hexadecimal digits at s, -1 when they are not. */
static long hex4(const char *s, size_t n)
{
    long value = 0;
    for (size_t i = 0; i < 4; i++) {
        int d = i < n ? hex_digit(s[i]) : -1;
        if (d < 0)
            return -1;
        value = value * 16 + d;
    }
    return value;
}

/* Length of the escape at s (which starts with a backslash) and its code
 * point; 0 when it is malformed.  A high surrogate needs its low one. */
static size_t escape_length(const char *s, size_t n, long *code)
{
    static const char letters[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    const char *p = n >= 2 && s[1] ? strchr(letters, s[1]) : NULL;
    if (p) {
        *code = meaning[p - letters];
        return 2;
    }
    if (n < 6 || s[1] != 'u' || (*code = hex4(s + 2, n - 2)) < 0)
        return 0;
    if (*code < 0xD800 || *code > 0xDFFF)
        return 6;
    if (*code > 0xDBFF || n < 12 || s[6] != '\\' || s[7] != 'u')
        return 0;
    long low = hex4(s + 8, n - 8);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    *code = 0x10000 + (*code - 0xD800) * 0x400 + (low - 0xDC00);
    return 12;
}

int bg_json_raw_string(bg_json *j, const char **start, size_t *raw_size)
{
    *start = "";
    *raw_size = 0;
    if (j->failed)
        return 0;
    if (next_char(j) != '"')
        return fail(j, "expected a string");
    size_t begin = skip_space(j) + 1, at = begin;
    while (at < j->size && j->text[at] != '"') {
        long code;
        const char *s = j->text + at;
        if ((unsigned char)*s < 0x20)
            return fail(j, "control character in a string");
        size_t n = *s == '\\' ? escape_length(s, j->size - at, &code) : bg_utf8_length(s, j->size - at);
        if (n == 0)
            return fail(j, *s == '\\' ? "malformed escape in a string" : "malformed UTF-8 in a string");
        at += n;
    }
    if (at >= j->size)
        return fail(j, "unfinished string");
    *start = j->text + begin;
    *raw_size = at - begin;
    j->at = at + 1;
    return 1;
}

static size_t utf8_encode(char *out, long code)
{
    static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((n > 1 ? lead[n] : 0) | code);
    return n;
}

/* Resolve escapes into out, or only measure when out is NULL; *zero tells
 * whether a zero character is among them. */
static size_t resolve(char *out, const char *raw, size_t raw_size, int *zero)
{
    size_t used = 0;
    *zero = 0;
    for (size_t i = 0; i < raw_size;) {
        long code = raw[i];
        char bytes[4] = { raw[i] };
        size_t step = raw[i] == '\\' ? escape_length(raw + i, raw_size - i, &code) : 0;
        size_t n = step ? utf8_encode(bytes, code) : 1;
        *zero |= code == 0;
        if (out)
            memcpy(out + used, bytes, n);
        used += n;
        i += step ? step : 1;
    }
    return used;
}

/* An escape is never shorter than what it stands for, so the result fits. */
size_t bg_json_unescape(char *out, const char *raw, size_t raw_size)
{
    int zero;
    size_t n = resolve(out, raw, raw_size, &zero);
    out[n] = 0;
    return n;
}

int bg_json_string(bg_json *j, char *buf, size_t n)
{
    const char *raw;
    size_t raw_size;
    int zero;
    if (n)
        buf[0] = 0;
    if (!bg_json_raw_string(j, &raw, &raw_size))
        return 0;
    size_t size = resolve(NULL, raw, raw_size, &zero);
    if (zero)
        return fail(j, "zero character in a string");
    if (size >= n)
        return fail(j, "string too long");
    bg_json_unescape(buf, raw, raw_size);
    return 1;
}

static int colon(bg_json *j)
{
    if (j->failed)
        return 0;
    if (next_char(j) != ':')
        return fail(j, "expected a colon");
    j->at = skip_space(j) + 1;
    if (!bg_json_peek(j))
        return fail(j, "expected a value");
    return 1;
}

int bg_json_key(bg_json *j, char *buf, size_t n)
{
    return next_element(j, '{', '}') && bg_json_string(j, buf, n) && colon(j);
}

/* Parts of a number: s[0..whole) sign and integer, then the digits of the
 * fraction, then the exponent; size 0 when it is malformed. */
typedef struct number {
    const char *s;
    size_t whole, fraction, exponent, size; /* offsets where the parts begin */
} number;

static size_t digits(const bg_json *j, size_t at)
{
    size_t begin = at;
    while (at < j->size && is_digit(j->text[at]))
        at++;
    return at - begin;
}

static char char_at(const bg_json *j, size_t at) { return at < j->size ? j->text[at] : 0; }

/* number = [ "-" ] ( "0" / 1-9 *digit ) [ "." 1*digit ] [ ("e" / "E") [sign] 1*digit ] */
static int scan_number(bg_json *j, number *out)
{
    if (j->failed)
        return 0;
    size_t begin = skip_space(j), at = begin, n;
    if (char_at(j, at) == '-')
        at++;
    n = digits(j, at);
    if (n == 0)
        return fail(j, "expected a number");
    if (n > 1 && j->text[at] == '0')
        return fail(j, "number with a leading zero");
    at += n;
    *out = (number){ j->text + begin, at - begin, at - begin, 0, 0 };
    if (char_at(j, at) == '.') {
        n = digits(j, at + 1);
        if (n == 0)
            return fail(j, "malformed number");
        out->fraction = at + 1 - begin;
        at += 1 + n;
    }
    out->exponent = at - begin;
    if (char_at(j, at) == 'e' || char_at(j, at) == 'E') {
        at++;
        if (char_at(j, at) == '+' || char_at(j, at) == '-')
            at++;
        n = digits(j, at);
        if (n == 0)
            return fail(j, "malformed number");
        at += n;
    }
    out->size = at - begin;
    j->at = at;
    return 1;
}

int bg_json_u64(bg_json *j, uint64_t *out)
{
    number x;
    *out = 0;
    if (!scan_number(j, &x))
        return 0;
    if (x.s[0] == '-' || x.size != x.whole)
        return fail(j, "expected a whole number, not negative");
    for (size_t i = 0; i < x.size; i++)
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, (uint64_t)(x.s[i] - '0'), out)) {
            *out = 0;
            return fail(j, "number out of range");
        }
    return 1;
}

/* The exponent of a number, held within what no number of MAX_NUMBER
 * characters can bring back into the range of a double. */
static long exponent_of(const number *x)
{
    long value = 0;
    int negative = 0;
    for (size_t i = x->exponent + 1; i < x->size; i++) {
        if (x->s[i] == '-')
            negative = 1;
        else if (x->s[i] != '+' && value < 100000)
            value = value * 10 + (x->s[i] - '0');
    }
    return negative ? -value : value;
}

/* strtod reads the decimal point of the host's locale, so it is given none:
 * 12.5e3 becomes 125e2. */
int bg_json_double(bg_json *j, double *out)
{
    number x;
    char text[MAX_NUMBER + 32];
    *out = 0;
    if (!scan_number(j, &x))
        return 0;
    if (x.size > MAX_NUMBER)
        return fail(j, "number with too many digits");
    int decimals = (int)(x.exponent - x.fraction);
    snprintf(text, sizeof text, "%.*s%.*se%ld", (int)x.whole, x.s, decimals, x.s + x.fraction, exponent_of(&x) - decimals);
    *out = strtod(text, NULL);
    if (!isfinite(*out)) {
        *out = 0;
        return fail(j, "number out of range");
    }
    return 1;
}

static int word(bg_json *j, const char *text)
{
    size_t n = strlen(text), at = skip_space(j);
    if (j->failed)
        return 0;
    if (j->size - at < n || memcmp(j->text + at, text, n) != 0)
        return fail(j, "expected a value");
    j->at = at + n;
    return 1;
}

int bg_json_bool(bg_json *j, int *out)
{
    *out = bg_json_peek(j) == 't';
    return word(j, *out ? "true" : "false");
}

/* Recursion is bounded by MAX_DEPTH. */
int bg_json_skip(bg_json *j)
{
    const char *raw;
    size_t n;
    number x;
    switch (bg_json_peek(j)) {
    case '{':
        bg_json_enter(j, '{');
        while (next_element(j, '{', '}') && bg_json_raw_string(j, &raw, &n) && colon(j))
            bg_json_skip(j);
        return !j->failed;
    case '[':
        bg_json_enter(j, '[');
        while (bg_json_item(j))
            bg_json_skip(j);
        return !j->failed;
    case '"':
        return bg_json_raw_string(j, &raw, &n);
    case '0':
        return scan_number(j, &x);
    case 't':
        return word(j, "true");
    case 'f':
        return word(j, "false");
    case 'n':
        return word(j, "null");
    default:
        return fail(j, "expected a value");
    }
}

int bg_json_end(bg_json *j)
{
    return !j->failed && j->depth == 0 && (skip_space(j) == j->size || fail(j, "text after the end"));
}
