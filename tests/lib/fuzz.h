/*
 * fuzz: what every fuzz target begins with.
 */
#ifndef SHOAL_TESTS_LIB_FUZZ_H
#define SHOAL_TESTS_LIB_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A promise that does not hold is a crash. */
#define CHECK(x)                 \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
