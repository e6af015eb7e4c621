/* See support_folder.h. */
#include "tests/support_folder.h"
#include "tests/support_fs.h"

char *folder;

int make_folder(void **state)
{
    folder = fs_make_folder();
    return 0;
}

int remove_folder(void **state)
{
    fs_remove_folder(folder);
    return 0;
}
