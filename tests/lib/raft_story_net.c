/*
 * raft_story_net: the messages of raft_story_world.h.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "raft_story_world.h"

/* ---- As text */

static void put_point(struct buf *to, const char *word, struct raft_point p)
{
	buf_printf(to, " %s %" PRIu64 ".%" PRIu64, word, p.index, p.term);
}

static void put_append(struct buf *to, const struct raft_message *m)
{
	put_point(to, "prev", m->prev);
	for (size_t i = 0; i < m->count; i++)
		buf_printf(to, "%s%" PRIu64 ".%" PRIu64, i == 0 ? " entries " : " ",
		           m->entries[i].index, m->entries[i].term);
	buf_printf(to, " commit %" PRIu64, m->commit);
	if (m->context != 0)
		buf_printf(to, " round %" PRIu64, m->context);
}

static void put_rest(struct buf *to, const struct raft_message *m)
{
	switch (m->type) {
	case RAFT_PREVOTE:
	case RAFT_VOTE:
		put_point(to, "last", m->prev);
		buf_add_str(to, m->forced ? " forced" : "");
		break;
	case RAFT_PREVOTE_REPLY:
	case RAFT_VOTE_REPLY:
		buf_add_str(to, m->granted ? " yes" : " no");
		break;
	case RAFT_APPEND:
		put_append(to, m);
		break;
	case RAFT_APPEND_REPLY:
		put_point(to, m->granted ? "has" : "no, try", m->prev);
		if (m->context != 0)
			buf_printf(to, " round %" PRIu64, m->context);
		break;
	case RAFT_SNAPSHOT:
		put_point(to, "of", m->prev);
		buf_printf(to, " bytes %" PRIu64 "..%" PRIu64 " of %" PRIu64, m->offset,
		           m->offset + m->data.len, m->size);
		break;
	case RAFT_SNAPSHOT_REPLY:
		put_point(to, "of", m->prev);
		if (m->granted)
			buf_add_str(to, " installed");
		else
			buf_printf(to, " has %" PRIu64 " bytes", m->offset);
		break;
	case RAFT_READ_REPLY:
		if (m->granted)
			buf_printf(to, " index %" PRIu64, m->prev.index);
		else
			buf_add_str(to, " no");
		break;
	default:
		break;
	}
}

void world_put_message(struct buf *to, const struct raft_message *m)
{
	buf_printf(to, "%" PRIu64 ">%" PRIu64 " %s term %" PRIu64, m->from, m->to,
	           raft_message_name(m->type), m->term);
	put_rest(to, m);
}

/* ---- The queue */

/* The bytes of the snapshot that the core wants sent; false when the disk has another one. */
static bool fill_chunk(struct world_node *n, struct raft_message *m)
{
	const struct world_disk *d = &n->disk;

	if (!d->has_snapshot || d->snapshot.point.index != m->prev.index ||
	    d->snapshot.sum != m->sum || m->offset + m->data.len > d->state.len)
		return false;
	m->data.p = d->state.p + m->offset;
	return true;
}

void world_send(struct world *w, struct world_node *n, const struct raft_message *m)
{
	struct raft_message copy = *m;
	struct buf bytes = {0};

	if (m->type == RAFT_SNAPSHOT && !fill_chunk(n, &copy)) {
		world_say(w, "%" PRIu64 ": has snapshot %" PRIu64 " no more", n->id, m->prev.index);
		return;
	}
	raft_message_put(&bytes, &copy);
	WORLD_ROOM(w->queue, w->queue_count, w->queue_capacity);
	w->queue[w->queue_count++] = (struct world_message){
	    .from = m->from,
	    .to = m->to,
	    .type = m->type,
	    .bytes = world_keep(w, (struct span){bytes.data, bytes.len}),
	};
	buf_done(&bytes);
}

static bool matches(const struct world_message *m, const struct world_filter *f)
{
	return m->pocket == NULL && (f->from == 0 || f->from == m->from) &&
	       (f->to == 0 || f->to == m->to) && (f->type == 0 || f->type == m->type);
}

