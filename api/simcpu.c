/* The bgpt_cpu_ calls of include/bgpt.h: public arguments turned into those of
 * simcpu/ and back. */
#include "api/api.h"

#include "simcpu/assembly.h"
#include "simcpu/generate.h"
#include "simcpu/states.h"

#include <string.h>

_Static_assert((int)BGPT_CPU_MEMORY == (int)BG_SIM_MEMORY && (int)BGPT_CPU_STATE == (int)BG_SIM_STATE &&
                   (int)BGPT_CPU_FILE == (int)BG_SIM_FILE && (int)BGPT_CPU_TEXT == (int)BG_SIM_TEXT,
               "sizes as in simcpu/");
_Static_assert((int)BGPT_CPU_TABLE == (int)BG_SIM_TABLE && (int)BGPT_CPU_LISTING == (int)BG_SIM_LISTING &&
                   (int)BGPT_CPU_REFERENCE == (int)BG_SIM_REFERENCE,
               "bgpt_cpu_style and bg_sim_style must have the same values");
_Static_assert((int)BGPT_CPU_EXACT == (int)BG_SIM_EXACT && (int)BGPT_CPU_WRONG == (int)BG_SIM_WRONG &&
                   (int)BGPT_CPU_MISSING == (int)BG_SIM_MISSING && (int)BGPT_CPU_SURPLUS == (int)BG_SIM_SURPLUS,
               "bgpt_cpu_verdict and bg_sim_verdict must have the same values");

bgpt_status bgpt_cpu_assemble(const char *text, size_t size, const char *name, uint8_t image[1024 + 16], bgpt_error *err)
{
    bg_error e;
    return bg_api_return(err, bg_sim_assemble(text, size, name, image, &e), &e);
}

int bgpt_cpu_instruction(const uint8_t code[4], char text[BGPT_CPU_TEXT])
{
    return bg_sim_instruction(code, text);
}

static bg_status run(const uint8_t *data, size_t size, const char *name, uint8_t *file, size_t *file_size, bg_error *e)
{
    static const uint8_t zero[BG_SIM_STATE];
    size_t states = 0;
    *file_size = 0;
    BG_TRY(bg_sim_check_size(size, name, e));
    memcpy(file, data, BG_SIM_MEMORY);
    BG_TRY(bg_sim_run(data, size > BG_SIM_MEMORY ? data + BG_SIM_MEMORY : zero, name, file + BG_SIM_MEMORY, &states, e));
    *file_size = BG_SIM_MEMORY + states * BG_SIM_STATE;
    return BG_OK;
}

bgpt_status bgpt_cpu_run(const uint8_t *data, size_t size, const char *name, uint8_t file[BGPT_CPU_FILE], size_t *file_size, bgpt_error *err)
{
    bg_error e;
    return bg_api_return(err, run(data, size, name, file, file_size, &e), &e);
}

bgpt_status bgpt_cpu_translate(const uint8_t *data, size_t size, const char *name, bgpt_cpu_style style, uint8_t **text, size_t *text_size,
                               const bgpt_options *opt, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    bg_text t;
    bg_text_open(&t, bg_api_sys_open(&hooks, opt));
    bg_text_raw(&t, "", 0); /* a string even when there is nothing to say */
    bg_status s = bg_sim_check_size(size, name, &e);
    if (s == BG_OK)
        s = bg_sim_text(&t, data, size, name, (bg_sim_style)style, &e);
    *text = s == BG_OK ? (uint8_t *)t.data : NULL;
    *text_size = s == BG_OK ? t.size : 0;
    if (s != BG_OK)
        bg_text_close(&t);
    return bg_api_return(err, s, &e);
}

bgpt_status bgpt_cpu_evaluate(bgpt_cpu_score *sum, const uint8_t *data, size_t size, const char *name, bgpt_error *err)
{
    bg_sim_score one = { 0 };
    bg_error e;
    bg_status s = bg_sim_evaluate(&one, data, size, name, &e);
    if (s != BG_OK)
        return bg_api_return(err, s, &e);
    sum->files += one.files;
    sum->files_right += one.files_right;
    sum->states += one.states;
    sum->states_right += one.states_right;
    sum->bytes += one.bytes;
    sum->bytes_right += one.bytes_right;
    sum->trivial_right += one.trivial_right;
    sum->verdict = (bgpt_cpu_verdict)one.verdict;
    sum->step = one.step;
    memcpy(sum->expected, one.expected, BG_SIM_STATE);
    memcpy(sum->found, one.found, BG_SIM_STATE);
    return bg_api_return(err, BG_OK, NULL);
}

bgpt_status bgpt_cpu_generate(const bgpt_cpu_folder *f, const bgpt_options *opt, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    bg_pool *pool = NULL;
    const bg_sys *sys = bg_api_sys_open(&hooks, opt);
    const bg_sim_folder folder = {
        .out = f->out, .seed = f->seed, .train = f->train, .test = f->test, .least = f->min ? f->min : 1, .most = f->max ? f->max : 255,
        .overwrite = f->overwrite, .progress = f->progress, .ctx = f->ctx,
    };
    bg_status s = bg_pool_open(&pool, sys, opt ? opt->threads : 0, &e);
    if (s == BG_OK)
        s = bg_sim_write_folder(&folder, pool, sys, &e);
    if (pool)
        bg_pool_close(pool);
    return bg_api_return(err, s, &e);
}

bgpt_status bgpt_cpu_program(uint64_t seed, uint64_t index, int test, uint32_t min, uint32_t max, uint8_t file[BGPT_CPU_FILE], size_t *size,
                             bgpt_error *err)
{
    const uint32_t least = min ? min : 1, most = max ? max : 255;
    bg_error e;
    bg_status s = BG_OK;
    if (least > most || most > BG_SIM_SLOTS || index >= BG_SIM_TEST)
        s = bg_fail(&e, BG_ERR_ARGUMENT, "program %llu of %u to %u instructions: 1 to %d fit, below number 2^63", (unsigned long long)index, least, most, BG_SIM_SLOTS);
    else
        bg_sim_instance(seed, test ? BG_SIM_TEST + index : index, &(bg_sim_draw){ least, most, 0 }, file, size);
    return bg_api_return(err, s, &e);
}
