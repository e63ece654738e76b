/*
 * again: when a command that was run for a batch asks for another try (exit 75), how long until
 * then.  The first pause is short, for one that was unlucky; 30 s are the longest, for one whose
 * database is away.
 */
#ifndef SHOAL_EVLOG_CMD_AGAIN_H
#define SHOAL_EVLOG_CMD_AGAIN_H

#include <stdint.h>

#include "base/err.h"

/* The pause in ns after `tries` tries, at least one, jittered (backoff.h); -1: no random bytes. */
int64_t again_delay_ns(uint32_t tries, struct err *e);

#endif
