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
    int shape; /* position in its choices */
} image_arguments;

static const option image_options[] = {
    { "size", 0, OPTION_TEXT, offsetof(image_arguments, size), 0, 0, "32", "N|WIDTHxHEIGHT", "of each picture, in pixels" },
    { "shape", 0, OPTION_CHOICE, offsetof(image_arguments, shape), 0, 0, "crop", "crop|fit|stretch",
      "of pictures of another shape: fill the size and cut what stands over, or fit into it with background around, or stretch" },
    { "background", 0, OPTION_TEXT, offsetof(image_arguments, background), 0, 0, "808080", "RRGGBB", "colour behind what is transparent, and around pictures that fit" },
    PREPARE_ROWS(image_arguments),
};

enum { LARGEST = 4096 };

static int read_size(const char *text, prepare_image *m)
{
    char rest;
    unsigned width, height;
    const int got = sscanf(text, "%ux%u%c", &width, &height, &rest);
    if (got == 1 && text[strspn(text, "0123456789")] == 0)
        height = width;
    else if (got != 2)
        width = 0;
    if (text[0] < '0' || text[0] > '9' || width < 1 || width > LARGEST || height < 1 || height > LARGEST)
        return usage_error("--size: '%s' is neither N nor WIDTHxHEIGHT, from 1 to %d", text, LARGEST);
    m->width = width;
    m->height = height;
    return 0;
}

static int read_colour(const char *text, prepare_image *m)
{
    if (strlen(text) != 6 || strspn(text, "0123456789abcdefABCDEF") != 6)
        return usage_error("--background: '%s' is no colour of six hexadecimal digits", text);
    const unsigned long colour = strtoul(text, NULL, 16);
    m->background[0] = (uint8_t)(colour >> 16);
    m->background[1] = (uint8_t)(colour >> 8);
    m->background[2] = (uint8_t)colour;
    return 0;
}

static int run_image(void *arguments)
{
    image_arguments *a = arguments;
    prepare_image settings = { .shape = (prepare_shape)a->shape };
    char text[PREPARE_WORDS];
    int code = read_size(a->size, &settings);
    if (code == 0)
        code = read_colour(a->background, &settings);
    if (code != 0)
        return code;
    prepare_tool tool = prepare_image_tool(&settings);
    prepare_image_words(&settings, text);
    return prepare_command(&a->common, &a->prepare, &tool, text);
}

const command command_prepare_image = {
    .name = "prepare image",
    .summary = "pictures to BMP files of one size: bgpt prepare image pictures/ -o FOLDER",
    .usage = "INPUT... -o FOLDER [options]",
    .details = "Reads BMP, PNM and PNG, and, where bgpt was built with libvips, JPEG, GIF, TIFF, WebP and whatever else that knows; makes them smaller or larger, and writes BMP files of 24 bits with the "
               "plain header of 54 bytes: by default 32 by 32 pixels, as bGPT was trained on.\n\n" PREPARE_DETAILS,
    .examples = "bgpt prepare image photos/ --labels folders -o pictures\n"
                "bgpt prepare image icons/ --size 16 --shape fit --background ffffff -o icons16",
    ROWS_OF(image_options),
    .arguments_size = sizeof(image_arguments),
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operand_name = "INPUT",
    .run = run_image,
};
