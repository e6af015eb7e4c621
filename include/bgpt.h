/* bgpt: byte models (bGPT, arXiv 2402.19155) as a C library.
 *
 * A byte model reads any file as bytes and predicts the next byte.  This
 * header is all a program needs: train, evaluate, generate, convert,
 * classify, inspect, and exchange weights with the published reference.
 *
 * Conventions
 *   - A fallible call returns a bgpt_status and, on failure, fills err (may be
 *     NULL) with one sentence naming the file, tensor or number at fault.
 *   - The library never prints, never exits, has no globals and installs no
 *     signal handlers.  Strings are UTF-8; paths are as the system has them.
 *   - A bgpt_model must not be used from two threads at once; two models may.
 *   - Structs that the caller fills start as zero ({0}): zero is the default of every field.
 *     `const char *` results live as long as the object that gave them. */
#ifndef BGPT_H
#define BGPT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BGPT_API __attribute__((visibility("default")))
#else
#define BGPT_API
#endif

#define BGPT_VERSION_MAJOR 0
#define BGPT_VERSION_MINOR 1
#define BGPT_VERSION_PATCH 0

/* "0.1.0", of the library in use. */
BGPT_API const char *bgpt_version(void);

typedef enum bgpt_status {
    BGPT_OK = 0,
    BGPT_ERR_FAILED,     /* could not be done (a diverged training, say) */
    BGPT_ERR_ARGUMENT,   /* an option or argument makes no sense */
    BGPT_ERR_FORMAT,     /* an input file or model is wrong */
    BGPT_ERR_NOT_FOUND,  /* an input file is missing or unreadable */
    BGPT_ERR_MEMORY,     /* out of memory */
    BGPT_ERR_IO,         /* writing failed: disk full, no permission */
    BGPT_ERR_INTERRUPTED /* stopped on request; all is saved */
} bgpt_status;

typedef struct bgpt_error {
    bgpt_status code;
    char text[512];
} bgpt_error;

/* The process exit code that goes with a status: 0, 1, 2, 3, 3, 5, 5, 75. */
BGPT_API int bgpt_exit_code(bgpt_status s);

/* --- hooks: memory and files ----------------------------------------------
 * Every allocation and every file call of the library goes through these, but
 * for two small ones of libraries below: the C library's qsort may allocate while a list of
 * files is sorted, and libzip allocates its own tables while a .pth is read.
 * Functions behave like their POSIX namesakes (-1 and errno). */
typedef struct bgpt_file_stat {
    int kind; /* 0 regular file, 1 folder, 2 anything else */
    uint64_t size, device, inode;
} bgpt_file_stat;

typedef struct bgpt_hooks {
    void *ctx;
    void *(*alloc)(void *ctx, size_t bytes);
    void (*free)(void *ctx, void *p);
    int (*open)(void *ctx, const char *path, int flags, int mode);
    ssize_t (*pread)(void *ctx, int fd, void *buf, size_t n, uint64_t offset);
    ssize_t (*read)(void *ctx, int fd, void *buf, size_t n);
    ssize_t (*write)(void *ctx, int fd, const void *buf, size_t n);
    int (*fsync)(void *ctx, int fd);
    int (*truncate)(void *ctx, int fd, uint64_t size);
    int (*close)(void *ctx, int fd);
    int (*stat)(void *ctx, const char *path, bgpt_file_stat *out);
    int (*fstat)(void *ctx, int fd, bgpt_file_stat *out);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*unlink)(void *ctx, const char *path);
    int (*mkdir)(void *ctx, const char *path, int mode);
    void *(*opendir)(void *ctx, const char *path);
    int (*readdir)(void *ctx, void *dir, char name[256]); /* 1 entry, 0 end, -1 error */
    int (*closedir)(void *ctx, void *dir);
} bgpt_hooks;

/* libc's: copy, replace what you want, hand over. */
BGPT_API bgpt_hooks bgpt_default_hooks(void);

