/* The program's two streams.  A reader who leaves (bgpt ... | head) ends the
 * program quietly as it ends cat; a full disk is a sentence and exit code 5;
 * messages that cannot be written are dropped, so that a training run
 * survives the terminal it was started from. */
#include "cli/output.h"
#include "cli/progress.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    bool quiet, verbose;
    bool pipe_ends_us;   /* SIGPIPE had its usual meaning when we started */
    int write_error;     /* errno of the first failed write, 0 */
    char failure[1024];  /* the last sentence about an error */
} streams;

void output_open(void)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
    /* Opened against their direction: a write to a missing standard output
     * must fail and not vanish. */
    static const int opposite[3] = { O_WRONLY, O_RDONLY, O_RDONLY };
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF && open("/dev/null", opposite[fd]) == -1)
            _exit(bgpt_exit_code(BGPT_ERR_IO));
    }
    sigemptyset(&ignore.sa_mask);
    streams.pipe_ends_us = sigaction(SIGPIPE, &ignore, &before) == 0 && before.sa_handler == SIG_DFL;
}

void output_levels(bool quiet, bool verbose)
{
    streams.quiet = quiet;
    streams.verbose = verbose;
}

bool output_quiet(void)
{
    return streams.quiet;
}

/* NO_COLOR (no-color.org): any value but the empty one means none. */
static bool colour(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return (no == NULL || *no == '\0') && term != NULL && strcmp(term, "dumb") != 0 && isatty(fd);
}

bool out_colour(void)
{
    return colour(STDOUT_FILENO);
}

static void check_write(bool ok)
{
    if (!ok && streams.write_error == 0)
        streams.write_error = errno != 0 ? errno : EIO;
}

static void disarm(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
}

const char *plain(const char *text)
{
    static char rooms[4][4200];
    static unsigned next;
    char *room = rooms[next++ % 4];
    snprintf(room, sizeof rooms[0], "%s", text);
    disarm(room);
    return room;
}

/* One line whatever file names are in it. */
static void say(bool is_error, const char *format, va_list ap)
{
    char text[sizeof streams.failure];
    vsnprintf(text, sizeof text, format, ap);
    disarm(text);
    check_write(fflush(stdout) == 0); /* where both streams meet, they keep their order */
    progress_clear();
    if (is_error) {
        memcpy(streams.failure, text, sizeof text);
        fprintf(stderr, colour(STDERR_FILENO) ? "\033[31mbgpt:\033[0m %s\n" : "bgpt: %s\n", text);
    } else {
        fprintf(stderr, "%s\n", text);
    }
    fflush(stderr);
}

int fail(bgpt_status status, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(true, format, ap);
    va_end(ap);
    return bgpt_exit_code(status);
}

int fail_with(const bgpt_error *error)
{
    return fail(error->code, "%s", error->text);
}

int usage_error(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(true, format, ap);
    va_end(ap);
    return bgpt_exit_code(BGPT_ERR_ARGUMENT);
}

const char *failure_text(void)
{
    return streams.failure;
}

int worse(int a, int b)
{
    return a > b ? a : b;
}

void notice(const char *format, ...)
{
    va_list ap;
    if (streams.quiet)
        return;
    va_start(ap, format);
    say(false, format, ap);
    va_end(ap);
}

void detail(const char *format, ...)
{
    va_list ap;
    if (!streams.verbose)
        return;
    va_start(ap, format);
    say(false, format, ap);
    va_end(ap);
}

void notice_hook(void *ctx, const char *sentence)
{
    notice("%s", sentence);
}

void out(const char *format, ...)
{
    va_list ap;
    progress_clear();
    va_start(ap, format);
    check_write(vprintf(format, ap) >= 0);
    va_end(ap);
}

bool out_bytes(const void *data, size_t size)
{
    if (size > 0 && streams.write_error == 0)
        check_write(fwrite(data, 1, size, stdout) == size && fflush(stdout) == 0);
    return streams.write_error == 0;
}

void out_flush(void)
{
    progress_clear();
    check_write(fflush(stdout) == 0);
}

void out_json(json_t *object)
{
    const size_t flags = JSON_SORT_KEYS | JSON_INDENT(2) | JSON_REAL_PRECISION(17);
    progress_clear();
    if (object == NULL || json_dumpf(object, stdout, flags) != 0)
        check_write(false);
    else
        out("\n");
    json_decref(object);
}

/* The end cat would have; returns when the signal is blocked. */
static void end_by_pipe(void)
{
    struct sigaction usual = { .sa_handler = SIG_DFL };
    sigemptyset(&usual.sa_mask);
    if (sigaction(SIGPIPE, &usual, NULL) == 0)
        raise(SIGPIPE);
}

int out_finish(int code)
{
    progress_clear();
    check_write(fflush(stdout) == 0);
    if (streams.write_error == 0)
        return code;
    if (streams.write_error == EPIPE && streams.pipe_ends_us)
        end_by_pipe();
    return fail(BGPT_ERR_IO, "standard output: %s", strerror(streams.write_error));
}

json_t *json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *json_count(uint64_t x)
{
    return x <= INT64_MAX ? json_integer((json_int_t)x) : json_real((double)x);
}

json_t *json_text(const char *text)
{
    if (text == NULL)
        return json_null();
    json_t *value = json_string(text);
    if (value == NULL) {
        char *plain = strdup(text);
        for (char *c = plain; c != NULL && *c != '\0'; c++) {
            if ((unsigned char)*c >= 0x80)
                *c = '?';
        }
        value = plain != NULL ? json_string(plain) : json_null();
        free(plain);
    }
    return value;
}
