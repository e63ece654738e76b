#include "place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/file.h"
#include "tmp_dir.h"

struct place {
	char *path;
	int dir;
};

static int open_at(void **state, char *path)
{
	struct place *p = malloc(sizeof(*p));
	struct err e;

	assert_non_null(p);
	p->path = path;
	p->dir = file_open_dir(&io_os, AT_FDCWD, p->path, &e);
	assert_true(p->dir >= 0);
	*state = p;
	return 0;
}

int place_open(void **state)
{
	return open_at(state, tmp_dir_new());
}

int place_open_fast(void **state)
{
	return open_at(state, tmp_dir_new_fast());
}

int place_close(void **state)
{
	struct place *p = *state;

	close(p->dir);
	tmp_dir_free(p->path);
	free(p);
	return 0;
}

int place_dir(void **state)
{
	const struct place *p = *state;

	return p->dir;
}

int place_file(int dir, const char *name)
{
	struct err e;
	int fd = file_open(&io_os, dir, name, O_RDWR | O_CREAT, 0600, &e);

	assert_true(fd >= 0);
	return fd;
}
