/* A bg_sys for fuzz targets: one input file that lies in memory, outputs that
 * go nowhere, and a count of the memory in use, so that a parser that takes
 * far more than its input shows. */
#ifndef BG_FUZZ_SUPPORT_MEMORY_H
#define BG_FUZZ_SUPPORT_MEMORY_H

#include "base/sys.h"

#define MEMORY_INPUT "in"
#define MEMORY_OUTPUT "out"

typedef struct memory_sys {
    bg_sys sys;          /* hand &m.sys to the code under test */
    const uint8_t *data; /* of MEMORY_INPUT */
    size_t size;
    size_t used, most;   /* bytes allocated now, and at most */
    uint64_t written;    /* bytes given to outputs */
    int renamed;         /* outputs committed */
    int open_files;
} memory_sys;

void memory_open(memory_sys *m, const uint8_t *data, size_t size);
/* Aborts when memory or files are left, or more than `most` bytes were in use. */
void memory_check(const memory_sys *m, size_t most);

#endif
