#include "members.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"

/* As autopilot's default in Consul. */
#define CONTACT_MAX_MS 200

void members_get(const struct api *api, struct members *ret)
{
	struct member *self = &ret->member[0];
	uint64_t contact_ms = node_last_contact_ms(api->node);

	raft_look(node_raft(api->node), &ret->raft);
	ret->count = 1;
	*self = (struct member){
	    .id = api->id,
	    .name = api->name,
	    .address = api->advertise,
	    .is_leader = ret->raft.role == RAFT_LEADER,
	    .is_voter = true,
	    .is_healthy = ret->raft.leader != 0 && contact_ms <= CONTACT_MAX_MS,
	    .last_index = ret->raft.last.index,
	    .last_term = ret->raft.last.term,
	    .contact_ms = contact_ms,
	    .started_ns = api->started_ns,
	};
}

const struct member *members_leader(const struct members *m)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->member[i].is_leader)
			return &m->member[i];
	return NULL;
}

uint16_t members_put_host(struct buf *to, const char *address)
{
	size_t n = strlen(address);
	const char *colon = strrchr(address, ':');
	unsigned long port = 0;

	if (strncmp(address, "unix:", 5) != 0 && colon != NULL) {
		port = strtoul(colon + 1, NULL, 10);
		n = (size_t)(colon - address);
	}
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	json_out_string(to, address, n);
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}
