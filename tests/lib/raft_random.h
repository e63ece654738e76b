/*
 * raft_random: configurations and messages that could be, of a seed.
 */
#ifndef SHOAL_TESTS_LIB_RAFT_RANDOM_H
#define SHOAL_TESTS_LIB_RAFT_RANDOM_H

#include <stdint.h>

#include "raft/conf.h"
#include "raft/message.h"

/* At least one voter, at most `max` members with ids 1 to 99; one in two is joint. */
void raft_random_conf(uint64_t *rand, uint32_t max, struct raft_conf *ret);

#define RAFT_RANDOM_ENTRIES 5
#define RAFT_RANDOM_DATA    40

/* What a random message points to. */
struct raft_random_room {
	struct raft_conf conf;
	struct raft_entry entries[RAFT_RANDOM_ENTRIES];
	char data[RAFT_RANDOM_DATA];
};

/* A message of that type; it is valid as long as its room. */
struct raft_message raft_random_message(uint64_t *rand, enum raft_message_type type,
                                        struct raft_random_room *room);

#endif
