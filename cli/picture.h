/* Pictures of points, labels in them, and PNG files by libpng. */
#ifndef BGPT_CLI_PICTURE_H
#define BGPT_CLI_PICTURE_H

#include "cli/command.h"
#include "cli/font.h"

typedef struct picture {
    unsigned width, height;
    uint8_t *rgb; /* (height, width, 3), top row first */
} picture;

/* A colour is 0xRRGGBB. */
enum { PICTURE_WHITE = 0xffffff, PICTURE_BLACK = 0x000000, PICTURE_GREY = 0x888888 };

/* 64 million points at most, so that no input makes the program take more than 200 MB for one. */
#define PICTURE_POINTS (UINT64_C(1) << 26)

/* White all over.  0; or the exit code after a sentence: too many points, or no memory.  picture_close is due in both cases. */
int picture_open(picture *p, uint64_t width, uint64_t height);
void picture_close(picture *p);

/* What lies outside the picture is cut off. */
void picture_point(picture *p, int64_t x, int64_t y, uint32_t colour);
void picture_box(picture *p, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t colour);
/* The outline of a box, one point wide, and with `crossed` its two diagonals. */
void picture_frame(picture *p, int64_t x, int64_t y, int64_t width, int64_t height, bool crossed, uint32_t colour);

/* Text of `size` times 5 by 7 dots, its left top corner at x, y; what is not ASCII is '?'.  A letter takes PICTURE_LETTER
 * times size. */
enum { PICTURE_LETTER = FONT_WIDTH + 1 };
void picture_text(picture *p, int64_t x, int64_t y, unsigned size, uint32_t colour, const char *text);
/* The same read from bottom to top: its left bottom corner at x, y. */
void picture_text_up(picture *p, int64_t x, int64_t y, unsigned size, uint32_t colour, const char *text);

/* Black or white, whichever can be read on this colour. */
uint32_t picture_ink(uint32_t ground);

/* The whole picture as a PNG file.  0, or the exit code after a sentence. */
int picture_write(const picture *p, const char *path, bool overwrite, const bgpt_options *o);

#endif
