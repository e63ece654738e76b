/*
 * raft: a string of bytes drives node 1 of a cluster of three through messages, ticks, requests and
 * reports of its disk.  Its peers may lie as they like.  Whatever they say: terms and commits do
 * not go back, a term has one vote, what is committed stays as it is, nothing is vouched for that
 * is not on disk, and what the node gives out can be read to its last byte.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "raft/raft.h"

#define ENTRIES_MAX 4
#define INDEX_MAX   512
#define PEND_MAX    64
#define MS          UINT64_C(1000000)

struct input {
	const uint8_t *p;
	size_t left;
};

struct pend {
	uint64_t number, term, vote;
};

struct world {
	struct raft *raft;
	struct input in;
	uint64_t now, write;
	struct raft_view view;
	uint64_t term[INDEX_MAX]; /* of what is committed; 0: not yet */
	uint64_t durable_term, durable_vote;
	struct pend pend[PEND_MAX]; /* hard states on their way to disk */
	size_t pends;
	struct raft_snapshot incoming;
	bool complete;
	uint64_t received;
	uint64_t asked; /* context of the newest question */
	unsigned sum;   /* over all bytes that were given out */
};

static unsigned next(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static struct raft_conf three(void)
{
	struct raft_conf c = {.count = 3};

	for (unsigned i = 0; i < 3; i++)
		c.member[i] = (struct raft_member){.id = i + 1, .voter = true, .was_voter = true};
	return c;
}

/* ---- What must hold */

static void touch(struct world *w, const struct raft_entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		w->sum += (unsigned)e[i].index + e[i].type;
		for (size_t j = 0; j < e[i].data.len; j++)
			w->sum += (unsigned char)e[i].data.p[j];
	}
}

static void check_message(struct world *w, const struct raft_message *m)
{
	CHECK(m->cluster == 1 && m->from == 1 && m->to != 1);
	touch(w, m->entries, m->count);
	if (m->type == RAFT_SNAPSHOT)
		w->sum += m->conf->count;
	if (m->type == RAFT_PREVOTE || m->type == RAFT_VOTE || m->type == RAFT_READ)
		w->asked = m->context;
	if (m->type == RAFT_VOTE || (m->type == RAFT_APPEND_REPLY && m->granted))
		CHECK(w->durable_term == m->term);
	if (m->type == RAFT_VOTE_REPLY && m->granted)
		CHECK(w->durable_term == m->term && w->durable_vote == m->to);
}

static void check_write(struct world *w, const struct raft_output *out)
{
	if (out->write == 0)
		return;
	CHECK(out->write == ++w->write);
	touch(w, out->append, out->append_count);
	if (w->pends == PEND_MAX)
		memmove(w->pend, w->pend + 1, --w->pends * sizeof(w->pend[0]));
	w->pend[w->pends++] = (struct pend){out->write, out->term, out->vote};
}

/* What was committed keeps its term for as long as it can be asked for. */
static void check_committed(struct world *w, const struct raft_view *v)
{
	for (uint64_t i = v->base.index + 1; i <= v->commit && i < INDEX_MAX; i++) {
		CHECK(w->term[i] == 0 || w->term[i] == raft_term_at(w->raft, i));
		w->term[i] = raft_term_at(w->raft, i);
		CHECK(w->term[i] != 0);
	}
}

static void check_view(struct world *w)
{
	struct raft_view v;

	raft_look(w->raft, &v);
	CHECK(v.term >= w->view.term && v.commit >= w->view.commit);
	CHECK(v.term > w->view.term || w->view.vote == 0 || v.vote == w->view.vote);
	CHECK(v.commit <= v.last.index && v.durable <= v.last.index);
	CHECK(v.base.index <= v.snapshot.index && v.last.term <= v.term);
	CHECK(v.role != RAFT_LEADER || (v.vote == 1 && v.leader == 1));
	for (uint32_t i = 0; i < v.peer_count; i++)
		CHECK(v.peers[i].match <= v.last.index && v.peers[i].next > v.peers[i].match);
	check_committed(w, &v);
	w->view = v;
}

static bool step(struct world *w, struct raft_event event)
{
	struct raft_output out;
	struct err e;

	event.now = w->now;
	if (raft_step(w->raft, &event, &out, &e) < 0) {
		CHECK(e.code == EBADMSG || e.code == EPROTONOSUPPORT);
		CHECK(e.msg[0] != '\0');
		return false;
	}
	for (size_t i = 0; i < out.message_count; i++)
		check_message(w, &out.messages[i]);
	check_write(w, &out);
	if (out.chunk != NULL) {
		w->incoming = (struct raft_snapshot){
		    .point = out.chunk->prev,
		    .size = out.chunk->size,
		    .sum = out.chunk->sum,
		    .conf = *out.chunk->conf,
		};
		w->received = out.chunk->offset + out.chunk->data.len;
		w->complete = w->received == out.chunk->size;
	}
	check_view(w);
	(void)raft_deadline(w->raft);
	return true;
}

/* ---- What comes */

static struct raft_point point(struct world *w)
{
	unsigned b = next(&w->in);

	return (struct raft_point){.index = b & 15, .term = b >> 4};
}

static void fill_entries(struct world *w, struct raft_message *m, struct raft_entry *e)
{
	static const char bytes[] = "0123456789";
	unsigned b = next(&w->in);
	uint64_t term = b >> 4;

	m->count = b % (ENTRIES_MAX + 1);
	m->entries = e;
	for (size_t i = 0; i < m->count; i++) {
		unsigned x = next(&w->in);

		term += (x & 7) == 7;
		e[i] = (struct raft_entry){
		    .index = m->prev.index + 1 + i + (x == 255),
		    .term = term,
		    .clock_ns = x == 254 ? 5 - i : 5,
		    .type = (uint8_t)(x == 253   ? 7
		                      : x == 252 ? 3
		                                 : 1 + x % 2),
		    .version = (uint8_t)(x == 251 ? 2 : 1),
		    .data = {bytes, x % sizeof(bytes)},
		};
	}
}

