/*
 * history: operations as JSON lines, and as one array for each key.
 *
 *	{"c":1,"op":"put","k":"x","in":7,"out":true,"t0":10,"t1":20}
 *	{"c":2,"op":"get","k":"x","out":7,"v":3,"t0":12,"t1":30}
 *	{"c":1,"op":"cas","k":"x","in":[7,8],"out":false,"t0":31,"t1":40}
 *	{"c":2,"op":"del","k":"x","t0":35,"t1":null}
 *
 *	c    who, for the reader of a failure; a session of its own unless "s" says otherwise
 *	op   get, put, cas, del, acquire, release, drop (see lin/model.h)
 *	k    the key; operations on two keys have nothing to do with each other
 *	in   the value written; of a cas [expected,value], and null is "absent"; of acquire, release
 *	     and drop it may be missing, and the value stays
 *	out  true or false; of a get the value, null when there was none
 *	t0   when it was called; t1 when it was answered, null (or missing) when it was not and its
 *	     outcome is unknown.  Any unit, any zero, one clock
 *	if   of cas and del: the version that is expected, 0 for absent; "in" is then just the value
 *	v    the version that the answer named
 *	s    the session that acquires, releases or is dropped; of a get, who held the lock in the
 *	     answer (null: nobody)
 *
 * Values, keys, clients and sessions are strings, numbers, true or false; a number and the string
 * of its digits are the same.  t0, t1, v and if are whole numbers below 2^63, as numbers or, where
 * a reader like jq would round them, as strings.  Other members are passed over; so are empty
 * lines and lines that begin with '#'.
 *
 * Pure.  The text has to stay valid only during history_read().
 */
#ifndef SHOAL_LIN_HISTORY_H
#define SHOAL_LIN_HISTORY_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "lin/lin.h"

#define HISTORY_LINE_MAX (1u << 20)
#define HISTORY_OPS_MAX  (1u << 26)

struct history_key {
	struct span name;
	struct lin_op *ops; /* as they stood in the text */
	size_t ops_n;
};

struct history {
	struct history_key *keys; /* sorted by name */
	size_t keys_n;
	struct span *names; /* of value, owner, client: n is names[n - 1] */
	size_t names_n;
	struct lin_op *ops; /* of all keys */
	size_t ops_n;
	char *text; /* of all names */
};

/*
 * Read a history into *h, whatever was there.  Fails with EBADMSG and the line's number ("line 3:
 * ...") or ENOMEM; *h is then empty.  End it with
 * history_done() in any case.
 */
int history_read(struct history *h, const char *p, size_t len, struct err *e);
void history_done(struct history *h);

/*
 * Append one operation as a line.  names may be NULL, or lack some: a number without a name stands
 * as itself.
 */
void history_put_op(struct buf *to, const struct history *names, struct span key,
                    const struct lin_op *op);

/*
 * Append, for a reader, why a key's history is not linearizable, from a report that says BAD:
 * the end of the longest order that was possible with the state after each operation, and what
 * cannot follow it.
 */
void history_explain(struct buf *to, const struct history *names, const struct history_key *key,
                     const struct lin_state *begin, const struct lin_report *report);

#endif