/* --- machine ------------------------------------------------------------- */
typedef enum bgpt_precision { BGPT_FAST = 0, BGPT_FP32 } bgpt_precision;

/* Weights of an open model, for all that does not train. */
typedef enum bgpt_weights {
    BGPT_WEIGHTS_FULL = 0, /* in the arithmetic of the precision */
    BGPT_WEIGHTS_INT8      /* those of linear layers in 8 bits, with a scale for each output: so little
                            * is read for a byte that sequences are generated faster */
} bgpt_weights;

typedef struct bgpt_options {
    unsigned threads;          /* 0: as many as the process may use; at most 256 */
    bgpt_precision precision;  /* fast: the quickest the machine has; fp32: fp32 products */
    const char *isa;           /* NULL: BGPT_ISA from the environment, else the best present */
    const bgpt_hooks *hooks;   /* NULL: libc */
    unsigned max_streams;      /* sequences generated side by side at most (default 16) */
    unsigned batch;            /* files evaluated side by side (default 8) */
    bgpt_weights weights;      /* of models that are opened, and of generation and evaluation in bgpt_bench_run() */
} bgpt_options;

/* Names of the level and arithmetic that options lead to on this machine,
 * e.g. "avx512" and "fp32". */
BGPT_API bgpt_status bgpt_machine(const bgpt_options *opt, const char **isa, const char **precision, unsigned *threads, bgpt_error *err);

/* --- a model --------------------------------------------------------------- */
typedef struct bgpt_model bgpt_model;

typedef struct bgpt_config {
    uint32_t hidden, patch_layers, byte_layers, byte_hidden, patches, patch_size, classes;
    /* What the byte decoder sees of the patch before, beside the feature (the reference has no such models): 1: at each
     * position the byte one patch earlier; 2: all its bytes, by attention to keys from tables; 3: both;
     * 4: 1, and all its bytes by attention to positions in front, which go through the layers like the rest. */
    uint32_t previous;
    /* Rows of each of three tables whose rows, chosen by a hash of the last 2, 3 and 4 bytes, are added to the byte
     * decoder's inputs (likewise); 0: none; at most 65536. */
    uint32_t grams;
    /* 1: a table whose rows are added to the byte decoder's inputs (likewise), chosen by the byte that followed when the last
     * 3 to 48 bytes stood in the file before; 0: none. */
    uint32_t match;
    /* Rows of each of three tables of which, for each patch, the rows of the 3, 4 and 5 bytes up to each of its bytes are added
     * to the patch decoder's input (likewise); 0: none; at most 65536. */
    uint32_t patch_grams;
    /* 1: in the patch decoder queries and keys are turned by angles in proportion to their patch's place (rotary positions, Su et
     * al. 2021), so that attention sees how far apart patches are instead of the place of each (likewise); 0: not. */
    uint32_t rotary;
    /* In each layer of the patch decoder, before attention and before the feed-forward part, a patch gets the vectors of so many
     * patches in front of it, weighed by learnt weights for each distance and column (likewise); 0: none; at most 16. */
    uint32_t conv;
} bgpt_config;

/* Open a model file.  On success *out is the caller's, released with
 * bgpt_close(); on failure *out is NULL. */
BGPT_API bgpt_status bgpt_open(bgpt_model **out, const char *path, const bgpt_options *opt, bgpt_error *err);
BGPT_API void bgpt_close(bgpt_model *m);

BGPT_API bgpt_config bgpt_get_config(const bgpt_model *m);
BGPT_API uint64_t bgpt_parameters(const bgpt_model *m);
BGPT_API const char *bgpt_label(const bgpt_model *m, uint32_t i); /* NULL beyond the last */
/* Metadata i of the file, 0 when there is none. */
BGPT_API int bgpt_metadata(const bgpt_model *m, size_t i, const char **key, const char **value);

