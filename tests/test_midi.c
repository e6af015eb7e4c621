/* The MIDI validator on small files made by hand: each rule of the standard
 * kept and broken, every truncation, and random damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/midi.h"
#include "data/midi_compare.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

enum { MOST = 512 };

/* A file being put together. */
typedef struct midi {
    uint8_t data[MOST];
    size_t size;
} midi;

static void put(midi *m, const void *data, size_t n)
{
    assert_true(m->size + n <= MOST);
    memcpy(m->data + m->size, data, n);
    m->size += n;
}

static void put_chunk(midi *m, const char *type, const void *data, size_t n)
{
    uint8_t length[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
    put(m, type, 4);
    put(m, length, 4);
    put(m, data, n);
}

static midi header(int format, int tracks, int division)
{
    midi m = { { 0 }, 0 };
    uint8_t h[6] = { 0, (uint8_t)format, (uint8_t)(tracks >> 8), (uint8_t)tracks, (uint8_t)(division >> 8), (uint8_t)division };
    put_chunk(&m, "MThd", h, 6);
    return m;
}

/* The block has its very size, so that AddressSanitizer sees a read beyond the end. */
static bg_status check(const uint8_t *data, size_t size, bg_midi_facts *facts, bg_error *err)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    bg_status status = bg_midi_check(copy, size, facts, err);
    free(copy);
    return status;
}

#define EOT "\x00\xFF\x2F\x00"
/* Bytes of a string constant, zero bytes and all. */
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

/* --- tracks ------------------------------------------------------------------ */

typedef struct row {
    const char *what;
    const uint8_t *data;
    size_t size;
    const char *error; /* NULL: well-formed */
} row;

/* Contents of the only track of a format 0 file; it begins at byte 22. */
static const row rows[] = {
    { "empty track", BYTES(EOT), NULL },
    { "note on, off", BYTES("\x00\x90\x3C\x40\x60\x80\x3C\x40" EOT), NULL },
    { "running status", BYTES("\x00\x90\x3C\x40\x60\x3C\x00" EOT), NULL },
    { "every kind of channel message", BYTES("\x00\x80\x01\x02\x00\x91\x01\x02\x00\xA2\x01\x02\x00\xB3\x01\x02\x00\xC4\x01\x00\xD5\x01\x00\xE6\x01\x02\x00\x03\x04" EOT), NULL },
    { "longest delta time", BYTES("\xFF\xFF\xFF\x7F\xC0\x01" EOT), NULL },
    { "padded delta time", BYTES("\x80\x80\x80\x00\xC0\x01" EOT), NULL },
    { "system-exclusive", BYTES("\x00\xF0\x03\x43\x12\xF7\x00\xF7\x02\x01\xFF" EOT), NULL },
    { "text of 128 and unknown meta", BYTES("\x00\xFF\x60\x02\x80\xFF\x00\xFF\x7F\x00" EOT), NULL },
    { "meta of fixed length", BYTES("\x00\xFF\x00\x02\x00\x01\x00\xFF\x00\x00\x00\xFF\x20\x01\x02\x00\xFF\x51\x03\x07\xA1\x20\x00\xFF\x54\x05\x01\x02\x03\x04\x05\x00\xFF\x58\x04\x06\x03\x24\x08\x00\xFF\x59\x02\x01\x00" EOT), NULL },

    { "no event at all", BYTES(""), "byte 22: the track has no End of Track" },
    { "no end of track", BYTES("\x00\x90\x3C\x40"), "byte 26: the track has no End of Track" },
    { "events behind the end", BYTES(EOT "\x00\xC0\x01"), "byte 26: bytes behind the End of Track" },
    { "two ends", BYTES(EOT EOT), "byte 26: bytes behind" },
    { "end of track with content", BYTES("\x00\xFF\x2F\x01\x00"), "byte 24: a meta event of the wrong length" },
    { "data byte first", BYTES("\x00\x3C\x40" EOT), "byte 23: a data byte where a status byte" },
    { "running status behind a meta event", BYTES("\x00\x90\x3C\x40\x00\xFF\x01\x00\x00\x3C\x40" EOT), "byte 31: a data byte where" },
    { "running status behind system-exclusive", BYTES("\x00\x90\x3C\x40\x00\xF0\x01\xF7\x00\x3C\x40" EOT), "byte 31: a data byte where" },
    { "first data byte too large", BYTES("\x00\x90\x80\x40" EOT), "byte 24: a data byte above 127" },
    { "second data byte too large", BYTES("\x00\x90\x3C\xC0" EOT), "byte 25: a data byte above 127" },
    { "data byte too large in running status", BYTES("\x00\x90\x3C\x40\x00\x3C\x90" EOT), "byte 28: a data byte above 127" },
    { "delta time of five bytes", BYTES("\x80\x80\x80\x80\x00\xC0\x01" EOT), "byte 22: a variable-length number of more" },
    { "length of five bytes", BYTES("\x00\xFF\x01\x81\x80\x80\x80\x00" EOT), "byte 25: a variable-length number of more" },
    { "track ends inside a delta time", BYTES("\x00\xC0\x01\x81"), "byte 26: the track ends inside a variable" },
    { "track ends behind a delta time", BYTES("\x00\xC0\x01\x00"), "byte 26: the track ends behind a delta" },
    { "track ends inside an event", BYTES("\x00\x90\x3C"), "byte 24: the track ends inside an event" },
    { "track ends inside a meta event", BYTES("\x00\xFF"), "byte 24: the track ends inside a meta" },
    { "meta event beyond the track", BYTES("\x00\xFF\x01\x05\x41\x42"), "byte 26: an event is longer than its track" },
    { "system-exclusive beyond the track", BYTES("\x00\xF0\x7F\x41" EOT), "byte 25: an event is longer" },
    { "meta type above 127", BYTES("\x00\xFF\x80\x00" EOT), "byte 24: a meta event type above 127" },
    { "tempo of two bytes", BYTES("\x00\xFF\x51\x02\x07\xA1" EOT), "byte 24: a meta event of the wrong length" },
    { "key signature of three bytes", BYTES("\x00\xFF\x59\x03\x00\x00\x00" EOT), "byte 24: a meta event of the wrong length" },
    { "sequence number of one byte", BYTES("\x00\xFF\x00\x01\x00" EOT), "byte 24: a meta event of the wrong length" },
    { "song position", BYTES("\x00\xF2\x01\x02" EOT), "byte 23: a status byte that no file" },
    { "clock", BYTES("\x00\xF8" EOT), "byte 23: a status byte that no file" },
    { "active sensing", BYTES("\x00\xFE" EOT), "byte 23: a status byte that no file" },
};

