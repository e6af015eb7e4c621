/* The smaller calls of include/bgpt.h and the conversions that all files of
 * api/ share.  This layer decides nothing: it turns public structs into the
 * library's own and back. */
#include "api/api.h"

#include "base/file.h"
#include "data/midi.h"
#include "data/midi_compare.h"
#include "run/settings.h"
#include "run/sizes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(x) TEXT_OF_(x)
#define TEXT_OF_(x) #x

const char *bgpt_version(void) { return TEXT_OF(BGPT_VERSION_MAJOR) "." TEXT_OF(BGPT_VERSION_MINOR) "." TEXT_OF(BGPT_VERSION_PATCH); }

int bgpt_exit_code(bgpt_status s)
{
    static const int codes[] = { 0, 1, 2, 3, 3, 5, 5, 75 };
    return (size_t)s < sizeof codes / sizeof codes[0] ? codes[s] : 1;
}

bgpt_status bg_api_return(bgpt_error *to, bg_status status, const bg_error *from)
{
    if (to) {
        to->code = (bgpt_status)status;
        to->text[0] = 0;
        if (status != BG_OK)
            memcpy(to->text, from->text, sizeof to->text);
    }
    return (bgpt_status)status;
}
_Static_assert((int)BGPT_MIDI_REPAIR_ROOM == (int)BG_MIDI_REPAIR_ROOM, "a repair needs what the header says");
_Static_assert(sizeof ((bgpt_error *)0)->text == BG_ERROR_TEXT, "both error texts must be equally long");

bg_machine_options bg_api_machine(const bgpt_options *opt, const bg_sys *sys)
{
    bg_machine_options o = { .sys = sys };
    o.threads = opt ? opt->threads : 0;
    o.isa = opt && opt->isa ? opt->isa : getenv("BGPT_ISA");
    o.fp32 = opt && opt->precision == BGPT_FP32;
    return o;
}

bg_weight_form bg_api_weights(const bgpt_options *opt)
{
    return opt && opt->weights == BGPT_WEIGHTS_INT8 ? BG_WEIGHTS_INT8 : BG_WEIGHTS_RUN;
}

bg_config bg_api_config(const bgpt_config *c)
{
    return (bg_config){ c->hidden, c->patch_layers, c->byte_layers, c->byte_hidden, c->patches, c->patch_size, c->classes, c->previous, c->grams, c->match, c->patch_grams, c->rotary, c->conv };
}

bgpt_config bg_api_public_config(const bg_config *c)
{
    return (bgpt_config){ c->hidden, c->patch_layers, c->byte_layers, c->byte_hidden, c->patches, c->patch_size, c->classes, c->previous, c->grams, c->match, c->patch_grams, c->rotary, c->conv };
}

bgpt_score bg_api_public_score(const bg_score *s)
{
    return (bgpt_score){
        .file = s->file, .bytes = s->bytes, .symbols = s->symbols, .patches = s->patches, .nats = s->nats,
        .nats_per_symbol = s->nats_per_symbol, .reference_bpb = s->reference_bpb, .bits_per_byte = s->bits_per_byte,
        .label = s->label, .predicted = s->predicted, .confidence = s->confidence,
    };
}

/* --- the machine ------------------------------------------------------------------ */

bgpt_status bgpt_machine(const bgpt_options *opt, const char **isa, const char **precision, unsigned *threads, bgpt_error *err)
{
    /* any shape will do: the level and its arithmetic do not depend on it */
    const bg_config any = { .hidden = 64, .patch_layers = 1, .byte_layers = 1, .byte_hidden = 64, .patches = 8, .patch_size = 8 };
    bg_api_sys hooks;
    const bg_machine_options o = bg_api_machine(opt, bg_api_sys_open(&hooks, opt));
    bg_machine m;
    bg_error e;
    bg_status s = bg_machine_open(&m, &o, &any, &e);
    if (s != BG_OK)
        return bg_api_return(err, s, &e);
    if (isa)
        *isa = bg_isa_name(m.be->isa);
    if (precision)
        *precision = m.be->precision;
    if (threads)
        *threads = bg_pool_threads(m.pool);
    bg_machine_close(&m);
    return bg_api_return(err, BG_OK, NULL);
}

/* --- sizes ------------------------------------------------------------------------- */

bgpt_status bgpt_size(const char *name, bgpt_config *c, bgpt_error *err)
{
    bg_error e;
    bg_config found = bg_api_config(c);
    bg_status s = bg_size_find(&found, name, &e);
    if (s == BG_OK)
        *c = bg_api_public_config(&found);
    return bg_api_return(err, s, &e);
}

const char *bgpt_size_name(size_t i) { return bg_size_at(i) ? bg_size_at(i)->name : NULL; }
const char *bgpt_size_about(size_t i) { return bg_size_at(i) ? bg_size_at(i)->about : NULL; }