typedef struct bgpt_tensor_info {
    const char *name;
    uint32_t dims;
    uint64_t shape[2];
    double mean, std, min, max; /* filled by bgpt_tensor_check only */
} bgpt_tensor_info;
BGPT_API int bgpt_tensor(const bgpt_model *m, size_t i, bgpt_tensor_info *out);
/* Reads every value. */
BGPT_API bgpt_status bgpt_tensor_check(bgpt_model *m, size_t i, bgpt_tensor_info *out, bgpt_error *err);

/* --- data ------------------------------------------------------------------- */
/* Files, folders (walked, sorted by name) and "@list.txt" (a path a line). */
typedef struct bgpt_data {
    const char *const *paths;
    size_t count;
    const char *pairs; /* NULL, "abc:mid" (one way) or "abc+mid" (both) */
} bgpt_data;

/* --- training ---------------------------------------------------------------- */
typedef enum bgpt_schedule { BGPT_COSINE = 0, BGPT_CONSTANT, BGPT_STABLE } bgpt_schedule;
typedef enum bgpt_optimizer { BGPT_ADAMW = 0, BGPT_MUON } bgpt_optimizer;
/* How the embeddings of byte values and of patch positions begin: each by itself, or built of its number's bits, or
 * (byte values only) like those of its neighbours. */
typedef enum bgpt_embedding_init { BGPT_EMBEDDING_NORMAL = 0, BGPT_EMBEDDING_BITS, BGPT_EMBEDDING_LEVELS } bgpt_embedding_init;

typedef struct bgpt_progress {
    uint64_t step, steps;       /* steps 0: not known (a time limit) */
    double epoch, epochs;
    double loss;                /* nats per symbol of this step */
    double lr, grad_norm;
    double bytes, bytes_per_second; /* content bytes with loss, of the run; rate of late */
    double seconds, seconds_left;
    int evaluated;              /* 1: the fields below are fresh */
    double val_loss, val_bits_per_byte, val_accuracy; /* accuracy: classifier, else NaN */
    int best, saved;            /* this evaluation is the best so far; a checkpoint was written */
} bgpt_progress;