static void tracks(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bg_error err = { BG_OK, "" };
        midi m = header(0, 1, 480);
        put_chunk(&m, "MTrk", rows[i].data, rows[i].size);
        bg_status status = check(m.data, m.size, NULL, &err);
        if (!rows[i].error ? status != BG_OK : status != BG_ERR_FORMAT || strncmp(err.text, rows[i].error, strlen(rows[i].error)) != 0)
            fail_msg("%s: %d, \"%s\"", rows[i].what, (int)status, err.text);
    }
}

/* --- headers and chunks --------------------------------------------------------- */

static void headers(void **state)
{
    static const struct { int format, tracks, division; const char *error; } cases[] = {
        { 0, 1, 480, NULL }, { 1, 1, 1, NULL }, { 2, 1, 0x7FFF, NULL },
        { 1, 1, 0xE728, NULL }, { 1, 1, 0xE804, NULL }, { 1, 1, 0xE350, NULL }, { 1, 1, 0xE264, NULL }, /* 25, 24, 29, 30 frames */
        { 3, 1, 480, "byte 8: a format other" }, { 0, 0, 480, "byte 10: the header says there are no" }, { 1, 0, 480, "byte 10" },
        { 0, 2, 480, "byte 10: format 0 with more" }, { 1, 1, 0, "byte 12: a time division" }, { 1, 1, 0xE628, "byte 12" }, { 1, 1, 0xE700, "byte 12" },
        { 1, 2, 480, "byte 26: fewer tracks" }, { 1, 300, 480, "byte 26: fewer tracks" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bg_error err = { BG_OK, "" };
        midi m = header(cases[i].format, cases[i].tracks, cases[i].division);
        put_chunk(&m, "MTrk", EOT, 4);
        bg_status status = check(m.data, m.size, NULL, &err);
        if (!cases[i].error ? status != BG_OK : status != BG_ERR_FORMAT || strncmp(err.text, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("case %zu: %d, \"%s\"", i, (int)status, err.text);
    }
}

static void chunks(void **state)
{
    bg_error err;
    bg_midi_facts facts;
    midi m = header(1, 2, 480);
    put_chunk(&m, "XFIH", "anything", 8);
    put_chunk(&m, "MTrk", BYTES("\x00\x90\x3C\x40\x01\x3C\x00\x01\x3E\x01" EOT));
    put_chunk(&m, "MTrk", BYTES("\x00\x9F\x3C\x40\x00\x8F\x3C\x40" EOT));
    midi whole = m;
    put_chunk(&m, "XFKM", "", 0);
    CHECK_OK(check(m.data, m.size, &facts, &err), err);
    assert_int_equal(facts.format, 1);
    assert_int_equal(facts.tracks, 2);
    assert_int_equal(facts.division, 480);
    assert_int_equal(facts.notes, 3); /* velocity 0 is no note */

    m = whole;
    put_chunk(&m, "MTrk", EOT, 4);
    CHECK_FAILS(check(m.data, m.size, NULL, &err), BG_ERR_FORMAT, "more tracks than", err);
    m = whole;
    put_chunk(&m, "MThd", "\0\1\0\1\1\0", 6);
    CHECK_FAILS(check(m.data, m.size, NULL, &err), BG_ERR_FORMAT, "a second header", err);
    m = whole;
    put(&m, "\0", 1);
    CHECK_FAILS(check(m.data, m.size, NULL, &err), BG_ERR_FORMAT, "ends inside a chunk header", err);
    m = whole;
    put_chunk(&m, "\0\0\0\0", "", 0);
    CHECK_FAILS(check(m.data, m.size, NULL, &err), BG_ERR_FORMAT, "printable", err);
    m = whole;
    put_chunk(&m, "LONG", "abc", 3);
    m.size--;
    CHECK_FAILS(check(m.data, m.size, NULL, &err), BG_ERR_FORMAT, "longer than the rest", err);
    /* a longer header is for later versions of the standard */
    midi later = { { 0 }, 0 };
    put_chunk(&later, "MThd", "\0\0\0\1\1\0\7\7", 8);
    put_chunk(&later, "MTrk", EOT, 4);
    CHECK_OK(check(later.data, later.size, NULL, &err), err);
    midi early = { { 0 }, 0 };
    put_chunk(&early, "MThd", "\0\0\0\1\1", 5);
    CHECK_FAILS(check(early.data, early.size, NULL, &err), BG_ERR_FORMAT, "shorter than 6", err);
    CHECK_FAILS(check((const uint8_t *)"X:1\nK:C\n", 8, NULL, &err), BG_ERR_FORMAT, "not a MIDI file", err);
    CHECK_FAILS(check((const uint8_t *)"", 0, NULL, &err), BG_ERR_FORMAT, "byte 0", err);
}

/* --- damage ------------------------------------------------------------------------ */

static midi tune(void)
{
    midi m = header(1, 2, 480);
    put_chunk(&m, "MTrk", BYTES("\x00\xFF\x51\x03\x07\xA1\x20\x00\xFF\x58\x04\x06\x03\x24\x08\x82\xE8\x1A\xFF\x2F\x00"));
    put_chunk(&m, "MTrk", BYTES("\x00\xFF\x01\x04tune\x01\x90\x4A\x69\x81\x6F\x80\x4A\x00\x01\x90\x43\x69\x81\x6F\x80\x43\x00\x00\xF0\x03\x01\x02\xF7\x01\xC0\x01" EOT));
    return m;
}

/* No beginning of a file is a file, and each is refused at its end or before. */
static void truncations(void **state)
{
    midi m = tune();
    bg_error err;
    CHECK_OK(check(m.data, m.size, NULL, &err), err);
    for (size_t n = 0; n < m.size; n++) {
        if (check(m.data, n, NULL, &err) != BG_ERR_FORMAT)
            fail_msg("the first %zu bytes were accepted", n);
        size_t at;
        assert_int_equal(sscanf(err.text, "byte %zu:", &at), 1);
        assert_true(at <= n);
    }
}

static void random_damage(void **state)
{
    bg_rng r;
    int accepted = 0;
    bg_rng_open(&r, 7, BG_STREAM_USER, 0);
    for (int i = 0; i < 50000; i++) {
        midi m = tune();
        for (uint64_t edits = 1 + bg_rng_below(&r, 4); edits > 0; edits--)
            m.data[bg_rng_below(&r, m.size)] = (uint8_t)bg_rng_u32(&r);
        accepted += check(m.data, m.size, NULL, NULL) == BG_OK;
    }
    assert_true(accepted > 500 && accepted < 49500); /* changed notes are fine, changed lengths are not */
}

/* --- comparing ------------------------------------------------------------------ */

static midi of_track(int division, const void *track, size_t n)
{
    midi m = header(0, 1, division);
    put_chunk(&m, "MTrk", track, n);
    return m;
}

static bg_midi_bar bars[8];
static size_t bar_count;

static void take_bar(void *ctx, const bg_midi_bar *b)
{
    assert_true(bar_count < 8);
    bars[bar_count++] = *b;
}

static bg_midi_comparison compare(const midi *truth, const midi *found)
{
    bg_midi_comparison c;
    bg_error err;
    uint8_t *a = malloc(truth->size), *b = malloc(found->size ? found->size : 1);
    memcpy(a, truth->data, truth->size);
    memcpy(b, found->data, found->size);
    bar_count = 0;
    CHECK_OK(bg_midi_compare(bg_sys_default(), a, truth->size, b, found->size, &c, take_bar, NULL, &err), err);
    free(a);
    free(b);
    return c;
}

/* 2/4 at 96 ticks a quarter: C D | E F. */
#define METER "\x00\xFF\x58\x04\x02\x02\x18\x08"
#define BAR_1 "\x00\x90\x3C\x40\x60\x80\x3C\x40\x00\x90\x3E\x40\x60\x80\x3E\x40"
#define BAR_2 "\x00\x90\x40\x40\x60\x80\x40\x40\x00\x90\x41\x40\x60\x80\x41\x40"
enum { BAR_2_AT = 14 + 8 + 8 + 16 }; /* in the file */

static void equal_notes(void **state)
{
    const midi a = of_track(96, METER BAR_1 BAR_2 EOT, sizeof METER BAR_1 BAR_2 EOT - 1);
    bg_midi_comparison c = compare(&a, &a);
    assert_true(c.exact && c.fault.code == BG_OK && bar_count == 0);
    assert_true(c.bars == 2 && c.bars_equal == 2 && c.sum.notes == 4 && c.sum.right == 4);
    /* half the ticks, other loudness, running status, velocity 0 as the end, no metre of its own: the same notes */
    static const uint8_t other[] = "\x00\x90\x3C\x11\x30\x3C\x00\x00\x3E\x11\x30\x3E\x00\x00\x40\x11\x30\x40\x00\x00\x41\x11\x30\x41\x00" EOT;
    const midi b = of_track(48, other, sizeof other - 1);
    c = compare(&a, &b);
    assert_true(!c.exact && c.fault.code == BG_OK);
    assert_true(c.bars == 2 && c.bars_equal == 2 && c.sum.right == 4 && c.sum.extra == 0);
}

static void transposed(void **state)
{
    const midi a = of_track(96, METER BAR_1 BAR_2 EOT, sizeof METER BAR_1 BAR_2 EOT - 1);
    /* D E F# G, the last an octave lower */
    static const uint8_t up[] = METER "\x00\x90\x3E\x40\x60\x80\x3E\x40\x00\x90\x40\x40\x60\x80\x40\x40\x00\x90\x42\x40\x60\x80\x42\x40\x00\x90\x37\x40\x60\x80\x37\x40" EOT;
    const midi b = of_track(96, up, sizeof up - 1);
    bg_error err;
    const bg_sys *sys = bg_sys_default();
    CHECK_OK(bg_midi_transposed(sys, a.data, a.size, a.data, a.size, 0, &err), err);
    CHECK_OK(bg_midi_transposed(sys, a.data, a.size, b.data, b.size, 2, &err), err);
    CHECK_OK(bg_midi_transposed(sys, b.data, b.size, a.data, a.size, -14, &err), err);
    CHECK_FAILS(bg_midi_transposed(sys, a.data, a.size, b.data, b.size, 1, &err), BG_ERR_FORMAT, "its notes are not the tune's, +1 semitones away", err);
    midi c = b;
    c.data[c.size - sizeof EOT - 5] = 0x38; /* one key, both where it begins and ends, is wrong */
    c.data[c.size - sizeof EOT - 1] = 0x38;
    CHECK_FAILS(bg_midi_transposed(sys, a.data, a.size, c.data, c.size, 2, &err), BG_ERR_FORMAT, "not the tune's", err);
    CHECK_FAILS(bg_midi_transposed(sys, a.data, a.size, b.data, 20, 2, &err), BG_ERR_FORMAT, "", err);
}

static void different_notes(void **state)
{
    const midi a = of_track(96, METER BAR_1 BAR_2 EOT, sizeof METER BAR_1 BAR_2 EOT - 1);
    /* bar 2: the first note is another key and half as long, so the second one begins too early; bar 4 has one */
    static const uint8_t other[] = METER BAR_1 "\x00\x90\x43\x40\x30\x80\x43\x40\x00\x90\x41\x40\x60\x80\x41\x40"
                                              "\x82\x00\x90\x41\x40\x60\x80\x41\x40" EOT;
    midi b = of_track(96, other, sizeof other - 1);
    bg_midi_comparison c = compare(&a, &b);
    assert_true(bar_count == 2 && bars[0].number == 2 && bars[1].number == 4);
    assert_true(bars[0].notes == 2 && bars[0].right == 0 && bars[0].wrong == 1 && bars[0].missing == 1 && bars[0].extra == 1);
    assert_true(bars[1].notes == 0 && bars[1].extra == 1);
    assert_true(c.bars == 3 && c.bars_equal == 1 && c.sum.right == 2 && c.sum.notes == 4);
    /* cut: its chunk is longer than the file, so nothing of it is read */
    b.size -= 3;
    c = compare(&a, &b);
    assert_true(c.fault.code == BG_ERR_FORMAT && c.bars_equal == 0 && c.sum.missing == 4);
    /* a status byte that no file may hold where the first note of bar 2 should end */
    b = a;
    b.data[BAR_2_AT + 5] = 0xF1;
    c = compare(&a, &b);
    assert_true(c.fault.code == BG_ERR_FORMAT && c.bars_equal == 1 && c.sum.right == 3 && c.sum.missing == 1);
    b.size = 3;
    c = compare(&a, &b);
    assert_true(c.fault.code == BG_ERR_FORMAT && c.sum.missing == 4 && c.bars == 2);
}

static void no_bars(void **state)
{
    bg_midi_comparison c;
    bg_error err;
    static const uint8_t frames[] = BAR_1 EOT;
    const midi a = of_track(0xE728, frames, sizeof frames - 1), good = of_track(96, frames, sizeof frames - 1); /* 25 frames a second */
    assert_int_equal(bg_midi_compare(bg_sys_default(), a.data, a.size, good.data, good.size, &c, NULL, NULL, &err), BG_ERR_FORMAT);
    assert_non_null(strstr(err.text, "frames"));
    c = compare(&good, &a);
    assert_true(c.fault.code == BG_ERR_FORMAT && c.sum.missing == 2);
    assert_int_equal(bg_midi_compare(bg_sys_default(), good.data, 20, good.data, good.size, &c, NULL, NULL, &err), BG_ERR_FORMAT);
}

/* The sums of notes fit together whatever stands in the files. */
static void random_comparisons(void **state)
{
    bg_rng r;
    bg_rng_open(&r, 8, BG_STREAM_USER, 0);
    for (int i = 0; i < 5000; i++) {
        const midi a = tune();
        midi b = a;
        for (uint64_t edits = bg_rng_below(&r, 4); edits > 0; edits--)
            b.data[bg_rng_below(&r, b.size)] = (uint8_t)bg_rng_u32(&r);
        bg_midi_comparison c;
        bg_error err;
        CHECK_OK(bg_midi_compare(bg_sys_default(), a.data, a.size, b.data, b.size, &c, NULL, NULL, &err), err);
        assert_true(c.sum.right + c.sum.wrong + c.sum.missing == c.sum.notes && c.bars_equal <= c.bars);
        assert_true(memcmp(a.data, b.data, a.size) != 0 || (c.exact && c.bars_equal == c.bars));
    }
}

/* What abc2midi wrote, when the source folder is known. */
static void real_file(void **state)
{
    const char *source = getenv("BGPT_SOURCE");
    size_t size = 0;
    unsigned char *data = source ? fs_read(fs_path(source, "tests/fixtures/micro/files/p4031.mid"), &size) : NULL;
    if (!data)
        skip();
    bg_error err;
    bg_midi_facts facts;
    CHECK_OK(check(data, size, &facts, &err), err);
    assert_true(facts.notes > 0);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracks), cmocka_unit_test(headers), cmocka_unit_test(chunks),
        cmocka_unit_test(truncations), cmocka_unit_test(random_damage), cmocka_unit_test(real_file),
        cmocka_unit_test(equal_notes), cmocka_unit_test(transposed), cmocka_unit_test(different_notes), cmocka_unit_test(no_bars), cmocka_unit_test(random_comparisons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
