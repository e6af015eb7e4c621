/* One line on standard error that says how far the work is.  On a terminal it
 * is redrawn in place, at most ten times a second; elsewhere it is a plain
 * line at most every 30 seconds; with -q it is nothing. */
#ifndef BGPT_CLI_PROGRESS_H
#define BGPT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

/* Is it time to show a line?  Asked first, so that no text is made in vain. */
bool progress_due(void);
void progress_show(const char *text);
/* Take the line away before something else is printed. */
void progress_clear(void);

/* 75 -> "1:15", 3675 -> "1:01:15", NaN or negative -> "?". */
void clock_text(double seconds, char *text, size_t size);
/* 12345678 -> "12.3 MB" (powers of 1000). */
void bytes_text(double bytes, char *text, size_t size);

#endif
