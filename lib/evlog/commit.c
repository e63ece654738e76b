/*
 * commit: a planned commit becomes lines of the log.
 *
 * One write at the end of the active segment, then the tables, then ctl; ctl.dirty is set
 * meanwhile, so that a process that is killed in between leaves its traces to recovery.  What
 * other processes see as durable does not change here (sync.c).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evlog/commit_impl.h"

#define ALLOCATE_MIN (64u << 10)
#define ALLOCATE_MAX (8u << 20)

/* Lines [0, end) that are written: their length and count. */
struct extent {
	size_t bytes;
	uint32_t count;
	bool contiguous; /* no known line between them */
};

static struct extent measure(const struct commit *c, uint32_t end)
{
	struct extent x = {.contiguous = true};

	for (uint32_t i = 0; i < end; i++) {
		if (c->entries[i].known) {
			x.contiguous = false;
			continue;
		}
		x.bytes += c->entries[i].len;
		x.count++;
	}
	return x;
}

/* Blocks ahead of need, a quarter of the segment at a time: fewer metadata changes a sync. */
static int allocate(struct evlog *s, size_t bytes, struct err *e)
{
	struct ctl *c = s->ctl;
	uint64_t end = c->size + bytes;
	uint64_t ahead = c->size / 4;

	if (end <= c->allocated)
		return 0;
	if (ahead < ALLOCATE_MIN)
		ahead = ALLOCATE_MIN;
	if (ahead > ALLOCATE_MAX)
		ahead = ALLOCATE_MAX;
	if (file_allocate(s->io, s->log_fd, (off_t)c->size, (off_t)(bytes + ahead), e) == 0) {
		ctl_set(&c->allocated, end + ahead);
		return 0;
	}
	/* A nearly full disk may still have room for this commit. */
	if (file_allocate(s->io, s->log_fd, (off_t)c->size, (off_t)bytes, e) == 0) {
		ctl_set(&c->allocated, end);
		return 0;
	}
	return err_wrap(e, "nothing was written");
}

static int make_room(struct evlog *s, const struct extent *x, struct err *e)
{
	struct ctl *c = s->ctl;
	uint64_t events = c->written + 1 - s->log_base;

	if (events > 0 && (c->size + x->bytes + FRAME_SEAL_LEN > s->segment_size ||
	                   events + x->count > ACTIVE_EVENTS_MAX)) {
		if (store_roll(s, e) < 0)
			return err_wrap(e, "begin a new segment");
		if (store_map_log(s, e) < 0)
			return -1;
		events = 0;
	}
	if (c->written + x->count > FRAME_SEQ_MAX)
		return err_set(e, EVLOG_BAD_EVENT, "the store is full: it has 2^48 - 1 events");
	if (events + x->count > s->active.capacity) {
		uint64_t twice = (events + x->count) * 2;

		if (active_enlarge(&s->active, s->index_dir, s->mode,
		                   twice < ACTIVE_EVENTS_MAX ? (uint32_t)twice : ACTIVE_EVENTS_MAX,
		                   e) < 0)
			return err_wrap(e, "nothing was written");
		s->active.gen = __atomic_add_fetch(&c->active_gen, 1, __ATOMIC_ACQ_REL);
	}
	return allocate(s, x->bytes, e);
}

/* Columns and CRC of every line; when known ones lie between, the others move together. */
static const char *seal_lines(struct evlog *s, struct commit *c, uint32_t end,
                              const struct extent *x, struct err *e)
{
	uint64_t durable = ctl_get(&s->ctl->durable);
	uint64_t time_ns = ctl_get(&s->ctl->time_ns);
	uint32_t left = x->count;

	buf_clear(&c->kept);
	for (uint32_t i = 0; i < end; i++) {
		const struct entry *n = &c->entries[i];
		struct frame f = {.kind = n->kind,
		                  .flag = FRAME_PLAIN,
		                  .last = left == 1,
		                  .len = n->len,
		                  .data_crc = n->data_crc,
		                  .version = n->version,
		                  .seq = n->seq,
		                  .prev = n->prev,
		                  .jump = n->jump,
		                  .time_ns = time_ns};
		uint64_t lag = n->seq - 1 - durable;

		if (n->known)
			continue;
		f.lag = lag < FRAME_LAG_MAX ? (uint32_t)lag : FRAME_LAG_MAX;
		frame_seal(c->frames.data + n->at, n->data_at, &f, s->salt);
		if (!x->contiguous)
			buf_add(&c->kept, c->frames.data + n->at, n->len);
		left--;
	}
	if (buf_ok(&c->kept, e) < 0)
		return NULL;
	return x->contiguous ? c->frames.data : c->kept.data;
}

static int write_lines(struct evlog *s, const char *lines, size_t bytes, struct err *e)
{
	struct ctl *c = s->ctl;
	struct err ignored;

	if (file_write_all(s->io, s->log_fd, lines, bytes, (off_t)c->size, e) == 0)
		return 0;
	err_wrap(e, "write to the log (nothing of this commit was kept)");
	/* What got there is cut again; if that fails too, dirty stays set and recovery does it. */
	if (s->io->ftruncate(s->log_fd, (off_t)c->size) < 0)
		return -1;
	if (s->io->fdatasync(s->log_fd) < 0) {
		sync_poison(s, errno);
	} else if (store_stamp(s, &ignored) == 0) {
		ctl_set(&c->allocated, c->size);
		ctl_set32(&c->dirty, 0);
	}
	return -1;
}

