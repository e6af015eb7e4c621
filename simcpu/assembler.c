/* Assembly -> memory and the state at start.  Refuses, with file and line,
 * whatever the machine would refuse to run, but for .byte. */
#include "simcpu/assembly.h"

#include <string.h>
#include <strings.h>

typedef struct word {
    const char *text; /* not zero-terminated */
    int size;
} word;

/* .start may name each of the 16 fields once; one more is room to see too many. */
enum { WORDS = BG_SIM_STATE + 2 };

typedef struct source {
    const char *name;
    size_t line;
    uint8_t *image;
    unsigned slots; /* instructions so far */
    bg_error *err;
} source;

#define WRONG(s, format, ...) bg_fail((s)->err, BG_ERR_FORMAT, "%s:%zu: " format, (s)->name, (s)->line, __VA_ARGS__)

static int is(const word *w, const char *name)
{
    return (size_t)w->size == strlen(name) && strncasecmp(w->text, name, (size_t)w->size) == 0;
}

/* Words beyond the first `most` are counted, not kept. */
static size_t split(const char *line, size_t size, word *words, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        if (strchr(" \t\r\f\v,", line[i]) && line[i])
            continue;
        if (line[i] == ';' || line[i] == '#')
            break;
        size_t begin = i;
        while (i < size && !(strchr(" \t\r\f\v,;#", line[i]) && line[i]))
            i++;
        /* a sentence has no room for more of a word than this */
        if (count < most)
            words[count] = (word){ line + begin, (int)(i - begin < 60 ? i - begin : 60) };
        count++;
        i--;
    }
    return count;
}

/* A number from 0 to 255, decimal, of at most three digits; 0 for anything else. */
static int read_byte(const char *text, int size, uint8_t *value)
{
    unsigned n = 0;
    if (size > 3)
        return 0;
    for (int i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        n = 10 * n + (unsigned)(text[i] - '0');
    }
    if (n > 255)
        return 0;
    *value = (uint8_t)n;
    return size > 0;
}

/* 1 to 10, or 0 when it names no register. */
static uint8_t read_register(const word *w)
{
    for (uint8_t r = 1; r <= BG_SIM_REGISTERS; r++)
        if (is(w, bg_sim_fields[BG_SIM_A - 1 + r]))
            return r;
    return 0;
}

static bg_status start_field(source *s, const word *w)
{
    const char *equals = memchr(w->text, '=', (size_t)w->size);
    if (!equals)
        return WRONG(s, ".start wants FIELD=NUMBER, not %.*s", w->size, w->text);
    word field = { w->text, (int)(equals - w->text) };
    for (int i = 0; i < BG_SIM_STATE; i++) {
        if (!is(&field, bg_sim_fields[i]))
            continue;
        if (read_byte(equals + 1, w->size - field.size - 1, &s->image[BG_SIM_MEMORY + i]))
            return BG_OK;
        return WRONG(s, "%.*s: not a number from 0 to 255", w->size, w->text);
    }
    return WRONG(s, "%.*s is no field of a state (PC, ACC, A to J are)", field.size, field.text);
}

static bg_status raw_bytes(source *s, const word *words, size_t count, uint8_t code[BG_SIM_CODE])
{
    if (count != BG_SIM_CODE)
        return WRONG(s, ".byte wants %d numbers, not %zu", BG_SIM_CODE, count);
    for (size_t i = 0; i < count; i++)
        if (!read_byte(words[i].text, words[i].size, &code[i]))
            return WRONG(s, "%.*s is not a number from 0 to 255", words[i].size, words[i].text);
    return BG_OK;
}

static bg_status operands(source *s, const word *words, size_t count, uint8_t code[BG_SIM_CODE])
{
    const bg_sim_op *op = &bg_sim_ops[code[0]];
    const char *what = code[0] == BG_SIM_LOADI ? "number" : "register";
    if (count < op->least || count > op->most) {
        if (op->least == op->most)
            return WRONG(s, "%s takes %u %s%s, not %zu", op->name, op->most, what, op->most == 1 ? "" : "s", count);
        return WRONG(s, "%s takes %u to %u %ss, not %zu", op->name, op->least, op->most, what, count);
    }
    for (size_t i = 0; i < count; i++) {
        const word *w = &words[i];
        if (code[0] == BG_SIM_LOADI && !read_byte(w->text, w->size, &code[1]))
            return WRONG(s, "LOADI takes a number from 0 to 255, not %.*s", w->size, w->text);
        if (code[0] != BG_SIM_LOADI && !(code[i + 1] = read_register(w)))
            return WRONG(s, "%.*s is no register (A to J are)", w->size, w->text);
    }
    return BG_OK;
}

static bg_status instruction(source *s, const word *words, size_t count)
{
    uint8_t code[BG_SIM_CODE] = { 0 };
    if (is(&words[0], ".byte")) {
        BG_TRY(raw_bytes(s, words + 1, count - 1, code));
    } else {
        while (code[0] < BG_SIM_OPS && !is(&words[0], bg_sim_ops[code[0]].name))
            code[0]++;
        if (code[0] == BG_SIM_OPS)
            return WRONG(s, "%.*s is no instruction", words[0].size, words[0].text);
        BG_TRY(operands(s, words + 1, count - 1, code));
    }
    if (s->slots == BG_SIM_SLOTS)
        return WRONG(s, "more than %d instructions: memory is full", BG_SIM_SLOTS);
    memcpy(&s->image[BG_SIM_CODE * s->slots++], code, BG_SIM_CODE);
    return BG_OK;
}

static bg_status read_line(source *s, const char *line, size_t size)
{
    word words[WORDS];
    size_t count = split(line, size, words, WORDS);
    if (count == 0)
        return BG_OK;
    if (count > WORDS)
        return WRONG(s, "%zu words in a line, no instruction has so many", count);
    if (!is(&words[0], ".start"))
        return instruction(s, words, count);
    for (size_t i = 1; i < count; i++)
        BG_TRY(start_field(s, &words[i]));
    return BG_OK;
}

bg_status bg_sim_assemble(const char *text, size_t size, const char *name, uint8_t image[BG_SIM_IMAGE], bg_error *err)
{
    source s = { .name = name, .image = image, .err = err };
    memset(image, 0, BG_SIM_IMAGE);
    for (size_t at = 0; at < size; at++) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at : size - at;
        s.line++;
        BG_TRY(read_line(&s, text + at, length));
        at += length;
    }
    if (s.slots == 0)
        return bg_fail(err, BG_ERR_FORMAT, "%s: no instruction in it", name);
    return BG_OK;
}
