/* Rows of tables by what stood before, on the host: integer work that takes
 * about a hundredth of a pass. */
#include "model/rows.h"

#include <assert.h>
#include <string.h>

/* The n-grams that end at each place of a patch -> out[k * table + place]. */
static void patch_rows(uint16_t *out, size_t table, const uint16_t *before, const uint16_t *patch, uint32_t P, uint32_t count)
{
    uint16_t rows[BG_GRAM_TABLES];
    for (uint32_t i = 0; i < P; i++) {
        bg_gram_rows(rows, BG_PATCH_GRAM_MIN, before, patch, i + 1, P, count);
        for (int k = 0; k < BG_GRAM_TABLES; k++)
            out[k * table + i] = rows[k];
    }
}

/* What stands in front of a sequence's first patch, as in grams.c. */
static void put_nothing(uint16_t *patch, uint32_t P)
{
    for (uint32_t i = 0; i < P; i++)
        patch[i] = BG_VOCAB;
}

static void batch_patch_grams(bg_model *m, const bg_batch *b)
{
    const size_t P = b->P, symbols = b->rows * P;
    uint16_t nothing[BG_MAX_PATCH];
    put_nothing(nothing, b->P);
    for (uint32_t file = 0; file < b->files; file++)
        for (size_t row = b->row_start[file]; row < b->row_start[file + 1]; row++) {
            const uint16_t *patch = b->tokens + row * P;
            const int follows = row > b->row_start[file] && b->position[row] == b->position[row - 1] + 1; /* else the patch before was skipped */
            patch_rows(m->host_rows + row * P, symbols, follows ? patch - P : nothing, patch, b->P, m->config.patch_grams);
        }
    for (int k = 0; k < BG_GRAM_TABLES; k++)
        m->be->ops->write(m->be, m->patch_rows[k], m->host_rows + k * symbols, symbols * sizeof *m->host_rows);
}

static void batch_grams(bg_model *m, const bg_batch *b)
{
    const size_t P = b->P, symbols = b->targets * P;
    uint16_t rows[BG_GRAM_TABLES];
    for (size_t at = 0; at < symbols; at++) {
        const uint16_t *patch = b->tokens + b->target[at / P] * P;
        bg_gram_rows(rows, BG_GRAM_MIN, patch - P, patch, (uint32_t)(at % P), b->P, m->config.grams);
        for (int k = 0; k < BG_GRAM_TABLES; k++)
            m->host_rows[k * symbols + at] = rows[k];
    }
}

static void batch_match(bg_model *m, const bg_batch *b)
{
    uint16_t *out = m->host_rows + BG_GRAM_TABLES * ((size_t)b->targets * b->P);
    uint32_t target = 0;
    for (uint32_t file = 0; file < b->files; file++) {
        if (b->target_start[file + 1] == b->target_start[file])
            continue;
        const uint32_t end = b->target[b->target_start[file + 1] - 1] + 1; /* behind the last that is predicted */
        bg_match_reset(&m->match, (end - b->row_start[file]) * b->P);
        for (uint32_t row = b->row_start[file]; row < end; row++) {
            const uint16_t *patch = b->tokens + (size_t)row * b->P;
            const int wanted = target < b->targets && b->target[target] == row;
            for (uint32_t i = 0; i < b->P; i++) {
                if (wanted)
                    *out++ = m->match.row;
                bg_match_push(&m->match, patch + i, 1);
            }
            target += (uint32_t)wanted;
        }
    }
}

void bg_upload_rows(bg_model *m, const bg_batch *b)
{
    const size_t symbols = (size_t)b->targets * b->P;
    if (m->config.patch_grams)
        batch_patch_grams(m, b);
    if (m->config.grams)
        batch_grams(m, b);
    if (m->config.match)
        batch_match(m, b);
    for (int k = 0; k < BG_ROW_TABLES; k++)
        if (m->rows[k])
            m->be->ops->write(m->be, m->rows[k], m->host_rows + k * symbols, symbols * sizeof *m->host_rows);
}

bg_status bg_recent_open(bg_recent *r, const bg_model *m, uint32_t slots, bg_error *err)
{
    const bg_config *c = &m->config;
    *r = (bg_recent){ .slots = slots, .P = c->patch_size, .grams = c->grams, .patch_grams = c->patch_grams, .sys = m->be->sys };
    r->patches = bg_alloc_zero(r->sys, (size_t)slots * 2 * r->P, sizeof *r->patches);
    r->rows = bg_alloc_zero(r->sys, (size_t)BG_ROW_TABLES * slots, sizeof *r->rows);
    if (c->match)
        r->match = bg_alloc_zero(r->sys, slots, sizeof *r->match);
    if (!r->patches || !r->rows || (c->match && !r->match))
        return bg_fail_memory(err, "the last symbols of sequences", (uint64_t)slots * 2 * r->P * sizeof *r->patches);
    for (uint32_t i = 0; r->match && i < slots; i++)
        BG_TRY(bg_match_open(&r->match[i], r->sys, c->patches * c->patch_size, err));
    return BG_OK;
}

void bg_recent_close(bg_recent *r)
{
    for (uint32_t i = 0; r->match && i < r->slots; i++)
        bg_match_close(&r->match[i]);
    bg_free(r->sys, r->match);
    bg_free(r->sys, r->patches);
    bg_free(r->sys, r->rows);
}

void bg_recent_reset(bg_recent *r, uint32_t slot, uint32_t limit)
{
    put_nothing(r->patches + (size_t)slot * 2 * r->P, r->P);
    if (r->match)
        bg_match_reset(&r->match[slot], limit * r->P);
}

void bg_recent_patch_rows(const bg_recent *r, uint32_t slot, const uint16_t *patch, uint16_t *to, uint32_t i, uint32_t n)
{
    patch_rows(to + (size_t)i * r->P, (size_t)n * r->P, bg_recent_last(r, slot), patch, r->P, r->patch_grams);
}

void bg_recent_patch(bg_recent *r, uint32_t slot, const uint16_t *patch)
{
    if (r->match) {
        const uint32_t had = r->match[slot].length % r->P; /* one by one */
        bg_match_push(&r->match[slot], patch + had, r->P - had);
    }
    memcpy(r->patches + (size_t)slot * 2 * r->P, patch, r->P * sizeof *patch);
}

void bg_recent_byte(bg_recent *r, uint32_t slot, uint32_t at, uint16_t symbol, uint32_t i, uint32_t n)
{
    uint16_t *last = r->patches + (size_t)slot * 2 * r->P, *this = last + r->P, grams[BG_GRAM_TABLES];
    assert(i < n && n <= r->slots);
    if (at) {
        this[at - 1] = symbol;
        if (r->match)
            bg_match_push(&r->match[slot], &symbol, 1);
    }
    if (r->grams) {
        bg_gram_rows(grams, BG_GRAM_MIN, last, this, at, r->P, r->grams);
        for (int k = 0; k < BG_GRAM_TABLES; k++)
            r->rows[k * n + i] = grams[k];
    }
    if (r->match)
        r->rows[BG_GRAM_TABLES * n + i] = r->match[slot].row;
}
