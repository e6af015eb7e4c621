/* bgpt train: from the typed options to the library's training run.  Which
 * settings make sense together is checked here; their effect, the run folder
 * and exact resumption are the library's. */
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/shape.h"
#include "cli/signals.h"
#include "cli/train_report.h"
#include "prepare/prepare.h"
#include <stdlib.h>
#include <string.h>

typedef struct train_arguments {
    common common;
    const char *run, *pairs, *init, *licence, *recipe, *tensorboard;
    text_list validation, meta;
    bool classify, resume, force, augment;
    int loss, schedule, optimizer, embedding_init;
    shape_arguments shape;
    uint64_t steps, batch, accumulate, patch_sampling, eval_every, keep, validation_limit, patience;
    double skip_empty, epochs, time, lr, min_lr, warmup, clip, weight_decay, beta1, beta2, dropout, save_every, cooldown, momentum, rest_lr, qk_lr;
} train_arguments;

#define AT(member) offsetof(train_arguments, member)
#define HEADING(text) { NULL, 0, OPTION_HEADING, 0, 0, 0, NULL, NULL, text }

static const option train_options[] = {
    HEADING("Data"),
    { "pairs", 0, OPTION_TEXT, AT(pairs), 0, 0, NULL, "A:B", "learn to convert files x.A into x.B (abc:mid), or both ways (abc+mid)" },
    { "classify", 0, OPTION_FLAG, AT(classify), 0, 0, NULL, NULL,
      "learn labels: of a file name, what stands before the first _, and the extension (Business_1.txt is Business.txt)" },
    { "val", 0, OPTION_LIST, AT(validation), 0, 0, NULL, "DATA", "held-out files, never trained on; may be given several times" },
    { "val-limit", 0, OPTION_COUNT, AT(validation_limit), 0, 4e9, "0", "N", "evaluate N held-out files at most; 0: all" },
    { "loss", 0, OPTION_CHOICE, AT(loss), 0, 0, "all", "all|target", "target: of a pair, only the second file is learnt; of a program, only its states" },
    { "skip-empty", 0, OPTION_REAL, AT(skip_empty), 0, 1, "0", "SHARE",
      "with --loss target, of this share of the programs (cpu:...) leave out the memory that nothing is fetched from, but keep its places: cheaper steps" },
    { "augment", 0, OPTION_FLAG, AT(augment), 0, 0, NULL, NULL,
      "change sounds (WAV, one channel, plain header) and pictures (BMP, 24 bits) a little each time they are read: earlier or later, faster or slower, louder, duller or brighter, upside down, with a gap; moved, turned, larger, brighter" },
    { "patch-sampling", 0, OPTION_COUNT, AT(patch_sampling), 0, 4e9, "0", "K", "learn from K random patches of each batch; 0: from all" },
    HEADING("Model"),
    SHAPE_ROWS(train_arguments),
    { "dropout", 0, OPTION_REAL, AT(dropout), 0, 0.99, NULL, "X", "share of activations left out in training (plain: 0)" },
    { "embedding-init", 0, OPTION_CHOICE, AT(embedding_init), 0, 0, NULL, "normal|bits|levels",
      "how the rows of byte values and patch positions begin: each by itself; built of the bits of its number, for files of numbers and addresses; or, levels: byte values like their neighbours, for samples of sound and pixels (plain: normal)" },
    { "init", 0, OPTION_TEXT, AT(init), 0, 0, NULL, "MODEL", "start from the weights and the shape of this model; --patches N beside it: with a context of another length; --patch-layers L, --byte-layers L: with more layers, which begin by adding nothing; --grams N, --patch-grams N: with other tables of n-grams, or none" },
    { "licence", 0, OPTION_TEXT, AT(licence), 0, 0, NULL, "TEXT", "licence of the model, stored in it" },
    { "meta", 0, OPTION_LIST, AT(meta), 0, 0, NULL, "KEY=VALUE", "a fact to store in the model; may be given several times" },
    HEADING("Length (the first that is reached; 1 epoch when none is given)"),
    { "epochs", 0, OPTION_REAL, AT(epochs), 1e-6, 1e9, NULL, "E", "times through the data" },
    { "steps", 0, OPTION_COUNT, AT(steps), 1, 1e15, NULL, "N", "updates of the weights" },
    { "time", 0, OPTION_DURATION, AT(time), 1e-3, 1e10, NULL, "TIME",
      "as 90m, 2h30m or 45s; given alone, the cosine follows the clock, beside --steps or --epochs it follows the steps" },
    { "patience", 0, OPTION_COUNT, AT(patience), 1, 4e9, NULL, "N",
      "with --val, end when N evaluations in a row have not been the best so far; the run is finished then, and --resume does not go on" },
    HEADING("Optimiser"),
    { "recipe", 0, OPTION_TEXT, AT(recipe), 0, 0, NULL, "NAME", "settings that belong together (--recipe list shows them); single options below, --dropout, --previous, --grams, --patch-grams, --match and --rotary overrule them; fast unless told, with --classify classify" },
    { "batch", 0, OPTION_COUNT, AT(batch), 1, 65535, NULL, "N", "files side by side (fast: 8, classify: 16)" },
    { "accumulate", 0, OPTION_COUNT, AT(accumulate), 1, 65535, NULL, "N", "batches of a step (1)" },
    { "lr", 0, OPTION_REAL, AT(lr), 1e-12, 1e12, NULL, "X", "learning rate (fast: 5e-3, classify: 2e-3, plain: 3e-4)" },
    { "min-lr", 0, OPTION_REAL, AT(min_lr), 0, 1, NULL, "SHARE", "the rate ends at this share of the learning rate (0)" },
    { "warmup", 0, OPTION_REAL, AT(warmup), 0, 1e15, NULL, "X", "steps, or below 1 a share of the run, in which the rate rises (fast, classify: 0.02, plain: 0.05)" },
    { "schedule", 0, OPTION_CHOICE, AT(schedule), 0, 0, NULL, "cosine|constant|stable", "the rate after the warm-up; stable: constant, and falling at the end (fast: stable, else cosine)" },
    { "cooldown", 0, OPTION_REAL, AT(cooldown), 0, 1e15, NULL, "X", "with --schedule stable: steps, or below 1 a share of the run, in which the rate falls (fast: 0.5)" },
    { "clip", 0, OPTION_REAL, AT(clip), 0, 1e30, NULL, "X", "largest norm of the gradient; 0: any (1)" },
    { "weight-decay", 0, OPTION_REAL, AT(weight_decay), 0, 1e6, NULL, "X", "weight decay (0.01; classify: 0.1)" },
    { "beta1", 0, OPTION_REAL, AT(beta1), 1e-9, 0.999999, NULL, "X", "AdamW's first memory (0.9)" },
    { "beta2", 0, OPTION_REAL, AT(beta2), 1e-9, 0.9999999, NULL, "X", "AdamW's second memory (fast: 0.99, else 0.999)" },
    { "optimizer", 0, OPTION_CHOICE, AT(optimizer), 0, 0, NULL, "adamw|muon", "muon: for the layers' matrices, which alone decay then; AdamW for the rest (fast, classify: muon, plain: adamw)" },
    { "momentum", 0, OPTION_REAL, AT(momentum), 0, 0.9999, NULL, "X", "Muon's memory (0.95)" },
    { "qk-lr", 0, OPTION_REAL, AT(qk_lr), 1e-6, 1e6, NULL, "SHARE", "with Muon: the rate of the matrices of queries and keys, as a share of --lr (1); their decay follows --lr itself" },
    { "rest-lr", 0, OPTION_REAL, AT(rest_lr), 1e-6, 1e6, NULL, "SHARE", "with Muon: the rate of what AdamW moves, as a share of --lr (fast: 0.3, classify: 0.25)" },
    HEADING("Run"),
    { "out", 'o', OPTION_TEXT, AT(run), 0, 0, NULL, "RUN", "the run's folder, made if missing (required)" },
    { "resume", 0, OPTION_FLAG, AT(resume), 0, 0, NULL, NULL, "continue the run from its last checkpoint, with the data and settings it was started with; exact (the same bits) for runs "
      "limited by --steps or --epochs" },
    { "force", 'f', OPTION_FLAG, AT(force), 0, 0, NULL, NULL, "replace a run that lies in the folder" },
    { "eval-every", 0, OPTION_COUNT, AT(eval_every), 0, 1e15, NULL, "N", "steps between evaluations; 0: only at the end; without it, about ten in a run" },
    { "save-every", 0, OPTION_DURATION, AT(save_every), 0, 1e10, "5m", "TIME", "time between checkpoints; 0: only at the end" },
    { "tensorboard", 0, OPTION_TEXT, AT(tensorboard), 0, 0, NULL, "FOLDER",
      "write loss, rate, gradient norm and held-out figures there for TensorBoard too; give it again with --resume, which adds a file" },
    { "keep", 0, OPTION_COUNT, AT(keep), 2, 1e6, "2", "N", "checkpoints kept, at least 2" },
};

