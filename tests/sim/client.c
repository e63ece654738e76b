#include "client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"

#define TRIES_MAX      12
#define CLIENT_NET_MAX (4 * MS)

void clients_new(struct world *w)
{
	struct clients *all = calloc(1, sizeof(*all));

	if (all == NULL)
		abort();
	w->clients = all;
	all->count = w->swarm.clients;
	all->next_once = all->next_name = 1;
	all->pad = w->swarm.value_pad;
	for (unsigned i = 0; i < all->count; i++) {
		struct client *c = &all->client[i];

		*c = (struct client){.place = i, .lock = -1, .name = all->next_name++};
		c->once_name = all->next_once++;
		c->guess = 1 + draw(w, w->swarm.nodes);
		world_happen(w, w->now + draw(w, 2 * SEC),
		             (struct happening){.kind = HAPPEN_CLIENT, .slot = i});
	}
}

void clients_free(struct world *w)
{
	struct clients *all = w->clients;

	if (all == NULL)
		return;
	for (unsigned i = 0; i < all->count; i++)
		buf_done(&all->client[i].command);
	for (unsigned i = 0; i < KEYS + LOCKS; i++)
		free(all->history[i].ops);
	free(all);
	w->clients = NULL;
}

static void think(struct world *w, struct client *c)
{
	/* While two believe that they lead, a stale read is near: make haste. */
	uint64_t ns = draw(w, world_old_leader(w) != NULL ? 20 * MS : 2 * w->swarm.think_ns);

	world_happen(w, w->now + ns, (struct happening){.kind = HAPPEN_CLIENT, .slot = c->place});
}

static uint64_t any_node(struct world *w)
{
	for (unsigned i = 0; i < 4 * SLOTS; i++) {
		const struct node *n = &w->nodes[draw(w, SLOTS)];

		if (n->state != NODE_NONE)
			return n->id;
	}
	return 1;
}

/* Whoever hangs is left for the next one: all are asked before one is asked again. */
static uint64_t next_node(const struct world *w, uint64_t id)
{
	int place = node_slot(w, id);
	unsigned from = place < 0 ? 0 : (unsigned)place;

	for (unsigned i = 1; i <= SLOTS; i++) {
		const struct node *n = &w->nodes[(from + i) % SLOTS];

		if (n->state != NODE_NONE)
			return n->id;
	}
	return id;
}

/* The operation goes to the node that the client believes in. */
static void send(struct world *w, struct client *c)
{
	bool reads = c->kind == OP_GET || c->kind == OP_GET_LOCK || c->kind == OP_STALE;
	size_t len = reads ? 0 : c->command.len;
	const struct node *old = world_old_leader(w);
	struct request *r = malloc(sizeof(*r) + len);

	if (r == NULL)
		abort();
	*r = (struct request){.op = c->op,
	                      .node = c->guess,
	                      .reads = reads,
	                      .stale = c->kind == OP_STALE,
	                      .key = c->key,
	                      .len = len};
	if (reads && draw(w, 3) == 0)
		r->node = any_node(w);
	if (reads && old != NULL && draw(w, 4) != 0)
		r->node = old->id;
	if (len > 0)
		memcpy(r->bytes, c->command.data, len);
	c->sent = w->now;
	c->tries++;
	world_happen(w, w->now + 100 * US + draw(w, CLIENT_NET_MAX),
	             (struct happening){.kind = HAPPEN_REQUEST, .slot = c->place, .p = r});
	c->patience_ns = draw_range(w, 500 * MS, 3 * SEC);
	world_happen(w, w->now + c->patience_ns,
	             (struct happening){
			 .kind = HAPPEN_CLIENT, .slot = c->place, .n = c->op, .life = c->tries});
}

static void send_later(struct world *w, struct client *c, uint64_t ns)
{
	/* A pause before the next try is patience that ends soon. */
	c->tries++;
	world_happen(w, w->now + ns,
	             (struct happening){.kind = HAPPEN_CLIENT,
	                                .slot = c->place,
	                                .n = c->op,
	                                .life = c->tries | (uint64_t)1 << 32});
}

