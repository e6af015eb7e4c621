/* bgpt prepare image: pictures of any kind as BMP files of one size. */
#include "cli/output.h"
#include "cli/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct image_arguments {
    common common;
    prepare_arguments prepare;
    const char *size, *background;
    int shape; /* position in its choice */
} image_arguments;

static const option image_options[] = {
    { "size", 0, OPTION_TEXT, offsetof(image_arguments, size), 0, 0, "32", "N|WxH", "points across and down, of each file" },
    { "shape", 0, OPTION_CHOICE, offsetof(image_arguments, shape), 0, 0, "crop", "crop|fit|stretch",
      "of pictures of another shape: take the middle, or all of it with a ground around it, or distort it" },
    { "background", 0, OPTION_TEXT, offsetof(image_arguments, background), 0, 0, "808080", "RRGGBB", "colour of the ground of --shape fit, and of what transparent points lie on" },
    PREPARE_ROWS(image_arguments),
};

static bool read_count(const char *text, char **end, uint32_t *count)
{
    const unsigned long n = *text >= '1' && *text <= '9' ? strtoul(text, end, 10) : 0;
    *count = (uint32_t)n;
    return n >= 1 && n <= PREPARE_IMAGE_MOST;
}

static bool read_size(const char *text, prepare_image *a)
{
    char *end;
    if (!read_count(text, &end, &a->width))
        return false;
    a->height = a->width;
    return *end == '\0' || (*end == 'x' && read_count(end + 1, &end, &a->height) && *end == '\0');
}

static bool read_colour(const char *text, uint32_t *colour)
{
    if (strlen(text) != 6 || strspn(text, "0123456789abcdefABCDEF") != 6)
        return false;
    *colour = (uint32_t)strtoul(text, NULL, 16);
    return true;
}

static int run_image(void *arguments)
{
    image_arguments *a = arguments;
    prepare_image settings = { .shape = (prepare_shape)a->shape };
    const char *why;
    char text[PREPARE_WORDS + 16];
    if (!read_size(a->size, &settings))
        return usage_error("--size: %s: expected a number from 1 to %d, or two as in 48x32", a->size, PREPARE_IMAGE_MOST);
    if (!read_colour(a->background, &settings.background))
        return usage_error("--background: %s: expected six hexadecimal digits, as in ffffff", a->background);
    prepare_tool tool = prepare_image_tool(&settings, &why);
    prepare_image_words(&settings, text);
    snprintf(text + strlen(text), sizeof text - strlen(text), " libvips=%d", why == NULL); /* other files with it than without */
    return prepare_command(&a->common, &a->prepare, &tool, text);
}

const command command_prepare_image = {
    .name = "prepare image",
    .summary = "pictures to small BMP files of one size: bgpt prepare image pictures/ -o FOLDER",
    .usage = "INPUT... -o FOLDER [options]",
    .details = "Reads BMP, PNM and PNG, and with libvips JPEG, GIF, TIFF, WebP and what else it knows, and writes BMP files of 24 bits with the plain header of 54 bytes: by default 32 by 32 points in "
               "3126 bytes, as bGPT was trained on. A smaller picture is made of means of areas, a larger one is drawn through the points; photographs are turned upright; colours become sRGB of 8 bits. "
               "A picture may have 1024 million points when it can be read row by row (BMP, PNM, PNG, JPEG), 64 million when it cannot (interlaced PNG, progressive JPEG, other formats).\n\n"
               PREPARE_DETAILS,
    .examples = "bgpt prepare image photographs/ --labels folders -o small\n"
                "bgpt prepare image icons/ --size 48x32 --shape fit --background ffffff -o icons-small",
    ROWS_OF(image_options),
    .arguments_size = sizeof(image_arguments),
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operand_name = "INPUT",
    .run = run_image,
};
