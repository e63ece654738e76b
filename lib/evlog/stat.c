/* stat: numbers about a store. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "evlog/admin.h"
#include "evlog/store_impl.h"

/* The names in a directory but "." and "..", each with its NUL. */
int store_list(int dir, struct buf *names, struct err *e)
{
	struct dirent *d;
	int fd = file_open_dir(&io_os, dir, ".", e);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (list == NULL) {
		if (fd >= 0)
			close(fd);
		return fd < 0 ? -1 : err_sys(e, "list a directory");
	}
	while ((d = readdir(list)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			buf_add(names, d->d_name, strlen(d->d_name) + 1);
	closedir(list);
	return buf_ok(names, e);
}

/* Bytes on disk, not lengths: tables are sparse. */
static int sum_bytes(int dir, uint64_t *ret, struct err *e)
{
	struct buf names = {0};
	struct stat st;
	int r = dir < 0 ? 0 : store_list(dir, &names, e);

	*ret = 0;
	for (size_t at = 0; r == 0 && at < names.len; at += strlen(names.data + at) + 1)
		if (fstatat(dir, names.data + at, &st, AT_SYMLINK_NOFOLLOW) == 0)
			*ret += (uint64_t)st.st_blocks * 512;
	buf_done(&names);
	return r;
}

static int add_loss(const struct finding *f, void *arg, struct err *e)
{
	uint64_t *sum = arg;

	(void)e;
	*sum += f->where.last - f->where.first + 1;
	return 0;
}

/* How many events were removed from a segment, as its first line says. */
static uint64_t removed_from(const struct evlog *s, uint64_t base)
{
	char name[SEGMENT_NAME_MAX], line[FRAME_HEAD_LEN];
	struct frame_head h = {.gone = 0};
	struct err ignored;
	int fd;

	segment_name(name, base);
	fd = file_open(&io_os, s->log_dir, name, O_RDONLY, 0, &ignored);
	if (fd < 0)
		return 0;
	if (file_read_at(&io_os, fd, line, sizeof(line), 0, &ignored) < (ssize_t)sizeof(line) ||
	    !frame_get_head(line, sizeof(line), &h))
		h.gone = 0;
	close(fd);
	return h.gone;
}

static int get_times(struct evlog *s, struct evlog_stat *st, struct err *e)
{
	uint64_t first = 0;
	struct frame f;

	if (st->durable_sequence == 0)
		return 0;
	/* A damaged first or last event leaves its time unknown; verify says more. */
	do
		first = segments_next(s, first + 1);
	while (first < st->durable_sequence && store_frame(s, first, &f, e) == 0);
	if (store_frame(s, first, &f, e) > 0)
		st->first_time_ns = f.time_ns;
	if (store_frame(s, st->durable_sequence, &f, e) > 0)
		st->last_time_ns = f.time_ns;
	return 0;
}

int evlog_get_stat(struct evlog *s, struct evlog_stat *st, struct err *e)
{
	const struct ctl *c = s->ctl;
	uint64_t *base = NULL;
	uint64_t known = 0;
	ssize_t n;

	*st = (struct evlog_stat){.segment_size = s->segment_size};
	if (store_refresh(s, e) < 0)
		return -1;
	id_put_hex(st->uuid, s->uuid);
	st->last_sequence = ctl_get(&c->written);
	st->durable_sequence = ctl_get(&c->durable);
	st->poison = ctl_get32(&c->poison);
	st->damaged = ctl_get32(&c->damaged) != 0;
	st->commits = ctl_get(&c->commits);
	st->syncs = ctl_get(&c->syncs);
	st->conflicts = ctl_get(&c->conflicts);
	st->rolls = ctl_get(&c->rolls);
	n = segment_bases(s->log_dir, &base, e);
	if (n < 0)
		return -1;
	for (ssize_t i = 0; i + 1 < n; i++)
		st->events_removed += removed_from(s, base[i]);
	free(base);
	st->segments = (uint64_t)n;
	st->events = st->durable_sequence - st->events_removed;
	if (evlog_count_streams(s, &st->streams, e) < 0 && e->code != EVLOG_READ_ONLY &&
	    e->code != EVLOG_DAMAGED)
		return -1;
	if (evlog_each_lost(s, add_loss, &st->lost_open, e) < 0 ||
	    evlog_each_known_loss(s, add_loss, &known, e) < 0 ||
	    sum_bytes(s->log_dir, &st->log_bytes, e) < 0 ||
	    sum_bytes(s->index_dir, &st->index_bytes, e) < 0)
		return -1;
	st->lost_events = st->lost_open + known;
	return get_times(s, st, e);
}
