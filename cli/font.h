/* Letters of 5 by 7 dots, for labels in pictures. */
#ifndef BGPT_CLI_FONT_H
#define BGPT_CLI_FONT_H

#include <stdint.h>

enum { FONT_WIDTH = 5, FONT_HEIGHT = 7 };

/* The columns of a character, left to right, lowest bit on top; of one that has no glyph, those of '?'. */
const uint8_t *font_columns(char c);

#endif
