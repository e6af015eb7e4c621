/* All other formats by rows: libvips.  It is loaded when it is needed, for it brings a hundred libraries, which would cost every
 * command of the program 40 ms.  Its loaders that are not meant for untrusted files stay closed.
 *
 * JPEG files are read row by row; what must be turned, and all other formats, may be held whole.  What libvips says of a damaged
 * file is not passed on: its words are one list for all threads. */
#include "prepare/rows.h"

#ifdef BGPT_HAVE_VIPS

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <vips/vips.h>

enum { STRIP = 16 /* rows fetched at once: those of a JPEG block */ };

#define FUNCTIONS(X) \
    X(g_log_set_default_handler) X(g_object_unref) X(g_type_from_name) X(g_type_class_peek) \
    X(vips_init) X(vips_concurrency_set) X(vips_cache_set_max) X(vips_block_untrusted_set) X(vips_error_clear) \
    X(vips_source_new_from_descriptor) X(vips_foreign_find_load_source) X(vips_image_new_from_source) X(vips_image_get_width) X(vips_image_get_height) \
    X(vips_image_get_bands) X(vips_image_get_orientation) X(vips_image_get_typeof) X(vips_image_get_int) X(vips_image_copy_memory) X(vips_autorot) X(vips_icc_transform) \
    X(vips_colourspace) X(vips_cast) X(vips_image_hasalpha) X(vips_region_new) X(vips_region_prepare)

#define MEMBER(name) __typeof__(&name) name;
static struct { FUNCTIONS(MEMBER) } v; /* filled once, before there are threads */

static const char *reason = "libvips was not started";

typedef struct vips_state {
    VipsSource *source;
    VipsImage *image;   /* the last step of `steps` */
    VipsImage *steps[8];
    int step_count;
    VipsRegion *region;
    uint32_t bands;
    uint32_t end;        /* rows before it were fetched; the region holds the last of them */
} vips_state;

static void quiet(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer ctx) { }

static int find_functions(void *library)
{
#define FIND(name) if (!(*(void **)&v.name = dlsym(library, #name))) return 0;
    FUNCTIONS(FIND)
    return 1;
}

