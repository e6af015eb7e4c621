/* Pictures read row by row, so that a large one takes no more memory than a small one: a reader for each format behind one
 * struct.  Rows come from the top, three bytes a point, R G B of 8 bits, with what is transparent laid over a colour.
 *
 * Nothing in a file is trusted: sizes are compared with the bytes that are there before anything is allocated. */
#ifndef BG_PREPARE_ROWS_H
#define BG_PREPARE_ROWS_H

#include "base/sys.h"

enum {
    ROWS_MOST_SIDE = 1 << 20,    /* points of a side: keeps every sum of the resampler within 64 bits */
    ROWS_MOST_POINTS = 1 << 30,  /* of a picture that is read row by row: a minute's work, not an hour's */
    ROWS_MOST_WHOLE = 1 << 26,   /* of one that its format lets nobody read but whole */
    ROWS_LARGE = 1 << 22,        /* those of more points that must be held whole are held one at a time */
};

/* A regular file, read anywhere, or byte by byte. */
typedef struct rows_file {
    const bg_sys *sys;
    const char *path;
    int fd;
    uint64_t size;
    uint64_t at;            /* of the next byte */
    uint64_t begin;         /* of what the buffer holds */
    size_t fill;
    uint8_t *buffer;
} rows_file;

/* n bytes at an offset; BG_ERR_FORMAT: the file ends before. */
bg_status rows_file_read(rows_file *f, uint64_t offset, void *to, size_t n, bg_error *err);
/* The n bytes at f->at. */
bg_status rows_file_next(rows_file *f, void *to, size_t n, bg_error *err);
/* The byte at f->at; -1: the end of the file. */
bg_status rows_file_byte(rows_file *f, int *byte, bg_error *err);

typedef struct picture_rows picture_rows;
struct picture_rows {
    rows_file file;
    uint32_t width, height, next; /* next: the row that read gives */
    uint32_t background;          /* 0xRRGGBB */
    bg_status (*read)(picture_rows *p, uint8_t *rgb, bg_error *err);
    void (*close)(picture_rows *p); /* the reader's own memory; NULL: it has none */
    void *state;
    int alone;                    /* it has the lock of the large */
};

/* BMP, PNM and PNG by their first bytes; all else is libvips's, when it is there. */
bg_status rows_open(picture_rows *p, const bg_sys *sys, const char *path, uint32_t background, bg_error *err);
/* The next of `height` rows into rgb (width*3). */
bg_status rows_read(picture_rows *p, uint8_t *rgb, bg_error *err);
void rows_close(picture_rows *p);

/* --- for the readers --------------------------------------------------------------------------- */

/* The picture's size, and whether it can only be read whole: refuses what is too large. */
bg_status rows_size(picture_rows *p, uint64_t width, uint64_t height, int whole, bg_error *err);

/* One part (R, G or B) of a colour of this opacity (0 to 255) over the background's. */
static inline uint8_t rows_over(uint32_t part, uint32_t opacity, uint32_t background)
{
    return (uint8_t)((part * opacity + (background & 0xff) * (255 - opacity) + 127) / 255);
}

/* n points R G B A to R G B. */
void rows_flatten(uint8_t *rgb, const uint8_t *rgba, size_t n, uint32_t background);

/* Each fills width, height, read, close; what it leaves in p is freed by rows_close. */
bg_status rows_bmp_open(picture_rows *p, bg_error *err);
bg_status rows_pnm_open(picture_rows *p, bg_error *err);
bg_status rows_png_open(picture_rows *p, bg_error *err);
bg_status rows_vips_open(picture_rows *p, bg_error *err);

/* Loads libvips, once, before any thread reads.  NULL; or why only BMP, PNM and PNG can be read. */
const char *rows_vips_start(void);

#endif
