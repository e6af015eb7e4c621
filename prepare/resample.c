/* See resample.h.  A result pixel is the mean of the source pixels around its middle, weighted by their distance; rows and
 * columns apart, so that a row can be forgotten once it is added. */
#include "prepare/resample.h"

#include <math.h>
#include <string.h>

/* Weight of source pixel i for result pixel k of `to` that cover [begin, begin + length). */
static double triangle(double begin, double length, uint32_t to, uint32_t k, double i)
{
    const double scale = length / to, reach = scale > 1 ? scale : 1, distance = fabs(i + 0.5 - (begin + (k + 0.5) * scale)) / reach;
    return distance < 1 ? 1 - distance : 0;
}

/* Source pixels first to last, of `size`, that weigh for result pixel k; beyond the window nothing does. */
static void span(double begin, double length, uint32_t to, uint32_t k, uint32_t size, uint32_t *first, uint32_t *last)
{
    const double scale = length / to, reach = scale > 1 ? scale : 1, middle = begin + (k + 0.5) * scale;
    const double low = floor(fmax(middle - reach, fmax(begin, 0))), high = ceil(fmin(middle + reach, fmin(begin + length, size))) - 1;
    const double nearest = fmin(fmax(floor(middle), 0), size - 1.0);
    *first = (uint32_t)fmin(fmax(low, 0), nearest);
    *last = (uint32_t)fmax(fmin(high, size - 1.0), nearest);
}

static bg_status make_taps(resample *r, bg_error *err)
{
    uint64_t all = 0;
    for (uint32_t k = 0; k < r->width; k++) {
        uint32_t last;
        span(r->window.x, r->window.width, r->width, k, r->source_width, &r->first[k], &last);
        r->count[k] = last - r->first[k] + 1;
        all += r->count[k];
    }
    if (!(r->taps = bg_alloc(r->sys, (size_t)all, sizeof *r->taps)))
        return bg_fail_memory(err, "a picture", all * sizeof *r->taps);
    float *tap = r->taps;
    for (uint32_t k = 0; k < r->width; k++) {
        double sum = 0;
        for (uint32_t i = 0; i < r->count[k]; i++)
            sum += triangle(r->window.x, r->window.width, r->width, k, r->first[k] + i);
        for (uint32_t i = 0; i < r->count[k]; i++)
            *tap++ = (float)(sum > 0 ? triangle(r->window.x, r->window.width, r->width, k, r->first[k] + i) / sum : 1.0 / r->count[k]);
    }
    return BG_OK;
}

bg_status resample_open(resample *r, const resample_window *window, uint32_t source_width, uint32_t width, uint32_t height, const bg_sys *sys, bg_error *err)
{
    *r = (resample){ .sys = sys, .window = *window, .source_width = source_width, .width = width, .height = height };
    r->sum = bg_alloc_zero(sys, (size_t)width * height, 3 * sizeof *r->sum);
    r->weight = bg_alloc_zero(sys, height, sizeof *r->weight);
    r->line = bg_alloc(sys, width, 3 * sizeof *r->line);
    r->first = bg_alloc(sys, width, sizeof *r->first);
    r->count = bg_alloc(sys, width, sizeof *r->count);
    bg_status s = r->sum && r->weight && r->line && r->first && r->count ? make_taps(r, err) : bg_fail_memory(err, "a picture", (uint64_t)width * height * 12);
    if (s != BG_OK)
        resample_close(r);
    return s;
}

void resample_close(resample *r)
{
    bg_free(r->sys, r->taps);
    bg_free(r->sys, r->count);
    bg_free(r->sys, r->first);
    bg_free(r->sys, r->line);
    bg_free(r->sys, r->weight);
    bg_free(r->sys, r->sum);
    memset(r, 0, sizeof *r);
}

void resample_rows(const resample *r, uint32_t source_height, uint32_t *first, uint32_t *last)
{
    uint32_t end;
    span(r->window.y, r->window.height, r->height, 0, source_height, first, &end);
    span(r->window.y, r->window.height, r->height, r->height - 1, source_height, &end, last);
}

static void shrink_line(resample *r, const uint8_t *rgb)
{
    const float *tap = r->taps;
    for (uint32_t k = 0; k < r->width; k++) {
        const uint8_t *p = rgb + 3 * (size_t)r->first[k];
        float red = 0, green = 0, blue = 0;
        for (uint32_t i = 0; i < r->count[k]; i++, p += 3, tap++) {
            red += *tap * p[0];
            green += *tap * p[1];
            blue += *tap * p[2];
        }
        r->line[3 * k] = red;
        r->line[3 * k + 1] = green;
        r->line[3 * k + 2] = blue;
    }
}

void resample_add(resample *r, uint32_t y, const uint8_t *rgb)
{
    const double scale = r->window.height / r->height, reach = scale > 1 ? scale : 1;
    const double at = (y + 0.5 - r->window.y) / scale, around = reach / scale;
    const uint32_t low = (uint32_t)fmax(floor(at - around - 1), 0), high = (uint32_t)fmax(fmin(ceil(at + around), r->height - 1.0), 0);
    int made = 0;
    for (uint32_t k = low; k <= high && k < r->height; k++) {
        const float w = (float)triangle(r->window.y, r->window.height, r->height, k, y);
        if (w <= 0)
            continue;
        if (!made)
            shrink_line(r, rgb);
        made = 1;
        float *to = r->sum + 3 * (size_t)k * r->width;
        for (size_t i = 0; i < 3 * (size_t)r->width; i++)
            to[i] += w * r->line[i];
        r->weight[k] += w;
    }
}

void resample_result(const resample *r, uint32_t y, uint8_t *rgb)
{
    const float *from = r->sum + 3 * (size_t)y * r->width, w = r->weight[y] > 0 ? r->weight[y] : 1;
    for (size_t i = 0; i < 3 * (size_t)r->width; i++) {
        const float v = from[i] / w + 0.5f;
        rgb[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}
