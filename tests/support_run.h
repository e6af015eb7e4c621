/* Helpers for tests that train: a small data set, the smallest model, hooks
 * that fail, and comparisons of what two runs left behind. */
#ifndef BG_TESTS_SUPPORT_RUN_H
#define BG_TESTS_SUPPORT_RUN_H

#include "bgpt.h"
#include "tests/support_fs.h"

/* Nine text files (one empty, one longer than the context) in FOLDER/data, two
 * more in FOLDER/validation, two pairs .aa/.bb in FOLDER/pairs, and labelled ones in FOLDER/classes. */
void run_write_data(const char *folder);

/* A run over FOLDER/data into FOLDER/OUT: H 64, 1+1 layers, N 16, P 8, batch 2, 6 steps.
 * The structs point into `r`, which must stay. */
typedef struct run_setup {
    bgpt_train train;
    bgpt_options options;
    bgpt_hooks hooks;    /* libc's, but for fsync, which the comparisons do not need and which takes most of the time */
    const char *data[1], *validation[1];
    char paths[3][512];
    char notices[4096];  /* all notices, a line each */
    uint64_t stop_at;    /* interrupt after this step; 0: never */
    uint64_t stop_at_poll; /* say stop when an evaluation asks for this time, from 1; 0: never */
    uint64_t polls;
    const char *remove;  /* not NULL: this file is removed after step 3 */
    uint64_t steps_seen;
    double last_loss, last_bytes, last_val, best_val; /* best_val and best_step live on over a resume */
    uint64_t best_step;
    fault_sys *count;    /* not NULL: the allocations of steps without evaluation and checkpoint are counted */
    uint64_t counted, steps_counted, calls_before;
    int count_from_here;
} run_setup;
void run_prepare(run_setup *r, const char *folder, const char *out);
/* The same for 12 steps with validation, dropout, accumulation and patch
 * sampling: every kind of random number and the best model take part. */
void run_prepare_long(run_setup *r, const char *folder, const char *out);
/* Train; on a status other than `wanted` print the sentence and return 0.  err may be NULL. */
int run_train(run_setup *r, bgpt_status wanted, bgpt_error *err);

/* The folder that the tests of a group work in, with the data of run_write_data: set-up and
 * tear-down of the group, and a path below it as fs_path gives it. */
extern char *run_folder;
int run_set_up(void **state);
int run_tear_down(void **state);
const char *run_in(const char *name);
/* What other runs are compared with: run_prepare_long's into "whole", trained once. */
void run_whole(void);

/* Whole files, and safetensors files without their headers (times stand in them). */
int run_same_file(const char *a, const char *b);
int run_same_tensors(const char *a, const char *b);
/* log.jsonl of two run folders, the field "seconds" left out. */
int run_same_log(const char *folder_a, const char *folder_b);
/* All three: model.safetensors, the checkpoint of `step`, the log. */
int run_same_run(const char *folder_a, const char *folder_b, unsigned step);

/* Remove the files of FOLDER/SUB whose names hold `part` ("" is all of them). */
void run_remove(const char *folder, const char *sub, const char *part);

/* Public hooks in front of a fault_sys; fsync is counted, but not waited for. */
bgpt_hooks run_hooks(fault_sys *f);

/* Flip one bit of a file, a `share` of the way through it; cut it; copy it. */
void run_flip(const char *path, double share);
void run_cut(const char *path, double share);
void run_copy(const char *from, const char *to);

#endif
