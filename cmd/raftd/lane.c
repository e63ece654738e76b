#include "lane.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "os/clock.h"

static bool is_full(const struct err *e)
{
	return e->code == ENOSPC || e->code == EDQUOT || e->code == EFBIG;
}

/* With the mutex: wait until the disk may have room again; false: we are to stop. */
static bool wait_for_room(struct lane *l)
{
	struct timespec at;

	l->full = true;
	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += LANE_FULL_RETRY_MS * CLOCK_NS_PER_MS;
	if (at.tv_nsec >= CLOCK_NS_PER_SEC) {
		at.tv_nsec -= CLOCK_NS_PER_SEC;
		at.tv_sec++;
	}
	while (!l->stop && pthread_cond_timedwait(&l->changed, &l->mutex, &at) == 0)
		;
	return !l->stop;
}

/* With the mutex, which is free while the disk works.  A sync is never tried again. */
static int work(struct lane *l, struct err *e)
{
	bool again;
	int r;

	do {
		pthread_mutex_unlock(&l->mutex);
		r = replica_work_write(l->replica, l->which, e);
		again = r < 0 && is_full(e);
		if (r == 0)
			r = replica_work_sync(l->replica, l->which, e);
		pthread_mutex_lock(&l->mutex);
	} while (again && wait_for_room(l));
	return r;
}

static void *run(void *arg)
{
	struct lane *l = arg;

	pthread_mutex_lock(&l->mutex);
	while (!l->stop || l->state == LANE_GIVEN) {
		int64_t began;

		if (l->state != LANE_GIVEN) {
			pthread_cond_wait(&l->changed, &l->mutex);
			continue;
		}
		began = clock_mono_ns();
		l->failed = work(l, &l->err) < 0;
		l->full = false;
		l->job_ns = (uint64_t)(clock_mono_ns() - began);
		l->state = LANE_DONE;
		(void)uv_async_send(l->wake);
	}
	pthread_mutex_unlock(&l->mutex);
	return NULL;
}

/* Signals are the loop's. */
static int start_thread(struct lane *l)
{
	sigset_t all;
	sigset_t before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int lane_start(struct lane *l, struct replica *r, enum replica_lane which, uv_async_t *wake,
               struct err *e)
{
	pthread_condattr_t attr;
	int failure;

	*l = (struct lane){.replica = r, .which = which, .wake = wake};
	pthread_mutex_init(&l->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	failure = start_thread(l);
	if (failure != 0)
		return err_set(e, failure, "start a thread: %s", strerror(failure));
	l->started = true;
	return 0;
}

void lane_give(struct lane *l)
{
	pthread_mutex_lock(&l->mutex);
	l->state = LANE_GIVEN;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->mutex);
}

int lane_take(struct lane *l, uint64_t *ret_ns, struct err *e)
{
	int r = 0;

	pthread_mutex_lock(&l->mutex);
	if (l->state == LANE_DONE) {
		l->state = LANE_IDLE;
		*ret_ns = l->job_ns;
		r = l->failed ? -1 : 1;
		if (l->failed)
			*e = l->err;
	}
	pthread_mutex_unlock(&l->mutex);
	return r;
}

bool lane_is_busy(struct lane *l)
{
	bool busy;

	pthread_mutex_lock(&l->mutex);
	busy = l->state != LANE_IDLE;
	pthread_mutex_unlock(&l->mutex);
	return busy;
}

bool lane_is_full(struct lane *l)
{
	bool full;

	pthread_mutex_lock(&l->mutex);
	full = l->full;
	pthread_mutex_unlock(&l->mutex);
	return full;
}

void lane_stop(struct lane *l)
{
	if (!l->started)
		return;
	pthread_mutex_lock(&l->mutex);
	l->stop = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->mutex);
	(void)pthread_join(l->thread, NULL);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->mutex);
	l->started = false;
}
