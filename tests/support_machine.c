/* See support_machine.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "tests/support_check.h"
#include "tests/support_machine.h"

void open_backend(machine *m, const bg_config *c)
{
    bg_error err;
    const bg_limits limits = bg_config_limits(c);
    m->model = NULL;
    CHECK_OK(bg_pool_open(&m->pool, bg_sys_default(), 1, &err), err);
    CHECK_OK(bg_cpu_open(&m->be, bg_sys_default(), m->pool, BG_ISA_PORTABLE, 0, &limits, &err), err);
}

void open_machine(machine *m, const bg_config *c, uint64_t seed)
{
    bg_error err;
    bg_rng r;
    open_backend(m, c);
    CHECK_OK(bg_model_open(&m->model, c, m->be, BG_WEIGHTS_RUN, &err), err);
    bg_rng_open(&r, seed, BG_STREAM_USER, 0);
    float *w = bg_model_weights(m->model);
    for (size_t i = 0; i < bg_model_params(m->model)->floats; i++)
        w[i] = (float)bg_rng_normal(&r);
    const bg_params *p = bg_model_params(m->model);
    if (p->at[BG_ROTARY] != BG_NO_TENSOR)
        w[p->tensors[p->at[BG_ROTARY]].offset] = BG_ROTARY_BASE; /* the only one that a file may hold */
    bg_model_changed(m->model);
}

void close_machine(machine *m)
{
    if (m->model)
        bg_model_close(m->model);
    bg_backend_close(m->be);
    bg_pool_close(m->pool);
}