void client_happens(struct world *w, const struct happening *x)
{
	struct client *c = &w->clients->client[x->slot];

	if (x->n == 0 && c->op == 0) {
		if (w->clients->stop)
			return;
		op_choose(w, c);
		send(w, c);
		return;
	}
	if (x->n == 0 || c->op != x->n || (uint32_t)x->life != c->tries)
		return;
	if (x->life >> 32 != 0) { /* nothing was done yet */
		if (c->tries > 4 * TRIES_MAX) {
			if (c->may_be_done)
				op_unknown(w, c);
			else
				op_drop(w, c);
			think(w, c);
		} else {
			send(w, c);
		}
		return;
	}
	c->guess = next_node(w, c->guess);
	if ((c->kind == OP_ONCE || c->kind == OP_GET || c->kind == OP_GET_LOCK) &&
	    c->tries < TRIES_MAX) {
		if (c->kind == OP_ONCE) {
			w->cover.count[COVER_RETRIED]++;
			c->may_be_done = true;
		}
		send(w, c);
		return;
	}
	op_unknown(w, c);
	think(w, c);
}

/* ---- At the node. */

static void answer(struct world *w, unsigned client, struct answer a)
{
	struct answer *p;

	if (chance(w, w->net.lose_ppm))
		return;
	p = malloc(sizeof(*p));
	if (p == NULL)
		abort();
	*p = a;
	world_happen(w, w->now + 100 * US + draw(w, CLIENT_NET_MAX),
	             (struct happening){.kind = HAPPEN_ANSWER, .slot = client, .p = p});
}

static void answer_state(struct node *n, unsigned client, uint64_t op, unsigned key)
{
	struct answer a = {.op = op, .outcome = OUTCOME_DONE, .leader = n->id};
	struct kv_entry entry;
	char name[8];

	if (kv_get(replica_kv(n->replica), client_key(key, name), &entry)) {
		a.value = entry.value.len < 8 ? LIN_ANY : le_get64(entry.value.p);
		a.version = entry.modify;
		a.owner = le_get64(entry.session);
	}
	answer(n->w, client, a);
}

static void wait_for(struct node *n, struct pending p)
{
	n->pending =
	    check_grow(n->pending, &n->pending_cap, n->pending_count + 1, sizeof(*n->pending));
	n->pending[n->pending_count++] = p;
}

static void refuse(struct world *w, const struct node *n, const struct happening *x, uint64_t op)
{
	answer(w, x->slot,
	       (struct answer){.op = op, .outcome = OUTCOME_REFUSED, .leader = n->check.leader});
}

/* The context of a read: the client, the key and the operation. */
static uint64_t read_context(const struct request *r, unsigned client)
{
	return r->op << 16 | (uint64_t)r->key << 8 | client;
}

void client_request(struct world *w, struct happening *x)
{
	struct request *r = x->p;
	int place = node_slot(w, r->node);
	struct node *n = &w->nodes[place < 0 ? 0 : place];
	struct span data = {r->bytes, r->len};
	struct raft_event propose = {.type = RAFT_PROPOSE, .data = &data, .count = 1};
	struct raft_event ask = {.type = RAFT_ASK_READ, .context = read_context(r, x->slot)};
	struct replica_answer a = {0};
	uint64_t life;

	if (place < 0 || n->state != NODE_UP) {
		if (draw(w, 2) == 0) /* connection refused; else it seems to hang */
			answer(w, x->slot,
			       (struct answer){.op = r->op, .outcome = OUTCOME_REFUSED});
		free(r);
		return;
	}
	if (r->stale) {
		answer_state(n, x->slot, r->op, r->key);
		free(r);
		return;
	}
	life = n->life;
	if (r->reads && n->check.role != RAFT_LEADER)
		w->cover.count[COVER_READ_FOLLOWER]++;
	node_event(w, n, r->reads ? &ask : &propose, &a);
	if (n->life == life && !w->failed) {
		if (a.status == RAFT_BUSY)
			w->cover.count[COVER_BUSY]++;
		if (a.status != RAFT_OK)
			refuse(w, n, x, r->op);
		else if (!r->reads)
			wait_for(n, (struct pending){a.first, x->slot, r->op});
	}
	free(r);
}

