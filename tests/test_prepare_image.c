/* Preparing pictures: known ones through every reader and shape, byte for byte; damaged and monstrous ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <png.h>

#include "base/little.h"
#include "base/sys.h"
#include "prepare/bmp.h"
#include "prepare/prepare.h"
#include "prepare/raster.h"
#include "prepare/resample.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

static const uint8_t grey[3] = { 128, 128, 128 };

/* Colour of pixel (x, y) of the test picture. */
static void colour(uint32_t x, uint32_t y, uint8_t rgb[3])
{
    rgb[0] = (uint8_t)(x * 8);
    rgb[1] = (uint8_t)(y * 8);
    rgb[2] = (uint8_t)((x ^ y) * 8);
}

static size_t make_bmp(uint8_t *to, uint32_t width, uint32_t height)
{
    const size_t size = bmp_header(to, width, height), row = bmp_row_size(width, 24);
    memset(to + BMP_HEADER, 0, size - BMP_HEADER);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            uint8_t rgb[3], *p = to + BMP_HEADER + row * (height - 1 - y) + 3 * (size_t)x;
            colour(x, y, rgb);
            p[0] = rgb[2], p[1] = rgb[1], p[2] = rgb[0];
        }
    return size;
}

static bg_status run(const prepare_image *m, const char *in, const char *out, prepare_totals *totals, bg_error *err)
{
    const char *inputs[] = { in };
    prepare_tool tool = prepare_image_tool(m);
    tool.described = "image";
    const prepare_job job = { .inputs = inputs, .input_count = 1, .out = out, .licence = "" };
    return prepare_run(&job, &tool, 2, bg_sys_default(), totals, err);
}

static const prepare_image plain = { .width = 32, .height = 32, .background = { 128, 128, 128 } };

/* A picture read is the test picture, or why not is said. */
static int reads_back(const char *path, uint32_t width, uint32_t height, int tolerance)
{
    raster p;
    bg_error err = { 0 };
    if (raster_open(&p, path, grey, bg_sys_default(), &err) != BG_OK) {
        print_error("%s\n", err.text);
        return 0;
    }
    int good = p.width == width && p.height == height;
    uint8_t *row = malloc(3 * (size_t)p.width), rgb[3];
    for (uint32_t y = 0; y < height && good; y++) {
        CHECK_OK(raster_row(&p, row, &err), err);
        for (uint32_t x = 0; x < width; x++) {
            colour(x, y, rgb);
            for (int i = 0; i < 3; i++)
                if (abs(row[3 * x + (uint32_t)i] - rgb[i]) > tolerance)
                    good = 0;
        }
    }
    free(row);
    raster_close(&p);
    return good;
}

static void write_png(const char *path, int interlaced, int depth)
{
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_bytep rows[32];
    png_init_io(png, f);
    png_set_IHDR(png, info, 32, 32, depth, PNG_COLOR_TYPE_RGB, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t y = 0; y < 32; y++) {
        rows[y] = calloc(32, 6);
        for (uint32_t x = 0; x < 32; x++) {
            uint8_t rgb[3];
            colour(x, y, rgb);
            for (uint32_t i = 0; i < 3; i++)
                rows[y][depth == 16 ? 6 * x + 2 * i : 3 * x + i] = rgb[i];
        }
    }
    png_write_image(png, rows);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    for (int y = 0; y < 32; y++)
        free(rows[y]);
    fclose(f);
}

