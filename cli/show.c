/* Sheets of pictures and rows of sounds.  Memory is bounded: what no longer fits is left out, and counted. */
#include "cli/show.h"
#include "cli/bitmap.h"
#include "cli/music.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/picture.h"
#include "cli/signals.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 64, GAP = 6, LABEL = 12, MOST_TILES = 10000 };

static const size_t most_sound = (size_t)256 << 20;
static const double pause_seconds = 0.3;

static show_kind kind_of(const char *extension)
{
    if (strcmp(extension, "bmp") == 0)
        return SHOW_SHEET;
    if (strcmp(extension, "wav") == 0)
        return SHOW_SOUNDS;
    return is_music(extension) ? SHOW_TUNES : SHOW_NOTHING;
}

int show_open(show *s, const char *path, const char *extension, bool force, const bgpt_options *machine)
{
    *s = (show){ .path = path, .force = force, .machine = machine };
    if (path == NULL)
        return 0;
    const show_kind kind = kind_of(extension);
    const char *wanted = kind == SHOW_SHEET ? "png" : "wav";
    if (kind == SHOW_NOTHING)
        return usage_error("--show: bmp, wav, abc and mid files can be shown, not %s", extension);
    if (strcmp(path_extension(path), wanted) != 0)
        return usage_error("--show: %s: of %s files, expected a name that ends in .%s", path, extension, wanted);
    int code = refuse_existing(path, force);
    if (code == 0 && kind == SHOW_TUNES)
        code = music_programs(!is_midi(extension), true);
    if (code == 0)
        s->kind = kind;
    return code;
}

/* --- adding --------------------------------------------------------------------------------------- */

static void no_memory(show *s)
{
    s->dead = true;
    s->code = worse(s->code, fail(BGPT_ERR_MEMORY, "out of memory for %s", s->path));
}

static void broken(show *s, const char *name, const char *why)
{
    s->broken++;
    notice("%s: cannot be shown: %s", name, why);
}

static void add_tile(show *s, const char *name, const uint8_t *file, size_t size)
{
    bitmap b;
    if (s->count == MOST_TILES) {
        s->left_out++;
        return;
    }
    if (s->count == s->capacity) {
        const size_t capacity = 2 * s->capacity + 16;
        struct show_tile *more = realloc(s->tiles, capacity * sizeof *more);
        if (more == NULL) {
            no_memory(s);
            return;
        }
        s->tiles = more;
        s->capacity = capacity;
    }
    const char *why = bitmap_read(&b, file, size);
    const size_t points = why == NULL ? (size_t)b.width * b.height : 0;
    if (why == NULL && s->points + points > PICTURE_POINTS / 4) {
        free(b.rgb);
        s->left_out++;
        return;
    }
    if (why != NULL)
        broken(s, name, why);
    s->points += points;
    s->tiles[s->count++] = (struct show_tile){ b.width, b.height, b.rgb };
}

static bool same_format(const wave_format *a, const wave_format *b) { return a->rate == b->rate && a->channels == b->channels && a->bits == b->bits; }

static void add_sound(show *s, const char *name, const uint8_t *file, size_t size)
{
    wave_format format;
    const uint8_t *samples;
    size_t length;
    const char *why = wave_find(file, size, &format, &samples, &length);
    if (why == NULL && s->sound.size > 0 && !same_format(&format, &s->sound.format))
        why = "it has another rate or other samples than the first";
    if (why != NULL) {
        broken(s, name, why);
        return;
    }
    if (length > most_sound || s->sound.size > most_sound - length) {
        s->left_out++;
        return;
    }
    s->sound.format = format;
    s->count++;
    if ((s->sound.size > 0 && !wave_silence(&s->sound, pause_seconds)) || !wave_append(&s->sound, samples, length))
        no_memory(s);
}

static void add_tune(show *s, const char *name, const char *extension, const uint8_t *file, size_t size)
{
    music_file sound;
    char why[CHILD_WHY];
    const child_end end = music_to_wave(file, size, extension, &sound, s->machine, why);
    if (end == CHILD_GOOD) {
        add_sound(s, name, sound.data, sound.size);
    } else if (end == CHILD_MISSING || end == CHILD_STOPPED) {
        s->dead = true;
        s->code = worse(s->code, fail(BGPT_ERR_FAILED, "%s", why));
    } else {
        broken(s, name, why);
    }
    bgpt_free_data(sound.data, s->machine);
}

