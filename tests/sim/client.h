/*
 * client: those who use the simulated cluster, one operation at a time each, and the history of
 * what they were told.
 */
#ifndef SHOAL_SIM_CLIENT_H
#define SHOAL_SIM_CLIENT_H

#include "base/buf.h"
#include "kv/command.h"
#include "kv/result.h"
#include "lin/lin.h"
#include "world.h"

#define CLIENTS_MAX     16
#define KEYS            8 /* k0 .. k7 */
#define LOCKS           3 /* l0 .. l2 */
#define LOCK_TTL_MAX_MS 12000

enum op_kind {
	OP_PUT,
	OP_GET,
	OP_GET_LOCK,
	OP_STALE,
	OP_CAS,
	OP_DELETE,
	OP_DELETE_CAS,
	OP_TXN,
	OP_ONCE,
	OP_SESSION,
	OP_RENEW,
	OP_DESTROY,
	OP_LOCK,
	OP_UNLOCK,
	OP_KINDS
};

struct history {
	struct lin_op *ops;
	size_t count, cap;
};

struct client {
	unsigned place;
	uint64_t name; /* in the history: a new one after each unknown outcome */
	uint64_t op;   /* the number of the one under way; 0: none */
	enum op_kind kind;
	unsigned key, key2; /* numbers of histories: locks behind keys */
	size_t at, at2;     /* in their histories */
	uint64_t value;
	uint64_t begun, sent, patience_ns;
	unsigned tries;
	bool may_be_done; /* an earlier try had no answer */
	uint64_t guess;   /* a node's id */
	struct buf command;
	uint64_t versions[KEYS];                   /* as read last */
	uint64_t session, session_ttl_ns, renewed; /* 0: none */
	uint64_t ending;                           /* a session that may still end */
	int lock;                                  /* that it holds, or -1 */
	uint64_t once_name, once_seq;
	uint64_t served; /* when it last asked for what then was done */
};

struct clients {
	struct client client[CLIENTS_MAX];
	unsigned count;
	struct history history[KEYS + LOCKS];
	uint64_t next_op, next_value, next_session, next_once, next_name;
	unsigned last_key; /* of the last write that was done */
	bool stop;
	size_t pad; /* the most bytes of a value behind its number */
};

/* What travels between clients and nodes. */
struct request {
	uint64_t op;
	uint64_t node; /* its id */
	bool reads, stale;
	unsigned key;
	size_t len;
	char bytes[];
};

enum outcome {
	OUTCOME_DONE,
	OUTCOME_REFUSED, /* nothing was done; ask another */
	OUTCOME_NEVER    /* another leader's entry has its place */
};

struct answer {
	uint64_t op;
	enum outcome outcome;
	uint64_t leader; /* a hint */
	uint8_t code;
	uint64_t modify, fence;
	uint64_t value, version, owner; /* of a read */
};

/* A proposal whose entry is not applied yet. */
struct pending {
	struct raft_point at;
	unsigned client;
	uint64_t op;
};

/* The name of a key or lock, by its number. */
struct span client_key(unsigned number, char name[8]);

/* op.c: make the next operation: its command, and where it stands in the histories. */
void op_choose(struct world *w, struct client *c);
/* What its answer means. */
void op_done(struct world *w, struct client *c, const struct answer *a);
/* It gets no answer. */
void op_unknown(struct world *w, struct client *c);
/* It was never done, and is not tried again. */
void op_drop(struct world *w, struct client *c);

#endif
