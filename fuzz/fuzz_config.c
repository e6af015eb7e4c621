/* libFuzzer target: a run's config.json.
 * Beyond what the sanitizers see: a recipe that was accepted and is written
 * again is accepted again, as the same text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/support_memory.h"
#include "run/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MULTIPLE = 128, BASE = 1 << 16 };

static void write_again(const bg_recipe *r, bg_text *t)
{
    bg_error err = { BG_OK, "" };
    if (bg_recipe_write(r, t, &err) != BG_OK)
        abort();
}

static void check_same(const bg_recipe *r, const bg_sys *sys)
{
    bg_recipe back;
    bg_error err = { BG_OK, "" };
    bg_text first, second;
    bg_text_open(&first, sys);
    bg_text_open(&second, sys);
    write_again(r, &first);
    bg_recipe_open(&back, sys);
    if (bg_recipe_read(&back, first.data, first.size, "again", &err) != BG_OK)
        abort();
    write_again(&back, &second);
    if (first.size != second.size || memcmp(first.data, second.data, first.size) != 0)
        abort();
    bg_recipe_close(&back);
    bg_text_close(&first);
    bg_text_close(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memory_sys m;
    bg_recipe r;
    bg_error err = { BG_OK, "" };
    memory_open(&m, data, size);
    bg_recipe_open(&r, &m.sys);
    const bg_status s = bg_recipe_read(&r, (const char *)data, size, "config.json", &err);
    if (s == BG_OK)
        check_same(&r, &m.sys);
    else if ((s != BG_ERR_FORMAT && s != BG_ERR_ARGUMENT) || !err.text[0])
        abort();
    bg_recipe_close(&r);
    memory_check(&m, size * MULTIPLE + BASE);
    return 0;
}