void client_read(struct node *n, uint64_t context, bool granted)
{
	unsigned client = context & 0xff;
	struct raft_view v;

	if (!granted) {
		answer(n->w, client,
		       (struct answer){.op = context >> 16, .outcome = OUTCOME_REFUSED});
		return;
	}
	if (n->w->swarm.leases && n->check.role == RAFT_LEADER) {
		raft_look(replica_raft(n->replica), &v);
		if (v.lease_until > node_now(n->w, n))
			n->w->cover.count[COVER_READ_LEASE]++;
	}
	answer_state(n, client, context >> 16, context >> 8 & 0xff);
}

void client_applied(struct node *n, const struct raft_entry *entry, const struct kv_output *out)
{
	size_t kept = 0;
	struct kv_result r;
	struct err e;

	for (size_t i = 0; i < n->pending_count; i++) {
		struct pending p = n->pending[i];
		struct answer a = {.op = p.op, .leader = n->id};

		if (p.at.index != entry->index) {
			n->pending[kept++] = p;
			continue;
		}
		if (p.at.term != entry->term) {
			n->w->cover.count[COVER_OP_LOST]++;
			a.outcome = OUTCOME_NEVER;
		} else {
			check_acked(n->w, p.at);
			if (kv_result_get(&r, (struct span){out->result.data, out->result.len},
			                  &e) < 0)
				world_fail(n->w, "the result of entry %" PRIu64 ": %s",
				           entry->index, e.msg);
			a.code = r.code;
			a.modify = r.modify;
			a.fence = r.fence;
		}
		answer(n->w, p.client, a);
	}
	n->pending_count = kept;
}

void client_forget(struct node *n)
{
	free(n->pending);
	n->pending = NULL;
	n->pending_count = n->pending_cap = 0;
}

/* ---- Back at the client. */

void client_answer(struct world *w, struct happening *x)
{
	struct client *c = &w->clients->client[x->slot];
	struct answer a = *(struct answer *)x->p;

	free(x->p);
	if (c->op == 0 || a.op != c->op)
		return;
	if (a.outcome == OUTCOME_DONE) {
		c->guess = a.leader;
		c->served = c->sent;
		op_done(w, c, &a);
		think(w, c);
		return;
	}
	/* Refused: but an earlier try of the same may have been taken, and then only time tells. */
	c->guess = a.leader != 0 && draw(w, 4) != 0 ? a.leader : any_node(w);
	send_later(w, c, draw_range(w, 5 * MS, 150 * MS));
}

bool clients_served(const struct world *w, uint64_t since)
{
	for (unsigned i = 0; i < w->clients->count; i++)
		if (w->clients->client[i].served < since)
			return false;
	return true;
}

void clients_stop(struct world *w)
{
	w->clients->stop = true;
}

bool clients_idle(const struct world *w)
{
	for (unsigned i = 0; i < w->clients->count; i++)
		if (w->clients->client[i].op != 0)
			return false;
	return true;
}

void clients_check(struct world *w)
{
	struct lin_state begin = lin_absent();
	struct lin_report report;
	char name[8];

	for (unsigned i = 0; i < KEYS + LOCKS && !w->failed; i++) {
		const struct history *h = &w->clients->history[i];

		lin_check(w->lin, h->ops, h->count, &begin, &report);
		if (report.answer == LIN_GAVE_UP)
			w->gave_up++;
		if (report.answer != LIN_BAD)
			continue;
		(void)client_key(i, name);
		world_fail(w,
		           "the history of '%s' is not linearizable: operation %zu of %zu"
		           " (kind %u, client %" PRIu64 ", value %" PRIu64 ") does not fit",
		           name, report.stuck, h->count, h->ops[report.stuck].kind,
		           h->ops[report.stuck].client, h->ops[report.stuck].value);
	}
}
