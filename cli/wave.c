/* WAV files.  Chunks that are not known are skipped; all that is asked of a
 * file are a "fmt " of PCM and, behind it, a "data". */
#include "cli/wave.h"
#include "cli/output.h"
#include "prepare/wave.h"
#include <stdlib.h>
#include <string.h>

enum { RIFF = 12, CHUNK = 8, FMT = 16, PCM = 1, EXTENSIBLE = 0xfffe };

static const char *read_format(wave_format *f, const uint8_t *p, uint32_t length)
{
    if (length < FMT)
        return "its format chunk is too short";
    uint32_t kind = bg_little(p, 2);
    if (kind == EXTENSIBLE && length >= 26)
        kind = bg_little(p + 24, 2);
    f->channels = bg_little(p + 2, 2);
    f->rate = bg_little(p + 4, 4);
    f->bits = bg_little(p + 14, 2);
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
        const uint32_t said = bg_little(chunk + 4, 4);
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

int wave_write(const wave *w, const char *path, bool overwrite, const bgpt_options *o)
{
    const wave_format *f = &w->format;
    const size_t padded = w->size + w->size % 2;
    bgpt_error error = { 0 };
    uint8_t *file = malloc(WAVE_HEADER + padded);
    if (file == NULL)
        return fail(BGPT_ERR_MEMORY, "out of memory for %s", path);
    wave_header(file, f->rate, f->channels, f->bits, (uint32_t)w->size);
    memcpy(file + WAVE_HEADER, w->data, w->size);
    file[WAVE_HEADER + padded - 1] = w->size % 2 ? 0 : file[WAVE_HEADER + padded - 1];
    int code = bgpt_write_file(path, file, WAVE_HEADER + padded, overwrite, o, &error) == BGPT_OK ? 0 : fail_with(&error);
    free(file);
    return code;
}
