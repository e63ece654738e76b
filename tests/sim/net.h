/*
 * net: the simulated network: for each pair of places a link with its delay, its order, its
 * bandwidth, and what goes wrong on it.
 */
#ifndef SHOAL_SIM_NET_H
#define SHOAL_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct world;
struct raft_message;

#define NET_PLACES 16

struct link {
	bool cut;
	bool flaps;           /* cut and whole in turn, by the clock */
	uint32_t bytes_per_s; /* 0: no limit */
	uint64_t busy_until;
	uint64_t last_at; /* of the delivery before; order is kept from it on */
};

struct net {
	struct link links[NET_PLACES][NET_PLACES]; /* from, to */
	uint64_t delay_ns;                         /* the least */
	uint64_t spread_ns;                        /* the mean of what comes on top */
	uint32_t lose_ppm, double_ppm, late_ppm, reorder_ppm;
	size_t big; /* messages above it are cut off, at big_ppm; 0: none */
	uint32_t big_ppm;
	uint64_t flap_ns;
};

/* A message under way; shared by its doubles. */
struct packet {
	unsigned refs;
	uint32_t from_place;
	uint64_t to; /* a node's id */
	size_t len;
	char bytes[];
};

void net_send(struct world *w, uint32_t from_place, uint64_t to, struct span bytes);
void packet_drop(struct packet *p);

/* Is the link open now? */
bool net_open(const struct world *w, uint32_t from, uint32_t to);
void net_cut(struct world *w, uint32_t from, uint32_t to, bool cut);
/* All links between these places (bits) are whole, fast and in order. */
void net_heal(struct world *w, uint64_t places);

#endif