typedef struct bgpt_train {
    bgpt_data data, validation; /* validation.count 0: none */
    const char *out;            /* run folder */
    const char *init;           /* model file to start from, or NULL */
    uint32_t init_patches;      /* with init: another context, of whose positions those that the model lacks are new; 0: the model's */
    uint32_t init_patch_layers, init_byte_layers; /* with init: more layers, of which the new ones, at the end, begin by adding nothing (a decoder that the model lacks is wholly new); 0: the model's */
    int32_t init_grams, init_patch_grams; /* with init: another number of rows of n-grams, whose tables are new; -1: none; 0: the model's */
    int resume;                 /* continue `out` exactly */
    int overwrite;              /* a run that is in `out` may be replaced */
    bgpt_config config;         /* of a new model; with init only patch_grams counts, where the model has none; zeros are filled by defaults */
    int classify;               /* labels from file names */
    /* length: the first that is reached; all zero: 1 epoch */
    double epochs; uint64_t steps; double seconds;
    uint32_t batch;             /* files a step and accumulation (default 8) */
    uint32_t accumulate;        /* batches a step (default 1) */
    double lr;                  /* default 3e-4 */
    double warmup;              /* < 1: share of the run; >= 1: steps; negative: none; 0: default 0.05 */
    bgpt_schedule schedule;
    double cooldown;            /* BGPT_STABLE: the rate falls linearly in this part of the run; < 1 a share, >= 1 steps; 0: default 0.3; negative: none */
    double min_lr;              /* the rate ends at this share of lr (default 0) */
    double clip;                /* global gradient norm; 0: default 1.0; negative: off */
    double weight_decay;        /* 0: default 0.01; negative: off */
    double beta1, beta2, eps;   /* 0: 0.9, 0.999, 1e-8 */
    bgpt_optimizer optimizer;   /* BGPT_MUON: for the blocks' matrices (only these decay), AdamW for the rest */
    double momentum;            /* Muon's; 0: 0.95; negative: none */
    double qk_lr;               /* with Muon: the rate of the matrices that make queries and keys, as a share of lr; 0: 1 */
    double rest_lr;             /* with Muon: the rate of the rest as a share of lr; 0: 1 */
    bgpt_embedding_init embedding_init; /* of a new model; BGPT_EMBEDDING_BITS where bytes are numbers or addresses, BGPT_EMBEDDING_LEVELS for samples and pixels */
    double dropout;
    uint32_t patch_sampling;    /* target patches a batch carry loss; 0: all */
    int loss_target;            /* with pairs: only the target file carries loss */
    double skip_empty;          /* with programs and loss_target: of this share of the programs the memory that no instruction is fetched from is
                                   left out, its places kept: cheaper steps, and less to search; 0: of none */
    int augment;                /* whole WAV and BMP files of plain form are moved, stretched, turned, made louder a little each time */
    uint64_t seed;
    double eval_every;          /* steps between evaluations; 0: about 10 a run; negative: only at the end */
    uint32_t patience;          /* end the run after so many evaluations in a row that were not the best so far; 0: never */
    const char *tensorboard;    /* folder that gets a file of events for TensorBoard, a new one whenever the run is resumed; NULL: none */
    double save_every;          /* seconds between checkpoints; 0: 300; negative: only at the end */
    uint32_t keep;              /* last checkpoints kept, at least 2 (default 2) */
    uint32_t val_limit;         /* files evaluated at most; 0: all */
    const char *const *metadata; /* key, value, key, value, ..., NULL: stored in the model (licence, ...) */
    /* Called after every step and evaluation; not 0: finish, save, return BGPT_ERR_INTERRUPTED. */
    int (*progress)(void *ctx, const bgpt_progress *p);
    /* Asked between the batches of an evaluation, which may be long; may be NULL.  Not 0: as above, and the resumed
     * run makes the evaluation up. */
    int (*stop)(void *ctx);
    /* One-sentence notices: files left out, a fallback to an older checkpoint. */
    void (*notice)(void *ctx, const char *sentence);
    void *ctx;
} bgpt_train;

/* Named recipes: optimiser, rates, schedule, batch, dropout and kind of model that belong together.  Overwrites these
 * fields of *t, zero (the default) where the recipe says nothing; what is to differ is set afterwards.  The list by index
 * is NULL-terminated. */
BGPT_API bgpt_status bgpt_recipe(const char *name, bgpt_train *t, bgpt_error *err);
BGPT_API const char *bgpt_recipe_name(size_t i);
BGPT_API const char *bgpt_recipe_about(size_t i);

/* Train until the end, an interruption, or divergence (BGPT_ERR_FAILED: the
 * sentence names the step; the last good checkpoint stays).  *t is only read. */
BGPT_API bgpt_status bgpt_train_run(const bgpt_train *t, const bgpt_options *opt, bgpt_error *err);

/* Named sizes: fills hidden, layers and patches of *c; NULL-terminated list by index. */
BGPT_API bgpt_status bgpt_size(const char *name, bgpt_config *c, bgpt_error *err);
BGPT_API const char *bgpt_size_name(size_t i);
BGPT_API const char *bgpt_size_about(size_t i); /* one line: parameters and what it is for */
/* Parameters of a configuration, zeros filled by defaults (0 when it is invalid). */
BGPT_API uint64_t bgpt_count_parameters(const bgpt_config *c);

/* --- evaluation --------------------------------------------------------------- */
typedef struct bgpt_score {
    const char *file;       /* "a -> b" for a pair */
    uint64_t bytes, symbols;
    uint64_t patches;       /* of a file with what begins and ends it (a pair: both); more than the context: scored in windows, of a classifier cut off.  Of a total: 0 */
    double nats;            /* sum over symbols */
    double nats_per_symbol, reference_bpb, bits_per_byte;
    int label, predicted;   /* classifier, else -1 */
    double confidence;      /* of a file, classifier: the probability given to `predicted`; else NaN */
    uint64_t left_out;      /* of a total: pairs that were not scored, being longer than the context */
} bgpt_score;