void show_add(show *s, const char *name, const char *extension, const uint8_t *file, size_t size)
{
    if (s->kind == SHOW_NOTHING || s->dead)
        return;
    if (is_same_file(name, s->path)) { /* made by the very command that -f allowed to replace it */
        s->dead = true;
        s->code = worse(s->code, usage_error("--show: %s would replace the file of that name", s->path));
    } else if (s->kind == SHOW_SHEET) {
        add_tile(s, name, file, size);
    } else if (s->kind == SHOW_SOUNDS) {
        add_sound(s, name, file, size);
    } else {
        add_tune(s, name, extension, file, size);
    }
}

/* --- writing -------------------------------------------------------------------------------------- */

/* Every point of a small picture becomes a square, so that it can be seen. */
static void draw_tile(picture *p, const struct show_tile *t, int64_t x, int64_t y, unsigned zoom, unsigned width, unsigned height)
{
    if (t->rgb == NULL) {
        picture_frame(p, x, y, width, height, true, 0xc62d2d);
        return;
    }
    for (unsigned row = 0; row < t->height; row++)
        for (unsigned column = 0; column < t->width; column++) {
            const uint8_t *from = t->rgb + 3 * ((size_t)row * t->width + column);
            picture_box(p, x + (int64_t)column * zoom, y + (int64_t)row * zoom, zoom, zoom, (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2]);
        }
}

static int write_sheet(const show *s)
{
    unsigned width = 1, height = 1; /* of the largest; of cells that are all crossed, one point, zoomed */
    picture p;
    char text[24];
    for (size_t i = 0; i < s->count; i++) {
        width = s->tiles[i].width > width ? s->tiles[i].width : width;
        height = s->tiles[i].height > height ? s->tiles[i].height : height;
    }
    const unsigned zoom = (SMALLEST + width - 1) / width, across = width * zoom, down = height * zoom;
    const size_t columns = (size_t)ceil(sqrt((double)s->count)), rows = (s->count + columns - 1) / columns;
    int code = picture_open(&p, GAP + columns * (across + GAP), GAP + rows * (uint64_t)(down + LABEL + GAP));
    for (size_t i = 0; i < s->count && code == 0; i++) {
        const int64_t x = GAP + (int64_t)(i % columns) * (across + GAP), y = GAP + (int64_t)(i / columns) * (down + LABEL + GAP);
        draw_tile(&p, &s->tiles[i], x, y, zoom, across, down);
        snprintf(text, sizeof text, "%zu", i + 1);
        picture_text(&p, x, y + down + 3, 1, PICTURE_GREY, text);
    }
    if (code == 0)
        code = picture_write(&p, s->path, s->force, s->machine);
    picture_close(&p);
    if (code == 0)
        notice("%s: %zu pictures, %zu of them cannot be read", s->path, s->count, s->broken);
    return code;
}

static int write_sound(const show *s)
{
    char seconds[32];
    int code = wave_write(&s->sound, s->path, s->force, s->machine);
    snprintf(seconds, sizeof seconds, "%.1f", wave_seconds(&s->sound));
    if (code == 0)
        notice("%s: %zu %s, %s seconds; %zu could not be shown", s->path, s->count, s->kind == SHOW_TUNES ? "tunes" : "sounds", seconds, s->broken);
    return code;
}

static int finish(const show *s)
{
    if (s->kind == SHOW_NOTHING || s->dead || signals_stop())
        return s->code;
    if (s->left_out > 0)
        notice("%s: %zu files more have no room in it", s->path, s->left_out);
    if (s->count == 0 || (s->kind != SHOW_SHEET && s->sound.size == 0))
        return worse(s->code, fail(BGPT_ERR_FAILED, "%s: there is nothing to show", s->path));
    return worse(s->code, s->kind == SHOW_SHEET ? write_sheet(s) : write_sound(s));
}

int show_close(show *s)
{
    const int code = finish(s);
    for (size_t i = 0; s->kind == SHOW_SHEET && i < s->count; i++)
        free(s->tiles[i].rgb);
    free(s->tiles);
    wave_free(&s->sound);
    s->tiles = NULL;
    s->kind = SHOW_NOTHING;
    return code;
}