/* --- checks --------------------------------------------------------------------- */

static int check_arguments(const train_arguments *a)
{
    if (refuse_no_folder(a->run, "RUN") != 0)
        return bgpt_exit_code(BGPT_ERR_ARGUMENT);
    if (!a->resume && a->common.operand_count == 0)
        return usage_error("DATA is missing; usage: bgpt train DATA... --out RUN");
    if (a->resume && a->common.operand_count == 0 && !is_folder(a->run))
        return fail(BGPT_ERR_NOT_FOUND, "%s: there is no run to continue", a->run);
    if (a->resume && a->force)
        return usage_error("--resume continues a run, -f replaces it: only one can be meant");
    if (a->augment && a->pairs != NULL)
        return usage_error("--augment changes a file by itself, and would part it from its partner: it cannot be given with --pairs");
    if (a->classify && a->pairs != NULL)
        return usage_error("--classify and --pairs cannot be given together");
    if (a->loss == 1 && a->pairs == NULL && !a->resume && strncmp(a->common.operands[0], "cpu:", 4) != 0)
        return usage_error("--loss target is about pairs and programs: --pairs is missing");
    if (a->patience > 0 && a->validation.count == 0 && !a->resume)
        return usage_error("--patience is about held-out figures: --val is missing");
    if (a->init != NULL && shape_given(&a->common, &a->shape, offsetof(train_arguments, shape)))
        return usage_error("--init takes the shape from its model: only --patches, --patch-layers, --byte-layers, --grams and --patch-grams can be others");
    return shape_check(&a->shape);
}

