/* Checkpoints of the reference in and out: the fixtures that PyTorch wrote,
 * every layout of storages, archives with something wrong in each place, and
 * the promise that a failed import or export leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "model/pickle.h"
#include "model/pth_archive.h"
#include "tests/support_check.h"
#include "tests/support_every.h"
#include "tests/support_folder.h"
#include "tests/support_pth.h"

static const bg_config plain = { 64, 1, 1, 64, 2, 1, 0, 0, 0, 0, 0, 0, 0 };

#define LN_F "patch_level_decoder.base.ln_f.weight"
#define WPE "patch_level_decoder.base.wpe.weight"

static char in[4200], out[4200]; /* a .pth and what becomes of it */

static int set_up(void **state)
{
    make_folder(state);
    snprintf(in, sizeof in, "%s/in.pth", folder);
    snprintf(out, sizeof out, "%s/out.safetensors", folder);
    return 0;
}

static bg_status import(bg_error *err) { return bg_pth_import(bg_sys_default(), in, out, 1, err); }

/* --- fixtures ----------------------------------------------------------------- */

static void check_equal_files(const char *a, const char *b)
{
    static float x[1 << 22], y[1 << 22];
    bg_st_file f, g;
    bg_error err;
    CHECK_OK(bg_st_open(&f, bg_sys_default(), a, &err), err);
    CHECK_OK(bg_st_open(&g, bg_sys_default(), b, &err), err);
    assert_int_equal(f.count, g.count);
    for (size_t i = 0; i < f.count; i++) {
        const bg_st_tensor *s = &f.tensors[i], *t = bg_st_find(&g, s->name);
        if (!t || s->count != t->count || s->dims != t->dims)
            fail_msg("%s: %s is missing or of another shape", b, s->name);
        assert_true(s->count <= sizeof x / sizeof *x);
        CHECK_OK(bg_st_read(&f, s, 0, x, s->count, &err), err);
        CHECK_OK(bg_st_read(&g, t, 0, y, t->count, &err), err);
        for (size_t k = 0; k < s->count; k++)
            if (memcmp(x + k, y + k, sizeof *x) != 0)
                fail_msg("%s value %zu: %.9g in %s, %.9g in %s", s->name, k, x[k], a, y[k], b);
    }
    bg_st_close(&f);
    bg_st_close(&g);
}

static void check_meta(const char *path, const char *key, const char *value)
{
    bg_st_file f;
    bg_error err;
    CHECK_OK(bg_st_open(&f, bg_sys_default(), path, &err), err);
    const char *got = bg_meta_get(&f.meta, key);
    if (!got != !value || (value && strcmp(got, value) != 0))
        fail_msg("%s: metadata %s is %s, wanted %s", path, key, got ? got : "not there", value ? value : "nothing");
    bg_st_close(&f);
}

/* NULL when it is not there. */
static const char *fixture(const char *relative)
{
    static char path[4][4200];
    static int turn;
    const char *source = getenv("BGPT_SOURCE");
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof *path, "%s/%s", source ? source : ".", relative);
    return access(path[turn], R_OK) == 0 ? path[turn] : NULL;
}

static void import_fixture(const char *pth, const char *safetensors, int must)
{
    const char *from = fixture(pth), *same = fixture(safetensors);
    bg_error err;
    if (!from || !same) {
        if (must)
            fail_msg("the fixture %s is missing (BGPT_SOURCE names the source folder)", pth);
        print_message("%s is not here\n", pth);
        skip();
    }
    CHECK_OK(bg_pth_import(bg_sys_default(), from, out, 1, &err), err);
    check_equal_files(out, same);
    check_equal_files(same, out);
    check_meta(out, "format", "pt");
    check_meta(out, "imported_from", strrchr(pth, '/') + 1);
    /* and out again, and in again */
    CHECK_OK(bg_pth_export(bg_sys_default(), out, in, 1, &err), err);
    CHECK_OK(import(&err), err);
    check_equal_files(out, same);
}

static void micro(void **state)
{
    import_fixture("tests/fixtures/micro/model.pth", "tests/fixtures/micro/model.safetensors", 1);
    check_meta(out, "epoch", "3");
    check_meta(out, "best_epoch", "2");
    check_meta(out, "min_eval_loss", "1.25");
}

#define SHARED "../shared/reference/"

static void tiny(void **state) { import_fixture(SHARED "tiny/model.pth", SHARED "tiny/model.safetensors", 0); }
static void small(void **state) { import_fixture(SHARED "small/model.pth", SHARED "small/model.safetensors", 0); }

