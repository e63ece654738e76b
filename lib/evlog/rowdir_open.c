/* rowdir_open: the files of a model: opened, completed, read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evlog/model.h"
#include "evlog/row.h"
#include "evlog/rowdir_impl.h"

#define NEW_NAME ".new" /* a row before it gets its name */

/* ---- Replacing files. */

static mode_t dir_mode(mode_t mode)
{
	return mode | ((mode & 0444) >> 2);
}

/* The directory of a table, made if need be. */
static int open_table(struct rowdir *d, const char *table, struct err *e)
{
	int fd = d->io->openat(d->dir, table, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : err_sys(e, "open '%s/%s'", d->path, table);
	if (d->io->mkdirat(d->dir, table, dir_mode(d->mode)) < 0)
		return err_sys(e, "make '%s/%s'", d->path, table);
	if (file_sync_dir(d->io, d->dir, e) < 0)
		return -1;
	return file_open_dir(d->io, d->dir, table, e);
}

static int write_row(struct rowdir *d, int table, const char *name, struct span row, struct err *e)
{
	const char *as = d->building ? name : NEW_NAME;
	/* What people look at may be mapped by them: it is replaced, never truncated. */
	int fd = d->building ? file_open(d->io, table, as, O_WRONLY | O_CREAT | O_TRUNC, d->mode, e)
	                     : file_open_new(d->io, table, as, d->mode, e);
	int r;

	if (fd < 0)
		return -1;
	r = file_write_all(d->io, fd, row.p, row.len, 0, e);
	if (r == 0)
		r = file_write_all(d->io, fd, "\n", 1, (off_t)row.len, e);
	if (r == 0 && !d->building && d->io->fsync(fd) < 0)
		r = err_sys(e, "sync");
	file_close(d->io, fd);
	if (d->building)
		return r;
	if (r == 0 && d->io->renameat(table, NEW_NAME, table, name) < 0)
		r = err_sys(e, "rename");
	if (r < 0)
		(void)d->io->unlinkat(table, NEW_NAME);
	return r;
}

static int replace(struct rowdir *d, int table, const char *name, struct span row, struct err *e)
{
	if (row.len > 0)
		return write_row(d, table, name, row, e);
	if (d->io->unlinkat(table, name) < 0 && errno != ENOENT)
		return err_sys(e, "remove");
	return 0;
}

/* The table that is open; the rows of a batch mostly are of one. */
struct open_tables {
	char name[ROW_NAME_MAX + 1];
	int fd; /* -1: none */
};

static int leave_table(struct rowdir *d, struct open_tables *t, struct err *e)
{
	int r = t->fd < 0 || d->building ? 0 : file_sync_dir(d->io, t->fd, e);

	file_close(d->io, t->fd);
	t->fd = -1;
	return r;
}

static int enter_table(struct rowdir *d, struct open_tables *t, struct span name, struct err *e)
{
	if (t->fd >= 0 && span_is(span_str(t->name), name))
		return 0;
	if (leave_table(d, t, e) < 0)
		return -1;
	if (name.len > ROW_NAME_MAX)
		return err_set(e, ENAMETOOLONG, "a table's name is too long");
	memcpy(t->name, name.p, name.len);
	t->name[name.len] = '\0';
	t->fd = open_table(d, t->name, e);
	return t->fd < 0 ? -1 : 0;
}

static int replace_at(struct rowdir *d, struct open_tables *t, struct span path, struct span row,
                      struct err *e)
{
	const char *slash = memchr(path.p, '/', path.len);
	char name[NAME_MAX + 1];
	size_t len = path.len - (size_t)(slash + 1 - path.p);

	if (len >= sizeof(name))
		return err_set(e, ENAMETOOLONG, "'%.*s': the name is too long", (int)path.len,
		               path.p);
	memcpy(name, slash + 1, len);
	name[len] = '\0';
	if (enter_table(d, t, (struct span){path.p, (size_t)(slash - path.p)}, e) < 0)
		return -1;
	if (replace(d, t->fd, name, row, e) < 0)
		return err_wrap(e, "'%s/%.*s'", d->path, (int)path.len, path.p);
	return 0;
}

/* A hint that saves the next one work: it needs not be on disk. */
static int mark_applied(struct rowdir *d, struct err *e)
{
	int fd = file_open(d->io, d->own_dir, STATE_NAME, O_WRONLY, 0, e);
	int r;

	if (fd < 0)
		return -1;
	r = file_write_all(d->io, fd, STATE_APPLIED, STATE_WORD_LEN, STATE_WORD_AT, e);
	file_close(d->io, fd);
	return r;
}

int rowdir_complete(struct rowdir *d, const struct rowdir_state *s, struct err *e)
{
	struct open_tables t = {.fd = -1};
	struct span rest = s->rows;
	struct span path;
	struct span row;
	struct err ignored;

	while (state_next(&rest, &path, &row))
		if (replace_at(d, &t, path, row, e) < 0) {
			(void)leave_table(d, &t, &ignored);
			return -1;
		}
	if (leave_table(d, &t, e) < 0)
		return -1;
	return mark_applied(d, e);
}

int rowdir_write_held(struct rowdir *d, struct err *e)
{
	struct open_tables t = {.fd = -1};
	struct err ignored;
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->row_count; i++) {
		const struct row *row = &d->rows[i];

		if (row->held)
			r = replace_at(d, &t, (struct span){row->path.data, row->path.len},
			               (struct span){row->old.data, row->old.len}, e);
	}
	if (r < 0)
		(void)leave_table(d, &t, &ignored);
	return r < 0 ? -1 : leave_table(d, &t, e);
}

