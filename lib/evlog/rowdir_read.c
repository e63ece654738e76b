/* rowdir_read: a model is looked at, by others than the one who changes it. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "evlog/model.h"
#include "evlog/rowdir_impl.h"

/* The state of a model: 1, 0 there is none. */
static int read_state(const char *path, struct buf *text, struct rowdir_state *s, struct err *e)
{
	struct buf name = {0};
	int r;

	buf_printf(&name, "%s/" OWN_DIR "/" STATE_NAME, path);
	buf_add_char(&name, '\0');
	r = buf_ok(&name, e);
	if (r == 0)
		r = file_read(AT_FDCWD, name.data, STATE_MAX, text, e);
	buf_done(&name);
	if (r < 0)
		return e->code == ENOENT ? 0 : -1;
	if (state_parse(s, (struct span){text->data, text->len}, e) == 0)
		return 1;
	if (e->code == EBADMSG)
		e->code = EIO;
	return err_wrap(e, "'%s/" OWN_DIR "/" STATE_NAME "'", path);
}

int rowdir_read_mark(const char *path, const struct rowdir_owner *owner, struct mark *ret,
                     uint64_t *ret_in_files, struct err *e)
{
	struct rowdir_state s;
	struct buf text = {0};
	int r = read_state(path, &text, &s, e);

	if (r > 0 && rowdir_check_owner(path, owner, &s, e) < 0)
		r = -1;
	if (r > 0) {
		*ret = s.mark;
		*ret_in_files = s.applied ? s.mark.sequence : s.before;
	}
	buf_done(&text);
	return r;
}

/* A batch that is being applied: its rows are as the state says, whatever the files have. */
static bool find_pending(const struct rowdir_state *s, struct span path, struct span *ret)
{
	struct span rest = s->rows;
	struct span at;

	if (s->applied)
		return false;
	while (state_next(&rest, &at, ret))
		if (span_is(at, path))
			return true;
	return false;
}

int rowdir_read_row(const char *path, struct span row, struct buf *ret, struct err *e)
{
	struct rowdir_state s;
	struct buf text = {0};
	struct span found;
	int r = read_state(path, &text, &s, e);
	int dir;

	if (r > 0 && find_pending(&s, row, &found)) {
		buf_add(ret, found.p, found.len);
		r = buf_ok(ret, e) < 0 ? -1 : found.len > 0;
	} else if (r > 0) {
		dir = file_open_dir(&io_os, AT_FDCWD, path, e);
		r = dir < 0 ? -1 : rowdir_read_row_at(dir, row, ret, e);
		file_close(&io_os, dir);
	}
	buf_done(&text);
	return r;
}

int rowdir_tables(const char *path, struct buf *names, struct err *e)
{
	int fd = file_open_dir(&io_os, AT_FDCWD, path, e);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (list == NULL) {
		file_close(&io_os, fd);
		return fd < 0 ? -1 : err_sys(e, "list '%s'", path);
	}
	while ((entry = readdir(list)) != NULL)
		if (entry->d_name[0] != '.' &&
		    fstatat(dirfd(list), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			buf_add(names, entry->d_name, strlen(entry->d_name) + 1);
	closedir(list);
	return buf_ok(names, e);
}
