/* bgpt prepare text: texts, whole or in parts, an item a file. */
#include "cli/output.h"
#include "cli/prepare.h"

#include <iconv.h>
#include <stdio.h>
#include <string.h>

typedef struct text_arguments {
    common common;
    prepare_arguments prepare;
    const char *split_by, *column, *label_column, *from, *extension;
    bool csv;
} text_arguments;

static const option text_options[] = {
    { "split-by", 0, OPTION_TEXT, offsetof(text_arguments, split_by), 0, 0, NULL, "line|blank|TEXT",
      "an item is a line; or what stands between blank lines; or between lines that are exactly TEXT. Without it a file is an item" },
    { "column", 0, OPTION_TEXT, offsetof(text_arguments, column), 0, 0, NULL, "N|NAME", "an item is this column of a line, counted from 1, or named in the first line" },
    { "label-column", 0, OPTION_TEXT, offsetof(text_arguments, label_column), 0, 0, NULL, "N|NAME", "with --column: the column with the item's label" },
    { "csv", 0, OPTION_FLAG, offsetof(text_arguments, csv), 0, 0, NULL, NULL, "columns are parted by commas, and may be quoted; without it, by tabs" },
    { "from", 0, OPTION_TEXT, offsetof(text_arguments, from), 0, 0, NULL, "CHARSET", "the sources' character set (latin1, utf-16, ...); without it UTF-8, which is checked" },
    { "ext", 0, OPTION_TEXT, offsetof(text_arguments, extension), 0, 0, "txt", "EXT", "extension of the outputs" },
    PREPARE_ROWS(text_arguments),
};

static int check(const text_arguments *a)
{
    if (a->split_by != NULL && a->column != NULL)
        return usage_error("--split-by and --column: an item is one or the other");
    if (a->label_column != NULL && a->column == NULL)
        return usage_error("--label-column stands beside --column");
    if (a->csv && a->column == NULL)
        return usage_error("--csv stands beside --column");
    if (a->label_column != NULL && a->prepare.labels != NULL)
        return usage_error("--labels and --label-column: labels come from one of them");
    if (strchr(a->extension, '/') != NULL || *a->extension == 0)
        return usage_error("--ext: '%s' is no extension", a->extension);
    if (a->from != NULL) {
        iconv_t c = iconv_open("UTF-8", a->from);
        if (c == (iconv_t)-1)
            return usage_error("--from: %s is no character set that iconv knows (iconv -l lists them)", a->from);
        iconv_close(c);
    }
    return 0;
}

static prepare_split split_of(const text_arguments *a)
{
    if (a->column != NULL)
        return PREPARE_SPLIT_COLUMN;
    if (a->split_by == NULL)
        return PREPARE_SPLIT_NONE;
    return strcmp(a->split_by, "line") == 0 ? PREPARE_SPLIT_LINE : strcmp(a->split_by, "blank") == 0 ? PREPARE_SPLIT_BLANK : PREPARE_SPLIT_TEXT;
}

static int run_text(void *arguments)
{
    text_arguments *a = arguments;
    if (a->extension != NULL && a->extension[0] == '.')
        a->extension++;
    const int code = check(a);
    if (code)
        return code;
    const prepare_text settings = { .split = split_of(a), .separator = a->split_by, .column = a->column, .label_column = a->label_column, .csv = a->csv, .from = a->from,
                                    .extension = a->extension };
    prepare_tool tool = prepare_text_tool(&settings);
    char *text = bg_asprintf(bg_sys_default(), "text split=%s column=%s label=%s csv=%d from=%s ext=%s", a->split_by ? a->split_by : "", a->column ? a->column : "", a->label_column ? a->label_column : "",
                             a->csv, a->from ? a->from : "", a->extension);
    if (text == NULL)
        return fail(BGPT_ERR_MEMORY, "no memory for the settings");
    const int end = prepare_command(&a->common, &a->prepare, &tool, text);
    bg_free(bg_sys_default(), text);
    return end;
}

const command command_prepare_text = {
    .name = "prepare text",
    .summary = "texts, or parts of them, to an item a file: bgpt prepare text book.txt --split-by blank -o FOLDER",
    .usage = "INPUT... -o FOLDER [options]",
    .details = "A model learns from files, so an item that is to be learnt as one thing should be one: an article, a message, a line of a table with its label. What is not valid in its "
               "character set is left out, with the offset.\n\n" PREPARE_DETAILS,
    .examples = "bgpt prepare text articles.txt --split-by blank -o articles\n"
                "bgpt prepare text requests.tsv --column text --label-column domain -o requests",
    ROWS_OF(text_options),
    .arguments_size = sizeof(text_arguments),
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .operand_name = "INPUT",
    .run = run_text,
};
