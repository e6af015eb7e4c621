/* What bgpt bench found out, for people and for scripts. */
#ifndef BGPT_CLI_BENCH_REPORT_H
#define BGPT_CLI_BENCH_REPORT_H

#include "cli/output.h"

typedef struct bench_row {
    bgpt_bench_op op; /* its two texts are those below */
    char name[32], shape[48];
} bench_row;

/* Zero it first; rows is the caller's to free. */
typedef struct bench_report {
    bench_row *rows;
    size_t count;
    bool failed; /* a row found no memory */
} bench_report;

/* A bgpt_bench's op callback, ctx is the report. */
void bench_report_op(void *ctx, const bgpt_bench_op *op);

void bench_report_print(const bench_report *r, const bgpt_bench_result *result);
json_t *bench_report_json(const bench_report *r, const bgpt_bench_result *result);

#endif
