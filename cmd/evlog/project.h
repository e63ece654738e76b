/*
 * project: what project.c, the jq side (map.c) and the targets have in common.
 *
 * Everything that can end a projection returns up to project_run() as an exit status, so that
 * what was begun is put in order; PROJECT_ON means that nothing ends it.
 */
#ifndef SHOAL_EVLOG_CMD_PROJECT_H
#define SHOAL_EVLOG_CMD_PROJECT_H

#include "base/json_each.h"
#include "evlog/mark.h"
#include "feed.h"
#include "os/clock.h"
#include "os/coproc.h"
#include "os/jq.h"
#include "program.h"
#include "status.h"

#define PROJECT_ON         (-1)
#define PROJECT_KILL_AFTER 2000             /* ms between TERM and KILL for children */
#define PROJECT_FOLLOW_NS  CLOCK_NS_PER_SEC /* how far the cursor may be behind the mark */

/* ---- map.c: events go through the program. */

struct mapped_event {
	uint64_t seq;
	size_t at, len; /* of its outputs in the text: an array */
	char *why;      /* it is poison; malloc'ed */
	bool parked;    /* and that is noted in the store */
};

/* What the program said about the events of a batch. */
struct mapped {
	struct buf text;
	struct mapped_event *events;
	size_t count, cap;
};

struct span mapped_outputs(const struct mapped *m, size_t i);
void mapped_blame(struct mapped *m, size_t i, const char *why);
void mapped_done(struct mapped *m);

struct mapper {
	struct program program;
	const char *file;                  /* where it is from */
	char hash[CURSOR_PROGRAM_LEN + 1]; /* of the text, as in struct mark */
	/* private: */
	struct jq jq;
	bool running;
	uint64_t asked; /* batches */
};

void mapper_read(struct mapper *m, const char *file); /* ends the program when it cannot */
int mapper_start(struct mapper *m, const struct sig *sig, struct err *e);
void mapper_done(struct mapper *m);

/* Hand over a batch.  Nothing waits. */
void mapper_put(struct mapper *m, const struct feed_batch *b);

/*
 * Take one more line for the batch that was handed over first, of which *out has some already
 * (none: begin it with mapped_begin()).  COPROC_READY: with `whole` it was the last one.
 * COPROC_FAILED: the program does not compile, or has ended.
 */
void mapped_begin(struct mapped *m);
enum coproc_result mapper_take(struct mapper *m, const struct feed_batch *b, struct mapped *out,
                               bool *ret_whole, int64_t deadline_ns, struct err *e);

/* ---- The targets. */

enum target_kind { TARGET_SQLITE, TARGET_FILE, TARGET_CMD };

/* A batch for a target: those events of `events` that have no `why`, and the mark behind them. */
struct change {
	const struct feed_batch *batch; /* NULL: there is none, only the mark moves */
	struct mapped *events;
	size_t count; /* of events, at most events->count */
	struct mark to;
};

struct project;

/* All members are there; of a target that has nothing to do at a step it is one of target_no_*. */
struct target {
	/*
	 * Open the model and set p->mark: sequence 0 and no program for one that is new, or that is
	 * to be made anew beside.
	 */
	int (*open)(struct project *p);
	int (*accept)(struct project *p); /* p->mark has another program now */
	/*
	 * Begin to apply a change, and end that: PROJECT_ON, and either all of it is on disk, or
	 * *ret_poison, and nothing was done because of events that have a `why` now.  begin does
	 * not wait for long; poke() does without waiting what is left of it.
	 */
	int (*begin)(struct project *p, const struct change *c);
	void (*poke)(struct project *p);
	int (*end)(struct project *p, const struct change *c, bool *ret_poison);
	int (*publish)(struct project *p); /* what was made anew takes its place */
	void (*close)(struct project *p);
};

extern const struct target target_sqlite, target_file, target_cmd;

int target_no_step(struct project *p);
int target_no_begin(struct project *p, const struct change *c);
void target_no_poke(struct project *p);

/* "sqlite:DB", "file:DIR", "cmd:COMMAND": what it is, and the rest. */
enum target_kind target_parse(const char *into, const char **ret_rest);
/* The absolute path of a file that need not be there, as a C string; ends the program. */
void target_path(const char *path, struct buf *ret);

/* ---- project.c */

struct project {
	struct place place;
	const char *name, *operand, *selector, *into, *schema_file;
	size_t count;
	bool follow, rebuild, accept, park, skip_damaged, check;
	int64_t timeout_ns; /* of a batch; 0: none */
	/* At work: */
	struct evlog *s;
	struct query q;
	struct status status;
	struct cursor *cursor;
	struct feed *feed;
	struct sig sig;
	int signal;   /* the first that came; 0: none */
	bool at_once; /* a second one came, or the time is over: wait for nobody any more */
	int status_of_check;
	struct mapper map;
	struct mark mark; /* of the model, on disk */
	bool settled;     /* the cursor is of this model */
	int64_t saved_ns; /* when the cursor was saved last, monotonic */
	char store[33];   /* its uuid */
	/* Of the target: */
	const struct target *target;
	enum target_kind kind;
	struct buf path;   /* absolute; of cmd: the command */
	struct buf schema; /* text of SQL; len 0: none */
	void *own;         /* the target's */
};

/* End a line for --status-fd that status_begin() and its like have begun. */
int project_told(struct project *p);

/* The model has come to c->to: the cursor follows, and it is told. */
int project_moved(struct project *p, const struct change *c);
/* The mark of now, with another sequence. */
struct mark project_mark_at(struct project *p, uint64_t seq);
/* The cursor as the mark; only if it is elsewhere; and where the model is, too. */
int project_save_cursor(struct project *p);
int project_follow(struct project *p);
int project_settle(struct project *p);

/*
 * What a wait for a child has come to: PROJECT_ON to go on (wait again after COPROC_SIGNAL), or
 * the status that ends the projection: a second signal, the time limit.  `who` is the child.
 */
int project_waited(struct project *p, enum coproc_result r, const char *who, const struct err *e);

/* ---- pipeline.c */

/* All events to the model, as p says; the status to end with. */
int pipeline_run(struct project *p);
/* Does the program compile?  PROJECT_ON. */
int pipeline_try(struct project *p);

/* When a wait that begins now has had its time. */
int64_t project_deadline(const struct project *p);

/* Take signals that are pending: true when it is the second one, which does not wait. */
bool project_take_signals(struct project *p);

#endif
