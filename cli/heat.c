/* Heat maps of files: seven steps of colour, one to eight bits and more.  Eight
 * bits is what a byte costs a model that knows nothing. */
#include "cli/heat.h"
#include "cli/output.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROW = 16 };

/* Upper bounds in bits, the colour of a terminal of 256 (0: none), and of a page. */
static const struct step { float most; int colour; uint32_t web; } steps[HEAT_STEPS] = {
    { 0.5f, 0, 0xffffff }, { 1, 236, 0xfff3d6 }, { 2, 58, 0xffe0a3 }, { 4, 94, 0xffc266 },
    { 6, 130, 0xff9a4d },  { 8, 166, 0xf56a3c }, { INFINITY, 160, 0xd7263d },
};

static int step_of(float bits)
{
    int i = 0;
    while (bits > steps[i].most && i < HEAT_STEPS - 1)
        i++;
    return i;
}

static bool grow(heat *h, size_t n)
{
    if (h->size + n <= h->capacity)
        return true;
    const size_t capacity = 2 * h->capacity + n + 4096;
    uint8_t *bytes = realloc(h->bytes, capacity * sizeof *bytes);
    if (bytes != NULL)
        h->bytes = bytes;
    float *bits = realloc(h->bits, capacity * sizeof *bits);
    if (bits != NULL)
        h->bits = bits;
    if (bytes == NULL || bits == NULL)
        return false;
    h->capacity = capacity;
    return true;
}

void heat_take(void *ctx, const uint16_t *symbols, const float *nats, size_t n)
{
    heat *h = ctx;
    if (h->no_memory || !grow(h, n)) {
        h->no_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const float bits = nats[i] * (float)M_LOG2E;
        if (symbols[i] > 255) {
            h->end_bits += bits;
            continue;
        }
        h->bytes[h->size] = (uint8_t)symbols[i];
        h->bits[h->size++] = bits;
    }
}

void heat_free(heat *h)
{
    free(h->bytes);
    free(h->bits);
    *h = (heat){ 0 };
}

char heat_character(uint8_t byte) { return byte >= ' ' && byte < 127 ? (char)byte : '.'; }

uint32_t heat_colour(float bits) { return steps[step_of(bits)].web; }

void heat_legend(int step, char *text, size_t size, uint32_t *colour)
{
    *colour = steps[step].web;
    if (step + 1 < HEAT_STEPS)
        snprintf(text, size, "to %g", (double)steps[step].most);
    else
        snprintf(text, size, "more");
}

double heat_sum(const heat *h, size_t from, size_t to)
{
    double sum = 0;
    for (size_t i = from; i < to; i++)
        sum += h->bits[i];
    return sum;
}

/* --- terminal --------------------------------------------------------------------------------- */

static void begin_colour(const heat *h, size_t i, bool colour)
{
    const int c = steps[step_of(h->bits[i])].colour;
    if (colour && c)
        out("\033[48;5;%dm\033[97m", c);
}

static void end_colour(const heat *h, size_t i, bool colour)
{
    if (colour && steps[step_of(h->bits[i])].colour)
        out("\033[0m");
}

static void print_row(const heat *h, size_t from, size_t to, bool colour)
{
    out("%08zx ", from);
    for (size_t i = from; i < to; i++) {
        out(" ");
        begin_colour(h, i, colour);
        out("%02x", h->bytes[i]);
        end_colour(h, i, colour);
    }
    out("%*s", (int)(3 * (ROW - (to - from)) + 2), "");
    for (size_t i = from; i < to; i++) {
        begin_colour(h, i, colour);
        out("%c", heat_character(h->bytes[i]));
        end_colour(h, i, colour);
    }
    out("%*s%8.1f\n", (int)(ROW - (to - from)), "", heat_sum(h, from, to));
}

