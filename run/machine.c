/* Threads and back end of a run, sized for a model's shape.
 * Refuses unknown or missing levels and more threads than the pool allows;
 * never falls back to another level than the one that was asked for. */
#include "run/machine.h"

#include "model/model.h"

#include <string.h>

bg_status bg_machine_open(bg_machine *m, const bg_machine_options *o, const bg_config *c, bg_error *err)
{
    memset(m, 0, sizeof *m);
    m->sys = o->sys ? o->sys : bg_sys_default();
    bg_isa isa;
    BG_TRY(bg_isa_pick(&isa, o->isa, err));
    if (!o->isa || !*o->isa)
        isa = bg_cpu_pick(isa, !o->fp32);
    BG_TRY(bg_pool_open(&m->pool, m->sys, o->threads, err));
    const bg_limits limits = bg_config_limits(c);
    bg_status s = bg_cpu_open(&m->be, m->sys, m->pool, isa, !o->fp32, &limits, err);
    if (s != BG_OK)
        bg_machine_close(m);
    return s;
}

void bg_machine_close(bg_machine *m)
{
    if (m->be)
        bg_backend_close(m->be);
    if (m->pool)
        bg_pool_close(m->pool);
    m->be = NULL;
    m->pool = NULL;
}
