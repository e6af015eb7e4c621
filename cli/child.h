/* Other people's programs as limited child processes, and a folder for what
 * passes between them and us. */
#ifndef BGPT_CLI_CHILD_H
#define BGPT_CLI_CHILD_H

#include "cli/command.h"

typedef struct child {
    const char *const *argv; /* argv[0] is looked for in PATH; NULL behind the last */
    const char *package;     /* the Debian package that has it */
    const char *advice;      /* what to do without it, or NULL; stands behind the package's name */
    const char *talk;        /* file that gets its standard output and its complaints; NULL: they are ours */
    double seconds;          /* it is killed after so long; 0: it may take as long as it likes */
    uint64_t file_size;      /* largest file it may write; 0: any */
} child;

/* What becomes of a child. */
typedef enum child_end { CHILD_GOOD, CHILD_MISSING, CHILD_FAILED, CHILD_TOO_LONG, CHILD_TOO_LARGE, CHILD_STOPPED } child_end;

/* Run it to its end, without standard input.  `why` gets the sentence about any end but CHILD_GOOD; nothing is printed. */
enum { CHILD_WHY = 512 };
child_end child_run(const child *c, char why[CHILD_WHY]);

/* A new empty folder for a child's files, in $TMPDIR or /tmp. */
enum { CHILD_PATH = 512 };
typedef struct child_folder {
    char path[CHILD_PATH];
} child_folder;

/* false: `why` has the sentence.  child_folder_close is due after success. */
bool child_folder_open(child_folder *f, char why[CHILD_WHY]);
/* The path of a file in it. */
const char *child_file(const child_folder *f, const char *name, char path[CHILD_PATH]);
/* Removes the files in it and itself. */
void child_folder_close(child_folder *f);

#endif
