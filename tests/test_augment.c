/* Sounds and pictures that change a little: what must stay stays, what must differ differs, and nothing is trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/sys.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "tests/support_check.h"
#include "tests/support_fs.h"

enum { WAVE = 44, SAMPLES = 4000, BLOCK = 800, GAP = 320, BMP = 54, SIDE = 32, PIXELS = SIDE * SIDE * 3 };

static void put(uint8_t *p, uint32_t x, int n)
{
    for (; n-- > 0; x >>= 8)
        *p++ = (uint8_t)x;
}

/* Silence, a block of loud samples, silence. */
static void make_wave(uint8_t *b)
{
    memcpy(b, "RIFF....WAVEfmt ", 16);
    put(b + 4, 36 + SAMPLES, 4);
    put(b + 16, 16, 4), put(b + 20, 1, 2), put(b + 22, 1, 2), put(b + 24, 8000, 4), put(b + 28, 8000, 4), put(b + 32, 1, 2), put(b + 34, 8, 2);
    memcpy(b + 36, "data", 4);
    put(b + 40, SAMPLES, 4);
    memset(b + WAVE, 128, SAMPLES);
    memset(b + WAVE + 2000, 168, BLOCK);
}

/* How many samples are loud, and where the first of them is.  The block has 40 over the middle: at least 8.9 of them stay when it is
 * dull and soft, at most 108 when it is bright and loud, and the noise is less than 2; at its edges a sample may lie between. */
static size_t loud_samples(const uint8_t *b, size_t *first)
{
    size_t loud = 0, between = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        const int v = abs(b[WAVE + i] - 128);
        assert_true(v <= 110);
        between += v > 3 && v < 6;
        *first = v >= 6 && !loud ? i : *first;
        loud += v >= 6;
    }
    assert_true(between <= 4);
    return loud;
}

/* A white square of eight by eight in the middle of grey. */
static void make_bmp(uint8_t *b)
{
    memset(b, 0, BMP);
    b[0] = 'B', b[1] = 'M';
    put(b + 2, BMP + PIXELS, 4), put(b + 10, BMP, 4), put(b + 14, 40, 4), put(b + 18, SIDE, 4), put(b + 22, SIDE, 4), put(b + 26, 1, 2), put(b + 28, 24, 2);
    memset(b + BMP, 100, PIXELS);
    for (int y = 12; y < 20; y++)
        memset(b + BMP + (y * SIDE + 12) * 3, 250, 24);
}

static int change(uint8_t *b, size_t n, uint64_t counter)
{
    bg_rng rng;
    uint8_t *room = malloc(n + 1);
    bg_rng_open(&rng, 7, BG_STREAM_AUGMENT, counter);
    const int changed = bg_augment(b, n, room, &rng);
    free(room);
    return changed;
}

static void sounds(void **state)
{
    uint8_t plain[WAVE + SAMPLES], a[sizeof plain], same[sizeof plain];
    int differ = 0, inverted = 0;
    (void)state;
    make_wave(plain);
    for (uint64_t k = 0; k < 200; k++) {
        memcpy(a, plain, sizeof a);
        memcpy(same, plain, sizeof a);
        assert_true(change(a, sizeof a, k));
        assert_true(change(same, sizeof same, k));
        assert_memory_equal(a, same, sizeof a);
        assert_memory_equal(a, plain, WAVE);
        differ += memcmp(a, plain, sizeof a) != 0;
        size_t first = 0;
        const size_t loud = loud_samples(a, &first);
        inverted += a[WAVE + first] < 128;
        assert_true(loud >= BLOCK / 1.15 - GAP - 2 && loud <= BLOCK / 0.87 + 2);
        assert_true(first >= (2000 - 1601) / 1.15 && first <= (2000 + 1601) / 0.87 + GAP);
    }
    assert_true(differ >= 199);
    assert_true(inverted > 60 && inverted < 140);
}

