/*
 * The lane of snapshots: one that is taken, in pieces, and the chunks of one that is received.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replica/replica_impl.h"

#define TAKE_AGAIN_NS UINT64_C(1000000000)

static bool is_full(const struct err *e)
{
	return e->code == ENOSPC || e->code == EDQUOT || e->code == EFBIG;
}

static bool is_point(struct raft_point a, struct raft_point b)
{
	return a.index == b.index && a.term == b.term;
}

static void stop_taking(struct replica *r)
{
	struct replica_snap *s = &r->snap;

	kv_snapshot_end(s->from);
	s->from = NULL;
	snapfile_writer_close(s->taker, false);
	s->taker = NULL;
}

static void drop_chunk(struct replica_snap *s)
{
	free(s->chunks[0].data);
	s->chunk_count--;
	memmove(s->chunks, s->chunks + 1, s->chunk_count * sizeof(*s->chunks));
}

static void stop_receiving(struct replica_snap *s, bool keep)
{
	snapfile_writer_close(s->receiver, keep);
	s->receiver = NULL;
	s->receives = (struct raft_point){0};
}

void replica_snap_done(struct replica *r)
{
	struct replica_snap *s = &r->snap;

	if (s->from != NULL)
		stop_taking(r);
	while (s->chunk_count > 0)
		drop_chunk(s);
	stop_receiving(s, true);
	kv_restore_abort(s->restore);
	snapfile_close(s->reader);
	buf_done(&s->piece);
	buf_done(&s->sends);
}

/* ---- Begin. */

static bool is_due(const struct replica *r)
{
	if (r->snap.receiver != NULL || r->applied < r->snapshot_index ||
	    r->now < r->snap.not_before)
		return false;
	if (r->snap.wanted)
		return true;
	return r->applied > r->snapshot_index &&
	       (r->applied - r->snapshot_index >= r->cfg.snapshot_entries ||
	        r->since_bytes >= r->cfg.snapshot_bytes);
}

static bool begin_taking(struct replica *r)
{
	struct replica_snap *s = &r->snap;
	struct err e;

	s->taken = (struct raft_snapshot){
	    .point = {r->applied, raft_term_at(r->raft, r->applied)},
	    .clock_ns = kv_clock_ns(r->kv),
	};
	if (raft_conf_at(r->raft, r->applied, &s->taken.conf, &e) < 0)
		return false;
	s->from = kv_snapshot_begin(r->kv);
	s->at = 0;
	r->since_bytes = 0;
	return s->from != NULL;
}

/* The disk is full or memory short: others may have made room after a while. */
static void take_later(struct replica *r)
{
	stop_taking(r);
	r->snap.not_before = r->now + TAKE_AGAIN_NS;
}

/* The next piece: false when memory is short, and then there will be no snapshot this time. */
static bool read_piece(struct replica *r)
{
	struct replica_snap *s = &r->snap;
	struct err e;
	int64_t n = 1;

	buf_clear(&s->piece);
	while (s->piece.len < r->cfg.piece_bytes && n > 0) {
		size_t room = r->cfg.piece_bytes - s->piece.len;
		char *to = buf_reserve(&s->piece, room);

		n = to == NULL ? -1 : kv_snapshot_read(s->from, to, room, &e);
		if (n < 0) {
			take_later(r);
			return false;
		}
		s->piece.len += (size_t)n;
	}
	s->complete = n == 0;
	return true;
}

bool replica_snap_begin(struct replica *r)
{
	struct replica_snap *s = &r->snap;

	if (s->job != SNAP_NONE)
		return false;
	/* The log brought what it would have: nobody sends the rest, and it is in our way. */
	if (s->receiver != NULL && s->chunk_count == 0 && s->receives.index <= r->applied)
		stop_receiving(s, false);
	if (s->chunk_count > 0) {
		s->job = SNAP_CHUNK;
		s->of = s->chunks[0].of;
	} else {
		if (s->from == NULL && (!is_due(r) || !begin_taking(r)))
			return false;
		if (!read_piece(r))
			return false;
		s->job = SNAP_TAKE;
		s->of = s->taken;
	}
	s->given_up = false;
	s->in_use =
	    s->reader != NULL && raft_uses_snapshot(r->raft, s->read_at) ? s->read_at.index : 0;
	return true;
}

/* ---- What may block. */

static struct snapfile_meta meta_of(const struct raft_snapshot *of, struct buf *conf)
{
	conf_put(conf, &of->conf);
	return (struct snapfile_meta){.at = of->point,
	                              .clock_ns = of->clock_ns,
	                              .size = of->size,
	                              .sum = of->sum,
	                              .conf = {conf->data, conf->len}};
}

