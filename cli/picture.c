/* Drawing is points, boxes and dots of letters: all that the pictures of this
 * program are made of.  The file is made in memory and written whole or not at all. */
#include "cli/picture.h"
#include "cli/output.h"
#include <png.h>
#include <stdlib.h>
#include <string.h>

int picture_open(picture *p, uint64_t width, uint64_t height)
{
    *p = (picture){ 0 };
    if (width == 0 || height == 0 || width > PICTURE_POINTS || height > PICTURE_POINTS / width)
        return fail(BGPT_ERR_ARGUMENT, "a picture of %llu by %llu points is too large", (unsigned long long)width, (unsigned long long)height);
    p->rgb = malloc((size_t)(3 * width * height));
    if (p->rgb == NULL)
        return fail(BGPT_ERR_MEMORY, "out of memory for a picture of %llu by %llu points", (unsigned long long)width, (unsigned long long)height);
    p->width = (unsigned)width;
    p->height = (unsigned)height;
    memset(p->rgb, 0xff, (size_t)(3 * width * height));
    return 0;
}

void picture_close(picture *p)
{
    free(p->rgb);
    *p = (picture){ 0 };
}

void picture_point(picture *p, int64_t x, int64_t y, uint32_t colour)
{
    if (x < 0 || y < 0 || x >= p->width || y >= p->height)
        return;
    uint8_t *to = p->rgb + 3 * ((size_t)y * p->width + (size_t)x);
    to[0] = (uint8_t)(colour >> 16);
    to[1] = (uint8_t)(colour >> 8);
    to[2] = (uint8_t)colour;
}

void picture_box(picture *p, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t colour)
{
    for (int64_t row = y; row < y + height; row++)
        for (int64_t column = x; column < x + width; column++)
            picture_point(p, column, row, colour);
}

void picture_frame(picture *p, int64_t x, int64_t y, int64_t width, int64_t height, bool crossed, uint32_t colour)
{
    picture_box(p, x, y, width, 1, colour);
    picture_box(p, x, y + height - 1, width, 1, colour);
    picture_box(p, x, y, 1, height, colour);
    picture_box(p, x + width - 1, y, 1, height, colour);
    const int64_t steps = width > height ? width : height;
    for (int64_t i = 0; crossed && i < steps; i++) {
        const int64_t down = steps > 1 ? i * (height - 1) / (steps - 1) : 0, right = steps > 1 ? i * (width - 1) / (steps - 1) : 0;
        picture_point(p, x + right, y + down, colour);
        picture_point(p, x + width - 1 - right, y + down, colour);
    }
}

static void draw_text(picture *p, int64_t x, int64_t y, unsigned size, uint32_t colour, const char *text, bool up)
{
    int64_t along = 0; /* points from where the text begins */
    for (; *text != '\0'; text++, along += PICTURE_LETTER * (int64_t)size) {
        const uint8_t *columns = font_columns(*text);
        for (int c = 0; c < FONT_WIDTH; c++)
            for (int r = 0; r < FONT_HEIGHT; r++) {
                const int64_t a = along + (int64_t)size * c, b = (int64_t)size * r;
                if (!(columns[c] >> r & 1))
                    continue;
                if (up)
                    picture_box(p, x + b, y - a - size + 1, size, size, colour);
                else
                    picture_box(p, x + a, y + b, size, size, colour);
            }
    }
}

void picture_text(picture *p, int64_t x, int64_t y, unsigned size, uint32_t colour, const char *text)
{
    draw_text(p, x, y, size, colour, text, false);
}

void picture_text_up(picture *p, int64_t x, int64_t y, unsigned size, uint32_t colour, const char *text)
{
    draw_text(p, x, y, size, colour, text, true);
}

uint32_t picture_ink(uint32_t ground)
{
    /* the eye's weights of red, green and blue, in 256ths */
    const uint32_t light = (77 * (ground >> 16 & 0xff) + 150 * (ground >> 8 & 0xff) + 29 * (ground & 0xff)) >> 8;
    return light < 128 ? PICTURE_WHITE : PICTURE_BLACK;
}

int picture_write(const picture *p, const char *path, bool overwrite, const bgpt_options *o)
{
    png_image image = { .version = PNG_IMAGE_VERSION, .width = p->width, .height = p->height, .format = PNG_FORMAT_RGB };
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    bgpt_error error = { 0 };
    uint8_t *file = malloc(size);
    int code = file == NULL ? fail(BGPT_ERR_MEMORY, "out of memory for %s", path) : 0;
    if (code == 0 && !png_image_write_to_memory(&image, file, &size, 0, p->rgb, 0, NULL))
        code = fail(BGPT_ERR_FAILED, "%s: libpng: %s", path, image.message);
    if (code == 0 && bgpt_write_file(path, file, size, overwrite, o, &error) != BGPT_OK)
        code = fail_with(&error);
    png_image_free(&image);
    free(file);
    return code;
}