/* ---- Opening. */

static int read_state(int own_dir, struct buf *text, struct rowdir_state *s, struct err *e)
{
	buf_clear(text);
	if (file_read(own_dir, STATE_NAME, STATE_MAX, text, e) < 0)
		return e->code == ENOENT ? 0 : -1;
	if (state_parse(s, (struct span){text->data, text->len}, e) < 0) {
		if (e->code == EBADMSG)
			e->code = EIO;
		return err_wrap(e, "'%s'", STATE_NAME);
	}
	return 1;
}

int rowdir_check_owner(const char *path, const struct rowdir_owner *o, const struct rowdir_state *s,
                       struct err *e)
{
	if (!span_is(s->name, span_str(o->name)))
		return err_set(e, EVLOG_FOREIGN, "'%s' holds the projection '%.*s'", path,
		               (int)s->name.len, s->name.p);
	if (!span_is(s->store, span_str(o->store)))
		return err_set(e, EVLOG_FOREIGN, "'%s' holds the projection '%s' of another store",
		               path, o->name);
	return 0;
}

/* A directory with files that are not ours is no place for a model: they would be in its way. */
static int check_empty(struct rowdir *d, struct err *e)
{
	int fd = file_open_dir(&io_os, d->dir, ".", e);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (list == NULL) {
		file_close(&io_os, fd);
		return fd < 0 ? -1 : err_sys(e, "list '%s'", d->path);
	}
	while (r == 0 && (entry = readdir(list)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, OWN_DIR) != 0)
			r = err_set(e, EVLOG_FOREIGN,
			            "'%s' holds '%s', which is no model's: name an empty or new "
			            "directory",
			            d->path, entry->d_name);
	closedir(list);
	return r;
}

static int make_dirs(struct rowdir *d, struct err *e)
{
	mode_t mode = dir_mode(d->mode);

	if (d->io->mkdirat(AT_FDCWD, d->path, mode) < 0) {
		if (errno != EEXIST)
			return err_sys(e, "make '%s'", d->path);
	} else if (file_sync_parent(d->io, d->path, e) < 0) {
		return -1;
	}
	d->dir = file_open_dir(d->io, AT_FDCWD, d->path, e);
	if (d->dir < 0)
		return -1;
	d->own_dir = d->io->openat(d->dir, OWN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (d->own_dir >= 0)
		return 0;
	if (errno != ENOENT)
		return err_sys(e, "open '%s/" OWN_DIR "'", d->path);
	if (check_empty(d, e) < 0)
		return -1;
	if (d->io->mkdirat(d->dir, OWN_DIR, mode) < 0 && errno != EEXIST)
		return err_sys(e, "make '%s/" OWN_DIR "'", d->path);
	if (file_sync_dir(d->io, d->dir, e) < 0)
		return -1;
	d->own_dir = file_open_dir(d->io, d->dir, OWN_DIR, e);
	return d->own_dir < 0 ? -1 : 0;
}

static int open_state(struct rowdir *d, const struct rowdir_owner *owner, struct mark *ret,
                      struct err *e)
{
	struct rowdir_state s;
	int r = read_state(d->own_dir, &d->state, &s, e);

	*ret = (struct mark){.sequence = 0};
	if (r < 0)
		return err_wrap(e, "'%s/" OWN_DIR "'", d->path);
	if (r == 0)
		return check_empty(d, e);
	if (rowdir_check_owner(d->path, owner, &s, e) < 0)
		return -1;
	*ret = s.mark;
	d->sequence = s.mark.sequence;
	return s.applied ? 0 : rowdir_complete(d, &s, e);
}

struct rowdir *rowdir_open(const char *path, const struct rowdir_config *cfg, struct mark *ret,
                           struct err *e)
{
	struct rowdir *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	d->io = cfg->io != NULL ? cfg->io : &io_os;
	d->mode = cfg->mode;
	d->building = cfg->building;
	d->dir = d->own_dir = -1;
	d->path = strdup(path);
	d->name = strdup(cfg->owner.name);
	d->store = strdup(cfg->owner.store);
	if (d->path == NULL || d->name == NULL || d->store == NULL)
		err_set(e, ENOMEM, "out of memory");
	else if (make_dirs(d, e) == 0 && open_state(d, &cfg->owner, ret, e) == 0)
		return d;
	rowdir_close(d);
	return NULL;
}

void rowdir_close(struct rowdir *d)
{
	if (d == NULL)
		return;
	file_close(d->io, d->own_dir);
	file_close(d->io, d->dir);
	for (size_t i = 0; i < d->row_count; i++) {
		buf_done(&d->rows[i].path);
		buf_done(&d->rows[i].old);
		buf_done(&d->rows[i].now);
	}
	free(d->rows);
	free(d->slots);
	free(d->changed);
	buf_done(&d->path_buf);
	buf_done(&d->merged);
	buf_done(&d->state);
	free(d->path);
	free(d->name);
	free(d->store);
	free(d);
}

/* ---- Reading. */

int rowdir_read_row_at(int dir, struct span path, struct buf *ret, struct err *e)
{
	char name[ROW_NAME_MAX + NAME_MAX + 2];
	size_t before = ret->len;

	if (path.len >= sizeof(name))
		return 0;
	memcpy(name, path.p, path.len);
	name[path.len] = '\0';
	if (file_read(dir, name, ROW_MAX + 1, ret, e) < 0)
		return e->code == ENOENT ? 0 : -1;
	if (ret->len > before && ret->data[ret->len - 1] == '\n')
		ret->len--;
	return 1;
}
