/* The table of named recipes.  What each won is in docs/experiments/recipe.md and classify.md.
 * Refuses names that are not in the table, and lists those that are. */
#include "run/named_recipes.h"

#include <stdio.h>
#include <string.h>

static const bg_named_recipe recipes[] = {
    { "classify", "for --classify: Muon at a lower rate with a larger decay, small batches",
      { .optimizer = BG_MUON, .lr = 2e-3, .rest_lr = 0.25, .warmup = 0.02, .weight_decay = 0.1, .batch = 16 } },
    { "classify-text", "the same for words: with a patch's n-grams, so that a word counts wherever it stands; for patches of 4",
      { .config = { .patch_grams = 16384 }, .optimizer = BG_MUON, .lr = 2e-3, .rest_lr = 0.5, .warmup = 0.02, .weight_decay = 0.1, .batch = 32, .dropout = 0.1 } },
    { "fast", "Muon, and the byte decoder sees the patch before, what its last bytes lead to and what followed them before",
      { .config = { .previous = BG_PREVIOUS_BOTH, .grams = 8192, .match = 1 }, .optimizer = BG_MUON, .lr = 5e-3, .rest_lr = 0.3, .schedule = BG_STABLE, .cooldown = 0.5,
        .warmup = 0.02, .weight_decay = 0.01, .beta2 = 0.99 } },
    { "plain", "AdamW with warm-up, cosine and clipping, and the published shape of model", { .optimizer = BG_ADAMW } },
    { "reference", "what the published code does: AdamW at a constant 1e-4, batches of 16, nothing clipped",
      { .optimizer = BG_ADAMW, .lr = 1e-4, .schedule = BG_CONSTANT, .warmup = -1, .clip = -1, .weight_decay = 0.01, .batch = 16, .dropout = 0.1 } },
};
enum { COUNT = sizeof recipes / sizeof recipes[0] };

const bg_named_recipe *bg_named_recipe_at(size_t i) { return i < COUNT ? &recipes[i] : NULL; }

const bg_named_recipe *bg_named_recipe_find(const char *name, bg_error *err)
{
    char names[128];
    size_t n = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(name, recipes[i].name) == 0)
            return &recipes[i];
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", recipes[i].name);
    }
    bg_fail(err, BG_ERR_ARGUMENT, "there is no recipe '%s'; the recipes are %s", name, names);
    return NULL;
}