/* A sound at either edge comes earlier or later, but nothing of it is lost beyond the edge. */
static void sounds_stay_whole(void **state)
{
    uint8_t a[WAVE + SAMPLES];
    (void)state;
    for (uint64_t k = 0; k < 200; k++) {
        size_t first = 0;
        make_wave(a);
        memset(a + WAVE + 2000, 128, BLOCK);
        memset(a + WAVE + (k % 2 ? 0 : SAMPLES - BLOCK), 168, BLOCK);
        assert_true(change(a, sizeof a, k));
        const size_t loud = loud_samples(a, &first);
        assert_true(loud >= BLOCK / 1.15 - GAP - 2 && loud <= BLOCK / 0.87 + 2);
    }
}

static void pictures(void **state)
{
    uint8_t plain[BMP + PIXELS], a[sizeof plain];
    (void)state;
    make_bmp(plain);
    for (uint64_t k = 0; k < 200; k++) {
        size_t white = 0;
        memcpy(a, plain, sizeof a);
        assert_true(change(a, sizeof a, k));
        assert_memory_equal(a, plain, BMP);
        assert_true(memcmp(a, plain, sizeof a) != 0);
        int low = 255, high = 0;
        for (size_t i = BMP; i < sizeof a; i++) {
            low = a[i] < low ? a[i] : low;
            high = a[i] > high ? a[i] : high;
        }
        for (size_t i = BMP; i < sizeof a; i += 3)
            white += 2 * a[i] > low + high;
        assert_true(white >= 36 && white <= 100); /* 64 / 1.12^2 to 64 / 0.88^2, and its edge */
    }
}

/* Files of other kinds, and every header cut or spoilt. */
static void others(void **state)
{
    uint8_t wave[WAVE + SAMPLES], bmp[BMP + PIXELS], text[] = "RIFF is a word, and this is text that is long enough to hold a header";
    (void)state;
    assert_false(change(text, sizeof text, 0));
    assert_string_equal((char *)text, "RIFF is a word, and this is text that is long enough to hold a header");
    for (size_t n = 0; n < 80; n++) { /* exact blocks, for the sanitizers */
        uint8_t *block = malloc(n + 1);
        make_wave(wave);
        memcpy(block, wave, n);
        assert_false(change(block, n, 0));
        make_bmp(bmp);
        memcpy(block, bmp, n);
        assert_false(change(block, n, 0));
        free(block);
    }
    for (size_t i = 0; i < BMP; i++)
        for (int v = 0; v < 256; v += 15) {
            make_wave(wave);
            make_bmp(bmp);
            wave[i % WAVE] = bmp[i] = (uint8_t)v;
            change(wave, sizeof wave, 1);
            change(bmp, sizeof bmp, 1);
        }
}

/* In a data set: while training, by counter, and nowhere else. */
static void in_a_set(void **state)
{
    char *folder = fs_make_folder();
    const char *paths[] = { folder };
    uint8_t wave[WAVE + SAMPLES];
    uint64_t bytes;
    bg_error err = { 0 };
    (void)state;
    make_wave(wave);
    fs_write(fs_path(folder, "a.wav"), wave, sizeof wave);
    for (int augment = 0; augment < 2; augment++) {
        bg_dataset d;
        bg_batch b[3];
        const bg_dataset_options o = { .P = 16, .N = 300, .training = 1, .augment = augment };
        CHECK_OK(bg_dataset_open(&d, bg_sys_default(), paths, 1, &o, &err), err);
        for (uint64_t k = 0; k < 3; k++) {
            CHECK_OK(bg_batch_open(&b[k], bg_sys_default(), 16, 1, 300, &err), err);
            CHECK_OK(bg_dataset_add(&d, &b[k], 0, 5, k / 2, &bytes, &err), err);
            assert_int_equal(bytes, sizeof wave);
        }
        assert_int_equal(b[0].rows, b[2].rows);
        assert_memory_equal(b[0].tokens, b[1].tokens, b[0].rows * 16 * sizeof *b[0].tokens);
        assert_true((memcmp(b[0].tokens, b[2].tokens, b[0].rows * 16 * sizeof *b[0].tokens) != 0) == augment);
        for (int k = 0; k < 3; k++)
            bg_batch_close(&b[k]);
        bg_dataset_close(&d);
    }
    fs_remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(sounds), cmocka_unit_test(sounds_stay_whole), cmocka_unit_test(pictures), cmocka_unit_test(others), cmocka_unit_test(in_a_set) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
