/* bgpt prepare image: every reader, every shape, damage of all kinds, and bytes that must not change.  PNG files are written
 * here by libpng; what libvips reads is tested from the command line, where it is installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <png.h>

#include "base/file.h"
#include "base/rng.h"
#include "prepare/bmp.h"
#include "base/little.h"
#include "prepare/prepare.h"
#include "prepare/resample.h"
#include "prepare/rows.h"

enum { MOST = 8192, POINTS = 1024 };

static char path[64];
static uint8_t file[MOST], rgb[3 * POINTS * 16];

/* What prepare/frame.c would write. */
struct prepare_sink { uint8_t data[MOST]; size_t size; };

bg_status prepare_put(prepare_sink *k, const char *label, const void *data, size_t size, bg_error *err)
{
    assert_true(size <= sizeof k->data);
    memcpy(k->data, data, size);
    k->size = size;
    return BG_OK;
}

static void save(const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* All rows of the file at `path`, over green. */
static bg_status read_rows(uint32_t *width, uint32_t *height, bg_error *err)
{
    picture_rows p;
    memset(rgb, 0xaa, sizeof rgb);
    BG_TRY(rows_open(&p, bg_sys_default(), path, 0x00ff00, err));
    bg_status s = 3 * (uint64_t)p.width * p.height <= sizeof rgb ? BG_OK : bg_fail(err, BG_ERR_FORMAT, "large for this test");
    for (uint32_t y = 0; y < p.height && s == BG_OK; y++)
        s = rows_read(&p, rgb + 3 * (size_t)p.width * y, err);
    *width = p.width;
    *height = p.height;
    rows_close(&p);
    return s;
}

static void expect_picture(const void *data, size_t size, uint32_t width, uint32_t height, const char *points)
{
    uint32_t w = 0, h = 0;
    bg_error err = { 0 };
    save(data, size);
    if (read_rows(&w, &h, &err) != BG_OK)
        fail_msg("%s", err.text);
    assert_int_equal(w, width);
    assert_int_equal(h, height);
    assert_memory_equal(rgb, points, 3 * width * height);
}

static void expect_refusal(const void *data, size_t size, const char *why)
{
    uint32_t w, h;
    bg_error err = { 0 };
    save(data, size);
    assert_int_equal(read_rows(&w, &h, &err), BG_ERR_FORMAT);
    if (!strstr(err.text, why) || !strstr(err.text, path))
        fail_msg("\"%s\" instead of \"%s\"", err.text, why);
}

/* --- files ----------------------------------------------------------------------------------- */

/* Without a palette; rows are zeroed. */
static size_t bmp_file(int32_t width, int32_t height, uint32_t bits, uint32_t packing, uint32_t before)
{
    const size_t row = ((size_t)width * bits + 31) / 32 * 4, pixels = 54 + before, size = pixels + row * (size_t)(height < 0 ? -height : height);
    assert_true(size <= MOST);
    memset(file, 0, size);
    memcpy(file, "BM", 2);
    bg_little_put(file + 10, (uint32_t)pixels, 4);
    bg_little_put(file + 14, 40, 4);
    bg_little_put(file + 18, (uint32_t)width, 4);
    bg_little_put(file + 22, (uint32_t)height, 4);
    bg_little_put(file + 26, 1, 2);
    bg_little_put(file + 28, bits, 2);
    bg_little_put(file + 30, packing, 4);
    return size;
}

static size_t png_file(const uint8_t *rows, uint32_t width, uint32_t height, int depth, int type, int interlace)
{
    const size_t channels = type == PNG_COLOR_TYPE_RGB_ALPHA ? 4 : type == PNG_COLOR_TYPE_RGB ? 3 : 1, row = (width * channels * (size_t)depth + 7) / 8;
    FILE *f = fopen(path, "w+b");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_bytep list[64];
    assert_true(f && height <= 64);
    for (uint32_t y = 0; y < height; y++)
        list[y] = (png_bytep)rows + row * y;
    png_init_io(png, f);
    png_set_IHDR(png, info, width, height, depth, type, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        const png_color colours[2] = { { 1, 2, 3 }, { 4, 5, 6 } };
        png_set_PLTE(png, info, colours, 2);
    }
    png_set_rows(png, info, list);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    rewind(f);
    const size_t size = fread(file, 1, MOST, f);
    assert_true(size > 0 && size < MOST);
    fclose(f);
    return size;
}

/* --- readers --------------------------------------------------------------------------------- */

static void bitmaps(void **state)
{
    size_t n = bmp_file(2, 2, 24, 0, 0);
    memcpy(file + 54, "\3\2\1\6\5\4..\11\10\7\14\13\12", 14);
    expect_picture(file, n, 2, 2, "\7\10\11\12\13\14\1\2\3\4\5\6");
    bg_little_put(file + 22, (uint32_t)-2, 4); /* the top row first */
    expect_picture(file, n, 2, 2, "\1\2\3\4\5\6\7\10\11\12\13\14");
    n = bmp_file(9, 1, 1, 0, 8);
    memcpy(file + 58, "\3\2\1", 3); /* colour 1 */
    memcpy(file + 62, "\x40\x80", 2);
    expect_picture(file, n, 9, 1, "\0\0\0\1\2\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\2\3");
    n = bmp_file(3, 1, 4, 0, 12);
    bg_little_put(file + 46, 3, 4); /* a palette of three, and a point beyond it */
    memcpy(file + 62, "\3\2\1", 3);
    memcpy(file + 66, "\x02\xf0", 2);
    expect_picture(file, n, 3, 1, "\0\0\0\1\2\3\0\0\0");
    n = bmp_file(2, 1, 16, 0, 0);
    bg_little_put(file + 54, 0x7c1f, 2);
    bg_little_put(file + 56, 0x0200, 2); /* 16 of 31 */
    expect_picture(file, n, 2, 1, "\377\0\377\0\204\0");
    n = bmp_file(1, 1, 16, 3, 12);
    bg_little_put(file + 54, 0xf800, 4);
    bg_little_put(file + 58, 0x07e0, 4);
    bg_little_put(file + 62, 0x001f, 4);
    bg_little_put(file + 66, 0xf820, 2); /* green 1 of 63 */
    expect_picture(file, n, 1, 1, "\377\4\0");
    n = bmp_file(2, 1, 32, 6, 16);
    for (int i = 0; i < 4; i++)
        bg_little_put(file + 54 + 4 * i, 0xffu << (8 * i), 4); /* R G B A as they lie */
    memcpy(file + 70, "\377\0\0\377\377\0\0\0", 8);
    expect_picture(file, n, 2, 1, "\377\0\0\0\377\0"); /* the second point is transparent */
    n = bmp_file(1, 1, 32, 0, 0);
    memcpy(file + 54, "\3\2\1\0", 4); /* the fourth byte means nothing */
    expect_picture(file, n, 1, 1, "\1\2\3");
}

static void pnm(void **state)
{
#define PNM(text, width, height, points) expect_picture(text, sizeof text - 1, width, height, points)
    PNM("P1\n# a remark\n3 2\n101 0\n1 0", 3, 2, "\0\0\0\377\377\377\0\0\0\377\377\377\0\0\0\377\377\377");
    PNM("P2 2 1 15 0 15 ", 2, 1, "\0\0\0\377\377\377");
    PNM("P3 1 2#x\n65535 65535 0 32768\n#y\n0 0 257", 1, 2, "\377\0\200\0\0\1");
    PNM("P4 9 1\n\x7f\x7f", 9, 1, "\377\377\377\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\377\377\377");
    PNM("P5 2 1 255\n\1\2", 2, 1, "\1\1\1\2\2\2");
    PNM("P5 1 1 255#c\n\200", 1, 1, "\200\200\200"); /* a remark right behind the last number ends with its line */
    PNM("P5 1 1 255\n#", 1, 1, "###");
    PNM("P6 1 1 65535\n\1\1\2\2\377\377", 1, 1, "\1\2\377");
    PNM("P6 1 1 255\nabcP6 1 1 255\ndef", 1, 1, "abc");
#define BAD(text, why) expect_refusal(text, sizeof text - 1, why)
    BAD("P6", "ends too early");
    BAD("P6 0 1 255\n", "0 by 1 points");
    BAD("P6 1 1 0\nabc", "maximum is 0");
    BAD("P6 1 1 65536\nabc", "larger than 65535");
    BAD("P6 x", "should be");
    BAD("P6 1x", "should end");
    BAD("P5 1 1 100\n\377", "above the maximum");
    BAD("P2 1 1 100 101", "larger than 100");
    BAD("P1 1 1\n2", "neither 0 nor 1");
    BAD("P6 1 2 255\nabcde", "fewer points");
    BAD("P6 100000 100000 255\nabc", "too many");
    BAD("P6 99999999999 1 255\nabc", "larger than");
    BAD("P4 1000000 1000\nabc", "fewer points");
    BAD("", "holds nothing");
    BAD("GIF89a", "libvips");
}

/* CRC-32, as chunks of PNG end with. */
static uint32_t png_crc(const uint8_t *p, size_t n)
{
    uint32_t crc = ~0u;
    while (n-- > 0) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void png(void **state)
{
    static const uint8_t colour[12] = "\1\2\3\4\5\6\7\10\11\12\13\14", clear[8] = "\377\0\0\377\377\0\0\0", wide[4] = "\1\1\377\377";
    for (int interlace = PNG_INTERLACE_NONE; interlace <= PNG_INTERLACE_ADAM7; interlace++) {
        expect_picture(file, png_file(colour, 2, 2, 8, PNG_COLOR_TYPE_RGB, interlace), 2, 2, (const char *)colour);
        expect_picture(file, png_file(clear, 2, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, interlace), 2, 1, "\377\0\0\0\377\0");
        expect_picture(file, png_file(wide, 2, 1, 16, PNG_COLOR_TYPE_GRAY, interlace), 2, 1, "\1\1\1\377\377\377");
        expect_picture(file, png_file((const uint8_t *)"\x60", 3, 1, 1, PNG_COLOR_TYPE_PALETTE, interlace), 3, 1, "\1\2\3\4\5\6\4\5\6");
    }
    /* huge sizes in a good header: refused before anything is allocated */
    static const struct { const char *size; int interlace; const char *why; } huge[] = {
        { "\0\1\0\0\0\1\0\0", PNG_INTERLACE_ADAM7, "cannot be read row by row" },
        { "\0\0\x20\0\0\0\x20\0", PNG_INTERLACE_ADAM7, "fewer points" },
        { "\0\0\x40\0\0\0\x40\0", PNG_INTERLACE_NONE, "fewer points" },
        { "\0\x20\0\0\0\0\0\1", PNG_INTERLACE_NONE, "libpng" },
    };
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        const size_t n = png_file(colour, 2, 2, 8, PNG_COLOR_TYPE_RGB, huge[i].interlace);
        memcpy(file + 16, huge[i].size, 8);
        const uint32_t sum = png_crc(file + 12, 17);
        for (int k = 0; k < 4; k++)
            file[29 + k] = (uint8_t)(sum >> (24 - 8 * k));
        expect_refusal(file, n, huge[i].why);
    }
}

/* --- damage ---------------------------------------------------------------------------------- */

/* A small file of each kind, number i; its length. */
static size_t a_file(int i)
{
    uint8_t rows[3 * 9];
    for (size_t k = 0; k < sizeof rows; k++)
        rows[k] = (uint8_t)(k * 37);
    if (i < 2)
        return png_file(rows, 3, 3, 8, PNG_COLOR_TYPE_RGB, i);
    if (i < 4) {
        const size_t n = bmp_file(3, 3, i == 2 ? 24 : 8, 0, i == 2 ? 0 : 1024);
        memset(file + n - 12, 7, 12);
        return n;
    }
    return (size_t)sprintf((char *)file, i == 4 ? "P6 3 2 255\nabcdefghijklmnopqr" : "P3 1 2 255\n1 2 3 4 5 6");
}
enum { FILES = 6 };

static void truncations(void **state)
{
    for (int i = 0; i < FILES; i++) {
        const size_t size = a_file(i);
        for (size_t n = 0; n < size; n++) {
            uint32_t w, h;
            bg_error err = { 0 };
            save(file, n);
            const bg_status s = read_rows(&w, &h, &err);
            if (i < 5) /* figures cut inside the last number still are a picture */
                assert_int_equal(s, BG_ERR_FORMAT);
            else
                assert_true(s == BG_ERR_FORMAT || (s == BG_OK && n + 1 >= size));
        }
    }
}

static void random_damage(void **state)
{
    bg_rng r;
    bg_rng_open(&r, 5, BG_STREAM_USER, 0);
    for (int i = 0; i < 3000; i++) {
        uint32_t w, h;
        bg_error err = { 0 };
        const size_t size = a_file(i % FILES);
        for (uint64_t edits = 1 + bg_rng_below(&r, 3); edits > 0; edits--)
            file[bg_rng_below(&r, bg_rng_below(&r, 2) && size > 60 ? 60 : size)] = (uint8_t)bg_rng_u32(&r);
        save(file, size - bg_rng_below(&r, 3));
        const bg_status s = read_rows(&w, &h, &err);
        assert_true(s == BG_OK || s == BG_ERR_FORMAT);
    }
}

/* --- pictures -------------------------------------------------------------------------------- */

static const prepare_sink *make(uint32_t width, uint32_t height, prepare_shape shape)
{
    static prepare_sink sink;
    const prepare_image a = { width, height, shape, 0x0000ff };
    const char *why;
    const prepare_tool t = prepare_image_tool(&a, &why);
    const prepare_source s = { .path = path, .label = "", .stem = "x" };
    bg_error err = { 0 };
    sink.size = 0;
    if (t.make(t.settings, &s, &sink, &err) != BG_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sink.size, 54 + (3 * width + 3) / 4 * 4 * height);
    return &sink;
}

static void identity(void **state)
{
    static const uint8_t header[54] = "BM\x36\x0c\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x20\0\0\0\x20\0\0\0\1\0\x18\0\0\0\0\0\0\x0c\0\0\xc4\x0e\0\0\xc4\x0e\0\0\0\0\0\0\0\0\0";
    uint8_t out[3126];
    int n = sprintf((char *)file, "P6 32 32 255\n");
    for (int i = 0; i < 3072; i++)
        file[n + i] = (uint8_t)(i * 7 + i / 96);
    save(file, (size_t)n + 3072);
    const prepare_sink *k = make(32, 32, PREPARE_SHAPE_CROP);
    assert_int_equal(k->size, 3126);
    assert_memory_equal(k->data, header, 54);
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 32; x++)
            for (int c = 0; c < 3; c++)
                assert_int_equal(k->data[54 + 96 * (31 - y) + 3 * x + 2 - c], file[n + 96 * y + 3 * x + c]);
    /* what was made is made again, the same */
    memcpy(out, k->data, sizeof out);
    save(out, sizeof out);
    assert_memory_equal(make(32, 32, PREPARE_SHAPE_FIT)->data, out, sizeof out);
}