typedef struct bgpt_eval {
    bgpt_data data;
    void (*file)(void *ctx, const bgpt_score *s); /* after each file, in order; may be NULL; s and its name end with the call */
    /* Each predicted patch of a file (of a pair: of its target), in order, before `file`: n symbols, 0 to 255 a byte, 256 padding or end, and the
     * nats spent on each; may be NULL.  Not called for classifiers. */
    void (*symbols)(void *ctx, const uint16_t *symbols, const float *nats, size_t n);
    void (*notice)(void *ctx, const char *sentence);
    int (*stop)(void *ctx);                       /* may be NULL; not 0: BGPT_ERR_INTERRUPTED */
    void *ctx;
} bgpt_eval;

/* total: sums and means over all files (bits_per_byte: total bits / total
 * bytes).  confusion (classes*classes, [true][predicted], may be NULL) and
 * accuracy in *accuracy for a classifier. */
BGPT_API bgpt_status bgpt_evaluate(bgpt_model *m, const bgpt_eval *e, bgpt_score *total, double *accuracy, uint64_t *confusion, bgpt_error *err);

/* --- generation and conversion --------------------------------------------------- */
typedef struct bgpt_sampling {
    int greedy;
    uint32_t top_k;      /* 0: all */
    double top_p;        /* 0: 1.0 */
    double temperature;  /* 0: 1.0 */
    uint64_t seed;
} bgpt_sampling;

typedef enum bgpt_end { BGPT_END_SYMBOL = 0, BGPT_END_LIMIT, BGPT_END_CONTEXT, BGPT_END_STOPPED } bgpt_end;

/* One sequence to be generated. */
typedef struct bgpt_request {
    const char *extension;      /* of the file to be made, without dot */
    const uint8_t *prompt;      /* its first bytes, or NULL */
    size_t prompt_size;
    const uint8_t *input;       /* conversion: the file to convert, else NULL */
    size_t input_size;
    const char *input_extension;
    uint64_t stream;            /* random stream; the same bytes for (seed, stream) whatever it is batched with */
    uint64_t max_bytes;         /* new bytes at most; 0: the context's end */
    /* New bytes as they come (the prompt is not repeated).  Not 0: stop this one. */
    int (*bytes)(void *ctx, const uint8_t *data, size_t n);
    void *ctx;
    /* results */
    uint64_t made;              /* bytes */
    bgpt_end end;
    bgpt_status status;         /* of this request: e.g. an input too long for the context */
    bgpt_error error;
} bgpt_request;

/* Run all requests, up to opt->max_streams side by side.  BGPT_OK when the run itself
 * went well; each request has its own status. */
BGPT_API bgpt_status bgpt_generate(bgpt_model *m, bgpt_request *requests, size_t count, const bgpt_sampling *s, bgpt_error *err);

/* --- classification ------------------------------------------------------------------ */
/* logits (classes) of one file's bytes; the label is the largest.  A file longer than the
 * context is classified by its first N patches, and *cut (may be NULL) is set. */
BGPT_API bgpt_status bgpt_classify(bgpt_model *m, const uint8_t *data, size_t size, const char *extension, float *logits, int *cut, bgpt_error *err);

/* --- other ---------------------------------------------------------------------------- */
/* Weights from and to the reference's .pth.  overwrite: replace an existing output. */
BGPT_API bgpt_status bgpt_import(const char *pth, const char *safetensors, int overwrite, const bgpt_options *opt, bgpt_error *err);
BGPT_API bgpt_status bgpt_export(const char *safetensors, const char *pth, int overwrite, const bgpt_options *opt, bgpt_error *err);
/* A model file with its weights as fp16: half the size, and what differs is rounding (eleven bits are kept).  A weight beyond
 * 65504 is BGPT_ERR_FAILED. */
