/*
 * place: an empty temporary directory for each test of a cmocka program.
 *
 *	cmocka_unit_test_setup_teardown(a_test, place_open, place_close)
 */
#ifndef SHOAL_TESTS_LIB_PLACE_H
#define SHOAL_TESTS_LIB_PLACE_H

int place_open(void **state);
int place_open_fast(void **state); /* in memory, where there is such a place */
int place_close(void **state);     /* with all that is in it */

/* An fd of the directory, which place_close() closes. */
int place_dir(void **state);

/* A file in a directory, made if need be, open for reading and writing. */
int place_file(int dir, const char *name);

#endif
