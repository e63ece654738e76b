/* cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "record_toy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tmp_dir.h"

struct toy toy_open(const struct io *base, bool (*mapped)(const char *path))
{
	struct toy t = {.dir = tmp_dir_new(), .options = RECORD_OPTIONS_DEFAULT};
	const struct record_setup setup = {.root = t.dir, .base = base, .mapped = mapped};
	const char *seed = getenv("SEED");

	t.options.seed = seed == NULL ? 1 : strtoull(seed, NULL, 0);
	t.options.mixes = 200;
	t.r = record_io_start(&setup, &t.io, &t.e);
	assert_non_null(t.r);
	t.fd = file_open_dir(t.io, AT_FDCWD, t.dir, &t.e);
	assert_true(t.fd >= 0);
	return t;
}

void toy_close(struct toy *t)
{
	record_io_free(t->r);
	close(t->fd);
	tmp_dir_free(t->dir);
}

long toy_images(struct toy *t, record_check *check)
{
	long n = record_io_images(t->r, &t->options, check, t, &t->e);

	if (n < 0)
		fail_msg("%s", t->e.msg);
	return n;
}

int toy_create(struct toy *t, const char *name)
{
	int fd = file_open(t->io, t->fd, name, O_RDWR | O_CREAT | O_EXCL, 0600, &t->e);

	assert_true(fd >= 0);
	return fd;
}

void toy_write(struct toy *t, int fd, size_t at, char c, size_t n)
{
	char *p = malloc(n);

	assert_non_null(p);
	memset(p, c, n);
	assert_int_equal(file_write_all(t->io, fd, p, n, (off_t)at, &t->e), 0);
	free(p);
}

int toy_durable(struct toy *t, const char *name, char c, size_t n)
{
	int fd = toy_create(t, name);

	toy_write(t, fd, 0, c, n);
	assert_int_equal(t->io->fdatasync(fd), 0);
	assert_int_equal(t->io->fsync(t->fd), 0);
	return fd;
}

int toy_load(const struct record_image *im, const char *name, struct buf *b)
{
	char path[4096];
	struct err e;

	buf_clear(b);
	snprintf(path, sizeof(path), "%s/%s", im->dir, name);
	if (file_read(AT_FDCWD, path, 1 << 24, b, &e) == 0)
		return 1;
	return e.code == ENOENT || e.code == ENOTDIR ? 0 : -1;
}

bool toy_exists(const struct record_image *im, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", im->dir, name);
	return access(path, F_OK) == 0;
}

bool toy_holds(const struct record_image *im, const char *name, char c, size_t n)
{
	struct buf b = {0};
	bool same = toy_load(im, name, &b) == 1 && b.len == n;

	for (size_t i = 0; same && i < n; i++)
		same = b.data[i] == c;
	buf_done(&b);
	return same;
}

void toy_rename(struct toy *t, const char *from, const char *to)
{
	assert_int_equal(t->io->renameat(t->fd, from, t->fd, to), 0);
}

void toy_sync_dir(struct toy *t, const char *name)
{
	int fd = file_open_dir(t->io, t->fd, name, &t->e);

	assert_true(fd >= 0);
	assert_int_equal(file_sync_dir(t->io, fd, &t->e), 0);
	file_close(t->io, fd);
}
