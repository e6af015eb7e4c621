/* WAV files.  Chunks that are not known are skipped; all that is asked of a
 * file are a "fmt " of PCM and, behind it, a "data". */
#include "cli/wave.h"
#include "cli/output.h"
#include <stdlib.h>
#include <string.h>

enum { RIFF = 12, CHUNK = 8, FMT = 16, HEADER = 44, PCM = 1, EXTENSIBLE = 0xfffe };

static uint32_t little(const uint8_t *p, int n)
{
    uint32_t x = 0;
    while (n-- > 0)
        x = x << 8 | p[n];
    return x;
}

static const char *read_format(wave_format *f, const uint8_t *p, uint32_t length)
{
    if (length < FMT)
        return "its format chunk is too short";
    uint32_t kind = little(p, 2);
    if (kind == EXTENSIBLE && length >= 26)
        kind = little(p + 24, 2);
    f->channels = little(p + 2, 2);
    f->rate = little(p + 4, 4);
    f->bits = little(p + 14, 2);
    if (kind != PCM || (f->bits != 8 && f->bits != 16 && f->bits != 24 && f->bits != 32))
        return "it is not PCM of 8, 16, 24 or 32 bits";
    if (f->channels < 1 || f->channels > 8 || f->rate < 1 || f->rate > 384000)
        return "its channels or its rate make no sense";
    return NULL;
}

static size_t frame(const wave_format *f) { return (size_t)f->channels * f->bits / 8; }

const char *wave_find(const uint8_t *file, size_t size, wave_format *format, const uint8_t **samples, size_t *length)
{
    bool known = false;
    if (size < RIFF || memcmp(file, "RIFF", 4) != 0 || memcmp(file + 8, "WAVE", 4) != 0)
        return "it does not begin as a WAV file";
    for (size_t at = RIFF; size - at >= CHUNK;) {
        const uint8_t *chunk = file + at;
        const size_t left = size - at - CHUNK;
        const uint32_t said = little(chunk + 4, 4);
        const bool cut = said > left;
        if (memcmp(chunk, "data", 4) == 0 && known) {
            *samples = chunk + CHUNK;
            *length = cut ? left : said;
            *length -= *length % frame(format);
            return *length > 0 ? NULL : "there are no samples in it";
        }
        if (cut)
            break;
        if (memcmp(chunk, "fmt ", 4) == 0) {
            const char *why = read_format(format, chunk + CHUNK, said);
            if (why != NULL)
                return why;
            known = true;
        }
        at += CHUNK + said;
        at += said % 2 != 0 && at < size; /* chunks begin at even places */
    }
    return known ? "there are no samples in it" : "it has no format chunk";
}

static uint8_t *room(wave *w, size_t n)
{
    if (n > w->capacity - w->size) {
        const size_t capacity = 2 * w->capacity + n + 65536;
        uint8_t *more = realloc(w->data, capacity);
        if (more == NULL)
            return NULL;
        w->data = more;
        w->capacity = capacity;
    }
    w->size += n;
    return w->data + w->size - n;
}

bool wave_append(wave *w, const uint8_t *samples, size_t length)
{
    uint8_t *to = room(w, length);
    if (to != NULL)
        memcpy(to, samples, length);
    return to != NULL;
}

bool wave_silence(wave *w, double seconds)
{
    const size_t length = (size_t)(seconds * w->format.rate) * frame(&w->format);
    uint8_t *to = room(w, length);
    if (to != NULL)
        memset(to, w->format.bits == 8 ? 128 : 0, length); /* samples of 8 bits have no sign */
    return to != NULL;
}

double wave_seconds(const wave *w)
{
    return w->size > 0 ? (double)(w->size / frame(&w->format)) / w->format.rate : 0;
}

void wave_free(wave *w)
{
    free(w->data);
    *w = (wave){ 0 };
}

static void put(uint8_t *to, uint32_t x, int n)
{
    for (int i = 0; i < n; i++, x >>= 8)
        to[i] = (uint8_t)x;
}

int wave_write(const wave *w, const char *path, bool overwrite, const bgpt_options *o)
{
    const wave_format *f = &w->format;
    const size_t padded = w->size + w->size % 2;
    bgpt_error error = { 0 };
    uint8_t *file = malloc(HEADER + padded);
    if (file == NULL)
        return fail(BGPT_ERR_MEMORY, "out of memory for %s", path);
    memcpy(file, "RIFF....WAVEfmt ", 16);
    put(file + 4, (uint32_t)(HEADER - CHUNK + padded), 4);
    put(file + 16, FMT, 4);
    put(file + 20, PCM, 2);
    put(file + 22, f->channels, 2);
    put(file + 24, f->rate, 4);
    put(file + 28, (uint32_t)(f->rate * frame(f)), 4);
    put(file + 32, (uint32_t)frame(f), 2);
    put(file + 34, f->bits, 2);
    memcpy(file + 36, "data", 4);
    put(file + 40, (uint32_t)w->size, 4);
    memcpy(file + HEADER, w->data, w->size);
    file[HEADER + padded - 1] = w->size % 2 ? 0 : file[HEADER + padded - 1];
    int code = bgpt_write_file(path, file, HEADER + padded, overwrite, o, &error) == BGPT_OK ? 0 : fail_with(&error);
    free(file);
    return code;
}
