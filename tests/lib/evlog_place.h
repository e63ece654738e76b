/*
 * evlog_place: a new store in a directory of its own, for one test.
 *
 * For cmocka tests: each function fails the test when it cannot do its work.
 */
#ifndef SHOAL_TESTS_LIB_EVLOG_PLACE_H
#define SHOAL_TESTS_LIB_EVLOG_PLACE_H

#include "evlog_check.h"

struct evlog_place {
	char *dir; /* is the store */
	struct evlog *s;
	struct acks acks;
	struct err e;
};

struct evlog_place evlog_place_new(uint64_t segment_size);

/* Whatever a test did, the store has to be sound in the end, with all of p->acks. */
void evlog_place_end(struct evlog_place *p);

/* The versions that are read of a stream, "3 4 5". */
const char *evlog_place_versions(struct evlog_place *p, const char *stream, uint32_t from,
                                 uint32_t to);

#endif
