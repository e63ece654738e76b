#include "lin/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN   64
#define ENTRY_WORDS 10 /* the state, top and missing_n */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t config_hash(const struct lin_config *x)
{
	uint64_t h = mix(x->hash ^ x->state.value);

	h = mix(h + x->state.version) ^ x->state.floor;
	h = mix(h + 1);
	return mix(h ^ x->state.owner ^ 0x9e3779b97f4a7c15);
}

size_t lin_cache_bytes(const struct lin_cache *c)
{
	return (c->mask + 1) * 2 * sizeof(*c->slots) + c->len * sizeof(*c->words);
}

static void *grow(const struct lin_cache *c, void *p, size_t bytes)
{
	return bytes > c->bytes_max ? NULL : realloc(p, bytes);
}

static void move_slots(struct lin_cache *c, const uint64_t *old, size_t old_n)
{
	for (size_t i = 0; i < old_n; i++) {
		size_t at = old[2 * i] & c->mask;

		if (old[2 * i + 1] == 0)
			continue;
		while (c->slots[2 * at + 1] != 0)
			at = (at + 1) & c->mask;
		memcpy(c->slots + 2 * at, old + 2 * i, 2 * sizeof(*old));
	}
}

/*
 * Slots for twice as many entries, or the first ones.  The memory of a search that
 * is over serves the next one, from few slots on again: a small history clears few.
 */
static int grow_slots(struct lin_cache *c)
{
	size_t old_n = c->entries > 0 ? c->mask + 1 : 0;
	size_t n = old_n > 0 ? 2 * old_n : SLOTS_MIN;
	uint64_t *old = NULL;

	if (old_n > 0) {
		old = malloc(old_n * 2 * sizeof(*old));
		if (old == NULL)
			return -1;
		memcpy(old, c->slots, old_n * 2 * sizeof(*old));
	}
	if (n > c->slots_cap) {
		uint64_t *p = grow(c, c->slots, n * 2 * sizeof(*p));

		if (p == NULL) {
			free(old);
			return -1;
		}
		c->slots = p;
		c->slots_cap = n;
	}
	memset(c->slots, 0, n * 2 * sizeof(*c->slots));
	c->mask = n - 1;
	if (old != NULL)
		move_slots(c, old, old_n);
	free(old);
	return 0;
}

static bool same(const struct lin_cache *c, size_t place, const struct lin_config *x)
{
	const uint32_t *w = c->words + place;

	return memcmp(w, &x->state, sizeof(x->state)) == 0 && w[8] == x->top &&
	       w[9] == x->missing_n &&
	       memcmp(w + ENTRY_WORDS, x->missing, x->missing_n * sizeof(*x->missing)) == 0;
}

/* The place of a copy, or 0. */
static size_t put(struct lin_cache *c, const struct lin_config *x)
{
	size_t place = c->len > 0 ? c->len : 1;
	size_t need = place + ENTRY_WORDS + x->missing_n;

	_Static_assert(sizeof(x->state) == 8 * sizeof(uint32_t), "the state has no padding");
	if (need > c->cap) {
		size_t cap = need + need / 2 + 1024;
		uint32_t *p = grow(c, c->words, cap * sizeof(*p));

		if (p == NULL)
			return 0;
		c->words = p;
		c->cap = cap;
	}
	memcpy(c->words + place, &x->state, sizeof(x->state));
	c->words[place + 8] = x->top;
	c->words[place + 9] = x->missing_n;
	if (x->missing_n > 0)
		memcpy(c->words + place + ENTRY_WORDS, x->missing,
		       x->missing_n * sizeof(*x->missing));
	c->len = place + ENTRY_WORDS + x->missing_n;
	return place;
}

enum lin_cache_result lin_cache_add(struct lin_cache *c, const struct lin_config *x)
{
	uint64_t hash = config_hash(x);
	size_t at;

	if ((c->entries == 0 || c->entries * 4 > c->mask * 3) && grow_slots(c) < 0)
		return LIN_CACHE_FULL;
	for (at = hash & c->mask; c->slots[2 * at + 1] != 0; at = (at + 1) & c->mask)
		if (c->slots[2 * at] == hash && same(c, c->slots[2 * at + 1], x))
			return LIN_CACHE_SEEN;
	c->slots[2 * at] = hash;
	c->slots[2 * at + 1] = put(c, x);
	if (c->slots[2 * at + 1] == 0)
		return LIN_CACHE_FULL;
	c->entries++;
	return lin_cache_bytes(c) > c->bytes_max ? LIN_CACHE_FULL : LIN_CACHE_NEW;
}

void lin_cache_clear(struct lin_cache *c)
{
	c->entries = 0;
	c->mask = 0;
	c->len = 0;
}

void lin_cache_done(struct lin_cache *c)
{
	free(c->slots);
	free(c->words);
	*c = (struct lin_cache){.bytes_max = c->bytes_max};
}
