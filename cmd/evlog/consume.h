/*
 * consume: what consume.c, which starts a command for each batch, and stream.c, which talks to one
 * command all the time, have in common.
 *
 * Everything that can end a consumer returns up to consume_run() as an exit status, so that the
 * last status line is always written; CONSUME_ON means that nothing ends it.
 */
#ifndef SHOAL_EVLOG_CMD_CONSUME_H
#define SHOAL_EVLOG_CMD_CONSUME_H

#include "feed.h"
#include "os/coproc.h"
#include "status.h"

#define CONSUME_ON         (-1)
#define CONSUME_KILL_AFTER 5000             /* ms between TERM and KILL */
#define CONSUME_SAVE_NS    CLOCK_NS_PER_SEC /* the cursor follows what is not selected */

struct consumer {
	struct place place;
	struct claim claim;
	struct query q;
	char **command;
	size_t count;
	bool follow, stream, skip_damaged;
	uint64_t max_tries; /* 0: no limit */
	int64_t timeout_ns; /* of a batch; 0: none */
	/* At work: */
	struct evlog *s;
	struct cursor *cursor;
	struct feed *feed;
	struct sig sig;
	int signal; /* the first that came: end after this batch; 0: none */
	struct status status;
	int64_t saved_ns; /* when the cursor was saved last, monotonic */
	struct buf store_env;
};

/* What a command says to a batch. */
enum verdict { VERDICT_OK, VERDICT_RETRY, VERDICT_PARK, VERDICT_END };

struct answer {
	enum verdict verdict;
	int status;    /* of its exit; in stream mode that which stands for the word */
	char text[32]; /* "exit 65", "park" */
};

/* The verdict that an exit status is. */
void answer_by_status(struct answer *a, int status);

/* A batch is about to go out. */
int consume_announce(struct consumer *c, const struct feed_batch *b);

/*
 * What follows from the answer to a batch: the cursor moves over it, it is parked, it has to be
 * sent again (*ret_again, after the pause), or the consumer ends.  err is for parked events.
 */
int consume_settle(struct consumer *c, const struct feed_batch *b, const struct answer *a,
                   struct span err, bool *ret_again);

/* The first of these in steps: the cursor stands at seq; it is on disk; that is told. */
void consume_done(struct consumer *c, uint64_t seq);
int consume_save(struct consumer *c);
int consume_tell(struct consumer *c);

/* Take the signals that are pending: true when it is the second one, which does not wait. */
bool consume_take_signals(struct consumer *c);

/* When a batch that begins now has had its time. */
int64_t consume_deadline(const struct consumer *c);

/* The command has had its time, or a second signal came: it is stopped, and this is the status. */
int consume_stop(struct consumer *c, struct coproc *child, enum coproc_result why);

/*
 * There is no batch (r), and maybe will be none: CONSUME_ON to go on waiting.  Moves the cursor
 * over what is not selected.
 */
int consume_idle(struct consumer *c, enum feed_result r, const struct err *e);

/* batch.c */
int batch_run(struct consumer *c);

/* stream.c */
int stream_run(struct consumer *c);

#endif
