/* The learning rate of a step. */
#ifndef BG_RUN_SCHEDULE_H
#define BG_RUN_SCHEDULE_H

#include "run/settings.h"

/* step counts from 0; total = steps of the run, or 0 when only time limits
 * it, and then `share` in [0,1] of the time has been used. */
double bg_schedule_lr(const bg_settings *s, uint64_t step, uint64_t total, double share);

#endif
