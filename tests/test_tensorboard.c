/* Event files decoded by a reader of our own: lengths, checksums, and the
 * fields of the protobuf messages. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <cmocka.h>

#include "base/sys.h"
#include "run/tensorboard.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

/* By table, other than the code under test. */
static uint32_t masked_crc(const uint8_t *p, size_t n)
{
    uint32_t table[256], crc = UINT32_MAX;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t x = i;
        for (int k = 0; k < 8; k++)
            x = x & 1 ? x >> 1 ^ 0x82f63b78u : x >> 1;
        table[i] = x;
    }
    for (size_t i = 0; i < n; i++)
        crc = table[(crc ^ p[i]) & 255] ^ crc >> 8;
    crc ^= UINT32_MAX;
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static uint64_t little(const uint8_t *p, int n)
{
    uint64_t x = 0;
    while (n-- > 0)
        x = x << 8 | p[n];
    return x;
}

typedef struct field { unsigned number, type; uint64_t value; const uint8_t *data; } field;

/* The next field of a message; value: the number, or the length of data. */
static int next_field(const uint8_t **at, const uint8_t *end, field *f)
{
    uint64_t words[2] = { 0, 0 };
    if (*at == end)
        return 0;
    for (int w = 0; w < 2; w++) {
        for (int shift = 0;; shift += 7) {
            assert_true(*at < end && shift < 64);
            words[w] |= (uint64_t)(**at & 0x7f) << shift;
            if (!(*(*at)++ & 0x80))
                break;
        }
        if (w == 0 && ((words[0] & 7) == 1 || (words[0] & 7) == 5)) {
            const int n = (words[0] & 7) == 1 ? 8 : 4;
            assert_true(end - *at >= n);
            words[1] = little(*at, n);
            *at += n;
            break;
        }
    }
    *f = (field){ (unsigned)(words[0] >> 3), (unsigned)(words[0] & 7), words[1], *at };
    if (f->type == 2) {
        assert_true((uint64_t)(end - *at) >= f->value);
        *at += f->value;
    }
    return 1;
}

enum { MOST_EVENTS = 16, MOST_SCALARS = 8 };
typedef struct event {
    double time;
    uint64_t step, session;
    char version[32];
    size_t scalars;
    struct { char tag[40]; float number; } scalar[MOST_SCALARS];
} event;

static void read_summary(event *e, const uint8_t *at, const uint8_t *end)
{
    field value, part;
    while (next_field(&at, end, &value)) {
        assert_true(value.number == 1 && value.type == 2 && e->scalars < MOST_SCALARS);
        for (const uint8_t *in = value.data; next_field(&in, value.data + value.value, &part);) {
            if (part.number == 1) {
                snprintf(e->scalar[e->scalars].tag, 40, "%.*s", (int)part.value, (const char *)part.data);
            } else {
                const uint32_t bits = (uint32_t)part.value;
                assert_true(part.number == 2 && part.type == 5);
                memcpy(&e->scalar[e->scalars].number, &bits, 4);
            }
        }
        e->scalars++;
    }
}

static event read_event(const uint8_t *at, size_t size)
{
    event e = { 0 };
    field f, inner;
    const uint8_t *end = at + size;
    while (next_field(&at, end, &f)) {
        const uint8_t *in = f.data;
        if (f.number == 1 && f.type == 1)
            memcpy(&e.time, &f.value, 8);
        else if (f.number == 2 && f.type == 0)
            e.step = f.value;
        else if (f.number == 3 && f.type == 2)
            snprintf(e.version, sizeof e.version, "%.*s", (int)f.value, (const char *)f.data);
        else if (f.number == 5 && f.type == 2)
            read_summary(&e, f.data, f.data + f.value);
        else if (f.number == 7 && f.type == 2 && next_field(&in, f.data + f.value, &inner))
            e.session = inner.number == 1 ? inner.value : 99;
        else
            fail_msg("field %u of type %u", f.number, f.type);
    }
    return e;
}

