/* Named training recipes: settings that belong together, and that won over others on the track of
 * bench/recipe or with labelled files. */
#ifndef BG_RUN_NAMED_RECIPES_H
#define BG_RUN_NAMED_RECIPES_H

#include "run/settings.h"

typedef struct bg_named_recipe {
    const char *name, *about;
    bg_settings settings; /* as a caller fills them: 0 for what the recipe leaves to the defaults */
} bg_named_recipe;

/* Recipe i, NULL beyond the last. */
const bg_named_recipe *bg_named_recipe_at(size_t i);
/* NULL with BG_ERR_ARGUMENT and the names there are. */
const bg_named_recipe *bg_named_recipe_find(const char *name, bg_error *err);

#endif
