/* File names.  Files are read and written by the library; here they are only
 * named, compared and asked for. */
#include "cli/paths.h"
#include "cli/output.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

const char *path_extension(const char *path)
{
    const char *base = path_base(path), *dot = strrchr(base, '.');
    return dot != NULL && dot != base ? dot + 1 : "";
}

const char *plain_extension(const char *text)
{
    return text[0] == '.' ? text + 1 : text;
}

static char *text_of(const char *a, int a_length, const char *between, const char *b)
{
    size_t size = (size_t)a_length + strlen(between) + strlen(b) + 1;
    char *text = malloc(size);
    if (text != NULL)
        snprintf(text, size, "%.*s%s%s", a_length, a, between, b);
    return text;
}

char *path_join(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    bool slash = length > 0 && folder[length - 1] == '/';
    return text_of(folder, (int)length, slash ? "" : "/", name);
}

char *path_with_extension(const char *path, const char *extension)
{
    const char *old = path_extension(path);
    size_t length = *old != '\0' ? (size_t)(old - path) - 1 : strlen(path);
    return text_of(path, (int)length, ".", extension);
}

bool is_dash(const char *path)
{
    return strcmp(path, "-") == 0;
}

bool is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

bool is_file(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

int refuse_existing(const char *path, bool force)
{
    return force || !is_file(path) ? 0 : usage_error("%s exists already (-f overwrites)", path);
}

int refuse_model_output(const char *path, bool force)
{
    if (*path == '\0' || is_dash(path))
        return usage_error("a model is written to a file, and '%s' names none", path);
    return refuse_existing(path, force);
}

int refuse_no_folder(const char *path, const char *what)
{
    if (path == NULL || *path == '\0')
        return usage_error("--out %s is missing", what);
    return is_dash(path) ? usage_error("--out: a folder is written, and '-' names none; ./- is one of that name") : 0;
}

static bool identity(int failed, const struct stat *s, file_identity *id)
{
    if (failed != 0)
        return false;
    *id = (file_identity){ s->st_dev, s->st_ino };
    return true;
}

bool identify(const char *path, file_identity *id)
{
    struct stat s;
    return identity(stat(path, &s), &s, id);
}

bool identify_input(const char *path, file_identity *id)
{
    struct stat s;
    return identity(is_dash(path) ? fstat(STDIN_FILENO, &s) : stat(path, &s), &s, id);
}

bool is_same_file(const char *a, const char *b)
{
    file_identity x, y;
    return identify(a, &x) && identify(b, &y) && memcmp(&x, &y, sizeof x) == 0;
}

int refuse_same(const char *output, const char *input, const char *what)
{
    file_identity x, y;
    if (input == NULL || !is_file(output)) /* most outputs are new: one question for them */
        return 0;
    if (!identify(output, &x) || !identify_input(input, &y) || memcmp(&x, &y, sizeof x) != 0)
        return 0;
    return usage_error("%s: the output would replace the %s", output, what);
}

int make_folder(const char *path)
{
    char *part = strdup(path);
    int failed = part == NULL ? ENOMEM : 0;
    for (char *at = part; failed == 0 && at != NULL; ) {
        at = strchr(at + 1, '/');
        if (at != NULL)
            *at = '\0';
        if (mkdir(part, 0777) != 0 && (errno != EEXIST || !is_folder(part)))
            failed = errno;
        if (at != NULL)
            *at = '/';
    }
    free(part);
    return failed == 0 ? 0 : fail(BGPT_ERR_IO, "%s: cannot make the folder: %s", path, strerror(failed));
}

int make_folder_of(const char *path)
{
    const char *base = path_base(path);
    if (base == path || base == path + 1)
        return 0;
    char *folder = text_of(path, (int)(base - path - 1), "", "");
    int code = folder == NULL ? fail(BGPT_ERR_MEMORY, "out of memory") : make_folder(folder);
    free(folder);
    return code;
}
