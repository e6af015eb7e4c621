/* A fresh folder around each test of a program, for cmocka_unit_test_setup_teardown(); one at a time. */
#ifndef BG_TESTS_SUPPORT_FOLDER_H
#define BG_TESTS_SUPPORT_FOLDER_H

extern char *folder; /* its path, between the two */

int make_folder(void **state);
int remove_folder(void **state);

#endif