static void readers(void **state)
{
    static uint8_t file[20000];
    char *folder = fs_make_folder(), text[32 * 32 * 12];
    (void)state;
    size_t size = make_bmp(file, 33, 31); /* rows with padding */
    fs_write(fs_path(folder, "a.bmp"), file, size);
    assert_true(reads_back(fs_path(folder, "a.bmp"), 33, 31, 0));

    /* top down, 32 bits with masks of its own, one of them of five bits */
    bmp_header(file, 8, 4);
    bg_little_put(file + 22, (uint32_t)-4, 4);
    bg_little_put(file + 28, 32, 2), bg_little_put(file + 30, 3, 4), bg_little_put(file + 10, 66, 4);
    bg_little_put(file + 54, 0xff, 4), bg_little_put(file + 58, 0x1f00, 4), bg_little_put(file + 62, 0xff000000u, 4);
    for (uint32_t i = 0; i < 32; i++) {
        uint8_t rgb[3];
        colour(i % 8, i / 8, rgb);
        bg_little_put(file + 66 + 4 * i, rgb[0] | (uint32_t)(rgb[1] / 8) << 8 | (uint32_t)rgb[2] << 24, 4);
    }
    fs_write(fs_path(folder, "masks.bmp"), file, 66 + 128);
    assert_true(reads_back(fs_path(folder, "masks.bmp"), 8, 4, 1));

    int n = snprintf((char *)file, 100, "P6 # a comment\n32 32\n255\n");
    for (uint32_t i = 0; i < 1024; i++)
        colour(i % 32, i / 32, file + n + 3 * i);
    fs_write(fs_path(folder, "a.ppm"), file, (size_t)n + 3072);
    assert_true(reads_back(fs_path(folder, "a.ppm"), 32, 32, 0));
    size = (size_t)sprintf(text, "P3\n32 32\n255\n");
    for (uint32_t i = 0; i < 3072; i++)
        size += (size_t)sprintf(text + size, "%d%c", file[n + (int)i], i % 17 ? ' ' : '\n');
    fs_write(fs_path(folder, "a.pnm"), text, size);
    assert_true(reads_back(fs_path(folder, "a.pnm"), 32, 32, 0));

    write_png(fs_path(folder, "a.png"), 0, 8);
    write_png(fs_path(folder, "b.png"), 1, 8);
    write_png(fs_path(folder, "c.png"), 0, 16);
    assert_true(reads_back(fs_path(folder, "a.png"), 32, 32, 0));
    assert_true(reads_back(fs_path(folder, "b.png"), 32, 32, 0));
    assert_true(reads_back(fs_path(folder, "c.png"), 32, 32, 1));
    fs_remove_folder(folder);
}

/* One row of each small kind: what its bits mean. */
static void small_kinds(void **state)
{
    static const struct { const char *file; size_t size; uint8_t row[12]; } kinds[] = {
        { "P1 4 1 1001", 11, { 0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0 } },
        { "P4 4 1\n\x90", 8, { 0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0 } },
        { "P2 4 1 3 0 1 2 3", 16, { 0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255 } },
        { "P5 4 1 65535\n\x00\x00\x55\x55\xaa\xaa\xff\xff", 21, { 0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255 } },
    };
    char *folder = fs_make_folder();
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        raster p;
        uint8_t row[12];
        bg_error err = { 0 };
        fs_write(fs_path(folder, "a"), kinds[i].file, kinds[i].size);
        CHECK_OK(raster_open(&p, fs_path(folder, "a"), grey, bg_sys_default(), &err), err);
        assert_int_equal(p.width, 4);
        CHECK_OK(raster_row(&p, row, &err), err);
        assert_memory_equal(row, kinds[i].row, 12);
        raster_close(&p);
    }
    fs_remove_folder(folder);
}

/* A picture that has the form already stays byte for byte; each shape of a wide one. */
static void shapes(void **state)
{
    static uint8_t file[3 * 96 * 32 + 60], wide[3 * 96 * 32 + 60];
    char *folder = fs_make_folder();
    prepare_image m = plain;
    prepare_totals totals;
    bg_error err = { 0 };
    size_t size = make_bmp(file, 32, 32), wide_size;
    (void)state;
    fs_write(fs_path(folder, "in/same.bmp"), file, size);
    CHECK_OK(run(&m, fs_path(folder, "in"), fs_path(folder, "out"), &totals, &err), err);
    assert_true(fs_holds(fs_path(folder, "out/same.bmp"), file, size));
    assert_int_equal(size, 3126);

    /* red, green, blue thirds of 96 x 32 */
    wide_size = bmp_header(wide, 96, 32);
    for (size_t i = 0; i < 96 * 32; i++) {
        memset(wide + BMP_HEADER + 3 * i, 0, 3);
        wide[BMP_HEADER + 3 * i + 2 - i % 96 / 32] = 255;
    }
    fs_write(fs_path(folder, "wide/w.bmp"), wide, wide_size);
    for (int shape = 0; shape < 3; shape++) {
        char out[16];
        snprintf(out, sizeof out, "out%d", shape);
        m.shape = (prepare_shape)shape;
        CHECK_OK(run(&m, fs_path(folder, "wide"), fs_path(folder, out), &totals, &err), err);
        unsigned char *made = fs_read(fs_path(fs_path(folder, out), "w.bmp"), &size);
        assert_int_equal(size, 3126);
        const uint8_t *middle = made + BMP_HEADER + 96 * 16, *top = made + BMP_HEADER + 96 * 31; /* blue, green, red */
        const uint8_t *left = middle + 3 * 3, *centre = middle + 3 * 16, *right = middle + 3 * 28;
        assert_true(centre[1] == 255 && centre[0] == 0 && centre[2] == 0);
        if (shape == PREPARE_SHAPE_CROP) /* all of it is the green third */
            assert_true(left[1] == 255 && right[1] == 255 && top[1] == 255);
        else
            assert_true(left[2] == 255 && left[1] == 0 && right[0] == 255 && right[1] == 0);
        if (shape == PREPARE_SHAPE_FIT)
            assert_true(top[0] == 128 && top[1] == 128 && top[2] == 128);
        if (shape == PREPARE_SHAPE_STRETCH)
            assert_true(top[2] == 255);
        free(made);
    }
    fs_remove_folder(folder);
}

