/* Run a piece of work again and again with its n-th allocation or file call
 * failing, once and for ever, for every n.  Include behind cmocka.h. */
#ifndef BG_TESTS_SUPPORT_EVERY_H
#define BG_TESTS_SUPPORT_EVERY_H

#include "tests/support_fs.h"

typedef bg_status every_fn(const bg_sys *sys, void *ctx, bg_error *err);

/* After each run of `work`: nothing is left allocated or open, a failure has a
 * sentence, an allocation that failed was told, `intact` (run with working
 * hooks; may be NULL) still succeeds, and no file aside is left in `folder` (may be NULL)
 * unless it was its removal that failed.  Returns the number of runs. */
uint64_t every_call_fails(const char *folder, fault_kind kind, every_fn *work, every_fn *intact, void *ctx);

#endif
