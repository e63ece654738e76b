/* record_note: what a record holds, and how it grows. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record_model.h"

#define PAGE ((size_t)4096)

/* The newest one: the number of a file that is gone may be used again. */
size_t record_find_node(const struct record_io *r, const struct stat *st)
{
	if (st->st_dev != r->dev)
		return RECORD_NONE;
	for (size_t i = r->n_nodes; i-- > 0;)
		if (r->nodes[i].ino == st->st_ino)
			return i;
	return RECORD_NONE;
}

/* The directory of a path, and where the last component of the path begins. */
size_t record_find_dir(const struct record_io *r, int dir, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char up[PATH_MAX];
	struct stat st;

	*ret_name = slash == NULL ? path : slash + 1;
	if (slash == NULL)
		snprintf(up, sizeof(up), ".");
	else
		snprintf(up, sizeof(up), "%.*s", (int)(slash - path + 1), path);
	return fstatat(dir, up, &st, 0) < 0 ? RECORD_NONE : record_find_node(r, &st);
}

size_t record_add_node(struct record_io *r, const struct stat *st)
{
	r->nodes = record_grow(r->nodes, r->n_nodes, sizeof(*r->nodes));
	r->nodes[r->n_nodes] = (struct record_node){
	    .ino = st->st_ino,
	    .mode = st->st_mode & 07777,
	    .is_dir = S_ISDIR(st->st_mode),
	};
	return r->n_nodes++;
}

void record_path(const struct record_io *r, size_t dir, const char *name, char path[PATH_MAX])
{
	char below[PATH_MAX];

	snprintf(path, PATH_MAX, "%s", name);
	while (dir != RECORD_ROOT) {
		memcpy(below, path, sizeof(below));
		if (snprintf(path, PATH_MAX, "%s/%s", r->nodes[dir].name, below) >= PATH_MAX)
			return;
		dir = r->nodes[dir].dir;
	}
}

/* The node is now known as (dir, name). */
static void name_node(struct record_io *r, size_t node, size_t dir, const char *name)
{
	struct record_node *n = &r->nodes[node];
	char path[PATH_MAX];
	char *old = n->name;

	n->name = record_text(name);
	n->dir = dir;
	n->unlinked = false;
	free(old);
	record_path(r, dir, name, path);
	if (r->mapped != NULL && !n->is_dir && r->mapped(path))
		n->mapped = true;
}

/* (dir, name) is gone; the node may have another name. */
static void unname_node(struct record_io *r, size_t node, size_t dir, const char *name)
{
	struct record_node *n = &r->nodes[node];

	if (n->dir == dir && strcmp(n->name, name) == 0)
		n->unlinked = true;
}

static void add_event(struct record_io *r, struct record_event ev)
{
	r->events = record_grow(r->events, r->n_events, sizeof(*r->events));
	r->events[r->n_events++] = ev;
	r->n_calls += ev.call;
}

static char *describe(const struct record_io *r, const char *call, size_t dir, const char *name,
                      const char *more)
{
	char path[PATH_MAX];
	char text[PATH_MAX + 400];

	record_path(r, dir, name, path);
	snprintf(text, sizeof(text), "%s '%s'%s", call, path, more);
	return record_text(text);
}

char *record_describe(const struct record_io *r, const char *call, size_t node, const char *more)
{
	if (node == RECORD_ROOT)
		return describe(r, call, RECORD_ROOT, ".", more);
	return describe(r, call, r->nodes[node].dir, r->nodes[node].name, more);
}

static void *copy(const void *p, size_t n)
{
	return p == NULL ? NULL : memcpy(record_alloc(n), p, n);
}

/* What the record knows of a mapped file. */
static void set_seen(struct record_node *n, size_t at, const void *p, size_t len)
{
	if (at + len > n->seen.len) {
		size_t more = at + len - n->seen.len;
		char *to = buf_reserve(&n->seen, more);

		record_must(&n->seen);
		memset(to, 0, more);
		n->seen.len = at + len;
	}
	if (p == NULL)
		memset(n->seen.data + at, 0, len);
	else
		memcpy(n->seen.data + at, p, len);
}

/* what: NULL for a store through a mapping. */
void record_add_write(struct record_io *r, size_t node, const void *p, size_t len, size_t at,
                      char *what)
{
	if (r->nodes[node].mapped)
		set_seen(&r->nodes[node], at, p, len);
	r->nodes[node].dirty = true;
	add_event(r, (struct record_event){.kind = RECORD_WRITE,
	                                   .call = what != NULL,
	                                   .what = what,
	                                   .node = node,
	                                   .at = at,
	                                   .len = len,
	                                   .data = copy(p, len)});
}

