/* The progress line.  Its state is the program's only picture of the
 * terminal: whether a line stands there that must be removed first. */
#include "cli/progress.h"
#include "cli/output.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double redraw_seconds = 0.1; /* faster cannot be read */
static const double plain_seconds = 30;   /* a log of a day stays below 3000 lines */

static struct {
    bool shown;   /* a line stands on the terminal */
    bool started; /* plain lines: the first interval has begun */
    double last;  /* when it was last drawn, or the interval began */
} line;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A dumb terminal cannot take a line back. */
static bool can_redraw(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

bool progress_due(void)
{
    if (output_quiet())
        return false;
    if (can_redraw())
        return now() - line.last >= redraw_seconds;
    if (!line.started) { /* work that is done within the interval needs no line in a log */
        line.started = true;
        line.last = now();
    }
    return now() - line.last >= plain_seconds;
}

static int columns(void)
{
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1)
        return w.ws_col - 1; /* the last column would wrap on some terminals */
    return 79;
}

void progress_show(const char *text)
{
    line.last = now();
    if (can_redraw()) {
        fprintf(stderr, "\r\033[K%.*s", columns(), text);
        line.shown = true;
    } else {
        fprintf(stderr, "%s\n", text);
    }
    fflush(stderr);
}

void progress_clear(void)
{
    if (!line.shown)
        return;
    fputs("\r\033[K", stderr);
    line.shown = false;
    line.last = 0; /* redraw soon */
}

void clock_text(double seconds, char *text, size_t size)
{
    if (!(seconds >= 0) || seconds > 1e9) {
        snprintf(text, size, "?");
        return;
    }
    long s = lround(seconds);
    if (s >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
}

void bytes_text(double bytes, char *text, size_t size)
{
    static const char *const units[] = { "bytes", "KB", "MB", "GB", "TB" };
    size_t u = 0;
    while (bytes >= 999.5 && u + 1 < sizeof units / sizeof *units) {
        bytes /= 1000;
        u++;
    }
    snprintf(text, size, u == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s", bytes, units[u]);
}