/* A mean stays; a ramp stays a ramp, smaller and larger. */
static void resampling(void **state)
{
    static const uint32_t sides[][2] = { { 320, 32 }, { 100, 32 }, { 32, 32 }, { 10, 32 }, { 1, 32 }, { 32, 1 }, { 37, 7 } };
    (void)state;
    for (size_t k = 0; k < sizeof sides / sizeof *sides; k++) {
        const uint32_t from = sides[k][0], to = sides[k][1];
        const resample_window window = { 0, 0, from, from };
        resample r;
        bg_error err = { 0 };
        uint8_t row[3 * 320], out[3 * 32];
        CHECK_OK(resample_open(&r, &window, from, to, to, bg_sys_default(), &err), err);
        for (uint32_t y = 0; y < from; y++) {
            for (uint32_t x = 0; x < from; x++) {
                row[3 * x] = 77;
                row[3 * x + 1] = (uint8_t)((x + 0.5) * 255 / from);
                row[3 * x + 2] = (uint8_t)((y + 0.5) * 255 / from);
            }
            resample_add(&r, y, row);
        }
        for (uint32_t y = 0; y < to; y++) {
            resample_result(&r, y, out);
            for (uint32_t x = 0; x < to; x++) {
                assert_int_equal(out[3 * x], 77);
                if (x > 0 && x + 1 < to && y > 0 && y + 1 < to && from >= to) {
                    assert_true(abs(out[3 * x + 1] - (int)((x + 0.5) * 255 / to)) <= 2);
                    assert_true(abs(out[3 * x + 2] - (int)((y + 0.5) * 255 / to)) <= 2);
                }
            }
        }
        resample_close(&r);
    }
}

/* Every beginning of a file, and headers that promise more than there is: a reason, or a picture; never a failure. */
static void damaged(void **state)
{
    static uint8_t file[4000];
    char *folder = fs_make_folder();
    prepare_totals totals;
    bg_error err = { 0 };
    size_t size = make_bmp(file, 4, 4), sources = 0;
    char name[32];
    (void)state;
    for (size_t n = 0; n < size; n++, sources++) {
        snprintf(name, sizeof name, "in/b%03zu.bmp", n);
        fs_write(fs_path(folder, name), file, n);
    }
    write_png(fs_path(folder, "whole"), 0, 8);
    unsigned char *png = fs_read(fs_path(folder, "whole"), &size);
    for (size_t n = 0; n < size; n += n < 64 ? 1 : 97, sources++) {
        snprintf(name, sizeof name, "in/p%04zu.png", n);
        fs_write(fs_path(folder, name), png, n);
    }
    free(png);
    static const char *const headers[] = { "P6 100000 100000 255\n", "P6 4000000000 1 255\n", "P6 0 4 255\n", "P6 2 2 0\n......", "P3 2 2 255\n1 2 3 4 300", "P6 2 2 255\n123", "P1", "GIF89a", "" };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++, sources++) {
        snprintf(name, sizeof name, "in/h%zu.ppm", i);
        fs_write_text(fs_path(folder, name), headers[i]);
    }
    CHECK_OK(run(&plain, fs_path(folder, "in"), fs_path(folder, "out"), &totals, &err), err);
    assert_int_equal(totals.sources, sources);
    assert_int_equal(totals.left_out, sources);
    fs_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers),
        cmocka_unit_test(small_kinds),
        cmocka_unit_test(shapes),
        cmocka_unit_test(resampling),
        cmocka_unit_test(damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
