/* libFuzzer target: the JSON reader, by reading and by skipping.
 * Beyond what the sanitizers see: both ways agree on what is JSON (but for
 * numbers out of range), strings come out as UTF-8 and go back in through the
 * writer, and reading never leaves the text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s, size_t n)
{
    for (size_t i = 0, step; i < n; i += step)
        if ((step = bg_utf8_length(s + i, n - i)) == 0)
            abort();
}

/* A string written and read again is the same. */
static void check_round_trip(const char *s)
{
    bg_text t;
    bg_json j;
    char back[64];
    bg_text_open(&t, bg_sys_default());
    bg_text_json(&t, s);
    bg_json_open(&j, t.data, t.size);
    if (!bg_json_string(&j, back, sizeof back) || !bg_json_end(&j) || strcmp(back, s) != 0)
        abort();
    bg_text_close(&t);
}

static void read_string(bg_json *j)
{
    const char *raw;
    char *text, small[16];
    size_t n;
    bg_json copy = *j;
    if (!bg_json_raw_string(j, &raw, &n))
        return;
    text = malloc(n + 1);
    if (!text)
        abort();
    check_text(text, bg_json_unescape(text, raw, n));
    free(text);
    if (bg_json_string(&copy, small, sizeof small))
        check_round_trip(small);
}

static void read_value(bg_json *j)
{
    char key[32];
    double real;
    uint64_t whole;
    int truth;
    bg_json copy = *j;
    switch (bg_json_peek(j)) {
    case '{':
        bg_json_enter(j, '{');
        while (bg_json_key(j, key, sizeof key))
            read_value(j);
        break;
    case '[':
        bg_json_enter(j, '[');
        while (bg_json_item(j))
            read_value(j);
        break;
    case '"': read_string(j); break;
    case '0':
        bg_json_u64(&copy, &whole);
        bg_json_double(j, &real);
        break;
    case 't':
    case 'f': bg_json_bool(j, &truth); break;
    default: bg_json_skip(j);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bg_json read, skip;
    char *text = malloc(size ? size : 1); /* a block of its own, without a zero behind it */
    if (!text)
        abort();
    memcpy(text, data, size);
    bg_json_open(&read, text, size);
    bg_json_open(&skip, text, size);
    read_value(&read);
    bg_json_skip(&skip);
    const int good = bg_json_end(&read), skipped = bg_json_end(&skip);
    if ((good && !skipped) || read.at > size || skip.at > size || (!good && !read.why) || (!skipped && !skip.why))
        abort();
    free(text);
    return 0;
}
