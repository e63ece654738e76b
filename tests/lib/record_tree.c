/* record_tree: a directory on the disk, made into a record and made from an image. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record_model.h"

#define FILE_MAX ((size_t)1 << 32)

/* --- reading --- */

typedef int entry_fn(struct record_io *r, void *arg, size_t dir, int dir_fd, const char *name,
                     struct err *e);

/* Call fn for each entry of the directory (up_fd, name). */
static int each_entry(struct record_io *r, size_t dir, int up_fd, const char *name, entry_fn *fn,
                      void *arg, struct err *e)
{
	int fd = file_open_dir(&io_os, up_fd, name, e);
	const struct dirent *d;
	int result = 0;
	DIR *list;

	if (fd < 0)
		return -1;
	list = fdopendir(fd);
	if (list == NULL) {
		close(fd);
		return err_sys(e, "read directory '%s'", name);
	}
	while (result == 0 && (d = readdir(list)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			result = fn(r, arg, dir, fd, d->d_name, e);
	closedir(list);
	return result;
}

static int note_file(struct record_io *r, size_t node, int dir_fd, const char *name, struct err *e)
{
	struct buf b = {0};
	int result = file_read(dir_fd, name, FILE_MAX, &b, e);

	if (result == 0 && b.len > 0)
		record_add_write(r, node, b.data, b.len, 0, NULL);
	buf_done(&b);
	return result;
}

static int note_entry(struct record_io *r, void *arg, size_t dir, int dir_fd, const char *name,
                      struct err *e)
{
	struct stat st;
	size_t node;
	bool known;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "stat '%s'", name);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return err_set(e, ENOTSUP, "'%s' is neither file nor directory", name);
	node = record_find_node(r, &st);
	known = node != RECORD_NONE;
	if (!known)
		node = record_add_node(r, &st);
	record_add_enter(r, node, dir, name, NULL);
	if (S_ISDIR(st.st_mode))
		return each_entry(r, node, dir_fd, name, note_entry, arg, e);
	return known ? 0 : note_file(r, node, dir_fd, name, e);
}

int record_read_tree(struct record_io *r, struct err *e)
{
	if (each_entry(r, RECORD_ROOT, AT_FDCWD, r->root, note_entry, NULL, e) < 0)
		return err_wrap(e, "record '%s'", r->root);
	return 0;
}

/* --- an image in memory --- */

static void add_file(struct tree *t, struct model *m, const struct record_node *node,
                     const struct model_choice *c, size_t id, const char *path)
{
	struct tree_file file = {.node = id, .path = record_text(path)};

	if (!node->is_dir)
		file.bytes = model_content(m, id, c);
	t->v = record_grow(t->v, t->n, sizeof(*t->v));
	t->v[t->n++] = file;
	t->has_mapped = t->has_mapped || node->mapped;
	/* A sum, as the order of entries means nothing. */
	t->hash += record_hash(path, strlen(path), file.bytes.hash + node->is_dir);
}

/* What is in a directory that is in the tree as `above`, or in the root when that is "". */
static void add_directory(struct tree *t, struct model *m, const struct record_io *r,
                          const struct record_names *names, const struct model_choice *c,
                          size_t dir, const char *above)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct record_entry *entry = &names->v[i];
		char path[PATH_MAX];

		if (entry->dir != dir)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", above, above[0] == '\0' ? "" : "/",
		         entry->name);
		add_file(t, m, &r->nodes[entry->node], c, entry->node, path);
	}
}

void tree_build(struct tree *t, struct model *m, const struct record_io *r,
                const struct model_choice *c)
{
	struct record_names names;

	*t = (struct tree){0};
	model_names(m, c, &names);
	add_directory(t, m, r, &names, c, RECORD_ROOT, "");
	/* The list grows while it is read: each directory adds what is in it. */
	for (size_t i = 0; i < t->n; i++)
		if (r->nodes[t->v[i].node].is_dir)
			add_directory(t, m, r, &names, c, t->v[i].node, t->v[i].path);
	free(names.v);
}

void tree_done(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].path);
		free(t->v[i].bytes.owned);
	}
	free(t->v);
	*t = (struct tree){0};
}

/* --- an image on disk --- */

/* The first path in the tree of a file that has two; NULL when the i-th is the first. */
static const char *first_path(const struct tree *t, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (t->v[k].node == t->v[i].node)
			return t->v[k].path;
	return NULL;
}