static void tiny_with_buffers(void **state)
{
    import_fixture(SHARED "tiny/model-with-buffers.pth", SHARED "tiny/model.safetensors", 0);
    check_meta(out, "min_eval_loss", "2.5");
}

static void tiny_classifier(void **state)
{
    import_fixture(SHARED "tiny/classifier.pth", SHARED "tiny/classifier.safetensors", 0);
    check_meta(out, "labels", "[\"label0.txt\",\"label1.txt\",\"label2.txt\",\"label3.txt\",\"label4.txt\"]");
    check_meta(out, "max_eval_acc", "0.5");
    check_meta(out, "min_eval_loss", NULL);
}

/* --- layouts ---------------------------------------------------------------------- */

static void check_values(const char *expanded)
{
    static float x[1 << 20];
    bg_params p;
    bg_st_file f;
    bg_error err;
    CHECK_OK(bg_params_build(&p, &plain, bg_sys_default(), &err), err);
    CHECK_OK(bg_st_open(&f, bg_sys_default(), out, &err), err);
    assert_int_equal(f.count, p.count);
    for (uint32_t i = 0; i < p.count; i++) {
        const bg_tensor *t = &p.tensors[i];
        CHECK_OK(bg_st_read(&f, bg_st_find(&f, t->name), 0, x, t->count, &err), err);
        for (size_t k = 0; k < t->count; k++) {
            const float want = pth_value(i, expanded && strcmp(t->name, expanded) == 0 ? 0 : k);
            if (x[k] != want)
                fail_msg("%s value %zu: %.9g, wanted %.9g", t->name, k, x[k], want);
        }
    }
    bg_st_close(&f);
    bg_params_free(&p, bg_sys_default());
}

static void layouts(void **state)
{
    static const pth_variation taken[] = { PTH_PLAIN, PTH_BARE, PTH_HALF, PTH_DOUBLE, PTH_STRIDED, PTH_FLAT, PTH_PARAMETER, PTH_DEFLATED,
                                           PTH_HEAD_TIED, PTH_HEAD_COPY, PTH_BUFFERS };
    bg_error err;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        pth_write(in, &plain, taken[i], NULL);
        CHECK_OK(import(&err), err);
        check_values(NULL);
        check_meta(out, "epoch", taken[i] == PTH_BARE ? NULL : "3");
    }
    pth_write(in, &plain, PTH_EXPANDED, WPE);
    CHECK_OK(import(&err), err);
    check_values(WPE);
}

/* --- refused ------------------------------------------------------------------------ */

/* A refused import leaves neither an output nor anything aside. */
static void check_refused(const char *part)
{
    bg_error err = { 0 };
    unlink(out);
    CHECK_FAILS(import(&err), BG_ERR_FORMAT, part, err);
    if (!strstr(err.text, "in.pth"))
        fail_msg("\"%s\" does not name the file", err.text);
    assert_int_equal(fs_count(folder), 1);
}

