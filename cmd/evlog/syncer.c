/*
 * syncer: the sync of one commit goes on while the next one is read, decided and written.
 *
 * A thread with a handle of its own on the store, as another process would have: the two share
 * nothing but the request, under a mutex.  One request is under way at a time, and each commit
 * still has its own.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "evlog.h"

struct syncer {
	struct evlog *store; /* the thread's */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool busy; /* a request is under way */
	bool stop;
	uint64_t sequence;
	int result;
	struct err e;
};

static void *run(void *arg)
{
	struct syncer *y = arg;

	pthread_mutex_lock(&y->lock);
	for (;;) {
		uint64_t sequence;
		struct err e;
		int r;

		while (!y->busy && !y->stop)
			pthread_cond_wait(&y->changed, &y->lock);
		if (!y->busy)
			break;
		sequence = y->sequence;
		pthread_mutex_unlock(&y->lock);
		r = evlog_sync(y->store, sequence, &e);
		pthread_mutex_lock(&y->lock);
		y->result = r;
		if (r < 0)
			y->e = e;
		y->busy = false;
		pthread_cond_broadcast(&y->changed);
	}
	pthread_mutex_unlock(&y->lock);
	return NULL;
}

/* Signals are the main thread's: they have to wake its poll(). */
static int start_thread(struct syncer *y)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&y->thread, NULL, run, y);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

struct syncer *syncer_start(const struct evlog *s)
{
	const struct evlog_config cfg = {.lock_timeout_ms = -1};
	struct syncer *y = calloc(1, sizeof(*y));
	struct err e;

	if (y == NULL)
		return NULL;
	y->store = evlog_open(evlog_path(s), &cfg, NULL, &e);
	if (y->store == NULL) {
		free(y);
		return NULL;
	}
	pthread_mutex_init(&y->lock, NULL);
	pthread_cond_init(&y->changed, NULL);
	if (start_thread(y) == 0)
		return y;
	evlog_close(y->store);
	free(y);
	return NULL;
}

void syncer_begin(struct syncer *y, const struct evlog *writer, uint64_t sequence)
{
	pthread_mutex_lock(&y->lock);
	evlog_sync_for(y->store, writer);
	y->sequence = sequence;
	y->busy = true;
	pthread_cond_broadcast(&y->changed);
	pthread_mutex_unlock(&y->lock);
}

int syncer_wait(struct syncer *y, struct err *e)
{
	int r;

	pthread_mutex_lock(&y->lock);
	while (y->busy)
		pthread_cond_wait(&y->changed, &y->lock);
	r = y->result;
	if (r < 0)
		*e = y->e;
	pthread_mutex_unlock(&y->lock);
	return r;
}

void syncer_stop(struct syncer *y)
{
	if (y == NULL)
		return;
	pthread_mutex_lock(&y->lock);
	y->stop = true;
	pthread_cond_broadcast(&y->changed);
	pthread_mutex_unlock(&y->lock);
	pthread_join(y->thread, NULL);
	pthread_cond_destroy(&y->changed);
	pthread_mutex_destroy(&y->lock);
	evlog_close(y->store);
	free(y);
}
