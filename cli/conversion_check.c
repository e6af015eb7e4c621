/* What a conversion should have been.  MIDI of ABC: abc2midi makes it again of
 * the input.  ABC of MIDI has no one right form, so it is heard: abc2midi
 * makes MIDI of it, which is compared with the input; beside that stands how well
 * midi2abc's ABC of the same input does. */
#include "cli/conversion_check.h"
#include "cli/music.h"
#include "cli/output.h"
#include <string.h>

typedef unsigned long long ull; /* for %llu */

int check_open(conversion_check *c, const char *to, bool json, const bgpt_options *machine)
{
    *c = (conversion_check){ .json = json, .machine = machine };
    if (!is_music(to))
        return usage_error("--check: conversions between abc and mid can be checked, not those to %s", to);
    return music_programs(true, false);
}

/* One file's verdict. */
typedef struct verdict {
    bgpt_midi_comparison notes;
    bool exact, valid;
    bool from_midi;
    uint64_t tool_bars;
} verdict;

typedef struct bar_list {
    const char *name;
    json_t *bars; /* or NULL: print */
} bar_list;

static void on_bar(void *ctx, const bgpt_midi_bar *b)
{
    const bar_list *l = ctx;
    if (l->bars == NULL)
        out("%s: bar %llu: of %llu notes %llu wrong, %llu missing; %llu extra\n", l->name, (ull)b->number, (ull)b->notes, (ull)b->wrong, (ull)b->missing,
            (ull)b->extra);
    else
        json_array_append_new(l->bars, json_pack("{s:o, s:o, s:o, s:o, s:o}", "bar", json_count(b->number), "notes", json_count(b->notes), "wrong",
                                                 json_count(b->wrong), "missing", json_count(b->missing), "extra", json_count(b->extra)));
}

/* Is this the end of all checks?  A program is missing, or we are asked to stop. */
static bool ends_all(conversion_check *c, child_end end, const char *why)
{
    if (end != CHILD_MISSING && end != CHILD_STOPPED)
        return false;
    c->dead = true;
    c->code = worse(c->code, fail(BGPT_ERR_FAILED, "%s", why));
    return true;
}

/* The notes of a file beside those of the truth; false: there is nothing to compare with, which is said. */
static bool compare(const conversion_check *c, const char *name, const music_file *truth, const music_file *found, bgpt_midi_comparison *notes, bar_list *bars)
{
    static const uint8_t nothing[1];
    bgpt_error error = { 0 };
    const uint8_t *data = found->data != NULL ? found->data : nothing;
    if (bgpt_midi_compare(truth->data, truth->size, data, found->size, notes, bars != NULL ? on_bar : NULL, bars, c->machine, &error) == BGPT_OK)
        return true;
    notice("%s: cannot be checked: %s", name, error.text);
    return false;
}

static bool judge_midi(conversion_check *c, const bgpt_request *r, const char *name, const music_file *file, verdict *v, bar_list *bars)
{
    music_file truth;
    char why[CHILD_WHY];
    const child_end end = abc_to_midi(r->input, r->input_size, &truth, c->machine, why);
    if (end != CHILD_GOOD && !ends_all(c, end, why))
        notice("%s: cannot be checked: its input: %s", name, why);
    const bool judged = end == CHILD_GOOD && compare(c, name, &truth, file, &v->notes, bars);
    v->exact = v->notes.exact;
    v->valid = v->notes.fault.code == BGPT_OK;
    bgpt_free_data(truth.data, c->machine);
    return judged;
}

/* How midi2abc's ABC sounds beside the input, and whether the model's is the same text.  Where midi2abc fails, it gets no bar right. */
static void judge_tool(conversion_check *c, const music_file *input, const music_file *file, verdict *v)
{
    music_file abc = { 0 }, midi = { 0 };
    bgpt_midi_comparison notes = { 0 };
    char why[CHILD_WHY];
    child_end end = midi_to_abc(input->data, input->size, &abc, c->machine, why);
    v->exact = end == CHILD_GOOD && abc.size == file->size && memcmp(abc.data, file->data, file->size) == 0;
    if (end == CHILD_GOOD)
        end = abc_to_midi(abc.data, abc.size, &midi, c->machine, why);
    if (end == CHILD_GOOD && compare(c, "midi2abc", input, &midi, &notes, NULL))
        v->tool_bars = notes.bars_equal;
    else
        ends_all(c, end, why);
    bgpt_free_data(abc.data, c->machine);
    bgpt_free_data(midi.data, c->machine);
}