static void wrong_tensors(void **state)
{
    static const struct { pth_variation v; const char *tensor, *part; } rows[] = {
        { PTH_HEAD_DIFFERS, NULL, "at value 300, but they must be one matrix" },
        { PTH_NAN, LN_F, LN_F ": value 7 is not a finite number" },
        { PTH_LONG, LN_F, LN_F ": elements of type I64 cannot be weights" },
        { PTH_MISSING, LN_F, "tensor " LN_F " is missing" },
        { PTH_TWICE, LN_F, LN_F ": the tensor stands twice" },
        { PTH_NOT_A_TENSOR, LN_F, LN_F " is not a tensor" },
        { PTH_SHORT_ENTRY, LN_F, "should have 64 elements of 4 bytes" },
        { PTH_LONG_ENTRY, LN_F, "has 260 bytes" },
        { PTH_NO_ENTRY, LN_F, "is missing" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pth_write(in, &plain, rows[i].v, rows[i].tensor);
        check_refused(rows[i].part);
    }
}

#define EMPTY "\x80\2}."
#define EVIL "\x80\2}(X\5\0\0\0model}X\1\0\0\0acos\nsystem\nX\2\0\0\0ls\x85Ru."
#define E(name, text) { name, text, sizeof(text) - 1, 0 }

static void wrong_archives(void **state)
{
    static char much[BG_PICKLE_LIMIT + 1];
    static const struct { pth_entry e[3]; const char *part; } rows[] = {
        { { E("a/data.pkl", EVIL), E("a/byteorder", "little") }, "names os.system" },
        { { E("a/data.pkl", EMPTY), E("a/byteorder", "big") }, "byte order" },
        { { E("a/data.pkl", EMPTY), E("a/byteorder", "little-endian") }, "byte order" },
        { { E("a/data.pkl", EMPTY) }, "patch_embedding.weight is missing" },
        { { E("a/data.pkl", "\x80\2].") }, "not a dict" },
        { { E("a/data.pkl", "\x80\2}K\1Ns.") }, "is not a string" },
        { { E("a/data.pkl", EMPTY " ") }, "bytes follow" },
        { { E("a/data.pkl", "") }, "truncated" },
        { { E("data.pkl", EMPTY) }, "no data.pkl" },
        { { E("a/b/data.pkl", EMPTY) }, "no data.pkl" },
        { { E("a/data.pkl", EMPTY), E("b/data.pkl", EMPTY) }, "more than one data.pkl" },
        { { E("readme.txt", "hello") }, "no data.pkl" },
        { { { "a/data.pkl", much, sizeof much, 0 } }, "at most" },
        { { { "a/data.pkl", much, sizeof much, 1 } }, "at most" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = 0;
        while (n < 3 && rows[i].e[n].name)
            n++;
        pth_write_entries(in, rows[i].e, n);
        check_refused(rows[i].part);
    }
}

static void wrong_files(void **state)
{
    static const struct { const char *bytes; size_t size; const char *part; } rows[] = {
        { "", 0, "no zip archive" },
        { "PK", 2, "no zip archive" },
        { "PK\3\4", 4, "damaged" },
        { "PK\3\4 and no more than text", 26, "damaged" },
        { "\x80\2}.", 4, "no zip archive" },
        { "\x80\2\x8a\12\x6c\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9\3.", 22, "before 1.6" },
    };
    bg_error err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fs_write(in, rows[i].bytes, rows[i].size);
        check_refused(rows[i].part);
    }
    CHECK_FAILS(bg_pth_import(bg_sys_default(), fs_path(folder, "none"), out, 0, &err), BG_ERR_NOT_FOUND, "none", err);
    CHECK_FAILS(bg_pth_import(bg_sys_default(), folder, out, 0, &err), BG_ERR_NOT_FOUND, "folder", err);
}

/* Much out of little: zeros that were compressed, and strides of zero. */
static void bombs(void **state)
{
    static const bg_config wide = { 2048, 1, 1, 64, 2, 64, 0, 0, 0, 0, 0, 0, 0 }; /* the patch embedding alone has 135 MB */
    static const char *const embedding = "patch_level_decoder.patch_embedding.weight";
    bg_error err;
    pth_write(in, &wide, PTH_DEFLATED, NULL); /* its values repeat, so it shrinks 100-fold */
    check_refused("unpacks to more than");
    pth_write(in, &plain, PTH_EXPANDED, embedding); /* harmless at this size */
    CHECK_OK(import(&err), err);
}

static void cut_and_flipped(void **state)
{
    size_t size;
    bg_error err;
    char whole[4200];
    snprintf(whole, sizeof whole, "%s/whole.pth", folder);
    pth_write(whole, &plain, PTH_HEAD_TIED, NULL);
    unsigned char *bytes = fs_read(whole, &size);
    for (size_t n = 0; n < size; n += n < 100 || size - n < 400 ? 7 : 9973) {
        fs_write(in, bytes, n);
        CHECK_FAILS(import(&err), BG_ERR_FORMAT, "in.pth", err);
    }
    size_t taken = 0, tried = 0;
    /* the pickle and the first local headers, then the central directory */
    for (size_t at = 0; at < size; at += at < 6000 || size - at < 3000 ? 23 : 19997, tried++) {
        bytes[at] ^= (unsigned char)(1 << at % 8);
        fs_write(in, bytes, size);
        bytes[at] ^= (unsigned char)(1 << at % 8);
        memset(&err, 0, sizeof err);
        const bg_status s = import(&err);
        taken += s == BG_OK;
        if (s != BG_OK && !strstr(err.text, "in.pth"))
            fail_msg("byte %zu: status %d, \"%s\"", at, (int)s, err.text);
    }
    print_message("  %zu of %zu flipped bits did no harm\n", taken, tried);
    assert_true(taken < tried / 4);
    free(bytes);
}

/* --- outputs ----------------------------------------------------------------------- */

static void output_is_input(void **state)
{
    const char *link = fs_path(folder, "link");
    size_t size;
    bg_error err;
    pth_write(in, &plain, PTH_PLAIN, NULL);
    unsigned char *bytes = fs_read(in, &size);
    assert_int_equal(symlink(in, link), 0);
    CHECK_FAILS(bg_pth_import(bg_sys_default(), in, in, 1, &err), BG_ERR_ARGUMENT, "is the input itself", err);
    CHECK_FAILS(bg_pth_import(bg_sys_default(), in, link, 1, &err), BG_ERR_ARGUMENT, "is the input itself", err);
    CHECK_FAILS(bg_pth_import(bg_sys_default(), link, in, 1, &err), BG_ERR_ARGUMENT, "is the input itself", err);
    CHECK_FAILS(bg_pth_export(bg_sys_default(), in, in, 1, &err), BG_ERR_ARGUMENT, "is the input itself", err);
    assert_true(fs_holds(in, bytes, size));
    free(bytes);
}

static void existing_output(void **state)
{
    bg_error err;
    const char *pth = fs_path(folder, "exported.pth");
    pth_write(in, &plain, PTH_PLAIN, NULL);
    fs_write_text(out, "precious");
    CHECK_FAILS(bg_pth_import(bg_sys_default(), in, out, 0, &err), BG_ERR_FAILED, "exists already", err);
    assert_true(fs_holds(out, "precious", 8));
    CHECK_OK(import(&err), err);
    check_values(NULL);
    fs_write_text(pth, "precious");
    CHECK_FAILS(bg_pth_export(bg_sys_default(), out, pth, 0, &err), BG_ERR_FAILED, "exists already", err);
    assert_true(fs_holds(pth, "precious", 8));
    CHECK_FAILS(bg_pth_import(bg_sys_default(), in, "/dev/full", 1, &err), BG_ERR_IO, "/dev/full", err);
    CHECK_FAILS(bg_pth_export(bg_sys_default(), out, "/dev/full", 1, &err), BG_ERR_IO, "/dev/full", err);
}

/* --- export ---------------------------------------------------------------------------- */

static uint32_t find_tensor(const bg_pickle *p, uint32_t state, const char *name)
{
    const uint32_t v = bg_py_find(p, state, name);
    if (bg_py_kind_of(p, v) != BG_PY_TENSOR)
        fail_msg("%s is not exported", name);
    return p->tensors[p->values[v].u.integer].key;
}

static void exported_pickle(void **state)
{
    bg_pth_archive a;
    bg_pickle p;
    uint8_t *text;
    size_t size;
    bg_error err;
    char key[32];
    pth_write(in, &plain, PTH_PLAIN, NULL);
    CHECK_OK(import(&err), err);
    CHECK_OK(bg_pth_export(bg_sys_default(), out, in, 1, &err), err);
    CHECK_OK(bg_pth_archive_open(&a, bg_sys_default(), in, &err), err);
    CHECK_OK(bg_pth_entry_load(&a, "data.pkl", BG_PICKLE_LIMIT, &text, &size, &err), err);
    CHECK_OK(bg_pickle_read(&p, bg_sys_default(), in, text, size, &err), err);
    const uint32_t model = bg_py_find(&p, p.root, "model");
    const bg_py_value *head = &p.values[find_tensor(&p, model, BG_LM_HEAD)], *wte = &p.values[find_tensor(&p, model, BG_TIED_WTE)];
    snprintf(key, sizeof key, "%.*s", (int)wte->u.string.size, text + wte->u.string.at);
    assert_int_equal(head->u.string.size, wte->u.string.size);
    assert_memory_equal(text + head->u.string.at, key, head->u.string.size); /* one storage */
    static const char *const keys[] = { "optimizer", "lr_sched", "epoch", "best_epoch", "min_eval_loss" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_not_equal(bg_py_find(&p, p.root, keys[i]), 0);
    assert_int_equal(p.values[bg_py_find(&p, p.root, "epoch")].u.integer, 3);
    assert_true(p.values[bg_py_find(&p, p.root, "min_eval_loss")].u.real == 1.25);
    bg_pickle_close(&p);
    bg_free(bg_sys_default(), text);
    bg_pth_archive_close(&a);
}

/* A model of zeros with these metadata. */
static void write_zeros(const bg_config *c, const char *labels)
{
    static const float zeros[1 << 16];
    bg_params p;
    bg_st_writer w;
    bg_meta meta;
    bg_error err;
    bg_meta_open(&meta, bg_sys_default());
    if (labels)
        CHECK_OK(bg_meta_set(&meta, "labels", labels, &err), err);
    CHECK_OK(bg_params_build(&p, c, bg_sys_default(), &err), err);
    CHECK_OK(bg_st_create(&w, bg_sys_default(), out, 1, &meta, &err), err);
    for (uint32_t i = 0; i < p.count; i++)
        CHECK_OK(bg_st_declare(&w, p.tensors[i].name, p.tensors[i].dims, p.tensors[i].shape, &err), err);
    CHECK_OK(bg_st_begin_data(&w, &err), err);
    for (uint32_t i = 0; i < p.count; i++)
        for (size_t k = 0; k < p.tensors[i].count; k += 1 << 16) {
            const size_t left = p.tensors[i].count - k;
            CHECK_OK(bg_st_data(&w, zeros, left < 1 << 16 ? left : 1 << 16, &err), err);
        }
    CHECK_OK(bg_st_commit(&w, &err), err);
    bg_params_free(&p, bg_sys_default());
    bg_meta_close(&meta);
}

static void exported_classifier(void **state)
{
    static const bg_config both = { 64, 1, 1, 64, 2, 1, 2, 0, 0, 0, 0, 0, 0 }, wide = { 64, 1, 1, 128, 2, 1, 0, 0, 0, 0, 0, 0, 0 };
    static const struct { const char *labels, *part; } rows[] = {
        { "[\"one\"]", "labels has 1 names" },
        { "[\"one\",\"two\",\"three\"]", "labels has 3 names" },
        { "[\"one\",2]", "metadata labels" },
        { "{}", "metadata labels" },
        { "[\"one\",\"two\"", "metadata labels" },
    };
    bg_error err;
    write_zeros(&both, "[\"one\",\"t\\\"\xc3\xa4\"]");
    CHECK_OK(bg_pth_export(bg_sys_default(), out, in, 1, &err), err);
    CHECK_OK(import(&err), err);
    check_meta(out, "labels", "[\"one\",\"t\\\"\xc3\xa4\"]");
    write_zeros(&both, NULL);
    CHECK_OK(bg_pth_export(bg_sys_default(), out, in, 1, &err), err);
    CHECK_OK(import(&err), err);
    check_meta(out, "labels", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_zeros(&both, rows[i].labels);
        CHECK_FAILS(bg_pth_export(bg_sys_default(), out, in, 1, &err), BG_ERR_FORMAT, rows[i].part, err);
    }
    write_zeros(&wide, NULL);
    CHECK_FAILS(bg_pth_export(bg_sys_default(), out, in, 1, &err), BG_ERR_FAILED, "width of its own (128)", err);
}

/* --- faults ------------------------------------------------------------------------------- */

static bg_status import_job(const bg_sys *sys, void *ctx, bg_error *err) { return bg_pth_import(sys, in, out, 1, err); }
static bg_status export_job(const bg_sys *sys, void *ctx, bg_error *err) { return bg_pth_export(sys, out, ctx, 1, err); }

static bg_status look(const bg_sys *sys, void *ctx, bg_error *err)
{
    bg_st_file f;
    BG_TRY(bg_st_open(&f, sys, out, err));
    bg_st_close(&f);
    return BG_OK;
}

static void faults(void **state)
{
    bg_error err;
    char exported[4200];
    snprintf(exported, sizeof exported, "%s/exported.pth", folder);
    pth_write(in, &plain, PTH_HEAD_COPY, NULL);
    CHECK_OK(import(&err), err);
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        every_call_fails(folder, (fault_kind)kind, import_job, look, NULL);
        every_call_fails(folder, (fault_kind)kind, export_job, NULL, exported);
    }
}

/* Each in a folder of its own. */
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(micro),
        TEST(tiny),
        TEST(small),
        TEST(tiny_with_buffers),
        TEST(tiny_classifier),
        TEST(layouts),
        TEST(wrong_tensors),
        TEST(wrong_archives),
        TEST(wrong_files),
        TEST(bombs),
        TEST(cut_and_flipped),
        TEST(output_is_input),
        TEST(existing_output),
        TEST(exported_pickle),
        TEST(exported_classifier),
        TEST(faults),
    };
    return cmocka_run_group_tests_name("pth", tests, NULL, NULL);
}
