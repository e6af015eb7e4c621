/* Limits of a model's shape: every size computed later stays far below the
 * range of size_t once these hold. */
#include "model/config.h"

#include "data/batch.h"
#include "data/grams.h"
#include "ops/ops.h"

static bg_status check_width(uint32_t width, const char *what, const char *where, bg_error *err)
{
    if (width == 0 || width % BG_HEAD != 0 || width > BG_MAX_HIDDEN)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s %u is not a multiple of %d from %d to %d", where, what,
                       (unsigned)width, BG_HEAD, BG_HEAD, BG_MAX_HIDDEN);
    return BG_OK;
}

static bg_status check_range(uint32_t value, uint32_t min, uint32_t max, const char *what, const char *where,
                             bg_error *err)
{
    if (value < min || value > max)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %s %u is outside %u to %u", where, what, (unsigned)value,
                       (unsigned)min, (unsigned)max);
    return BG_OK;
}

bg_status bg_config_check(const bg_config *c, const char *where, bg_error *err)
{
    BG_TRY(check_width(c->hidden, "hidden width", where, err));
    BG_TRY(check_range(c->patch_layers, 1, BG_MAX_LAYERS, "number of patch layers", where, err));
    BG_TRY(check_range(c->byte_layers, c->classes ? 0 : 1, BG_MAX_LAYERS, "number of byte layers", where, err));
    if (c->byte_layers)
        BG_TRY(check_width(c->byte_hidden, "byte width", where, err));
    BG_TRY(check_range(c->patches, 2, BG_MAX_PATCHES, "context in patches", where, err));
    BG_TRY(check_range(c->patch_size, 1, BG_MAX_PATCH, "patch size", where, err));
    BG_TRY(check_range(c->previous, BG_PREVIOUS_NONE, c->byte_layers ? BG_PREVIOUS_PATCH : BG_PREVIOUS_NONE, "kind of previous context", where, err));
    BG_TRY(check_range(c->grams, 0, c->byte_layers ? BG_MAX_GRAMS : 0, "number of n-gram rows", where, err));
    BG_TRY(check_range(c->match, 0, c->byte_layers ? 1 : 0, "table of matches", where, err));
    BG_TRY(check_range(c->patch_grams, 0, BG_MAX_GRAMS, "number of n-gram rows for patches", where, err));
    BG_TRY(check_range(c->rotary, 0, 1, "rotary positions", where, err));
    BG_TRY(check_range(c->conv, 0, BG_MAX_TAPS, "reach of convolutions", where, err));
    return check_range(c->classes, 0, BG_MAX_CLASSES, "number of classes", where, err);
}
