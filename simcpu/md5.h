/* MD5 (RFC 1321), for file names that `md5sum` can check.  It names, it
 * protects against nobody. */
#ifndef BG_SIMCPU_MD5_H
#define BG_SIMCPU_MD5_H

#include <stddef.h>
#include <stdint.h>

/* 32 hex digits and a zero. */
enum { BG_MD5_HEX = 33 };
void bg_md5(const void *data, size_t size, char hex[BG_MD5_HEX]);

#endif
