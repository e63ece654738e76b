/*
 * jq: one jq process for many JSON values, because starting it takes longer than a thousand of
 * them.  jq 1.6 is enough.
 *
 * A program here is run with -n and reads its values by itself (`inputs`).  jq keeps results back
 * until it has 4 KiB of them.  A program that is asked for something at once therefore answers by
 * its result and the string $flush behind it, which is longer than that; jq_line() leaves such
 * lines out.
 *
 * jq 1.6 makes doubles of all numbers: integers beyond 2^53 lose digits.
 */
#ifndef SHOAL_OS_JQ_H
#define SHOAL_OS_JQ_H

#include "os/coproc.h"

#define JQ_LINE_MAX    (16u << 20)  /* bytes of a result */
#define JQ_PROGRAM_MAX (100u << 10) /* bytes of a program: it is one argument of the command */
#define JQ_ARGS_MAX    8u

struct jq_arg {
	const char *name; /* $name in the program */
	const char *json;
};

struct jq_spec {
	const char *program; /* text */
	const char *dir;     /* of the program's file, for `import`; NULL: none */
	const struct jq_arg *args;
	size_t arg_count;
	const struct sig *sig; /* as in coproc.h */
};

struct jq {
	struct coproc child;
};

/*
 * PROC_NOT_FOUND with advice when there is no jq, E2BIG for a program over the limit.  A program
 * that does not compile shows at the first jq_line().
 */
int jq_start(struct jq *j, const struct jq_spec *spec, struct err *e);

/* Hand it a value, or several; the LF is added. */
void jq_put(struct jq *j, const void *json, size_t n);

/* Close its input: the program ends. */
void jq_end_input(struct jq *j);

/*
 * The next result, one line of compact JSON, borrowed until the next call.  COPROC_END when the
 * program has ended by itself with success.  COPROC_FAILED with EBADMSG and jq's own words when it
 * did not compile or ended by an error.
 */
enum coproc_result jq_line(struct jq *j, struct span *ret, int64_t deadline_ns, struct err *e);

void jq_done(struct jq *j);

#endif
