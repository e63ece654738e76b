/*
 * spec: `evlog test`: given these events, when this command, then those events.
 *
 * Without a store: the given events are folded as if they were the stream "test", DECIDE is run
 * as handle runs it, and jq compares what came with what was wanted.  spec.c reads the file and
 * says what is right, example.c runs one line of it.
 */
#ifndef SHOAL_EVLOG_CMD_SPEC_H
#define SHOAL_EVLOG_CMD_SPEC_H

#include "decide.h"
#include "fold.h"

#define SPEC_ARGS_MAX 256

struct words {
	char *v[SPEC_ARGS_MAX]; /* owned */
	size_t count;
};

struct spec {
	const char *file;
	uint64_t line;
	struct fold_spec fold;
	bool evolve_given, init_given, decide_given; /* on the command line */
	char *evolve_file;                           /* of a line of the file */
	struct buf init;                             /* the same */
	struct words decide, args;                   /* DECIDE, and what an example adds */
	struct jq judge;
	unsigned number, failed;
	struct buf report;

	/* example.c */
	struct evolve *evolve; /* NULL: to be started */
	struct event_parser parser;
	struct event_writer writer;
	uint32_t version; /* of the next event */
	struct buf input, command;
	/* and what came of the example: */
	const char *outcome; /* "none", "decided", "rejected", "failed" */
	struct err why;      /* of "failed" */
	struct buf state;    /* in the end */
	struct buf got;      /* an array of the new events */
	struct decided decided;
};

/* Take the next element off what stands between the brackets of a sound array. */
bool spec_next_element(struct span *rest, struct span *ret);

/* What stands between the brackets; exit 65 when it is no array. */
struct span spec_elements(const struct spec *sp, const struct json_value *v, const char *name);

/* Exit 65 with "'FILE' line N: ". */
_Noreturn void spec_bad_line(const struct spec *sp, struct err *e);

/* example.c: run one. */
void example_run(struct spec *sp, const struct json_doc *doc);

#endif
