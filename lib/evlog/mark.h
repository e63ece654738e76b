/*
 * mark: how far a model has come, and what it was made by.  Pure.
 *
 * A model keeps it where its rows are, so that it tells the truth also when the model is copied,
 * restored or removed apart from the store.
 */
#ifndef SHOAL_EVLOG_MARK_H
#define SHOAL_EVLOG_MARK_H

#include <stdint.h>

#include "evlog/cursor_slot.h"

struct mark {
	uint64_t sequence;                      /* of the last event that is in the model */
	uint64_t event_ns;                      /* when that was recorded; 0: not known */
	char program[CURSOR_PROGRAM_LEN + 1];   /* BLAKE2b-128 of its text, in hex */
	char selector[CURSOR_SELECTOR_MAX + 1]; /* "order-*", "--all" */
};

#endif
