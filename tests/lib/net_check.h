/* net_check: a promise of the Raft core that does not hold ends a test program. */
#ifndef SHOAL_TESTS_LIB_NET_CHECK_H
#define SHOAL_TESTS_LIB_NET_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define NET_CHECK(x)                                                            \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

#endif
