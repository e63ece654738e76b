/*
 * members: who is in the cluster, as the API tells it.
 *
 * A node knows by itself only its own name and address.
 */
#ifndef SHOAL_RAFTD_MEMBERS_H
#define SHOAL_RAFTD_MEMBERS_H

#include "api.h"

struct member {
	const char *id;      /* a UUID */
	const char *name;    /* for people */
	const char *address; /* that clients use: HOST:PORT or unix:PATH */
	bool is_leader, is_voter, is_healthy;
	uint64_t last_index, last_term, contact_ms;
	int64_t started_ns; /* since 1970 */
};

struct members {
	struct raft_view raft;
	size_t count;
	struct member member[RAFT_MEMBERS_MAX];
};

/* Borrowed from api and its node, until the next turn of the loop. */
void members_get(const struct api *api, struct members *ret);
/* NULL: no leader is known. */
const struct member *members_leader(const struct members *m);

/* Append the host of an address as a JSON string, and say its port; all of it and 0 for a path. */
uint16_t members_put_host(struct buf *to, const char *address);

#endif
