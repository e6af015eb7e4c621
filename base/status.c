/* Formats the one-sentence errors.  Refuses to print, exit or allocate. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where to cut a text of n bytes so that no UTF-8 character is split: behind
 * the last complete one. */
static size_t whole_characters(const char *s, size_t n)
{
    size_t lead = n;
    while (lead > 0 && n - lead < 4 && ((unsigned char)s[lead - 1] & 0xC0) == 0x80)
        lead--;
    if (lead == 0 || (unsigned char)s[lead - 1] < 0xC0)
        return n; /* ends in a plain byte, or is not UTF-8 at all */
    unsigned char c = (unsigned char)s[lead - 1];
    size_t want = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    return n - (lead - 1) < want ? lead - 1 : n;
}

/* Names in hostile files may hold terminal escapes: no control character gets into a sentence. */
static void disarm(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
}

/* The sentence is made beside err->text, because callers pass the old text as
 * an argument when they put a name in front of it. */
static void set_text(bg_error *err, const char *format, va_list args, const char *tail)
{
    char text[BG_ERROR_TEXT];
    int n = vsnprintf(text, sizeof text, format, args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used < sizeof text && tail)
        used += (size_t)snprintf(text + used, sizeof text - used, ": %s", tail);
    if (used >= sizeof text)
        used = whole_characters(text, sizeof text - 1);
    disarm(text, used);
    memcpy(err->text, text, used);
    err->text[used] = 0;
}

bg_status bg_fail(bg_error *err, bg_status code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        set_text(err, format, args, NULL);
        va_end(args);
        err->code = code;
    }
    return code;
}

static bg_status status_of(int error, int reading)
{
    if (error == ENOMEM)
        return BG_ERR_MEMORY;
    if (reading && (error == ENOENT || error == EACCES || error == ENOTDIR || error == EISDIR))
        return BG_ERR_NOT_FOUND;
    return BG_ERR_IO;
}

bg_status bg_fail_errno(bg_error *err, int reading, const char *format, ...)
{
    int error = errno;
    bg_status code = status_of(error, reading);
    if (err) {
        va_list args;
        va_start(args, format);
        set_text(err, format, args, strerror(error));
        va_end(args);
        err->code = code;
    }
    return code;
}
