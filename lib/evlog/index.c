/*
 * index: the runs of both families, over the active tables.
 *
 * The runs of a family cover the sealed segments without a gap or an overlap.  After a merge and
 * before the unlink of its sources a crash leaves both: loading takes the widest run that
 * begins where the one before ended, and deletes what it does not need.  What is missing or
 * damaged is made anew from the segments it covers.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evlog/append.h"
#include "evlog/store_impl.h"

#define LOAD_TRIES 8 /* another process may unlink what we are about to open */

struct range {
	uint64_t first, last;
};

static int runs_head(struct evlog *s, uint64_t key, uint64_t *seq, struct err *e);

void index_drop_family(struct evlog *s, enum run_family family)
{
	for (size_t i = 0; i < s->run_count[family]; i++)
		run_close(&s->runs[family][i]);
	free(s->runs[family]);
	s->runs[family] = NULL;
	s->run_count[family] = 0;
	s->runs_loaded[family] = false;
	if (family == RUN_IDS)
		s->id_loads++;
}

void index_drop(struct evlog *s)
{
	index_drop_family(s, RUN_HEADS);
	index_drop_family(s, RUN_IDS);
}

void index_remove_run(struct evlog *s, enum run_family family, uint64_t first, uint64_t last)
{
	char name[RUN_NAME_MAX];

	run_name(name, family, first, last);
	if (s->writable && !s->no_recover)
		(void)s->io->unlinkat(s->index_dir, name);
}

static int by_first_then_widest(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->last > y->last ? -1 : x->last < y->last;
}

/* All runs of a family that are there, sorted; the count. */
static ssize_t list_runs(struct evlog *s, enum run_family family, struct range **ret, struct err *e)
{
	struct range *v = NULL;
	size_t n = 0;
	struct dirent *d;
	int fd = s->index_dir < 0 ? -1 : file_open_dir(&io_os, s->index_dir, ".", e);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	*ret = NULL;
	if (s->index_dir < 0) /* a store on a medium that cannot be written, with its log alone */
		return 0;
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return err_sys(e, "list 'index'");
	}
	while ((d = readdir(dir)) != NULL) {
		enum run_family f;
		struct range r;

		if (!run_parse_name(d->d_name, &f, &r.first, &r.last) || f != family)
			continue;
		if (n % 64 == 0) {
			struct range *w = reallocarray(v, n + 64, sizeof(*v));

			if (w == NULL) {
				closedir(dir);
				free(v);
				return err_set(e, ENOMEM, "out of memory");
			}
			v = w;
		}
		v[n++] = r;
	}
	closedir(dir);
	if (n > 1)
		qsort(v, n, sizeof(*v), by_first_then_widest);
	*ret = v;
	return (ssize_t)n;
}

/*
 * Enter one event into tables.  Two streams may share their first key; the later one then has its
 * second, and so on.  A key is the stream's own when it leads to the stream's previous event,
 * which is known without a look at the log; only a collision, or a log with damage, needs one.
 */
int index_add(struct evlog *s, struct active *a, const struct frame *f, struct err *e)
{
	struct frame other;

	/* A stub that knows its stream still counts its versions; one that does not is nobody's. */
	if (f->kind == FRAME_STUB && f->flag != FRAME_REDACTED)
		return 0;
	if (frame_is_event(f))
		active_add_id(a, key_of(s, f->stream, f->id, 0), f->seq);
	for (uint32_t k = 0;; k++) {
		uint64_t key = key_of(s, f->stream, (struct span){"", 0}, k);
		uint64_t seq = active_head(a, key);
		int r = 1;

		if (seq == 0 && runs_head(s, key, &seq, e) < 0)
			return -1;
		if (seq != 0 && seq != f->prev) {
			r = store_frame(s, seq, &other, e);
			if (r < 0 && e->code != EVLOG_DAMAGED)
				return -1;
			/* Streams that share a key lose nothing to compact, so it is our own. */
			r = r == 0 || (r > 0 && span_is(other.stream, f->stream));
		}
		if (r > 0) {
			active_set_head(a, key, f->seq);
			return 0;
		}
	}
}

