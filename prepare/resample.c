/* See resample.h.  The sums of all new points are kept, so that an old row is looked at once and forgotten. */
#include "prepare/resample.h"

#include <string.h>

enum { ONE = 1 << 14 }; /* the weights of a cubic's four points add up to it */

/* --- weights --------------------------------------------------------------------------------- */

/* In steps of 1/(from*to) of the picture: new point i covers [i*from, (i+1)*from), old point k covers [k*to, (k+1)*to). */
static size_t area(resample_axis *a, uint32_t i, size_t at)
{
    const uint64_t begin = (uint64_t)i * a->from, end = begin + a->from;
    const uint32_t first = (uint32_t)(begin / a->to), last = (uint32_t)((end - 1) / a->to);
    a->taps[i] = (struct resample_taps){ first, last - first + 1, at };
    for (uint64_t k = first; k <= last; k++) {
        const uint64_t left = k * a->to > begin ? k * a->to : begin, right = (k + 1) * a->to < end ? (k + 1) * a->to : end;
        a->weights[at++] = (int32_t)(right - left);
    }
    return at;
}

/* n*ONE / d, rounded. */
static int32_t share(int64_t n, int64_t d)
{
    const int64_t x = n * ONE;
    return (int32_t)((x < 0 ? x - d / 2 : x + d / 2) / d);
}

/* Between the middles of old points k and k+1, t = n/d of the way; points beyond the edge are those at the edge. */
static size_t cubic(resample_axis *a, uint32_t i, size_t at)
{
    const int64_t d = 2 * (int64_t)a->to, place = (2 * (int64_t)i + 1) * a->from - a->to; /* in steps of 1/d */
    const int64_t k = place < 0 ? -1 : place / d, n = place - k * d, n2 = n * n, n3 = n2 * n, d3 = d * d * d;
    int32_t w[4] = { share(-n3 + 2 * n2 * d - n * d * d, 2 * d3), share(3 * n3 - 5 * n2 * d + 2 * d3, 2 * d3), share(-3 * n3 + 4 * n2 * d + n * d * d, 2 * d3),
                     share(n3 - n2 * d, 2 * d3) };
    w[2 * n < d ? 1 : 2] += ONE - w[0] - w[1] - w[2] - w[3]; /* what rounding left over */
    const int64_t edge = (int64_t)a->from - 1, first = k - 1 < 0 ? 0 : k - 1, last = k + 2 > edge ? edge : k + 2;
    a->taps[i] = (struct resample_taps){ (uint32_t)first, (uint32_t)(last - first + 1), at };
    memset(a->weights + at, 0, (size_t)(last - first + 1) * sizeof *a->weights);
    for (int64_t j = 0; j < 4; j++) {
        const int64_t point = k - 1 + j, inside = point < first ? first : point > last ? last : point;
        a->weights[at + (size_t)(inside - first)] += w[j];
    }
    return at + (size_t)(last - first + 1);
}

static bg_status open_axis(resample_axis *a, const bg_sys *sys, uint32_t from, uint32_t to, bg_error *err)
{
    const size_t most = to > from ? 4 * (size_t)to : (size_t)from + to; /* weights */
    *a = (resample_axis){ .from = from, .to = to, .total = to > from ? ONE : from };
    a->taps = bg_alloc(sys, to, sizeof *a->taps);
    a->weights = bg_alloc(sys, most, sizeof *a->weights);
    if (!a->taps || !a->weights)
        return bg_fail_memory(err, "the weights of a picture's points", most * sizeof *a->weights);
    size_t at = 0;
    for (uint32_t i = 0; i < to; i++)
        at = to > from ? cubic(a, i, at) : area(a, i, at);
    return BG_OK;
}

/* --- rows ------------------------------------------------------------------------------------ */

bg_status resample_open(resampler *r, const bg_sys *sys, uint32_t width, uint32_t height, uint32_t new_width, uint32_t new_height, bg_error *err)
{
    const size_t points = (size_t)new_width * new_height * 3;
    *r = (resampler){ .sys = sys };
    bg_status s = open_axis(&r->x, sys, width, new_width, err);
    if (s == BG_OK)
        s = open_axis(&r->y, sys, height, new_height, err);
    if (s == BG_OK) {
        r->row = bg_alloc(sys, 3 * (size_t)new_width, sizeof *r->row);
        r->sums = bg_alloc_zero(sys, points, sizeof *r->sums);
        if (!r->row || !r->sums)
            s = bg_fail_memory(err, "a picture", points * sizeof *r->sums);
    }
    if (s != BG_OK)
        resample_close(r);
    return s;
}

void resample_close(resampler *r)
{
    bg_free(r->sys, r->x.taps);
    bg_free(r->sys, r->x.weights);
    bg_free(r->sys, r->y.taps);
    bg_free(r->sys, r->y.weights);
    bg_free(r->sys, r->row);
    bg_free(r->sys, r->sums);
}

static void narrow(resampler *r, const uint8_t *rgb)
{
    for (uint32_t i = 0; i < r->x.to; i++) {
        const struct resample_taps t = r->x.taps[i];
        const int32_t *w = r->x.weights + t.at;
        const uint8_t *p = rgb + 3 * (size_t)t.first;
        int64_t sum[3] = { 0, 0, 0 };
        for (uint32_t k = 0; k < t.count; k++, p += 3)
            for (int c = 0; c < 3; c++)
                sum[c] += (int64_t)w[k] * p[c];
        memcpy(r->row + 3 * (size_t)i, sum, sizeof sum);
    }
}

void resample_feed(resampler *r, const uint8_t *rgb)
{
    const struct resample_taps *t = r->y.taps;
    const size_t n = 3 * (size_t)r->x.to;
    const uint32_t y = r->next++;
    narrow(r, rgb);
    while (r->low < r->y.to && t[r->low].first + t[r->low].count <= y)
        r->low++;
    for (uint32_t i = r->low; i < r->y.to && t[i].first <= y; i++) {
        const int64_t w = y - t[i].first < t[i].count ? r->y.weights[t[i].at + y - t[i].first] : 0;
        for (size_t k = 0; k < n; k++)
            r->sums[n * i + k] += w * r->row[k];
    }
}

void resample_take(const resampler *r, uint32_t y, uint8_t *rgb)
{
    const size_t n = 3 * (size_t)r->x.to;
    const int64_t total = r->x.total * r->y.total, most = 255 * total;
    for (size_t k = 0; k < n; k++) {
        const int64_t sum = r->sums[n * y + k];
        rgb[k] = (uint8_t)(((sum < 0 ? 0 : sum > most ? most : sum) + total / 2) / total);
    }
}
