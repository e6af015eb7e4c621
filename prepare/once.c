/* A preparation's settings as words and back, and one file prepared by them in memory. */
#include "prepare/prepare.h"

#include "base/file.h"
#include "data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void prepare_audio_words(const prepare_audio *a, char words[PREPARE_WORDS])
{
    snprintf(words, PREPARE_WORDS, "audio seconds=%.9g rate=%u bits=%u long=%d short=%d dither=%d seed=%llu", a->seconds, (unsigned)a->rate, (unsigned)a->bits, (int)a->longer,
             a->skip_short, a->dither, (unsigned long long)a->seed);
    if (a->peak > 0) /* words without it are those of earlier versions */
        snprintf(words + strlen(words), PREPARE_WORDS - strlen(words), " peak=%.9g", a->peak);
}

void prepare_image_words(const prepare_image *m, char words[PREPARE_WORDS])
{
    snprintf(words, PREPARE_WORDS, "image size=%ux%u shape=%d background=%06x", (unsigned)m->width, (unsigned)m->height, (int)m->shape, (unsigned)m->background);
}

/* The words may come with a model from anywhere: every number is held against its range. */
static int read_audio(const char *words, prepare_audio *a)
{
    int longer, shorter, dither;
    unsigned rate, bits;
    a->peak = 0; /* where the words end before it */
    if (sscanf(words, "audio seconds=%lf rate=%u bits=%u long=%d short=%d dither=%d seed=%*u peak=%lf", &a->seconds, &rate, &bits, &longer, &shorter, &dither, &a->peak) < 6)
        return 0;
    a->rate = rate;
    a->bits = bits;
    /* of a long recording what is heard best; nothing is left out, nothing added */
    a->longer = longer == PREPARE_LONG_FIRST ? PREPARE_LONG_FIRST : PREPARE_LONG_LOUDEST;
    a->skip_short = a->dither = 0;
    return a->seconds > 0 && a->seconds <= 600 && rate >= 100 && rate <= 384000 && a->seconds * rate >= 1 && (bits == 8 || bits == 16) && a->peak >= 0 && a->peak <= 1;
}

static int read_image(const char *words, prepare_image *m)
{
    int shape;
    unsigned width, height, background;
    if (sscanf(words, "image size=%ux%u shape=%d background=%6x", &width, &height, &shape, &background) != 4)
        return 0;
    *m = (prepare_image){ width, height, (prepare_shape)shape, background };
    return width >= 1 && width <= PREPARE_IMAGE_MOST && height >= 1 && height <= PREPARE_IMAGE_MOST && shape >= PREPARE_SHAPE_CROP && shape <= PREPARE_SHAPE_STRETCH;
}

bg_status prepare_once(const char *words, const char *path, uint8_t **data, size_t *size, const char **extension, bg_error *err)
{
    prepare_audio audio = { 0 };
    prepare_image image;
    const char *why = NULL, *less; /* less: without libvips some pictures cannot be read, which is said of them */
    prepare_tool tool;
    if (read_audio(words, &audio))
        tool = prepare_audio_tool(&audio, &why);
    else if (read_image(words, &image))
        tool = prepare_image_tool(&image, &less);
    else
        return bg_fail(err, BG_ERR_ARGUMENT, "no preparation is known by the words '%.100s'", words);
    if (why)
        return bg_fail(err, BG_ERR_FAILED, "%s", why);
    *extension = tool.extension;
    return prepare_first(&tool, path, data, size, err);
}

static bg_status words_of_folder(const char *folder, char words[PREPARE_WORDS], bg_error *err)
{
    static const char begin[] = PREPARE_MARK;
    const bg_sys *sys = bg_sys_default();
    char head[PREPARE_WORDS + sizeof begin - 1], *path = bg_asprintf(sys, "%s/manifest.tsv", folder);
    size_t got = 0;
    uint64_t whole;
    int fd;
    words[0] = 0;
    if (!path)
        return bg_fail_memory(err, folder, strlen(folder));
    bg_status s = bg_exists(sys, path) ? bg_open_read(sys, path, &fd, &whole, err) : BG_ERR_NOT_FOUND;
    if (s == BG_OK) {
        s = bg_pread_full(sys, path, fd, head, sizeof head - 1, 0, &got, err);
        sys->close(sys->ctx, fd);
    }
    bg_free(sys, path);
    if (s != BG_OK)
        return s == BG_ERR_NOT_FOUND ? BG_OK : s;
    head[got] = 0;
    head[strcspn(head, "\n")] = 0;
    if (strncmp(head, begin, sizeof begin - 1) == 0)
        snprintf(words, PREPARE_WORDS, "%s", head + sizeof begin - 1);
    return BG_OK;
}

typedef struct common_words {
    const bg_sys *sys;
    char *folder; /* of the file before */
    char words[PREPARE_WORDS];
    int differ;
    bg_status status;
    bg_error *err;
} common_words;

static void add_words(void *ctx, const char *path)
{
    common_words *c = ctx;
    char words[PREPARE_WORDS];
    const char *slash = strrchr(path, '/');
    const int length = slash ? (int)(slash - path) : 1;
    if (c->status != BG_OK || (c->folder && strlen(c->folder) == (size_t)length && strncmp(c->folder, slash ? path : ".", (size_t)length) == 0))
        return;
    const int first = c->folder == NULL;
    bg_free(c->sys, c->folder);
    c->folder = bg_asprintf(c->sys, "%.*s", length, slash ? path : ".");
    c->status = c->folder ? words_of_folder(c->folder, words, c->err) : bg_fail_memory(c->err, path, (uint64_t)length);
    if (c->status != BG_OK)
        return;
    c->differ |= !first && strcmp(words, c->words) != 0;
    memcpy(c->words, words, sizeof words);
}

bg_status prepare_words_of(const char *data, char words[PREPARE_WORDS], bg_error *err)
{
    if (data[0] != '@')
        return words_of_folder(data, words, err);
    common_words c = { .sys = bg_sys_default(), .err = err };
    bg_status s = bg_list_files(c.sys, &data, 1, NULL, add_words, &c, err);
    if (s == BG_OK)
        s = c.status;
    snprintf(words, PREPARE_WORDS, "%s", s == BG_OK && !c.differ ? c.words : "");
    bg_free(c.sys, c.folder);
    return s;
}
