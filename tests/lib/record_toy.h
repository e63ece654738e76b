/*
 * record_toy: a directory under record, for the tests of record_io itself.
 *
 * Every function fails the cmocka test when a call fails; those on images do not, as a check must
 * not jump out.
 */
#ifndef SHOAL_TESTS_LIB_RECORD_TOY_H
#define SHOAL_TESTS_LIB_RECORD_TOY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "os/file.h"
#include "record_io.h"

struct toy {
	char *dir;
	int fd; /* of dir */
	const struct io *io;
	struct record_io *r;
	struct record_options options; /* seed from SEED in the environment, else 1 */
	struct err e;
	unsigned n[8]; /* the checks count here what they have seen */
};

struct toy toy_open(const struct io *base, bool (*mapped)(const char *path));
void toy_close(struct toy *t);

/* Check all images; the number of them. */
long toy_images(struct toy *t, record_check *check);

int toy_create(struct toy *t, const char *name);
void toy_write(struct toy *t, int fd, size_t at, char c, size_t n);
/* A new file of n bytes of c, it and its name on disk. */
int toy_durable(struct toy *t, const char *name, char c, size_t n);
void toy_rename(struct toy *t, const char *from, const char *to);
void toy_sync_dir(struct toy *t, const char *name);

/* The whole file of an image: 1; 0 when there is none; -1. */
int toy_load(const struct record_image *im, const char *name, struct buf *b);
bool toy_exists(const struct record_image *im, const char *name);
/* The file is n bytes of c. */
bool toy_holds(const struct record_image *im, const char *name, char c, size_t n);

#endif
