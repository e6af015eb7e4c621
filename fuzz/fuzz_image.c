/* libFuzzer target: pictures of any bytes through the readers of BMP and PNM, a row at a time.  Beyond what the sanitizers
 * see: rows are given until the last or until a sentence. */
#define _GNU_SOURCE /* memfd_create */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "prepare/raster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t behind[3] = { 1, 2, 3 };
    static int fd = -1;
    char path[32];
    raster p;
    bg_error err = { BG_OK, "" };
    if (size < 2 || data[0] == 0x89)
        return 0;
    if (fd < 0)
        fd = memfd_create("picture", 0);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (raster_open(&p, path, behind, bg_sys_default(), &err) != BG_OK) {
        if (err.text[0] == 0)
            abort();
        return 0;
    }
    uint8_t *row = malloc(3 * (size_t)p.width);
    bg_status s = BG_OK;
    for (uint32_t y = 0; y < p.height && y < 3000 && s == BG_OK; y++)
        s = raster_row(&p, row, &err);
    if (s != BG_OK && (s != BG_ERR_FORMAT || err.text[0] == 0))
        abort();
    free(row);
    raster_close(&p);
    return 0;
}
