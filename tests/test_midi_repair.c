/* Repair of MIDI files whose events are right and whose chunks are not: the
 * bytes it must give, and that what it gives is well-formed whatever it got. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/midi.h"
#include "tests/support_check.h"

#define HEADER(tracks) "MThd\x00\x00\x00\x06\x00\x01\x00" tracks "\x01\xe0"
#define TRACK(length) "MTrk\x00\x00\x00" length
#define NOTE "\x00\x90\x3c\x40\x60\x80\x3c\x40"
#define EOT "\x00\xff\x2f\x00"

enum { ROOM = 12 };

/* The repaired bytes, in a block of the very size that is asked for; the caller's. */
static uint8_t *repaired(const void *data, size_t *size, size_t *cut, bg_status *status, bg_error *err)
{
    uint8_t *copy = malloc(*size + ROOM);
    memcpy(copy, data, *size);
    *status = bg_midi_repair(copy, size, *size + ROOM, cut, err);
    return copy;
}

static void expect(const void *broken, size_t size, const void *whole, size_t whole_size, size_t lost)
{
    bg_error err;
    bg_status status;
    size_t cut;
    uint8_t *got = repaired(broken, &size, &cut, &status, &err);
    CHECK_OK(status, err);
    assert_int_equal(cut, lost);
    assert_int_equal(size, whole_size);
    assert_memory_equal(got, whole, size);
    CHECK_OK(bg_midi_check(got, size, NULL, &err), err);
    free(got);
}
#define EXPECT(broken, whole, lost) expect(broken, sizeof(broken) - 1, whole, sizeof(whole) - 1, lost)

static void lengths(void **state)
{
    EXPECT(HEADER("\x01") TRACK("\x00") NOTE EOT, HEADER("\x01") TRACK("\x0c") NOTE EOT, 0);
    EXPECT(HEADER("\x01") TRACK("\xff") NOTE EOT, HEADER("\x01") TRACK("\x0c") NOTE EOT, 0);
    EXPECT(HEADER("\x02") TRACK("\x20") NOTE EOT TRACK("\x01") EOT, HEADER("\x02") TRACK("\x0c") NOTE EOT TRACK("\x04") EOT, 0);
}

static void broken_off(void **state)
{
    EXPECT(HEADER("\x01") TRACK("\x0c") NOTE, HEADER("\x01") TRACK("\x0c") NOTE EOT, 0);
    EXPECT(HEADER("\x01") TRACK("\x0c") NOTE "\x00\x90\x3c", HEADER("\x01") TRACK("\x0c") NOTE EOT, 3);
    EXPECT(HEADER("\x01") TRACK("\x0c") NOTE "\x00\x90\x3c\x80" NOTE EOT, HEADER("\x01") TRACK("\x0c") NOTE EOT, 16);
    EXPECT(HEADER("\x01") TRACK("\x00"), HEADER("\x01") TRACK("\x04") EOT, 0);
    /* and another track follows, though "MTrk" could be events as well */
    EXPECT(HEADER("\x02") TRACK("\x0c") NOTE TRACK("\x0c") NOTE EOT, HEADER("\x02") TRACK("\x0c") NOTE EOT TRACK("\x0c") NOTE EOT, 0);
    EXPECT(HEADER("\x02") TRACK("\x0c") NOTE "\x00\xf1\x00" TRACK("\x0c") NOTE, HEADER("\x02") TRACK("\x0c") NOTE EOT TRACK("\x0c") NOTE EOT, 3);
}

static void what_follows(void **state)
{
    EXPECT(HEADER("\x01") TRACK("\x0c") NOTE EOT "more", HEADER("\x01") TRACK("\x0c") NOTE EOT, 4);
    EXPECT(HEADER("\x01") TRACK("\x0c") NOTE EOT TRACK("\x04") EOT, HEADER("\x02") TRACK("\x0c") NOTE EOT TRACK("\x04") EOT, 0);
    EXPECT(HEADER("\x03") TRACK("\x0c") NOTE EOT TRACK("\x04") EOT, HEADER("\x02") TRACK("\x0c") NOTE EOT TRACK("\x04") EOT, 0);
    EXPECT(HEADER("\x03") "x" TRACK("\x0c") NOTE EOT "y" TRACK("\x04") EOT, HEADER("\x02") TRACK("\x0c") NOTE EOT TRACK("\x04") EOT, 2);
    EXPECT("MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0" TRACK("\x04") EOT TRACK("\x04") EOT, "MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0" TRACK("\x04") EOT, 12);
}

