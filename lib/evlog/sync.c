/*
 * sync: group commit between processes that know nothing of each other.
 *
 * Whoever finds the sync lock free syncs for all who have written so far; the rest sleep on a
 * futex until the durable sequence has passed theirs.  The kernel frees the lock of a process that
 * is killed, and sleepers wake by themselves now and then, so a dead leader delays nobody for
 * long.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "evlog/append.h"
#include "evlog/store_impl.h"
#include "os/futex.h"

#define LEADER_CHECK_NS 10000000 /* a sleeper looks after a leader that died this often */

static void wake(struct ctl *c)
{
	__atomic_add_fetch(&c->gen, 1, __ATOMIC_ACQ_REL);
	(void)futex_wake_all(&c->gen);
}

static int poisoned(const struct ctl *c, struct err *e)
{
	return err_set(e, EVLOG_POISONED,
	               "a sync failed earlier (%s): what was written since is not acknowledged, "
	               "writers stop; check the disk, then 'evlog repair'",
	               strerror((int)ctl_get32(&c->poison)));
}

/*
 * A failed sync is final (the kernel has dropped the dirty pages' mark): no writer may go on as if
 * it had not happened, in this boot or the next.
 */
void sync_poison(struct evlog *s, int code)
{
	char text[160];
	struct err ignored;
	int n = snprintf(text, sizeof(text), "%d %s\ndurable %llu\n", code, strerror(code),
	                 (unsigned long long)ctl_get(&s->ctl->durable));

	ctl_set32(&s->ctl->poison, (uint32_t)code);
	(void)file_replace(s->io, s->dir, POISON_NAME, text, (size_t)n, s->mode, &ignored);
	wake(s->ctl);
}

/* Sync all that is written now; under the sync lock. */
static int sync_all(struct evlog *s, struct err *e)
{
	struct ctl *c = s->ctl;
	uint64_t base, written;

	do {
		if (store_refresh(s, e) < 0)
			return -1;
		base = ctl_get(&c->base);
		written = ctl_get(&c->written);
	} while (base != s->log_base || base != ctl_get(&c->base));
	if (s->io->fdatasync(s->log_fd) < 0) {
		err_set(
		    e, EVLOG_POISONED,
		    "sync of the log: %s: the events are not acknowledged, writers stop; check the "
		    "disk, then 'evlog repair'",
		    strerror(errno));
		sync_poison(s, errno);
		return -1;
	}
	__atomic_add_fetch(&c->syncs, 1, __ATOMIC_RELAXED);
	/* A roll may have gone further meanwhile: never back. */
	for (uint64_t seen = ctl_get(&c->durable); seen < written;)
		if (__atomic_compare_exchange_n(&c->durable, &seen, written, false,
		                                __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			break;
	return 0;
}

int evlog_sync(struct evlog *s, uint64_t sequence, struct err *e)
{
	struct ctl *c = s->ctl;

	while (ctl_get(&c->durable) < sequence) {
		uint32_t gen = ctl_get32(&c->gen);
		int r;

		if (ctl_get32(&c->poison) != 0)
			return poisoned(c, e);
		r = file_try_lock(s->lock, LOCK_SYNC, FILE_LOCK_EXCLUSIVE, e);
		if (r < 0)
			return -1;
		if (r > 0) {
			if (ctl_get(&c->durable) < sequence)
				r = ctl_get32(&c->poison) != 0 ? poisoned(c, e) : sync_all(s, e);
			file_unlock(s->lock, LOCK_SYNC);
			wake(c);
			if (r < 0)
				return -1;
		} else if (ctl_get(&c->durable) < sequence) {
			(void)futex_wait(&c->gen, gen, LEADER_CHECK_NS);
		}
	}
	if (s->epoch != ctl_get32(&c->epoch))
		return err_set(e, EVLOG_POISONED,
		               "a sync failed, and repair has cut what it left "
		               "undecided: the events are not acknowledged");
	return 0;
}

void evlog_sync_for(struct evlog *s, const struct evlog *writer)
{
	s->epoch = writer->epoch;
}

bool evlog_wait(struct evlog *s, uint64_t seen, int64_t timeout_ms)
{
	uint32_t gen = ctl_get32(&s->ctl->gen);

	/* Who waits for long keeps no file from being freed. */
	segments_check(s);
	if (ctl_get(&s->ctl->durable) > seen)
		return true;
	(void)futex_wait(&s->ctl->gen, gen, timeout_ms * 1000000);
	return ctl_get(&s->ctl->durable) > seen;
}

uint64_t evlog_durable(const struct evlog *s)
{
	return ctl_get(&s->ctl->durable);
}

uint64_t evlog_written(const struct evlog *s)
{
	return ctl_get(&s->ctl->written);
}
