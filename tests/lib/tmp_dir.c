#include "tmp_dir.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_FDS 16

char *tmp_dir_new(void)
{
	const char *under = getenv("TMPDIR");
	char path[PATH_MAX];
	char *copy;

	snprintf(path, sizeof(path), "%s/shoal-test-XXXXXX",
	         under != NULL && under[0] != '\0' ? under : "/tmp");
	if (mkdtemp(path) == NULL || (copy = strdup(path)) == NULL) {
		perror(path);
		abort();
	}
	return copy;
}

char *tmp_dir_new_fast(void)
{
	char path[] = "/dev/shm/shoal-test-XXXXXX";

	return mkdtemp(path) != NULL ? strdup(path) : tmp_dir_new();
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

int tmp_dir_remove(const char *dir, struct err *e)
{
	if (nftw(dir, remove_entry, DEPTH_FDS, FTW_DEPTH | FTW_PHYS) != 0)
		return err_sys(e, "remove '%s'", dir);
	return 0;
}

void tmp_dir_free(char *dir)
{
	struct err e;

	if (dir != NULL && tmp_dir_remove(dir, &e) < 0)
		fprintf(stderr, "%s\n", e.msg);
	free(dir);
}
