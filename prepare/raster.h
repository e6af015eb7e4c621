/* Pictures of many kinds as rows of RGB, from the top down, one at a time, so that a large one takes little memory. */
#ifndef BG_PREPARE_RASTER_H
#define BG_PREPARE_RASTER_H

#include "base/sys.h"

typedef struct raster raster;

struct raster {
    const char *path;
    const bg_sys *sys;
    uint8_t background[3];  /* behind what is transparent */
    uint32_t width, height;
    /* The next row (width, 3). */
    bg_status (*row)(raster *p, uint8_t *rgb, bg_error *err);
    void (*close)(raster *p);
    void *state;            /* of the reader */
    uint32_t at;            /* rows given so far */
};

enum { RASTER_SIDE = 100000, RASTER_WHOLE = 64 << 20 }; /* the longest side; most pixels where all must be held */

/* By its first bytes, whatever its name: BMP, PNM (P1 to P6), PNG, and what libvips reads where bgpt was built with it.
 * BG_ERR_FORMAT: it is none of these.  raster_close is due after success; path and sys outlive it. */
bg_status raster_open(raster *p, const char *path, const uint8_t background[3], const bg_sys *sys, bg_error *err);
bg_status raster_row(raster *p, uint8_t *rgb, bg_error *err);
void raster_close(raster *p);

/* The readers, one kind each; a reader finds out itself whether the file is well-formed. */
bg_status raster_open_bmp(raster *p, bg_error *err);
bg_status raster_open_pnm(raster *p, bg_error *err);
bg_status raster_open_png(raster *p, bg_error *err);
bg_status raster_open_other(raster *p, bg_error *err);

/* A pixel of four channels over the background. */
static inline void raster_blend(const raster *p, const uint8_t *rgba, uint8_t *rgb)
{
    for (int i = 0; i < 3; i++)
        rgb[i] = (uint8_t)((rgba[i] * rgba[3] + p->background[i] * (255 - rgba[3]) + 127) / 255);
}

#endif
