/*
 * seeded: random numbers of a test, which prints its seed and takes it back from $SEED.
 *
 *	uint64_t rand = seeded();
 *	... seeded_below(&rand, 10) ...
 */
#ifndef SHOAL_TESTS_LIB_SEEDED_H
#define SHOAL_TESTS_LIB_SEEDED_H

#include <stdint.h>

/* A state for the calls below, from $SEED or the time; prints "SEED=n". */
uint64_t seeded(void);

/* The next 64 random bits (SplitMix64: Steele, Lea, Flood, OOPSLA 2014). */
uint64_t seeded_next(uint64_t *state);

/* A number below n, n > 0. */
uint64_t seeded_below(uint64_t *state, uint64_t n);

/* A number of a random size: as many small ones as large ones. */
uint64_t seeded_any_size(uint64_t *state);

/* How often to do it: n times, a tenth of it under a sanitizer, twenty times as often in soak. */
unsigned seeded_rounds(unsigned n);

#endif
