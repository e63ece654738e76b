#include "aside.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct aside {
	aside_fn *fn;
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool busy; /* the function is to run, or does */
	bool stop;
	int result;
	struct err e;
};

static void *run(void *arg)
{
	struct aside *a = arg;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		struct err e;
		int r;

		while (!a->busy && !a->stop)
			pthread_cond_wait(&a->changed, &a->lock);
		if (!a->busy)
			break;
		pthread_mutex_unlock(&a->lock);
		r = a->fn(a->arg, &e);
		pthread_mutex_lock(&a->lock);
		a->result = r;
		if (r < 0)
			a->e = e;
		a->busy = false;
		pthread_cond_broadcast(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Signals are the main thread's: they have to wake its poll(). */
static int start_thread(struct aside *a)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&a->thread, NULL, run, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

struct aside *aside_start(aside_fn *fn, void *arg)
{
	struct aside *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->fn = fn;
	a->arg = arg;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	if (start_thread(a) == 0)
		return a;
	free(a);
	return NULL;
}

void aside_begin(struct aside *a)
{
	pthread_mutex_lock(&a->lock);
	a->busy = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

int aside_wait(struct aside *a, struct err *e)
{
	int r;

	pthread_mutex_lock(&a->lock);
	while (a->busy)
		pthread_cond_wait(&a->changed, &a->lock);
	r = a->result;
	if (r < 0)
		*e = a->e;
	pthread_mutex_unlock(&a->lock);
	return r;
}

void aside_stop(struct aside *a)
{
	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
