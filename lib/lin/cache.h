/*
 * cache: the configurations that a search has already been in.
 *
 * Pure.  A configuration is a set of operations and the state that they lead to.  The set is told
 * by the greatest number in it and the numbers below that one which are missing: few, because
 * only operations that overlap can be missing (Porcupine keeps a bitset of all, which is quadratic
 * for long histories).  Compared as a whole, so that a collision of hashes hides nothing.
 */
#ifndef SHOAL_LIN_CACHE_H
#define SHOAL_LIN_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "lin/model.h"

struct lin_cache {
	uint64_t *slots; /* hash of the entry, and behind it its place: two words each */
	size_t mask;     /* of the slots in use, a power of two less one */
	size_t slots_cap;
	size_t entries;
	uint32_t *words; /* the entries, one behind the other; place 0 is none */
	size_t len;
	size_t cap;
	size_t bytes_max; /* for both arrays */
};

struct lin_config {
	uint64_t hash; /* of the set alone */
	struct lin_state state;
	const uint32_t *missing;
	uint32_t missing_n;
	uint32_t top; /* the greatest number in the set */
};

enum lin_cache_result { LIN_CACHE_NEW, LIN_CACHE_SEEN, LIN_CACHE_FULL };

/* Add the configuration unless it is there.  FULL: over bytes_max, or out of memory. */
enum lin_cache_result lin_cache_add(struct lin_cache *c, const struct lin_config *x);

/* Forget all entries, keep the memory. */
void lin_cache_clear(struct lin_cache *c);
void lin_cache_done(struct lin_cache *c);

size_t lin_cache_bytes(const struct lin_cache *c);

#endif
