#include "evlog_receipts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash.h"

#define NAME_MAX_LEN 400

static void name_of(char name[NAME_MAX_LEN], unsigned writer)
{
	snprintf(name, NAME_MAX_LEN, "%s/receipts.%u", crash_dir, writer);
}

int receipts_open(unsigned writer)
{
	char name[NAME_MAX_LEN];
	struct stat st;
	int fd;

	name_of(name, writer);
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0 ||
	    ftruncate(fd, st.st_size - st.st_size % (off_t)sizeof(struct acked)) < 0)
		crash_die("'%s': %s", name, strerror(errno));
	return fd;
}

void receipts_write(int fd, const struct commit *c)
{
	struct acks a = {0};

	check_note_commit(&a, c, commit_count(c));
	if (write(fd, a.v, a.n * sizeof(*a.v)) != (ssize_t)(a.n * sizeof(*a.v)))
		crash_die("write a receipt: %s", strerror(errno));
	acks_done(&a);
}

void receipts_read(struct acks *a, unsigned count)
{
	for (unsigned w = 0; w < count; w++) {
		char name[NAME_MAX_LEN];
		struct acked k;
		FILE *f;

		name_of(name, w);
		f = fopen(name, "re");
		while (f != NULL && fread(&k, sizeof(k), 1, f) == 1)
			*acks_add(a) = k;
		if (f != NULL)
			fclose(f);
	}
}
