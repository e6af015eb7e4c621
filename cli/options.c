/* Parsing options.  popt splits the command line; what a value means comes
 * from the rows.  popt's own help, aliases and configuration files are not
 * used: a script must get the same program on every machine. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/values.h"
#include <popt.h>
#include <stdlib.h>
#include <string.h>

const option common_options[] = {
    { NULL, 0, OPTION_HEADING, 0, 0, 0, NULL, NULL, "Common options" },
    { "threads", 't', OPTION_COUNT, offsetof(common, threads), 1, 256, NULL, "N",
      "threads to compute with; without it, as many as the process may use. The results do not depend on it" },
    { "precision", 0, OPTION_CHOICE, offsetof(common, precision), 0, 0, "fast", "fast|fp32",
      "fast: the quickest arithmetic the machine has; fp32: 32-bit products everywhere" },
    { "seed", 0, OPTION_COUNT, offsetof(common, seed), 0, 0, "0", "S", "start of the random numbers; the same seed gives the same bytes" },
    { "quiet", 'q', OPTION_FLAG, offsetof(common, quiet), 0, 0, NULL, NULL, "errors only on standard error" },
    { "verbose", 'v', OPTION_FLAG, offsetof(common, verbose), 0, 0, NULL, NULL, "say more, the effective settings first" },
    { "format", 0, OPTION_CHOICE, offsetof(common, format), 0, 0, "text", "text|json",
      "json: one JSON object on standard output and nothing else there" },
    { "help", 'h', OPTION_FLAG, offsetof(common, help), 0, 0, NULL, NULL, "print this help and end" },
};
const size_t common_option_count = sizeof common_options / sizeof common_options[0];

const option *option_row(const command *c, size_t i)
{
    if (i < c->option_count)
        return &c->options[i];
    i -= c->option_count;
    return i < common_option_count ? &common_options[i] : NULL;
}

bool option_range_is_worth_showing(const option *o)
{
    return o->min != 0 && o->max != 0 && o->max <= 65536;
}

bool option_given(const common *c, size_t target)
{
    const option *o;
    for (size_t i = 0; (o = option_row(c->command, i)) != NULL; i++) {
        if (o->type != OPTION_HEADING && o->target == target && (c->given[i / 64] >> i % 64 & 1))
            return true;
    }
    return false;
}

/* --- words that are nearly right ---------------------------------------- */

/* Edits (insert, drop, replace one letter) that lead from a to b; words
 * longer than the row count as far away. */
static size_t edits(const char *a, const char *b)
{
    enum { ROW = 32 };
    size_t row[ROW + 1], m = strlen(b);
    if (m > ROW || strlen(a) > ROW)
        return ROW;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < m; j++) {
            size_t best = corner + (a[i] != b[j]);
            corner = row[j + 1];
            if (corner + 1 < best)
                best = corner + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            row[j + 1] = best;
        }
    }
    return row[m];
}

const char *nearest(const char *word, const char *(*candidate)(const void *ctx, size_t i), const void *ctx)
{
    const char *name, *found = NULL;
    size_t best = 3; /* with three slips a short word could be any other */
    if (strlen(word) < 2)
        return NULL;
    for (size_t i = 0; (name = candidate(ctx, i)) != NULL; i++) {
        size_t d = edits(word, name);
        bool begins = strncmp(word, name, strlen(word)) == 0;
        if (*name != '\0' && (begins ? 0 : d) < best) {
            best = begins ? 0 : d;
            found = name;
        }
    }
    return found;
}

static const char *option_name(const void *ctx, size_t i)
{
    const option *o = option_row(ctx, i);
    return o == NULL ? NULL : o->type == OPTION_HEADING ? "" : o->name;
}

/* --- popt ------------------------------------------------------------------ */

static struct poptOption *popt_table(const command *c)
{
    struct poptOption *table = calloc(OPTIONS_MAX + 1, sizeof *table);
    const option *o;
    size_t used = 0;
    for (size_t i = 0; table != NULL && (o = option_row(c, i)) != NULL; i++) {
        if (o->type == OPTION_HEADING)
            continue;
        table[used].longName = o->name;
        table[used].shortName = o->letter;
        table[used].argInfo = o->type == OPTION_FLAG ? POPT_ARG_NONE : POPT_ARG_STRING;
        table[used].val = (int)i + 1; /* 0 would make popt store the value by itself */
        used++;
    }
    return table; /* zeroed beyond the last: popt's end mark */
}

static int popt_error(const command *c, poptContext popt, int code)
{
    const char *bad = poptBadOption(popt, POPT_BADOPTION_NOALIAS), *guess;
    if (bad == NULL)
        bad = "?";
    if (code == POPT_ERROR_BADOPT) {
        guess = strncmp(bad, "--", 2) == 0 ? nearest(bad + 2, option_name, c) : NULL;
        if (guess != NULL)
            return usage_error("%s: no such option; did you mean --%s?", bad, guess);
        return usage_error("%s: no such option (bgpt %s -h lists all)", bad, c->name);
    }
    if (code == POPT_ERROR_NOARG)
        return usage_error("%s: a value is missing", bad);
    return usage_error("%s: %s", bad, poptStrerror(code));
}