/* --- from typed options to the library's struct ------------------------------------- */

/* What was typed overrules the recipe.  A resumed run keeps its own settings: what was not typed stays zero, which
 * the library takes for "as before". */
#define TYPED(field, member)                          \
    do {                                              \
        if (GIVEN(a, member))                         \
            t->field = (__typeof__(t->field))a->member; \
    } while (0)
/* Settings whose typed zero means off, which the library writes as -1. */
#define TYPED_OR_OFF(field)                                \
    do {                                                   \
        if (GIVEN(a, field))                               \
            t->field = a->field == 0 ? -1 : a->field;      \
    } while (0)

static void overrule(const train_arguments *a, bgpt_train *t)
{
    TYPED(batch, batch);
    TYPED(accumulate, accumulate);
    TYPED(lr, lr);
    TYPED(min_lr, min_lr);
    TYPED(schedule, schedule);
    TYPED(optimizer, optimizer);
    TYPED(rest_lr, rest_lr);
    TYPED(qk_lr, qk_lr);
    TYPED(embedding_init, embedding_init);
    TYPED(beta1, beta1);
    TYPED(beta2, beta2);
    TYPED(dropout, dropout);
    TYPED_OR_OFF(cooldown);
    TYPED_OR_OFF(momentum);
    TYPED_OR_OFF(warmup);
    TYPED_OR_OFF(clip);
    TYPED_OR_OFF(weight_decay);
}

