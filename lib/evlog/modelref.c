#include "evlog/modelref.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "evlog/cursor.h"
#include "evlog/store_impl.h"

#define FIRST_LINE "evlog-model 1\n"
#define SUFFIX     "@model"

/* In cursors/, opened.  -1 with ENOENT: there is none. */
static int open_dir(struct evlog *s, const char *name, char file[CURSOR_TEXT_MAX], struct err *e)
{
	if (cursor_check_name(name, e) < 0)
		return -1;
	snprintf(file, CURSOR_TEXT_MAX, "%s" SUFFIX, name);
	return store_subdir(s, CURSOR_DIR, false, e);
}

static int read_at(int dir, const char *file, struct buf *target, struct err *e)
{
	size_t first = strlen(FIRST_LINE);
	size_t before = target->len;

	if (file_read(dir, file, first + MODELREF_MAX, target, e) < 0)
		return e->code == ENOENT ? 0 : -1;
	if (target->len - before <= first ||
	    memcmp(target->data + before, FIRST_LINE, first) != 0 ||
	    memchr(target->data + before, '\0', target->len - before) != NULL) {
		target->len = before;
		return err_set(e, EVLOG_FOREIGN, "'" CURSOR_DIR "/%s' is of another version", file);
	}
	memmove(target->data + before, target->data + before + first, target->len - before - first);
	target->len -= first;
	buf_add_char(target, '\0');
	return buf_ok(target, e) < 0 ? -1 : 1;
}

int modelref_read(struct evlog *s, const char *name, struct buf *target, struct err *e)
{
	char file[CURSOR_TEXT_MAX];
	int dir = open_dir(s, name, file, e);
	int r;

	if (dir < 0)
		return e->code == ENOENT ? 0 : -1;
	r = read_at(dir, file, target, e);
	file_close(s->io, dir);
	return r;
}

int modelref_save(struct evlog *s, const char *name, const char *target, struct err *e)
{
	char file[CURSOR_TEXT_MAX];
	struct buf b = {0};
	struct err ignored;
	int dir = open_dir(s, name, file, e);
	int r;

	if (dir < 0)
		return -1;
	r = read_at(dir, file, &b, &ignored);
	if (r <= 0 || strcmp(b.data, target) != 0) {
		buf_clear(&b);
		buf_add_str(&b, FIRST_LINE);
		buf_add_str(&b, target);
		r = buf_ok(&b, e);
		if (r == 0)
			r = file_replace(s->io, dir, file, b.data, b.len, s->mode, e);
	}
	file_close(s->io, dir);
	buf_done(&b);
	return r < 0 ? err_wrap(e, "note where the model is") : 0;
}
