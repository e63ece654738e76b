#include "wal/wal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "wal/wal_impl.h"

#define SEAL_SIZE WAL_RECORD_FIXED

static int poison(struct wal *w, const struct err *e)
{
	int none = 0;

	(void)atomic_compare_exchange_strong(&w->poison, &none, e->code == 0 ? EIO : e->code);
	return -1;
}

static int check_poison(struct wal *w, struct err *e)
{
	int error = atomic_load(&w->poison);

	return error == 0 ? 0 : err_set(e, EIO, "the log failed before: %s", strerror(error));
}

/* --- the fill --- */

bool wal_add_segment(struct wal *w, struct wal_segment s)
{
	if (w->n_segments == w->cap_segments) {
		size_t cap = w->cap_segments == 0 ? 8 : w->cap_segments * 2;
		struct wal_segment *v = reallocarray(w->segments, cap, sizeof(*v));

		if (v == NULL) {
			w->no_memory = true;
			return false;
		}
		w->segments = v;
		w->cap_segments = cap;
	}
	w->segments[w->n_segments++] = s;
	return true;
}

static bool add_part(struct wal *w, struct wal_part part)
{
	if (w->n_parts == w->cap_parts) {
		size_t cap = w->cap_parts == 0 ? 4 : w->cap_parts * 2;
		struct wal_part *v = reallocarray(w->parts, cap, sizeof(*v));

		if (v == NULL) {
			w->no_memory = true;
			return false;
		}
		w->parts = v;
		w->cap_parts = cap;
	}
	w->parts[w->n_parts++] = part;
	return true;
}

static void put_head(struct wal *w)
{
	char *to = buf_reserve(&w->buf, WAL_HEAD_LEN);
	struct wal_head h = {
	    .prev = w->chain.prev,
	    .salt = w->chain.salt,
	    .seq = w->chain.seq++,
	    .durable = atomic_load(&w->durable),
	    .cluster = w->cluster,
	    .node = w->node,
	    .segment = w->segments[w->n_segments - 1].number,
	    .first = w->first,
	    .term = w->term,
	    .vote = w->vote,
	    .last = w->last,
	    .snapshot = w->snapshot,
	};

	if (to == NULL)
		return;
	wal_head_put(to, &h);
	w->buf.len += WAL_HEAD_LEN;
	w->chain.prev = h.crc;
	w->fill = WAL_HEAD_LEN;
	w->vouched = h.durable;
}

static void put_record(struct wal *w, struct wal_record *r)
{
	r->durable = atomic_load(&w->durable);
	w->vouched = r->durable;
	if (r->type != WAL_MARK && r->type != WAL_SEAL)
		w->content = w->chain.seq;
	wal_record_put(&w->buf, &w->chain, r);
	w->fill += wal_record_size(r);
}

void wal_begin_segment(struct wal *w, struct wal_segment s)
{
	if (wal_add_segment(w, s))
		put_head(w);
	w->no_memory = w->no_memory || w->buf.failed;
}

/* The fill goes on to the next segment, which gets room for a record of n bytes. */
static void fill_next(struct wal *w, size_t n)
{
	uint64_t need = WAL_HEAD_LEN + n + SEAL_SIZE;
	struct wal_segment s = {
	    .number = w->segments[w->n_segments - 1].number + 1,
	    .size = w->segment_size,
	    .begin = w->last,
	};

	if (need > s.size)
		s.size = (need + WAL_PAGE - 1) & ~(uint64_t)(WAL_PAGE - 1);
	put_record(w, &(struct wal_record){.type = WAL_SEAL});
	if (!add_part(w, (struct wal_part){.begin = w->buf.len,
	                                   .segment = w->n_segments,
	                                   .sealed = w->chain.seq - 1}))
		return;
	wal_begin_segment(w, s);
}

void wal_put(struct wal *w, struct wal_record *r)
{
	size_t n = wal_record_size(r);

	if (w->no_memory)
		return;
	if (w->fill + n + SEAL_SIZE > w->segments[w->n_segments - 1].size)
		fill_next(w, n);
	if (!w->no_memory)
		put_record(w, r);
	w->no_memory = w->no_memory || w->buf.failed;
}