static void take_out(struct world *w, size_t i)
{
	w->queue_count--;
	memmove(&w->queue[i], &w->queue[i + 1], (w->queue_count - i) * sizeof(*w->queue));
}

static bool decode(struct world *w, const struct world_message *m, struct raft_message *ret)
{
	struct err e;

	if (raft_message_get(m->bytes, ret, &w->room, &e) == 0)
		return true;
	world_wrong(w, "a message cannot be read again: %s", e.msg);
	return false;
}

static void say_message(struct world *w, const struct raft_message *m, const char *what)
{
	struct buf b = {0};

	world_put_message(&b, m);
	world_say(w, "%.*s%s", (int)b.len, b.data, what);
	buf_done(&b);
}

static void deliver(struct world *w, const struct world_message *x)
{
	struct world_node *to = world_live(w, x->to);
	struct raft_message m;

	if (!decode(w, x, &m))
		return;
	if (w->cut[x->from][x->to] || to == NULL) {
		say_message(w, &m, to == NULL ? ": nobody is there" : ": lost");
		return;
	}
	say_message(w, &m, "");
	world_step(w, to, (struct raft_event){.type = RAFT_RECEIVE, .message = &m});
}

/* Those that match and are there now; what they cause joins the queue behind them. */
static size_t each(struct world *w, const struct world_filter *f,
                   void (*what)(struct world *w, const struct world_message *m))
{
	size_t left = w->queue_count;
	size_t done = 0;

	for (size_t i = 0; left > 0 && (f->count == 0 || done < f->count); left--) {
		struct world_message m = w->queue[i];

		if (!matches(&m, f)) {
			i++;
			continue;
		}
		take_out(w, i);
		what(w, &m);
		done++;
	}
	return done;
}

size_t world_deliver(struct world *w, const struct world_filter *f)
{
	return each(w, f, deliver);
}

static void drop(struct world *w, const struct world_message *x)
{
	struct raft_message m;

	if (decode(w, x, &m))
		say_message(w, &m, ": lost");
}

size_t world_drop(struct world *w, const struct world_filter *f)
{
	return each(w, f, drop);
}

size_t world_hold(struct world *w, const struct world_filter *f, const char *pocket)
{
	size_t done = 0;

	for (size_t i = 0; i < w->queue_count && (f->count == 0 || done < f->count); i++) {
		struct raft_message m;

		if (!matches(&w->queue[i], f) || !decode(w, &w->queue[i], &m))
			continue;
		say_message(w, &m, ": held");
		w->queue[i].pocket = pocket;
		done++;
	}
	return done;
}

size_t world_release(struct world *w, const char *pocket)
{
	size_t n = w->queue_count;
	size_t done = 0;

	for (size_t i = 0; i < n; i++) {
		struct world_message m = w->queue[i];

		if (m.pocket == NULL || strcmp(m.pocket, pocket) != 0)
			continue;
		m.pocket = NULL;
		WORLD_ROOM(w->queue, w->queue_count, w->queue_capacity);
		w->queue[w->queue_count++] = m;
		done++;
	}
	return done;
}

/* ---- Until nothing moves */

static bool persist_all(struct world *w, unsigned nodes)
{
	bool moved = false;

	for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++) {
		struct world_node *n = world_live(w, id);

		if (n == NULL || !(nodes & 1u << id) || n->disk.hangs || n->disk.pending_count == 0)
			continue;
		world_persist(w, n, n->disk.pending_count);
		moved = true;
	}
	return moved;
}

void world_stabilize(struct world *w, unsigned nodes)
{
	bool moved = true;

	for (int rounds = 0; moved; rounds++) {
		if (rounds == 1000) {
			world_wrong(w, "it does not become stable");
			return;
		}
		moved = persist_all(w, nodes);
		for (uint64_t id = 1; id <= WORLD_NODES_MAX; id++) {
			const struct world_filter f = {.to = id};

			if (nodes & 1u << id)
				moved |= world_deliver(w, &f) > 0;
		}
	}
}
