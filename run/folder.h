/* The files of a run folder, and notices about them. */
#ifndef BG_RUN_FOLDER_H
#define BG_RUN_FOLDER_H

#include "base/sys.h"

typedef void bg_notice(void *ctx, const char *sentence);
/* One formatted sentence for a callback that may be NULL. */
void bg_notify(bg_notice *notice, void *ctx, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* FOLDER/NAME, NULL without memory; released with bg_free(). */
char *bg_folder_path(const bg_sys *sys, const char *folder, const char *name);
/* FOLDER/checkpoint-STEP.safetensors, likewise. */
char *bg_checkpoint_path(const bg_sys *sys, const char *folder, uint64_t step);
bg_status bg_fail_path(bg_error *err, const char *folder);

/* Steps of the checkpoints in a folder, ascending; a missing folder has none.
 * The caller frees *steps. */
bg_status bg_folder_checkpoints(uint64_t **steps, size_t *count, const bg_sys *sys, const char *folder, bg_error *err);

/* One process at a time writes a run.  Holds until the descriptor is closed, which the system does for a killed process. */
bg_status bg_folder_lock(int *fd, const bg_sys *sys, const char *folder, bg_error *err);

/* The settings of a run that is taking the folder over; gone when that is done. */
#define BG_FOLDER_TAKING "config.json.new"
/* Write a text to a name in the folder: aside, fsynced, renamed. */
bg_status bg_folder_write(const bg_sys *sys, const char *folder, const char *name, const char *text, bg_error *err);
/* Finish a take-over: remove what an old run left, make recipe the settings, remove BG_FOLDER_TAKING.  The checkpoints
 * that follow fsync the folder, so none of them ever lies beside BG_FOLDER_TAKING. */
bg_status bg_folder_take(const bg_sys *sys, const char *folder, const char *recipe, bg_error *err);

/* Does the file of this path lie in the folder itself, not below it? */
bg_status bg_folder_is_parent(int *is, const bg_sys *sys, const char *folder, const char *path, bg_error *err);

/* Is file, by whatever name, the model or a checkpoint of the run in the folder? */
bg_status bg_folder_holds(int *holds, const bg_sys *sys, const char *folder, const char *file, bg_error *err);
/* Does the folder hold a run: any name that a new one would replace? */
bg_status bg_folder_has_run(int *has, const bg_sys *sys, const char *folder, bg_error *err);
/* Remove what killed programs left half-written ("NAME.tmp-..."). */
bg_status bg_folder_tidy(const bg_sys *sys, const char *folder, bg_error *err);
/* Remove a run: checkpoints, model and log.  config.json stays to be replaced. */
bg_status bg_folder_remove_run(const bg_sys *sys, const char *folder, bg_error *err);

#endif
