/* Top-k, then top-p, then temperature, in double precision, as the
 * reference's package `samplings` orders them.  Where that crashes (k above
 * the number of symbols) k is taken as all.
 * Refuses settings without meaning and logits that are not finite. */
#include "run/sampling.h"

#include <math.h>
#include <string.h>

bg_status bg_sampling_check(const bg_sampling *s, bg_error *err)
{
    if (!(s->top_p >= 0 && s->top_p <= 1))
        return bg_fail(err, BG_ERR_ARGUMENT, "top-p is %g, but must lie between 0 and 1", s->top_p);
    if (!(s->temperature >= 0 && s->temperature <= 1e6))
        return bg_fail(err, BG_ERR_ARGUMENT, "temperature is %g, but must lie between 0 and 1e6; greedy choice is an option of its own", s->temperature);
    return BG_OK;
}

static int softmax(double probs[BG_VOCAB], const float logits[BG_VOCAB])
{
    double largest = logits[0], sum = 0;
    for (size_t i = 0; i < BG_VOCAB; i++) {
        if (!isfinite(logits[i]))
            return -1;
        largest = fmax(largest, logits[i]);
    }
    for (size_t i = 0; i < BG_VOCAB; i++)
        sum += probs[i] = exp(logits[i] - largest);
    for (size_t i = 0; i < BG_VOCAB; i++)
        probs[i] /= sum;
    return 0;
}

static void normalise(double probs[BG_VOCAB])
{
    double sum = 0;
    for (size_t i = 0; i < BG_VOCAB; i++)
        sum += probs[i];
    for (size_t i = 0; i < BG_VOCAB; i++)
        probs[i] /= sum;
}

/* Does symbol a come before b: more probable, or equally and lower? */
static int before(const double *probs, uint16_t a, uint16_t b)
{
    return probs[a] != probs[b] ? probs[a] > probs[b] : a < b;
}

static void sift_down(const double *probs, uint16_t *heap, size_t at, size_t n)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            return;
        if (child + 1 < n && before(probs, heap[child], heap[child + 1]))
            child++;
        if (!before(probs, heap[at], heap[child]))
            return;
        uint16_t t = heap[at];
        heap[at] = heap[child];
        heap[child] = t;
        at = child;
    }
}

/* Symbols from the most probable on.  Heap sort: no memory, no comparison
 * function that would need a global, and no bad case. */
static void sort_symbols(uint16_t order[BG_VOCAB], const double *probs)
{
    for (size_t i = 0; i < BG_VOCAB; i++)
        order[i] = (uint16_t)i;
    for (size_t i = BG_VOCAB / 2; i-- > 0;)
        sift_down(probs, order, i, BG_VOCAB);
    for (size_t n = BG_VOCAB - 1; n > 0; n--) {
        uint16_t t = order[0]; /* the last in order is at the top: this heap's root comes last */
        order[0] = order[n];
        order[n] = t;
        sift_down(probs, order, 0, n);
    }
}

/* Nothing but the first n symbols of the order stays. */
static void keep_first(double probs[BG_VOCAB], const uint16_t order[BG_VOCAB], size_t n)
{
    for (size_t i = n; i < BG_VOCAB; i++)
        probs[order[i]] = 0;
    normalise(probs);
}

static size_t crossing(const double probs[BG_VOCAB], const uint16_t order[BG_VOCAB], double top_p)
{
    double sum = 0;
    for (size_t i = 0; i < BG_VOCAB; i++) {
        sum += probs[order[i]];
        if (sum > top_p)
            return i + 1; /* the symbol that crosses the threshold stays */
    }
    return BG_VOCAB;
}

int bg_sampling_probabilities(double probs[BG_VOCAB], const float logits[BG_VOCAB], const bg_sampling *s)
{
    uint16_t order[BG_VOCAB];
    if (softmax(probs, logits) != 0)
        return -1;
    int some = s->top_k > 0 && s->top_k < BG_VOCAB, nucleus = s->top_p > 0 && s->top_p < 1;
    if (some || nucleus)
        sort_symbols(order, probs);
    if (some)
        keep_first(probs, order, s->top_k);
    if (nucleus)
        keep_first(probs, order, crossing(probs, order, s->top_p));
    if (s->temperature > 0 && s->temperature != 1) {
        double largest = 0;
        for (size_t i = 0; i < BG_VOCAB; i++)
            largest = fmax(largest, probs[i]);
        for (size_t i = 0; i < BG_VOCAB; i++) /* relative to the largest, so that a low temperature leaves a sum above 0 */
            probs[i] = probs[i] > 0 ? pow(probs[i] / largest, 1 / s->temperature) : 0;
        normalise(probs);
    }
    return 0;
}

static int largest(const float logits[BG_VOCAB])
{
    int best = 0;
    for (int i = 0; i < BG_VOCAB; i++) {
        if (!isfinite(logits[i]))
            return -1;
        if (logits[i] > logits[best])
            best = i;
    }
    return best;
}

int bg_sampling_draw(const float logits[BG_VOCAB], const bg_sampling *s, bg_rng *r)
{
    double probs[BG_VOCAB], sum = 0;
    if (s->greedy)
        return largest(logits);
    double at = bg_rng_double(r);
    if (bg_sampling_probabilities(probs, logits, s) != 0)
        return -1;
    int last = -1;
    for (int i = 0; i < BG_VOCAB; i++) {
        if (probs[i] <= 0)
            continue;
        last = i;
        sum += probs[i];
        if (at < sum)
            return i;
    }
    return last; /* rounding left the sum a little below 1 */
}
