/*
 * segment: files of zeros, made ahead of their use.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "wal/wal_impl.h"

#define ZEROS ((size_t)64 << 10)

#define NAME_END ".wal"

void wal_segment_name(char name[WAL_NAME_MAX], uint64_t number)
{
	text_put_hex(name, number, 16);
	memcpy(name + 16, NAME_END, sizeof(NAME_END));
}

bool wal_segment_number(const char *name, uint64_t *ret)
{
	return strlen(name) == 16 + strlen(NAME_END) && strcmp(name + 16, NAME_END) == 0 &&
	       text_get_hex(name, 16, ret) == 0 && *ret > 0;
}

int wal_zero(const struct io *io, int fd, uint64_t from, uint64_t to, struct err *e)
{
	static const char zeros[ZEROS];

	while (from < to) {
		size_t n = to - from < ZEROS ? (size_t)(to - from) : ZEROS;

		if (file_write_all(io, fd, zeros, n, (off_t)from, e) < 0)
			return -1;
		from += n;
	}
	return 0;
}

/* Create the next segment; blocks for all of it, so that a full disk is met at once. */
static int begin_next(struct wal *w, const char *name, uint64_t size, struct err *e)
{
	w->next_fd = file_open(w->io, w->dir, name, O_RDWR | O_CREAT | O_EXCL, w->mode, e);
	if (w->next_fd < 0)
		return -1;
	w->next_made = 0;
	w->next_size = size;
	return file_allocate(w->io, w->next_fd, 0, (off_t)size, e);
}

static int make_zeros(struct wal *w, uint64_t n, struct err *e)
{
	uint64_t left = w->next_size - w->next_made;
	uint64_t to = left < n ? w->next_size : w->next_made + n;

	if (wal_zero(w->io, w->next_fd, w->next_made, to, e) < 0)
		return -1;
	w->next_made = to;
	return 0;
}

/* What there is of it takes room that others may need now. */
static void drop_next(struct wal *w, const char *name)
{
	if (w->next_fd < 0)
		return;
	file_close(w->io, w->next_fd);
	w->next_fd = -1;
	(void)w->io->unlinkat(w->dir, name);
}

int wal_make_next(struct wal *w, uint64_t size, uint64_t slice, bool *ret_final, struct err *e)
{
	char name[WAL_NAME_MAX];
	bool ready = w->next_fd >= 0 && w->next_made == w->next_size;

	*ret_final = false;
	if (ready && w->next_size >= size)
		return 0;
	wal_segment_name(name, w->number + 1);
	if (w->next_fd < 0 && begin_next(w, name, size, e) < 0) {
		drop_next(w, name);
		return err_wrap(e, "make segment '%s'", name);
	}
	if (size > w->next_size) {
		if (file_allocate(w->io, w->next_fd, 0, (off_t)size, e) < 0) {
			drop_next(w, name);
			return err_wrap(e, "make segment '%s'", name);
		}
		w->next_size = size;
	}
	if (make_zeros(w, slice, e) < 0) {
		drop_next(w, name);
		return err_wrap(e, "make segment '%s'", name);
	}
	/* The sync of the last slice also makes the size durable; then the name. */
	*ret_final = true;
	if (w->io->fdatasync(w->next_fd) < 0)
		return err_sys(e, "sync segment '%s'", name);
	if (w->next_made < w->next_size)
		return 1;
	return file_sync_dir(w->io, w->dir, e);
}
