/* bgpt_bench_run: the public description of a measurement as the library's own. */
#include "api/api.h"

#include "run/bench.h"

#include <string.h>

_Static_assert((int)BGPT_BENCH_TRAIN == (int)BG_BENCH_TRAIN && (int)BGPT_BENCH_EVAL == (int)BG_BENCH_EVAL &&
                   (int)BGPT_BENCH_GENERATE == (int)BG_BENCH_GENERATE && (int)BGPT_BENCH_GENERATE_BATCH == (int)BG_BENCH_GENERATE_BATCH &&
                   (int)BGPT_BENCH_JOBS == (int)BG_BENCH_JOBS,
               "both kinds of jobs must have the same values");

static int stop(void *ctx)
{
    const bgpt_bench *b = ctx;
    return b->stop ? b->stop(b->ctx) : 0;
}

static void stage(void *ctx, const char *what)
{
    const bgpt_bench *b = ctx;
    if (b->stage)
        b->stage(b->ctx, what);
}

static void relay_op(void *ctx, const bg_bench_op *op)
{
    const bgpt_bench *b = ctx;
    const bgpt_bench_op out = {
        .job = (bgpt_bench_job)op->job, .op = op->op, .shape = op->shape, .calls = op->calls, .seconds = op->seconds,
        .share = op->share, .flops = op->flops, .peak_share = op->peak_share,
    };
    b->op(b->ctx, &out);
}

static void give_result(bgpt_bench_result *to, const bg_bench_result *from)
{
    const bg_memory_peak *memory = from->peaks.memory;
    *to = (bgpt_bench_result){
        .isa = from->isa, .precision = from->precision, .threads = from->threads,
        .config = bg_api_public_config(&from->config), .parameters = from->parameters, .batch = from->batch, .streams = from->streams,
        .fp32_flops = from->peaks.fp32_flops, .product_flops = from->peaks.product_flops,
        .l2_bandwidth = memory[BG_MEMORY_L2].bytes_per_second, .l3_bandwidth = memory[BG_MEMORY_L3].bytes_per_second,
        .dram_bandwidth = memory[BG_MEMORY_DRAM].bytes_per_second,
        .weight_bytes = from->weight_bytes, .byte_memory = bg_memory_name(from->byte_memory), .patch_memory = bg_memory_name(from->patch_memory),
    };
    for (int i = 0; i < BGPT_BENCH_JOBS; i++) {
        const bg_bench_figure *f = &from->figures[i];
        to->figures[i] = (bgpt_bench_figure){ f->median, f->min, f->max, f->repeats, f->flops, f->share };
    }
}

bgpt_status bgpt_bench_run(const bgpt_bench *b, const bgpt_options *opt, bgpt_bench_result *out, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    bg_bench_result result;
    const bg_machine_options machine = bg_api_machine(opt, bg_api_sys_open(&hooks, opt));
    const bg_bench what = {
        .config = bg_api_config(&b->config), .batch = b->batch, .streams = b->streams, .seconds = b->seconds, .seed = b->seed,
        .weights = bg_api_weights(opt),
        .stop = stop, .stage = stage, .op = b->op ? relay_op : NULL, .ctx = (void *)(uintptr_t)b,
    };
    memset(out, 0, sizeof *out);
    const bg_status s = bg_bench_run(&what, &machine, &result, &e);
    if (s == BG_OK)
        give_result(out, &result);
    return bg_api_return(err, s, &e);
}