static size_t read_events(const char *folder, event *events)
{
    char path[512] = "";
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        if (strncmp(entry->d_name, "events.out.tfevents.", 20) == 0)
            snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
    closedir(d);
    size_t size, count = 0;
    unsigned char *file = fs_read(path, &size);
    assert_non_null(file);
    for (size_t at = 0; at < size; count++) {
        assert_true(size - at >= 16 && count < MOST_EVENTS);
        const uint64_t length = little(file + at, 8);
        assert_true(length <= size - at - 16);
        assert_int_equal(little(file + at + 8, 4), masked_crc(file + at, 8));
        assert_int_equal(little(file + at + 12 + length, 4), masked_crc(file + at + 12, length));
        events[count] = read_event(file + at + 12, length);
        assert_true(events[count].time > 1.6e9);
        at += length + 16;
    }
    free(file);
    return count;
}

static void check_scalar(const event *e, size_t i, const char *tag, double x)
{
    assert_true(i < e->scalars);
    assert_string_equal(e->scalar[i].tag, tag);
    assert_true(e->scalar[i].number == (float)x);
}

static void write_lines(const char *folder, uint64_t first)
{
    bg_tensorboard t;
    bg_error err;
    bg_log_line line = { .step = first, .loss = 2.5, .lr = 3e-4, .grad_norm = INFINITY };
    CHECK_OK(bg_tensorboard_open(&t, bg_sys_default(), folder, &err), err);
    CHECK_OK(bg_tensorboard_add(&t, &line, &err), err);
    line = (bg_log_line){ .step = first + 300, .loss = 1.25, .lr = 1e-30, .grad_norm = 7, .evaluated = 1, .val_loss = 1.5, .val_bits_per_byte = 2.125, .val_accuracy = NAN };
    CHECK_OK(bg_tensorboard_add(&t, &line, &err), err);
    bg_tensorboard_close(&t);
    bg_tensorboard_close(&t);
}

static void new_run(void **state)
{
    event e[MOST_EVENTS];
    char *folder = fs_make_folder(), inside[512];
    snprintf(inside, sizeof inside, "%s/a/b", folder); /* folders are made */
    write_lines(inside, 1);
    assert_int_equal(read_events(inside, e), 3);
    assert_string_equal(e[0].version, "brain.Event:2");
    assert_true(e[1].step == 1 && e[1].scalars == 2); /* no infinite norm */
    check_scalar(&e[1], 0, "train/loss", 2.5);
    check_scalar(&e[1], 1, "train/learning_rate", 3e-4);
    assert_true(e[2].step == 301 && e[2].scalars == 5);
    check_scalar(&e[2], 2, "train/gradient_norm", 7);
    check_scalar(&e[2], 3, "held_out/loss", 1.5);
    check_scalar(&e[2], 4, "held_out/bits_per_byte", 2.125);
    fs_remove_folder(folder);
}

static void resumed_run(void **state)
{
    event e[MOST_EVENTS];
    char *folder = fs_make_folder();
    write_lines(folder, 20000);
    assert_int_equal(read_events(folder, e), 4);
    assert_true(e[1].session == 1 && e[1].step == 20000); /* what an earlier file says from here on is void */
    assert_true(e[2].step == 20000 && e[3].step == 20300);
    fs_remove_folder(folder);
}

static void checksums(void **state)
{
    static const uint8_t zeros[32];
    /* RFC 3720, B.4, and the customary check value, masked */
    const uint32_t known[2] = { 0x8a9136aau, 0xe3069283u };
    assert_int_equal(bg_masked_crc32c(zeros, 32), ((known[0] >> 15) | (known[0] << 17)) + 0xa282ead8u);
    assert_int_equal(bg_masked_crc32c("123456789", 9), ((known[1] >> 15) | (known[1] << 17)) + 0xa282ead8u);
}

static void cannot_be_written(void **state)
{
    bg_tensorboard t;
    bg_error err;
    const bg_log_line line = { .step = 1 };
    char *folder = fs_make_folder();
    fs_write_text(fs_path(folder, "file"), "mine");
    assert_true(bg_tensorboard_open(&t, bg_sys_default(), fs_path(folder, "file"), &err) != BG_OK);
    bg_tensorboard_close(&t);
    CHECK_OK(bg_tensorboard_open(&t, bg_sys_default(), fs_path(folder, "gone"), &err), err);
    fs_remove_folder(folder);
    assert_int_equal(bg_tensorboard_add(&t, &line, &err), BG_ERR_IO);
    assert_non_null(strstr(err.text, "tfevents"));
    bg_tensorboard_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(checksums), cmocka_unit_test(new_run), cmocka_unit_test(resumed_run), cmocka_unit_test(cannot_be_written) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
