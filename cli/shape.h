/* The options that give a model's shape, for the commands that make one. */
#ifndef BGPT_CLI_SHAPE_H
#define BGPT_CLI_SHAPE_H

#include "cli/command.h"

/* A member `shape` of the command's arguments; 0 and NULL: not given. */
typedef struct shape_arguments {
    const char *size;
    int previous, match, rotary; /* as the library counts them */
    uint64_t hidden, patch_layers, byte_layers, byte_hidden, patches, patch_size, grams, patch_grams, conv;
} shape_arguments;

/* in the library's order: see bgpt_config */
#define SHAPE_PREVIOUS "none|column|keys|column+keys|patch"
#define SHAPE_AT(type, member) offsetof(type, shape.member)
#define SHAPE_ROWS(type) \
    { "size", 0, OPTION_TEXT, SHAPE_AT(type, size), 0, 0, NULL, "NAME", "a named shape (--size list shows them); single numbers below change it" }, \
    { "hidden", 0, OPTION_COUNT, SHAPE_AT(type, hidden), 64, 8192, NULL, "H", "width of the patch decoder, a multiple of 64" }, \
    { "patch-layers", 0, OPTION_COUNT, SHAPE_AT(type, patch_layers), 1, 256, NULL, "L", "layers of the patch decoder" }, \
    { "byte-layers", 0, OPTION_COUNT, SHAPE_AT(type, byte_layers), 1, 256, NULL, "L", "layers of the byte decoder" }, \
    { "byte-hidden", 0, OPTION_COUNT, SHAPE_AT(type, byte_hidden), 64, 8192, NULL, "H", "width of the byte decoder; without it, that of the patch decoder" }, \
    { "patches", 0, OPTION_COUNT, SHAPE_AT(type, patches), 3, 65536, NULL, "N", "context in patches" }, \
    { "patch-size", 0, OPTION_COUNT, SHAPE_AT(type, patch_size), 1, 64, NULL, "P", "bytes of a patch" }, \
    { "previous", 0, OPTION_CHOICE, SHAPE_AT(type, previous), 0, 0, NULL, SHAPE_PREVIOUS, \
      "what of the patch before the byte decoder sees beside the feature: column: at each place the byte at the same place; keys: all its bytes, by " \
      "attention to tables; patch: column, and all its bytes as positions in front, through all layers; the published code has no such models" }, \
    { "grams", 0, OPTION_COUNT, SHAPE_AT(type, grams), 0, 65536, NULL, "ROWS", \
      "tables of this many rows for the last 2, 3 and 4 bytes, found by a hash and added to the byte decoder's inputs; 0: none" }, \
    { "patch-grams", 0, OPTION_COUNT, SHAPE_AT(type, patch_grams), 0, 65536, NULL, "ROWS", \
      "such tables for the patch decoder: a patch's input gets a row for the 3, 4 and 5 bytes up to each of its bytes; for labels of texts; 0: none" }, \
    { "match", 0, OPTION_CHOICE, SHAPE_AT(type, match), 0, 0, NULL, "no|yes", \
      "a table for the byte that followed when the last 3 to 48 bytes stood in the file before, added likewise" }, \
    { "rotary", 0, OPTION_CHOICE, SHAPE_AT(type, rotary), 0, 0, NULL, "no|yes", \
      "attention between patches sees how far apart they are, instead of the place of each" }, \
    { "conv", 0, OPTION_COUNT, SHAPE_AT(type, conv), 0, 16, NULL, "N", \
      "in every layer a patch gets, by learnt weights, the vectors of the N patches in front (causal convolutions); 0: none" }

/* Was any of them typed but --patches, --patch-layers, --byte-layers, --grams and --patch-grams?  `base` as below. */
bool shape_given(const common *typed, const shape_arguments *a, size_t base);
/* Is it --size list?  Then the sizes have been printed. */
bool shape_listed(const shape_arguments *a);
/* 0, or the exit code after a sentence: widths that no model can have. */
int shape_check(const shape_arguments *a);
/* The named size with the single numbers over it; what was not typed stays as it is.  `base` is the offset of *a in the
 * command's arguments.  0 or the exit code. */
int shape_fill(const common *typed, const shape_arguments *a, size_t base, bgpt_config *c);

#endif