BGPT_API bgpt_status bgpt_compact(const char *safetensors, const char *compact, int overwrite, const bgpt_options *opt, bgpt_error *err);

/* A model whose every weight is the mean of these models' (checkpoints too), `shares` (count; NULL: all the same) being the part of each
 * (they need not add up to 1); its metadata are the first's, without scores.  Models that were begun from one another may be better together than each; others are not.  Another
 * shape, other labels, inputs prepared in another way, a share below 0 or beyond 1e9, all shares 0, no models: BGPT_ERR_ARGUMENT. */
BGPT_API bgpt_status bgpt_average(const char *const *models, const double *shares, size_t count, const char *out, int overwrite, const bgpt_options *opt,
                                  bgpt_error *err);

/* Is this a well-formed Standard MIDI File?  BGPT_ERR_FORMAT with offset and cause if not. */
BGPT_API bgpt_status bgpt_midi_check(const uint8_t *data, size_t size, bgpt_error *err);

/* The most that a repair adds to a file. */
enum { BGPT_MIDI_REPAIR_ROOM = 4 * 65535 };

/* Make it one, in place: a track's length, which stands in front of it, becomes that of its events; one that breaks off gets an End of Track
 * behind its last whole event; what lies between is taken away, *cut bytes in all.  A well-formed file stays as it is.  *size changes; capacity is what
 * data holds, 4 bytes beyond *size for each track that lacks its end, or BGPT_MIDI_REPAIR_ROOM (BGPT_ERR_ARGUMENT: too little, and the file is half done).  BGPT_ERR_FORMAT, and
 * nothing is changed: there is no header or no track. */
BGPT_API bgpt_status bgpt_midi_repair(uint8_t *data, size_t *size, size_t capacity, size_t *cut, bgpt_error *err);

/* The notes of two MIDI files, bar by bar.  A note is its start, length, key and channel; loudness and all other events are not looked at. */
typedef struct bgpt_midi_bar {
    uint64_t number; /* from 1 */
    uint64_t notes;  /* of the truth */
    uint64_t right, wrong, missing, extra; /* wrong: begins when one should, but is another */
} bgpt_midi_bar;
typedef struct bgpt_midi_comparison {
    uint64_t bars, bars_equal; /* in which either file has a note */
    uint64_t notes, right, wrong, missing, extra;
    int exact;        /* the same bytes */
    bgpt_error fault; /* why `found` is no well-formed MIDI file (what stands before the fault was compared); code BGPT_OK: it is one */
} bgpt_midi_comparison;
/* Bars are those of the truth.  bar (may be NULL) is called for each that differs, in order.  BGPT_ERR_FORMAT: the truth is not
 * well-formed, or has no bars (time in frames). */
BGPT_API bgpt_status bgpt_midi_compare(const uint8_t *truth, size_t truth_size, const uint8_t *found, size_t found_size, bgpt_midi_comparison *out,
                                       void (*bar)(void *ctx, const bgpt_midi_bar *b), void *ctx, const bgpt_options *opt, bgpt_error *err);

/* Write a file so that a crash or a full disk leaves the old one: aside,
 * fsync, rename.  Refuses an existing path without overwrite. */
BGPT_API bgpt_status bgpt_write_file(const char *path, const void *data, size_t size, int overwrite, const bgpt_options *opt, bgpt_error *err);
/* A whole file (at most limit bytes; 0: 2^40); *data is released with bgpt_free_data(). */
BGPT_API bgpt_status bgpt_read_file(const char *path, uint64_t limit, uint8_t **data, size_t *size, const bgpt_options *opt, bgpt_error *err);
BGPT_API void bgpt_free_data(uint8_t *data, const bgpt_options *opt);
/* Expand paths (files, folders, @lists) to files, sorted; call file for each. */
BGPT_API bgpt_status bgpt_list_files(const bgpt_data *d, void (*file)(void *ctx, const char *path), void *ctx, const bgpt_options *opt, bgpt_error *err);

