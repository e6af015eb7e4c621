/* How fast does the library train?  Real training steps through the public
 * header, on random files that fill the context exactly, so that each step has
 * the same size.  Prints one JSON line: KB (1000 bytes) of content per second,
 * from the median of the timed steps.
 *
 *   train-speed [--hidden 256 --patch-layers 6 --byte-layers 2 --patches 512 --batch 8
 *                --steps 5 --threads 0 --precision fp32|fast]
 *
 * It measures, and judges nothing; bench/compare sets it beside PyTorch. */
#include <bgpt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PATCH_SIZE = 16,
    WARM_UP = 2,      /* steps before the clock counts: first touch of memory, caches */
    MAX_STEPS = 1000, /* what the table of times holds */
    MAX_BATCH = 1024
};

typedef struct settings {
    unsigned long hidden, patch_layers, byte_layers, patches, batch, steps, threads;
    const char *precision;
} settings;

typedef struct timing {
    uint64_t steps; /* seen so far */
    double last, seconds[MAX_STEPS + WARM_UP];
} timing;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int progress(void *ctx, const bgpt_progress *p)
{
    timing *t = ctx;
    double at = now();
    if (p->step > t->steps && t->steps < MAX_STEPS + WARM_UP) /* evaluations report a step again */
        t->seconds[t->steps++] = at - t->last;
    t->last = at;
    return 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, by_size);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

static int usage(const char *what)
{
    fprintf(stderr, "train-speed: %s; see the head of bench/train_speed.c\n", what);
    return 2;
}

static int parse(settings *s, int argc, char **argv)
{
    struct { const char *name; unsigned long *value, least, most; } numbers[] = {
        {"--hidden", &s->hidden, 64, 8192},         {"--patch-layers", &s->patch_layers, 1, 256},
        {"--byte-layers", &s->byte_layers, 1, 256}, {"--patches", &s->patches, 3, 65536},
        {"--batch", &s->batch, 1, MAX_BATCH},       {"--steps", &s->steps, 1, MAX_STEPS},
        {"--threads", &s->threads, 0, 256},
    };
    for (int i = 1; i < argc; i += 2) {
        size_t n = 0, count = sizeof numbers / sizeof *numbers;
        char *end;
        if (i + 1 == argc)
            return usage("a value is missing");
        if (!strcmp(argv[i], "--precision")) {
            s->precision = argv[i + 1];
            continue;
        }
        while (n < count && strcmp(argv[i], numbers[n].name))
            n++;
        if (n == count)
            return usage("unknown option");
        *numbers[n].value = strtoul(argv[i + 1], &end, 10);
        if (*end || *numbers[n].value < numbers[n].least || *numbers[n].value > numbers[n].most)
            return usage("a number is out of range");
    }
    if (strcmp(s->precision, "fp32") && strcmp(s->precision, "fast"))
        return usage("--precision is fp32 or fast");
    return 0;
}

/* Files whose patches are exactly the context: start patch, content, end patch. */
static bgpt_status write_files(const settings *s, const char *folder, bgpt_error *err)
{
    size_t size = (s->patches - 2) * PATCH_SIZE;
    uint8_t *data = malloc(size);
    uint32_t x = 1; /* xorshift32: any fixed sequence without structure will do */
    bgpt_status status = data ? BGPT_OK : BGPT_ERR_MEMORY;
    for (unsigned long i = 0; i < s->batch && status == BGPT_OK; i++) {
        char path[4096];
        for (size_t k = 0; k < size; k++) {
            x ^= x << 13, x ^= x >> 17, x ^= x << 5;
            data[k] = (uint8_t)x;
        }
        snprintf(path, sizeof path, "%s/data/%lu.bin", folder, i);
        status = bgpt_write_file(path, data, size, 0, NULL, err);
    }
    free(data);
    return status;
}

