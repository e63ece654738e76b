#include "evlog_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "evlog/shrink.h"
#include "evlog/store_impl.h"
#include "tmp_dir.h"

void model_must(struct model *m, int r)
{
	if (r < 0)
		fail_msg("%s", m->e.msg);
}

struct model model_begin(void)
{
	struct model m = {.root = tmp_dir_new_fast()};

	assert_non_null(m.root);
	snprintf(m.from, sizeof(m.from), "%s/from", m.root);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): model_end() frees the root */
	snprintf(m.to, sizeof(m.to), "%s/to", m.root);
	model_must(&m, check_create(m.from, EVLOG_SEGMENT_MIN, NULL, &m.e));
	return m;
}

void model_end(struct model *m)
{
	acks_done(&m->acks);
	buf_done(&m->note);
	tmp_dir_free(m->root);
}

struct evlog *model_open(struct model *m, const char *dir)
{
	const struct evlog_config cfg = {.lock_timeout_ms = 60000};
	struct evlog *s;

	buf_clear(&m->note);
	s = evlog_open(dir, &cfg, &m->note, &m->e);
	model_must(m, s == NULL ? -1 : 0);
	return s;
}

bool model_notes(struct model *m, const char *text)
{
	return m->note.len > 0 && memmem(m->note.data, m->note.len, text, strlen(text)) != NULL;
}

/* A segment's first commit begins the count anew. */
void model_put(struct model *m, struct evlog *s, const char *words, bool sync)
{
	uint64_t base = ctl_get(&s->ctl->base);

	model_must(m, sync ? check_append(s, words, &m->acks, &m->e)
	                   : check_commit(s, words, NULL, &m->e));
	if (ctl_get(&s->ctl->base) != base)
		m->commits = 0;
	m->end[m->commits] = ctl_get(&s->ctl->size);
	m->seq[m->commits++] = ctl_get(&s->ctl->written);
}

struct model model_small(void)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);

	model_put(&m, s, "a=0 b=0*15600", true);
	model_put(&m, s, "a=1 c=0 b=1", true);
	model_put(&m, s, "a=2", true);
	model_put(&m, s, "b=2*150 d=0 a=3 d=1", true);
	model_put(&m, s, "c=1", true);
	evlog_close(s);
	return m;
}

/*
 * Four sealed segments and the active one.  Streams a (deleted, goes on), b (deleted for good) and
 * d (deleted) lose most of what they have; c and e keep all.
 */
struct model model_shrinkable(void)
{
	struct model m = model_begin();
	struct evlog *s = model_open(&m, m.from);
	char words[128];

	for (int i = 0; i < 8; i++) {
		snprintf(words, sizeof(words), "a=%d*1200 b=%d*1200 c=%d*1200 d=%d*2400 e=%d", i, i,
		         i, i, i);
		model_put(&m, s, words, true);
	}
	model_put(&m, s, "~a !b ~d", true);
	model_put(&m, s, "a=1*100?none a=2 c=9", true);
	evlog_close(s);
	return m;
}

static void copy_file(const char *from, const char *to)
{
	struct buf b = {0};
	struct stat st;
	struct err e;
	int fd;

	assert_int_equal(stat(from, &st), 0);
	assert_int_equal(file_read(AT_FDCWD, from, 64u << 20, &b, &e), 0);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, st.st_mode & 0777);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, b.data, b.len), b.len);
	close(fd);
	buf_done(&b);
}

static void copy_dir(const char *from, const char *to)
{
	DIR *d = opendir(from);
	struct dirent *x;

	assert_non_null(d);
	assert_int_equal(mkdir(to, 0700), 0);
	while ((x = readdir(d)) != NULL) {
		char a[600], b[600];
		struct stat st;

		if (x->d_name[0] == '.')
			continue;
		snprintf(a, sizeof(a), "%s/%s", from, x->d_name);
		snprintf(b, sizeof(b), "%s/%s", to, x->d_name);
		assert_int_equal(stat(a, &st), 0);
		if (S_ISDIR(st.st_mode))
			copy_dir(a, b);
		else
			copy_file(a, b);
	}
	closedir(d);
}

void model_copy(struct model *m, int keep)
{
	char name[400];
	struct err e;

	(void)tmp_dir_remove(m->to, &e);
	copy_dir(m->from, m->to);
	snprintf(name, sizeof(name), "%s/ctl", m->to);
	if ((keep & KEEP_CTL) == 0)
		assert_int_equal(unlink(name), 0);
	snprintf(name, sizeof(name), "%s/index", m->to);
	if ((keep & KEEP_INDEX) == 0)
		assert_int_equal(tmp_dir_remove(name, &e), 0);
}

int model_file(struct model *m, const char *name)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", m->to, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s", path);
	return fd;
}

uint64_t model_compact(struct model *m, struct evlog *s)
{
	const struct compact_hooks none = {0};
	struct compact_total t;

	model_must(m, evlog_compact(s, false, false, &none, &t, &m->e));
	return t.events;
}

void model_check(struct model *m, const char *dir, unsigned checks)
{
	model_must(m, evlog_check_dir(dir, &m->acks, checks | CHECK_SHRUNK, &m->e));
}

int model_count(const struct finding *f, void *arg, struct err *e)
{
	(void)e;
	if (f->kind == FINDING_TORN)
		return 0;
	++*(int *)arg;
	if (f->kind != FINDING_DAMAGE && f->kind != FINDING_POISONED)
		print_message("# %s: %s\n", finding_name(f->kind), f->text);
	return 0;
}
size_t model_acked(const struct model *m, uint64_t seq)
{
	size_t n = 0;

	while (n < m->acks.n && m->acks.v[n].seq <= seq)
		n++;
	return n;
}
