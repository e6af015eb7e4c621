/* Reading and printing option values.  Stricter than strtol and strtod: no
 * white space, no sign where a count is wanted, nothing left over, no
 * infinity; so that a slip of the keyboard is an error and not a number. */
#include "cli/values.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *target_of(void *arguments, const option *o)
{
    return (char *)arguments + o->target;
}

static bool has_range(const option *o)
{
    return o->min != 0 || o->max != 0;
}

static bool in_range(const option *o, double x, const char *text, char *why, size_t n)
{
    if (!has_range(o))
        return true;
    if (x < o->min) {
        snprintf(why, n, "--%s: %s is less than %.15g", o->name, text, o->min);
        return false;
    }
    if (x > o->max) {
        snprintf(why, n, "--%s: %s is more than %.15g", o->name, text, o->max);
        return false;
    }
    return true;
}

/* Digits, then for byte counts one of k or M.  A minus before digits is told
 * as "less than", which says more than "not a number". */
static bool parse_count(uint64_t *out, const option *o, const char *text, char *why, size_t n)
{
    bool minus = text[0] == '-';
    const char *digits = text + minus;
    char *end = (char *)digits;
    uint64_t unit = 1, value = 0;
    errno = 0;
    if (isdigit((unsigned char)*digits))
        value = strtoull(digits, &end, 10);
    if (o->type == OPTION_BYTES && end != digits && (*end == 'k' || *end == 'M'))
        unit = *end++ == 'k' ? 1000 : 1000000;
    if (end == digits || *end != '\0') {
        snprintf(why, n, "--%s: not a whole number: %s", o->name, text);
        return false;
    }
    if (minus) {
        snprintf(why, n, "--%s: %s is less than %.15g", o->name, text, o->min);
        return false;
    }
    if (errno == ERANGE || value > UINT64_MAX / unit) {
        snprintf(why, n, "--%s: %s is too large a number", o->name, text);
        return false;
    }
    *out = value * unit;
    return in_range(o, (double)*out, text, why, n);
}

bool read_real(const char *text, double *out, const char **end)
{
    char *stop;
    if (isspace((unsigned char)text[0]))
        return false;
    *out = strtod(text, &stop);
    *end = stop;
    return stop != text && isfinite(*out);
}

static bool parse_real(double *out, const option *o, const char *text, char *why, size_t n)
{
    const char *end;
    if (!read_real(text, out, &end) || *end != '\0') {
        snprintf(why, n, "--%s: not a number: %s", o->name, text);
        return false;
    }
    return in_range(o, *out, text, why, n);
}

static double seconds_of_unit(char unit)
{
    switch (unit) {
    case 'd': return 86400;
    case 'h': return 3600;
    case 'm': return 60;
    case 's': return 1;
    default: return 0;
    }
}

/* Numbers with units, each unit smaller than the one before; a number alone
 * counts seconds. */
static bool parse_duration(double *out, const option *o, const char *text, char *why, size_t n)
{
    const char *at = text;
    double sum = 0, last = INFINITY;
    do {
        double x, unit;
        if (!isdigit((unsigned char)*at) || !read_real(at, &x, &at))
            goto wrong;
        unit = *at == '\0' && last == INFINITY ? 1 : seconds_of_unit(*at);
        if (unit == 0 || unit >= last)
            goto wrong;
        at += *at != '\0';
        sum += x * unit;
        last = unit;
    } while (*at != '\0');
    *out = sum;
    return in_range(o, sum, text, why, n);
wrong:
    snprintf(why, n, "--%s: not a duration (as 90m, 2h30m or 45s): %s", o->name, text);
    return false;
}

static bool parse_choice(int *out, const option *o, const char *text, char *why, size_t n)
{
    size_t length = strlen(text);
    const char *at = o->argument;
    for (int i = 0; length > 0; i++) {
        size_t word = strcspn(at, "|");
        if (word == length && memcmp(at, text, word) == 0) {
            *out = i;
            return true;
        }
        if (at[word] == '\0')
            break;
        at += word + 1;
    }
    snprintf(why, n, "--%s: %s is not one of %s", o->name, text, o->argument);
    return false;
}

bool value_parse(void *arguments, const option *o, const char *text, char *why, size_t n)
{
    void *target = target_of(arguments, o);
    switch (o->type) {
    case OPTION_FLAG: *(bool *)target = true; return true;
    case OPTION_COUNT:
    case OPTION_BYTES: return parse_count(target, o, text, why, n);
    case OPTION_REAL: return parse_real(target, o, text, why, n);
    case OPTION_DURATION: return parse_duration(target, o, text, why, n);
    case OPTION_CHOICE: return parse_choice(target, o, text, why, n);
    case OPTION_TEXT: *(const char **)target = text; return true;
    default: return true;
    }
}

static void print_list(const text_list *list, char *text, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < list->count && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i ? " " : "", list->items[i]);
}

void choice_word(const char *words, int index, char *text, size_t size)
{
    while (index-- > 0)
        words += strcspn(words, "|") + 1;
    snprintf(text, size, "%.*s", (int)strcspn(words, "|"), words);
}

void value_print(const void *arguments, const option *o, char *text, size_t size)
{
    const void *target = (const char *)arguments + o->target;
    text[0] = '\0';
    switch (o->type) {
    case OPTION_FLAG: snprintf(text, size, "%s", *(const bool *)target ? "yes" : "no"); break;
    case OPTION_COUNT:
    case OPTION_BYTES: snprintf(text, size, "%llu", (unsigned long long)*(const uint64_t *)target); break;
    case OPTION_REAL: snprintf(text, size, "%.15g", *(const double *)target); break;
    case OPTION_DURATION: snprintf(text, size, "%.15gs", *(const double *)target); break;
    case OPTION_CHOICE: choice_word(o->argument, *(const int *)target, text, size); break;
    case OPTION_TEXT:
        if (*(const char *const *)target != NULL)
            snprintf(text, size, "%s", *(const char *const *)target);
        break;
    case OPTION_LIST: print_list(target, text, size); break;
    default: break;
    }
}
