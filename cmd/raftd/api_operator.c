/*
 * api_operator: /v1/operator/...: who votes, and how well they are.
 *
 * A cluster of one can neither hand over nor lose its only voter; it says so.
 */
#include <string.h>

#include "api_route.h"
#include "base/json_out.h"
#include "consul/query.h"
#include "members.h"

#define NS_PER_MS 1000000

/* ---- raft */

static void put_server(struct buf *to, const struct member *m)
{
	buf_add_char(to, '{');
	api_put_text(to, "ID", m->id);
	api_put_text(to, "Node", m->name);
	api_put_text(to, "Address", m->address);
	api_put_bool(to, "Leader", m->is_leader);
	api_put_text(to, "ProtocolVersion", "3");
	api_put_bool(to, "Voter", m->is_voter);
	api_put_u64(to, "LastIndex", m->last_index);
	buf_add_char(to, '}');
}

static void put_list(struct buf *to, const struct members *m,
                     void (*put)(struct buf *to, const struct member *m))
{
	json_out_key(to, "Servers");
	buf_add_char(to, '[');
	for (size_t i = 0; i < m->count; i++) {
		if (i > 0)
			buf_add_char(to, ',');
		put(to, &m->member[i]);
	}
	buf_add_char(to, ']');
}

static void configuration(const struct api_request *r)
{
	struct buf json = {0};
	struct members m;

	members_get(r->api, &m);
	if (m.raft.leader == 0 && !r->query.stale) {
		api_outcome(r->call, NODE_NO_LEADER);
		return;
	}
	buf_add_char(&json, '{');
	put_list(&json, &m, put_server);
	api_put_u64(&json, "Index", m.raft.conf_index);
	buf_add_char(&json, '}');
	api_answer_json(r, 200, 0, &json);
}

/* The member that ?id or ?address names, or NULL. */
static const struct member *find(const struct members *m, struct span id, struct span address)
{
	for (size_t i = 0; i < m->count; i++) {
		const char *text = id.len > 0 ? m->member[i].id : m->member[i].address;

		if (span_is(id.len > 0 ? id : address, (struct span){text, strlen(text)}))
			return &m->member[i];
	}
	return NULL;
}

static void refuse_removal(const struct api_request *r, struct span id, struct span address)
{
	struct buf text = {0};
	struct members m;

	members_get(r->api, &m);
	if (find(&m, id, address) != NULL) {
		buf_add_str(&text, "the only voter cannot be removed");
	} else {
		buf_add_str(&text, id.len > 0 ? "id \"" : "address \"");
		buf_add(&text, id.len > 0 ? id.p : address.p, id.len > 0 ? id.len : address.len);
		buf_add_str(&text, "\" was not found in the Raft configuration");
	}
	api_answer_text(r, 500, &text);
}

static void peer(const struct api_request *r)
{
	struct buf id = {0};
	struct buf address = {0};
	struct err e;
	bool is_good = consul_query_value(&r->query, "id", &id, &e) >= 0 &&
	               consul_query_value(&r->query, "address", &address, &e) >= 0;

	if (!is_good)
		api_text(r->call, 400, e.msg);
	else if (id.len == 0 && address.len == 0)
		api_text(r->call, 400,
		         "Must specify either ?id with the server's ID or ?address with IP:port "
		         "of peer to remove");
	else if (id.len > 0 && address.len > 0)
		api_text(r->call, 400, "Must specify only one of ?id or ?address");
	else
		refuse_removal(r, (struct span){id.data, id.len},
		               (struct span){address.data, address.len});
	buf_done(&id);
	buf_done(&address);
}

static void transfer(const struct api_request *r)
{
	api_text(r->call, 404, "Failed to transfer Leader: cannot find peer");
}

/* ---- autopilot */

static void autopilot_configuration(const struct api_request *r)
{
	struct buf json = {0};

	if (r->method.p[0] == 'P') {
		api_text(r->call, 501, "These settings cannot be changed");
		return;
	}
	buf_add_str(&json, "{\"CleanupDeadServers\":false,\"LastContactThreshold\":\"200ms\","
	                   "\"MaxTrailingLogs\":250,\"MinQuorum\":0,"
	                   "\"ServerStabilizationTime\":\"10s\",\"CreateIndex\":0,"
	                   "\"ModifyIndex\":0}");
	api_answer_json(r, 200, 0, &json);
}

static void put_health(struct buf *to, const struct member *m)
{
	uint64_t contact_ms = m->contact_ms < UINT64_MAX / NS_PER_MS ? m->contact_ms : 0;

	buf_add_char(to, '{');
	api_put_text(to, "ID", m->id);
	api_put_text(to, "Name", m->name);
	api_put_text(to, "Address", m->address);
	api_put_text(to, "SerfStatus", "alive");
	api_put_text(to, "Version", SHOAL_VERSION);
	api_put_bool(to, "Leader", m->is_leader);
	json_out_key(to, "LastContact");
	buf_add_char(to, '"');
	consul_duration_put(to, contact_ms * NS_PER_MS);
	buf_add_char(to, '"');
	api_put_u64(to, "LastTerm", m->last_term);
	api_put_u64(to, "LastIndex", m->last_index);
	api_put_bool(to, "Healthy", m->is_healthy);
	api_put_bool(to, "Voter", m->is_voter);
	api_put_time(to, "StableSince", m->started_ns);
	buf_add_char(to, '}');
}

static void health(const struct api_request *r)
{
	struct buf json = {0};
	struct members m;
	bool all = true;
	size_t voters = 0;
	size_t good = 0;

	members_get(r->api, &m);
	for (size_t i = 0; i < m.count; i++) {
		voters += m.member[i].is_voter;
		good += m.member[i].is_voter && m.member[i].is_healthy;
		all = all && m.member[i].is_healthy;
	}
	buf_add_char(&json, '{');
	api_put_bool(&json, "Healthy", all);
	api_put_u64(&json, "FailureTolerance", good > voters / 2 + 1 ? good - (voters / 2 + 1) : 0);
	put_list(&json, &m, put_health);
	buf_add_char(&json, '}');
	api_answer_json(r, all ? 200 : 429, 0, &json);
}

void api_operator(const struct api_request *r)
{
	static const struct api_route routes[] = {
	    {"raft/configuration", "GET", configuration},
	    {"raft/peer", "DELETE", peer},
	    {"raft/transfer-leader", "PUT,POST", transfer},
	    {"autopilot/configuration", "GET,PUT", autopilot_configuration},
	    {"autopilot/health", "GET", health},
	    {NULL, NULL, NULL},
	};

	api_serve(r, routes);
}
