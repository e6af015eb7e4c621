/* Free runs of the simulated processor by a model. */
#include "cli/simcpu_guess.h"
#include "cli/models.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/signals.h"
#include <stdlib.h>
#include <string.h>

int guess_open(bgpt_model **m, const char *path, int weights, uint64_t streams, bgpt_options *o)
{
    o->weights = (bgpt_weights)weights;
    o->max_streams = (unsigned)streams;
    int code = machine_announce(o, NULL, NULL);
    if (code == 0)
        code = model_open(m, path, o);
    if (code == 0)
        code = model_check_extension(*m, path, "bin");
    signals_catch(NULL);
    return code;
}

static int take_bytes(void *ctx, const uint8_t *data, size_t n)
{
    guess *g = ctx;
    if (n > sizeof g->found - g->found_size)
        n = sizeof g->found - g->found_size;
    memcpy(g->found + g->found_size, data, n);
    g->found_size += n;
    return signals_stop();
}

static bgpt_request request_for(guess *g)
{
    const size_t given = BGPT_CPU_MEMORY + BGPT_CPU_STATE;
    memcpy(g->found, g->truth, given);
    g->found_size = given;
    return (bgpt_request){ .extension = "bin", .prompt = g->truth, .prompt_size = given, .max_bytes = g->truth_size - given + BGPT_CPU_STATE,
                           .bytes = take_bytes, .ctx = g };
}

int guess_states(bgpt_model *m, guess *guesses, size_t count)
{
    const bgpt_sampling greedy = { .greedy = 1 };
    bgpt_request *requests = calloc(count, sizeof *requests);
    bgpt_error error = { 0 };
    int code = 0;
    if (requests == NULL)
        return fail(BGPT_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        requests[i] = request_for(&guesses[i]);
    if (bgpt_generate(m, requests, count, &greedy, &error) != BGPT_OK)
        code = fail_with(&error);
    for (size_t i = 0; i < count && code == 0; i++) {
        if (requests[i].status != BGPT_OK)
            code = fail(requests[i].status, "%s: %s", guesses[i].path, requests[i].error.text);
        guesses[i].found_size -= (guesses[i].found_size - BGPT_CPU_MEMORY) % BGPT_CPU_STATE;
    }
    free(requests);
    if (code == 0 && signals_stop())
        code = fail(BGPT_ERR_FAILED, "interrupted");
    return code;
}
