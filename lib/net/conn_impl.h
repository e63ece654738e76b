/*
 * conn_impl: what the parts of conn share.
 *
 * conn.c has the server, the deadlines and the ends of connections, conn_listen.c how they begin,
 * conn_in.c what comes in, conn_out.c what goes out.
 *
 * A connection at rest holds its struct and nothing else: the buffer that is read into is the
 * server's, readers and buffers for output come from its pools and go back there.
 */
#ifndef SHOAL_NET_CONN_IMPL_H
#define SHOAL_NET_CONN_IMPL_H

#include "base/buf.h"
#include "net/conn.h"

#define CONN_READ_SIZE   (64u << 10)
#define CONN_POOL_MAX    256
#define CONN_POOL_BYTES  16384 /* a larger buffer is freed after its use */
#define CONN_PEER_MAX    56
/* Requests that came while another one waits: above this, no more is read. */
#define CONN_AHEAD_MAX   (64u << 10)
/* Answers that the client has not taken: above this, none of its requests is looked at. */
#define CONN_OUT_MAX     (256u << 10)
/* How long the last answer may take to be read before the connection is closed. */
#define CONN_LINGER_MS   2000
/* Refused connections that linger; above this they are closed without a word. */
#define CONN_REFUSED_MAX 256

/* What a connection is waiting for; each has the same time for all, so that its list is in order.
 */
enum conn_wait {
	CONN_IDLE,
	CONN_HEAD,
	CONN_BODY,
	CONN_WRITE,
	CONN_LINGER,
	CONN_CALL, /* for the daemon, without a deadline */
	CONN_WAITS,
};

struct conn_list {
	struct http_call *first, *last;
};

/* What the kernel did not take at once. */
struct conn_send {
	uv_write_t req;
	struct buf data;
};

/* A connection.  It is its call, too, as it has one at a time. */
struct http_call {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	struct http_server *server;
	struct http_in *in; /* NULL at rest */
	struct buf ahead;   /* what came behind the request of the call, from ahead_at on */
	size_t ahead_at;
	struct buf out;         /* to be written at the end of this turn */
	struct conn_send *send; /* NULL: nothing is under way */
	void *user;
	struct http_call *prev, *next; /* in the list of `wait` */
	struct http_call *dirty_next;
	uint64_t deadline_ms; /* of uv_now() */
	size_t send_left;     /* when the deadline of CONN_WRITE was set */
	enum conn_wait wait : 8;
	bool calling;   /* the daemon has the call */
	bool begun;     /* its answer comes in pieces */
	bool head_only; /* of which HEAD gets none */
	bool chunked;
	bool continued;  /* 100 (Continue) was said */
	bool last;       /* after what is in out, no more */
	bool refused;    /* above connections_max */
	bool dirty;      /* in the server's list */
	bool processing; /* conn_process() is running */
	bool paused;     /* not reading */
	bool eof;        /* the client sends no more */
	bool closing;    /* uv_close() was called */
	bool local;
	char peer[CONN_PEER_MAX];
};

struct conn_listener {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	struct http_server *server;
	struct conn_listener *next;
	bool is_unix;
	bool closing;
};

struct http_server {
	struct http_server_config cfg;
	struct conn_listener *listeners;
	struct conn_list list[CONN_WAITS];
	struct http_call *dirty;
	struct http_server_stat stat;
	uv_timer_t timer;
	uv_prepare_t prepare; /* what was answered outside of the poll, */
	uv_check_t check;     /* and in it */
	uint64_t timer_ms;    /* when it fires; 0: not set */
	uint32_t wait_ms[CONN_WAITS];
	uint32_t refused; /* lingering */
	uint32_t handles; /* open ones */
	bool draining, closing;
	void (*closed)(void *ctx);
	struct http_in *ins[CONN_POOL_MAX];
	struct buf bufs[CONN_POOL_MAX];
	unsigned ins_count, bufs_count;
	char read_buf[CONN_READ_SIZE];
};

/* ---- conn.c */

/* A connection whose handle is there is one of the server's; conn_wait() is to be called next. */
void conn_begin(struct http_call *c, struct http_server *s);
/* Wait for this from now on, with a new deadline. */
void conn_wait(struct http_call *c, enum conn_wait wait);
/* Wait for what is next; with the old deadline when that has not changed. */
void conn_wait_on(struct http_call *c);
/* Close it now; a call is gone. */
void conn_close(struct http_call *c);
/* The same with a reset, so that the peer cannot take what it has for all. */
void conn_reset(struct http_call *c);
/* A handle of the server is closed; the last one frees it. */
void conn_handle_closed(struct http_server *s);
/* In this turn it is looked at again, and its output is written. */
void conn_mark(struct http_call *c);

struct http_in *conn_take_in(struct http_server *s);
void conn_give_in(struct http_server *s, struct http_in *in);
/* A buffer of the pool where b has none. */
void conn_take_buf(struct http_server *s, struct buf *b);
void conn_give_buf(struct http_server *s, struct buf *b);

/* ---- conn_listen.c */

void conn_listener_close(struct conn_listener *l);

/* ---- conn_in.c */

int conn_read_start(struct http_call *c);
/* May its next request be looked at? */
bool conn_may_go_on(const struct http_call *c);
/* Go on with what has come ahead, and with reading. */
void conn_resume(struct http_call *c);
/* The peer is at fault: an answer, and the end. */
void conn_refuse(struct http_call *c, unsigned status, const char *why);

/* ---- conn_out.c */

/* Write what there is, go on with what came ahead, and see to the end of the connection. */
void conn_flush(struct http_call *c);

#endif
