/*
 * swarm: which faults a seed has, and how often (swarm testing: Groce and others, ISSTA 2012).
 *
 * Each seed draws a subset of the faults and a rate for each, so that one that hides another is
 * absent in half of the seeds.
 */
#ifndef SHOAL_SIM_SWARM_H
#define SHOAL_SIM_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;
struct world;
struct happening;

enum fault {
	FAULT_POWER,
	FAULT_POWER_ALL,
	FAULT_KILL,
	FAULT_KILL_LEADER,
	FAULT_MID_STEP,
	FAULT_CLOSE,
	FAULT_PAUSE,
	FAULT_CLOCK_RATE,
	FAULT_CLOCK_JUMP,
	FAULT_SPLIT,
	FAULT_ONE_WAY,
	FAULT_BRIDGE,
	FAULT_ISOLATE,
	FAULT_FLAP,
	FAULT_SLOW_LINK,
	FAULT_ASIDE, /* a follower does not hear the leader; then the leader hears nobody */
	FAULT_NOISE, /* a time of losses, doubles, late and overtaking messages */
	FAULT_BIG_CUT,
	FAULT_SYNC_EIO,
	FAULT_FULL,
	FAULT_SHORT,
	FAULT_READ_EIO,
	FAULT_ROT_SEGMENT,
	FAULT_ROT_SNAPSHOT,
	FAULT_ROT_HEAD,
	FAULT_STALL,
	FAULT_HANG,
	FAULT_WIPE,
	FAULT_KINDS
};

struct swarm {
	uint64_t mean_ns[FAULT_KINDS]; /* between two of a kind; 0: off */
	bool leases;                   /* then clocks keep within the drift that a lease allows */
	bool jumps;
	uint64_t rate_max; /* ppm of real time */
	unsigned nodes;
	unsigned clients;
	size_t value_pad;  /* the most bytes of a value behind its number */
	uint64_t think_ns; /* of a client, on average */
	uint64_t operator_ns;
	uint64_t sync_ns;
	uint32_t heartbeat_ms, election_ms;
	uint32_t chunk_bytes, piece_bytes, inflight, message_entries;
	uint64_t trailing, trailing_max, snapshot_entries, segment_bytes;
	uint64_t uncommitted_bytes;
};

/* Draw it all, and let the first faults happen. */
void swarm_draw(struct world *w);
void swarm_begin(struct world *w);

/* This node hears nobody for a while. */
void swarm_deafen(struct world *w, struct node *n);

void swarm_fault(struct world *w, const struct happening *x);
void swarm_mend(struct world *w, const struct happening *x);

#endif
