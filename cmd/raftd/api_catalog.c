/*
 * api_catalog: /v1/catalog/nodes and /v1/catalog/datacenters, which some clients ask before they
 * begin.
 *
 * Blocking: the index is that of the members.  A query that waits for another one is answered when
 * its time is over.
 */
#include "api_route.h"
#include "base/json_out.h"
#include "members.h"

#define NS_PER_MS 1000000

struct nodes {
	struct api_wait wait;
	struct api_request request;
};

static void put_node(struct buf *to, const struct member *m, uint64_t index)
{
	buf_add_char(to, '{');
	api_put_text(to, "ID", m->id);
	api_put_text(to, "Node", m->name);
	json_out_key(to, "Address");
	(void)members_put_host(to, m->address);
	api_put_text(to, "Datacenter", API_DATACENTER);
	json_out_key(to, "TaggedAddresses");
	buf_add_str(to, "null");
	json_out_key(to, "Meta");
	buf_add_str(to, "{}");
	api_put_u64(to, "CreateIndex", index);
	api_put_u64(to, "ModifyIndex", index);
	buf_add_char(to, '}');
}

static uint64_t index_of(const struct members *m)
{
	return m->raft.conf_index > 0 ? m->raft.conf_index : 1;
}

static void answer_nodes(const struct api_request *r)
{
	struct buf json = {0};
	struct members m;

	members_get(r->api, &m);
	buf_add_char(&json, '[');
	for (size_t i = 0; i < m.count; i++) {
		if (i > 0)
			buf_add_char(&json, ',');
		put_node(&json, &m.member[i], index_of(&m));
	}
	buf_add_char(&json, ']');
	api_answer_json(r, 200, index_of(&m), &json);
}

static void on_time(void *arg, enum node_outcome outcome, uint64_t index, struct span result)
{
	struct nodes *n = arg;
	struct api_request r = n->request;

	(void)index;
	(void)result;
	n->wait.ticket = NULL;
	api_wait_end(&n->wait);
	if (outcome == NODE_STOPPED)
		api_outcome(r.call, outcome);
	else
		answer_nodes(&r);
}

static void nodes(const struct api_request *r)
{
	static const char nobody[ID_LEN];
	/* Nothing in the store tells of a change of members; this is never due. */
	static const struct kv_watch_spec never = {
	    .kind = KV_WATCH_SESSION, .key = {nobody, ID_LEN}, .since = UINT64_MAX};
	struct members m;
	struct nodes *n;

	members_get(r->api, &m);
	if (r->query.index < index_of(&m)) {
		answer_nodes(r);
	} else if ((n = api_wait_new(r, sizeof(*n))) != NULL) {
		n->request = *r;
		api_wait_for(&n->wait, node_watch(r->api->node, &never,
		                                  r->query.wait_ns / NS_PER_MS, on_time, n));
	}
}

static void datacenters(const struct api_request *r)
{
	struct buf json = {0};

	buf_add_str(&json, "[\"" API_DATACENTER "\"]");
	api_answer_json(r, 200, 0, &json);
}

void api_catalog(const struct api_request *r)
{
	static const struct api_route routes[] = {
	    {"nodes", "GET", nodes},
	    {"datacenters", "GET", datacenters},
	    {NULL, NULL, NULL},
	};

	api_serve(r, routes);
}
