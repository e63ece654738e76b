/*
 * store: an event store, a directory that any number of processes use at once.
 *
 *	FORMAT    "evlog 1", the store's uuid and settings; written once
 *	lock      locks of open file descriptions, a byte each (enum store_lock)
 *	ctl       shared page (ctl.h), disposable
 *	log/      the events: text, one line each, in segments named by their first sequence
 *	index/    disposable: active (active.h), runs (run.h), offsets of sealed segments
 *	lost/     what recovery and repair cut away, and their record
 *
 * evlog-format(5) describes every file.  struct evlog is one process' view; it is not
 * thread-safe, and not to be used on both sides of a fork.  No function reads the wall clock or
 * makes random bytes: callers bring them.
 *
 * Errors carry an errno value, or one of enum evlog_error, which have exit codes of their own.
 */
#ifndef SHOAL_EVLOG_STORE_H
#define SHOAL_EVLOG_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "evlog/model.h"
#include "os/file.h"

#define EVLOG_SEGMENT_MIN     (16u << 10)
#define EVLOG_SEGMENT_DEFAULT (64u << 20)
#define EVLOG_SEGMENT_MAX     (1u << 30)

struct evlog;

struct evlog_config {
	const struct io *io;     /* NULL: io_os */
	int64_t lock_timeout_ms; /* to wait for the writer lock; < 0 for ever */
	bool no_recover;         /* for verify: look, change nothing, bring nothing in order */
	int64_t now_ns;          /* evlog_set_time() */
};

struct evlog_init {
	const struct io *io;
	bool shared;            /* 2770 and 0660 for the group, else 0700 and 0600 */
	uint64_t segment_size;  /* 0: EVLOG_SEGMENT_DEFAULT */
	unsigned char uuid[16]; /* random */
	int64_t now_ns;
};

/* Make a store; directories above it must be there.  EEXIST when there is one. */
int evlog_create(const char *path, const struct evlog_init *init, struct err *e);

/*
 * Open a store.  Brings it in order first when a process or the machine died: cuts a torn tail,
 * makes the index anew.  Damage is no reason to fail: it stops writers, not readers.
 * *ret_note gets a line for people about each thing that was cut or lost (may stay empty).
 */
struct evlog *evlog_open(const char *path, const struct evlog_config *cfg, struct buf *ret_note,
                         struct err *e);
void evlog_close(struct evlog *s);

/* The wall clock's time, for rules of retention by age.  0: nothing is too old. */
void evlog_set_time(struct evlog *s, int64_t now_ns);

/*
 * Writers wait for the lock as before, but look every STORE_SLICE_MS whether to go on: when stop()
 * says true the call fails with EINTR and nothing was written.  For who keeps signals blocked.
 * NULL takes it back.  Such a waiter may miss its turn, see file_lock().
 */
#define STORE_SLICE_MS 100
typedef bool evlog_stop_fn(void *arg);
void evlog_set_stop(struct evlog *s, evlog_stop_fn *stop, void *arg);

/* The store's path, absolute, as it was when it was opened. */
const char *evlog_path(const struct evlog *s);

/* The store's uuid, 16 bytes: sequences mean something in the store of this uuid only. */
const unsigned char *evlog_uuid(const struct evlog *s);

/* The last component of the store's path: events without a source come from "/evlog/NAME". */
const char *evlog_name(const struct evlog *s);

/* The last sequence that is on disk: no reader goes beyond.  0: no event. */
uint64_t evlog_durable(const struct evlog *s);

/* Wait until evlog_durable() passes `seen`, or timeout_ms; true when it did. */
bool evlog_wait(struct evlog *s, uint64_t seen, int64_t timeout_ms);

#endif