void wal_hard(struct wal *w, uint64_t term, uint64_t vote)
{
	assert(term > w->term || (term == w->term && (w->vote == 0 || vote == w->vote)));
	wal_put(w, &(struct wal_record){.type = WAL_HARD, .term = term, .vote = vote});
	w->term = term;
	w->vote = vote;
}

void wal_append(struct wal *w, const struct raft_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert(entries[i].index == w->last.index + 1 && entries[i].term >= w->last.term);
		assert(entries[i].data.len <= RAFT_ENTRY_MAX);
		/* Also where memory is short: what is given to the log before a write fits on. */
		wal_put(w, &(struct wal_record){.type = WAL_ENTRY, .entry = entries[i]});
		w->last.index = entries[i].index;
		w->last.term = entries[i].term;
		w->segments[w->n_segments - 1].last = w->last.index;
	}
}

void wal_segments_cut(struct wal *w, struct raft_point last)
{
	for (size_t i = 0; i < w->n_segments; i++) {
		struct wal_segment *s = &w->segments[i];

		if (s->last > last.index)
			s->last = s->begin.index < last.index ? last.index : 0;
		if (s->begin.index > last.index)
			s->begin = last;
	}
	if (w->base.index > last.index)
		w->base = last;
	w->last = last;
}

void wal_segments_reset(struct wal *w, struct raft_point base)
{
	for (size_t i = 0; i < w->n_segments; i++) {
		w->segments[i].last = 0;
		w->segments[i].begin = base;
	}
	w->base = base;
	w->last = base;
	w->snapshot = base;
}

void wal_truncate(struct wal *w, struct raft_point last)
{
	assert(last.index <= w->last.index);
	wal_put(w, &(struct wal_record){.type = WAL_TRUNCATE, .point = last});
	wal_segments_cut(w, last);
}

void wal_reset(struct wal *w, struct raft_point base)
{
	wal_put(w, &(struct wal_record){.type = WAL_RESET, .point = base});
	wal_segments_reset(w, base);
}

struct raft_point wal_last(const struct wal *w)
{
	return w->last;
}

/* --- the files --- */

int wal_ready_next(struct wal *w, uint64_t size, struct err *e)
{
	bool final;
	int r = wal_make_next(w, size, UINT64_MAX, &final, e);

	return r < 0 && final ? poison(w, e) : r;
}

/* The first n bytes of the buffer are in the file. */
static void consume(struct wal *w, size_t n)
{
	buf_consume(&w->buf, n);
	for (size_t i = 0; i < w->n_parts; i++)
		w->parts[i].begin -= n;
	w->at += n;
}

static int write_live(struct wal *w, size_t n, struct err *e)
{
	char name[WAL_NAME_MAX];

	if (n == 0)
		return 0;
	if (file_write_all(w->io, w->fd, w->buf.data, n, (off_t)w->at, e) == 0) {
		consume(w, n);
		return 0;
	}
	wal_segment_name(name, w->number);
	err_wrap(e, "write segment '%s'", name);
	return poison(w, e);
}

static int sync_live(struct wal *w, uint64_t up_to, struct err *e)
{
	char name[WAL_NAME_MAX];

	if (w->io->fdatasync(w->fd) < 0) {
		wal_segment_name(name, w->number);
		err_sys(e, "sync segment '%s'", name);
		return poison(w, e);
	}
	atomic_store(&w->durable, up_to);
	return 0;
}

/* The live segment is written to its seal: make that durable, and go to the next one. */
static int roll(struct wal *w, struct err *e)
{
	struct wal_part part = w->parts[0];

	if (sync_live(w, part.sealed, e) < 0)
		return -1;
	file_close(w->io, w->fd);
	w->fd = w->next_fd;
	w->next_fd = -1;
	w->live = part.segment;
	w->number = w->segments[w->live].number;
	w->segments[w->live].size = w->next_size;
	w->at = 0;
	w->n_parts--;
	memmove(w->parts, w->parts + 1, w->n_parts * sizeof(*w->parts));
	return 0;
}