static bool run_has(const char *run, const char *name)
{
    char *path = path_join(run, name);
    const bool found = is_file(path);
    free(path);
    return found;
}

/* Is there a run to go on with?  Its settings or, where they are lost, its log say so. */
static bool goes_on(const train_arguments *a) { return a->resume && (run_has(a->run, "config.json") || run_has(a->run, "log.jsonl")); }

static int fill(const train_arguments *a, bgpt_train *t)
{
    bgpt_error error = { 0 };
    *t = (bgpt_train){
        .data = { a->common.operands, a->common.operand_count, a->pairs },
        .validation = { a->validation.items, a->validation.count, a->pairs },
        .out = a->run, .tensorboard = a->tensorboard, .init = a->init, .resume = a->resume, .overwrite = a->force, .classify = a->classify,
        .epochs = a->epochs, .steps = a->steps, .seconds = a->time,
        .patch_sampling = (uint32_t)a->patch_sampling, .loss_target = a->loss, .augment = a->augment, .skip_empty = a->skip_empty, .seed = a->common.seed,
        .eval_every = GIVEN(a, eval_every) && a->eval_every == 0 ? -1 : (double)a->eval_every,
        .save_every = a->save_every == 0 ? -1 : a->save_every,
        .keep = (uint32_t)a->keep, .patience = (uint32_t)a->patience, .val_limit = (uint32_t)a->validation_limit,
        .progress = report_progress, .stop = stop_hook, .notice = notice_hook,
    };
    const char *recipe = a->recipe != NULL ? a->recipe : a->classify ? "classify" : "fast";
    if ((!goes_on(a) || GIVEN(a, recipe)) && bgpt_recipe(recipe, t, &error) != BGPT_OK)
        return fail_with(&error);
    overrule(a, t);
    if (a->init != NULL) {
        t->init_patches = (uint32_t)a->shape.patches;
        t->init_patch_layers = (uint32_t)a->shape.patch_layers;
        t->init_byte_layers = (uint32_t)a->shape.byte_layers;
        t->init_grams = !GIVEN(a, shape.grams) ? 0 : a->shape.grams ? (int32_t)a->shape.grams : -1;
        t->init_patch_grams = !GIVEN(a, shape.patch_grams) ? 0 : a->shape.patch_grams ? (int32_t)a->shape.patch_grams : -1;
    }
    return shape_fill(&a->common, &a->shape, offsetof(train_arguments, shape), &t->config);
}

/* key, value, key, value, ..., NULL.  The texts after "=" are the typed ones;
 * the keys before it are copies in *keys.  prepared: words, or "". */
static int fill_metadata(const train_arguments *a, const char *prepared, const char ***list, char ***keys)
{
    size_t n = 0;
    *list = calloc(2 * a->meta.count + 5, sizeof **list);
    *keys = calloc(a->meta.count + 1, sizeof **keys);
    if (*list == NULL || *keys == NULL)
        return fail(BGPT_ERR_MEMORY, "out of memory");
    if (a->licence != NULL) {
        (*list)[n++] = "licence";
        (*list)[n++] = a->licence;
    }
    if (prepared[0] != 0) {
        (*list)[n++] = "prepare";
        (*list)[n++] = prepared;
    }
    for (size_t i = 0; i < a->meta.count; i++) {
        const char *text = a->meta.items[i], *equals = strchr(text, '=');
        if (equals == NULL || equals == text)
            return usage_error("--meta: not KEY=VALUE: %s", text);
        (*keys)[i] = strndup(text, (size_t)(equals - text));
        if ((*keys)[i] == NULL)
            return fail(BGPT_ERR_MEMORY, "out of memory");
        (*list)[n++] = (*keys)[i];
        (*list)[n++] = equals + 1;
    }
    return 0;
}

/* --- the run --------------------------------------------------------------------------- */