static bool keep_text(parsed *p, char *text)
{
    char **more = realloc(p->owned, (p->owned_count + 1) * sizeof *more);
    if (more == NULL) {
        free(text);
        return false;
    }
    p->owned = more;
    more[p->owned_count++] = text;
    return true;
}

static bool list_add(text_list *list, const char *text)
{
    const char **more = realloc(list->items, (list->count + 1) * sizeof *more);
    if (more == NULL)
        return false;
    list->items = more;
    more[list->count++] = text;
    return true;
}

static int out_of_memory(void)
{
    return fail(BGPT_ERR_MEMORY, "out of memory");
}

/* Take the value of row `index` from popt. */
static int take_value(parsed *p, const command *c, size_t index)
{
    const option *o = option_row(c, index);
    common *shared = p->arguments;
    char *text = NULL, why[512];
    if (o->type != OPTION_FLAG) {
        text = poptGetOptArg(p->popt);
        if (text == NULL || !keep_text(p, text))
            return out_of_memory();
    }
    shared->given[index / 64] |= UINT64_C(1) << index % 64;
    if (o->type == OPTION_LIST)
        return list_add((text_list *)((char *)p->arguments + o->target), text) ? 0 : out_of_memory();
    if (!value_parse(p->arguments, o, text, why, sizeof why))
        return usage_error("%s", why);
    return 0;
}

static void set_defaults(void *arguments, const command *c)
{
    const option *o;
    char why[512];
    for (size_t i = 0; (o = option_row(c, i)) != NULL; i++) {
        if (o->type != OPTION_HEADING && o->standard != NULL && !value_parse(arguments, o, o->standard, why, sizeof why))
            abort(); /* a row whose own default is wrong: every test would stop here */
    }
}

static int check_operands(common *shared)
{
    const command *c = shared->command;
    if (shared->operand_count < c->min_operands)
        return usage_error("%s is missing; usage: bgpt %s %s", c->operand_name, c->name, c->usage);
    if (shared->operand_count > c->max_operands)
        return usage_error("%s: one argument too many; usage: bgpt %s %s", shared->operands[c->max_operands], c->name, c->usage);
    return 0;
}

int options_parse(parsed *p, const command *c, int argc, const char **argv)
{
    int code = -1, result = 0;
    memset(p, 0, sizeof *p);
    p->arguments = calloc(1, c->arguments_size);
    p->table = popt_table(c);
    if (p->arguments == NULL || p->table == NULL)
        return out_of_memory();
    common *shared = p->arguments;
    shared->command = c;
    set_defaults(p->arguments, c);
    p->popt = poptGetContext(NULL, argc, argv, p->table, 0);
    if (p->popt == NULL)
        return out_of_memory();
    while (result == 0 && (code = poptGetNextOpt(p->popt)) > 0)
        result = take_value(p, c, (size_t)code - 1);
    if (result != 0)
        return result;
    if (code < -1)
        return popt_error(c, p->popt, code);
    shared->operands = poptGetArgs(p->popt);
    while (shared->operands != NULL && shared->operands[shared->operand_count] != NULL)
        shared->operand_count++;
    shared->json = shared->format == 1;
    return shared->help ? 0 : check_operands(shared);
}

void options_free(parsed *p)
{
    const common *shared = p->arguments;
    const option *o;
    for (size_t i = 0; shared != NULL && shared->command != NULL && (o = option_row(shared->command, i)) != NULL; i++) {
        if (o->type == OPTION_LIST)
            free(((text_list *)((char *)p->arguments + o->target))->items);
    }
    for (size_t i = 0; i < p->owned_count; i++)
        free(p->owned[i]);
    free(p->owned);
    if (p->popt != NULL)
        poptFreeContext(p->popt);
    free(p->table);
    free(p->arguments);
    memset(p, 0, sizeof *p);
}

/* --- the machine ---------------------------------------------------------- */

bgpt_options machine_options(const common *c)
{
    return (bgpt_options){ .threads = (unsigned)c->threads, .precision = c->precision == 1 ? BGPT_FP32 : BGPT_FAST };
}

int machine_announce(const bgpt_options *o, const char **isa, const char **precision)
{
    const char *level, *arithmetic;
    unsigned threads;
    bgpt_error error = { 0 };
    if (bgpt_machine(o, &level, &arithmetic, &threads, &error) != BGPT_OK)
        return fail_with(&error);
    notice("computing with %s, %s, %u thread%s", level, arithmetic, threads, threads == 1 ? "" : "s");
    if (isa != NULL)
        *isa = level;
    if (precision != NULL)
        *precision = arithmetic;
    return 0;
}