static int write_run(struct evlog *s, enum run_family family, const struct active *a, uint64_t last,
                     struct err *e)
{
	struct active_slot *sorted = NULL;
	ssize_t n = active_sorted(a, family == RUN_HEADS ? a->heads : a->ids, &sorted, e);
	int r;

	if (n < 0)
		return -1;
	r = run_write(s->io, s->index_dir, s->mode, family, a->base, last, sorted, (size_t)n, false,
	              e);
	free(sorted);
	return r;
}

/* The run of one sealed segment, from the log. */
static int rebuild_run(struct evlog *s, enum run_family family, uint64_t base, struct err *e)
{
	struct segment *g;
	struct mapping *m;
	struct active a = {0};
	struct frame f;
	uint64_t found = 0;
	int r = -1;

	if (!s->segments_loaded && segments_load(s, e) < 0)
		return -1;
	g = segment_of(s, base);
	if (g == NULL || g->base != base)
		return err_set(e, EVLOG_DAMAGED, "log: no segment begins at sequence %llu",
		               (unsigned long long)base);
	if (segment_map(s, g, e) < 0)
		return -1;
	if (g->last - g->base >= ACTIVE_EVENTS_MAX)
		return err_set(e, EVLOG_DAMAGED, "log: a segment is missing after sequence %llu",
		               (unsigned long long)base);
	if (active_create(&a, -1, 0, base, (uint32_t)(g->last - g->base + 1), e) < 0)
		return -1;
	m = g->map;
	m->refs++;
	for (size_t at = FRAME_HEAD_LEN; at < m->size; at += f.len) {
		if (frame_parse_header(m->p + at, m->size - at, s->salt, &f) != FRAME_OK) {
			at = tail_next_sound(m->p, m->size, at, 0, s->salt, &f);
			if (at >= m->size)
				break;
		}
		if (f.seq < g->base || f.seq > g->last)
			continue;
		found++;
		if (index_add(s, &a, &f, e) < 0)
			goto out;
	}
	/* An index that knows less than there was would give streams their old versions again. */
	r = found + m->gone == g->last - g->base + 1 ? write_run(s, family, &a, g->last, e)
	                                             : segment_is_damaged(s, g, e);
out:
	mapping_free(m);
	active_close(&a);
	return r;
}

/* Open a run and put it behind those that are loaded. */
static int push_run(struct evlog *s, enum run_family family, struct range want, struct err *e)
{
	size_t n = s->run_count[family];
	struct run *v = reallocarray(s->runs[family], n + 1, sizeof(*v));
	char name[RUN_NAME_MAX];

	if (v == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->runs[family] = v;
	run_name(name, family, want.first, want.last);
	if (run_open(&v[n], s->index_dir, name, e) < 0)
		return -1;
	if (v[n].first != want.first || v[n].last != want.last) {
		run_close(&v[n]);
		return err_set(e, EBADMSG, "'index/%s' holds another range", name);
	}
	s->run_count[family]++;
	return 0;
}

/* The widest run that begins at `from` and opens; 0 when there is none. */
static int take_widest(struct evlog *s, enum run_family family, const struct range *v, size_t n,
                       uint64_t from, struct err *e)
{
	for (size_t i = 0; v != NULL && i < n; i++) {
		if (v[i].first != from)
			continue;
		if (push_run(s, family, v[i], e) == 0)
			return 1;
		if (e->code != EBADMSG && e->code != ENOENT)
			return -1;
		if (e->code == EBADMSG)
			index_remove_run(s, family, v[i].first, v[i].last);
	}
	return 0;
}

static void remove_covered(struct evlog *s, enum run_family family, const struct range *v, size_t n)
{
	const struct run *r = s->runs[family];

	for (size_t i = 0, k = 0; r != NULL && i < n; i++) {
		while (k < s->run_count[family] && r[k].last < v[i].last)
			k++;
		if (k < s->run_count[family] && v[i].first >= r[k].first &&
		    !(v[i].first == r[k].first && v[i].last == r[k].last))
			index_remove_run(s, family, v[i].first, v[i].last);
	}
}

/* The runs of sealed segments, as far as this process knows: the count. */
static size_t keep_older(const struct evlog *s, struct range *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; v != NULL && i < n; i++)
		if (v[i].last < s->log_base)
			v[kept++] = v[i];
	return kept;
}

