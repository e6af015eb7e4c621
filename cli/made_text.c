/* See made_text.h. */
#include "cli/made_text.h"
#include "cli/output.h"
#include <stdlib.h>

int text_begin(made_text *t)
{
    *t = (made_text){ 0 };
    t->f = open_memstream(&t->text, &t->size);
    return t->f != NULL ? 0 : fail(BGPT_ERR_MEMORY, "out of memory");
}

int text_end(made_text *t)
{
    return fclose(t->f) == 0 ? 0 : fail(BGPT_ERR_MEMORY, "out of memory");
}

void text_free(made_text *t)
{
    free(t->text);
    *t = (made_text){ 0 };
}

int text_save(made_text *t, const char *path, bool force, const bgpt_options *o)
{
    bgpt_error error = { 0 };
    int code = text_end(t);
    if (code == 0 && bgpt_write_file(path, t->text, t->size, force, o, &error) != BGPT_OK)
        code = fail_with(&error);
    text_free(t);
    return code;
}
