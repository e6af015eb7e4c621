/* Shared by the files that implement include/bgpt.h: public structs turned
 * into the library's own.  Nothing outside api/ includes this or bgpt.h. */
#ifndef BG_API_API_H
#define BG_API_API_H

#include "include/bgpt.h"

#include "model/file.h"
#include "run/evaluate.h"
#include "run/machine.h"

_Static_assert((int)BGPT_OK == (int)BG_OK && (int)BGPT_ERR_FAILED == (int)BG_ERR_FAILED &&
                   (int)BGPT_ERR_ARGUMENT == (int)BG_ERR_ARGUMENT && (int)BGPT_ERR_FORMAT == (int)BG_ERR_FORMAT &&
                   (int)BGPT_ERR_NOT_FOUND == (int)BG_ERR_NOT_FOUND && (int)BGPT_ERR_MEMORY == (int)BG_ERR_MEMORY &&
                   (int)BGPT_ERR_IO == (int)BG_ERR_IO && (int)BGPT_ERR_INTERRUPTED == (int)BG_ERR_INTERRUPTED,
               "bgpt_status and bg_status must have the same values");

/* The caller's hooks as a bg_sys.  Must stay where it is while sys is in use. */
typedef struct bg_api_sys {
    bgpt_hooks hooks;
    bg_sys sys;
} bg_api_sys;

/* opt may be NULL. */
const bg_sys *bg_api_sys_open(bg_api_sys *s, const bgpt_options *opt);

/* Hand an internal error to the caller; returns the status. */
bgpt_status bg_api_return(bgpt_error *to, bg_status status, const bg_error *from);

/* Machine options out of public ones; the level from BGPT_ISA when opt names none. */
bg_machine_options bg_api_machine(const bgpt_options *opt, const bg_sys *sys);

bg_weight_form bg_api_weights(const bgpt_options *opt);

bg_config bg_api_config(const bgpt_config *c);
bgpt_config bg_api_public_config(const bg_config *c);
bgpt_score bg_api_public_score(const bg_score *s);

struct bgpt_model {
    bg_api_sys hooks;
    const bg_sys *sys;
    bg_machine machine;
    bg_model *model;
    bg_meta meta;
    bg_labels labels;
    char *path;
    uint32_t batch, streams;
    uint32_t rows, files; /* what the model is reserved for; 0: nothing yet */
};

/* Reserve the model for `files` whole contexts side by side, once. */
bg_status bg_api_reserve(bgpt_model *m, uint32_t files, bg_error *err);

#endif
