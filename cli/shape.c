/* From typed sizes to a configuration.  Ranges stand in the rows; what the
 * library takes for the rest is its business. */
#include "cli/shape.h"
#include "cli/options.h"
#include "cli/output.h"
#include <string.h>

bool shape_given(const common *typed, const shape_arguments *a, size_t base)
{
    return a->size != NULL || a->hidden || a->byte_hidden || a->patch_size || option_given(typed, base + offsetof(shape_arguments, previous)) || option_given(typed, base + offsetof(shape_arguments, match)) || option_given(typed, base + offsetof(shape_arguments, rotary)) || option_given(typed, base + offsetof(shape_arguments, conv));
}

bool shape_listed(const shape_arguments *a)
{
    const char *name;
    if (a->size == NULL || strcmp(a->size, "list") != 0)
        return false;
    for (size_t i = 0; (name = bgpt_size_name(i)) != NULL; i++)
        out("%-8s  %s\n", name, bgpt_size_about(i));
    out("\nCounted without what recipes add to the published model (--recipe fast: tables of 7 million parameters for mini).\n");
    return true;
}

int shape_check(const shape_arguments *a)
{
    if (a->hidden % 64 != 0)
        return usage_error("--hidden: %llu is not a multiple of 64", (unsigned long long)a->hidden);
    if (a->byte_hidden % 64 != 0)
        return usage_error("--byte-hidden: %llu is not a multiple of 64", (unsigned long long)a->byte_hidden);
    return 0;
}

int shape_fill(const common *typed, const shape_arguments *a, size_t base, bgpt_config *c)
{
    const struct { uint64_t from; uint32_t *to; } rows[] = {
        { a->hidden, &c->hidden },       { a->patch_layers, &c->patch_layers }, { a->byte_layers, &c->byte_layers },
        { a->byte_hidden, &c->byte_hidden }, { a->patches, &c->patches },       { a->patch_size, &c->patch_size },
    };
    const struct { size_t at; uint64_t from; uint32_t *to; } extensions[] = { /* of which 0 means something */
        { offsetof(shape_arguments, previous), (uint64_t)a->previous, &c->previous },
        { offsetof(shape_arguments, grams), a->grams, &c->grams },
        { offsetof(shape_arguments, match), (uint64_t)a->match, &c->match },
        { offsetof(shape_arguments, patch_grams), a->patch_grams, &c->patch_grams },
        { offsetof(shape_arguments, rotary), (uint64_t)a->rotary, &c->rotary },
        { offsetof(shape_arguments, conv), a->conv, &c->conv },
    };
    bgpt_error error = { 0 };
    if (a->size != NULL && bgpt_size(a->size, c, &error) != BGPT_OK)
        return fail_with(&error);
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        if (option_given(typed, base + extensions[i].at))
            *extensions[i].to = (uint32_t)extensions[i].from;
    }
    if (a->hidden != 0)
        c->byte_hidden = 0; /* follows the new width, unless given as well */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].from != 0)
            *rows[i].to = (uint32_t)rows[i].from;
    }
    return 0;
}
