/* MD5 of bytes that are all there.  Written out because the library's other
 * checksums are of 32 bits, and two of 100,000 files would share such a name. */
#include "simcpu/md5.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 64, LENGTH_AT = 56 };

/* floor(2^32 * |sin(i + 1)|), as the RFC has them. */
static const uint32_t sines[BLOCK] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t turns[4][4] = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };

static uint32_t little_endian(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void add_block(uint32_t sum[4], const uint8_t *block)
{
    uint32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3], f, x[16];
    for (int i = 0; i < 16; i++)
        x[i] = little_endian(block + 4 * i);
    for (unsigned i = 0; i < BLOCK; i++) {
        unsigned round = i / 16, k;
        if (round == 0)
            f = (b & c) | (~b & d), k = i;
        else if (round == 1)
            f = (d & b) | (~d & c), k = (5 * i + 1) % 16;
        else if (round == 2)
            f = b ^ c ^ d, k = (3 * i + 5) % 16;
        else
            f = c ^ (b | ~d), k = 7 * i % 16;
        unsigned turn = turns[round][i % 4];
        f += a + sines[i] + x[k];
        a = d, d = c, c = b;
        b += f << turn | f >> (32 - turn);
    }
    sum[0] += a, sum[1] += b, sum[2] += c, sum[3] += d;
}

void bg_md5(const void *data, size_t size, char hex[BG_MD5_HEX])
{
    uint32_t sum[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
    uint8_t tail[2 * BLOCK] = { 0 };
    const uint8_t *p = data;
    size_t left = size;
    for (; left >= BLOCK; left -= BLOCK, p += BLOCK)
        add_block(sum, p);
    if (left)
        memcpy(tail, p, left);
    tail[left] = 0x80;
    size_t end = left < LENGTH_AT ? BLOCK : 2 * BLOCK;
    for (int i = 0; i < 8; i++)
        tail[end - 8 + (size_t)i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
    for (size_t at = 0; at < end; at += BLOCK)
        add_block(sum, tail + at);
    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i / 4] >> 8 * (i % 4) & 255);
}
