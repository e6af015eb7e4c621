/* Appending to log.jsonl.  A line is formatted on the stack and written with
 * one call, so a step allocates nothing and a killed program leaves at most
 * one torn line, which the next resume cuts off.
 * Refuses to go on after a failed write: a log with holes helps nobody. */
#include "run/log.h"

#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

bg_status bg_log_open(bg_log *l, const bg_sys *sys, const char *folder, uint64_t size, int *missing, bg_error *err)
{
    memset(l, 0, sizeof *l);
    l->fd = -1;
    l->path = bg_asprintf(sys, "%s/log.jsonl", folder);
    if (!l->path)
        return bg_fail_memory(err, "the name of the log", strlen(folder) + 11);
    l->sys = sys;
    /* O_APPEND: after the cut below, every write goes to the new end */
    do
        l->fd = sys->open(sys->ctx, l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    while (l->fd < 0 && errno == EINTR);
    bg_file_stat st;
    if (l->fd < 0 || sys->fstat(sys->ctx, l->fd, &st) < 0)
        return bg_fail_errno(err, 0, "%s: cannot open", l->path);
    if (missing)
        *missing = st.size < size;
    l->size = st.size < size ? st.size : size;
    if (st.kind == BG_FILE_REGULAR && sys->truncate(sys->ctx, l->fd, l->size) < 0)
        return bg_fail_errno(err, 0, "%s: cannot cut to %llu bytes", l->path, (unsigned long long)l->size);
    return BG_OK;
}

void bg_log_close(bg_log *l)
{
    if (!l->sys)
        return;
    if (l->fd >= 0)
        l->sys->close(l->sys->ctx, l->fd); /* flushed before by whoever needs it on the disk */
    bg_free(l->sys, l->path);
    memset(l, 0, sizeof *l);
}

typedef struct line_text { char text[640]; size_t n; } line_text;

/* Nine digits: enough to tell any two floats apart.  Whatever the host
 * program's locale puts for the decimal point becomes one. */
static void number(line_text *t, const char *name, double x)
{
    char digits[40] = "null";
    if (isfinite(x))
        snprintf(digits, sizeof digits, "%.9g", x);
    for (char *p = digits; *p; p++)
        if (!strchr("0123456789+-enul", *p))
            *p = '.';
    int n = snprintf(t->text + t->n, sizeof t->text - t->n, ", \"%s\": %s", name, digits);
    assert(n > 0 && t->n + (size_t)n < sizeof t->text); /* nine short fields */
    t->n += (size_t)n;
}

bg_status bg_log_add(bg_log *l, const bg_log_line *line, bg_error *err)
{
    line_text t;
    t.n = (size_t)snprintf(t.text, sizeof t.text, "{\"step\": %llu", (unsigned long long)line->step);
    number(&t, "bytes", line->bytes);
    number(&t, "seconds", line->seconds);
    number(&t, "loss", line->loss);
    number(&t, "lr", line->lr);
    number(&t, "grad_norm", line->grad_norm);
    if (line->evaluated) {
        number(&t, "val_loss", line->val_loss);
        number(&t, "val_bits_per_byte", line->val_bits_per_byte);
        number(&t, "val_accuracy", line->val_accuracy);
    }
    t.n += (size_t)snprintf(t.text + t.n, sizeof t.text - t.n, "}\n");
    BG_TRY(bg_write_full(l->sys, l->path, l->fd, t.text, t.n, err));
    l->size += t.n;
    return BG_OK;
}

bg_status bg_log_flush(bg_log *l, bg_error *err)
{
    while (l->sys->fsync(l->sys->ctx, l->fd) < 0) {
        if (errno == EINVAL || errno == ENOTSUP) /* a device or pipe in the log's place has nothing to flush */
            break;
        if (errno != EINTR)
            return bg_fail_errno(err, 0, "%s: cannot flush", l->path);
    }
    return BG_OK;
}
