/* A file's bytes coloured by the bits a model spent on them. */
#ifndef BGPT_CLI_HEAT_H
#define BGPT_CLI_HEAT_H

#include "cli/command.h"
#include <stdio.h>

typedef struct heat {
    uint8_t *bytes;
    float *bits;        /* of each byte */
    size_t size, capacity;
    double end_bits;    /* of padding and end */
    bool no_memory;
} heat;

/* The callback of bgpt_eval that fills it; ctx is a heat. */
void heat_take(void *ctx, const uint16_t *symbols, const float *nats, size_t n);
void heat_free(heat *h);

/* Bytes [from, to) as a table: place, hexadecimal, text, bits of the row.  Colours where standard output takes them,
 * else a second line with every byte's bits, rounded. */
void heat_print(const heat *h, size_t from, size_t to);
/* The same as one page of HTML that needs no other file. */
void heat_write_page(FILE *f, const heat *h, const char *title, size_t from, size_t to);

/* The steps of colour: what a cost of so many bits looks like (0xRRGGBB), and what step `step` of HEAT_STEPS stands for. */
enum { HEAT_STEPS = 7, HEAT_LEGEND = 16 };
uint32_t heat_colour(float bits);
void heat_legend(int step, char *text, size_t size, uint32_t *colour);
/* As it is shown: '.' for what no letter stands for. */
char heat_character(uint8_t byte);
double heat_sum(const heat *h, size_t from, size_t to);

/* A PNG file, at most HEAT_PICTURE_BYTES of bytes [from, to): the more there are, the smaller the cells.  0, or the exit code after a sentence. */
enum { HEAT_PICTURE_BYTES = 1 << 22 };
int heat_write_picture(const heat *h, const char *title, size_t from, size_t to, const char *path, bool overwrite, const bgpt_options *o);

/* Places of the `count` dearest bytes, dearest first; the number found. */
size_t heat_dearest(const heat *h, size_t *places, size_t count);

#endif
