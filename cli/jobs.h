/* Generated files: run requests in groups, write each result whole or not at
 * all, say why it ended.  Shared by generate and convert. */
#ifndef BGPT_CLI_JOBS_H
#define BGPT_CLI_JOBS_H

#include "cli/command.h"
#include <jansson.h>

/* Options that both commands have. */
typedef struct sampling_arguments {
    bool greedy, force, repair;
    uint64_t top_k, max_bytes, streams;
    double top_p, temperature;
} sampling_arguments;

#define SAMPLING_ROWS(type) \
    { NULL, 0, OPTION_HEADING, 0, 0, 0, NULL, NULL, "Sampling" }, \
    { "greedy", 0, OPTION_FLAG, offsetof(type, sampling.greedy), 0, 0, NULL, NULL, "always the most likely byte" }, \
    { "top-k", 0, OPTION_COUNT, offsetof(type, sampling.top_k), 0, 1e9, "0", "K", "only among the K most likely bytes; 0: among all" }, \
    { "top-p", 0, OPTION_REAL, offsetof(type, sampling.top_p), 1e-6, 1, "1", "P", "only among the most likely bytes that together have probability P" }, \
    { "temperature", 0, OPTION_REAL, offsetof(type, sampling.temperature), 0.001, 1000, "1", "T", "below 1: bolder in the likely; above 1: more varied" }, \
    { "max-bytes", 0, OPTION_BYTES, offsetof(type, sampling.max_bytes), 1, 1e15, NULL, "N", \
      "new bytes of a file at most (k and M: thousands, millions); without it, until the model ends the file or its context is full" }, \
    { "streams", 0, OPTION_COUNT, offsetof(type, sampling.streams), 1, 256, "16", "N", \
      "files written side by side; the bytes do not depend on it" }

#define REPAIR_ROW(type) \
    { "repair", 0, OPTION_FLAG, offsetof(type, sampling.repair), 0, 0, NULL, NULL, \
      "of MIDI: make what is written well-formed; the length of a track stands in front of it, where a model can only guess" }

typedef struct job {
    bgpt_request request;
    char *input_path;   /* convert: read when its group comes; NULL: none */
    char *output_path;  /* NULL: standard output, byte by byte */
    uint8_t *input;     /* read bytes, the library's */
    uint8_t *made;
    size_t size, capacity;
    bool begun;         /* standard output has got the prompt */
    bool no_memory;
} job;

typedef struct job_list {
    job *items;
    size_t count;
} job_list;

typedef struct job_setup {
    bgpt_model *model;
    const bgpt_options *machine;
    bgpt_sampling sampling;
    uint64_t max_bytes;
    bool overwrite;
    bool repair;       /* MIDI files are made well-formed */
    bool make_folders; /* outputs lie in a folder of the caller's naming: make what is missing of it */
    /* After each file that was made: its bytes, and its object in `files` or NULL; may be NULL. */
    void (*made)(void *ctx, const job *j, const uint8_t *file, size_t size, json_t *object);
    void *ctx;
    json_t *files; /* an array that gets one object per job, done or not, or NULL */
} job_setup;

/* A new zeroed job at the end; NULL: out of memory. */
job *jobs_add(job_list *list);
void jobs_free(job_list *list);

/* 0, or the exit code after a sentence: --greedy beside other sampling options. */
int sampling_check(const common *c, const sampling_arguments *a, size_t base);

/* 0, or the exit code after a sentence: --repair of another format, or of what leaves byte by byte (out is "-"). */
int repair_check(const sampling_arguments *a, const char *extension, const char *out);

/* Would the bytes of this format disturb a terminal?  The question only counts
 * when standard output is one. */
int check_terminal(const char *extension, bool force);

/* A file that goes into the context, "-" for standard input.  0 and the bytes,
 * released with bgpt_free_data; or the exit code. */
int read_context_file(const char *path, const bgpt_options *o, uint8_t **data, size_t *size);

/* What the typed options mean to the library. */
bgpt_sampling sampling_of(const sampling_arguments *a, uint64_t seed);

/* The output's path, or "standard output". */
const char *job_name(const job *j);

/* To `files` (may be NULL): a file that was not made, why, and the exit code
 * it stands for.  What is not known of it is NULL. */
void jobs_not_made(json_t *files, const char *input, const char *output, int code, const char *why);

/* All jobs.  The worst exit code of them. */
int jobs_run(const job_setup *s, job_list *list);

#endif