static bool receive(struct world *w)
{
	struct raft_conf conf = three();
	struct raft_entry e[ENTRIES_MAX];
	unsigned b = next(&w->in);
	unsigned flags = next(&w->in);
	struct raft_message m = {
	    .type = (enum raft_message_type)(b % 13),
	    .cluster = 1,
	    .from = 2 + (b >> 6) % 2 + (flags == 255 ? 5 : 0),
	    .to = 1,
	    .term = flags & 15,
	    .granted = flags & 16,
	    .forced = flags & 32,
	};

	if (flags & 64)
		m.term = w->view.term;
	m.prev = point(w);
	m.commit = next(&w->in) & 31;
	m.context = next(&w->in);
	m.clock_ns = m.context;
	if (m.context >= 128) {
		m.context = w->asked;
		m.term = w->view.term + (m.type == RAFT_PREVOTE_REPLY);
	}
	if (m.type == RAFT_APPEND)
		fill_entries(w, &m, e);
	if (m.type == RAFT_SNAPSHOT || m.type == RAFT_SNAPSHOT_REPLY) {
		m.conf = flags & 128 ? NULL : &conf;
		m.offset = next(&w->in) % 32;
		m.size = next(&w->in) % 32;
		m.data.len = next(&w->in) % 16;
		m.sum = next(&w->in) % 2;
	}
	return step(w, (struct raft_event){.type = RAFT_RECEIVE, .message = &m});
}

static bool durable(struct world *w)
{
	unsigned n = next(&w->in) % 4;
	uint64_t number = w->write > n ? w->write - n : 0;

	while (w->pends > 0 && w->pend[0].number <= number) {
		w->durable_term = w->pend[0].term;
		w->durable_vote = w->pend[0].vote;
		memmove(w->pend, w->pend + 1, --w->pends * sizeof(w->pend[0]));
	}
	return step(w, (struct raft_event){.type = RAFT_DURABLE, .write = number});
}

static bool snapshot(struct world *w)
{
	struct raft_snapshot s = {.point = {.index = w->view.commit}, .size = 20};
	struct err e;

	s.point.term = raft_term_at(w->raft, s.point.index);
	if (s.point.index == 0 || s.point.term == 0)
		return true;
	CHECK(raft_conf_at(w->raft, s.point.index, &s.conf, &e) == 0);
	return step(w, (struct raft_event){.type = RAFT_SNAPSHOT_TAKEN, .snapshot = &s});
}

/* The file of an incoming snapshot is written, or turns out to be broken. */
static bool store(struct world *w)
{
	struct raft_snapshot s = w->incoming;

	if (s.point.index == 0)
		return true;
	if (next(&w->in) % 8 == 0) {
		w->incoming.point.index = 0;
		return step(w, (struct raft_event){.type = RAFT_SNAPSHOT_LOST, .snapshot = &s});
	}
	if (!step(w, (struct raft_event){
			 .type = RAFT_CHUNK_STORED, .snapshot = &s, .offset = w->received}))
		return false;
	if (!w->complete)
		return true;
	w->incoming.point.index = 0;
	w->complete = false;
	return step(w, (struct raft_event){.type = RAFT_INSTALLED, .snapshot = &s});
}

static bool ask(struct world *w)
{
	static const char bytes[64];
	unsigned b = next(&w->in);
	struct span data[2] = {{bytes, b % 64}, {bytes, 3}};
	struct raft_change change = {
	    .type = (enum raft_change_type)(1 + b % 5), .id = 1 + b / 8 % 6, .promote = b & 128};
	struct raft_event event = {.context = b, .node = b / 8 % 5};

	switch (b % 5) {
	case 0:
	case 1:
		event.type = RAFT_PROPOSE;
		event.data = data;
		event.count = 2;
		break;
	case 2:
		event.type = RAFT_ASK_READ;
		break;
	case 3:
		event.type = RAFT_CHANGE;
		event.changes = &change;
		event.count = 1;
		break;
	default:
		event.type = b & 64 ? RAFT_TRANSFER : RAFT_UNREACHABLE;
		break;
	}
	return step(w, event);
}

static bool one(struct world *w)
{
	unsigned b = next(&w->in);

	switch (b % 16) {
	case 0:
	case 1:
		w->now += (uint64_t)(b / 16) * 50 * MS;
		return step(w, (struct raft_event){.type = RAFT_TICK});
	case 2:
	case 3:
	case 4:
		return durable(w);
	case 5:
	case 6:
		return ask(w);
	case 7:
		return snapshot(w);
	case 8:
		return store(w);
	default:
		return receive(w);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct raft_config cfg = {.cluster = 1, .self = 1, .trailing = 2, .chunk_bytes = 8};
	struct world w = {.in = {data, size}, .now = 1000 * MS, .durable_term = 1};
	struct raft_conf conf = three();
	struct buf room = {.data = NULL};
	struct raft_entry first = raft_bootstrap(&conf, &room);
	struct raft_start start = {.now = w.now, .term = 1, .entries = &first, .count = 1};
	struct err e;

	cfg.lease_reads = size % 2;
	cfg.inflight = 1 + size % 3;
	w.raft = raft_new(&cfg, &start, &e);
	CHECK(w.raft != NULL);
	while (w.in.left > 0 && one(&w))
		;
	raft_free(w.raft);
	buf_done(&room);
	return 0;
}