/* --- measuring ------------------------------------------------------------------------ */
/* How fast models of a shape are on this machine, beside what the machine could do at most.  Weights and data are
 * random; nothing is read or written but memory.  NaN stands for what could not be measured. */
typedef enum bgpt_bench_job { BGPT_BENCH_TRAIN = 0, BGPT_BENCH_EVAL, BGPT_BENCH_GENERATE, BGPT_BENCH_GENERATE_BATCH, BGPT_BENCH_JOBS } bgpt_bench_job;

/* One op of a job with one shape.  Calls and seconds are those of a step: an update, a batch evaluated, or
 * one byte of each sequence generated. */
typedef struct bgpt_bench_op {
    bgpt_bench_job job;
    const char *op, *shape;  /* "linear", "4096x256x768" (rows, inputs, outputs); valid during the callback */
    double calls, seconds;
    double share;            /* of the step's time, 0 to 1 */
    double flops, peak_share; /* useful FLOP/s, and of product_flops; NaN for ops that are not made of products */
} bgpt_bench_op;

typedef struct bgpt_bench_figure {
    double median, min, max; /* bytes of content per second, of all files or sequences together */
    uint32_t repeats;
    double flops;            /* useful FLOP/s at the median */
    double share;            /* of what is possible: training, evaluation: flops / product_flops; generation: that, or the least
                                time in which the memory can deliver the weights / the time it took, whichever is larger */
} bgpt_bench_figure;

typedef struct bgpt_bench {
    bgpt_config config;      /* zeros are filled by defaults */
    uint32_t batch;          /* files of a step (default 8), each as long as the context */
    uint32_t streams;        /* sequences side by side in the second generation figure (default 16, at most 4096) */
    double seconds;          /* measured for each figure, about (default 2); a figure has at least three repeats */
    uint64_t seed;
    int (*stop)(void *ctx);  /* asked between repeats; may be NULL; not 0: BGPT_ERR_INTERRUPTED */
    void (*stage)(void *ctx, const char *what);          /* what is measured next; may be NULL */
    void (*op)(void *ctx, const bgpt_bench_op *op);      /* job by job, longest first; NULL: no ops are timed */
    void *ctx;
} bgpt_bench;

typedef struct bgpt_bench_result {
    const char *isa, *precision; /* as bgpt_machine() names them */
    unsigned threads;
    bgpt_config config;      /* effective */
    uint64_t parameters;
    uint32_t batch, streams;
    /* Peaks, all threads together: multiply-adds (2 FLOP) in fp32 and in the arithmetic of the level's products, FLOP/s;
     * bandwidth of reading, bytes/s. */
    double fp32_flops, product_flops, l2_bandwidth, l3_bandwidth, dram_bandwidth;
    bgpt_bench_figure figures[BGPT_BENCH_JOBS];
    double weight_bytes;     /* that one generated byte of one sequence streams */
    const char *byte_memory, *patch_memory; /* "L2", "L3" or "DRAM": from where, by decoder */
} bgpt_bench_result;

/* Measure: takes about ten times b->seconds, more for large models.  *b is only read.  On failure *out holds nothing. */
BGPT_API bgpt_status bgpt_bench_run(const bgpt_bench *b, const bgpt_options *opt, bgpt_bench_result *out, bgpt_error *err);

/* --- the simulated processor ------------------------------------------------------------ */
/* The small machine whose states models can learn to predict: memory of 256 instructions of 4
 * bytes; a state is PC, ACC, IR (4 bytes), registers A to J.  A state file is the memory,
 * the state at start, then the state after each fetch until HLT.  `name` stands in the sentences. */
