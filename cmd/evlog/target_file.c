/*
 * target_file: a model of files (lib/evlog/rowdir.h), and how one that was made anew takes the
 * place of the old one: the two directories change their names in one step.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evlog/rowdir.h"
#include "project.h"

struct own {
	struct rowdir *d;
	struct rowdir_event *events;
	size_t *index; /* in the change, of each of them */
	size_t cap;
	char *built; /* DIR.rebuild-PID; NULL: none */
};

/* ---- Removing directories. */

static DIR *list_dir(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (list == NULL && fd >= 0)
		close(fd);
	return list;
}

static const char *next_name(DIR *list)
{
	struct dirent *entry;

	do
		entry = readdir(list);
	while (entry != NULL &&
	       (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry != NULL ? entry->d_name : NULL;
}

/* A directory without directories in it. */
static void remove_table(int dir, const char *name)
{
	DIR *list = list_dir(dir, name);
	const char *file;

	while (list != NULL && (file = next_name(list)) != NULL)
		(void)unlinkat(dirfd(list), file, 0);
	if (list != NULL)
		closedir(list);
	(void)unlinkat(dir, name, AT_REMOVEDIR);
}

/* What is no model stays, as far as it is not: nothing is deeper than DIR/TABLE/FILE. */
static void remove_model(int dir, const char *name)
{
	DIR *list = list_dir(dir, name);
	const char *table;

	while (list != NULL && (table = next_name(list)) != NULL)
		remove_table(dirfd(list), table);
	if (list != NULL)
		closedir(list);
	(void)unlinkat(dir, name, AT_REMOVEDIR);
}

static int open_parent(const char *path, const char **ret_base)
{
	const char *slash = strrchr(path, '/'); /* the path is absolute */
	char *dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	int fd;

	if (dir == NULL)
		tool_dief(TOOL_OSERR, "out of memory");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	*ret_base = slash + 1;
	return fd;
}

/* NAME.rebuild-PID: we hold the projection, so it is not being made any more. */
static bool is_left_over(const char *name, const char *base)
{
	size_t n = strlen(base);
	const char *pid = name + n + strlen(".rebuild-");

	return strncmp(name, base, n) == 0 && strncmp(name + n, ".rebuild-", 9) == 0 &&
	       strspn(pid, "0123456789") == strlen(pid);
}

static void remove_left_overs(const char *path)
{
	const char *base;
	int dir = open_parent(path, &base);
	int copy = dir < 0 ? -1 : fcntl(dir, F_DUPFD_CLOEXEC, 0);
	DIR *list = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	while (list != NULL && (entry = readdir(list)) != NULL)
		if (is_left_over(entry->d_name, base))
			remove_model(dir, entry->d_name);
	if (list != NULL)
		closedir(list);
	if (dir >= 0)
		close(dir);
}

/* ---- The target. */

static int open_dir(struct project *p, const char *path, bool building)
{
	struct own *own = p->own;
	mode_t mask = umask(0);
	struct rowdir_config cfg = {.mode = 0666 & ~mask,
	                            .building = building,
	                            .owner = {.name = p->name, .store = p->store}};
	struct err e;

	umask(mask);
	own->d = rowdir_open(path, &cfg, &p->mark, &e);
	return own->d == NULL ? fail_soft(&e) : PROJECT_ON;
}

static int open_target(struct project *p)
{
	struct own *own = tool_alloc(1, sizeof(*own));
	struct buf name = {0};
	struct err e;
	int status;

	p->own = own;
	status = open_dir(p, p->path.data, false);
	if (status != PROJECT_ON || !p->rebuild)
		return status;
	rowdir_close(own->d);
	own->d = NULL;
	remove_left_overs(p->path.data);
	buf_printf(&name, "%s.rebuild-%d", p->path.data, (int)getpid());
	buf_add_char(&name, '\0');
	if (buf_ok(&name, &e) < 0)
		return fail_soft(&e);
	own->built = name.data;
	return open_dir(p, own->built, true);
}

static int accept_program(struct project *p)
{
	struct own *own = p->own;
	struct err e;

	return rowdir_apply(own->d, NULL, 0, false, &p->mark, &e) < 0 ? fail_soft(&e) : PROJECT_ON;
}

static size_t take_events(struct own *own, const struct change *c)
{
	size_t n = 0;

	if (c->count > own->cap) {
		own->cap = c->count;
		own->events = grow(own->events, own->cap, sizeof(*own->events));
		own->index = grow(own->index, own->cap, sizeof(*own->index));
	}
	for (size_t i = 0; i < c->count; i++)
		if (c->events->events[i].why == NULL) {
			own->events[n] =
			    (struct rowdir_event){.seq = c->events->events[i].seq,
			                          .outputs = mapped_outputs(c->events, i)};
			own->index[n++] = i;
		}
	return n;
}

static int end(struct project *p, const struct change *c, bool *ret_poison)
{
	struct own *own = p->own;
	size_t n = take_events(own, c);
	struct err e;
	int r = rowdir_apply(own->d, own->events, n, p->park, &c->to, &e);

	for (size_t i = 0; i < n; i++)
		if (own->events[i].why != NULL) {
			mapped_blame(c->events, own->index[i], own->events[i].why);
			free(own->events[i].why);
		}
	*ret_poison = r > 0;
	return r < 0 ? fail_soft(&e) : PROJECT_ON;
}

/* ---- The new model in the place of the old one. */

static int sync_all(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -1 : syncfs(fd);

	if (fd >= 0)
		close(fd);
	return r;
}

/* Where names cannot be exchanged there is none for a moment. */
static int exchange(int dir, const char *built, const char *live)
{
	char old[NAME_MAX + 1];

	if (renameat2(dir, built, dir, live, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (snprintf(old, sizeof(old), "%s.old", built) >= (int)sizeof(old)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (renameat(dir, live, dir, old) < 0 || renameat(dir, built, dir, live) < 0)
		return -1;
	return renameat(dir, old, dir, built);
}

static int publish(struct project *p)
{
	struct own *own = p->own;
	const char *live;
	const char *built = strrchr(own->built, '/') + 1;
	struct err e;
	int r = rowdir_finish(own->d, &p->mark, &e);
	int dir;

	rowdir_close(own->d);
	own->d = NULL;
	if (r < 0)
		return fail_soft(&e);
	dir = open_parent(p->path.data, &live);
	r = -1;
	if (dir < 0 || sync_all(own->built) < 0 || exchange(dir, built, live) < 0 || fsync(dir) < 0)
		err_sys(&e, "put the new model in the place of '%s'", p->path.data);
	else
		r = 0;
	if (r == 0)
		remove_model(dir, built);
	if (dir >= 0)
		close(dir);
	if (r < 0)
		return fail_soft(&e);
	free(own->built);
	own->built = NULL;
	return open_dir(p, p->path.data, false);
}

static void close_target(struct project *p)
{
	struct own *own = p->own;

	if (own == NULL)
		return;
	rowdir_close(own->d);
	if (own->built != NULL)
		remove_model(AT_FDCWD, own->built);
	free(own->built);
	free(own->events);
	free(own->index);
	free(own);
	p->own = NULL;
}

const struct target target_file = {
    .open = open_target,
    .accept = accept_program,
    .begin = target_no_begin,
    .poke = target_no_poke,
    .end = end,
    .publish = publish,
    .close = close_target,
};
