/*
 * lane: a thread that does the disk's work of a replica, one job at a time, for the loop.
 *
 * The loop's thread begins and ends jobs (replica_work_begin(), replica_work_end()); the lane's
 * thread only writes and syncs.  A full disk is waited out here, with a try every
 * LANE_FULL_RETRY_MS: nothing is lost meanwhile, and the core sees a disk that stands still.
 */
#ifndef SHOAL_RAFTD_LANE_H
#define SHOAL_RAFTD_LANE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/err.h"
#include "replica/replica.h"

#define LANE_FULL_RETRY_MS 100

enum lane_state {
	LANE_IDLE,
	LANE_GIVEN, /* the thread has it */
	LANE_DONE   /* the loop is to end it */
};

struct lane {
	/* The loop's. */
	struct replica *replica;
	enum replica_lane which;
	uv_async_t *wake; /* of the loop, when a job is done */
	bool started;

	/* Both, under the mutex. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	enum lane_state state;
	bool stop;
	bool failed;
	bool full;       /* the disk is, at this moment */
	struct err err;  /* why it failed */
	uint64_t job_ns; /* how long write and sync took */
	pthread_t thread;
};

int lane_start(struct lane *l, struct replica *r, enum replica_lane which, uv_async_t *wake,
               struct err *e);
/* Give the thread the job that replica_work_begin() has begun. */
void lane_give(struct lane *l);
/* 1: a job is done, *ret_ns is what it took; 0: none is; -1: it failed, and the node has to end. */
int lane_take(struct lane *l, uint64_t *ret_ns, struct err *e);
bool lane_is_busy(struct lane *l);
bool lane_is_full(struct lane *l);
/* Wait for the job under way (one that waits for room is given up), and end the thread. */
void lane_stop(struct lane *l);

#endif
