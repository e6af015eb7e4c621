/* The readers of pictures and sounds that a model wrote: what they take, what
 * they refuse, every truncation and random damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#undef fail /* the program has a function of this name */
#include "base/rng.h"
#include "cli/bitmap.h"
#include "cli/output.h"
#include "cli/wave.h"

/* Of the program's streams nothing is linked here. */
int fail(bgpt_status status, const char *format, ...) { return bgpt_exit_code(status); }
int fail_with(const bgpt_error *error) { return bgpt_exit_code(error->code); }

enum { MOST = 4096 };

static void put(uint8_t *p, uint32_t x, int n)
{
    for (int i = 0; i < n; i++, x >>= 8)
        p[i] = (uint8_t)x;
}

/* --- bitmaps ------------------------------------------------------------------------ */

/* Pixels of value 1, 2, 3, ...; a palette turns i into (i, 0, 255 - i). */
static size_t bmp(uint8_t *f, int32_t width, int32_t height, unsigned bits)
{
    const unsigned rows = (unsigned)(height < 0 ? -height : height), palette = bits == 8 ? 1024 : 0;
    const size_t row = ((size_t)width * bits / 8 + 3) / 4 * 4, size = 54 + palette + row * rows;
    assert_true(size <= MOST);
    memset(f, 0, size);
    memcpy(f, "BM", 2);
    put(f + 2, (uint32_t)size, 4);
    put(f + 10, 54 + palette, 4);
    put(f + 14, 40, 4);
    put(f + 18, (uint32_t)width, 4);
    put(f + 22, (uint32_t)height, 4);
    put(f + 26, 1, 2);
    put(f + 28, bits, 2);
    for (unsigned i = 0; i < palette / 4; i++) {
        f[54 + 4 * i] = (uint8_t)(255 - i); /* blue first */
        f[54 + 4 * i + 2] = (uint8_t)i;
    }
    for (size_t i = 0; i < row * rows; i++)
        f[54 + palette + i] = (uint8_t)(i + 1);
    return size;
}

/* In a block of its very size, so that AddressSanitizer sees a read beyond the end. */
static const char *read_bmp(bitmap *b, const uint8_t *file, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, file, size);
    const char *why = bitmap_read(b, copy, size);
    free(copy);
    return why;
}

static void check_pixel(const bitmap *b, unsigned x, unsigned y, uint8_t r, uint8_t g, uint8_t blue)
{
    const uint8_t *p = b->rgb + 3 * (y * b->width + x);
    assert_true(p[0] == r && p[1] == g && p[2] == blue);
}

static void bitmaps(void **state)
{
    uint8_t f[MOST];
    bitmap b;
    assert_null(read_bmp(&b, f, bmp(f, 3, 2, 24))); /* rows of 9 and 3 of padding, the last row first */
    assert_true(b.width == 3 && b.height == 2);
    check_pixel(&b, 0, 1, 3, 2, 1);
    check_pixel(&b, 2, 1, 9, 8, 7);
    check_pixel(&b, 0, 0, 15, 14, 13);
    free(b.rgb);
    assert_null(read_bmp(&b, f, bmp(f, 3, -2, 24)));
    check_pixel(&b, 0, 0, 3, 2, 1);
    free(b.rgb);
    assert_null(read_bmp(&b, f, bmp(f, 2, 2, 32)));
    check_pixel(&b, 1, 1, 7, 6, 5);
    free(b.rgb);
    assert_null(read_bmp(&b, f, bmp(f, 2, 1, 8)));
    check_pixel(&b, 1, 0, 2, 0, 253);
    free(b.rgb);
    /* a palette of two colours, of which the second pixel is none */
    bmp(f, 2, 1, 8);
    put(f + 46, 2, 4);
    assert_null(read_bmp(&b, f, 54 + 1024 + 4));
    check_pixel(&b, 1, 0, 0, 0, 0);
    free(b.rgb);
}

static void bad_bitmaps(void **state)
{
    static const struct { int at, bytes; uint32_t value; const char *why; } rows[] = {
        { 0, 1, 'X', "BM" }, { 14, 4, 12, "header" }, { 14, 4, UINT32_MAX, "header" }, { 18, 4, 0, "width" }, { 18, 4, 5000, "width" }, { 18, 4, 0x80000000u, "width" },
        { 22, 4, 0x80000000u, "width" }, { 22, 4, 0, "width" }, { 26, 2, 2, "plain" }, { 28, 2, 17, "plain" }, { 30, 4, 1, "compressed" }, { 30, 4, 4, "plain" },
        { 10, 4, 53, "fewer" }, { 10, 4, UINT32_MAX, "fewer" }, { 22, 4, 3, "fewer" }, { 28, 2, 8, "palette" },
    };
    uint8_t f[MOST];
    bitmap b;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t size = bmp(f, 3, 2, 24);
        put(f + rows[i].at, rows[i].value, rows[i].bytes);
        const char *why = read_bmp(&b, f, size);
        const int good = why && strstr(why, rows[i].why) && !b.rgb;
        if (!good)
            print_error("row %zu: %s\n", i, why ? why : "taken");
        assert_true(good);
    }
    const size_t size = bmp(f, 3, 2, 24);
    for (size_t n = 0; n < size; n++)
        assert_non_null(read_bmp(&b, f, n));
}

/* --- sounds ---------------------------------------------------------------------------- */