static void print_bits(const heat *h, size_t from, size_t to)
{
    out("%9s", "");
    for (size_t i = from; i < to; i++)
        if (h->bits[i] < 0.5f)
            out("  .");
        else
            out(" %2.0f", h->bits[i] < 99 ? (double)h->bits[i] : 99.0);
    out("\n");
}

void heat_print(const heat *h, size_t from, size_t to)
{
    const bool colour = out_colour();
    for (size_t at = from; at < to; at += ROW) {
        const size_t end = to - at < ROW ? to : at + ROW;
        print_row(h, at, end, colour);
        if (!colour)
            print_bits(h, at, end);
    }
}

/* --- page ------------------------------------------------------------------------------------- */

static void write_escaped(FILE *f, char c)
{
    switch (c) {
    case '<': fputs("&lt;", f); break;
    case '>': fputs("&gt;", f); break;
    case '&': fputs("&amp;", f); break;
    case '"': fputs("&quot;", f); break;
    default: fputc((unsigned char)c < ' ' || (unsigned char)c > 126 ? '?' : c, f);
    }
}

static void write_text(FILE *f, const char *text)
{
    for (; *text != '\0'; text++)
        write_escaped(f, *text);
}

static void write_cell(FILE *f, const heat *h, size_t i, bool text)
{
    fprintf(f, "<i class=h%d title=\"byte %zu: %.2f bits\">", step_of(h->bits[i]), i, (double)h->bits[i]);
    if (text)
        write_escaped(f, heat_character(h->bytes[i]));
    else
        fprintf(f, "%02x", h->bytes[i]);
    fputs("</i>", f);
}

static void write_head(FILE *f, const heat *h, const char *title, size_t from, size_t to)
{
    fputs("<!doctype html>\n<html lang=en><meta charset=utf-8><title>", f);
    write_text(f, title);
    fputs("</title>\n<style>body{font:15px sans-serif;margin:2em}pre{font:13px/1.5 monospace}i{font-style:normal;padding:0 2px}"
          ".t i{padding:0}.k i{padding:2px 8px}", f);
    for (int k = 0; k < HEAT_STEPS; k++)
        fprintf(f, ".h%d{background:#%06x}", k, steps[k].web);
    fputs("</style>\n<h1>", f);
    write_text(f, title);
    fprintf(f, "</h1>\n<p>%zu bytes, %.4f bits per byte; bytes %zu to %zu are shown.</p>\n<p class=k>bits: ", h->size,
            h->size ? (heat_sum(h, 0, h->size) + h->end_bits) / (double)h->size : 0.0, from, to ? to - 1 : 0);
    for (int k = 0; k < HEAT_STEPS; k++) {
        char text[HEAT_LEGEND];
        uint32_t colour;
        heat_legend(k, text, sizeof text, &colour);
        fprintf(f, "<i class=h%d>%s</i> ", k, text);
    }
    fputs("</p>\n<pre>\n", f);
}

void heat_write_page(FILE *f, const heat *h, const char *title, size_t from, size_t to)
{
    write_head(f, h, title, from, to);
    for (size_t at = from; at < to; at += ROW) {
        const size_t end = to - at < ROW ? to : at + ROW;
        fprintf(f, "%08zx  ", at);
        for (size_t i = at; i < end; i++)
            write_cell(f, h, i, false);
        fprintf(f, "%*s<span class=t>", (int)(2 * (ROW - (end - at)) + 2), "");
        for (size_t i = at; i < end; i++)
            write_cell(f, h, i, true);
        fprintf(f, "</span>%*s%8.1f\n", (int)(ROW - (end - at)), "", heat_sum(h, at, end));
    }
    fputs("</pre>\n", f);
}

size_t heat_dearest(const heat *h, size_t *places, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < h->size; i++) {
        size_t at = n < count ? n++ : count;
        while (at > 0 && h->bits[places[at - 1]] < h->bits[i]) {
            if (at < count)
                places[at] = places[at - 1];
            at--;
        }
        if (at < count)
            places[at] = i;
    }
    return n;
}
