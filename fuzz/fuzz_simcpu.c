/* libFuzzer target: the assembler on any text, and a state file of any bytes.
 * Beyond what the sanitizers see: a listing assembles to the same memory and
 * start, and what the machine made is judged right. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "simcpu/assembly.h"
#include "simcpu/states.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_image(const uint8_t *image)
{
    uint8_t file[BG_SIM_FILE], again[BG_SIM_IMAGE];
    size_t states;
    bg_sim_score score = { 0 };
    bg_text t;
    bg_text_open(&t, bg_sys_default());
    if (bg_sim_text(&t, image, BG_SIM_IMAGE, "image", BG_SIM_LISTING, NULL) != BG_OK
        || bg_sim_assemble(t.data, t.size, "listing", again, NULL) != BG_OK || memcmp(again, image, BG_SIM_IMAGE) != 0)
        abort();
    bg_sim_text(&t, image, BG_SIM_IMAGE, "image", BG_SIM_REFERENCE, NULL);
    bg_text_close(&t);
    memcpy(file, image, BG_SIM_MEMORY);
    if (bg_sim_run(image, image + BG_SIM_MEMORY, "image", file + BG_SIM_MEMORY, &states, NULL) != BG_OK)
        return;
    if (bg_sim_evaluate(&score, file, BG_SIM_MEMORY + states * BG_SIM_STATE, "file", NULL) != BG_OK || score.bytes_right != score.bytes)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t image[BG_SIM_IMAGE] = { 0 };
    bg_error err = { BG_OK, "" };
    if (bg_sim_assemble((const char *)data, size, "text", image, &err) == BG_OK)
        check_image(image);
    else if (err.code != BG_ERR_FORMAT || strncmp(err.text, "text:", 5) != 0)
        abort();
    memset(image, 0, sizeof image);
    memcpy(image, data, size < sizeof image ? size : sizeof image);
    check_image(image);
    return 0;
}
