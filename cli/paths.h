/* Names of files: parts, joins, and questions to the file system. */
#ifndef BGPT_CLI_PATHS_H
#define BGPT_CLI_PATHS_H

#include <stdbool.h>
#include <stdint.h>

/* The part behind the last slash. */
const char *path_base(const char *path);
/* Behind the last dot of the base name; "" when there is no dot, or none but
 * one that begins the name.  The same rule as the library's for DATA. */
const char *path_extension(const char *path);
/* An extension as people type it: one leading dot is taken off. */
const char *plain_extension(const char *text);

/* Both are the caller's, to be freed; NULL: out of memory (said by the caller). */
char *path_join(const char *folder, const char *name);
/* "music/tune.abc", "mid" -> "music/tune.mid". */
char *path_with_extension(const char *path, const char *extension);

bool is_dash(const char *path);
bool is_folder(const char *path);
/* Is there a file that would be lost if `path` were written?  Devices and pipes lose nothing. */
bool is_file(const char *path);
/* The one sentence about an output that is in the way; 0 when there is none or force says go on. */
int refuse_existing(const char *path, bool force);
/* The same for a model, which standard output ("-") does not take. */
int refuse_model_output(const char *path, bool force);
/* Is --out WHAT missing, or no name of a folder?  Standard output ("-") holds no files.  0, or the exit code after a sentence. */
int refuse_no_folder(const char *path, const char *what);
/* Do both names lead to the same existing file? */
bool is_same_file(const char *a, const char *b);
/* The sentence about an output that is, by whatever name, a file the command reads: "the output would
 * replace the WHAT", which no option allows.  input: "-" is standard input; NULL: there is none.  0 or the exit code. */
int refuse_same(const char *output, const char *input, const char *what);

/* What tells a file from all others, whatever its name; can be compared byte by byte. */
typedef struct file_identity {
    uint64_t device, inode;
} file_identity;

bool identify(const char *path, file_identity *id);
/* The same; "-" is standard input. */
bool identify_input(const char *path, file_identity *id);

/* mkdir -p.  0, or the exit code after a sentence. */
int make_folder(const char *path);
/* The folder that `path` will lie in. */
int make_folder_of(const char *path);

#endif
