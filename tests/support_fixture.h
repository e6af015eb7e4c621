/* Fixtures that the published Python code wrote in float64, opened at a level of kernels,
 * and the tests of every fixture at every level.  Include behind cmocka.h. */
#ifndef BG_TESTS_SUPPORT_FIXTURE_H
#define BG_TESTS_SUPPORT_FIXTURE_H

#include <jansson.h>

#include "model/file.h"

typedef struct fixture {
    char folder[1024];
    const char *name;
    json_t *expected;
    bg_st_file tensors;
    bg_pool *pool;
    bg_backend *be;
    bg_model *model;
    bg_batch batch;
} fixture;

typedef struct fixture_case { bg_isa isa; const char *fixture; } fixture_case;

/* A level or fixture that is missing is a counted skip; a missing fixture fails when
 * BGPT_TEST_REQUIRE is set.  The model is model.safetensors, with room for 16 files and 16 contexts. */
void fixture_open(fixture *f, const fixture_case *c);
void fixture_close(fixture *f);
/* Another model in place of the open one, which is to be closed first. */
void fixture_open_model(fixture *f, bg_isa isa, const char *file);
void fixture_close_model(fixture *f);

/* A file of the fixture, in a static buffer. */
const char *fixture_path(const fixture *f, const char *name);
/* A whole file's bytes, released by bg_free(). */
uint8_t *fixture_slurp(const char *path, size_t *size);
/* Behind the last dot of a name, or "". */
const char *fixture_extension(const char *name);

/* What is to be tested: `run` finds a fixture_case in its state. */
typedef struct fixture_check { const char *name; CMUnitTestFunction run; } fixture_check;
enum { FIXTURE_CHECKS = 8 }; /* at most */
/* The rest of main(): each check of each fixture at each level, "LEVEL, FIXTURE, CHECK" by name.
 * BGPT_TEST_FILTER=PATTERN runs those whose names match: "*, micro, *" is what a slow machine has time for. */
int fixture_run(const char *group, const fixture_check *checks, size_t count);

#endif
