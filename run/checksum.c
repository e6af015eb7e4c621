/* Four lanes of multiply and rotate over 32-byte blocks, in the manner of
 * xxHash: a gigabyte takes a fraction of a second, so every checkpoint can
 * carry the sum of all its values. */
#include "run/checksum.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

/* xxHash64's primes: odd, random-looking, and known to mix well. */
#define PRIME1 0x9E3779B185EBCA87u
#define PRIME2 0xC2B2AE3D27D4EB4Fu

static uint64_t rotate(uint64_t x, int n) { return x << n | x >> (64 - n); }

static uint64_t mix(uint64_t lane, uint64_t word) { return rotate(lane + word * PRIME2, 31) * PRIME1; }

void bg_sum_open(bg_sum *s)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < 4; i++)
        s->lane[i] = PRIME1 * (i + 1);
}

static void add_block(bg_sum *s, const uint8_t block[32])
{
    uint64_t word[4];
    memcpy(word, block, sizeof word);
    for (size_t i = 0; i < 4; i++)
        s->lane[i] = mix(s->lane[i], word[i]);
}

void bg_sum_add(bg_sum *s, const void *data, size_t n)
{
    const uint8_t *p = data;
    s->bytes += n;
    for (; n >= 32; n -= 32, p += 32)
        add_block(s, p);
    if (n) { /* the last block of a piece is filled up with zeros; the length tells it from real ones */
        uint8_t last[32] = { 0 };
        memcpy(last, p, n);
        last[31] ^= (uint8_t)n;
        add_block(s, last);
    }
}

void bg_sum_text(const bg_sum *s, char out[BG_SUM_TEXT])
{
    uint64_t h = s->bytes * PRIME1;
    for (size_t i = 0; i < 4; i++) {
        h = mix(h, s->lane[i]);
        h ^= h >> 29;
    }
    snprintf(out, BG_SUM_TEXT, "%016llx", (unsigned long long)h);
}

bg_status bg_file_sum(char out[BG_SUM_TEXT], const bg_sys *sys, const char *path, bg_error *err)
{
    enum { PIECE = 1 << 20 };
    int fd;
    uint64_t size;
    size_t got = PIECE;
    bg_sum sum;
    BG_TRY(bg_open_read(sys, path, &fd, &size, err));
    uint8_t *piece = bg_alloc(sys, PIECE, 1);
    bg_status s = piece ? BG_OK : bg_fail_memory(err, "reading a file", PIECE);
    bg_sum_open(&sum);
    for (uint64_t at = 0; s == BG_OK && got == PIECE; at += got) {
        s = bg_pread_full(sys, path, fd, piece, PIECE, at, &got, err);
        if (s == BG_OK)
            bg_sum_add(&sum, piece, got);
    }
    bg_sum_text(&sum, out);
    bg_free(sys, piece);
    sys->close(sys->ctx, fd);
    return s;
}
