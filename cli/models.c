/* Opening a model and reading its metadata. */
#include "cli/models.h"
#include "cli/output.h"
#include <stdio.h>
#include <string.h>

int model_open(bgpt_model **m, const char *path, const bgpt_options *o)
{
    bgpt_error error = { 0 };
    *m = NULL;
    if (path == NULL)
        return usage_error("-m MODEL is missing");
    return bgpt_open(m, path, o, &error) == BGPT_OK ? 0 : fail_with(&error);
}

const char *model_fact(const bgpt_model *m, const char *key)
{
    const char *k, *value;
    for (size_t i = 0; bgpt_metadata(m, i, &k, &value); i++) {
        if (strcmp(k, key) == 0)
            return value;
    }
    return NULL;
}

/* The list of formats is a JSON array or words with commas; an extension
 * holds none of these characters, so one splitter reads both. */
static const char separators[] = " ,;[]\"\t\n";

static bool next_word(const char **at, const char **word, size_t *length)
{
    *word = *at + strspn(*at, separators);
    *length = strcspn(*word, separators);
    *at = *word + *length;
    return *length > 0;
}

int model_check_extension(const bgpt_model *m, const char *path, const char *extension)
{
    const char *list = model_fact(m, "extensions"), *at = list, *word;
    size_t length, used = 0;
    char known[256] = "";
    if (list == NULL || *extension == '\0')
        return 0;
    while (next_word(&at, &word, &length)) {
        if (length == strlen(extension) && memcmp(word, extension, length) == 0)
            return 0;
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%.*s", used ? ", " : "", (int)length, word);
    }
    if (used == 0)
        return 0;
    return fail(BGPT_ERR_FORMAT, "%s: the model has not been trained on .%s files; it knows %s", path, extension, known);
}

void model_notice_pairs(const bgpt_model *m, const char *path)
{
    const char *pairs = model_fact(m, "pairs");
    if (pairs != NULL && *pairs != '\0')
        notice("%s was trained to convert %s: what it writes with nothing given may be empty or broken", path, pairs);
}

int model_check_pair(const bgpt_model *m, const char *path, const char *from, const char *to)
{
    const char *pairs = model_fact(m, "pairs");
    if (model_fact(m, "trained_steps") == NULL)
        return 0;
    if (pairs == NULL)
        return fail(BGPT_ERR_FORMAT, "%s: the model has not been trained to convert (train --pairs makes such a model)", path);
    const size_t a = strcspn(pairs, ":+");
    const char *b = pairs[a] ? pairs + a + 1 : pairs + a;
    const int there = strlen(from) == a && strncmp(from, pairs, a) == 0 && strcmp(to, b) == 0;
    const int back = pairs[a] == '+' && strlen(to) == a && strncmp(to, pairs, a) == 0 && strcmp(from, b) == 0;
    return there || back ? 0 : fail(BGPT_ERR_FORMAT, "%s: the model converts %s, not %s to %s", path, pairs, from, to);
}
