/*
 * open: taking a directory, and giving it back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "wal/wal_impl.h"

#define PID_MAX 24

static struct wal *new_log(const struct wal_config *cfg, struct err *e)
{
	struct wal *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	w->io = cfg->io;
	w->dir = cfg->dir;
	w->cluster = cfg->cluster;
	w->node = cfg->node;
	w->segment_size = cfg->segment_size == 0 ? WAL_SEGMENT_DEFAULT : cfg->segment_size;
	w->mode = cfg->mode;
	w->lock_fd = w->fd = w->next_fd = -1;
	atomic_init(&w->durable, 0);
	atomic_init(&w->poison, 0);
	return w;
}

static int busy(struct wal *w, struct err *e)
{
	char text[PID_MAX + 1];
	struct err ignored;
	ssize_t n = file_read_at(w->io, w->lock_fd, text, PID_MAX, 0, &ignored);
	uint64_t pid;

	if (n > 0) {
		text[n] = '\0';
		if (text[n - 1] == '\n')
			text[n - 1] = '\0';
		if (num_u64(text, 1, INT32_MAX, &pid, &ignored) == 0)
			return err_set(e, WAL_BUSY, "the log is in use by process %llu",
			               (unsigned long long)pid);
	}
	return err_set(e, WAL_BUSY, "the log is in use by another process");
}

static int take_lock(struct wal *w, const struct wal_config *cfg, struct err *e)
{
	char text[PID_MAX];
	int n;

	if (cfg->locked)
		return 0;
	w->lock_fd = file_open(w->io, w->dir, WAL_LOCK_NAME, O_RDWR | O_CREAT, w->mode, e);
	if (w->lock_fd < 0)
		return -1;
	if (w->io->lock(w->lock_fd) < 0)
		return errno == EAGAIN ? busy(w, e) : err_sys(e, "lock '%s'", WAL_LOCK_NAME);
	if (cfg->pid == 0)
		return 0;
	n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)cfg->pid);
	if (w->io->ftruncate(w->lock_fd, 0) < 0)
		return err_sys(e, "write '%s'", WAL_LOCK_NAME);
	return file_write_all(w->io, w->lock_fd, text, (size_t)n, 0, e);
}

void wal_abandon(struct wal *w)
{
	if (w == NULL)
		return;
	file_close(w->io, w->fd);
	file_close(w->io, w->next_fd);
	file_close(w->io, w->lock_fd);
	buf_done(&w->buf);
	free(w->segments);
	free(w->parts);
	free(w);
}

struct wal *wal_open(const struct wal_config *cfg, struct wal_recovered *ret, struct buf *note,
                     struct err *e)
{
	size_t size = cfg->segment_size;
	struct wal *w;

	*ret = (struct wal_recovered){0};
	if (size != 0 &&
	    (size < WAL_SEGMENT_MIN || size > WAL_SEGMENT_MAX || size % WAL_PAGE != 0)) {
		err_set(e, EINVAL, "segments of %zu bytes", size);
		return NULL;
	}
	w = new_log(cfg, e);
	if (w == NULL)
		return NULL;
	if (take_lock(w, cfg, e) == 0 && wal_recover(w, cfg->salt, ret, note, e) == 0)
		return w;
	wal_recovered_done(ret);
	wal_abandon(w);
	return NULL;
}

void wal_recovered_done(struct wal_recovered *r)
{
	free(r->entries);
	free(r->bytes);
	*r = (struct wal_recovered){0};
}

void wal_close(struct wal *w)
{
	struct err ignored;

	if (w != NULL && atomic_load(&w->poison) == 0 && w->buf.len == 0 && !w->no_memory)
		(void)wal_mark(w, &ignored);
	wal_abandon(w);
}
