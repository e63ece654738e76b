/*
 * handle: one command on one stream, for handle.c, which makes attempts, and settle.c, which makes
 * an attempt final.
 */
#ifndef SHOAL_EVLOG_CMD_HANDLE_H
#define SHOAL_EVLOG_CMD_HANDLE_H

#include "decide.h"
#include "evlog/retry.h"
#include "fold.h"
#include "handled.h"
#include "status.h"

struct handle {
	struct place place;
	struct evlog *s;
	struct span stream;
	struct fold_spec spec;
	struct fold fold;
	const char *command_file;
	struct buf command; /* compact JSON */
	bool dry_run, quiet;
	struct sig sig;
	struct status status;

	struct decide_spec decide;
	struct decided decided;
	struct buf env;
	struct buf line; /* for DECIDE */
	uint32_t tries;

	struct span id;         /* of the command; len 0: none */
	struct handled handled; /* with an id only */
	struct event_parser parser;
	struct commit *commit;
	struct rand_pool pool;

	struct retry retry;
	struct turn turn;
	int64_t turn_until_ns;
};

/* The version that the state is of. */
struct expect handle_expected(const struct handle *h);

/*
 * settle.c.  Write what was decided: 1, it is on disk, and *o is what came of it, also when
 * somebody else has carried out the same command; 0: other events came first, it is time for
 * another attempt.
 */
int handle_commit(struct handle *h, struct outcome *o);

/* Print the receipt; the exit status. */
int handle_report(struct handle *h, const struct outcome *o);

/* The barrier before each attempt.  Nobody may keep us there for longer than a turn. */
void handle_pass_turn(struct handle *h);

/* For evlog_set_stop(): a signal is there.  arg: struct handle. */
bool handle_is_told_to_end(void *arg);

/* Write the line of --status-fd that was put together. */
void handle_tell(struct handle *h);

#endif
