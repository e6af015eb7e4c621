/* See augment.h. */
#include "data/augment.h"

#include "base/little.h"

#include <math.h>
#include <string.h>

static double between(bg_rng *rng, double low, double high) { return low + (high - low) * bg_rng_double(rng); }

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

/* --- sounds ------------------------------------------------------------------ */

enum { WAVE = 44 };
#define QUIET 0.05 /* of the loudest sample */
#define SHIFT 0.2  /* seconds */
#define GAP 0.04

static int is_wave(const uint8_t *b, size_t n)
{
    return n > WAVE && memcmp(b, "RIFF", 4) == 0 && memcmp(b + 8, "WAVEfmt ", 8) == 0 && bg_little(b + 16, 4) == 16 && bg_little(b + 20, 2) == 1 &&
           bg_little(b + 22, 2) == 1 && (bg_little(b + 34, 2) == 8 || bg_little(b + 34, 2) == 16) && memcmp(b + 36, "data", 4) == 0 && bg_little(b + 40, 4) <= n - WAVE;
}

static double sample(const uint8_t *p, uint32_t bits, size_t i)
{
    return bits == 8 ? p[i] - 128.0 : (double)(int16_t)bg_little(p + 2 * i, 2);
}

/* The first and the last sample that is not quiet (a twentieth of the loudest); of silence, the last sample is both. */
static void find_sound(const uint8_t *samples, uint32_t bits, size_t count, size_t *first, size_t *last)
{
    double peak = 0;
    for (size_t i = 0; i < count; i++) {
        const double x = fabs(sample(samples, bits, i)); /* compared, not fmax: gcc 12 for arm64 fails on that reduction */
        peak = x > peak ? x : peak;
    }
    size_t a = 0, b = count ? count - 1 : 0;
    while (a < b && fabs(sample(samples, bits, a)) <= QUIET * peak)
        a++;
    while (b > a && fabs(sample(samples, bits, b)) <= QUIET * peak)
        b--;
    *first = a;
    *last = b;
}

static void augment_wave(uint8_t *bytes, size_t n, uint8_t *room, bg_rng *rng)
{
    const uint32_t bits = bg_little(bytes + 34, 2), rate = bg_little(bytes + 24, 4);
    const size_t count = bg_little(bytes + 40, 4) / (bits / 8);
    const double top = bits == 8 ? 127 : 32767;
    const double speed = between(rng, 0.87, 1.15), noise = between(rng, 0, 0.015) * top;
    /* duller or brighter (a filter of two samples), louder or softer, and upside down, which nobody hears */
    const double tilt = between(rng, -0.5, 0.5), loudness = between(rng, 0.5, 2) / sqrt(1 + tilt * tilt), scale = bg_rng_double(rng) < 0.5 ? -loudness : loudness;
    const double gap = bg_rng_double(rng) * (double)count, gap_end = gap + between(rng, 0, GAP) * rate;
    uint8_t *to = bytes + WAVE;
    memcpy(room, to, n - WAVE);
    size_t first, last;
    find_sound(room, bits, count, &first, &last);
    /* earlier as far as it is quiet before, later as far as the end of the sound stays inside */
    const double earliest = fmin(SHIFT * rate, (double)first), latest = fmax(-SHIFT * rate, (double)last - speed * (double)count);
    const double shift = between(rng, fmin(latest, earliest), earliest);
    double before = 0;
    for (size_t i = 0; i < count; i++) {
        const double at = (double)i * speed + shift, whole = floor(at), part = at - whole;
        const int heard = whole >= 0 && whole + 1 < (double)count && !((double)i >= gap && (double)i < gap_end);
        const double x = heard ? sample(room, bits, (size_t)whole) * (1 - part) + sample(room, bits, (size_t)whole + 1) * part : 0;
        const double v = (x + tilt * before) * scale + noise * (bg_rng_double(rng) + bg_rng_double(rng) - 1);
        before = x;
        const int32_t q = (int32_t)floor(clamp(v, -top - 1, top) + 0.5);
        if (bits == 8) {
            to[i] = (uint8_t)(q + 128);
        } else {
            bg_little_put(to + 2 * i, (uint32_t)q, 2);
        }
    }
}

/* --- pictures ---------------------------------------------------------------- */

enum { BMP = 54 };

static int is_bmp(const uint8_t *b, size_t n)
{
    if (n <= BMP || b[0] != 'B' || b[1] != 'M' || bg_little(b + 10, 4) != BMP || bg_little(b + 14, 4) != 40 || bg_little(b + 28, 2) != 24 || bg_little(b + 30, 4) != 0)
        return 0;
    const uint64_t width = bg_little(b + 18, 4), height = bg_little(b + 22, 4);
    return width > 0 && width < 65536 && height > 0 && height < 65536 && (width * 3 + 3) / 4 * 4 * height <= n - BMP;
}

/* Between four pixels; beyond the edge the edge goes on. */
static double pixel(const uint8_t *p, size_t row, int width, int height, double x, double y, int channel)
{
    const double cx = clamp(x, 0, width - 1), cy = clamp(y, 0, height - 1);
    const int x0 = (int)cx, y0 = (int)cy, x1 = x0 + (x0 + 1 < width), y1 = y0 + (y0 + 1 < height);
    const double u = cx - x0, v = cy - y0;
    const double low = p[(size_t)y0 * row + (size_t)(3 * x0 + channel)] * (1 - u) + p[(size_t)y0 * row + (size_t)(3 * x1 + channel)] * u;
    const double high = p[(size_t)y1 * row + (size_t)(3 * x0 + channel)] * (1 - u) + p[(size_t)y1 * row + (size_t)(3 * x1 + channel)] * u;
    return low * (1 - v) + high * v;
}

static void augment_bmp(uint8_t *bytes, size_t n, uint8_t *room, bg_rng *rng)
{
    const int width = (int)bg_little(bytes + 18, 4), height = (int)bg_little(bytes + 22, 4);
    const size_t row = ((size_t)width * 3 + 3) / 4 * 4;
    /* t: the tangent of half the angle */
    const double t = between(rng, -0.07, 0.07), cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);
    const double scale = between(rng, 0.88, 1.12), dx = between(rng, -0.1, 0.1) * width, dy = between(rng, -0.1, 0.1) * height;
    const double contrast = between(rng, 0.8, 1.25), light = between(rng, -20, 20);
    const double mx = 0.5 * (width - 1), my = 0.5 * (height - 1);
    memcpy(room, bytes + BMP, n - BMP);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const double fx = mx + dx + scale * (cosine * (x - mx) - sine * (y - my)), fy = my + dy + scale * (sine * (x - mx) + cosine * (y - my));
            for (int c = 0; c < 3; c++) {
                const double v = (pixel(room, row, width, height, fx, fy, c) - 128) * contrast + 128 + light;
                bytes[BMP + (size_t)y * row + (size_t)(3 * x + c)] = (uint8_t)floor(clamp(v, 0, 255) + 0.5);
            }
        }
}

int bg_augment(uint8_t *bytes, size_t n, uint8_t *room, bg_rng *rng)
{
    if (is_wave(bytes, n))
        augment_wave(bytes, n, room, rng);
    else if (is_bmp(bytes, n))
        augment_bmp(bytes, n, room, rng);
    else
        return 0;
    return 1;
}