static struct snapfile_writer *open_writer(struct replica *r, struct err *e)
{
	struct replica_snap *s = &r->snap;
	struct buf conf = {0};
	struct snapfile_meta meta = meta_of(&s->of, &conf);
	struct snapfile_writer *w = NULL;

	if (buf_ok(&conf, e) == 0)
		w = s->job == SNAP_TAKE ? snapfile_begin(&r->place, &meta, e)
		                        : snapfile_receive(&r->place, &meta, e);
	buf_done(&conf);
	return w;
}

/* A full disk is no reason to stop: the snapshot is tried again, the chunk comes again. */
static int give_up_if_full(struct replica *r, const struct err *e)
{
	if (!is_full(e))
		return -1;
	r->snap.given_up = true;
	return 0;
}

static int write_piece(struct replica *r, struct err *e)
{
	struct replica_snap *s = &r->snap;

	if (s->taker == NULL)
		s->taker = open_writer(r, e);
	if (s->taker == NULL || snapfile_write(s->taker, s->at, s->piece.data, s->piece.len, e) < 0)
		return give_up_if_full(r, e);
	s->at += s->piece.len;
	return 0;
}

static int write_chunk(struct replica *r, struct err *e)
{
	struct replica_snap *s = &r->snap;
	const struct replica_chunk *c = &s->chunks[0];

	if (s->receiver != NULL &&
	    (!is_point(s->receives, s->of.point) || s->receives_sum != s->of.sum))
		stop_receiving(s, false);
	if (s->receiver == NULL)
		s->receiver = open_writer(r, e);
	s->receives = s->of.point;
	s->receives_sum = s->of.sum;
	if (s->receiver == NULL)
		return give_up_if_full(r, e);
	/* A gap is no failure: the answer says from where on it is wanted. */
	if (snapfile_write(s->receiver, c->offset, c->data, c->len, e) < 0 && e->code != ERANGE)
		return give_up_if_full(r, e);
	s->complete = snapfile_have(s->receiver) == s->of.size;
	return 0;
}

int replica_snap_write(struct replica *r, struct err *e)
{
	if (r->snap.given_up)
		return 0;
	return r->snap.job == SNAP_TAKE ? write_piece(r, e) : write_chunk(r, e);
}

static int commit(struct replica *r, struct snapfile_writer *w, struct err *e)
{
	struct replica_snap *s = &r->snap;
	struct snapfile_meta meta;

	if (snapfile_commit(w, &meta, e) < 0)
		return -1;
	s->of.size = meta.size;
	s->of.sum = meta.sum;
	return snapfile_purge(&r->place, 1, s->in_use, e);
}

int replica_snap_load(const struct snapfile_place *place, struct raft_point at,
                      struct kv_restore *to, struct err *e)
{
	struct snapfile_meta meta;
	struct snapfile *f = snapfile_open(place, at, &meta, e);
	char *block = malloc(SNAPFILE_BLOCK);
	ssize_t n = -1;

	if (f != NULL && block == NULL)
		(void)err_set(e, ENOMEM, "load snapshot: out of memory");
	for (uint64_t from = 0; f != NULL && block != NULL; from += (uint64_t)n) {
		n = snapfile_read(f, from, block, SNAPFILE_BLOCK, e);
		if (n > 0 && kv_restore_write(to, block, (size_t)n, e) < 0)
			n = -1;
		if (n <= 0)
			break;
	}
	free(block);
	snapfile_close(f);
	return n < 0 ? -1 : 0;
}

static int sync_received(struct replica *r, struct err *e)
{
	struct replica_snap *s = &r->snap;
	uint64_t durable;

	if (snapfile_sync(s->receiver, &durable, e) < 0)
		return give_up_if_full(r, e);
	/*
	 * The file has a checksum for each block, so of a block that is not complete nothing counts
	 * as durable.  The core hears of all that is stored: with small chunks its window would
	 * never reach the end of a block, and a power loss only makes the transfer begin earlier.
	 */
	s->stored = snapfile_have(s->receiver);
	if (!s->complete)
		return 0;
	if (commit(r, s->receiver, e) < 0) {
		if (e->code != EBADMSG)
			return give_up_if_full(r, e);
		/* Not what its sum says: from the beginning again. */
		s->given_up = true;
		return 0;
	}
	s->restore = kv_restore_begin();
	if (s->restore == NULL)
		return err_set(e, ENOMEM, "load snapshot: out of memory");
	return replica_snap_load(&r->place, s->of.point, s->restore, e);
}

int replica_snap_sync(struct replica *r, struct err *e)
{
	struct replica_snap *s = &r->snap;

	if (s->given_up)
		return 0;
	if (s->job == SNAP_CHUNK)
		return sync_received(r, e);
	if (!s->complete || commit(r, s->taker, e) == 0)
		return 0;
	return give_up_if_full(r, e);
}