/*
 * Load what is there; 1: all sealed segments are covered, 0: from *ret_gap on they are not.
 * ESTALE: others have rolled meanwhile, and runs that we need may be merged with those of segments
 * that we do not know; their answers would lead beyond our log_base.
 */
static int load_runs(struct evlog *s, enum run_family family, uint64_t *ret_gap, struct err *e)
{
	struct range *v = NULL;
	ssize_t all = list_runs(s, family, &v, e);
	size_t n = all < 0 ? 0 : keep_older(s, v, (size_t)all);
	uint64_t from = 1;
	int r = all < 0 ? -1 : 1;

	index_drop_family(s, family);
	if (r > 0 && n < (size_t)all && ctl_get(&s->ctl->base) != s->log_base)
		r = err_set(e, ESTALE, "the index is newer than what is known of the log");
	while (r > 0 && from < s->log_base) {
		r = take_widest(s, family, v, n, from, e);
		if (r > 0)
			from = s->runs[family][s->run_count[family] - 1].last + 1;
	}
	*ret_gap = from;
	if (r > 0 && s->locked)
		remove_covered(s, family, v, n);
	free(v);
	return r;
}

static int fill_gaps(struct evlog *s, enum run_family family, uint64_t gap, struct err *e)
{
	bool had_lock = s->maintaining;
	int r = 0;

	if (!s->writable || s->no_recover)
		return err_set(e, EVLOG_READ_ONLY,
		               "the index is not complete and cannot be written");
	if (!had_lock && file_lock(s->lock, LOCK_MAINTAIN, FILE_LOCK_EXCLUSIVE, -1, e) < 0)
		return -1;
	s->maintaining = true;
	/* Whoever held the lock may have merged what was listed before, or filled the gap. */
	if (!had_lock)
		r = load_runs(s, family, &gap, e);
	/* The runs that load_runs() left open are the older ones, which index_add() needs. */
	while (r == 0) {
		r = rebuild_run(s, family, gap, e);
		/* One of those was bad and is thrown away: it has to be made anew first. */
		if (r < 0 && e->code == EBADMSG && family == RUN_HEADS)
			r = 0;
		if (r == 0)
			r = load_runs(s, family, &gap, e);
	}
	s->maintaining = had_lock;
	if (!had_lock)
		file_unlock(s->lock, LOCK_MAINTAIN);
	return r < 0 ? -1 : 0;
}

static int load_family(struct evlog *s, enum run_family family, struct err *e)
{
	for (int tries = 0; !s->runs_loaded[family]; tries++) {
		uint64_t gap = 1;
		int r = load_runs(s, family, &gap, e);

		if (r == 0)
			r = fill_gaps(s, family, gap, e);
		if (r >= 0)
			s->runs_loaded[family] = true;
		else if (e->code != ESTALE || s->locked || s->maintaining || tries == LOAD_TRIES ||
		         store_follow(s, e) < 0)
			return -1;
	}
	return 0;
}

int index_load(struct evlog *s, enum run_family family, struct err *e)
{
	uint32_t gen = ctl_get32(&s->ctl->index_gen);

	if (s->index_gen != gen) {
		index_drop(s);
		s->index_gen = gen;
	}
	/*
	 * Heads give streams their keys: a run of ids can only be made anew with them, and one of
	 * them may turn out to be bad meanwhile.
	 */
	for (int tries = 0; tries < LOAD_TRIES; tries++) {
		if (load_family(s, RUN_HEADS, e) < 0)
			return -1;
		if (family == RUN_HEADS || load_family(s, RUN_IDS, e) == 0)
			return 0;
		if (e->code != EBADMSG)
			return -1;
	}
	return -1;
}