enum { BGPT_CPU_MEMORY = 1024, BGPT_CPU_STATE = 16, BGPT_CPU_FILE = 1024 + 257 * 16, BGPT_CPU_TEXT = 32 };

/* Assembly ("ADD A B C" a line; ".start ACC=5 A=1"; comments from ';' or '#' on) to memory and the
 * state at start. */
BGPT_API bgpt_status bgpt_cpu_assemble(const char *text, size_t size, const char *name, uint8_t image[1024 + 16], bgpt_error *err);
/* One instruction as assembly: 1; or 0 and its bytes behind a "?" when the machine does not know it. */
BGPT_API int bgpt_cpu_instruction(const uint8_t code[4], char text[BGPT_CPU_TEXT]);
/* Run from the memory and first state of `data` (all 0 when there is none; later ones are not looked at)
 * to HLT: the whole state file. */
BGPT_API bgpt_status bgpt_cpu_run(const uint8_t *data, size_t size, const char *name, uint8_t file[BGPT_CPU_FILE], size_t *file_size, bgpt_error *err);

/* A state file as text: a table of its states; assembly with the table as comments, which can be
 * assembled again; or the layout of the published translator.  Released with bgpt_free_data(). */
typedef enum bgpt_cpu_style { BGPT_CPU_TABLE = 0, BGPT_CPU_LISTING, BGPT_CPU_REFERENCE } bgpt_cpu_style;
BGPT_API bgpt_status bgpt_cpu_translate(const uint8_t *data, size_t size, const char *name, bgpt_cpu_style style, uint8_t **text, size_t *text_size,
                                        const bgpt_options *opt, bgpt_error *err);

typedef enum bgpt_cpu_verdict { BGPT_CPU_EXACT = 0, BGPT_CPU_WRONG, BGPT_CPU_MISSING, BGPT_CPU_SURPLUS } bgpt_cpu_verdict;

/* Sums over state files measured against the machine.  Bytes and states are those behind the start; what a
 * file lacks is wrong, states beyond HLT make it inexact.  trivial_right: bytes right by the rule "next PC,
 * the instruction there, nothing else changed", from each true state. */
typedef struct bgpt_cpu_score {
    uint64_t files, files_right, states, states_right, bytes, bytes_right, trivial_right;
    /* of the file last added */
    bgpt_cpu_verdict verdict;
    uint64_t step; /* the first that is not right; the start is step 0 */
    uint8_t expected[16], found[16];
} bgpt_cpu_score;
/* Adds one file to *sum; on failure nothing is added. */
BGPT_API bgpt_status bgpt_cpu_evaluate(bgpt_cpu_score *sum, const uint8_t *data, size_t size, const char *name, bgpt_error *err);

/* Random programs with their states, as in the paper, as files out/train/MD5.bin and out/test/MD5.bin.  The same files
 * for any number of threads; the same test files beside any number of training files.  With more than one
 * thread the file hooks are called from all of them. */
typedef struct bgpt_cpu_folder {
    const char *out;
    uint64_t seed, train, test; /* files of each */
    uint32_t min, max;          /* instructions, HLT counted, 1 to 256; 0: 1 and 255 */
    int overwrite;              /* `out` need not be empty */
    int (*progress)(void *ctx, uint64_t done); /* now and then; not 0: stop, BGPT_ERR_INTERRUPTED; may be NULL */
    void *ctx;
} bgpt_cpu_folder;
BGPT_API bgpt_status bgpt_cpu_generate(const bgpt_cpu_folder *f, const bgpt_options *opt, bgpt_error *err);

/* Program `index` of a seed, as bgpt_cpu_generate() makes it (test: of those in out/test): its whole state file.  min, max: as above. */
BGPT_API bgpt_status bgpt_cpu_program(uint64_t seed, uint64_t index, int test, uint32_t min, uint32_t max, uint8_t file[BGPT_CPU_FILE], size_t *size,
                                      bgpt_error *err);

#ifdef __cplusplus
}
#endif

#endif
