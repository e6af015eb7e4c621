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

/* What every processor has: two doubles, four floats. */
typedef double pair __attribute__((vector_size(16)));
typedef int64_t pair_bits __attribute__((vector_size(16)));
typedef float four __attribute__((vector_size(16)));
typedef int32_t four_bits __attribute__((vector_size(16)));
enum { PAIRS = (BG_VOCAB + 1) / 2, FOURS = BG_VOCAB / 4 };
_Static_assert(BG_VOCAB % 4 == 1, "one symbol is left over");

/* The largest logit in *to; -1 when one is not finite. */
static int largest_logit(float *to, const float logits[BG_VOCAB])
{
    const float last = logits[BG_VOCAB - 1];
    four most = { last, last, last, last }, bad = most * 0; /* NaN of NaN and of infinity */
    for (size_t i = 0; i < FOURS; i++) {
        four x;
        memcpy(&x, logits + 4 * i, sizeof x);
        const four_bits more = x > most;
        bad += x * 0;
        most = (four)(((four_bits)x & more) | ((four_bits)most & ~more));
    }
    *to = fmaxf(fmaxf(most[0], most[1]), fmaxf(most[2], most[3]));
    return isnan(bad[0] + bad[1] + bad[2] + bad[3]) ? -1 : 0;
}

/* e^x for x <= 0, with a relative error below 1e-14; below -700 it stays e^-700.  Our own: quicker, and a mathematical
 * library may give other bits on another processor.
 * x = n ln 2 + f, |f| <= ln 2 / 2, and Taylor's polynomial of degree 12 of e^f in powers of f^2, so
 * that less waits for what is before it. */
static pair exp_pair(pair x)
{
    const pair low = { -700, -700 }, round = { 0x1.8p52, 0x1.8p52 }; /* adding it leaves an integer in the low bits */
    const pair_bits above = x > low;
    x = (pair)(((pair_bits)x & above) | ((pair_bits)low & ~above));
    const pair shifted = x * 1.4426950408889634 + round, n = shifted - round;
    const pair f = x - n * 0x1.62e42fefa3800p-1 - n * 0x1.ef35793c76730p-45; /* ln 2 in two parts: n times the first is exact */
    const pair f2 = f * f, f4 = f2 * f2;
    const pair a = 1.0 + f + f2 * (1.0 / 2 + f * (1.0 / 6));
    const pair b = 1.0 / 24 + f * (1.0 / 120) + f2 * (1.0 / 720 + f * (1.0 / 5040));
    const pair c = 1.0 / 40320 + f * (1.0 / 362880) + f2 * (1.0 / 3628800 + f * (1.0 / 39916800));
    const pair p = a + f4 * (b + f4 * (c + f4 * (1.0 / 479001600)));
    return (pair)((pair_bits)p + ((pair_bits)shifted << 52));
}

/* e to the power of (logits - their largest) * factor, and the sum; -1 when a logit is not finite. */
static int exponentials(double e[2 * PAIRS], double *sum, const float logits[BG_VOCAB], double factor)
{
    float largest;
    if (largest_logit(&largest, logits) != 0)
        return -1;
    pair sums[2] = { { 0 }, { 0 } };
    for (size_t i = 0; i < BG_VOCAB / 2; i++) {
        const pair x = { (double)logits[2 * i], (double)logits[2 * i + 1] };
        const pair v = exp_pair((x - (double)largest) * factor);
        memcpy(e + 2 * i, &v, sizeof v);
        sums[i % 2] += v;
    }
    const double last = ((double)logits[BG_VOCAB - 1] - (double)largest) * factor;
    e[BG_VOCAB - 1] = exp_pair((pair){ last, last })[0];
    e[BG_VOCAB] = 0;
    sums[0] += sums[1];
    *sum = sums[0][0] + sums[0][1] + e[BG_VOCAB - 1];
    return 0;
}

static int softmax(double probs[BG_VOCAB], const float logits[BG_VOCAB])
{
    double e[2 * PAIRS], sum;
    if (exponentials(e, &sum, logits, 1) != 0)
        return -1;
    for (size_t i = 0; i < BG_VOCAB; i++)
        probs[i] = e[i] / sum;
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
        if (child + 1 < n && before(probs, heap[child + 1], heap[child]))
            child++;
        if (!before(probs, heap[child], heap[at]))
            return;
        uint16_t t = heap[at];
        heap[at] = heap[child];
        heap[child] = t;
        at = child;
    }
}

/* Symbols from the most probable on, as far as they are asked for: mostly few are. */
typedef struct ranking {
    const double *probs;
    uint16_t heap[BG_VOCAB];
    size_t left;
} ranking;

static void rank_symbols(ranking *r, const double *probs)
{
    r->probs = probs;
    r->left = BG_VOCAB;
    for (size_t i = 0; i < BG_VOCAB; i++)
        r->heap[i] = (uint16_t)i;
    for (size_t i = BG_VOCAB / 2; i-- > 0;)
        sift_down(probs, r->heap, i, BG_VOCAB);
}

static uint16_t next_symbol(ranking *r)
{
    const uint16_t symbol = r->heap[0];
    r->heap[0] = r->heap[--r->left];
    sift_down(r->probs, r->heap, 0, r->left);
    return symbol;
}

/* Nothing but the first `count` symbols stays, or those up to the one that crosses the threshold. */
static void keep_first(double probs[BG_VOCAB], size_t count, double top_p)
{
    ranking r;
    double kept[BG_VOCAB] = { 0 }, sum = 0;
    rank_symbols(&r, probs);
    for (size_t i = 0; i < count; i++) {
        const uint16_t symbol = next_symbol(&r);
        kept[symbol] = probs[symbol];
        sum += probs[symbol];
        if (sum > top_p)
            break; /* the symbol that crosses the threshold stays */
    }
    memcpy(probs, kept, sizeof kept);
    normalise(probs);
}

static int cuts_k(const bg_sampling *s) { return s->top_k > 0 && s->top_k < BG_VOCAB; }
static int cuts_p(const bg_sampling *s) { return s->top_p > 0 && s->top_p < 1; }

int bg_sampling_probabilities(double probs[BG_VOCAB], const float logits[BG_VOCAB], const bg_sampling *s)
{
    if (softmax(probs, logits) != 0)
        return -1;
    if (cuts_k(s))
        keep_first(probs, s->top_k, INFINITY);
    if (cuts_p(s))
        keep_first(probs, BG_VOCAB, s->top_p);
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

/* The first symbol at which the sum passes `at`. */
static int draw(const double weights[BG_VOCAB], double at)
{
    double sum = 0;
    int last = -1;
    for (int i = 0; i < BG_VOCAB; i++) {
        if (weights[i] <= 0)
            continue;
        last = i;
        sum += weights[i];
        if (at < sum)
            return i;
    }
    return last; /* rounding left the sum a little below what it should be */
}

int bg_sampling_draw(const float logits[BG_VOCAB], const bg_sampling *s, bg_rng *r)
{
    double probs[BG_VOCAB];
    if (s->greedy)
        return largest(logits);
    const double at = bg_rng_double(r);
    if (!cuts_k(s) && !cuts_p(s)) { /* a temperature alone divides the logits */
        double e[2 * PAIRS], sum;
        return exponentials(e, &sum, logits, s->temperature > 0 ? fmin(1 / s->temperature, 1e300) : 1) == 0 ? draw(e, at * sum) : -1;
    }
    return bg_sampling_probabilities(probs, logits, s) == 0 ? draw(probs, at) : -1;
}