int wal_write(struct wal *w, uint64_t *ret_written, struct err *e)
{
	if (check_poison(w, e) < 0)
		return -1;
	if (w->no_memory) {
		err_set(e, ENOMEM, "write the log: out of memory");
		return poison(w, e);
	}
	while (w->n_parts > 0) {
		if (wal_ready_next(w, w->segments[w->parts[0].segment].size, e) < 0)
			return -1;
		if (write_live(w, w->parts[0].begin, e) < 0 || roll(w, e) < 0)
			return -1;
	}
	if (write_live(w, w->buf.len, e) < 0)
		return -1;
	w->written = w->chain.seq - 1;
	*ret_written = w->written;
	return 0;
}

int wal_sync(struct wal *w, uint64_t *ret_durable, struct err *e)
{
	if (check_poison(w, e) < 0)
		return -1;
	if (atomic_load(&w->durable) < w->written && sync_live(w, w->written, e) < 0)
		return -1;
	*ret_durable = atomic_load(&w->durable);
	return 0;
}

uint64_t wal_durable(const struct wal *w)
{
	return atomic_load(&w->durable);
}

int wal_write_and_sync(struct wal *w, struct err *e)
{
	uint64_t n;

	return wal_write(w, &n, e) < 0 ? -1 : wal_sync(w, &n, e);
}

int wal_mark(struct wal *w, struct err *e)
{
	if (wal_write_and_sync(w, e) < 0)
		return -1;
	if (w->vouched >= w->content)
		return 0;
	wal_put(w, &(struct wal_record){.type = WAL_MARK});
	return wal_write_and_sync(w, e);
}

int wal_prepare(struct wal *w, struct err *e)
{
	bool final;
	int r;

	if (check_poison(w, e) < 0)
		return -1;
	r = wal_make_next(w, w->segment_size, WAL_PREPARE_SLICE, &final, e);
	return r < 0 && final ? poison(w, e) : r;
}

/* How many of the first segments hold nothing above index, and are not the fill's. */
static size_t count_old(const struct wal *w, uint64_t index)
{
	size_t n = 0;

	while (n + 1 < w->n_segments && w->segments[n].last <= index)
		n++;
	return n;
}

static int remove_old(struct wal *w, size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		char name[WAL_NAME_MAX];

		wal_segment_name(name, w->segments[i].number);
		if (w->io->unlinkat(w->dir, name) < 0 && errno != ENOENT)
			r = err_sys(e, "remove segment '%s'", name);
	}
	w->n_segments -= n;
	w->live -= n;
	memmove(w->segments, w->segments + n, w->n_segments * sizeof(*w->segments));
	return r;
}

int wal_compact(struct wal *w, struct raft_point snapshot, uint64_t index, struct err *e)
{
	size_t n;

	if (index > snapshot.index || snapshot.index < w->snapshot.index)
		return err_set(e, EINVAL,
		               "compact the log up to %llu: the snapshot is of %llu, and was of "
		               "%llu",
		               (unsigned long long)index, (unsigned long long)snapshot.index,
		               (unsigned long long)w->snapshot.index);
	if (wal_write_and_sync(w, e) < 0)
		return -1;
	w->snapshot = snapshot;
	n = count_old(w, index);
	if (n == 0)
		return 0;
	w->first = w->segments[n].number;
	wal_put(w, &(struct wal_record){.type = WAL_BEGIN, .segment = w->first, .point = snapshot});
	if (wal_write_and_sync(w, e) < 0)
		return -1;
	w->base = w->segments[n].begin;
	return remove_old(w, n, e);
}

void wal_stat(const struct wal *w, struct wal_stat *ret)
{
	*ret = (struct wal_stat){
	    .base = w->base,
	    .last = w->last,
	    .snapshot = w->snapshot,
	    .first_segment = w->segments[0].number,
	    .segment = w->segments[w->live].number,
	    .bytes = w->next_fd >= 0 ? w->next_made : 0,
	    .used = w->at,
	    .written = w->written,
	    .durable = atomic_load(&w->durable),
	    .prepared = w->next_fd >= 0 && w->next_made == w->next_size,
	    .poisoned = atomic_load(&w->poison) != 0,
	};
	for (size_t i = 0; i <= w->live; i++)
		ret->bytes += w->segments[i].size;
}
