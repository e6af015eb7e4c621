/* Signal handling; only here and, for SIGPIPE, in output.c.  The handler uses async-signal-safe calls only. */
#include "cli/signals.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static const char *first_sentence;
static size_t first_length;
static int below_a_line; /* on a terminal, where a progress line may stand */

static void on_signal(int number)
{
    int kept = errno;
    if (caught)
        _exit(128 + number); /* what a shell reports for that signal */
    caught = 1;
    if (first_sentence != NULL) {
        ssize_t ignored = below_a_line ? write(STDERR_FILENO, "\n", 1) : 0;
        ignored = write(STDERR_FILENO, first_sentence, first_length);
        (void)ignored;
    }
    errno = kept;
}

void signals_catch(const char *sentence)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, before;
    first_sentence = sentence;
    below_a_line = isatty(STDERR_FILENO);
    first_length = sentence != NULL ? strlen(sentence) : 0;
    sigemptyset(&action.sa_mask);
    /* A shell script starts its background jobs with SIGINT ignored; a kill
     * -INT sent to one on purpose shall end it well all the same. */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* The terminal is gone: the same, unless nohup asked to go on. */
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
}

void signals_release(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction now;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == on_signal)
            signal(numbers[i], SIG_DFL);
}

bool signals_stop(void)
{
    return caught != 0;
}

int stop_hook(void *ctx)
{
    return caught != 0;
}
