/* Status codes and the one-sentence error.
 *
 * Every fallible call of the library returns a bg_status and, on failure,
 * fills a caller-owned bg_error with one sentence that names the file, tensor
 * or number at fault.  Nothing here prints or exits. */
#ifndef BG_BASE_STATUS_H
#define BG_BASE_STATUS_H

/* Values equal those of bgpt_status in include/bgpt.h; api/ asserts it. */
typedef enum bg_status {
    BG_OK = 0,
    BG_ERR_FAILED,      /* the work could not be done (exit code 1) */
    BG_ERR_ARGUMENT,    /* the caller asked for something impossible (2) */
    BG_ERR_FORMAT,      /* an input file or model is wrong (3) */
    BG_ERR_NOT_FOUND,   /* an input file is missing or unreadable (3) */
    BG_ERR_MEMORY,      /* an allocation failed (5) */
    BG_ERR_IO,          /* writing failed: disk full, no permission (5) */
    BG_ERR_INTERRUPTED  /* stopped on request, state saved (75) */
} bg_status;

enum { BG_ERROR_TEXT = 512 };

typedef struct bg_error {
    bg_status code;
    char text[BG_ERROR_TEXT];
} bg_error;

/* Fill err (may be NULL) with code and a formatted sentence without a final
 * full stop; returns code, so that `return bg_fail(...)` reads well.  A
 * sentence too long for the buffer is cut. */
bg_status bg_fail(bg_error *err, bg_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: appends ": " and strerror(errno).
 * ENOENT, EACCES, ENOTDIR and EISDIR give BG_ERR_NOT_FOUND when `reading`,
 * ENOMEM gives BG_ERR_MEMORY, all else BG_ERR_IO. */
bg_status bg_fail_errno(bg_error *err, int reading, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define BG_TRY(call)                                                           \
    do {                                                                       \
        bg_status bg_try_status_ = (call);                                     \
        if (bg_try_status_ != BG_OK)                                           \
            return bg_try_status_;                                             \
    } while (0)

#endif
