/* The table of named sizes, smallest first.  Parameters are those of patch
 * size 16 and 257 symbols; all have the published context of 512 patches
 * (8 KiB), because a context can be used only as long as it was trained.
 * Refuses names that are not in the table, and lists those that are. */
#include "run/sizes.h"

#include <stdio.h>
#include <string.h>

static const bg_size sizes[] = {
    { "nano", "1.2 million parameters: minutes on a laptop, for trying things out", 128, 2, 1, 512 },
    { "micro", "3.6 million parameters: learns the form of short files", 192, 4, 2, 512 },
    { "mini", "7.6 million parameters: the default, for a few CPU cores and an afternoon", 256, 6, 2, 512 },
    { "small", "19.6 million parameters: for many CPU cores and a day", 384, 8, 2, 512 },
    { "medium", "43 million parameters: for a week of CPU cores", 512, 10, 3, 512 },
    { "base", "110 million parameters: the published bGPT", 768, 12, 3, 512 },
};

const bg_size *bg_size_at(size_t i) { return i < sizeof sizes / sizeof sizes[0] ? &sizes[i] : NULL; }

bg_status bg_size_find(bg_config *c, const char *name, bg_error *err)
{
    char names[128];
    size_t n = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (strcmp(name, sizes[i].name) == 0) {
            c->hidden = sizes[i].hidden;
            c->patch_layers = sizes[i].patch_layers;
            c->byte_layers = sizes[i].byte_layers;
            c->patches = sizes[i].patches;
            return BG_OK;
        }
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", sizes[i].name);
    }
    return bg_fail(err, BG_ERR_ARGUMENT, "there is no size '%s'; the sizes are %s", name, names);
}