/* A run that fails its check is thrown away; the caller loads again and repeats its question. */
static void drop_bad_run(struct evlog *s, enum run_family family, const struct run *bad)
{
	struct range r = {bad->first, bad->last};

	index_drop_family(s, family);
	index_remove_run(s, family, r.first, r.last);
}

/* The newest event under a key in the runs that are loaded. */
static int runs_head(struct evlog *s, uint64_t key, uint64_t *seq, struct err *e)
{
	for (size_t i = s->run_count[RUN_HEADS]; i-- > 0;) {
		uint64_t at = RUN_FIRST;
		int r = run_next(&s->runs[RUN_HEADS][i], key, &at, seq, e);

		if (r < 0)
			drop_bad_run(s, RUN_HEADS, &s->runs[RUN_HEADS][i]);
		if (r != 0)
			return r;
	}
	*seq = 0;
	return 0;
}

int index_head(struct evlog *s, uint64_t key, uint64_t *seq, struct err *e)
{
	int r;

	*seq = active_head(&s->active, key);
	if (*seq != 0)
		return 1;
	for (int tries = 0; tries < LOAD_TRIES; tries++) {
		if (index_load(s, RUN_HEADS, e) < 0)
			return -1;
		r = runs_head(s, key, seq, e);
		if (r >= 0 || e->code != EBADMSG)
			return r;
	}
	return -1;
}

/* The same for the next id. */
static int runs_next_id(struct evlog *s, uint64_t key, struct id_cursor *c, uint64_t *seq,
                        struct err *e)
{
	const struct run *runs = s->runs[RUN_IDS];
	size_t n = s->run_count[RUN_IDS];

	for (; runs != NULL && c->run <= n; c->run++, c->run_at = RUN_FIRST) {
		int r = run_next(&runs[n - c->run], key, &c->run_at, seq, e);

		if (r < 0 && e->code == EBADMSG)
			drop_bad_run(s, RUN_IDS, &runs[n - c->run]);
		if (r != 0)
			return r;
	}
	return 0;
}

int index_next_id(struct evlog *s, uint64_t key, struct id_cursor *c, uint64_t *seq, struct err *e)
{
	if (c->run == 0) {
		*seq = active_next_id(&s->active, key, &c->active_at);
		if (*seq != 0)
			return 1;
		c->run = 1;
		c->run_at = RUN_FIRST;
	}
	for (int tries = 0; tries < LOAD_TRIES; tries++) {
		int r;

		if (index_load(s, RUN_IDS, e) < 0)
			return -1;
		/* Others have merged, or a run was bad: the numbers are those of other runs now. */
		if (c->loads != s->id_loads) {
			c->loads = s->id_loads;
			c->run = 1;
			c->run_at = RUN_FIRST;
		}
		r = runs_next_id(s, key, c, seq, e);
		if (r >= 0 || e->code != EBADMSG)
			return r;
	}
	return err_set(e, EIO, "the index of ids cannot be read");
}

void index_prefetch(struct evlog *s, enum run_family family, uint64_t key)
{
	if (family == RUN_HEADS)
		active_prefetch(&s->active, key);
	else
		active_prefetch_id(&s->active, key);
	for (size_t i = 0; i < s->run_count[family]; i++)
		run_prefetch(&s->runs[family][i], key);
}

/* The active segment is sealed: its tables become runs and offsets. */
int index_seal(struct evlog *s, uint64_t last, struct err *e)
{
	const struct active *a = &s->active;

	if (segment_write_offsets(s, a->base, a->offset, (size_t)(last - a->base + 1), 0, 0, e) < 0)
		return -1;
	if (write_run(s, RUN_HEADS, a, last, e) < 0)
		return -1;
	return write_run(s, RUN_IDS, a, last, e);
}