/* ---- End. */

static int end_taking(struct replica *r, struct err *e)
{
	struct replica_snap *s = &r->snap;
	struct raft_event event = {.type = RAFT_SNAPSHOT_TAKEN, .now = r->now, .snapshot = &s->of};

	if (s->given_up)
		take_later(r);
	if (s->given_up || !s->complete)
		return 0;
	stop_taking(r); /* the file is there; what made it goes */
	s->wanted = false;
	r->snapshot_index = s->of.point.index;
	return replica_run(r, &event, NULL, e);
}

/* The state machine has not passed the snapshot meanwhile: it is the state now. */
static int replace_state(struct replica *r, struct err *e)
{
	struct replica_snap *s = &r->snap;
	struct kv_restore *restore = s->restore;

	if (s->of.point.index <= r->applied)
		return 0;
	if (s->from != NULL)
		stop_taking(r);
	s->restore = NULL;
	if (kv_restore_commit(restore, r->kv, &r->out, e) < 0) {
		s->restore = restore;
		return err_wrap(e, "load snapshot");
	}
	r->applied = s->of.point.index;
	r->since_bytes = 0;
	return 1;
}

static int install(struct replica *r, struct err *e)
{
	struct replica_snap *s = &r->snap;
	struct raft_event event = {.type = RAFT_INSTALLED, .now = r->now, .snapshot = &s->of};
	int replaced = replace_state(r, e);

	if (replaced < 0)
		return -1;
	kv_restore_abort(s->restore);
	s->restore = NULL;
	stop_receiving(s, false);
	if (s->of.point.index > r->snapshot_index)
		r->snapshot_index = s->of.point.index;
	if (replaced > 0)
		r->cfg.hooks.installed(r->cfg.hooks.ctx, s->of.point, &r->out);
	return replica_run(r, &event, NULL, e);
}

static int end_chunk(struct replica *r, struct err *e)
{
	struct replica_snap *s = &r->snap;
	struct raft_event event = {
	    .type = RAFT_CHUNK_STORED, .now = r->now, .snapshot = &s->of, .offset = s->stored};

	drop_chunk(s);
	if (s->given_up) {
		stop_receiving(s, true);
		s->dropped = s->of.point;
		return 0;
	}
	if (replica_run(r, &event, NULL, e) < 0)
		return -1;
	return s->complete ? install(r, e) : 0;
}

int replica_snap_end(struct replica *r, struct err *e)
{
	struct replica_snap *s = &r->snap;
	enum replica_snap_job job = s->job;

	s->job = SNAP_NONE;
	return job == SNAP_TAKE ? end_taking(r, e) : end_chunk(r, e);
}

/* ---- Chunks that come and go. */

int replica_snap_chunk(struct replica *r, const struct raft_message *m, struct err *e)
{
	struct replica_snap *s = &r->snap;
	struct replica_chunk *c = &s->chunks[s->chunk_count];

	if (s->chunk_count == REPLICA_CHUNKS_MAX) {
		s->dropped = m->prev;
		return 0;
	}
	c->of = (struct raft_snapshot){.point = m->prev,
	                               .clock_ns = m->clock_ns,
	                               .size = m->size,
	                               .sum = m->sum,
	                               .conf = *m->conf};
	c->offset = m->offset;
	c->len = m->data.len;
	c->data = malloc(c->len + 1);
	if (c->data == NULL)
		return err_set(e, ENOMEM, "keep chunk: out of memory");
	memcpy(c->data, m->data.p, c->len);
	s->chunk_count++;
	return 0;
}

static bool open_reader(struct replica *r, const struct raft_message *m)
{
	struct replica_snap *s = &r->snap;
	struct snapfile_meta meta;
	struct err e;

	if (s->reader != NULL && is_point(s->read_at, m->prev) && s->read_sum == m->sum)
		return true;
	snapfile_close(s->reader);
	s->reader = snapfile_open(&r->place, m->prev, &meta, &e);
	s->read_at = m->prev;
	s->read_sum = m->sum;
	return s->reader != NULL && meta.sum == m->sum;
}

bool replica_snap_fill(struct replica *r, struct raft_message *m)
{
	struct replica_snap *s = &r->snap;
	size_t want = m->data.len;
	struct err e;
	char *to;

	buf_clear(&s->sends);
	to = buf_reserve(&s->sends, want + 1);
	if (to == NULL || !open_reader(r, m) ||
	    snapfile_read(s->reader, m->offset, to, want, &e) != (ssize_t)want) {
		snapfile_close(s->reader);
		s->reader = NULL;
		s->lost = m->prev;
		return false;
	}
	m->data.p = to;
	return true;
}