static size_t wav(uint8_t *f, unsigned rate, unsigned channels, unsigned bits, unsigned samples)
{
    memset(f, 0, MOST);
    memcpy(f, "RIFF....WAVEfmt ", 16);
    put(f + 4, 36 + samples, 4);
    put(f + 16, 16, 4);
    put(f + 20, 1, 2);
    put(f + 22, channels, 2);
    put(f + 24, rate, 4);
    put(f + 34, bits, 2);
    memcpy(f + 36, "data", 4);
    put(f + 40, samples, 4);
    for (unsigned i = 0; i < samples; i++)
        f[44 + i] = (uint8_t)(i + 1);
    return 44 + samples;
}

static const char *find(const uint8_t *file, size_t size, wave_format *format, uint8_t *first, size_t *length)
{
    const uint8_t *samples = NULL;
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, file, size);
    *length = 0;
    const char *why = wave_find(copy, size, format, &samples, length);
    if (!why) {
        assert_true(samples >= copy && *length > 0 && samples + *length <= copy + size);
        *first = samples[0];
    }
    free(copy);
    return why;
}

static void sounds(void **state)
{
    uint8_t f[MOST], first;
    wave_format format;
    size_t n, size = wav(f, 8000, 1, 8, 100);
    assert_null(find(f, size, &format, &first, &n));
    assert_true(n == 100 && first == 1 && format.rate == 8000 && format.channels == 1 && format.bits == 8);
    assert_null(find(f, 60, &format, &first, &n)); /* cut in its samples */
    assert_int_equal(n, 16);
    size = wav(f, 44100, 2, 16, 102); /* 25 whole frames */
    assert_null(find(f, size, &format, &first, &n));
    assert_int_equal(n, 100);
    /* an unknown chunk of odd length before the samples */
    size = wav(f, 8000, 1, 8, 50);
    memmove(f + 48, f + 36, 58);
    memcpy(f + 36, "odd \3\0\0\0abc\0", 12);
    assert_null(find(f, size + 12, &format, &first, &n));
    assert_true(n == 50 && first == 1);
}

static void bad_sounds(void **state)
{
    static const struct { int at, bytes; uint32_t value; const char *why; } rows[] = {
        { 0, 1, 'X', "begin" }, { 8, 1, 'X', "begin" }, { 16, 4, 15, "short" }, { 20, 2, 3, "PCM" }, { 34, 2, 12, "PCM" }, { 22, 2, 0, "channels" },
        { 22, 2, 9, "channels" }, { 24, 4, 0, "rate" }, { 24, 4, 400000, "rate" }, { 40, 4, 0, "no samples" }, { 36, 1, 'X', "no samples" },
        { 12, 1, 'X', "no format" }, { 16, 4, UINT32_MAX, "no format" },
    };
    uint8_t f[MOST], first;
    wave_format format;
    size_t n;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t size = wav(f, 8000, 1, 8, 100);
        put(f + rows[i].at, rows[i].value, rows[i].bytes);
        const char *why = find(f, size, &format, &first, &n);
        const int good = why && strstr(why, rows[i].why);
        if (!good)
            print_error("row %zu: %s\n", i, why ? why : "taken");
        assert_true(good);
    }
    wav(f, 8000, 1, 8, 100);
    for (size_t size = 0; size < 45; size++)
        assert_non_null(find(f, size, &format, &first, &n));
}

static void written(void **state)
{
    static const uint8_t samples[] = { 1, 2, 3 };
    char path[] = "/tmp/bgpt-test-wave-XXXXXX";
    uint8_t f[MOST], first;
    wave w = { .format = { 10, 1, 8 } };
    wave_format format;
    size_t n;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(wave_append(&w, samples, 3) && wave_silence(&w, 0.45) && wave_append(&w, samples, 2));
    assert_true(wave_seconds(&w) > 0.89 && wave_seconds(&w) < 0.91);
    assert_int_equal(wave_write(&w, path, true, NULL), 0);
    FILE *file = fopen(path, "rb");
    const size_t size = fread(f, 1, sizeof f, file);
    fclose(file);
    remove(path);
    assert_int_equal(size, 44 + 9 + 1); /* of even length */
    assert_null(find(f, size, &format, &first, &n));
    assert_true(n == 9 && first == 1 && format.rate == 10 && f[4] == size - 8);
    assert_memory_equal(f + 44, "\1\2\3\200\200\200\200\1\2\0", 10);
    wave_free(&w);
}

static void random_damage(void **state)
{
    uint8_t f[MOST], first;
    bg_rng r;
    bg_rng_open(&r, 9, BG_STREAM_USER, 0);
    for (int i = 0; i < 30000; i++) {
        bitmap b;
        wave_format format;
        size_t n, size = i % 2 ? bmp(f, 5, 4, i % 3 ? 24 : 8) : wav(f, 8000, 1 + (unsigned)i % 3, 16, 60);
        for (uint64_t edits = 1 + bg_rng_below(&r, 4); edits > 0; edits--)
            f[bg_rng_below(&r, bg_rng_below(&r, 2) ? 60 : size)] = (uint8_t)bg_rng_u32(&r);
        size -= bg_rng_below(&r, 8);
        if (i % 2 && !read_bmp(&b, f, size))
            free(b.rgb);
        else if (i % 2 == 0)
            find(f, size, &format, &first, &n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bitmaps), cmocka_unit_test(bad_bitmaps), cmocka_unit_test(sounds), cmocka_unit_test(bad_sounds), cmocka_unit_test(written),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