static int write_file(int root, const struct tree_file *f, mode_t mode, struct err *e)
{
	int fd = file_open(&io_os, root, f->path, O_WRONLY | O_CREAT | O_EXCL, 0600, e);
	int result;

	if (fd < 0)
		return -1;
	result = file_write_all(&io_os, fd, f->bytes.data, f->bytes.len, 0, e);
	if (result == 0 && mode != 0600 && fchmod(fd, mode) < 0)
		result = err_sys(e, "chmod '%s'", f->path);
	close(fd);
	return result;
}

static int write_entry(const struct tree *t, size_t i, int root, const struct record_node *node,
                       struct err *e)
{
	const struct tree_file *f = &t->v[i];
	const char *other;

	if (node->is_dir) {
		if (mkdirat(root, f->path, 0700) < 0)
			return err_sys(e, "make directory '%s'", f->path);
		if (node->mode != 0700 && fchmodat(root, f->path, node->mode | 0700, 0) < 0)
			return err_sys(e, "chmod '%s'", f->path);
		return 0;
	}
	other = first_path(t, i);
	if (other == NULL)
		return write_file(root, f, node->mode, e);
	if (linkat(root, other, root, f->path, 0) < 0)
		return err_sys(e, "link '%s'", f->path);
	return 0;
}

int tree_write(const struct tree *t, const struct record_io *r, const char *dir, struct err *e)
{
	int result = 0;
	int root;

	if (mkdir(dir, 0700) < 0)
		return err_sys(e, "make directory '%s'", dir);
	root = file_open_dir(&io_os, AT_FDCWD, dir, e);
	if (root < 0)
		return -1;
	if (fchmod(root, r->nodes[RECORD_ROOT].mode | 0700) < 0)
		result = err_sys(e, "chmod '%s'", dir);
	for (size_t i = 0; result == 0 && i < t->n; i++)
		result = write_entry(t, i, root, &r->nodes[t->v[i].node], e);
	close(root);
	return result;
}

/* --- does the record tell the whole story? --- */

static bool has_failed_sync(const struct record_io *r, size_t node)
{
	for (size_t i = 0; i < r->n_events; i++)
		if (r->events[i].kind == RECORD_SYNC_FAILED && r->events[i].node == node)
			return true;
	return false;
}

/* After a failed sync the model forgets, as the disk does, what is still in the page cache. */
static int compare_file(const struct record_io *r, const struct tree_file *f, int root,
                        struct err *e)
{
	const struct record_node *node = &r->nodes[f->node];
	struct buf b = {0};
	int result = 0;

	if (node->is_dir || node->mapped || has_failed_sync(r, f->node))
		return faccessat(root, f->path, F_OK, 0) == 0 || node->mapped
		           ? 0
		           : err_set(e, ENOTSUP, "'%s' is gone", f->path);
	if (file_read(root, f->path, FILE_MAX, &b, e) < 0)
		result = -1;
	else if (b.len != f->bytes.len || (b.len > 0 && memcmp(b.data, f->bytes.data, b.len) != 0))
		result = err_set(e, ENOTSUP, "'%s' has other bytes", f->path);
	buf_done(&b);
	return result;
}

/* arg: the tree. */
static int compare_entry(struct record_io *r, void *arg, size_t dir, int dir_fd, const char *name,
                         struct err *e)
{
	const struct tree *t = arg;
	char path[PATH_MAX];

	record_path(r, dir, name, path);
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->v[i].path, path) != 0)
			continue;
		if (!r->nodes[t->v[i].node].is_dir)
			return 0;
		return each_entry(r, t->v[i].node, dir_fd, name, compare_entry, arg, e);
	}
	if (r->mapped != NULL && r->mapped(path))
		return 0;
	return err_set(e, ENOTSUP, "'%s' is new", path);
}

int tree_compare(struct tree *t, struct record_io *r, struct err *e)
{
	int root = file_open_dir(&io_os, AT_FDCWD, r->root, e);
	int result = 0;

	if (root < 0)
		return -1;
	for (size_t i = 0; result == 0 && i < t->n; i++)
		result = compare_file(r, &t->v[i], root, e);
	close(root);
	if (result == 0)
		result = each_entry(r, RECORD_ROOT, AT_FDCWD, r->root, compare_entry, t, e);
	if (result < 0)
		return err_wrap(e, "'%s' was changed by other calls than the recorded ones",
		                r->root);
	return 0;
}
