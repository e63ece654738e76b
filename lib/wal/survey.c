/*
 * survey: reads a directory and decides what is sound, what is a torn tail, and what is damage
 * (raftd's table of recovery).  It changes nothing.
 *
 * Segments up to the newest one with a sound head are sealed, each made durable before the next one
 * held anything: a flaw in one of them is damage.  Behind the last sound record of the newest one
 * anything may stand that a power loss left of unsynced writes, so a flaw there is a torn tail,
 * unless a sound record behind it knows that the missing one was durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "wal/wal_impl.h"

/* So much of a segment is read at most; the largest ones are a little above WAL_SEGMENT_MAX. */
#define FILE_MAX (WAL_SEGMENT_MAX + 2 * (size_t)WAL_RECORD_MAX)

/* Where in the log a flaw is. */
struct spot {
	uint64_t segment;
	size_t offset;
	uint64_t index; /* of the next entry */
};

static int damaged(struct spot at, const char *what, struct err *e)
{
	char name[WAL_NAME_MAX];

	wal_segment_name(name, at.segment);
	return err_set(e, WAL_DAMAGED, "'%s' is damaged at offset %zu, entry %llu or later: %s",
	               name, at.offset, (unsigned long long)at.index, what);
}

/* Put the place before a message that replay.c gave. */
static int place(struct spot at, struct err *e)
{
	char name[WAL_NAME_MAX];

	wal_segment_name(name, at.segment);
	return err_wrap(e, "'%s', offset %zu, entry %llu", name, at.offset,
	                (unsigned long long)at.index);
}

size_t survey_used(const char *p, size_t n)
{
	while (n > 0 && p[n - 1] == '\0')
		n--;
	return n;
}

int survey_load(struct wal *w, uint64_t number, struct buf *b, int *ret_fd, struct err *e)
{
	char name[WAL_NAME_MAX];
	off_t size = 0;
	char *to;
	ssize_t n = -1;
	int fd;

	wal_segment_name(name, number);
	buf_clear(b);
	fd = file_open(w->io, w->dir, name, ret_fd == NULL ? O_RDONLY : O_RDWR, 0, e);
	if (fd < 0)
		return -1;
	if (w->io->size(fd, &size) < 0) {
		err_sys(e, "look at '%s'", name);
	} else if (size < 0 || (size_t)size > FILE_MAX) {
		err_set(e, WAL_DAMAGED, "'%s' is no segment: it has %lld bytes", name,
		        (long long)size);
	} else {
		to = buf_reserve(b, (size_t)size + 1);
		if (to == NULL)
			err_set(e, ENOMEM, "read '%s': out of memory", name);
		else if ((n = file_read_at(w->io, fd, to, (size_t)size, 0, e)) < 0)
			err_wrap(e, "'%s'", name);
	}
	if (n < 0 || ret_fd == NULL)
		file_close(w->io, fd);
	else
		*ret_fd = fd;
	if (n < 0)
		return -1;
	b->len = (size_t)n;
	return 0;
}

/* --- the files --- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int list_segments(struct survey *v, struct wal *w, struct err *e)
{
	struct buf names = {0};
	int r = file_list(w->io, w->dir, &names, e);

	for (size_t i = 0; r == 0 && i < names.len; i += strlen(names.data + i) + 1) {
		uint64_t number;

		if (!wal_segment_number(names.data + i, &number))
			continue;
		if (v->count == v->cap) {
			size_t cap = v->cap == 0 ? 16 : v->cap * 2;
			uint64_t *to = reallocarray(v->numbers, cap, sizeof(*to));

			if (to == NULL) {
				r = err_set(e, ENOMEM, "out of memory");
				break;
			}
			v->numbers = to;
			v->cap = cap;
		}
		v->numbers[v->count++] = number;
	}
	buf_done(&names);
	if (v->count > 0)
		qsort(v->numbers, v->count, sizeof(*v->numbers), by_number);
	return r;
}

static bool exists(const struct survey *v, uint64_t number)
{
	return v->count > 0 && bsearch(&number, v->numbers, v->count, sizeof(number), by_number);
}

static int check_owner(const struct wal *w, uint64_t number, const struct wal_head *h,
                       struct err *e)
{
	if (h->cluster != w->cluster || h->node != w->node)
		return err_set(e, WAL_FOREIGN,
		               "the log is of cluster %016llx, node %016llx; this is cluster "
		               "%016llx, node %016llx",
		               (unsigned long long)h->cluster, (unsigned long long)h->node,
		               (unsigned long long)w->cluster, (unsigned long long)w->node);
	if (h->segment != number)
		return damaged((struct spot){.segment = number, .index = h->last.index + 1},
		               "it has the head of another segment", e);
	return 0;
}

/* The last segment with a sound head; 0: there is none. */
static int find_newest(struct survey *v, struct wal *w, struct err *e)
{
	for (size_t i = v->count; i-- > 0;) {
		char name[WAL_NAME_MAX];
		char head[WAL_HEAD_LEN];
		struct wal_head h;
		ssize_t n;
		int fd;

		wal_segment_name(name, v->numbers[i]);
		fd = file_open(w->io, w->dir, name, O_RDONLY, 0, e);
		if (fd < 0)
			return -1;
		n = file_read_at(w->io, fd, head, sizeof(head), 0, e);
		file_close(w->io, fd);
		if (n < 0)
			return err_wrap(e, "'%s'", name);
		switch (wal_head_get(head, (size_t)n, &h)) {
		case WAL_HEAD_OK:
			v->newest = v->numbers[i];
			return check_owner(w, v->newest, &h, e);
		case WAL_HEAD_NEWER:
			return err_set(e, WAL_NEWER, "'%s' is in a newer format", name);
		default:
			break;
		}
	}
	return 0;
}

