#include "datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "os/file.h"
#include "os/rand.h"
#include "tool/tool.h"

#define IDENTITY     "identity"
#define IDENTITY_MAX 4096

static int make(struct datadir *d, const char *path, struct err *e)
{
	const char *tmp = tool_env("TMPDIR");

	if (path == NULL) {
		buf_printf(&d->path, "%s/raftd-XXXXXX%c", tmp == NULL ? "/tmp" : tmp, '\0');
		if (buf_ok(&d->path, e) < 0)
			return -1;
		if (mkdtemp(d->path.data) == NULL)
			return err_sys(e, "make '%s'", d->path.data);
		d->temporary = true;
		return 0;
	}
	buf_add_str(&d->path, path);
	buf_add_char(&d->path, '\0');
	if (buf_ok(&d->path, e) < 0 || tool_make_parents(path, e) < 0)
		return -1;
	if (io_os.mkdirat(AT_FDCWD, path, 0700) == 0)
		return file_sync_parent(&io_os, path, e);
	return errno == EEXIST ? 0 : err_sys(e, "make '%s'", path);
}

static int hold(struct datadir *d, struct err *e)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	int r;

	d->lock = file_open(&io_os, d->fd, "lock", O_RDWR | O_CREAT, 0600, e);
	if (d->lock < 0)
		return -1;
	r = file_try_lock(d->lock, 0, FILE_LOCK_EXCLUSIVE, e);
	if (r == 0)
		return err_set(e, DATADIR_BUSY, "another raftd uses '%s'", d->path.data);
	/* For people; without it the lock is as good. */
	if (r > 0 && io_os.ftruncate(d->lock, 0) == 0)
		(void)io_os.pwrite(d->lock, text, (size_t)n, 0);
	return r < 0 ? -1 : 0;
}

/* ---- Identity. */

static int write_identity(struct datadir *d, struct err *e)
{
	char uuid[ID_UUID_LEN];
	struct buf b = {0};
	int r;

	do {
		if (rand_bytes(&d->cluster, sizeof(d->cluster), e) < 0 ||
		    rand_bytes(&d->node, sizeof(d->node), e) < 0 ||
		    rand_bytes(d->uuid, sizeof(d->uuid), e) < 0)
			return -1;
	} while (d->cluster == 0 || d->node == 0);

	id_make_uuid4(d->uuid);
	id_put_uuid(uuid, d->uuid);
	buf_printf(&b, "raftd 1\ncluster %016" PRIx64 "\nnode %016" PRIx64 "\nuuid %.*s\n",
	           d->cluster, d->node, ID_UUID_LEN, uuid);
	r = buf_ok(&b, e);
	if (r == 0)
		r = file_replace(&io_os, d->fd, IDENTITY, b.data, b.len, 0600, e);
	buf_done(&b);
	d->fresh = true;
	return r;
}

/* "NAME VALUE\n" at *p, which moves on; the value has exactly `width` characters. */
static const char *field(const char **p, const char *name, size_t width)
{
	size_t n = strlen(name);
	const char *value = *p + n + 1;

	if (strncmp(*p, name, n) != 0 || (*p)[n] != ' ' || strcspn(value, "\n") != width ||
	    value[width] != '\n')
		return NULL;
	*p = value + width + 1;
	return value;
}

static int parse_identity(struct datadir *d, const char *text, struct err *e)
{
	const char *p = text;
	const char *version = field(&p, "raftd", 1);
	const char *cluster = version == NULL ? NULL : field(&p, "cluster", 16);
	const char *node = cluster == NULL ? NULL : field(&p, "node", 16);
	const char *uuid = node == NULL ? NULL : field(&p, "uuid", ID_UUID_LEN);

	if (uuid == NULL || *version != '1' || text_get_hex(cluster, 16, &d->cluster) < 0 ||
	    text_get_hex(node, 16, &d->node) < 0 || id_parse(uuid, ID_UUID_LEN, d->uuid, e) < 0 ||
	    d->cluster == 0 || d->node == 0)
		return err_set(e, DATADIR_NEWER, "'%s/" IDENTITY "' is no identity of version 1",
		               d->path.data);
	return 0;
}

static int read_identity(struct datadir *d, struct err *e)
{
	struct buf b = {0};
	int r;

	if (file_read(d->fd, IDENTITY, IDENTITY_MAX, &b, e) < 0) {
		buf_done(&b);
		return e->code == ENOENT ? write_identity(d, e) : -1;
	}
	buf_add_char(&b, '\0');
	r = buf_ok(&b, e);
	if (r == 0)
		r = parse_identity(d, b.data, e);
	buf_done(&b);
	return r;
}

int datadir_open(struct datadir *d, const char *path, struct err *e)
{
	*d = (struct datadir){.fd = -1, .lock = -1};
	if (make(d, path, e) < 0) {
		datadir_close(d);
		return -1;
	}
	d->fd = file_open_dir(&io_os, AT_FDCWD, d->path.data, e);
	if (d->fd < 0 || hold(d, e) < 0 || read_identity(d, e) < 0) {
		datadir_close(d);
		return -1;
	}
	return 0;
}

/* ---- The end. */

/* The files of a directory, and then the directory; what is no file stays, and it does, too. */
static void remove_dir(int parent, const char *name)
{
	struct buf names = {0};
	struct err ignored;
	int dir = file_open_dir(&io_os, parent, name, &ignored);

	if (dir >= 0 && file_list(&io_os, dir, &names, &ignored) == 0)
		for (const char *p = names.data; p < names.data + names.len; p += strlen(p) + 1)
			(void)io_os.unlinkat(dir, p);
	buf_done(&names);
	file_close(&io_os, dir);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

void datadir_close(struct datadir *d)
{
	if (d->temporary) {
		remove_dir(d->fd, DATADIR_LOG);
		remove_dir(AT_FDCWD, d->path.data);
	}
	file_close(&io_os, d->lock);
	file_close(&io_os, d->fd);
	buf_done(&d->path);
}