uint64_t bgpt_count_parameters(const bgpt_config *public)
{
    bg_settings s = { .config = bg_api_config(public) };
    bg_params p;
    bg_settings_defaults(&s);
    const bg_config c = s.config;
    if (bg_config_check(&c, "configuration", NULL) != BG_OK || bg_params_build(&p, &c, bg_sys_default(), NULL) != BG_OK)
        return 0;
    uint64_t n = p.parameters;
    bg_params_free(&p, bg_sys_default());
    return n;
}

/* --- files --------------------------------------------------------------------------- */

bgpt_status bgpt_import(const char *pth, const char *safetensors, int overwrite, const bgpt_options *opt, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    return bg_api_return(err, bg_pth_import(bg_api_sys_open(&hooks, opt), pth, safetensors, overwrite, &e), &e);
}

bgpt_status bgpt_export(const char *safetensors, const char *pth, int overwrite, const bgpt_options *opt, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    return bg_api_return(err, bg_pth_export(bg_api_sys_open(&hooks, opt), safetensors, pth, overwrite, &e), &e);
}

bgpt_status bgpt_compact(const char *safetensors, const char *compact, int overwrite, const bgpt_options *opt, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    return bg_api_return(err, bg_model_compact(bg_api_sys_open(&hooks, opt), safetensors, compact, overwrite, &e), &e);
}

bgpt_status bgpt_average(const char *const *models, const double *shares, size_t count, const char *out, int overwrite, const bgpt_options *opt, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    return bg_api_return(err, bg_model_average(bg_api_sys_open(&hooks, opt), models, shares, count, out, overwrite, &e), &e);
}

bgpt_status bgpt_midi_check(const uint8_t *data, size_t size, bgpt_error *err)
{
    bg_error e;
    return bg_api_return(err, bg_midi_check(data, size, NULL, &e), &e);
}

bgpt_status bgpt_midi_repair(uint8_t *data, size_t *size, size_t capacity, size_t *cut, bgpt_error *err)
{
    bg_error e;
    return bg_api_return(err, bg_midi_repair(data, size, capacity, cut, &e), &e);
}

typedef struct bar_relay { void (*bar)(void *ctx, const bgpt_midi_bar *b); void *ctx; } bar_relay;

static void relay_bar(void *ctx, const bg_midi_bar *b)
{
    const bar_relay *to = ctx;
    const bgpt_midi_bar out = { b->number, b->notes, b->right, b->wrong, b->missing, b->extra };
    to->bar(to->ctx, &out);
}

bgpt_status bgpt_midi_compare(const uint8_t *truth, size_t truth_size, const uint8_t *found, size_t found_size, bgpt_midi_comparison *out,
                              void (*bar)(void *ctx, const bgpt_midi_bar *b), void *ctx, const bgpt_options *opt, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    bg_midi_comparison c;
    bar_relay relay = { bar, ctx };
    bg_status s = bg_midi_compare(bg_api_sys_open(&hooks, opt), truth, truth_size, found, found_size, &c, bar ? relay_bar : NULL, &relay, &e);
    if (s == BG_OK) {
        *out = (bgpt_midi_comparison){ .bars = c.bars, .bars_equal = c.bars_equal, .notes = c.sum.notes, .right = c.sum.right, .wrong = c.sum.wrong,
                                       .missing = c.sum.missing, .extra = c.sum.extra, .exact = c.exact };
        bg_api_return(&out->fault, c.fault.code, &c.fault);
    }
    return bg_api_return(err, s, &e);
}

bgpt_status bgpt_write_file(const char *path, const void *data, size_t size, int overwrite, const bgpt_options *opt, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    return bg_api_return(err, bg_write_file(bg_api_sys_open(&hooks, opt), path, data, size, overwrite, &e), &e);
}

bgpt_status bgpt_read_file(const char *path, uint64_t limit, uint8_t **data, size_t *size, const bgpt_options *opt, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    return bg_api_return(err, bg_read_file(bg_api_sys_open(&hooks, opt), path, limit ? limit : (uint64_t)1 << 40, data, size, &e), &e);
}

void bgpt_free_data(uint8_t *data, const bgpt_options *opt)
{
    bg_api_sys hooks;
    bg_free(bg_api_sys_open(&hooks, opt), data);
}

bgpt_status bgpt_list_files(const bgpt_data *d, void (*file)(void *ctx, const char *path), void *ctx, const bgpt_options *opt, bgpt_error *err)
{
    bg_api_sys hooks;
    bg_error e;
    return bg_api_return(err, bg_list_files(bg_api_sys_open(&hooks, opt), d->paths, d->count, NULL, file, ctx, &e), &e);
}
