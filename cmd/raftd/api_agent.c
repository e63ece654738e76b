/* api_agent: /v1/agent/...: this node, as one that a client of Consul may ask about itself. */
#include <string.h>

#include "api_route.h"
#include "base/json_out.h"
#include "members.h"
#include "metrics.h"
#include "os/clock.h"

static void put_object(struct buf *to, const char *name)
{
	json_out_key(to, name);
	buf_add_char(to, '{');
}

static void put_member(struct buf *to, const struct api *api, const struct member *m)
{
	uint16_t port;

	buf_add_char(to, '{');
	api_put_text(to, "Name", m->name);
	json_out_key(to, "Addr");
	port = members_put_host(to, m->address);
	api_put_u64(to, "Port", port);
	put_object(to, "Tags");
	api_put_text(to, "role", "consul");
	api_put_text(to, "dc", API_DATACENTER);
	api_put_text(to, "id", m->id);
	api_put_text(to, "build", SHOAL_VERSION);
	api_put_text(to, "cluster", api->cluster);
	buf_add_char(to, '}');
	api_put_u64(to, "Status", 1);
	api_put_u64(to, "ProtocolMin", 1);
	api_put_u64(to, "ProtocolMax", 2);
	api_put_u64(to, "ProtocolCur", 2);
	api_put_u64(to, "DelegateMin", 2);
	api_put_u64(to, "DelegateMax", 5);
	api_put_u64(to, "DelegateCur", 4);
	buf_add_char(to, '}');
}

static void put_config(struct buf *to, const struct api *api)
{
	put_object(to, "Config");
	api_put_text(to, "Datacenter", API_DATACENTER);
	api_put_text(to, "PrimaryDatacenter", API_DATACENTER);
	api_put_text(to, "NodeName", api->name);
	api_put_text(to, "NodeID", api->id);
	api_put_bool(to, "Server", true);
	api_put_text(to, "Revision", "");
	api_put_text(to, "Version", SHOAL_VERSION);
	/* Patroni looks for it when its TTL was refused. */
	api_put_u64(to, "SessionTTLMin", api->session_ttl_min_ns);
	buf_add_char(to, '}');
}

static void put_text_u64(struct buf *to, const char *name, uint64_t v)
{
	json_out_key(to, name);
	json_out_u64_string(to, v);
}

/* Texts, as Consul's are. */
static void put_stats(struct buf *to, const struct api *api, const struct members *m)
{
	static const char *const roles[] = {
	    [RAFT_FOLLOWER] = "Follower",
	    [RAFT_PRECANDIDATE] = "Candidate",
	    [RAFT_CANDIDATE] = "Candidate",
	    [RAFT_LEADER] = "Leader",
	};
	const struct member *leader = members_leader(m);

	put_object(to, "Stats");
	put_object(to, "consul");
	api_put_text(to, "server", "true");
	api_put_text(to, "leader", m->raft.role == RAFT_LEADER ? "true" : "false");
	api_put_text(to, "leader_addr", leader != NULL ? leader->address : "");
	buf_add_char(to, '}');
	put_object(to, "raft");
	api_put_text(to, "state", roles[m->raft.role]);
	put_text_u64(to, "term", m->raft.term);
	put_text_u64(to, "last_log_index", m->raft.last.index);
	put_text_u64(to, "last_log_term", m->raft.last.term);
	put_text_u64(to, "commit_index", m->raft.commit);
	put_text_u64(to, "applied_index", kv_applied_index(node_kv(api->node)));
	put_text_u64(to, "last_snapshot_index", m->raft.snapshot.index);
	put_text_u64(to, "last_snapshot_term", m->raft.snapshot.term);
	put_text_u64(to, "num_peers", m->count - 1);
	buf_add_str(to, "}}");
}

static void self(const struct api_request *r)
{
	struct buf json = {0};
	struct members m;

	members_get(r->api, &m);
	buf_add_char(&json, '{');
	put_config(&json, r->api);
	put_object(&json, "DebugConfig");
	buf_add_char(&json, '}');
	json_out_key(&json, "Coord");
	buf_add_str(&json, "null");
	json_out_key(&json, "Member");
	put_member(&json, r->api, &m.member[0]);
	put_stats(&json, r->api, &m);
	put_object(&json, "Meta");
	buf_add_str(&json, "}}");
	api_answer_json(r, 200, 0, &json);
}

static void members(const struct api_request *r)
{
	struct buf json = {0};
	struct members m;

	members_get(r->api, &m);
	buf_add_char(&json, '[');
	for (size_t i = 0; i < m.count; i++) {
		if (i > 0)
			buf_add_char(&json, ',');
		put_member(&json, r->api, &m.member[i]);
	}
	buf_add_char(&json, ']');
	api_answer_json(r, 200, 0, &json);
}

/* ?format=prometheus, or a client that asks for its text. */
static bool wants_prometheus(const struct api_request *r)
{
	struct span accept = http_in_header(http_call_request(r->call), "Accept");
	struct buf format = {0};
	struct err e;
	bool wants =
	    consul_query_value(&r->query, "format", &format, &e) > 0 &&
	    span_is((struct span){format.data, format.len}, (struct span){"prometheus", 10});

	buf_done(&format);
	return wants || (accept.len > 0 && memmem(accept.p, accept.len, "openmetrics", 11) != NULL);
}

static void metrics(const struct api_request *r)
{
	struct buf json = {0};

	if (wants_prometheus(r)) {
		api_answer_prometheus(r);
		return;
	}
	metrics_put_json(&json, r->api, clock_wall_ns());
	api_answer_json(r, 200, 0, &json);
}

void api_agent(const struct api_request *r)
{
	static const struct api_route routes[] = {
	    {"self", "GET", self},
	    {"members", "GET", members},
	    {"metrics", "GET", metrics},
	    {NULL, NULL, NULL},
	};

	api_serve(r, routes);
}
