/* A strict reader for small JSON texts (model headers, metadata) and an
 * appending writer.  Why our own beside Jansson, which the command line uses:
 * the library has no globals and every allocation can be replaced, and
 * Jansson's allocator is a global.  The reader allocates nothing: it walks
 * the text and the caller says what it expects next.  RFC 8259; depth at most
 * 32; numbers as unsigned 64-bit or double; duplicate keys are the caller's to
 * detect (safetensors.c does). */
#ifndef BG_BASE_JSON_H
#define BG_BASE_JSON_H

#include "base/sys.h"

typedef struct bg_json {
    const char *text;  /* not necessarily zero-terminated */
    size_t size, at;   /* at = offset of the next unread character */
    int depth, failed;
    const char *why;   /* static sentence part, for errors, with `at` */
} bg_json;

void bg_json_open(bg_json *j, const char *text, size_t size);

/* The next value's kind without consuming: one of { [ " 0 t f n, or 0 at the
 * end or on an error. */
int bg_json_peek(bg_json *j);

/* Objects: if (bg_json_enter(j,'{')) while (bg_json_key(j, buf, n)) {value}.
 * enter: 1 or 0 (wrong kind -> failed).  key: 1 = key read into buf (UTF-8,
 * escapes resolved, zero-terminated; too long -> failed), 0 = object ended or
 * failed.  Arrays: if (enter(j,'[')) while (bg_json_item(j)) {value}. */
int bg_json_enter(bg_json *j, char open);
int bg_json_key(bg_json *j, char *buf, size_t n);
int bg_json_item(bg_json *j);

int bg_json_string(bg_json *j, char *buf, size_t n); /* zero-terminated; too long -> failed */
/* A string of any length: *start and *raw_size are the raw characters between the quotes. */
int bg_json_raw_string(bg_json *j, const char **start, size_t *raw_size);
/* Resolve escapes of a raw string; out needs raw_size + 1 bytes; returns length. */
size_t bg_json_unescape(char *out, const char *raw, size_t raw_size);
int bg_json_u64(bg_json *j, uint64_t *out);
int bg_json_double(bg_json *j, double *out);
int bg_json_bool(bg_json *j, int *out);
int bg_json_skip(bg_json *j); /* any value */
/* 1 when nothing but white space is left and nothing failed. */
int bg_json_end(bg_json *j);

/* Bytes of the UTF-8 character at s (n bytes left); 0 when it is malformed. */
size_t bg_utf8_length(const char *s, size_t n);

/* A growing text (base/text.c).  After an allocation failure it keeps failed = 1 and stays
 * a valid (cut) string. */
typedef struct bg_text {
    const bg_sys *sys;
    char *data; /* zero-terminated, NULL while empty */
    size_t size, capacity;
    int failed;
} bg_text;

void bg_text_open(bg_text *t, const bg_sys *sys);
void bg_text_close(bg_text *t);
void bg_text_add(bg_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bg_text_raw(bg_text *t, const void *data, size_t n);
/* "..." with escapes; bytes that are not UTF-8 become U+FFFD. */
void bg_text_json(bg_text *t, const char *s);
/* The shortest text that reads back as x, with a point in every locale; null
 * when x is not finite, which JSON cannot say. */
void bg_text_double(bg_text *t, double x);

#endif
