/*
 * raftctl: what its parts share.
 *
 * A verb asks the store and prints; what it cannot go on with ends the program by die functions.
 */
#ifndef SHOAL_RAFTCTL_H
#define SHOAL_RAFTCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/json_each.h"
#include "base/span.h"
#include "base/url.h"
#include "net/http.h"
#include "net/httpc.h"
#include "tool/opt.h"

#define RAFTCTL_INPUT_MAX  ((size_t)16 << 20) /* of a value or a transaction on stdin */
#define RAFTCTL_ANSWER_MAX (UINT64_C(1) << 30)

enum {
	OPT_TIMEOUT = OPT_LONG + 1,
	OPT_ALL,
	OPT_BEHAVIOR,
	OPT_FLAGS,
	OPT_JSON,
	OPT_LOCK_DELAY,
	OPT_NAME,
	OPT_ONCE,
	OPT_PREFIX,
	OPT_RECURSE,
	OPT_SEPARATOR,
	OPT_SINCE,
	OPT_TTL,
	OPT_WAIT,
};

/* ---- store.c: where the store is, questions and answers. */

struct store {
	const char *where; /* -s; NULL: not given */
	bool has_timeout;
	int64_t timeout_ns;
	int64_t deadline_ns;
	struct url url;
	struct httpc *c;
};

struct ask {
	const char *method;
	struct buf target;
	struct span body;
	bool writes;         /* an answer that is lost is exit 76, and it is sent once */
	int64_t deadline_ns; /* 0: the store's */
	int64_t answer_ns;   /* as in struct httpc_request */
};

/* The options that every verb has. */
void store_option(struct store *st, const struct opts *o, int id);
/* Take the store's URL, and start the time.  Nothing is sent. */
void store_open(struct store *st);
void store_close(struct store *st);

/* Begin a target: path, then the encoded rest ("": none). */
void ask_begin(struct ask *a, const char *method, const char *path, struct span rest);
/* Append ?NAME or &NAME, and =VALUE unless it is NULL. */
void ask_param(struct ask *a, const char *name, const char *value);
void ask_param_u64(struct ask *a, const char *name, uint64_t value);
void ask_done(struct ask *a);

/*
 * Ask, again and again while surely nothing was done and there is time.  0: *ret is an answer of
 * 2xx, 404 or 409, borrowed until the next one.  Else an exit status, with *e.
 */
int store_try(struct store *st, const struct ask *a, const struct http_in **ret, struct err *e);
/* The same, or die. */
const struct http_in *store_ask(struct store *st, const struct ask *a);

/* X-Consul-Index of an answer; 0: it has none. */
uint64_t answer_index(const struct http_in *in);
/* Is it 200?  404 of a key-value store is false; anything else is none, and we die. */
bool answer_is_there(const struct store *st, const struct http_in *in);
/* "true" or "false" of a 200. */
bool answer_is_true(const struct store *st, const struct http_in *in);
/* Its body as JSON. */
void answer_json(const struct store *st, const struct http_in *in, struct json_doc *d);
/* Die because it is not what was asked for. */
_Noreturn void answer_is_odd(const struct store *st, const struct http_in *in);

/* A blocking read, again and again. */
struct block {
	uint64_t index;      /* what is known; 0: answer at once */
	int64_t deadline_ns; /* or WAIT_FOREVER */
	bool answered;
	bool lost; /* the store cannot be reached now, and that was said */
};

/*
 * Ask until the answer's index is another than b->index, or something is wrong.  a is without the
 * parameters index and wait.  True: *ret is an answer of 200 or 404; false: the deadline has
 * passed.
 */
bool store_block(struct store *st, struct ask *a, struct block *b, const struct http_in **ret);

/* ---- entry.c: an entry of the store. */

struct entry {
	struct buf key, value;
	bool has_value;
	uint64_t flags, locks, created, index;
	struct buf session;
};

/* Read one of Consul's entries; die when it is none.  e is used again and again. */
void entry_read(const struct store *st, const struct json_value *v, struct entry *e);
/* Append the entry as a line of JSON; event NULL: none. */
void entry_put(struct buf *b, const struct entry *e, const char *event);
void entry_done(struct entry *e);

/* Append "name":"text", or "name_base64":"..." when it is not UTF-8. */
void put_bytes(struct buf *b, const char *name, struct span bytes);
/* The member of an object by that name; JSON_NONE: it has none, or v is no object. */
struct json_value member_of(const struct json_value *v, const char *name);
/* Append the text of a JSON string; nothing of anything else. */
void get_text(struct buf *b, const struct json_value *v);

/* ---- edge.c */

struct span span_of(const char *s);
/* Die when memory was short. */
void check_buf(const struct buf *b);
/* Write a line and clear the buffer; end is its last byte. */
void write_line(struct buf *b, char end);
/* VALUE, or what stdin has for "-"; borrowed from the operand or *b. */
struct span value_of(const char *operand, struct buf *b);
/* On a terminal: why the exit status is 1. */
void say_no(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- ttl.c: put --ttl; the exit status. */

struct ttl_put {
	struct store *st;
	const char *key;
	struct span value;
	uint64_t flags;
	bool has_flags;
	uint64_t ttl_ns;
};

int ttl_put(const struct ttl_put *p);

/* ---- session.c */

struct session_spec {
	const char *name, *behavior; /* NULL: the store's */
	uint64_t ttl_ns;             /* 0: none */
	uint64_t lock_delay_ns;
	bool has_lock_delay;
};

/* Make one: its id is appended to *id. */
void session_create(struct store *st, const struct session_spec *s, struct buf *id);
/* False: there is no such session. */
bool session_renew(struct store *st, struct span id);
void session_destroy(struct store *st, struct span id);
/* Append the text that Consul's JSON of a session has under that name; false: no session. */
bool session_member(struct store *st, struct span id, const char *member, struct buf *to);

/* ---- The verbs. */

extern const struct opt get_options[], put_options[], del_options[], ls_options[], cas_options[];
extern const struct opt watch_options[], session_options[], status_options[];

int get_run(struct opts *o);
int put_run(struct opts *o);
int cas_run(struct opts *o);
int del_run(struct opts *o);
int ls_run(struct opts *o);
int watch_run(struct opts *o);
int txn_run(struct opts *o);
int session_run(struct opts *o);
int status_run(struct opts *o);

#endif
