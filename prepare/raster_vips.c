/* Every other kind of picture, by libvips where bgpt was built with it. */
#include "prepare/raster.h"

#ifdef BGPT_HAVE_VIPS
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <vips/vips.h>

typedef struct vips_state {
    VipsImage *image;    /* three bands of eight bits */
    VipsRegion *region;
} vips_state;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int ready;

static void quiet(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data)
{
    (void)domain, (void)level, (void)message, (void)data;
}

/* One thread each, as the files are made side by side; nothing is kept between them. */
static void start(void)
{
    ready = vips_init("bgpt") == 0;
    if (!ready)
        return;
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    g_log_set_handler("VIPS", (GLogLevelFlags)(G_LOG_LEVEL_MASK), quiet, NULL);
    vips_block_untrusted_set(TRUE);
}

static void vips_end(raster *p)
{
    vips_state *v = p->state;
    if (v->region)
        g_object_unref(v->region);
    if (v->image)
        g_object_unref(v->image);
    bg_free(p->sys, v);
    vips_thread_shutdown();
}

static bg_status refused(const raster *p, bg_error *err)
{
    char why[300];
    snprintf(why, sizeof why, "%s", vips_error_buffer());
    why[strcspn(why, "\n")] = 0;
    vips_error_clear();
    return bg_fail(err, BG_ERR_FORMAT, "%s: %s", p->path, why[0] ? why : "no picture that libvips knows");
}

static bg_status vips_next(raster *p, uint8_t *rgb, bg_error *err)
{
    const vips_state *v = p->state;
    const VipsRect row = { 0, (int)p->at, (int)p->width, 1 };
    if (vips_region_prepare(v->region, &row))
        return refused(p, err);
    memcpy(rgb, VIPS_REGION_ADDR(v->region, 0, (int)p->at), 3 * (size_t)p->width);
    return BG_OK;
}

/* What a step made takes the place of what it was made from. */
static void replace(VipsImage **image, VipsImage *made)
{
    g_object_unref(*image);
    *image = made;
}

static int flatten(const raster *p, VipsImage **image)
{
    const double behind[3] = { p->background[0], p->background[1], p->background[2] };
    VipsArrayDouble *colour = vips_array_double_new(behind, 3);
    VipsImage *made;
    const int failed = vips_flatten(*image, &made, "background", colour, NULL);
    vips_area_unref(VIPS_AREA(colour));
    if (!failed)
        replace(image, made);
    return failed;
}

/* Upright, sRGB, nothing transparent, eight bits. */
static int to_rgb(const raster *p, VipsImage **image)
{
    VipsImage *made;
    if (vips_autorot(*image, &made, NULL))
        return -1;
    replace(image, made);
    if (vips_colourspace(*image, &made, VIPS_INTERPRETATION_sRGB, NULL))
        return -1;
    replace(image, made);
    if (vips_image_hasalpha(*image) && flatten(p, image))
        return -1;
    if (vips_cast_uchar(*image, &made, NULL))
        return -1;
    replace(image, made);
    return (*image)->Bands == 3 ? 0 : -1;
}

bg_status raster_open_other(raster *p, bg_error *err)
{
    pthread_once(&once, start);
    if (!ready)
        return bg_fail(err, BG_ERR_FAILED, "libvips does not start");
    vips_state *v = bg_alloc_zero(p->sys, 1, sizeof *v);
    if (!v)
        return bg_fail_memory(err, p->path, sizeof *v);
    p->state = v;
    p->close = vips_end;
    p->row = vips_next;
    v->image = vips_image_new_from_file(p->path, NULL); /* large ones by way of a temporary file: turning needs any row at any time */
    if (!v->image || to_rgb(p, &v->image) || !(v->region = vips_region_new(v->image)))
        return refused(p, err);
    p->width = (uint32_t)v->image->Xsize;
    p->height = (uint32_t)v->image->Ysize;
    return BG_OK;
}

#else

bg_status raster_open_other(raster *p, bg_error *err)
{
    return bg_fail(err, BG_ERR_FORMAT, "%s: neither BMP, PNM nor PNG; this bgpt was built without libvips, which reads others (Debian package libvips-dev)", p->path);
}

#endif
