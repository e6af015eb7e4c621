/* Running a preparation: progress, the last line, exit codes. */
#include "cli/prepare.h"

#include "cli/output.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/signals.h"

#include <stdio.h>
#include <string.h>

static int on_progress(void *ctx, uint64_t done, uint64_t all)
{
    char text[64];
    (void)ctx;
    if (progress_due()) {
        snprintf(text, sizeof text, "%llu of %llu", (unsigned long long)done, (unsigned long long)all);
        progress_show(text);
    }
    return signals_stop();
}

static void on_notice(void *ctx, const char *sentence)
{
    (void)ctx;
    progress_clear();
    notice("%s", sentence);
}

static void report(const prepare_arguments *a, const prepare_totals *t, bool json)
{
    char size[32];
    bytes_text((double)t->bytes, size, sizeof size);
    if (json)
        out_json(json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "out", json_text(a->out), "sources", json_count(t->sources), "resumed", json_count(t->resumed),
                           "written", json_count(t->written), "left_out", json_count(t->left_out), "bytes", json_count(t->bytes)));
    else
        out("%s: %llu files written, %s, of %llu sources; %llu left out%s\n", a->out, (unsigned long long)t->written, size, (unsigned long long)t->sources,
            (unsigned long long)t->left_out, t->left_out ? " (manifest.tsv says why)" : "");
    if (t->resumed)
        notice("%llu had been done by an earlier call", (unsigned long long)t->resumed);
}

int prepare_command(const common *c, const prepare_arguments *a, prepare_tool *tool, const char *settings)
{
    bg_error err = { 0 };
    prepare_totals totals;
    if (refuse_no_folder(a->out, "FOLDER") != 0)
        return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    if (strchr(settings, '\n') != NULL)
        return usage_error("an option's value holds a line feed");
    prepare_job j = { .inputs = c->operands, .input_count = c->operand_count, .out = a->out, .licence = a->licence ? a->licence : "", .overwrite = a->force,
                      .progress = on_progress, .notice = on_notice };
    if (a->labels != NULL) {
        j.labels = strcmp(a->labels, "folders") == 0 ? PREPARE_LABELS_FOLDERS : PREPARE_LABELS_FILE;
        j.label_file = a->labels;
    }
    char *described = bg_asprintf(bg_sys_default(), "%s labels=%s", settings, a->labels ? a->labels : "none");
    if (described == NULL)
        return fail(BGPT_ERR_MEMORY, "no memory for the settings");
    tool->described = described;
    signals_catch(NULL);
    const bg_status s = prepare_run(&j, tool, (unsigned)c->threads, bg_sys_default(), &totals, &err);
    progress_clear();
    bg_free(bg_sys_default(), described);
    if (s != BG_OK)
        return fail((bgpt_status)s, "%s", err.text);
    if (totals.left_out && totals.written == 0 && totals.resumed == 0)
        return fail(BGPT_ERR_FORMAT, "nothing could be made of any of these files (%s/manifest.tsv says why)", a->out);
    report(a, &totals, c->json);
    return 0;
}