static int train(const train_arguments *a, bgpt_train *t)
{
    bgpt_options o = machine_options(&a->common);
    bgpt_error error = { 0 };
    char *model = path_join(a->run, "model.safetensors");
    train_report report = { .run = a->run, .model = model };
    int code = model == NULL ? fail(BGPT_ERR_MEMORY, "out of memory") : machine_announce(&o, NULL, NULL);
    if (code == 0) {
        t->ctx = &report;
        signals_catch(output_quiet() ? NULL : "bgpt: stopping: the step is being finished and saved (a second signal ends at once)\n");
        bgpt_status status = bgpt_train_run(t, &o, &error);
        if (status == BGPT_OK)
            report_summary(&report, a->common.json);
        else if (status == BGPT_ERR_INTERRUPTED)
            code = fail(status, "interrupted at step %llu, all is saved; to continue: bgpt train --resume --out %s",
                        (unsigned long long)report.last.step, a->run);
        else
            code = fail_with(&error);
    }
    free(model);
    return code;
}

/* Is it --recipe list?  Then the recipes have been printed. */
static bool recipes_listed(const train_arguments *a)
{
    const char *name;
    if (a->recipe == NULL || strcmp(a->recipe, "list") != 0)
        return false;
    for (size_t i = 0; (name = bgpt_recipe_name(i)) != NULL; i++)
        out("%-13s  %s\n", name, bgpt_recipe_about(i));
    return true;
}

/* How the training files were prepared, if all were so the same way: who labels a recording later can prepare it so too. */
static int find_words(const train_arguments *a, char words[PREPARE_WORDS])
{
    char other[PREPARE_WORDS];
    bg_error error = { 0 };
    words[0] = 0;
    for (size_t i = 0; i < a->common.operand_count && (i == 0 || words[0] != 0); i++) {
        const bg_status s = prepare_words_of(a->common.operands[i], other, &error);
        if (s != BG_OK)
            return fail((bgpt_status)s, "%s", error.text);
        if (i == 0)
            strcpy(words, other);
        else if (strcmp(words, other) != 0)
            words[0] = 0;
    }
    return 0;
}

static int run_train(void *arguments)
{
    const train_arguments *a = arguments;
    const char **metadata = NULL;
    char **keys = NULL, prepared[PREPARE_WORDS];
    bgpt_train t;
    if (shape_listed(&a->shape) || recipes_listed(a))
        return 0;
    int code = check_arguments(a);
    if (code == 0)
        code = fill(a, &t);
    if (code == 0)
        code = find_words(a, prepared);
    if (code == 0)
        code = fill_metadata(a, prepared, &metadata, &keys);
    if (code == 0) {
        t.metadata = metadata;
        code = train(a, &t);
    }
    for (size_t i = 0; keys != NULL && i < a->meta.count; i++)
        free(keys[i]);
    free(keys);
    free(metadata);
    return code;
}

const command command_train = {
    .name = "train",
    .summary = "learn from files: bgpt train FOLDER --out RUN",
    .usage = "DATA... --out RUN [options]",
    .details = "Trains a model on any files: DATA is any mix of files, folders (walked, past names that begin with a dot and the manifest.tsv of bgpt prepare) and @list.txt (a path a line). The run "
               "folder gets model.safetensors (the best by held-out data, else the last), checkpoints, log.jsonl and config.json.\n\n"
               "Ctrl-C or SIGTERM finishes the step, saves, and ends with code 75; a second one ends at once. --resume goes on "
               "from the last checkpoint, after kill -9 too. A run limited by --steps or --epochs then gives the same model, bit for bit, as "
               "one that was never interrupted. With --time alone the rate follows the clock: a resumed run continues exactly from "
               "the checkpoint, but the steps after it may see other rates. DATA is stored as it was typed: resume in the same "
               "folder, or name DATA again. With both --time and --steps the cosine follows the "
               "steps, and the clock only decides where the run ends.",
    .examples = "bgpt train tunes/ --val held-out/ --time 90m --out run\n"
                "bgpt train tunes/ --pairs abc+mid --loss target --epochs 32 --out run\n"
                "bgpt train news/ --classify --init pretrained.safetensors --out run\n"
                "bgpt train --resume --out run",
    ROWS_OF(train_options),
    .arguments_size = sizeof(train_arguments),
    .max_operands = SIZE_MAX,
    .run = run_train,
};
