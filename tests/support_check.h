/* Checks on statuses that print the sentence when they fail.  `err` is the
 * bg_error that the call was given.  Include behind cmocka.h. */
#ifndef BG_TESTS_SUPPORT_CHECK_H
#define BG_TESTS_SUPPORT_CHECK_H

#include <string.h>

#include "base/status.h"

#define CHECK_OK(call, err)                                                    \
    do {                                                                       \
        bg_status check_status_ = (call);                                      \
        if (check_status_ != BG_OK)                                            \
            fail_msg("%s gave %d: %s", #call, (int)check_status_, (err).text); \
    } while (0)

/* Fails as it should: with this status, and a sentence that holds `part`. */
#define CHECK_FAILS(call, wanted, part, err)                                   \
    do {                                                                       \
        (err).text[0] = 0;                                                     \
        bg_status check_status_ = (call);                                      \
        if (check_status_ != (wanted) || (err).code != (wanted))               \
            fail_msg("%s gave %d (%s), wanted %d", #call, (int)check_status_, (err).text, (int)(wanted)); \
        if (!strstr((err).text, (part)))                                       \
            fail_msg("%s: \"%s\" does not hold \"%s\"", #call, (err).text, (part)); \
    } while (0)

#endif