/* Four by two points: red, green, blue, white, above the same halved. */
static void shapes(void **state)
{
    static const char *picture = "P3 4 2 255 200 0 0 0 200 0 0 0 200 200 200 200  100 0 0 0 100 0 0 0 100 100 100 100";
    save((const uint8_t *)picture, strlen(picture));
    const uint8_t *d = make(2, 2, PREPARE_SHAPE_CROP)->data + 54;
    assert_memory_equal(d, "\0\144\0\144\0\0..\0\310\0\310\0\0", 6); /* the middle two; the lower row, B G R */
    assert_memory_equal(d + 8, "\0\310\0\310\0\0", 6);
    d = make(2, 2, PREPARE_SHAPE_FIT)->data + 54; /* one row of means, the second on the ground */
    assert_memory_equal(d, "\377\0\0\377\0\0", 6);
    assert_memory_equal(d + 8, "\0\113\113\226\113\113", 6);
    d = make(2, 2, PREPARE_SHAPE_STRETCH)->data + 54;
    assert_memory_equal(d, "\0\062\062\144\062\062", 6);
    assert_memory_equal(d + 8, "\0\144\144\310\144\144", 6);
    d = make(1, 1, PREPARE_SHAPE_STRETCH)->data + 54;
    assert_memory_equal(d, "\113\113\113", 3);
}

