/* The growing text, and what is well-formed UTF-8.  Refuses to report failures one by one: the caller looks at
 * `failed` once, at the end. */
#include "base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Malformed: stray or missing continuation, overlong, surrogate, above U+10FFFF. */
size_t bg_utf8_length(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (n == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    size_t want = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || n < want)
        return 0;
    for (size_t i = 1; i < want; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)
        || (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return want;
}

void bg_text_open(bg_text *t, const bg_sys *sys)
{
    memset(t, 0, sizeof *t);
    t->sys = sys;
}

void bg_text_close(bg_text *t)
{
    if (t->sys)
        bg_free(t->sys, t->data);
    memset(t, 0, sizeof *t);
}

/* Room for n more characters and the zero behind them. */
static int reserve(bg_text *t, size_t n)
{
    size_t need;
    void *data = t->data;
    if (t->failed || bg_add_size(&need, t->size, n) || bg_add_size(&need, need, 1)
        || bg_grow(t->sys, &data, &t->capacity, need, 1, NULL) != BG_OK) {
        t->failed = 1;
        return 0;
    }
    t->data = data;
    return 1;
}

void bg_text_raw(bg_text *t, const void *data, size_t n)
{
    if (!reserve(t, n))
        return;
    if (n)
        memcpy(t->data + t->size, data, n);
    t->size += n;
    t->data[t->size] = 0;
}

void bg_text_add(bg_text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !reserve(t, (size_t)n)) {
        t->failed = 1;
        return;
    }
    va_start(args, format);
    vsnprintf(t->data + t->size, (size_t)n + 1, format, args);
    va_end(args);
    t->size += (size_t)n;
}

static void add_escaped(bg_text *t, unsigned char c)
{
    static const char letters[] = "\"\\\b\f\n\r\t", meaning[] = "\"\\bfnrt";
    const char *p = strchr(letters, c);
    if (p)
        bg_text_add(t, "\\%c", meaning[p - letters]);
    else
        bg_text_add(t, "\\u%04x", c);
}

void bg_text_json(bg_text *t, const char *s)
{
    size_t left = strlen(s);
    bg_text_raw(t, "\"", 1);
    while (left > 0) {
        unsigned char c = (unsigned char)*s;
        size_t n = bg_utf8_length(s, left);
        if (n == 0)
            bg_text_raw(t, "\xEF\xBF\xBD", 3);
        else if (c < 0x20 || c == 0x7F || c == '"' || c == '\\')
            add_escaped(t, c);
        else
            bg_text_raw(t, s, n);
        n = n ? n : 1;
        s += n;
        left -= n;
    }
    bg_text_raw(t, "\"", 1);
}

void bg_text_double(bg_text *t, double x)
{
    char text[40];
    if (!isfinite(x)) {
        bg_text_add(t, "null");
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, x);
        if (strtod(text, NULL) == x)
            break;
    }
    for (char *p = text; *p; p++)
        if (!(*p >= '0' && *p <= '9') && *p != '-' && *p != '+' && *p != 'e')
            *p = '.'; /* the host's locale may have put a comma */
    bg_text_add(t, "%s", text);
}
