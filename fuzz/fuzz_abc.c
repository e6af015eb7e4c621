/* libFuzzer target: tunebooks of any bytes.  Beyond what the sanitizers see: the one form of a tune is itself in that form, with
 * the same notes; one that was refused names a line of its own. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prepare/abc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one(const char *text, size_t size, unsigned unit)
{
    abc_tune t, again = { 0 };
    bg_error err = { BG_OK, "" };
    size_t line, lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    if (abc_normalize(text, size, unit, &t, bg_sys_default(), &err) == BG_OK) {
        if (abc_normalize(t.text.text, t.text.length, unit, &again, bg_sys_default(), &err) != BG_OK || again.text.length != t.text.length ||
            memcmp(again.text.text, t.text.text, t.text.length) || again.note_count != t.note_count ||
            (t.note_count && memcmp(again.notes, t.notes, t.note_count * sizeof *t.notes)))
            abort();
        abc_tune_free(&again);
    } else if (err.code != BG_ERR_FORMAT || sscanf(err.text, "line %zu:", &line) != 1 || line < 1 || line > lines + 1) {
        abort();
    }
    abc_tune_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size, *begin, *stop;
    while (abc_next(&at, end, &begin, &stop)) {
        one(begin, (size_t)(stop - begin), 8);
        one(begin, (size_t)(stop - begin), 0);
    }
    return 0;
}
