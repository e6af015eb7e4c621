/* libFuzzer target: the readers of pictures on any bytes, BMP, PNM and PNG.  Beyond what the sanitizers see: what is refused is
 * refused for its format, rows come whole, and memory stays within a small multiple of the file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/support_memory.h"
#include "prepare/rows.h"

/* Larger ones take too long for a fuzzer. */
enum { MOST_POINTS = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bg_status read_all(const bg_sys *sys, bg_error *err)
{
    picture_rows p;
    BG_TRY(rows_open(&p, sys, MEMORY_INPUT, 0x808080, err));
    uint8_t *rgb = malloc(3 * (size_t)p.width);
    bg_status s = BG_OK;
    if (!rgb)
        abort();
    for (uint32_t y = 0; y < p.height && s == BG_OK && (uint64_t)p.width * p.height <= MOST_POINTS; y++)
        s = rows_read(&p, rgb, err);
    free(rgb);
    rows_close(&p);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memory_sys m;
    bg_error err = { BG_OK, "" };
    memory_open(&m, data, size);
    const bg_status s = read_all(&m.sys, &err);
    if (s != BG_OK && (s != BG_ERR_FORMAT || !strstr(err.text, MEMORY_INPUT)))
        abort();
    /* a point of PNG takes a 1032nd of a bit at least, and 32 bits when it is read */
    memory_check(&m, ((size_t)1 << 18) + 32 * 1032 * (size + 100));
    return 0;
}