const char *rows_vips_start(void)
{
    if (!reason)
        return NULL;
    void *library = dlopen("libvips.so.42", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return reason = "libvips is not installed (Debian package libvips42)";
    if (!find_functions(library))
        return reason = "libvips is older than 8.13";
    if (v.vips_init("bgpt") != 0)
        return reason = "libvips cannot be started";
    v.g_log_set_default_handler(quiet, NULL);
    v.vips_concurrency_set(1); /* the pictures are what is done side by side */
    v.vips_cache_set_max(0);
    v.vips_block_untrusted_set(TRUE);
    return reason = NULL;
}

/* --- opening --------------------------------------------------------------------------------- */

static bg_status damaged(const picture_rows *p, bg_error *err)
{
    v.vips_error_clear();
    return bg_fail(err, BG_ERR_FORMAT, "%s: libvips cannot read it: it is damaged or cut short", p->file.path);
}

static void next_step(vips_state *s, VipsImage *image)
{
    s->steps[s->step_count++] = image;
    s->image = image;
}

/* Does libvips hold all of it?  It reads JPEG files with one scan and TIFF files by rows, unless they must be turned. */
static int is_whole(VipsImage *image, const char *loader, int orientation)
{
    int scans = 0;
    if (v.vips_image_get_typeof(image, "jpeg-multiscan"))
        v.vips_image_get_int(image, "jpeg-multiscan", &scans);
    return orientation > 2 || scans || (!strstr(loader, "LoadJpeg") && !strstr(loader, "LoadTiff"));
}

/* Upright, as the camera was held.  What is turned is needed from its last row on, so it is held whole. */
static bg_status turn(picture_rows *p, vips_state *s, int orientation, bg_error *err)
{
    VipsImage *turned;
    if (orientation == 1)
        return BG_OK;
    if (orientation > 2) {
        VipsImage *whole = v.vips_image_copy_memory(s->image);
        if (!whole)
            return damaged(p, err);
        next_step(s, whole);
    }
    if (v.vips_autorot(s->image, &turned, NULL) != 0)
        return damaged(p, err);
    next_step(s, turned);
    return BG_OK;
}

/* sRGB of 8 bits a sample, with or without opacity. */
static bg_status colours(picture_rows *p, vips_state *s, bg_error *err)
{
    VipsImage *next;
    if (v.vips_image_get_typeof(s->image, VIPS_META_ICC_NAME)) {
        if (v.vips_icc_transform(s->image, &next, "srgb", "embedded", TRUE, NULL) == 0)
            next_step(s, next);
        else
            v.vips_error_clear(); /* a bad profile: as if there were none */
    }
    if (v.vips_colourspace(s->image, &next, VIPS_INTERPRETATION_sRGB, NULL) != 0)
        return damaged(p, err);
    next_step(s, next);
    if (v.vips_cast(s->image, &next, VIPS_FORMAT_UCHAR, NULL) != 0)
        return damaged(p, err);
    next_step(s, next);
    s->bands = (uint32_t)v.vips_image_get_bands(s->image);
    return s->bands >= 3 ? BG_OK : bg_fail(err, BG_ERR_FORMAT, "%s: %u samples a point are no colour", p->file.path, (unsigned)s->bands);
}

/* Marked by libvips as not meant for files of unknown origin. */
static int is_closed(const char *loader)
{
    const VipsOperationClass *class = v.g_type_class_peek(v.g_type_from_name(loader));
    return class && (class->flags & VIPS_OPERATION_BLOCKED);
}

static bg_status open_image(picture_rows *p, vips_state *s, bg_error *err)
{
    s->source = v.vips_source_new_from_descriptor(p->file.fd);
    if (!s->source)
        return damaged(p, err);
    const char *loader = v.vips_foreign_find_load_source(s->source);
    v.vips_error_clear();
    if (!loader || strstr(loader, "LoadMatrix") || strstr(loader, "LoadCsv")) /* a text that begins with two numbers is no picture */
        return bg_fail(err, BG_ERR_FORMAT, "%s: no picture of a kind that libvips knows", p->file.path);
    if (is_closed(loader))
        return bg_fail(err, BG_ERR_FORMAT, "%s: libvips's reader of its kind is not meant for files of unknown origin", p->file.path);
    VipsImage *image = v.vips_image_new_from_source(s->source, "", "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
    if (!image)
        return damaged(p, err);
    next_step(s, image);
    const int orientation = v.vips_image_get_orientation(image);
    BG_TRY(rows_size(p, (uint64_t)v.vips_image_get_width(image), (uint64_t)v.vips_image_get_height(image), is_whole(image, loader, orientation), err));
    BG_TRY(turn(p, s, orientation, err));
    BG_TRY(colours(p, s, err));
    p->width = (uint32_t)v.vips_image_get_width(s->image);
    p->height = (uint32_t)v.vips_image_get_height(s->image);
    s->region = v.vips_region_new(s->image);
    return s->region ? BG_OK : damaged(p, err);
}

/* --- rows ------------------------------------------------------------------------------------ */

static bg_status read_row(picture_rows *p, uint8_t *rgb, bg_error *err)
{
    vips_state *s = p->state;
    if (p->next >= s->end) {
        const uint32_t left = p->height - p->next, rows = left < STRIP ? left : STRIP;
        const VipsRect strip = { 0, (int)p->next, (int)p->width, (int)rows };
        if (v.vips_region_prepare(s->region, &strip) != 0)
            return damaged(p, err);
        s->end = p->next + rows;
    }
    const uint8_t *from = s->region->data + ((int)p->next - s->region->valid.top) * VIPS_REGION_LSKIP(s->region);
    const int opaque = s->bands == 3 || !v.vips_image_hasalpha(s->image);
    for (uint32_t x = 0; x < p->width; x++, rgb += 3, from += s->bands) {
        const uint8_t rgba[4] = { from[0], from[1], from[2], opaque ? 255 : from[3] };
        rows_flatten(rgb, rgba, 1, p->background);
    }
    return BG_OK;
}

static void close_vips(picture_rows *p)
{
    vips_state *s = p->state;
    if (s->region)
        v.g_object_unref(s->region);
    while (s->step_count > 0)
        v.g_object_unref(s->steps[--s->step_count]);
    if (s->source)
        v.g_object_unref(s->source);
    bg_free(p->file.sys, s);
}

bg_status rows_vips_open(picture_rows *p, bg_error *err)
{
    if (reason)
        return bg_fail(err, BG_ERR_FORMAT, "%s: no BMP, PNM or PNG; for other pictures: %s", p->file.path, reason);
    vips_state *s = bg_alloc_zero(p->file.sys, 1, sizeof *s);
    if (!s)
        return bg_fail_memory(err, p->file.path, sizeof *s);
    p->state = s;
    p->read = read_row;
    p->close = close_vips;
    return open_image(p, s, err);
}

#else

static const char reason[] = "this bgpt was built without libvips (Debian package libvips-dev)";

const char *rows_vips_start(void) { return reason; }

bg_status rows_vips_open(picture_rows *p, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "%s: no BMP, PNM or PNG; for other pictures: %s", p->file.path, reason);
}

#endif
