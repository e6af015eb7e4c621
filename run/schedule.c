/* Linear warm-up, then a cosine down to min_lr, a constant rate, or one that falls linearly at the end.
 *
 * With steps it is transformers' get_scheduler("cosine") number for number
 * (its first step has the rate 0, and so has ours), so that runs can be
 * compared with the reference's.  Refuses nothing: settings are checked. */
#include "run/schedule.h"

#include <math.h>

/* progress: share of the run behind the warm-up, which is `length` steps long (0: measured by the clock). */
static double decay(const bg_settings *s, double progress, double length)
{
    if (s->schedule == BG_STABLE) {
        const double falling = s->cooldown < 1 ? s->cooldown : length > 0 ? fmin(s->cooldown / length, 1) : 1;
        const double left = falling > 0 ? fmin(fmax((1 - progress) / falling, 0), 1) : 1;
        return s->min_lr + (1 - s->min_lr) * left;
    }
    if (s->schedule == BG_CONSTANT)
        return 1;
    double cosine = 0.5 * (1 + cos(M_PI * fmin(progress, 1)));
    return s->min_lr + (1 - s->min_lr) * fmax(cosine, 0);
}

double bg_schedule_lr(const bg_settings *s, uint64_t step, uint64_t total, double share)
{
    double at = (double)step, end = (double)total;
    double warm = s->warmup >= 1 ? floor(s->warmup) : ceil(s->warmup * end);
    if (total == 0 && s->warmup < 1) { /* the same curve over time instead of steps */
        at = share;
        end = 1;
        warm = s->warmup;
    }
    if (at < warm)
        return s->lr * (at / warm);
    if (total == 0)
        return s->lr * decay(s, s->warmup >= 1 ? share : (at - warm) / (end - warm), 0);
    return s->lr * decay(s, (at - warm) / fmax(1, end - warm), end - warm);
}