/* --- one segment --- */

/*
 * Follow the records of the segment in v->file from its head.  With w, what they say is replayed;
 * without, only where the log begins is looked for.
 */
static int walk(struct survey *v, struct wal *w, uint64_t number, struct err *e)
{
	struct spot at = {.segment = number};
	struct wal_record r;
	enum wal_record_result result;

	at.offset = WAL_HEAD_LEN;
	v->sealed = false;
	while (!v->sealed) {
		if (w != NULL)
			at.index = w->last.index + 1;
		result = wal_record_get(v->file.data + at.offset, v->file.len - at.offset,
		                        v->chain.salt, &r);
		if (result == WAL_RECORD_BAD || r.prev != v->chain.prev || r.seq != v->chain.seq)
			break;
		if (result == WAL_RECORD_UNKNOWN && w == NULL)
			break;
		if (result == WAL_RECORD_UNKNOWN) {
			err_set(e, WAL_NEWER, "a record or an entry of a newer version");
			return place(at, e);
		}
		if (w == NULL && r.type == WAL_BEGIN && r.segment > v->first)
			v->first = r.segment;
		if (w != NULL && replay_record(&v->replay, w, &r, e) < 0)
			return place(at, e);
		v->vouched = r.durable > v->vouched ? r.durable : v->vouched;
		v->chain.prev = r.crc;
		v->chain.seq++;
		v->sealed = r.type == WAL_SEAL;
		if (r.type != WAL_MARK && r.type != WAL_SEAL)
			v->content = r.seq;
		at.offset += wal_record_step(&r);
	}
	v->end = at.offset;
	return 0;
}

static int read_head(struct survey *v, struct wal *w, uint64_t number, struct wal_head *h,
                     struct err *e)
{
	struct spot at = {.segment = number, .index = w->last.index + 1};

	if (survey_load(w, number, &v->file, NULL, e) < 0)
		return -1;
	switch (wal_head_get(v->file.data, v->file.len, h)) {
	case WAL_HEAD_NEWER:
		err_set(e, WAL_NEWER, "a newer format");
		return place(at, e);
	case WAL_HEAD_BAD:
		return damaged(at, "its head is bad", e);
	default:
		return check_owner(w, number, h, e);
	}
}

/* Where the log begins: the newest segment's head and its records say it. */
static int find_first(struct survey *v, struct wal *w, struct err *e)
{
	struct wal_head h;

	if (read_head(v, w, v->newest, &h, e) < 0)
		return -1;
	v->first = h.first;
	v->chain = (struct wal_chain){.salt = h.salt, .prev = h.crc, .seq = h.seq + 1};
	if (walk(v, NULL, v->newest, e) < 0)
		return -1;
	if (v->first <= v->newest)
		return 0;
	return damaged((struct spot){.segment = v->newest, .index = h.last.index + 1},
	               "it says that the log begins behind it", e);
}

