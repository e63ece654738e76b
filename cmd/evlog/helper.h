/*
 * helper: talking to evlog-sqlite, for project and query.  What is said is in
 * cmd/libexec/evlog-sqlite/helper.h.
 */
#ifndef SHOAL_EVLOG_CMD_HELPER_H
#define SHOAL_EVLOG_CMD_HELPER_H

#include "base/json.h"
#include "evlog/mark.h"
#include "os/coproc.h"
#include "tool/helper.h"

struct helper {
	struct coproc child;
	bool running;
};

/* guard_holds as in struct proc_spec; -1: none. */
int helper_start(struct helper *h, const char *db, const struct sig *sig, int guard_holds,
                 struct err *e);
void helper_done(struct helper *h);

/* Append "key":"text". */
void helper_put_text(struct buf *out, const char *key, const char *text, size_t len);

/*
 * COPROC_READY: an answer, valid until the next call; *ret_status is PROJECT_ON (-1), or, when the
 * answer is an error, that has been printed, the exit status for it.
 */
enum coproc_result helper_answer(struct helper *h, struct json_doc *d, int *ret_status,
                                 int64_t deadline_ns, struct err *e);

/* The mark in an answer: PROJECT_ON or a status. */
int helper_get_mark(const struct json_doc *d, struct mark *ret);

#endif
