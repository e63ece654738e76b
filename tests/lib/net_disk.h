/*
 * net_disk: a disk in memory for one node of the Raft core: what is durable, and the writes that
 * are not yet.
 */
#ifndef SHOAL_TESTS_LIB_NET_DISK_H
#define SHOAL_TESTS_LIB_NET_DISK_H

#include "raft/raft.h"

struct net_write;

struct net_disk {
	/* What is durable. */
	uint64_t term, vote;
	struct raft_point base;
	struct raft_entry *entries; /* with data of their own */
	size_t count, capacity;
	/* Writes that were given out since, the oldest first. */
	struct net_write *writes;
};

void net_disk_done(struct net_disk *d);
/* An entry, durable. */
void net_disk_add(struct net_disk *d, const struct raft_entry *e);
/* Take the write of a step. */
void net_disk_write(struct net_disk *d, const struct raft_output *out);
/* The oldest write becomes durable; its number, 0 when there is none. */
uint64_t net_disk_sync(struct net_disk *d);
/* What is not durable is lost. */
void net_disk_crash(struct net_disk *d);
size_t net_disk_unsynced(const struct net_disk *d);

#endif