static bgpt_status measure(const settings *s, const char *folder, timing *t, bgpt_error *err)
{
    char data[4096], run[4096];
    const char *paths[] = {data};
    bgpt_options options = {.threads = (unsigned)s->threads, .precision = strcmp(s->precision, "fp32") ? BGPT_FAST : BGPT_FP32};
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(run, sizeof run, "%s/run", folder);
    if (mkdir(data, 0700) != 0) {
        snprintf(err->text, sizeof err->text, "%.400s cannot be made", data);
        return BGPT_ERR_IO;
    }
    bgpt_status status = write_files(s, folder, err);
    if (status != BGPT_OK)
        return status;
    bgpt_train train = {
        .data = {.paths = paths, .count = 1},
        .out = run,
        .config = {.hidden = (uint32_t)s->hidden, .patch_layers = (uint32_t)s->patch_layers, .byte_layers = (uint32_t)s->byte_layers,
                   .patches = (uint32_t)s->patches, .patch_size = PATCH_SIZE},
        .steps = s->steps + WARM_UP,
        .batch = (uint32_t)s->batch,
        .eval_every = -1, /* nothing but training steps between the first and the last */
        .save_every = -1,
        .progress = progress,
        .ctx = t,
    };
    t->last = now();
    return bgpt_train_run(&train, &options, err);
}

/* Only what this program made, by name: never a recursive removal. */
static void drop_folder(const char *path, void (*drop)(void *ctx, const char *path))
{
    bgpt_data all = {.paths = &path, .count = 1};
    bgpt_list_files(&all, drop, NULL, NULL, NULL);
    rmdir(path);
}

static void drop_file(void *ctx, const char *path)
{
    (void)ctx;
    unlink(path);
}

int main(int argc, char **argv)
{
    settings s = {.hidden = 256, .patch_layers = 6, .byte_layers = 2, .patches = 512, .batch = 8, .steps = 5, .precision = "fp32"};
    static timing t; /* too large for the stack of a small machine */
    bgpt_error err = {0};
    const char *tmp = getenv("TMPDIR");
    char folder[2048], inner[4096];
    int code = parse(&s, argc, argv);
    if (code)
        return code;

    snprintf(folder, sizeof folder, "%s/train-speed-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return usage("no temporary folder can be made");
    bgpt_status status = measure(&s, folder, &t, &err);
    snprintf(inner, sizeof inner, "%s/data", folder);
    drop_folder(inner, drop_file);
    snprintf(inner, sizeof inner, "%s/run", folder);
    drop_folder(inner, drop_file);
    rmdir(folder);
    if (status != BGPT_OK || t.steps <= WARM_UP) {
        fprintf(stderr, "train-speed: %s\n", err.text[0] ? err.text : "no step was timed");
        return status == BGPT_OK ? 1 : bgpt_exit_code(status);
    }

    bgpt_options options = {.threads = (unsigned)s.threads, .precision = strcmp(s.precision, "fp32") ? BGPT_FAST : BGPT_FP32};
    const char *isa = "", *precision = "";
    unsigned threads = 0;
    bgpt_machine(&options, &isa, &precision, &threads, NULL);
    double seconds = median(t.seconds + WARM_UP, t.steps - WARM_UP);
    double kilobytes = (double)s.batch * (double)(s.patches - 2) * PATCH_SIZE / 1e3;
    printf("{\"program\": \"bgpt\", \"version\": \"%s\", \"isa\": \"%s\", \"precision\": \"%s\", \"threads\": %u, \"hidden\": %lu, "
           "\"patch_layers\": %lu, \"byte_layers\": %lu, \"patches\": %lu, \"batch\": %lu, \"steps\": %llu, \"train_KBps\": %.3f}\n",
           bgpt_version(), isa, precision, threads, s.hidden, s.patch_layers, s.byte_layers, s.patches, s.batch,
           (unsigned long long)(t.steps - WARM_UP), kilobytes / seconds);
    return 0;
}