/* Two new streams of one commit may want the same key: the later one gets its next one. */
static bool set_head(struct evlog *s, const struct commit *c, const struct state *st)
{
	uint64_t key = st->key;
	struct err ignored;
	struct frame f;

	if (st->first == 0 && active_head(&s->active, key) > ctl_get(&s->ctl->written) &&
	    lookup_head(s, entry_stream(c, &c->entries[st->entry]), &f, &key, &ignored) != 0)
		return false;
	active_set_head(&s->active, key, st->head);
	return true;
}

/* False: the tables are not right, and have to be made anew. */
static bool enter(struct evlog *s, struct commit *c, uint32_t end)
{
	uint64_t at = s->ctl->size;
	bool ok = true;

	for (uint32_t i = 0; i < end; i++) {
		const struct entry *n = &c->entries[i];

		if (n->known)
			continue;
		__atomic_store_n(&s->active.offset[n->seq - s->log_base], (uint32_t)at,
		                 __ATOMIC_RELEASE);
		at += n->len;
		active_add_id(&s->active, n->id_key, n->seq);
	}
	for (uint32_t i = 0; i < c->state_count; i++) {
		const struct state *st = &c->states[i];

		if (st->count > 0 && !set_head(s, c, st))
			ok = false;
	}
	return ok;
}

static int write_commit(struct evlog *s, struct commit *c, uint32_t end, int64_t now_ns,
                        struct commit_result *r, struct err *e)
{
	struct ctl *ctl = s->ctl;
	struct extent x = measure(c, end);
	const char *lines;
	bool entered;

	r->sequence = ctl->written;
	if (x.count == 0)
		return 0;
	if (make_room(s, &x, e) < 0)
		return -1;
	if (now_ns > 0 && (uint64_t)now_ns > ctl->time_ns)
		ctl_set(&ctl->time_ns, (uint64_t)now_ns);
	lines = seal_lines(s, c, end, &x, e);
	if (lines == NULL)
		return -1;
	ctl_set32(&ctl->dirty, 1);
	if (write_lines(s, lines, x.bytes, e) < 0)
		return -1;
	entered = enter(s, c, end);
	ctl_set(&ctl->size, ctl->size + x.bytes);
	r->sequence = ctl->written + x.count;
	active_set_seq(&s->active, r->sequence);
	ctl_set(&ctl->written, r->sequence);
	if (store_stamp(s, e) < 0)
		return -1;
	if (entered)
		ctl_set32(&ctl->dirty, 0);
	__atomic_add_fetch(&ctl->commits, 1, __ATOMIC_RELAXED);
	return 0;
}

static int make_receipts(struct commit *c, struct commit_result *r, struct err *e)
{
	if (c->receipt_cap < c->state_count) {
		free(c->receipts);
		c->receipt_cap = 0;
		c->receipts = calloc(c->state_cap, sizeof(*c->receipts));
		if (c->receipts == NULL)
			return err_set(e, ENOMEM, "out of memory");
		c->receipt_cap = c->state_cap;
	}
	r->receipt_count = 0;
	for (uint32_t i = 0; i < c->state_count; i++) {
		const struct state *st = &c->states[i];

		if (st->count + st->known == 0)
			continue;
		c->receipts[r->receipt_count++] = (struct receipt){
		    .stream = entry_stream(c, &c->entries[st->entry]),
		    .first = st->count > 0 ? st->first : st->known_first,
		    .last = st->count > 0 ? st->last : st->known_last,
		    .sequence = st->sequence,
		    .count = st->count,
		    .known = st->known,
		};
	}
	r->receipts = c->receipts;
	return 0;
}

bool commit_is_refused(const struct err *e)
{
	return e->code == EVLOG_CONFLICT || e->code == EVLOG_ID_REUSED ||
	       e->code == EVLOG_DELETED || e->code == EVLOG_NO_STREAM;
}

int evlog_commit(struct evlog *s, struct commit *c, enum commit_mode mode, int64_t now_ns,
                 struct commit_result *r, struct err *e)
{
	struct err later = {0};
	uint32_t end = 0;
	int planned, result = -1;

	*r = (struct commit_result){0};
	if (c->count == 0 && c->check_count == 0)
		return 0;
	if (store_lock(s, e) < 0)
		return -1;
	s->epoch = ctl_get32(&s->ctl->epoch);
	planned = plan_commit(s, c, mode, &end, r, &later);
	if (planned < 0 && (mode == COMMIT_ATOMIC || !commit_is_refused(&later))) {
		*e = later;
		goto out;
	}
	if (write_commit(s, c, end, now_ns, r, e) < 0 || make_receipts(c, r, e) < 0)
		goto out;
	if (planned < 0)
		*e = later;
	result = planned;
out:
	store_unlock(s);
	return result;
}