static int read_segment(struct survey *v, struct wal *w, uint64_t number, struct err *e)
{
	struct spot at = {.segment = number, .index = w->last.index + 1};
	struct wal_head h;

	if (!exists(v, number))
		return damaged(at, "the file is missing", e);
	if (read_head(v, w, number, &h, e) < 0)
		return -1;
	if (number > v->first &&
	    (h.seq != v->chain.seq || h.prev != v->chain.prev || h.salt != v->chain.salt))
		return damaged(at, "it does not go on where the one before it ends", e);
	if (replay_head(w, &h, v->file.len, e) < 0)
		return place(at, e);
	v->chain = (struct wal_chain){.salt = h.salt, .prev = h.crc, .seq = h.seq + 1};
	v->vouched = h.durable > v->vouched ? h.durable : v->vouched;
	if (walk(v, w, number, e) < 0)
		return -1;
	if (v->sealed || number == v->newest)
		return 0;
	at.offset = v->end;
	at.index = w->last.index + 1;
	return damaged(at, "no sound record, in a segment that is complete", e);
}

/* --- the tail --- */

/* Does a sound record that begins in [from, used) know that the record after the log's last was
 * durable? */
static bool was_durable(const struct survey *v, const struct buf *b, size_t from, size_t used)
{
	for (size_t at = from; at < used && at + WAL_RECORD_FIXED <= b->len;
	     at += WAL_RECORD_ALIGN) {
		const char *p = b->data + at;
		struct wal_record r;

		if (le_get64(p) != 0 && wal_record_peek(p, b->len - at, v->chain.salt, &r) &&
		    r.durable >= v->chain.seq)
			return true;
	}
	return false;
}

/* Segments behind the newest one: full of zeros, or what is left of unsynced writes. */
static int judge_later(struct survey *v, struct wal *w, uint64_t number, struct err *e)
{
	struct spot at = {.segment = v->newest, .offset = v->end, .index = w->last.index + 1};
	struct buf b = {0};
	size_t used;
	int r = survey_load(w, number, &b, NULL, e);

	used = r < 0 ? 0 : survey_used(b.data, b.len);
	if (r == 0 && used > 0 && !v->sealed)
		r = damaged(at, "the segment behind it holds something, and it has no seal", e);
	if (r == 0 && used > 0 && number > v->newest + 1)
		r = damaged((struct spot){.segment = number, .index = at.index},
		            "it holds something, and the one before it has no head", e);
	if (r == 0 && was_durable(v, &b, 0, used)) {
		at = (struct spot){.segment = v->newest + 1, .index = w->last.index + 1};
		r = damaged(at, "its head is bad, and a later record knows that it was durable", e);
	}
	v->foul += used;
	buf_done(&b);
	return r;
}

/* Offset of the first record of the newest segment that no record vouches for. */
static size_t find_unsure(const struct survey *v)
{
	size_t at = WAL_HEAD_LEN;
	struct wal_record r;

	while (at < v->end && wal_record_peek(v->file.data + at, v->end - at, v->chain.salt, &r) &&
	       r.seq <= v->vouched)
		at += wal_record_step(&r);
	return at == WAL_HEAD_LEN ? 0 : at;
}

static int judge_tail(struct survey *v, struct wal *w, struct err *e)
{
	struct spot at = {.segment = v->newest, .offset = v->end, .index = w->last.index + 1};
	size_t used = survey_used(v->file.data, v->file.len);

	/* Behind a seal nothing was ever written. */
	v->tail = used > v->end ? used - v->end : 0;
	v->unsure = find_unsure(v);
	if (v->sealed && v->tail > 0)
		return damaged(at, "there is something behind its seal", e);
	if (was_durable(v, &v->file, v->end, used))
		return damaged(at, "a later record knows that this one was durable", e);
	if (v->sealed && !exists(v, v->newest + 1))
		return damaged((struct spot){.segment = v->newest + 1, .index = at.index},
		               "the file is missing", e);
	for (size_t i = 0; i < v->count; i++) {
		uint64_t number = v->numbers[i];

		if (number <= v->newest)
			continue;
		if (number > v->newest + (v->sealed ? 2 : 1))
			return damaged((struct spot){.segment = number, .index = at.index},
			               "there is no such segment yet", e);
		if (judge_later(v, w, number, e) < 0)
			return -1;
	}
	return 0;
}

/* --- snapshots --- */

#define SNAPSHOTS_MAX 16

/* 1 sound, 0 not, -1 error */
static int try_snapshot(struct survey *v, const struct snapfile_place *where,
                        struct raft_point point, struct buf *note, struct err *e)
{
	struct snapfile *s = snapfile_open(where, point, &v->snapshot, e);
	int r = s == NULL ? -1 : snapfile_check(s, e);

