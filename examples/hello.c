/* The library in forty lines: open a model, score a file, write 100 new bytes.
 *
 *   cc hello.c $(pkg-config --cflags --libs bgpt) -o hello
 *   ./hello model.safetensors tune.abc */
#include <bgpt.h>
#include <stdio.h>
#include <string.h>

static int failed(const bgpt_error *err)
{
    fprintf(stderr, "hello: %s\n", err->text);
    return bgpt_exit_code(err->code);
}

static int print(void *ctx, const uint8_t *data, size_t n)
{
    return fwrite(data, 1, n, stdout) != n; /* not 0 would stop the generation */
}

int main(int argc, char **argv)
{
    bgpt_error err = {0};
    bgpt_model *model = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: hello MODEL FILE\n");
        return 2;
    }
    bgpt_options options = {.precision = BGPT_FP32, .max_streams = 1};
    if (bgpt_open(&model, argv[1], &options, &err) != BGPT_OK)
        return failed(&err);
    printf("bgpt %s, %llu parameters\n", bgpt_version(), (unsigned long long)bgpt_parameters(model));

    bgpt_score total;
    bgpt_eval eval = {.data = {.paths = (const char *const *)&argv[2], .count = 1}};
    const char *dot = strrchr(argv[2], '.');
    bgpt_request request = {.extension = dot ? dot + 1 : "", .max_bytes = 100, .bytes = print};
    bgpt_sampling sampling = {.seed = 1};
    bgpt_status status = bgpt_evaluate(model, &eval, &total, NULL, NULL, &err);
    if (status == BGPT_OK) {
        printf("%s: %llu bytes, %.4f bits per byte\n", argv[2], (unsigned long long)total.bytes, total.bits_per_byte);
        status = bgpt_generate(model, &request, 1, &sampling, &err);
    }
    if (status == BGPT_OK && request.status != BGPT_OK)
        err = request.error, status = request.status;
    bgpt_close(model);
    if (status != BGPT_OK)
        return failed(&err);
    printf("\n%llu new bytes\n", (unsigned long long)request.made);
    return 0;
}