/* 2 points to 1 and to 4: the mean, rounded; Catmull and Rom's values, cut where they leave the range. */
static void values(void **state)
{
    static const char *low = "P2 2 1 255 0 1", *high = "P2 2 1 255 0 240";
    save((const uint8_t *)low, strlen(low));
    assert_memory_equal(make(1, 1, PREPARE_SHAPE_STRETCH)->data + 54, "\1\1\1", 3);
    save((const uint8_t *)high, strlen(high));
    assert_memory_equal(make(4, 1, PREPARE_SHAPE_STRETCH)->data + 54, "\0\0\0\61\61\61\277\277\277\377\377\377", 12);
}

/* A flat picture stays flat, and a ramp stays a ramp, at every size; nothing goes beyond the ends. */
static void sizes(void **state)
{
    uint8_t row[3 * 64], out[3 * 64];
    bg_error err = { 0 };
    for (uint32_t from = 1; from <= 40; from += from < 8 ? 1 : 5)
        for (uint32_t to = 1; to <= 40; to += 3) {
            resampler r;
            for (uint32_t x = 0; x < from; x++)
                memset(row + 3 * x, (int)(from == 1 ? 255 : x * 255 / (from - 1)), 3);
            assert_int_equal(resample_open(&r, bg_sys_default(), from, from, to, to, &err), BG_OK);
            for (uint32_t y = 0; y < from; y++)
                resample_feed(&r, row);
            for (uint32_t y = 0; y < to; y++) {
                resample_take(&r, y, out);
                if (y > 0) /* all rows are equal */
                    assert_memory_equal(out, row, 3 * to);
                else
                    memcpy(row, out, 3 * to);
                for (uint32_t x = 1; x < to; x++)
                    assert_true(out[3 * x] >= out[3 * x - 3]);
            }
            assert_true(from > 1 || out[0] == 255);
            resample_close(&r);
        }
}

static int begin(void **state)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/bgpt-image-%ld", folder && strlen(folder) < 32 ? folder : "/tmp", (long)getpid());
    return 0;
}

static int end(void **state)
{
    remove(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bitmaps), cmocka_unit_test(pnm), cmocka_unit_test(png), cmocka_unit_test(truncations), cmocka_unit_test(random_damage),
        cmocka_unit_test(identity), cmocka_unit_test(shapes), cmocka_unit_test(values), cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
