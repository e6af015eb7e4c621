/* Writing event files.  A record is put together on the stack and written with
 * one call, so a step allocates nothing; a killed program leaves at most a torn
 * record at the end, which TensorBoard passes over.
 * Like the log, it refuses to go on after a failed write. */
#include "run/tensorboard.h"

#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- checksums ------------------------------------------------------------------- */

uint32_t bg_masked_crc32c(const void *data, size_t n)
{
    const uint8_t *p = data;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) { /* bit by bit: a record has some hundred bytes a step */
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

/* --- protobuf ---------------------------------------------------------------------- */

/* Seven scalars of some forty bytes, and what is around them. */
typedef struct message { uint8_t data[640]; size_t n; } message;

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 }; /* wire types */
/* Field numbers of Event, Summary, Summary.Value and SessionLog. */
enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION = 7, SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_NUMBER = 2,
       SESSION_STATUS = 1, SESSION_START = 1 };

static void put(message *m, const void *data, size_t n)
{
    assert(n <= sizeof m->data - m->n);
    memcpy(m->data + m->n, data, n);
    m->n += n;
}

static void put_varint(message *m, uint64_t x)
{
    do {
        const uint8_t byte = (uint8_t)((x & 0x7f) | (x > 0x7f ? 0x80 : 0));
        put(m, &byte, 1);
        x >>= 7;
    } while (x);
}

static void put_little(message *m, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++, x >>= 8)
        put(m, &(uint8_t){ (uint8_t)x }, 1);
}

static void put_key(message *m, unsigned field, unsigned type) { put_varint(m, field << 3 | type); }

static void put_bytes(message *m, unsigned field, const void *data, size_t n)
{
    put_key(m, field, BYTES);
    put_varint(m, n);
    put(m, data, n);
}

static void put_double(message *m, unsigned field, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_key(m, field, FIXED64);
    put_little(m, bits, 8);
}

/* A scalar of a summary; none where there is no number. */
static void put_scalar(message *summary, const char *tag, double x)
{
    message value = { .n = 0 };
    const float number = (float)x;
    uint32_t bits;
    if (!isfinite(x))
        return;
    memcpy(&bits, &number, sizeof bits);
    put_bytes(&value, VALUE_TAG, tag, strlen(tag));
    put_key(&value, VALUE_NUMBER, FIXED32);
    put_little(&value, bits, 4);
    put_bytes(summary, SUMMARY_VALUE, value.data, value.n);
}

/* --- records ------------------------------------------------------------------------- */

static void begin_event(message *event)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event->n = 0;
    put_double(event, EVENT_TIME, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
}

static bg_status write_event(const bg_tensorboard *t, const message *event, bg_error *err)
{
    message head = { .n = 0 };
    uint8_t record[sizeof event->data + 16];
    put_little(&head, event->n, 8);
    put_little(&head, bg_masked_crc32c(head.data, 8), 4);
    memcpy(record, head.data, 12);
    memcpy(record + 12, event->data, event->n);
    head.n = 0;
    put_little(&head, bg_masked_crc32c(event->data, event->n), 4);
    memcpy(record + 12 + event->n, head.data, 4);
    return bg_write_full(t->sys, t->path, t->fd, record, event->n + 16, err);
}

/* The first records of a file: its version, and from which step on it holds. */
static bg_status begin_file(bg_tensorboard *t, uint64_t step, bg_error *err)
{
    static const char version[] = "brain.Event:2";
    message event, session = { .n = 0 };
    do
        t->fd = t->sys->open(t->sys->ctx, t->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    while (t->fd < 0 && errno == EINTR);
    if (t->fd < 0)
        return bg_fail_errno(err, 0, "%s: cannot open", t->path);
    begin_event(&event);
    put_bytes(&event, EVENT_VERSION, version, sizeof version - 1);
    BG_TRY(write_event(t, &event, err));
    t->begun = 1;
    if (step <= 1)
        return BG_OK;
    begin_event(&event);
    put_key(&event, EVENT_STEP, VARINT);
    put_varint(&event, step);
    put_key(&session, SESSION_STATUS, VARINT);
    put_varint(&session, SESSION_START);
    put_bytes(&event, EVENT_SESSION, session.data, session.n);
    return write_event(t, &event, err);
}

bg_status bg_tensorboard_add(bg_tensorboard *t, const bg_log_line *line, bg_error *err)
{
    message event, summary = { .n = 0 };
    if (!t->begun)
        BG_TRY(begin_file(t, line->step, err));
    put_scalar(&summary, "train/loss", line->loss);
    put_scalar(&summary, "train/learning_rate", line->lr);
    put_scalar(&summary, "train/gradient_norm", line->grad_norm);
    if (line->evaluated) {
        put_scalar(&summary, "held_out/loss", line->val_loss);
        put_scalar(&summary, "held_out/bits_per_byte", line->val_bits_per_byte);
        put_scalar(&summary, "held_out/accuracy", line->val_accuracy);
    }
    begin_event(&event);
    put_key(&event, EVENT_STEP, VARINT);
    put_varint(&event, line->step);
    put_bytes(&event, EVENT_SUMMARY, summary.data, summary.n);
    return write_event(t, &event, err);
}

/* --- opening ---------------------------------------------------------------------------- */

bg_status bg_tensorboard_open(bg_tensorboard *t, const bg_sys *sys, const char *folder, bg_error *err)
{
    *t = (bg_tensorboard){ .sys = sys, .fd = -1 };
    BG_TRY(bg_make_folders(sys, folder, err));
    t->path = bg_asprintf(sys, "%s/events.out.tfevents.%lld.bgpt.%ld", folder, (long long)time(NULL), (long)getpid());
    return t->path ? BG_OK : bg_fail_memory(err, "the name of an event file", strlen(folder) + 64);
}

void bg_tensorboard_close(bg_tensorboard *t)
{
    if (!t->sys)
        return;
    if (t->fd >= 0)
        t->sys->close(t->sys->ctx, t->fd);
    bg_free(t->sys, t->path);
    memset(t, 0, sizeof *t);
}
