/* Children: forked, limited, watched.  What they read may have been written by a
 * model, so nothing is expected of them: they get no input but what
 * is named to them, limited memory, file size and time, and die with us. */
#include "cli/child.h"
#include "cli/output.h"
#include "cli/signals.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/* Far above what any of them needs for a file that fits a model's context. */
static const uint64_t memory_limit = UINT64_C(4) << 30;

enum { NO_PROGRAM = 127, NOT_STARTED = 126 }; /* exit codes before exec; as a shell's */

static void limit(int what, uint64_t most)
{
    const struct rlimit r = { most, most };
    setrlimit(what, &r);
}

/* In the child: async-signal-safe calls only, up to exec. */
static void become(const child *c, pid_t parent)
{
    const int nothing = open("/dev/null", O_RDONLY);
    const int talk = c->talk != NULL ? open(c->talk, O_WRONLY | O_CREAT | O_TRUNC, 0600) : STDERR_FILENO;
    setpgid(0, 0); /* killed with all that it starts */
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent || nothing < 0 || talk < 0 || dup2(nothing, STDIN_FILENO) < 0)
        _exit(NOT_STARTED);
    if (c->talk != NULL && (dup2(talk, STDOUT_FILENO) < 0 || dup2(talk, STDERR_FILENO) < 0))
        _exit(NOT_STARTED);
    signal(SIGPIPE, SIG_DFL);
    limit(RLIMIT_CORE, 0);
    if (c->seconds > 0) {
        limit(RLIMIT_CPU, (uint64_t)c->seconds + 1);
        limit(RLIMIT_AS, memory_limit);
    }
    if (c->file_size > 0)
        limit(RLIMIT_FSIZE, c->file_size);
    execvp(c->argv[0], (char *const *)(uintptr_t)c->argv);
    _exit(errno == ENOENT || errno == ENOTDIR ? NO_PROGRAM : NOT_STARTED); /* ENOTDIR: PATH names a file */
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Until it ends, its time is over, or we are asked to stop; false: it had to be killed. */
static bool watch(pid_t pid, double seconds, int *status)
{
    const struct timespec pause = { 0, 5000000 };
    const double begun = now();
    for (;;) {
        const pid_t got = waitpid(pid, status, WNOHANG);
        if (got == pid)
            return true;
        if ((got < 0 && errno != EINTR) || signals_stop() || (seconds > 0 && now() - begun > seconds))
            break;
        nanosleep(&pause, NULL);
    }
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL); /* it may not have a group yet */
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return false;
}

/* The last line that it said, without the line's end. */
static void last_words(const child *c, char *words, size_t size)
{
    char line[256];
    FILE *f = c->talk != NULL ? fopen(c->talk, "r") : NULL;
    words[0] = '\0';
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[strspn(line, " \t")] != '\0')
            snprintf(words, size, ": %.200s", line);
    }
    if (f != NULL)
        fclose(f);
}

static child_end judge(const child *c, bool ended, int status, char why[CHILD_WHY])
{
    const char *name = c->argv[0];
    char words[256];
    if (!ended && signals_stop()) {
        snprintf(why, CHILD_WHY, "%s: interrupted", name);
        return CHILD_STOPPED;
    }
    if (!ended || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)) {
        snprintf(why, CHILD_WHY, "%s took longer than %g seconds", name, c->seconds);
        return CHILD_TOO_LONG;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ) {
        snprintf(why, CHILD_WHY, "%s wrote more than %llu bytes", name, (unsigned long long)c->file_size);
        return CHILD_TOO_LARGE;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_PROGRAM) {
        snprintf(why, CHILD_WHY, "%s is not installed (Debian package %s)%s", name, c->package, c->advice != NULL ? c->advice : "");
        return CHILD_MISSING;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return CHILD_GOOD;
    last_words(c, words, sizeof words);
    if (WIFSIGNALED(status))
        snprintf(why, CHILD_WHY, "%s was ended by signal %d%s", name, WTERMSIG(status), words);
    else
        snprintf(why, CHILD_WHY, "%s ended with code %d%s", name, WEXITSTATUS(status), words);
    return CHILD_FAILED;
}

child_end child_run(const child *c, char why[CHILD_WHY])
{
    const pid_t parent = getpid();
    int status = 0;
    why[0] = '\0';
    out_flush();
    const pid_t pid = fork();
    if (pid < 0) {
        snprintf(why, CHILD_WHY, "%s cannot be run: %s", c->argv[0], strerror(errno));
        return CHILD_FAILED;
    }
    if (pid == 0)
        become(c, parent);
    const bool ended = watch(pid, c->seconds, &status);
    return judge(c, ended, status, why);
}

/* --- folders ------------------------------------------------------------------------------------ */

bool child_folder_open(child_folder *f, char why[CHILD_WHY])
{
    const char *where = getenv("TMPDIR");
    if (where == NULL || *where == '\0' || strlen(where) > CHILD_PATH / 2)
        where = "/tmp";
    snprintf(f->path, sizeof f->path, "%s/bgpt-XXXXXX", where);
    if (mkdtemp(f->path) != NULL)
        return true;
    snprintf(why, CHILD_WHY, "%.400s: cannot make a folder: %s", f->path, strerror(errno));
    return false;
}

const char *child_file(const child_folder *f, const char *name, char path[CHILD_PATH])
{
    snprintf(path, CHILD_PATH, "%.400s/%.100s", f->path, name);
    return path;
}

void child_folder_close(child_folder *f)
{
    char path[CHILD_PATH];
    DIR *d = opendir(f->path);
    struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlink(child_file(f, entry->d_name, path));
    if (d != NULL)
        closedir(d);
    rmdir(f->path);
    f->path[0] = '\0';
}
