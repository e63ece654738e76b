/* park: events that could not be taken, set aside in the store. */
#include "park.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json_out.h"
#include "base/text.h"
#include "os/clock.h"

#define PARK_TYPE "evlog.parked"
#define PIECE     256u /* events of a commit: with their stderr they stay small */

struct parking {
	struct evlog *s;
	const struct park *p;
	char stream[FRAME_NAME_MAX + 1];
	struct span err;
	struct commit *commit;
	struct buf data;
};

/* The end of the command's words, in whole characters. */
static struct span tail_of(struct span err)
{
	size_t cut = err.len > PARK_STDERR_MAX ? err.len - PARK_STDERR_MAX : 0;

	while (cut > 0 && cut < err.len && ((unsigned char)err.p[cut] & 0xc0) == 0x80)
		cut++;
	return cut == 0 ? err : (struct span){err.p + cut, err.len - cut};
}

/* JSON as the log keeps it has no line end, and this writer makes none. */
static void put_data(struct parking *k, const struct feed_batch *b, size_t i)
{
	uint64_t seq = b->events[i].seq;
	struct span stream = feed_stream(b, i);
	struct buf *to = &k->data;
	struct frame f;
	struct err ignored;

	buf_clear(to);
	buf_add_char(to, '{');
	json_out_key(to, "sequence");
	json_out_seq(to, seq);
	json_out_key(to, "stream");
	json_out_string(to, stream.p, stream.len);
	if (evlog_get(k->s, seq, &f, &ignored) > 0) {
		json_out_key(to, "type");
		json_out_string(to, f.type.p, f.type.len);
	}
	json_out_key(to, "reason");
	json_out_string(to, k->p->reason, strlen(k->p->reason));
	json_out_key(to, "stderr");
	json_out_string(to, k->err.p, k->err.len);
	buf_add_char(to, '}');
}

static int add(struct parking *k, const struct feed_batch *b, size_t i, struct err *e)
{
	char id[TEXT_U64_LEN];
	struct event ev = {.stream = {k->stream, strlen(k->stream)},
	                   .type = {PARK_TYPE, strlen(PARK_TYPE)},
	                   .id = {id, sizeof(id)},
	                   .id_given = true,
	                   .attrs = {"-", 1},
	                   .expect = {EXPECT_ANY, 0}};

	put_data(k, b, i);
	if (buf_ok(&k->data, e) < 0)
		return -1;
	text_put_u64_padded(id, b->events[i].seq);
	ev.data = (struct span){k->data.data, k->data.len};
	return commit_add(k->commit, k->s, &ev, e);
}

/*
 * Commit the events [from, to): how many of them are parked by that.  One that was parked before
 * a crash, with other words in its stderr, ends the commit and counts as parked.
 */
static int64_t commit_piece(struct parking *k, const struct feed_batch *b, size_t from, size_t to,
                            struct err *e)
{
	struct commit_result r = {0};
	int64_t done = (int64_t)(to - from);

	commit_clear(k->commit);
	for (size_t i = from; i < to; i++)
		if (add(k, b, i, e) < 0)
			return -1;
	if (evlog_commit(k->s, k->commit, COMMIT_EACH, clock_wall_ns(), &r, e) < 0) {
		if (e->code != EVLOG_ID_REUSED)
			return -1;
		done = (int64_t)r.bad_event + 1;
	}
	/* Not only what this commit wrote: who parked the others may have died before its sync. */
	return evlog_sync(k->s, evlog_written(k->s), e) < 0 ? -1 : done;
}

static int park_all(struct parking *k, const struct feed_batch *b, size_t from, size_t to,
                    struct err *e)
{
	while (from < to) {
		int64_t n = commit_piece(k, b, from, to - from < PIECE ? to : from + PIECE, e);

		if (n < 0)
			return -1;
		from += (size_t)n;
	}
	return 0;
}

int park_events(struct evlog *s, const struct park *p, const struct feed_batch *b, size_t from,
                size_t count, struct err *e)
{
	struct parking k = {.s = s, .p = p, .err = tail_of(p->err), .commit = commit_new()};
	struct err ignored;
	int r;

	snprintf(k.stream, sizeof(k.stream), "$parked-%s", p->name);
	if (k.commit == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = park_all(&k, b, from, from + count, e);
	/* The events are safe by now, and the index can always be made anew. */
	if (r == 0)
		(void)evlog_maintain(s, &ignored);
	commit_free(k.commit);
	buf_done(&k.data);
	return r < 0 ? err_wrap(e, "park in '%s'", k.stream) : 0;
}
