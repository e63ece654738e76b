/*
 * cover: how often each class of things was reached, over a run of many seeds.
 */
#ifndef SHOAL_SIM_COVER_H
#define SHOAL_SIM_COVER_H

#include <stdint.h>
#include <stdio.h>

#define COVER_LIST(X)                                           \
	X(ELECTION, "elections won")                            \
	X(STEP_DOWN, "leaders that stepped down")               \
	X(TRANSFER, "transfers of leadership asked")            \
	X(TAKEN, "snapshots taken")                             \
	X(INSTALLED, "snapshots installed")                     \
	X(RESUMED, "snapshot transfers resumed after a crash")  \
	X(TRUNCATED, "logs truncated")                          \
	X(COMPACTED, "logs compacted")                          \
	X(CHANGE, "membership changes asked")                   \
	X(JOINT, "joint configurations committed")              \
	X(PROMOTED, "learners that became voters")              \
	X(LEADER_REMOVED, "leaders removed")                    \
	X(REPLACED, "nodes replaced under a new id")            \
	X(CONF_UNDONE, "configurations undone by a truncation") \
	X(POWER, "power losses")                                \
	X(POWER_ALL, "power losses of all nodes")               \
	X(KILL, "kills")                                        \
	X(MID_STEP, "crashes between two sends of a step")      \
	X(MID_JOB, "crashes between a write and its report")    \
	X(CLOSE, "orderly stops")                               \
	X(RESTART, "restarts")                                  \
	X(TORN, "torn tails cut")                               \
	X(PAUSE, "pauses")                                      \
	X(CLOCK_RATE, "clocks that ran at another rate")        \
	X(CLOCK_JUMP, "clocks that jumped")                     \
	X(SPLIT, "partitions")                                  \
	X(ONE_WAY, "one-way cuts")                              \
	X(BRIDGE, "bridges")                                    \
	X(ASIDE, "leaders that one follower did not hear")      \
	X(ISOLATED, "leaders isolated")                         \
	X(FLAP, "links that flapped")                           \
	X(SLOW_LINK, "slow links")                              \
	X(LOST, "messages lost")                                \
	X(DOUBLED, "messages doubled")                          \
	X(LATE, "messages that came again much later")          \
	X(OVERTAKEN, "messages that overtook others")           \
	X(BIG_CUT, "big messages cut off")                      \
	X(SYNC_EIO, "syncs that failed")                        \
	X(FULL, "writes to a full disk")                        \
	X(SHORT, "short writes")                                \
	X(READ_EIO, "reads that failed")                        \
	X(ROT_SEGMENT, "bits rotten in a sealed segment")       \
	X(ROT_SNAPSHOT, "bits rotten in a snapshot")            \
	X(ROT_HEAD, "bits rotten in the head of the log")       \
	X(REFUSED, "starts refused over damage")                \
	X(WIPED, "disks wiped")                                 \
	X(STALL, "disks that stalled")                          \
	X(HANG, "disks that hung")                              \
	X(OP, "operations of clients")                          \
	X(OP_OK, "operations done")                             \
	X(OP_UNKNOWN, "operations of unknown outcome")          \
	X(OP_LOST, "proposals overwritten by another leader")   \
	X(READ, "linearizable reads")                           \
	X(READ_FOLLOWER, "linearizable reads at followers")     \
	X(READ_LEASE, "reads under a lease")                    \
	X(READ_STALE, "stale reads")                            \
	X(TXN, "transactions")                                  \
	X(CAS_REFUSED, "compares refused")                      \
	X(LOCKED, "locks got")                                  \
	X(LOCK_REFUSED, "locks refused")                        \
	X(SESSION, "sessions")                                  \
	X(EXPIRED, "sessions expired")                          \
	X(RENEWED, "sessions renewed")                          \
	X(RETRIED, "commands sent again under their number")    \
	X(DEDUPED, "commands that were not applied again")      \
	X(WATCH, "watches that fired")                          \
	X(BUSY, "proposals refused by a limit")                 \
	X(FAULT, "faults in all")

enum cover_class {
#define COVER_ENUM(name, text) COVER_##name,
	COVER_LIST(COVER_ENUM)
#undef COVER_ENUM
	    COVER_CLASSES
};

struct cover {
	uint64_t count[COVER_CLASSES];
};

void cover_add(struct cover *to, const struct cover *from);
/* All of them, as comment lines; how many were never reached. */
unsigned cover_print(const struct cover *c, FILE *f);
void cover_print_missing(const struct cover *c, FILE *f);

#endif
