/*
 * futex: wait for a word of shared memory to change (futex(2)).
 *
 * The word lies in a MAP_SHARED mapping, so that processes wait for each other.  The writer
 * stores a new value and calls futex_wake_all(); a waiter reads the word, looks at whatever the
 * word stands for, and sleeps only if the word still holds what it read:
 *
 *	for (;;) {
 *		uint32_t seen = atomic_load(&ctl->gen);
 *
 *		if (what_i_wait_for(ctl))
 *			break;
 *		if (futex_wait(&ctl->gen, seen, left_ns) < 0 && errno == ETIMEDOUT)
 *			...
 *	}
 *
 * A waiter needs no more than a readable mapping.  The kernel forgets all waiters with their
 * processes, so a killed process leaves nothing behind.
 */
#ifndef SHOAL_OS_FUTEX_H
#define SHOAL_OS_FUTEX_H

#include <stdint.h>

/*
 * Sleep while *word holds `seen`.  0: look again (the word changed, somebody woke us, a signal
 * came, or for no reason).  -1 and errno otherwise: ETIMEDOUT after timeout_ns nanoseconds of
 * monotonic time (negative: never; 0: at once), EFAULT when the mapping has lost its page.
 */
int futex_wait(const uint32_t *word, uint32_t seen, int64_t timeout_ns);

/* Wake everybody who sleeps on the word: how many, or -1 and errno. */
int futex_wake_all(const uint32_t *word);

#endif