static bool judge_abc(conversion_check *c, const bgpt_request *r, const char *name, const music_file *file, verdict *v, bar_list *bars)
{
    const music_file input = { (uint8_t *)(uintptr_t)r->input, r->input_size };
    music_file midi;
    char why[CHILD_WHY];
    const child_end end = abc_to_midi(file->data, file->size, &midi, c->machine, why);
    v->from_midi = true;
    v->valid = end == CHILD_GOOD;
    if (end != CHILD_GOOD && !ends_all(c, end, why))
        notice("%s: %s", name, why);
    const bool judged = !c->dead && compare(c, name, &input, &midi, &v->notes, bars);
    if (judged)
        judge_tool(c, &input, file, v);
    bgpt_free_data(midi.data, c->machine);
    return judged && !c->dead;
}

/* --- reports --------------------------------------------------------------------------------------- */

static void add(conversion_check *c, const verdict *v)
{
    bgpt_midi_comparison *s = &c->sum;
    c->files++;
    c->exact += v->exact;
    c->valid += v->valid;
    c->tool_bars += v->tool_bars;
    s->bars += v->notes.bars;
    s->bars_equal += v->notes.bars_equal;
    s->notes += v->notes.notes;
    s->right += v->notes.right;
    s->wrong += v->notes.wrong;
    s->missing += v->notes.missing;
    s->extra += v->notes.extra;
}

static void print_notes(const bgpt_midi_comparison *n)
{
    out("%llu of %llu bars equal; of %llu notes %llu right, %llu wrong, %llu missing; %llu extra", (ull)n->bars_equal, (ull)n->bars, (ull)n->notes,
        (ull)n->right, (ull)n->wrong, (ull)n->missing, (ull)n->extra);
}

static void print_verdict(const char *name, const verdict *v)
{
    out("%s: %s, %s, ", name, v->exact ? "byte-exact" : "not byte-exact", v->valid ? "valid" : "not valid");
    print_notes(&v->notes);
    if (v->from_midi)
        out(" (midi2abc: %llu bars)", (ull)v->tool_bars);
    out("\n");
}

static json_t *notes_json(const bgpt_midi_comparison *n)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "bars", json_count(n->bars), "bars_equal", json_count(n->bars_equal), "notes", json_count(n->notes),
                     "right", json_count(n->right), "wrong", json_count(n->wrong), "missing", json_count(n->missing), "extra", json_count(n->extra));
}

static json_t *verdict_json(const verdict *v, json_t *bars)
{
    json_t *o = notes_json(&v->notes);
    json_object_set_new(o, "exact", json_boolean(v->exact));
    json_object_set_new(o, "valid", json_boolean(v->valid));
    json_object_set(o, "different", bars);
    if (v->from_midi)
        json_object_set_new(o, "midi2abc_bars_equal", json_count(v->tool_bars));
    return o;
}

void check_add(conversion_check *c, const bgpt_request *r, const char *name, const uint8_t *file, size_t size, json_t *object)
{
    verdict v = { 0 };
    const music_file made = { (uint8_t *)(uintptr_t)file, size };
    bar_list bars = { name, NULL };
    if (c->dead)
        return;
    if (c->json)
        bars.bars = json_array();
    const bool judged = is_midi(r->extension) ? judge_midi(c, r, name, &made, &v, &bars) : judge_abc(c, r, name, &made, &v, &bars);
    if (!judged) {
        c->unjudged++;
    } else {
        add(c, &v);
        if (object != NULL)
            json_object_set_new(object, "check", verdict_json(&v, bars.bars));
        if (!c->json)
            print_verdict(name, &v);
    }
    json_decref(bars.bars);
}

void check_print(const conversion_check *c)
{
    if (c->unjudged > 0)
        notice("%llu files could not be checked and are not in these figures", (ull)c->unjudged);
    if (c->files == 0)
        return;
    out("in all (%llu): %llu byte-exact, %llu valid, ", (ull)c->files, (ull)c->exact, (ull)c->valid);
    print_notes(&c->sum);
    out("\n");
}

json_t *check_json(const conversion_check *c)
{
    json_t *o = notes_json(&c->sum);
    json_object_set_new(o, "files", json_count(c->files));
    json_object_set_new(o, "exact", json_count(c->exact));
    json_object_set_new(o, "valid", json_count(c->valid));
    json_object_set_new(o, "unjudged", json_count(c->unjudged));
    return o;
}
