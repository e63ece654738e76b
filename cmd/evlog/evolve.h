/*
 * evolve: the jq program that folds events into a state, as one process that is fed.
 *
 * The program's file defines `init` and `evolve($e)`, evlog-handle(1).  The process is started
 * when there is something to fold, and lives until evolve_close(): events may be added after each
 * evolve_state().  Events go to it in batches, because what jq costs for each try/catch is a copy
 * of the state.
 *
 * Results are those of coproc.h: COPROC_FAILED with EBADMSG in *e when the program is at fault,
 * COPROC_TIMEOUT when it took longer than timeout_ms over a piece of its work, COPROC_SIGNAL.
 */
#ifndef SHOAL_EVLOG_CMD_EVOLVE_H
#define SHOAL_EVLOG_CMD_EVOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "evlog/snapshot.h"
#include "os/jq.h"

struct evolve_spec {
	const char *file;
	const char *init;      /* JSON instead of the program's `init`; NULL: none */
	int64_t timeout_ms;    /* for a pipe full of events, and for the state; < 0: none */
	const struct sig *sig; /* NULL: none */
};

#define EVOLVE_PIECE  (256u << 10) /* bytes of a batch, at most one event more */
#define EVOLVE_EVENTS 256u         /* events of a batch */

struct evolve;

/* Read the program; ends the program of ours when that cannot be. */
struct evolve *evolve_open(const struct evolve_spec *spec);
void evolve_close(struct evolve *v);

/*
 * A hash of all that makes the state; false when that cannot be told, because the program imports
 * modules.
 */
bool evolve_hash(const struct evolve *v, unsigned char ret[SNAPSHOT_PROGRAM_LEN]);

/* The state is now the initial one, or this one. */
void evolve_reset(struct evolve *v);
void evolve_set(struct evolve *v, struct span state);

/* Where to append the JSON of the next event, and then say that it is there. */
struct buf *evolve_event(struct evolve *v);
enum coproc_result evolve_event_done(struct evolve *v, struct err *e);

/* The state after all of them, one line of JSON; borrowed until the next call for v. */
enum coproc_result evolve_state(struct evolve *v, struct span *ret, struct err *e);

/* The exit status for COPROC_FAILED. */
int evolve_status(const struct err *e);

#endif
