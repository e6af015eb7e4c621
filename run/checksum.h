/* A quick 64-bit checksum against torn and flipped bytes.  It guards against
 * accidents; it is no protection against malice. */
#ifndef BG_RUN_CHECKSUM_H
#define BG_RUN_CHECKSUM_H

#include "base/sys.h"

#include <stddef.h>
#include <stdint.h>

enum { BG_SUM_TEXT = 17 }; /* 16 hexadecimal digits and a zero */

typedef struct bg_sum { uint64_t lane[4], bytes; } bg_sum;

void bg_sum_open(bg_sum *s);
/* Where a stream is cut into pieces is part of it: the same cuts, the same sum. */
void bg_sum_add(bg_sum *s, const void *data, size_t n);
void bg_sum_text(const bg_sum *s, char out[BG_SUM_TEXT]);
/* The sum of a file's bytes. */
bg_status bg_file_sum(char out[BG_SUM_TEXT], const bg_sys *sys, const char *path, bg_error *err);

#endif
