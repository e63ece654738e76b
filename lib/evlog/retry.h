/*
 * retry: what a command does when other events came first: try again after a pause, take the
 * stream's turn (turn.h), or give up.
 *
 * Pure.  The first conflicts are answered by a pause that grows and is jittered (backoff.h): when
 * few meet, that is all they need.  Who has lost RETRY_TURN_AFTER times takes turns.
 */
#ifndef SHOAL_EVLOG_RETRY_H
#define SHOAL_EVLOG_RETRY_H

#include <stdint.h>

#define RETRY_TURN_AFTER 3
#define RETRY_BASE_NS    INT64_C(5000000)   /* the pause after the first conflict */
#define RETRY_MAX_NS     INT64_C(200000000) /* no pause is longer */

enum retry_step {
	RETRY_PAUSE,  /* wait for the delay, then try again */
	RETRY_TURN,   /* try again with the turn, at once; at most until the deadline */
	RETRY_GIVE_UP /* it has been tried for long enough */
};

/* Zeroed, then for_ns is set. */
struct retry {
	int64_t for_ns;      /* from the first conflict on; 0: never again */
	uint32_t conflicts;  /* so far */
	int64_t deadline_ns; /* of the last try; known after the first conflict */
};

/*
 * There was a conflict.  now_ns is of a clock that never goes back, random any 64 random bits.
 * *ret_delay_ns is 0 unless the step is RETRY_PAUSE; a pause ends at the deadline at the latest,
 * so that with any for_ns > 0 there is a second try.
 */
enum retry_step retry_conflict(struct retry *r, int64_t now_ns, uint64_t random,
                               int64_t *ret_delay_ns);

#endif