	if (r == 0) {
		buf_add(&v->conf, v->snapshot.conf.p, v->snapshot.conf.len);
		r = buf_ok(&v->conf, e);
	}
	snapfile_close(s);
	if (r == 0)
		return 1;
	v->snapshot = (struct snapfile_meta){0};
	buf_clear(&v->conf);
	if (e->code == EPROTONOSUPPORT)
		e->code = WAL_NEWER;
	if (e->code == EXDEV)
		e->code = WAL_FOREIGN;
	if (e->code != EBADMSG)
		return -1;
	if (note != NULL)
		buf_printf(note, "passed over a snapshot: %s\n", e->msg);
	return 0;
}

static int find_snapshot(struct survey *v, struct wal *w, struct buf *note, struct err *e)
{
	struct snapfile_place where = {w->io, w->dir, w->cluster, w->mode};
	struct raft_point points[SNAPSHOTS_MAX];
	ssize_t n = snapfile_list(&where, points, SNAPSHOTS_MAX, e);

	if (n < 0)
		return -1;
	if (v->fresh && n > 0)
		return err_set(e, WAL_DAMAGED,
		               "there is a snapshot of %llu entries, and no log: the vote is "
		               "unknown",
		               (unsigned long long)points[0].index);
	for (ssize_t i = 0; i < n && i < SNAPSHOTS_MAX; i++) {
		int r = try_snapshot(v, &where, points[i], note, e);

		if (r != 0)
			return r < 0 ? -1 : 0;
		if (i == 0)
			v->passed = points[0];
	}
	return 0;
}

/*
 * A damaged snapshot may be passed over only where the log has what it stood for: it may have been
 * taken of entries that others had made durable, and not this node, and vouched for them here.
 */
static int check_passed(const struct survey *v, const struct wal *w, struct err *e)
{
	struct spot at = {.segment = v->newest, .index = w->last.index + 1};
	bool is_there = v->passed.index <= w->last.index;

	if (is_there && v->passed.index > w->base.index)
		is_there = replay_term(&v->replay, v->passed.index) == v->passed.term;
	if (is_there)
		return 0;
	return damaged(at, "the newest snapshot is damaged, and the log does not have its entries",
	               e);
}

/* Nothing between the snapshot and the first entry is missing. */
static int check_hole(const struct survey *v, const struct wal *w, struct err *e)
{
	uint64_t have = v->snapshot.at.index;
	struct spot at = {.segment = v->first, .index = have + 1};

	if (have < w->base.index && have == 0)
		return damaged(at, "entries are missing, and no snapshot that has them is sound",
		               e);
	if (have < w->base.index)
		return damaged(at, "entries behind the newest sound snapshot are missing", e);
	if (have > 0 && have == w->base.index && v->snapshot.at.term != w->base.term)
		return damaged(at, "the snapshot before it is of another term", e);
	return 0;
}

int survey_make(struct survey *v, struct wal *w, struct buf *note, struct err *e)
{
	if (list_segments(v, w, e) < 0 || find_newest(v, w, e) < 0)
		return -1;
	if (v->newest == 0) {
		/* The one segment that may have a bad head is one that was just made. */
		if (v->count > 1 || (v->count == 1 && v->numbers[0] != 1))
			return damaged((struct spot){.segment = v->numbers[0]}, "no head is sound",
			               e);
		if (v->count == 1 && survey_load(w, 1, &v->file, NULL, e) < 0)
			return -1;
		if (survey_used(v->file.data, v->file.len) > WAL_HEAD_LEN)
			return damaged((struct spot){.segment = 1, .index = 1}, "its head is bad",
			               e);
		v->fresh = true;
		return find_snapshot(v, w, note, e);
	}
	if (find_first(v, w, e) < 0)
		return -1;
	v->vouched = 0;
	for (uint64_t number = v->first; number <= v->newest; number++)
		if (read_segment(v, w, number, e) < 0)
			return -1;
	if (judge_tail(v, w, e) < 0 || find_snapshot(v, w, note, e) < 0)
		return -1;
	if (check_hole(v, w, e) < 0)
		return -1;
	return v->passed.index == 0 ? 0 : check_passed(v, w, e);
}

void survey_done(struct survey *v)
{
	free(v->numbers);
	buf_done(&v->file);
	buf_done(&v->conf);
	replay_done(&v->replay);
}