void record_add_size(struct record_io *r, size_t node, size_t size, char *what)
{
	struct record_node *n = &r->nodes[node];

	if (n->mapped && size > n->seen.len)
		set_seen(n, size, NULL, 0);
	if (n->mapped)
		n->seen.len = size;
	n->dirty = true;
	add_event(
	    r,
	    (struct record_event){
		.kind = RECORD_SIZE, .call = what != NULL, .what = what, .node = node, .at = size});
}

/* A new name for a node, old or new. */
void record_add_enter(struct record_io *r, size_t node, size_t dir, const char *name,
                      const char *call)
{
	name_node(r, node, dir, name);
	r->nodes[dir].dirty = true;
	add_event(
	    r, (struct record_event){.kind = RECORD_ENTER,
	                             .call = call != NULL,
	                             .what = call == NULL ? NULL : describe(r, call, dir, name, ""),
	                             .node = node,
	                             .dir = dir,
	                             .name = record_text(name)});
}

void record_add_remove(struct record_io *r, size_t node, size_t dir, const char *name,
                       const char *call)
{
	r->nodes[dir].dirty = true;
	add_event(r, (struct record_event){.kind = RECORD_REMOVE,
	                                   .call = true,
	                                   .what = describe(r, call, dir, name, ""),
	                                   .node = node,
	                                   .dir = dir,
	                                   .name = record_text(name)});
	unname_node(r, node, dir, name);
}

void record_add_rename(struct record_io *r, size_t node, size_t dir, const char *name,
                       size_t to_dir, const char *to_name, size_t target)
{
	char more[NAME_MAX + 16];
	char *what;

	snprintf(more, sizeof(more), " to '%s'", to_name);
	what = describe(r, "renameat", dir, name, more);
	if (target != RECORD_NONE)
		unname_node(r, target, to_dir, to_name);
	name_node(r, node, to_dir, to_name);
	r->nodes[dir].dirty = true;
	r->nodes[to_dir].dirty = true;
	add_event(r, (struct record_event){.kind = RECORD_RENAME,
	                                   .call = true,
	                                   .what = what,
	                                   .node = node,
	                                   .dir = dir,
	                                   .to_dir = to_dir,
	                                   .name = record_text(name),
	                                   .to_name = record_text(to_name)});
}

void record_add_sync(struct record_io *r, size_t node, const char *call, int result)
{
	struct record_node *n = &r->nodes[node];
	enum record_kind kind = n->is_dir ? RECORD_SYNC_DIR : RECORD_SYNC;

	if (!n->dirty || (result < 0 && n->is_dir))
		return;
	if (result < 0)
		kind = RECORD_SYNC_FAILED;
	else
		n->dirty = false;
	add_event(r, (struct record_event){
			 .kind = kind,
			 .call = true,
			 .what = record_describe(r, call, node, result < 0 ? " failed" : ""),
			 .node = node});
}

/* --- mapped files --- */

static void scan_pages(struct record_io *r, size_t node, const struct buf *now)
{
	struct buf *seen = &r->nodes[node].seen;
	size_t n;

	if (now->len < seen->len)
		record_add_size(r, node, now->len, NULL);
	for (size_t at = 0; at < now->len; at += n) {
		n = now->len - at < PAGE ? now->len - at : PAGE;
		if (at + n > seen->len || memcmp(seen->data + at, now->data + at, n) != 0)
			record_add_write(r, node, now->data + at, n, at, NULL);
	}
}

void record_scan_mapped(struct record_io *r)
{
	struct buf now = {0};
	struct err e;

	for (size_t i = 0; i < r->n_nodes; i++) {
		char path[PATH_MAX];
		char full[2 * PATH_MAX];

		if (!r->nodes[i].mapped || r->nodes[i].unlinked)
			continue;
		record_path(r, r->nodes[i].dir, r->nodes[i].name, path);
		snprintf(full, sizeof(full), "%s/%s", r->root, path);
		buf_clear(&now);
		if (file_read(AT_FDCWD, full, SIZE_MAX / 4, &now, &e) == 0)
			scan_pages(r, i, &now);
	}
	buf_done(&now);
}

void record_cannot_tell(struct record_io *r, const char *call, const char *name, const char *why)
{
	if (r->bad.code == 0)
		err_set(&r->bad, ENOTSUP, "%s '%s': %s", call, name, why);
}

void record_free(struct record_io *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n_nodes; i++) {
		free(r->nodes[i].name);
		buf_done(&r->nodes[i].seen);
	}
	for (size_t i = 0; i < r->n_events; i++) {
		free(r->events[i].what);
		free(r->events[i].name);
		free(r->events[i].to_name);
		free(r->events[i].data);
	}
	for (size_t i = 0; i < r->n_marks; i++)
		free(r->marks[i].text);
	free(r->nodes);
	free(r->events);
	free(r->marks);
	free(r->root);
	free(r);
}
