/* What the commands `bgpt prepare ...` share: their common rows, and running a preparation. */
#ifndef BGPT_CLI_PREPARE_H
#define BGPT_CLI_PREPARE_H

#include "cli/options.h"
#include "prepare/prepare.h"

typedef struct prepare_arguments {
    const char *out, *licence, *labels;
    bool force;
} prepare_arguments;

#define PREPARE_AT(type, member) offsetof(type, prepare) + offsetof(prepare_arguments, member)
#define PREPARE_ROWS(type) \
    { "out", 'o', OPTION_TEXT, PREPARE_AT(type, out), 0, 0, NULL, "FOLDER", "where the files and manifest.tsv go (required)" }, \
    { "labels", 0, OPTION_TEXT, PREPARE_AT(type, labels), 0, 0, NULL, "folders|FILE", \
      "put a label in front of each name (LABEL_name.ext): folders: the name of the folder a file lies in; FILE: lines of a path, or the end of one, a tab, and its label" }, \
    { "licence", 0, OPTION_TEXT, PREPARE_AT(type, licence), 0, 0, "", "TEXT", "licence of the sources, for the manifest" }, \
    { "force", 'f', OPTION_FLAG, PREPARE_AT(type, force), 0, 0, NULL, NULL, "the folder may hold a finished preparation, or one with other settings, whose files are taken away first; other files in the way are replaced" }

/* `settings`: all that decides what the outputs are, in words, without the rows above.  Returns the exit code. */
int prepare_command(const common *c, const prepare_arguments *a, prepare_tool *tool, const char *settings);

/* Behind the details of each of these commands. */
#define PREPARE_DETAILS \
    "INPUT is any mix of files, folders (walked) and @list.txt (a path a line). Outputs are named after their sources; manifest.tsv has a line for each of them: its file, label, bytes, SHA-256, source and " \
    "licence, and a line with the reason for each source that was left out. Wrong input stops nothing. A preparation that was stopped or killed goes on when the same command is given again."

#endif