/* Chunks that are no tracks stay, and what is well-formed stays wholly. */
static void other_chunks(void **state)
{
#define OTHER "XFIH\x00\x00\x00\x02" "ab"
    EXPECT(HEADER("\x02") OTHER TRACK("\x0c") NOTE EOT OTHER TRACK("\x04") EOT OTHER, HEADER("\x02") OTHER TRACK("\x0c") NOTE EOT OTHER TRACK("\x04") EOT OTHER, 0);
    EXPECT(HEADER("\x02") OTHER TRACK("\x01") NOTE EOT OTHER TRACK("\x04") EOT OTHER, HEADER("\x02") OTHER TRACK("\x0c") NOTE EOT OTHER TRACK("\x04") EOT OTHER, 0);
    EXPECT(HEADER("\x02") TRACK("\x01") NOTE EOT "XFIH\x00\x00\x00\x99" "ab" TRACK("\x04") EOT, HEADER("\x02") TRACK("\x0c") NOTE EOT TRACK("\x04") EOT, 10);
}

static void refuse(const void *data, size_t size, const char *why)
{
    bg_error err;
    size_t left = size, cut;
    uint8_t *copy = malloc(size + ROOM);
    memcpy(copy, data, size);
    CHECK_FAILS(bg_midi_repair(copy, &left, size + ROOM, &cut, &err), BG_ERR_FORMAT, why, err);
    assert_int_equal(left, size);
    assert_memory_equal(copy, data, size);
    free(copy);
}
#define REFUSE(data, why) refuse(data, sizeof(data) - 1, why)

static void beyond_repair(void **state)
{
    REFUSE("", "not a MIDI file");
    REFUSE("MThd\x00\x00", "byte 0");
    REFUSE("MThx\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0" TRACK("\x0c") NOTE EOT, "MThd");
    REFUSE(HEADER("\x01"), "no track");
    REFUSE(HEADER("\x01") "MTrk\x00\x00", "no track");
    REFUSE(HEADER("\x00") TRACK("\x0c") NOTE EOT, "no tracks");
}

static void too_little_room(void **state)
{
    uint8_t data[] = HEADER("\x01") TRACK("\x00") NOTE;
    size_t size = sizeof data - 1, cut;
    bg_error err;
    CHECK_FAILS(bg_midi_repair(data, &size, size + 3, &cut, &err), BG_ERR_ARGUMENT, "no room", err);
}

static void random_damage(void **state)
{
    static const uint8_t tune[] = HEADER("\x02") TRACK("\x14") NOTE NOTE EOT TRACK("\x0c") NOTE EOT;
    bg_rng r;
    int mended = 0;
    bg_rng_open(&r, 11, BG_STREAM_USER, 0);
    for (int i = 0; i < 50000; i++) {
        uint8_t data[sizeof tune - 1];
        memcpy(data, tune, sizeof data);
        for (uint64_t edits = 1 + bg_rng_below(&r, 4); edits > 0; edits--)
            data[bg_rng_below(&r, sizeof data)] = (uint8_t)bg_rng_u32(&r);
        size_t size = bg_rng_below(&r, sizeof data + 1), cut;
        bg_error err;
        bg_status status;
        uint8_t *got = repaired(data, &size, &cut, &status, &err);
        if (status == BG_OK)
            CHECK_OK(bg_midi_check(got, size, NULL, &err), err);
        mended += status == BG_OK;
        free(got);
    }
    assert_in_range(mended, 10000, 45000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths), cmocka_unit_test(broken_off), cmocka_unit_test(what_follows), cmocka_unit_test(other_chunks),
        cmocka_unit_test(beyond_repair), cmocka_unit_test(too_little_room), cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
