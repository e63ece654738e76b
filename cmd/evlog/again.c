#include "again.h"

#include "base/backoff.h"
#include "os/clock.h"
#include "os/rand.h"

int64_t again_delay_ns(uint32_t tries, struct err *e)
{
	static const struct backoff pauses = {100 * CLOCK_NS_PER_MS, 30 * CLOCK_NS_PER_SEC};
	uint64_t random;

	if (rand_bytes(&random, sizeof(random), e) < 0)
		return -1;
	return backoff_delay_ns(&pauses, tries, random);
}
