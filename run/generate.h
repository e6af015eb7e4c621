/* Making files: generation and conversion, SPEC section 5. */
#ifndef BG_RUN_GENERATE_H
#define BG_RUN_GENERATE_H

#include "model/model.h"
#include "run/sampling.h"

typedef enum bg_end { BG_END_SYMBOL = 0, BG_END_LIMIT, BG_END_CONTEXT, BG_END_STOPPED } bg_end;

/* One sequence to be generated; see include/bgpt.h for the fields. */
typedef struct bg_request {
    const char *extension;
    const uint8_t *prompt;
    size_t prompt_size;
    int convert;             /* 1: input is the file to convert */
    const uint8_t *input;
    size_t input_size;
    const char *input_extension;
    uint64_t stream, max_bytes;
    int (*bytes)(void *ctx, const uint8_t *data, size_t n); /* may be NULL */
    void *ctx;
    /* results */
    uint64_t made;
    bg_end end;
    bg_status status;
    bg_error error;
} bg_request;

/* Run all requests, at most `streams` side by side.  BG_OK when the run itself
 * went well; each request has its own status. */
bg_status bg_generate(bg_model *m, bg_request *requests, size_t count, const bg_sampling *s, uint32_t streams, bg_error *err);

#endif
