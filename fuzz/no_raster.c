/* In the place of readers that are other people's libraries: fuzz_image looks at our own. */
#include "prepare/raster.h"

bg_status raster_open_png(raster *p, bg_error *err) { return bg_fail(err, BG_ERR_FORMAT, "%s: PNG", p->path); }
bg_status raster_open_other(raster *p, bg_error *err) { return bg_fail(err, BG_ERR_FORMAT, "%s: another kind", p->path); }
