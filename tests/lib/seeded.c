#include "seeded.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t seeded(void)
{
	const char *given = getenv("SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

	printf("# SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

uint64_t seeded_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t seeded_below(uint64_t *state, uint64_t n)
{
	return seeded_next(state) % n;
}

uint64_t seeded_any_size(uint64_t *state)
{
	uint64_t x = seeded_next(state);

	return x >> seeded_next(state) % 64;
}

static bool is_set(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && *v != '\0';
}

unsigned seeded_rounds(unsigned n)
{
	if (is_set("SOAK"))
		return 20 * n;
	return is_set("SHOAL_SAN") ? (n + 9) / 10 : n;
}
