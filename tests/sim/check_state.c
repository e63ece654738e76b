/*
 * What the state machine promises, looked at when an entry is applied for the first time by
 * anybody: locks, sessions, and commands that are done once.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "kv/result.h"
#include "world.h"

static unsigned key_number(struct span key)
{
	unsigned n = 0;

	for (size_t i = 1; i < key.len; i++)
		n = 10 * n + (unsigned)(key.p[i] - '0');
	return (key.len > 0 && key.p[0] == 'l' ? CHECK_KEYS / 2 : 0) + n % (CHECK_KEYS / 2);
}

static void check_fence(struct world *w, const struct kv_op *op, const struct kv_result *r)
{
	uint64_t *fence = &w->check.fence[key_number(op->key)];

	if (r->fence < *fence || r->fence == 0)
		world_fail(w, "fence of '%.*s' goes from %" PRIu64 " to %" PRIu64, (int)op->key.len,
		           op->key.p, *fence, r->fence);
	*fence = r->fence;
}

/* One that was applied already keeps the answer of the first time. */
static void check_once(struct world *w, const struct kv_command *cmd, const struct kv_result *r,
                       uint64_t index)
{
	struct check *c = &w->check;
	uint64_t client = le_get64(cmd->once.client) % CHECK_CLIENTS;
	uint64_t *at;

	c->once[client] =
	    check_grow(c->once[client], &c->once_cap[client], cmd->once.seq + 1, sizeof(**c->once));
	at = &c->once[client][cmd->once.seq];
	if (r->code != KV_OK)
		return;
	if (r->modify == index) {
		if (*at != 0)
			world_fail(w,
			           "once: client %" PRIu64 "'s command %" PRIu64
			           " is applied at %" PRIu64 " and at %" PRIu64,
			           client, cmd->once.seq, *at, index);
		*at = index;
		return;
	}
	w->cover.count[COVER_DEDUPED]++;
	if (r->modify != *at)
		world_fail(w,
		           "once: client %" PRIu64 "'s command %" PRIu64 " was applied at %" PRIu64
		           ", and the answer says %" PRIu64,
		           client, cmd->once.seq, *at, r->modify);
}

static struct check_session *session_of(struct world *w, const unsigned char *id)
{
	return &w->check.sessions[le_get64(id) % CHECK_SESSIONS];
}

/* Sessions that are gone: by this command, or because their time was over. */
static void check_ended(struct world *w, const struct node *n, const struct kv_command *cmd,
                        const struct raft_entry *entry)
{
	struct kv_session s;

	for (uint64_t i = 1; i <= w->check.session_last; i++) {
		struct check_session *m = &w->check.sessions[i];
		unsigned char id[ID_LEN] = {0};
		uint64_t real = m->ttl_ns * 1000000 / w->swarm.rate_max;

		le_put64(id, i);
		if (!m->alive || kv_session_get(replica_kv(n->replica), id, &s))
			continue;
		m->alive = false;
		w->check.session_count--;
		if (cmd != NULL && cmd->type == KV_SESSION_DESTROY &&
		    memcmp(cmd->session.id, id, ID_LEN) == 0)
			continue;
		w->cover.count[COVER_EXPIRED]++;
		if (entry->clock_ns < m->renewed_ns + m->ttl_ns)
			world_fail(w,
			           "session %" PRIu64 " of %" PRIu64 " ms expires %" PRIu64
			           " ms after it was renewed",
			           i, m->ttl_ns / MS, (entry->clock_ns - m->renewed_ns) / MS);
		if (!w->swarm.jumps && m->acked_at != 0 && w->now < m->acked_at + real)
			world_fail(w,
			           "session %" PRIu64 " of %" PRIu64 " ms expires %" PRIu64
			           " ms after the renewal that was acknowledged",
			           i, m->ttl_ns / MS, (w->now - m->acked_at) / MS);
	}
}

static void check_command(struct world *w, const struct kv_command *cmd, const struct kv_result *r,
                          const struct raft_entry *entry)
{
	struct check_session *s = session_of(w, cmd->session.id);

	if (cmd->has_once)
		check_once(w, cmd, r, entry->index);
	switch (cmd->type) {
	case KV_ONE:
		if (cmd->ops[0].verb == KV_LOCK && r->code == KV_OK)
			check_fence(w, &cmd->ops[0], r);
		break;
	case KV_SESSION_CREATE:
		if (r->code != KV_OK)
			break;
		*s = (struct check_session){.made = true,
		                            .alive = true,
		                            .ttl_ns = cmd->session.ttl_ns,
		                            .renewed_ns = entry->clock_ns};
		w->check.session_count++;
		if (le_get64(cmd->session.id) > w->check.session_last)
			w->check.session_last = le_get64(cmd->session.id);
		break;
	case KV_SESSION_RENEW:
		if (r->code != KV_OK)
			break;
		w->cover.count[COVER_RENEWED]++;
		s->renewed_ns = entry->clock_ns;
		break;
	default:
		break;
	}
}

void check_state(struct world *w, struct node *n, const struct raft_entry *entry,
                 const struct kv_output *out)
{
	struct kv_command cmd;
	bool is_command = entry->type == RAFT_ENTRY_COMMAND && entry->data.len > 0;
	struct kv_result r;
	struct kv_stat stat;
	struct err e;

	if (is_command) {
		if (kv_command_get(&cmd, entry->data, &e) < 0 ||
		    kv_result_get(&r, (struct span){out->result.data, out->result.len}, &e) < 0) {
			world_fail(w, "entry %" PRIu64 ": %s", entry->index, e.msg);
			return;
		}
		check_command(w, &cmd, &r, entry);
	}
	kv_get_stat(replica_kv(n->replica), &stat);
	if (stat.sessions < w->check.session_count)
		check_ended(w, n, is_command ? &cmd : NULL, entry);
	if (stat.sessions != w->check.session_count)
		world_fail(w, "entry %" PRIu64 ": %" PRIu64 " sessions, in the books %" PRIu64,
		           entry->index, stat.sessions, w->check.session_count);
}
