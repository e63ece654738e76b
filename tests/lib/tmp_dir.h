/*
 * tmp_dir: a directory for one test.
 */
#ifndef SHOAL_TESTS_LIB_TMP_DIR_H
#define SHOAL_TESTS_LIB_TMP_DIR_H

#include "base/err.h"

/* A new, empty directory (0700) under $TMPDIR or /tmp.  Ends the program when it cannot be made. */
char *tmp_dir_new(void);

/* The same in memory, where there is such a place: for many small files that need no disk. */
char *tmp_dir_new_fast(void);

/* Remove it with what is in it, and free the name.  NULL is fine. */
void tmp_dir_free(char *dir);

/* Remove any directory with what is in it. */
int tmp_dir_remove(const char *dir, struct err *e);

#endif
