/* Measures a state file against the machine.  Refuses files whose program
 * cannot be run: there is no truth to compare them with. */
#include "simcpu/states.h"

#include <string.h>

bg_status bg_sim_check_size(size_t size, const char *name, bg_error *err)
{
    if (size < BG_SIM_MEMORY)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %zu bytes, a state file has %d of memory before its states", name, size, BG_SIM_MEMORY);
    if ((size - BG_SIM_MEMORY) % BG_SIM_STATE)
        return bg_fail(err, BG_ERR_FORMAT, "%s: %zu bytes are not %d of memory and whole states of %d: %zu too many", name, size,
                       BG_SIM_MEMORY, BG_SIM_STATE, (size - BG_SIM_MEMORY) % BG_SIM_STATE);
    return BG_OK;
}

static unsigned equal_bytes(const uint8_t *a, const uint8_t *b)
{
    unsigned n = 0;
    for (int i = 0; i < BG_SIM_STATE; i++)
        n += a[i] == b[i];
    return n;
}

static void first_wrong(bg_sim_score *sum, bg_sim_verdict verdict, size_t step, const uint8_t *expected, const uint8_t *found)
{
    static const uint8_t none[BG_SIM_STATE];
    if (sum->verdict != BG_SIM_EXACT)
        return;
    sum->verdict = verdict;
    sum->step = step;
    memcpy(sum->expected, expected ? expected : none, BG_SIM_STATE);
    memcpy(sum->found, found ? found : none, BG_SIM_STATE);
}

bg_status bg_sim_evaluate(bg_sim_score *sum, const uint8_t *data, size_t size, const char *name, bg_error *err)
{
    uint8_t truth[BG_SIM_STATES * BG_SIM_STATE], trivial[BG_SIM_STATE];
    const uint8_t *states = data + BG_SIM_MEMORY;
    size_t count;
    BG_TRY(bg_sim_check_size(size, name, err));
    size_t found = (size - BG_SIM_MEMORY) / BG_SIM_STATE;
    if (found == 0)
        return bg_fail(err, BG_ERR_FORMAT, "%s: memory without a state to start from", name);
    BG_TRY(bg_sim_run(data, states, name, truth, &count, err));
    sum->verdict = BG_SIM_EXACT;
    sum->step = 0;
    for (size_t i = 1; i < count; i++) {
        const uint8_t *t = truth + i * BG_SIM_STATE, *f = i < found ? states + i * BG_SIM_STATE : NULL;
        unsigned right = f ? equal_bytes(t, f) : 0;
        memcpy(trivial, t - BG_SIM_STATE, BG_SIM_STATE);
        bg_sim_fetch(trivial, data);
        sum->trivial_right += equal_bytes(t, trivial);
        sum->bytes_right += right;
        sum->states_right += right == BG_SIM_STATE;
        if (right != BG_SIM_STATE)
            first_wrong(sum, f ? BG_SIM_WRONG : BG_SIM_MISSING, i, t, f);
    }
    if (found > count)
        first_wrong(sum, BG_SIM_SURPLUS, count, NULL, states + count * BG_SIM_STATE);
    sum->states += count - 1;
    sum->bytes += (count - 1) * BG_SIM_STATE;
    sum->files++;
    sum->files_right += sum->verdict == BG_SIM_EXACT;
    return BG_OK;
}
